//! The service of archives: the handle through which archives are started, stopped and deleted. It composes them in the
//! background and notifies subscribers of every change.
//!
//! ```text
//! start ─▶ row ─▶ (recorder) ─▶ apply_recorder_event(Ready) ─▶ tracks saved, playable ─▶ composing ─▶ available
//! ```
//!
//! Each step is a guarded change of the row ([`lifecycle`]), so a call may be repeated, late or concurrent. After a crash,
//! [`Archives::begin`] finds unfinished work in the database and completes it.

mod composing;
mod remote;

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use sqlx::SqlitePool;
use tokio::{
    sync::{Semaphore, broadcast, watch},
    task::JoinHandle,
};
use tracing::{debug, error, info, warn};

use super::{
    Archive, ArchiveId, NewArchive, Reason, Status,
    composer::Composer,
    download::folder,
    history::{self, ArchiveFilter, Page},
    lifecycle::{self, ChangeError, StartError},
    recording::{Manifest, RecorderEvent},
    retention, store,
};
use crate::opentok::SessionId;

/// The number of updates that a slow subscriber may be behind. A subscriber that is further behind gets an error and reads
/// the page again.
const CHANGES: usize = 1024;

/// The delay before a recorder's event is applied again after the database failed, for example because of a full disk.
const REPORT_AGAIN_AFTER: Duration = Duration::from_secs(5);

/// The interval between searches for expired archives.
const SWEEP_EVERY: Duration = Duration::from_secs(3600);

/// The settings of the service.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Holds one folder per archive.
    pub folder: PathBuf,
    /// The age at which an archive's files are removed; `None`: never.
    pub keep: Option<Duration>,
    /// The number of files composed at once. Each takes a core or more for about a third of its archive's duration.
    pub composers: usize,
    /// The delays before the second, third, … attempt to compose. After the last attempt an archive waits for the next start.
    pub retry_after: Vec<Duration>,
    /// Returns the wall-clock time: Unix time, ms.
    pub now_ms: fn() -> i64,
}

impl Settings {
    /// The defaults: no archive expires, one file is composed at once for every four cores, three attempts.
    pub fn new(folder: PathBuf, now_ms: fn() -> i64) -> Settings {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Settings {
            folder,
            keep: None,
            composers: (cores / 4).max(1),
            retry_after: vec![Duration::from_secs(10), Duration::from_secs(120)],
            now_ms,
        }
    }
}

/// A change of an archive: of its status, its composing or its files.
#[derive(Clone, Debug)]
pub struct ArchiveUpdate {
    /// The archive after the change. A deleted one is sent once, as [`Status::Deleted`].
    pub archive: Arc<Archive>,
}

/// A change of a session that affects its archives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionChange {
    /// The last stream ended.
    LastStreamEnded,
    /// The first stream began.
    FirstStreamBegan,
    /// The recording is over.
    Ended(Reason),
}

/// Rebuilds the files of a recording that a crash interrupted. It blocks its thread. The error is a sentence for users.
pub type Recover = Arc<dyn Fn(ArchiveId) -> Result<Manifest, String> + Send + Sync>;

/// All archives. Clones are the same handle.
#[derive(Clone)]
pub struct Archives {
    inner: Arc<Inner>,
}

struct Inner {
    db: SqlitePool,
    settings: Settings,
    composer: Arc<dyn Composer>,
    changes: broadcast::Sender<ArchiveUpdate>,
    /// One permit for each file that may be composed at once, in order of request.
    turns: Semaphore,
    tasks: Mutex<Tasks>,
    /// True after [`Archives::close`]: no task is started.
    closing: watch::Sender<bool>,
}

/// The background tasks.
#[derive(Default)]
struct Tasks {
    /// One task for each archive that is being composed or waits for a permit. A task removes itself.
    composing: HashMap<ArchiveId, JoinHandle<()>>,
    /// The task of [`Archives::begin`].
    begun: Option<JoinHandle<()>>,
}

impl Archives {
    pub fn new(db: SqlitePool, composer: Arc<dyn Composer>, settings: Settings) -> Archives {
        Archives {
            inner: Arc::new(Inner {
                db,
                composer,
                changes: broadcast::Sender::new(CHANGES),
                turns: Semaphore::new(settings.composers.max(1)),
                tasks: Mutex::default(),
                closing: watch::Sender::new(false),
                settings,
            }),
        }
    }

    /// Returns a receiver of every change from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<ArchiveUpdate> {
        self.inner.changes.subscribe()
    }

    /// Records that recording starts. The caller starts the recorder, or calls [`Archives::fail`].
    ///
    /// # Errors
    /// As [`lifecycle::start`].
    pub async fn start(&self, new: NewArchive) -> Result<Archive, StartError> {
        let archive = lifecycle::start(&self.inner.db, new, self.now_ms()).await?;
        Ok(self.notify(archive))
    }

    /// Records that recording is over. The caller stops the recorder, whose event completes the archive.
    ///
    /// # Errors
    /// As [`lifecycle::stop`].
    pub async fn stop(&self, id: ArchiveId, reason: Reason) -> Result<Archive, ChangeError> {
        let archive = lifecycle::stop(&self.inner.db, id, reason, self.now_ms()).await?;
        Ok(self.notify(archive))
    }

    /// Records that an archive failed. `problem` is a sentence for users that says why.
    ///
    /// # Errors
    /// As [`lifecycle::fail`].
    pub async fn fail(&self, id: ArchiveId, problem: &str) -> Result<Archive, ChangeError> {
        let reason = Reason::SystemFailure;
        let archive = lifecycle::fail(&self.inner.db, id, reason, problem, self.now_ms()).await?;
        Ok(self.notify(archive))
    }

    /// Deletes an archive and then its files. Dropping the future after the row has changed does not stop the removal.
    ///
    /// # Errors
    /// As [`lifecycle::delete`].
    pub async fn delete(&self, id: ArchiveId) -> Result<Archive, ChangeError> {
        let archive = lifecycle::delete(&self.inner.db, id, self.now_ms()).await?;
        let archive = self.notify(archive);
        let this = self.clone();
        let cleared = tokio::spawn(async move { this.clear(id).await });
        let _ = cleared.await;
        Ok(archive)
    }

    /// The folder of an archive's files.
    pub fn folder(&self, id: ArchiveId) -> PathBuf {
        folder(&self.inner.settings.folder, id)
    }

    /// As [`history::find`].
    ///
    /// # Errors
    /// The database query fails.
    pub async fn find(&self, api_key: u32, id: ArchiveId) -> Result<Option<Archive>, sqlx::Error> {
        history::find(&self.inner.db, api_key, id).await
    }

    /// As [`history::page`].
    ///
    /// # Errors
    /// The database query fails.
    pub async fn page(
        &self,
        list: &ArchiveFilter,
        number: u64,
        per_page: u32,
    ) -> Result<Page, sqlx::Error> {
        history::page(&self.inner.db, list, number, per_page).await
    }

    /// Returns the archives that are being recorded, the oldest first.
    ///
    /// # Errors
    /// The database query fails.
    pub async fn running(&self) -> Result<Vec<Archive>, sqlx::Error> {
        store::running(&self.inner.db).await
    }

    /// Returns the archives of a session that are being recorded, the oldest first.
    ///
    /// # Errors
    /// The database query fails.
    pub async fn running_in(&self, session: &SessionId) -> Result<Vec<Archive>, sqlx::Error> {
        store::running_in(&self.inner.db, session).await
    }

    /// Applies a change of the session to one of its archives, and returns the archive if its status changed. The caller stops
    /// the recorder after [`SessionChange::Ended`]. Other archives of the session may record other streams and continue.
    ///
    /// # Errors
    /// The database query fails.
    pub async fn session_changed(
        &self,
        id: ArchiveId,
        change: SessionChange,
    ) -> Result<Option<Archive>, sqlx::Error> {
        let (db, now_ms) = (&self.inner.db, self.now_ms());
        let outcome = match change {
            SessionChange::LastStreamEnded => lifecycle::pause(db, id, now_ms).await,
            SessionChange::FirstStreamBegan => lifecycle::resume(db, id, now_ms).await,
            SessionChange::Ended(reason) => lifecycle::stop(db, id, reason, now_ms).await,
        };
        match outcome {
            Ok(archive) => Ok(Some(self.notify(archive))),
            // It has this status already, or a concurrent change won.
            Err(ChangeError::NotFound(_) | ChangeError::Refused { .. }) => Ok(None),
            Err(ChangeError::Database(error)) => Err(error),
        }
    }

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

    /// Stops all background tasks. The next start resumes composing.
    pub async fn close(&self) {
        let handles: Vec<JoinHandle<()>> = {
            let mut tasks = self.tasks();
            self.inner.closing.send_replace(true);
            let begun = tasks.begun.take();
            tasks
                .composing
                .drain()
                .map(|(_, task)| task)
                .chain(begun)
                .collect()
        };
        for handle in handles {
            handle.abort();
            let _ = handle.await;
        }
    }

    /// Returns once [`Archives::close`] was called.
    pub async fn closed(&self) {
        let mut closing = self.inner.closing.subscribe();
        let _ = closing.wait_for(|closing| *closing).await;
    }

    fn is_closing(&self) -> bool {
        *self.inner.closing.borrow()
    }

    async fn save_tracks(&self, id: ArchiveId, manifest: &Manifest) -> Result<(), ChangeError> {
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

    /// Rebuilds the tracks of archives that have none, and composes all of them.
    async fn finish(&self, unfinished: Vec<Archive>, recover: Recover) {
        for archive in &unfinished {
            if archive.has_tracks() {
                self.compose(archive.id);
            }
        }
        for archive in unfinished {
            if archive.has_tracks() {
                continue;
            }
            let id = archive.id;
            let recover = recover.clone();
            let rebuilt = tokio::task::spawn_blocking(move || recover(id)).await;
            let outcome = match rebuilt {
                Ok(Ok(manifest)) => self.save_tracks(id, &manifest).await,
                Ok(Err(problem)) => self.fail(id, &problem).await.map(|_| ()),
                Err(panic) => {
                    error!(archive.id = %id, error = %panic, "Rebuilding archive panicked");
                    let problem = "what had been recorded could not be read";
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

    async fn run_housekeeping(&self) {
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
    async fn clear(&self, id: ArchiveId) {
        self.end_composing(id).await;
        let folder = &self.inner.settings.folder;
        if let Err(problem) = retention::clear(&self.inner.db, folder, id).await {
            error!(archive.id = %id, error = %problem, "Removing archive files failed; the next start retries");
        }
    }

    fn notify(&self, archive: Archive) -> Archive {
        let change = ArchiveUpdate {
            archive: Arc::new(archive.clone()),
        };
        // There may be no subscriber.
        let _ = self.inner.changes.send(change);
        archive
    }

    fn now_ms(&self) -> i64 {
        (self.inner.settings.now_ms)()
    }

    /// A panic in another thread leaves the map consistent.
    fn tasks(&self) -> MutexGuard<'_, Tasks> {
        self.inner
            .tasks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
