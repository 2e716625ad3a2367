//! What of this server's own platform remains when calls are elsewhere: the presence session, without media.

use async_trait::async_trait;
use tokio::sync::mpsc;

use crate::{
    opentok::SessionId,
    platform::Embedded,
    session::{
        Admission, AdmissionError, Admitted,
        media::{self, Busy, Command, Media},
    },
};

/// An engine that carries nothing.
pub struct NoMedia {
    /// Nothing is ever sent, but whoever listens has to go on: time passes there, too.
    pub events: mpsc::Sender<media::Event>,
}

impl Media for NoMedia {
    fn send(&self, _: &SessionId, command: Command) -> Result<(), Busy> {
        match command {
            // Its answer would never come.
            Command::Offer { .. } => Err(Busy),
            _ => Ok(()),
        }
    }
}

/// Lets people into the presence session and into no other.
pub struct OnlyPresence {
    pub home: Embedded,
    pub presence: SessionId,
}

#[async_trait]
impl Admission for OnlyPresence {
    async fn admit(
        &self,
        session: &SessionId,
        token: &str,
        now_s: i64,
    ) -> Result<Admitted, AdmissionError> {
        if *session != self.presence {
            return Err(AdmissionError::InvalidSession);
        }
        self.home.admit(session, token, now_s).await
    }
}
