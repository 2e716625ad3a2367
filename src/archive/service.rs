//! The handle that the rest of the house holds: archives start, stop and go through it, and it does what follows by itself.
//!
//! ```text
//! start ─▶ row ─▶ (recorder) ─▶ recorder_reported(Ready) ─▶ tracks kept, playable ─▶ composing ─▶ available
//! ```
//!
//! Each step is a guarded change of the row ([`lifecycle`]), so calls may come twice, late or at once; what this process was doing when
//! it was killed is found in the database by [`Archives::begin`] and finished.

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
    Archive, ArchiveId, NewArchive, OutputMode, Reason, Resolution, Status,
    composer::{ComposeError, ComposeJob, Composed, Composer},
    download::folder,
    history::{self, List, Page},
    lifecycle::{self, ChangeError, StartError},
    recording::{Event, Manifest},
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
pub struct ArchiveChange {
    /// As it is now. A deleted one is told once, as [`Status::Deleted`].
    pub archive: Arc<Archive>,
}

/// What happens in a session that its archives follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionChange {
    /// The last stream ended.
    NobodyPublishes,
    /// The first stream began.
    SomebodyPublishes,
    /// There will be no more to record.
    Over(Reason),
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
    changes: broadcast::Sender<ArchiveChange>,
    /// As many turns as files may be composed at once; first come, first served.
    turns: Semaphore,
    tasks: Mutex<Tasks>,
}

/// What runs by itself.
#[derive(Default)]
struct Tasks {
    /// One task per archive that is being composed or waits for its turn. A task takes itself out.
    composing: HashMap<ArchiveId, JoinHandle<()>>,
    /// What [`Archives::begin`] began.
    begun: Option<JoinHandle<()>>,
    /// Nothing is begun any more.
    closed: bool,
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
                settings,
            }),
        }
    }

    /// Every change from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<ArchiveChange> {
        self.inner.changes.subscribe()
    }

    /// Notes that recording begins. The caller makes the recorder begin, or calls [`Archives::fail`].
    ///
    /// # Errors
    /// As [`lifecycle::start`].
    pub async fn start(&self, new: NewArchive) -> Result<Archive, StartError> {
        let archive = lifecycle::start(&self.inner.db, new, self.now_ms()).await?;
        Ok(self.tell(archive))
    }

    /// Notes that recording is over. The caller makes the recorder stop; its report completes the archive.
    ///
    /// # Errors
    /// As [`lifecycle::stop`].
    pub async fn stop(&self, id: ArchiveId, reason: Reason) -> Result<Archive, ChangeError> {
        let archive = lifecycle::stop(&self.inner.db, id, reason, self.now_ms()).await?;
        Ok(self.tell(archive))
    }

    /// Notes that nothing came of an archive, with a sentence that says why.
    ///
    /// # Errors
    /// As [`lifecycle::fail`].
    pub async fn fail(&self, id: ArchiveId, problem: &str) -> Result<Archive, ChangeError> {
        let reason = Reason::SystemFailure;
        let archive = lifecycle::fail(&self.inner.db, id, reason, problem, self.now_ms()).await?;
        Ok(self.tell(archive))
    }

    /// Deletes an archive, and then its files. Once the row says so, the rest happens also if the caller does not wait for it.
    ///
    /// # Errors
    /// As [`lifecycle::delete`].
    pub async fn delete(&self, id: ArchiveId) -> Result<Archive, ChangeError> {
        let archive = lifecycle::delete(&self.inner.db, id, self.now_ms()).await?;
        let archive = self.tell(archive);
        let this = self.clone();
        let cleared = tokio::spawn(async move { this.clear(id).await });
        let _ = cleared.await;
        Ok(archive)
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
    pub async fn page(&self, list: &List, number: u64, per_page: u32) -> Result<Page, sqlx::Error> {
        history::page(&self.inner.db, list, number, per_page).await
    }

    /// As [`history::running`].
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn running(&self, session: Option<&SessionId>) -> Result<Vec<Archive>, sqlx::Error> {
        history::running(&self.inner.db, session).await
    }

    /// Follows the session: returns its archives whose status changed. The caller makes the recorder stop those that
    /// [`SessionChange::Over`] stopped.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn session_changed(
        &self,
        session: &SessionId,
        change: SessionChange,
    ) -> Result<Vec<Archive>, sqlx::Error> {
        let db = &self.inner.db;
        let mut changed = Vec::new();
        for archive in store::running(db, Some(session)).await? {
            let (id, now_ms) = (archive.id, self.now_ms());
            let outcome = match change {
                SessionChange::NobodyPublishes => lifecycle::pause(db, id, now_ms).await,
                SessionChange::SomebodyPublishes => lifecycle::resume(db, id, now_ms).await,
                SessionChange::Over(reason) => lifecycle::stop(db, id, reason, now_ms).await,
            };
            match outcome {
                Ok(archive) => changed.push(self.tell(archive)),
                // It is as it should be, or somebody else was quicker.
                Err(ChangeError::NotFound(_) | ChangeError::Refused { .. }) => {}
                Err(ChangeError::Database(error)) => return Err(error),
            }
        }
        Ok(changed)
    }

    /// Takes a recorder's report: an archive whose streams are in place can be watched, and is composed next.
    ///
    /// Returns once the database has taken it, however long that takes: reports of one archive stay in order.
    pub async fn recorder_reported(&self, event: Event) {
        loop {
            match self.take_report(&event).await {
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

    async fn take_report(&self, event: &Event) -> Result<(), ChangeError> {
        match event {
            Event::Ready { archive, manifest } => self.keep_tracks(*archive, manifest).await,
            Event::Failed { archive, reason } => {
                let db = &self.inner.db;
                let archive = lifecycle::interrupt(db, *archive, reason, self.now_ms()).await?;
                self.tell(archive);
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
            self.tell(archive);
        }
        let unfinished = store::stopped(&self.inner.db).await?;
        let this = self.clone();
        let mut tasks = self.tasks();
        if !tasks.closed {
            tasks.begun = Some(tokio::spawn(async move {
                this.finish(unfinished, recover).await;
                this.keep_house().await;
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
            tasks.closed = true;
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

    async fn keep_tracks(&self, id: ArchiveId, manifest: &Manifest) -> Result<(), ChangeError> {
        match lifecycle::keep_tracks(&self.inner.db, id, manifest, self.now_ms()).await {
            Ok(archive) => {
                let archive = self.tell(archive);
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
                Ok(Ok(manifest)) => self.keep_tracks(id, &manifest).await,
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

    async fn keep_house(&self) {
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
                self.tell(archive);
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

    async fn end_composing(&self, id: ArchiveId) {
        let task = self.tasks().composing.remove(&id);
        if let Some(task) = task {
            task.abort();
            let _ = task.await;
        }
    }

    /// Sees to it that the archive is composed, unless that is under way.
    fn compose(&self, id: ArchiveId) {
        let mut tasks = self.tasks();
        if tasks.closed || tasks.composing.contains_key(&id) {
            return;
        }
        let this = self.clone();
        // The task can take itself out only after it was put in: the lock is held until then.
        let task = tokio::spawn(async move {
            if let Err(problem) = this.compose_with_tries(id).await {
                error!(archive.id = %id, "Archive `{id}` is not composed: {problem}");
            }
            this.tasks().composing.remove(&id);
        });
        tasks.composing.insert(id, task);
    }

    async fn compose_with_tries(&self, id: ArchiveId) -> Result<(), sqlx::Error> {
        let mut waits = self.inner.settings.retry_after.iter();
        loop {
            let turn = self.inner.turns.acquire().await;
            let outcome = self.compose_once(id).await?;
            drop(turn);
            let Some(problem) = outcome else {
                return Ok(());
            };
            warn!(archive.id = %id, "Composing archive `{id}`: {problem}");
            self.note_composing(id, 0, &problem.to_string()).await?;
            let wait = match problem {
                ComposeError::ToolMissing { .. } => None,
                ComposeError::Failed(_) | ComposeError::TookTooLong { .. } => waits.next(),
            };
            let Some(wait) = wait else {
                return Ok(());
            };
            tokio::time::sleep(*wait).await;
        }
    }

    /// `None` when there is nothing more to do.
    async fn compose_once(&self, id: ArchiveId) -> Result<Option<ComposeError>, sqlx::Error> {
        let db = &self.inner.db;
        // As it is now: it may have waited for its turn, and been deleted.
        let Some(archive) = store::find(db, id).await? else {
            return Ok(None);
        };
        let is_due = archive.status == Status::Stopped
            && archive.has_tracks
            && archive.output_mode == OutputMode::Composed;
        if !is_due {
            return Ok(None);
        }
        let job = ComposeJob {
            archive: id,
            folder: folder(&self.inner.settings.folder, id),
            manifest: Manifest {
                duration_ms: archive.duration_ms,
                streams: store::streams(db, &archive).await?,
            },
            resolution: archive.resolution.unwrap_or(Resolution::W640H480),
            layout: archive.layout,
            has_audio: archive.has_audio,
            has_video: archive.has_video,
        };
        self.note_composing(id, 0, "").await?;
        let composed = match self.run(&job).await? {
            Ok(composed) => composed,
            Err(problem) => return Ok(Some(problem)),
        };
        match lifecycle::make_available(db, id, &composed, self.now_ms()).await {
            Ok(archive) => {
                self.tell(archive);
            }
            Err(ChangeError::Database(error)) => return Err(error),
            Err(refused) => debug!("Archive `{id}` was composed too late: {refused}"),
        }
        Ok(None)
    }

    async fn run(&self, job: &ComposeJob) -> Result<Result<Composed, ComposeError>, sqlx::Error> {
        let (percent, mut percents) = watch::channel(0);
        let mut work = self.inner.composer.compose(job, &percent);
        loop {
            tokio::select! {
                biased;
                outcome = &mut work => return Ok(outcome),
                // The sender is alive as long as this function runs.
                _ = percents.changed() => {
                    let percent = *percents.borrow_and_update();
                    self.note_composing(job.archive, percent.min(100), "").await?;
                }
            }
        }
    }

    async fn note_composing(
        &self,
        id: ArchiveId,
        percent: u8,
        problem: &str,
    ) -> Result<(), sqlx::Error> {
        if let Some(archive) = store::note_composing(&self.inner.db, id, percent, problem).await? {
            self.tell(archive);
        }
        Ok(())
    }

    fn tell(&self, archive: Archive) -> Archive {
        let change = ArchiveChange {
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
mod tests {
    use async_trait::async_trait;
    use tempfile::TempDir;
    use tokio::sync::{Semaphore, broadcast::Receiver, mpsc};

    use super::*;
    use crate::archive::testing::{FILE, LATER_MS, in_status, manifest, new_archive};

    /// Composes what it is told to, when it is told to.
    struct Told {
        /// The archives it was asked for.
        asked: mpsc::Sender<ComposeJob>,
        /// One permit per archive that it may finish.
        may: Semaphore,
        outcomes: Mutex<Vec<Result<Composed, ComposeError>>>,
    }

    #[async_trait]
    impl Composer for Told {
        async fn compose(
            &self,
            job: &ComposeJob,
            percent: &watch::Sender<u8>,
        ) -> Result<Composed, ComposeError> {
            std::fs::create_dir_all(&job.folder).unwrap();
            std::fs::write(job.folder.join("x.tmp"), b"half").unwrap();
            self.asked.send(job.clone()).await.unwrap();
            percent.send_replace(50);
            self.may.acquire().await.unwrap().forget();
            self.outcomes.lock().unwrap().pop().unwrap_or(Ok(FILE))
        }
    }

    struct House {
        archives: Archives,
        composer: Arc<Told>,
        asked: mpsc::Receiver<ComposeJob>,
        changes: Receiver<ArchiveChange>,
        folder: TempDir,
        db: SqlitePool,
    }

    impl House {
        fn new(db: &SqlitePool, keep: Option<Duration>) -> House {
            let folder = TempDir::new().unwrap();
            let (sender, asked) = mpsc::channel(16);
            let composer = Arc::new(Told {
                asked: sender,
                may: Semaphore::new(0),
                outcomes: Mutex::default(),
            });
            let settings = Settings {
                keep,
                composers: 1,
                retry_after: vec![Duration::ZERO, Duration::ZERO],
                ..Settings::new(folder.path().to_owned(), || LATER_MS)
            };
            let archives = Archives::new(db.clone(), composer.clone(), settings);
            House {
                changes: archives.subscribe(),
                archives,
                composer,
                asked,
                folder,
                db: db.clone(),
            }
        }

        /// The next change to `status` of this archive.
        async fn until(&mut self, id: ArchiveId, status: Status) -> Arc<Archive> {
            loop {
                let archive = self.changes.recv().await.unwrap().archive;
                if archive.id == id && archive.status == status {
                    return archive;
                }
            }
        }

        async fn recorded(&self) -> ArchiveId {
            let id = self.archives.start(new_archive()).await.unwrap().id;
            self.archives.stop(id, Reason::UserInitiated).await.unwrap();
            self.ready(id).await;
            id
        }

        async fn ready(&self, archive: ArchiveId) {
            let manifest = Arc::new(manifest());
            let ready = Event::Ready { archive, manifest };
            self.archives.recorder_reported(ready).await;
        }

        async fn find(&self, id: ArchiveId) -> Archive {
            store::find(&self.db, id).await.unwrap().unwrap()
        }
    }

    fn nothing_to_recover() -> Recover {
        Arc::new(|id| panic!("nobody asked for {id}"))
    }

    #[sqlx::test]
    async fn a_recording_can_be_watched_at_once_and_downloaded_later(db: SqlitePool) {
        let mut house = House::new(&db, None);
        let id = house.recorded().await;

        let stopped = house.find(id).await;
        assert!(stopped.is_playable() && stopped.status == Status::Stopped);
        let job = house.asked.recv().await.unwrap();
        assert_eq!((job.archive, job.manifest.duration_ms), (id, 60_000));
        assert_eq!(job.manifest.streams.len(), 2);
        loop {
            let change = house.until(id, Status::Stopped).await;
            if change.compose_percent == 50 {
                break;
            }
        }
        house.composer.may.add_permits(1);
        let available = house.until(id, Status::Available).await;
        assert_eq!(available.size_bytes, FILE.size_bytes);
    }

    #[sqlx::test]
    async fn a_report_that_comes_twice_changes_nothing(db: SqlitePool) {
        let mut house = House::new(&db, None);
        let id = house.recorded().await;
        house.ready(id).await;
        house.composer.may.add_permits(2);
        house.until(id, Status::Available).await;
        house.ready(id).await;
        assert_eq!(house.find(id).await.status, Status::Available);
        assert!(house.asked.recv().await.is_some());
        assert!(house.asked.try_recv().is_err(), "it is composed once");
    }

    #[sqlx::test]
    async fn files_are_composed_one_after_the_other(db: SqlitePool) {
        let mut house = House::new(&db, None);
        let first = house.recorded().await;
        let second = house.recorded().await;
        assert_eq!(house.asked.recv().await.unwrap().archive, first);
        assert!(house.asked.try_recv().is_err());
        house.composer.may.add_permits(1);
        house.until(first, Status::Available).await;
        assert_eq!(house.asked.recv().await.unwrap().archive, second);
    }

    #[sqlx::test]
    async fn composing_is_tried_three_times_and_then_explained(db: SqlitePool) {
        let mut house = House::new(&db, None);
        let failed = || {
            Err(ComposeError::Failed(
                "ffmpeg was killed (signal 9)".to_owned(),
            ))
        };
        *house.composer.outcomes.lock().unwrap() = vec![failed(), failed(), failed()];
        house.composer.may.add_permits(3);
        let id = house.recorded().await;
        for _ in 0..3 {
            assert_eq!(house.asked.recv().await.unwrap().archive, id);
            loop {
                let change = house.until(id, Status::Stopped).await;
                if !change.compose_problem.is_empty() {
                    assert!(change.compose_problem.contains("killed"));
                    assert!(change.is_playable());
                    break;
                }
            }
        }
        // The next start tries again.
        house.archives.close().await;
        let mut next = House::new(&db, None);
        next.archives.begin(nothing_to_recover()).await.unwrap();
        next.composer.may.add_permits(1);
        let available = next.until(id, Status::Available).await;
        assert_eq!(available.compose_problem, "");
    }

    #[sqlx::test]
    async fn without_ffmpeg_an_archive_stays_playable_and_says_why(db: SqlitePool) {
        let mut house = House::new(&db, None);
        let program = "ffmpeg".to_owned();
        *house.composer.outcomes.lock().unwrap() = vec![Err(ComposeError::ToolMissing { program })];
        house.composer.may.add_permits(1);
        let id = house.recorded().await;
        let archive = loop {
            let change = house.until(id, Status::Stopped).await;
            if !change.compose_problem.is_empty() {
                break change;
            }
        };
        assert!(archive.compose_problem.contains("not installed"));
        assert!(archive.is_playable() && !archive.is_composing());
        assert!(archive.is_deletable());
    }

    #[sqlx::test]
    async fn deleting_ends_composing_and_removes_the_files(db: SqlitePool) {
        let mut house = House::new(&db, None);
        let id = house.recorded().await;
        let job = house.asked.recv().await.unwrap();
        assert!(job.folder.exists());

        let deleted = house.archives.delete(id).await.unwrap();

        assert_eq!(deleted.status, Status::Deleted);
        assert!(!job.folder.exists());
        assert!(house.archives.tasks().composing.is_empty());
        assert_eq!(
            house.archives.find(deleted.api_key, id).await.unwrap(),
            None
        );
        let streams = store::streams(&db, &deleted).await.unwrap();
        assert_eq!(streams, [], "the names of people are gone, too");
    }

    #[sqlx::test]
    async fn what_arrives_for_a_deleted_archive_is_removed(db: SqlitePool) {
        let house = House::new(&db, None);
        let id = house.archives.start(new_archive()).await.unwrap().id;
        house
            .archives
            .stop(id, Reason::UserInitiated)
            .await
            .unwrap();
        house.archives.delete(id).await.unwrap();
        let late = folder(house.folder.path(), id);
        std::fs::create_dir_all(&late).unwrap();

        house.ready(id).await;

        assert!(!late.exists());
        assert_eq!(house.find(id).await.status, Status::Deleted);
    }

    #[sqlx::test]
    async fn a_start_finishes_what_a_kill_interrupted(db: SqlitePool) {
        let recording = in_status(&db, Status::Started).await;
        let silent = in_status(&db, Status::Paused).await;
        let lost = in_status(&db, Status::Started).await;
        let waiting = in_status(&db, Status::Stopped).await;
        let deleted = in_status(&db, Status::Deleted).await;
        let mut house = House::new(&db, None);
        let leftover = folder(house.folder.path(), deleted.id);
        std::fs::create_dir_all(&leftover).unwrap();
        house.composer.may.add_permits(9);
        let (silent_id, lost_id) = (silent.id, lost.id);
        let recover: Recover = Arc::new(move |id| match id {
            id if id == silent_id => Ok(Manifest::default()),
            id if id == lost_id => Err("the journal is gone".to_owned()),
            _ => Ok(manifest()),
        });

        house.archives.begin(recover).await.unwrap();

        let mut done = HashMap::new();
        while done.len() < 4 {
            let archive = house.changes.recv().await.unwrap().archive;
            if matches!(archive.status, Status::Available | Status::Failed) {
                done.insert(archive.id, archive);
            }
        }
        assert_eq!(done[&recording.id].status, Status::Available);
        assert!(done[&recording.id].recovered);
        assert_eq!(done[&waiting.id].status, Status::Available);
        assert!(!done[&waiting.id].recovered);
        assert_eq!(done[&silent.id].reason, "nobody published");
        assert_eq!(done[&lost.id].problem, "the journal is gone");
        house.archives.sweep().await.unwrap();
        assert!(!leftover.exists());
    }

    #[sqlx::test]
    async fn archives_follow_their_session(db: SqlitePool) {
        let house = House::new(&db, None);
        let archive = house.archives.start(new_archive()).await.unwrap();
        let other = house.archives.start(new_archive()).await.unwrap();
        let session = archive.session_id.clone();
        for (change, status) in [
            (SessionChange::NobodyPublishes, Status::Paused),
            (SessionChange::SomebodyPublishes, Status::Started),
            (SessionChange::Over(Reason::SessionEnded), Status::Stopped),
        ] {
            let changed = house
                .archives
                .session_changed(&session, change)
                .await
                .unwrap();
            assert_eq!(changed.len(), 1);
            assert_eq!((changed[0].id, changed[0].status), (archive.id, status));
            let again = house
                .archives
                .session_changed(&session, change)
                .await
                .unwrap();
            assert_eq!(again, []);
        }
        assert_eq!(house.find(archive.id).await.reason, "session ended");
        assert_eq!(house.archives.running(None).await.unwrap(), [other]);
    }

    #[sqlx::test]
    async fn a_recorder_that_gives_up_leaves_its_reason(db: SqlitePool) {
        let mut house = House::new(&db, None);
        let id = house.archives.start(new_archive()).await.unwrap().id;
        let reason = "the disk is full".to_owned();
        let failed = Event::Failed {
            archive: id,
            reason,
        };
        house.archives.recorder_reported(failed).await;
        house.ready(id).await;
        house.composer.may.add_permits(1);
        let available = house.until(id, Status::Available).await;
        assert_eq!(available.problem, "the disk is full");
        assert_eq!(available.reason, "system failure");
    }

    #[sqlx::test]
    async fn old_archives_expire_and_their_files_go(db: SqlitePool) {
        let archive = in_status(&db, Status::Available).await;
        let recording = in_status(&db, Status::Started).await;
        let forever = House::new(&db, None);
        forever.archives.sweep().await.unwrap();
        assert_eq!(forever.find(archive.id).await.status, Status::Available);

        let house = House::new(&db, Some(Duration::from_secs(60)));
        let files = folder(house.folder.path(), archive.id);
        std::fs::create_dir_all(&files).unwrap();
        house.archives.sweep().await.unwrap();

        assert_eq!(house.find(archive.id).await.status, Status::Expired);
        assert_eq!(house.find(recording.id).await.status, Status::Started);
        assert!(!files.exists());
    }
}
