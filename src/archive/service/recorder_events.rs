//! Applies the events of the recorder.

use std::time::Duration;

use tracing::{debug, error};

use super::Archives;
use crate::archive::{
    ArchiveId, Status,
    lifecycle::{self, ChangeError},
    recording::{Manifest, RecorderEvent},
};

/// The delay before a recorder's event is applied again after the database failed, for example because of a full disk.
const REPORT_AGAIN_AFTER: Duration = Duration::from_secs(5);

impl Archives {
    /// Applies a recorder's event. An archive whose streams are in place can be watched, and is composed next.
    ///
    /// Returns once the database has the event, and retries until then, so that events of one archive stay in order.
    pub async fn apply_recorder_event(&self, event: RecorderEvent) {
        loop {
            match self.try_apply_recorder_event(&event).await {
                Ok(()) => return,
                // The next start completes the archive.
                Err(ChangeError::Database(sqlx::Error::PoolClosed)) => return,
                Err(ChangeError::Database(problem)) => {
                    error!(error = %problem, "Saving a recorder event failed; retrying");
                }
                Err(refused) => {
                    debug!(error = %refused, "Recorder event ignored");
                    return;
                }
            }
            tokio::time::sleep(REPORT_AGAIN_AFTER).await;
        }
    }

    async fn try_apply_recorder_event(&self, event: &RecorderEvent) -> Result<(), ChangeError> {
        match event {
            RecorderEvent::Ready { archive, manifest } => {
                self.save_tracks(*archive, manifest).await
            }
            RecorderEvent::Failed { archive, reason } => {
                let db = &self.inner.db;
                let archive = lifecycle::interrupt(db, *archive, reason, self.now_ms()).await?;
                self.notify(archive);
                Ok(())
            }
        }
    }

    pub(super) async fn save_tracks(
        &self,
        id: ArchiveId,
        manifest: &Manifest,
    ) -> Result<(), ChangeError> {
        match lifecycle::save_tracks(&self.inner.db, id, manifest, self.now_ms()).await {
            Ok(archive) => {
                let archive = self.notify(archive);
                if archive.status == Status::Stopped {
                    self.compose(id);
                }
                Ok(())
            }
            // Its folder was removed while the recorder was writing into it.
            Err(ChangeError::Refused {
                from: Status::Deleted | Status::Expired,
                ..
            }) => {
                self.clear(id).await;
                Ok(())
            }
            Err(other) => Err(other),
        }
    }
}
