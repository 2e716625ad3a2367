//! Who may connect: asked once for every socket that does not resume.

use async_trait::async_trait;

use super::Refusal;
use crate::opentok::{Claims, SessionId, TokenError};

/// A token that is good, and the session that it is for.
#[derive(Clone, Debug)]
pub struct Admitted {
    pub claims: Claims,
    /// The media of the session go from browser to browser.
    pub relayed: bool,
}

/// Somebody who is let in.
#[derive(Clone, Debug)]
pub struct NewConnection {
    /// What the token lets its holder do.
    pub claims: Claims,
    /// The media of the session it joins go from browser to browser.
    pub relayed: bool,
    /// The client does not want to know who comes and goes, as in sessions of thousands.
    pub quiet: bool,
}

/// Knows the sessions, and the secrets under which their tokens are signed.
#[async_trait]
pub trait Admission: Send + Sync {
    /// What the token lets its holder do in this session, and what kind of session it is; `now_s` is
    /// Unix time in seconds.
    ///
    /// # Errors
    /// Nobody is let in then, and the client is told why.
    async fn admit(
        &self,
        session_id: &SessionId,
        token: &str,
        now_s: i64,
    ) -> Result<Admitted, AdmissionError>;
}

/// Why somebody is not let in.
#[derive(Debug, thiserror::Error)]
pub enum AdmissionError {
    #[error(transparent)]
    Authentication(#[from] TokenError),
    #[error("there is no such session here; ask the page for a new link")]
    InvalidSession,
    /// Not the client's fault; whoever implements the trait has logged it.
    #[error("the server cannot check the token now; try again in a moment")]
    Unavailable,
}

impl From<AdmissionError> for Refusal {
    fn from(error: AdmissionError) -> Self {
        let message = error.to_string();
        match error {
            AdmissionError::Authentication(_) => Refusal::authentication(message),
            AdmissionError::InvalidSession => Refusal::invalid_session(message),
            AdmissionError::Unavailable => Refusal::connect_failed(message),
        }
    }
}
