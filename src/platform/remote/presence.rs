//! What of this server's own platform remains when calls are elsewhere: the presence session, without media.

use async_trait::async_trait;
use tokio::sync::mpsc;

use crate::{
    opentok::SessionId,
    platform::Embedded,
    session::{
        Admission, AdmissionError, Admitted,
        media::{self, EngineBusy, EngineCommand, Media},
    },
};

/// An engine that carries nothing.
pub struct NullMedia {
    /// What it says to offers. Time passes for whoever listens, also while nothing is sent.
    pub events: mpsc::Sender<media::EngineEvent>,
}

impl Media for NullMedia {
    fn send(&self, session: &SessionId, command: EngineCommand) -> Result<(), EngineBusy> {
        let EngineCommand::Offer {
            connection,
            request,
            offer,
        } = command
        else {
            return Ok(());
        };
        let refused = media::EngineEvent::Refused {
            session: session.clone(),
            connection,
            request,
            generation: offer.generation,
            message: "there are no media in this session: calls are on another server".to_owned(),
        };
        // EngineBusy is for what may be taken in a moment: the same offer is sent again then, and whatever follows it waits.
        self.events.try_send(refused).map_err(|_| EngineBusy)
    }
}

/// Lets people into the presence session and into no other.
pub struct PresenceAdmission {
    pub home: Embedded,
    pub presence: SessionId,
}

#[async_trait]
impl Admission for PresenceAdmission {
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
