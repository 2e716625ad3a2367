//! The service of archives: the handle through which archives are started, stopped and deleted. It composes them in the
//! background and notifies subscribers of every change.
//!
//! ```text
//! start ─▶ row ─▶ (recorder) ─▶ apply_recorder_event(Ready) ─▶ tracks saved, playable ─▶ composing ─▶ available
//! ```
//!
//! Each step is a guarded change of the row ([`lifecycle`]), so a call may be repeated, late or concurrent. After a crash,
//! [`Archives::begin`] finds unfinished work in the database and completes it.

mod cleanup;
mod composing;
mod recorder_events;
mod recovery;
mod remote;
mod settings;

pub use recovery::Recover;
pub use settings::Settings;

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use sqlx::SqlitePool;
use tokio::{
    sync::{Semaphore, broadcast, watch},
    task::JoinHandle,
};
use tracing::warn;

use super::{
    Archive, ArchiveId, NewArchive, Reason,
    composer::Composer,
    download::folder,
    history::{self, ArchiveFilter, Page},
    lifecycle::{self, ChangeError, StartError},
    store,
};
use crate::opentok::SessionId;

/// The number of updates that a slow subscriber may be behind. A subscriber that is further behind gets an error and reads
/// the page again.
const MAX_LAG: usize = 1024;

/// A change of an archive: of its status, its composing or its files.
#[derive(Clone, Debug)]
pub struct ArchiveUpdate {
    /// The archive after the change. A deleted one is sent once, as [`Status::Deleted`](super::Status::Deleted).
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
    permits: Semaphore,
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
                changes: broadcast::Sender::new(MAX_LAG),
                permits: Semaphore::new(settings.composers.max(1)),
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
    /// The same as [`lifecycle::start`].
    pub async fn start(&self, new: NewArchive) -> Result<Archive, StartError> {
        let archive = lifecycle::start(&self.inner.db, new, self.now_ms()).await?;
        Ok(self.notify(archive))
    }

    /// Records that recording is over. The caller stops the recorder, whose event completes the archive.
    ///
    /// # Errors
    /// The same as [`lifecycle::stop`].
    pub async fn stop(&self, id: ArchiveId, reason: Reason) -> Result<Archive, ChangeError> {
        let archive = lifecycle::stop(&self.inner.db, id, reason, self.now_ms()).await?;
        Ok(self.notify(archive))
    }

    /// Records that an archive failed. `problem` is a sentence for users that says why.
    ///
    /// # Errors
    /// The same as [`lifecycle::fail`].
    pub async fn fail(&self, id: ArchiveId, problem: &str) -> Result<Archive, ChangeError> {
        let reason = Reason::SystemFailure;
        let archive = lifecycle::fail(&self.inner.db, id, reason, problem, self.now_ms()).await?;
        Ok(self.notify(archive))
    }

    /// Deletes an archive and then its files. Dropping the future after the row has changed does not stop the removal.
    ///
    /// # Errors
    /// The same as [`lifecycle::delete`].
    pub async fn delete(&self, id: ArchiveId) -> Result<Archive, ChangeError> {
        let deleted = lifecycle::delete(&self.inner.db, id, self.now_ms()).await;
        let archive = match deleted {
            Err(ChangeError::Database(error)) if store::is_disk_full(&error) => {
                self.free_space_of(id).await?;
                lifecycle::delete(&self.inner.db, id, self.now_ms()).await?
            }
            other => other?,
        };
        let archive = self.notify(archive);
        let this = self.clone();
        let cleared = tokio::spawn(async move { this.clear(id).await });
        let _ = cleared.await;
        Ok(archive)
    }

    /// Removes the files of an archive that is about to be deleted: on a full disk its row cannot change before.
    async fn free_space_of(&self, id: ArchiveId) -> Result<(), ChangeError> {
        let found = store::find(&self.inner.db, id).await?;
        if found.is_some_and(|archive| archive.is_deletable()) {
            warn!(archive.id = %id, "The disk is full; removing the files before the row changes");
            self.end_composing(id).await;
            if let Err(error) = tokio::fs::remove_dir_all(self.folder(id)).await {
                warn!(archive.id = %id, %error, "Removing archive files failed");
            }
        }
        Ok(())
    }

    /// The folder of an archive's files.
    pub fn folder(&self, id: ArchiveId) -> PathBuf {
        folder(&self.inner.settings.folder, id)
    }

    /// Calls [`history::find`].
    ///
    /// # Errors
    /// The database query fails.
    pub async fn find(&self, api_key: u32, id: ArchiveId) -> Result<Option<Archive>, sqlx::Error> {
        history::find(&self.inner.db, api_key, id).await
    }

    /// Calls [`history::page`].
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
