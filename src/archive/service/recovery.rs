//! Completes the archives that the last run of the server left unfinished.

use std::sync::Arc;

use tracing::{error, info, warn};

use super::Archives;
use crate::archive::{Archive, ArchiveId, lifecycle, recording::Manifest, store};

/// Rebuilds the files of a recording that a crash interrupted. It blocks its thread. The error is a sentence for users.
pub type Recover = Arc<dyn Fn(ArchiveId) -> Result<Manifest, String> + Send + Sync>;

impl Archives {
    /// Completes archives after a crash, and starts the background tasks. Call it once, before the first archive starts.
    /// Rebuilding and composing continue in the background.
    ///
    /// # Errors
    /// The database query fails.
    pub async fn begin(&self, recover: Recover) -> Result<(), sqlx::Error> {
        for archive in lifecycle::stop_abandoned(&self.inner.db, self.now_ms()).await? {
            self.notify(archive);
        }
        let unfinished = store::stopped(&self.inner.db).await?;
        let this = self.clone();
        let mut tasks = self.tasks();
        if !self.is_closing() {
            tasks.begun = Some(tokio::spawn(async move {
                this.finish(unfinished, recover).await;
                this.run_housekeeping().await;
            }));
        }
        Ok(())
    }

    /// Whether there is a stopped archive whose recorder has not reported yet.
    ///
    /// # Errors
    /// The database query fails.
    pub async fn is_completing(&self) -> Result<bool, sqlx::Error> {
        let stopped = store::stopped(&self.inner.db).await?;
        Ok(stopped.iter().any(|archive| !archive.has_tracks()))
    }

    /// Rebuilds the tracks of archives that have none, and composes all of them.
    async fn finish(&self, unfinished: Vec<Archive>, recover: Recover) {
        let (with_tracks, without_tracks): (Vec<_>, Vec<_>) =
            unfinished.into_iter().partition(Archive::has_tracks);
        for archive in with_tracks {
            self.compose(archive.id);
        }
        for archive in without_tracks {
            let id = archive.id;
            let recover = recover.clone();
            let rebuilt = tokio::task::spawn_blocking(move || recover(id)).await;
            let outcome = match rebuilt {
                Ok(Ok(manifest)) => self.save_tracks(id, &manifest).await,
                Ok(Err(problem)) => self.fail(id, &problem).await.map(|_| ()),
                Err(panic) => {
                    error!(archive.id = %id, error = %panic, "Rebuilding archive panicked");
                    let problem = "the recording could not be read";
                    self.fail(id, problem).await.map(|_| ())
                }
            };
            match outcome {
                Ok(()) => info!(archive.id = %id, "Archive recovered"),
                Err(refused) => {
                    warn!(archive.id = %id, error = %refused, "Recovering archive failed");
                }
            }
        }
    }
}
