//! Who is let into the sessions of this process.

use std::sync::Arc;

use async_trait::async_trait;
use tracing::error;

use super::Embedded;
use crate::{
    opentok::{SessionId, Token},
    platform::doors::Door,
    project::{self, MediaMode},
    session::{Admission, AdmissionError, Admitted},
};

impl Embedded {
    /// An open session, as the database has it.
    async fn door(&self, session: &SessionId) -> Result<Arc<Door>, AdmissionError> {
        let session = project::find_session(&self.db, session)
            .await
            .map_err(unavailable)?
            .filter(|session| !session.is_closed && session.platform.is_empty())
            .ok_or(AdmissionError::InvalidSession)?;
        let project = project::find(&self.db, session.api_key)
            .await
            .map_err(unavailable)?
            .ok_or(AdmissionError::InvalidSession)?;
        Ok(Arc::new(Door { session, project }))
    }
}

fn unavailable(problem: sqlx::Error) -> AdmissionError {
    error!("A token cannot be checked: {problem}");
    AdmissionError::Unavailable
}

#[async_trait]
impl Admission for Embedded {
    async fn admit(
        &self,
        session_id: &SessionId,
        token: &str,
        now_s: i64,
    ) -> Result<Admitted, AdmissionError> {
        let (door, is_first) = match self.doors.find(session_id) {
            Ok(door) => (door, None),
            Err(asked) => (self.door(session_id).await?, Some(asked)),
        };
        let token_of = Token {
            api_key: door.project.api_key,
            api_secret: door.project.api_secret.expose(),
        };
        let claims = token_of.verify(token, session_id, now_s)?;
        let relayed = door.session.media_mode == MediaMode::Relayed;
        if let Some(asked) = is_first {
            project::note_joined(&self.db, session_id, now_s * 1000)
                .await
                .map_err(unavailable)?;
            // Keys of applications are renewed and revoked by another process, and count at once.
            if door.project.api_key == self.project.api_key {
                self.doors.remember(door, asked);
            }
        }
        Ok(Admitted { claims, relayed })
    }
}
