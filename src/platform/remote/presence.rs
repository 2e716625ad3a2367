//! The presence session of a server whose calls are on another platform: the only local session, without media.

use async_trait::async_trait;
use tokio::sync::mpsc;

use crate::{
    opentok::SessionId,
    platform::LocalSessions,
    session::{
        Admission, AdmissionError, Admitted,
        media::{self, EngineBusy, EngineCommand, Media},
    },
};

/// A media engine that refuses all media.
pub struct NullMedia {
    /// Receives the refusals of offers.
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
        // After `EngineBusy` the session retries the offer, and delays the commands behind it.
        self.events.try_send(refused).map_err(|_| EngineBusy)
    }
}

/// Admits clients to the presence session and to no other.
pub struct PresenceAdmission {
    pub sessions: LocalSessions,
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
        self.sessions.admit(session, token, now_s).await
    }
}
