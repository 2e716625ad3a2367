//! The handle that the rest of the house holds: archives start, stop and go through it, and it does what follows by itself.
//!
//! ```text
//! start ─▶ row ─▶ (recorder) ─▶ apply_recorder_event(Ready) ─▶ tracks kept, playable ─▶ composing ─▶ available
//! ```
//!
//! Each step is a guarded change of the row ([`lifecycle`]), so calls may come twice, late or at once; what this process was doing when
//! it was killed is found in the database by [`Archives::begin`] and finished.

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

/// Changes that a slow watcher may be behind; one that is further behind is told so and reads the page anew.
const CHANGES: usize = 1024;

/// How long a recorder's report waits when the database could not take it, for instance on a full disk.
const REPORT_AGAIN_AFTER: Duration = Duration::from_secs(5);

/// How often old archives are looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(3600);

/// How archives are kept and composed.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Holds one folder per archive.
    pub folder: PathBuf,
    /// The age at which an archive's files are removed; `None`: never.
    pub keep: Option<Duration>,
    /// Composed files made at once. Each takes a core or more for about a third of its archive's length.
    pub composers: usize,
    /// Waits before the second, third, … try to compose; after the last try an archive waits for the next start.
    pub retry_after: Vec<Duration>,
    /// The clock on the wall: Unix time, ms.
    pub now_ms: fn() -> i64,
}

impl Settings {
    /// Nothing expires; one composed file at once per four cores; three tries.
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

/// An archive changed: its status, its composing, its files.
#[derive(Clone, Debug)]
pub struct ArchiveUpdate {
    /// As it is now. A deleted one is told once, as [`Status::Deleted`].
    pub archive: Arc<Archive>,
}

/// What happens in a session that its archives follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionChange {
    /// The last stream ended.
    LastStreamEnded,
    /// The first stream began.
    FirstStreamBegan,
    /// There will be no more to record.
    Ended(Reason),
}

/// Reads back what a recorder that was killed had written of an archive, and puts its files in place. Runs on a thread that may block.
/// The error is for people.
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
    /// As many turns as files may be composed at once; first come, first served.
    turns: Semaphore,
    tasks: Mutex<Tasks>,
    /// Nothing is begun any more.
    closing: watch::Sender<bool>,
}

/// What runs by itself.
#[derive(Default)]
struct Tasks {
    /// One task per archive that is being composed or waits for its turn. A task takes itself out.
    composing: HashMap<ArchiveId, JoinHandle<()>>,
    /// What [`Archives::begin`] began.
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

    /// Every change from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<ArchiveUpdate> {
        self.inner.changes.subscribe()
    }

    /// Notes that recording begins. The caller makes the recorder begin, or calls [`Archives::fail`].
    ///
    /// # Errors
    /// As [`lifecycle::start`].
    pub async fn start(&self, new: NewArchive) -> Result<Archive, StartError> {
        let archive = lifecycle::start(&self.inner.db, new, self.now_ms()).await?;
        Ok(self.notify(archive))
    }

    /// Notes that recording is over. The caller makes the recorder stop; its report completes the archive.
    ///
    /// # Errors
    /// As [`lifecycle::stop`].
    pub async fn stop(&self, id: ArchiveId, reason: Reason) -> Result<Archive, ChangeError> {
        let archive = lifecycle::stop(&self.inner.db, id, reason, self.now_ms()).await?;
        Ok(self.notify(archive))
    }

    /// Notes that nothing came of an archive, with a sentence that says why.
    ///
    /// # Errors
    /// As [`lifecycle::fail`].
    pub async fn fail(&self, id: ArchiveId, problem: &str) -> Result<Archive, ChangeError> {
        let reason = Reason::SystemFailure;
        let archive = lifecycle::fail(&self.inner.db, id, reason, problem, self.now_ms()).await?;
        Ok(self.notify(archive))
    }

    /// Deletes an archive, and then its files. Once the row says so, the rest happens also if the caller does not wait for it.
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
    /// When the database does not answer.
    pub async fn find(&self, api_key: u32, id: ArchiveId) -> Result<Option<Archive>, sqlx::Error> {
        history::find(&self.inner.db, api_key, id).await
    }

    /// As [`history::page`].
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn page(
        &self,
        list: &ArchiveFilter,
        number: u64,
        per_page: u32,
    ) -> Result<Page, sqlx::Error> {
        history::page(&self.inner.db, list, number, per_page).await
    }

    /// Archives that record now, the oldest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn running(&self) -> Result<Vec<Archive>, sqlx::Error> {
        store::running(&self.inner.db).await
    }

    /// Those of a session.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn running_in(&self, session: &SessionId) -> Result<Vec<Archive>, sqlx::Error> {
        store::running_in(&self.inner.db, session).await
    }

    /// An archive follows its session: returns it if its status changed. The caller makes the recorder stop what
    /// [`SessionChange::Ended`] stopped. Others of the same session may record other streams, and go on.
    ///
    /// # Errors
    /// When the database does not answer.
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
            // It is as it should be, or somebody else was quicker.
            Err(ChangeError::NotFound(_) | ChangeError::Refused { .. }) => Ok(None),
            Err(ChangeError::Database(error)) => Err(error),
        }
    }

    /// Takes a recorder's report: an archive whose streams are in place can be watched, and is composed next.
    ///
    /// Returns once the database has taken it, however long that takes: reports of one archive stay in order.
    pub async fn apply_recorder_event(&self, event: RecorderEvent) {
        loop {
            match self.apply_recorder_event_once(&event).await {
                Ok(()) => return,
                // The next start finds what is left to do.
                Err(ChangeError::Database(sqlx::Error::PoolClosed)) => return,
                Err(ChangeError::Database(problem)) => {
                    error!("A recorder's report cannot be kept yet: {problem}");
                }
                Err(refused) => {
                    debug!("A recorder's report came too late: {refused}");
                    return;
                }
            }
            tokio::time::sleep(REPORT_AGAIN_AFTER).await;
        }
    }

    async fn apply_recorder_event_once(&self, event: &RecorderEvent) -> Result<(), ChangeError> {
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

    /// Finishes what a server that was killed left behind, and looks for old archives from time to time. To be called once, before the
    /// first archive starts; rebuilding and composing go on in the background.
    ///
    /// # Errors
    /// When the database does not answer.
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

    /// Is there an archive that has stopped and whose recorder has not reported yet?
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn is_completing(&self) -> Result<bool, sqlx::Error> {
        let stopped = store::stopped(&self.inner.db).await?;
        Ok(stopped.iter().any(|archive| !archive.has_tracks))
    }

    /// Ends all composing; the next start takes it up again.
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
            // Its folder was removed while the recorder still wrote into it.
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

    /// Rebuilds the tracks of those that have none and composes all.
    async fn finish(&self, unfinished: Vec<Archive>, recover: Recover) {
        for archive in &unfinished {
            if archive.has_tracks {
                self.compose(archive.id);
            }
        }
        for archive in unfinished {
            if archive.has_tracks {
                continue;
            }
            let id = archive.id;
            let recover = recover.clone();
            let rebuilt = tokio::task::spawn_blocking(move || recover(id)).await;
            let outcome = match rebuilt {
                Ok(Ok(manifest)) => self.save_tracks(id, &manifest).await,
                Ok(Err(problem)) => self.fail(id, &problem).await.map(|_| ()),
                Err(panic) => {
                    error!(archive.id = %id, "Rebuilding archive `{id}` failed: {panic}");
                    let problem = "what had been recorded could not be read";
                    self.fail(id, problem).await.map(|_| ())
                }
            };
            match outcome {
                Ok(()) => info!(archive.id = %id, "Archive `{id}` is recovered"),
                Err(refused) => {
                    warn!(archive.id = %id, "Archive `{id}` is not recovered: {refused}");
                }
            }
        }
    }

    async fn run_housekeeping(&self) {
        loop {
            if let Err(problem) = self.sweep().await {
                error!("Old archives were not looked for: {problem}");
            }
            tokio::time::sleep(SWEEP_EVERY).await;
        }
    }

    /// Expires old archives, and removes the files of all that are expired or deleted.
    ///
    /// # Errors
    /// When the database does not answer.
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
            error!(archive.id = %id, "The files of archive `{id}` stay until the next start: {problem}");
        }
    }

    fn notify(&self, archive: Archive) -> Archive {
        let change = ArchiveUpdate {
            archive: Arc::new(archive.clone()),
        };
        // Nobody may be watching.
        let _ = self.inner.changes.send(change);
        archive
    }

    fn now_ms(&self) -> i64 {
        (self.inner.settings.now_ms)()
    }

    /// A panic elsewhere leaves the map as good as it was.
    fn tasks(&self) -> MutexGuard<'_, Tasks> {
        self.inner
            .tasks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
