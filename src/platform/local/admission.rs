//! Admission of clients to the sessions of this server, by their tokens.

use std::sync::Arc;

use async_trait::async_trait;
use tracing::error;

use super::LocalSessions;
use crate::{
    opentok::{MediaMode, SessionId, Token},
    platform::session_cache::OpenSession,
    project,
    session::{Admission, AdmissionError, Admitted},
};

impl LocalSessions {
    /// Reads an open session from the database.
    async fn load_session(&self, session: &SessionId) -> Result<Arc<OpenSession>, AdmissionError> {
        let session = project::find_session(&self.db, session)
            .await
            .map_err(unavailable)?
            .filter(|session| !session.is_closed && session.platform.is_empty())
            .ok_or(AdmissionError::InvalidSession)?;
        let project = project::find(&self.db, session.api_key)
            .await
            .map_err(unavailable)?
            .ok_or(AdmissionError::InvalidSession)?;
        Ok(Arc::new(OpenSession { session, project }))
    }
}

fn unavailable(error: sqlx::Error) -> AdmissionError {
    error!(%error, "Checking a token failed");
    AdmissionError::Unavailable
}

#[async_trait]
impl Admission for LocalSessions {
    async fn admit(
        &self,
        session_id: &SessionId,
        token: &str,
        now_s: i64,
    ) -> Result<Admitted, AdmissionError> {
        let (open, is_first) = match self.session_cache.get(session_id) {
            Ok(open) => (open, None),
            Err(generation) => (self.load_session(session_id).await?, Some(generation)),
        };
        let token_of = Token {
            api_key: open.project.api_key,
            api_secret: open.project.api_secret.expose(),
        };
        let claims = token_of.verify(token, session_id, now_s)?;
        let relayed = open.session.media_mode == MediaMode::Relayed;
        if let Some(generation) = is_first {
            project::record_joined(&self.db, session_id, now_s * 1000)
                .await
                .map_err(unavailable)?;
            // The command line renews and revokes applications' keys in another process, with immediate effect.
            if open.project.api_key == self.project.api_key {
                self.session_cache.insert(open, generation);
            }
        }
        Ok(Admitted { claims, relayed })
    }
}
