//! Makes the files to download in the background. A semaphore limits how many at once; each file has several attempts.

use std::time::Duration;

use tokio::sync::watch;
use tracing::{debug, warn};

use super::Archives;
use crate::archive::{
    Archive, ArchiveId, OutputMode, Resolution, Status,
    composer::{ComposeError, ComposeJob, Composed, PackJob},
    download::folder,
    lifecycle::{self, ChangeError},
    recording::Manifest,
    store,
};

/// The first and the longest wait after the database refused.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const MAX_WAIT: Duration = Duration::from_secs(60);

/// Asks the database until it answers: neither a lock nor a full disk loses a file that took an hour to compose. The wait
/// ends with the task.
async fn until_answered<T, F>(mut ask: impl FnMut() -> F) -> T
where
    F: Future<Output = Result<T, sqlx::Error>>,
{
    let mut wait = FIRST_WAIT;
    loop {
        match ask().await {
            Ok(answer) => return answer,
            Err(error) => {
                warn!(%error, wait_s = wait.as_secs(), "Saving the state of composing failed; retrying");
            }
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(MAX_WAIT);
    }
}

impl Archives {
    pub(super) async fn end_composing(&self, id: ArchiveId) {
        let task = self.tasks().composing.remove(&id);
        if let Some(task) = task {
            task.abort();
            let _ = task.await;
        }
    }

    /// Starts to compose the archive, unless a task composes it already.
    pub(super) fn compose(&self, id: ArchiveId) {
        let mut tasks = self.tasks();
        if self.is_closing() || tasks.composing.contains_key(&id) {
            return;
        }
        let this = self.clone();
        // The lock is held until the task is in the map, so the task removes itself later.
        let task = tokio::spawn(async move {
            this.compose_with_retries(id).await;
            this.tasks().composing.remove(&id);
        });
        tasks.composing.insert(id, task);
    }

    async fn compose_with_retries(&self, id: ArchiveId) {
        let mut waits = self.inner.settings.retry_after.iter();
        loop {
            let permit = self.inner.permits.acquire().await;
            let outcome = self.compose_once(id).await;
            drop(permit);
            let Some(problem) = outcome else {
                return;
            };
            warn!(archive.id = %id, error = ?problem, "Composing archive failed; retrying");
            let text = problem.to_string();
            until_answered(|| self.record_composing(id, 0, &text)).await;
            let wait = match problem {
                ComposeError::ToolMissing { .. } => None,
                ComposeError::Failed(_) | ComposeError::TookTooLong { .. } => waits.next(),
            };
            let Some(wait) = wait else {
                return;
            };
            tokio::time::sleep(*wait).await;
        }
    }

    /// Returns `None` when there is nothing more to do.
    async fn compose_once(&self, id: ArchiveId) -> Option<ComposeError> {
        let db = &self.inner.db;
        // Read it again: it may have been deleted while it waited for a permit.
        let archive = until_answered(|| store::find(db, id)).await?;
        if archive.status != Status::Stopped || !archive.has_tracks() {
            return None;
        }
        let manifest = until_answered(|| store::manifest(db, &archive)).await;
        until_answered(|| self.record_composing(id, 0, "")).await;
        let composed = match self.run(archive, manifest).await {
            Ok(composed) => composed,
            Err(problem) => return Some(problem),
        };
        let changed = until_answered(|| async {
            match lifecycle::make_available(db, id, &composed, self.now_ms()).await {
                Err(ChangeError::Database(error)) => Err(error),
                other => Ok(other),
            }
        });
        match changed.await {
            Ok(archive) => {
                self.notify(archive);
            }
            Err(refused) => debug!(archive.id = %id, error = %refused, "Composed file ignored"),
        }
        None
    }

    async fn run(&self, archive: Archive, manifest: Manifest) -> Result<Composed, ComposeError> {
        let id = archive.id;
        let (percent, mut percents) = watch::channel(0);
        let work = self.make(archive, manifest, &percent);
        tokio::pin!(work);
        loop {
            tokio::select! {
                biased;
                outcome = &mut work => return outcome,
                // The sender lives until this function returns.
                _ = percents.changed() => {
                    let percent = *percents.borrow_and_update();
                    // A later percentage replaces one that is lost.
                    if let Err(error) = self.record_composing(id, percent.min(100), "").await {
                        debug!(archive.id = %id, %error, "Saving the progress of composing failed");
                    }
                }
            }
        }
    }

    async fn make(
        &self,
        archive: Archive,
        manifest: Manifest,
        percent: &watch::Sender<u8>,
    ) -> Result<Composed, ComposeError> {
        let composer = &self.inner.composer;
        let folder = folder(&self.inner.settings.folder, archive.id);
        match archive.output_mode {
            OutputMode::Composed => {
                let job = ComposeJob {
                    archive: archive.id,
                    folder,
                    manifest,
                    resolution: archive.resolution.unwrap_or(Resolution::R640X480),
                    layout: archive.layout,
                    quality: archive.quality,
                    has_audio: archive.has_audio,
                    has_video: archive.has_video,
                };
                composer.compose(&job, percent).await
            }
            OutputMode::Individual => {
                let job = PackJob {
                    archive: archive.id,
                    session: archive.session_id,
                    name: archive.name,
                    created_at_ms: archive.created_at_ms,
                    folder,
                    manifest,
                };
                composer.pack(&job, percent).await
            }
        }
    }

    async fn record_composing(
        &self,
        id: ArchiveId,
        percent: u8,
        problem: &str,
    ) -> Result<(), sqlx::Error> {
        if let Some(archive) = store::record_composing(&self.inner.db, id, percent, problem).await?
        {
            self.notify(archive);
        }
        Ok(())
    }
}
