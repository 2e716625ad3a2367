//! Expires old archives, and removes the files of expired and deleted ones.

use std::time::Duration;

use tracing::error;

use super::{Archives, Settings};
use crate::archive::{ArchiveId, retention};

/// The interval between searches for expired archives.
const SWEEP_EVERY: Duration = Duration::from_secs(3600);

impl Archives {
    pub(super) async fn run_housekeeping(&self) {
        loop {
            if let Err(problem) = self.sweep().await {
                error!(error = %problem, "Archive housekeeping failed");
            }
            tokio::time::sleep(SWEEP_EVERY).await;
        }
    }

    /// Expires old archives, and removes the files of expired and deleted ones.
    ///
    /// # Errors
    /// The database query fails.
    pub async fn sweep(&self) -> Result<(), sqlx::Error> {
        let Settings { folder, keep, .. } = &self.inner.settings;
        if let Some(keep) = keep {
            let expired = retention::expire_old(&self.inner.db, *keep, self.now_ms()).await?;
            for archive in expired {
                self.end_composing(archive.id).await;
                self.notify(archive);
            }
        }
        retention::clear_all(&self.inner.db, folder).await
    }

    /// Removes the files of an archive that is deleted or expired.
    pub(super) async fn clear(&self, id: ArchiveId) {
        self.end_composing(id).await;
        let folder = &self.inner.settings.folder;
        if let Err(problem) = retention::clear(&self.inner.db, folder, id).await {
            error!(archive.id = %id, error = %problem, "Removing archive files failed; the next start retries");
        }
    }
}
