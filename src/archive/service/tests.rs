//! Tests of [`super`] with a composer that finishes on command.

use std::time::Duration;

use async_trait::async_trait;
use tempfile::TempDir;
use tokio::sync::{Semaphore, broadcast::Receiver, mpsc, watch};

use super::*;
use crate::archive::composer::{ComposeError, ComposeJob, Composed, PackJob};
use crate::archive::download::folder;
use crate::archive::recording::{Manifest, RecorderEvent};
use crate::archive::testing::{FILE, LATER_MS, in_status, manifest, new_archive};
use crate::archive::{Composing, OutputMode, Status};

/// A composer with scripted outcomes that finishes on command.
struct FakeComposer {
    /// Receives the jobs to compose.
    asked: mpsc::Sender<ComposeJob>,
    /// Receives the jobs to pack.
    packed: mpsc::Sender<PackJob>,
    /// One permit for each job that may finish.
    may: Semaphore,
    outcomes: Mutex<Vec<Result<Composed, ComposeError>>>,
}

#[async_trait]
impl Composer for FakeComposer {
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

    async fn pack(&self, job: &PackJob, _: &watch::Sender<u8>) -> Result<Composed, ComposeError> {
        self.packed.send(job.clone()).await.unwrap();
        self.may.acquire().await.unwrap().forget();
        self.outcomes.lock().unwrap().pop().unwrap_or(Ok(FILE))
    }
}

struct TestArchives {
    archives: Archives,
    composer: Arc<FakeComposer>,
    asked: mpsc::Receiver<ComposeJob>,
    packed: mpsc::Receiver<PackJob>,
    changes: Receiver<ArchiveUpdate>,
    folder: TempDir,
    db: SqlitePool,
}

impl TestArchives {
    fn new(db: &SqlitePool, keep: Option<Duration>) -> TestArchives {
        let folder = TempDir::new().unwrap();
        let (sender, asked) = mpsc::channel(16);
        let (packs, packed) = mpsc::channel(16);
        let composer = Arc::new(FakeComposer {
            asked: sender,
            packed: packs,
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
        TestArchives {
            changes: archives.subscribe(),
            archives,
            composer,
            asked,
            packed,
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
        let ready = RecorderEvent::Ready { archive, manifest };
        self.archives.apply_recorder_event(ready).await;
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
    let mut fixture = TestArchives::new(&db, None);
    let id = fixture.recorded().await;

    let stopped = fixture.find(id).await;
    assert!(stopped.is_playable() && stopped.status == Status::Stopped);
    let job = fixture.asked.recv().await.unwrap();
    assert_eq!((job.archive, job.manifest.duration_ms), (id, 60_000));
    assert_eq!(job.manifest.streams.len(), 2);
    loop {
        let change = fixture.until(id, Status::Stopped).await;
        if change.composing.percent() == 50 {
            break;
        }
    }
    fixture.composer.may.add_permits(1);
    let available = fixture.until(id, Status::Available).await;
    assert_eq!(available.size_bytes, FILE.size_bytes);
}

#[sqlx::test]
async fn an_individual_archive_is_watched_at_once_packed_and_then_available(db: SqlitePool) {
    let fixture = TestArchives::new(&db, None);
    let mut new = new_archive();
    new.output_mode = OutputMode::Individual;
    new.name = "Weekly".to_owned();
    let id = fixture.archives.start(new.clone()).await.unwrap().id;
    fixture
        .archives
        .stop(id, Reason::UserInitiated)
        .await
        .unwrap();
    fixture.ready(id).await;
    let stopped = fixture.find(id).await;
    assert!(stopped.is_playable() && stopped.is_composing());

    // The server ends while the ZIP is made; the next start makes it.
    fixture.archives.close().await;
    let mut next = TestArchives::new(&db, None);
    next.archives.begin(nothing_to_recover()).await.unwrap();
    let job = next.packed.recv().await.unwrap();
    assert_eq!((job.archive, &job.session), (id, &new.session_id));
    assert_eq!((job.name.as_str(), job.created_at_ms), ("Weekly", LATER_MS));
    assert_eq!(job.manifest.streams, {
        let archive = fixture.find(id).await;
        store::streams(&db, &archive).await.unwrap()
    });
    assert_eq!(job.manifest.streams[0].connection_data, r#"{"name":"Ann"}"#);
    next.composer.may.add_permits(1);
    let available = next.until(id, Status::Available).await;
    assert_eq!(available.size_bytes, FILE.size_bytes);
    assert!(next.asked.try_recv().is_err(), "nothing is composed");
}

#[sqlx::test]
async fn a_report_that_comes_twice_changes_nothing(db: SqlitePool) {
    let mut fixture = TestArchives::new(&db, None);
    let id = fixture.recorded().await;
    fixture.ready(id).await;
    fixture.composer.may.add_permits(2);
    fixture.until(id, Status::Available).await;
    fixture.ready(id).await;
    assert_eq!(fixture.find(id).await.status, Status::Available);
    assert!(fixture.asked.recv().await.is_some());
    assert!(fixture.asked.try_recv().is_err(), "it is composed once");
}

#[sqlx::test]
async fn files_are_composed_one_after_the_other(db: SqlitePool) {
    let mut fixture = TestArchives::new(&db, None);
    let first = fixture.recorded().await;
    let second = fixture.recorded().await;
    assert_eq!(fixture.asked.recv().await.unwrap().archive, first);
    assert!(fixture.asked.try_recv().is_err());
    fixture.composer.may.add_permits(1);
    fixture.until(first, Status::Available).await;
    assert_eq!(fixture.asked.recv().await.unwrap().archive, second);
}

#[sqlx::test]
async fn composing_is_tried_three_times_and_then_explained(db: SqlitePool) {
    let mut fixture = TestArchives::new(&db, None);
    let failed = || {
        Err(ComposeError::Failed(
            "ffmpeg was killed (signal 9)".to_owned(),
        ))
    };
    *fixture.composer.outcomes.lock().unwrap() = vec![failed(), failed(), failed()];
    fixture.composer.may.add_permits(3);
    let id = fixture.recorded().await;
    for _ in 0..3 {
        assert_eq!(fixture.asked.recv().await.unwrap().archive, id);
        loop {
            let change = fixture.until(id, Status::Stopped).await;
            if let Some(problem) = change.composing.problem() {
                assert!(problem.contains("killed"));
                assert!(change.is_playable());
                break;
            }
        }
    }
    // The next start tries again.
    fixture.archives.close().await;
    let mut next = TestArchives::new(&db, None);
    next.archives.begin(nothing_to_recover()).await.unwrap();
    next.composer.may.add_permits(1);
    let available = next.until(id, Status::Available).await;
    assert_eq!(available.composing, Composing::Done);
}

#[sqlx::test]
async fn a_database_that_refuses_for_a_while_loses_no_composed_file(db: SqlitePool) {
    let mut fixture = TestArchives::new(&db, None);
    let id = fixture.recorded().await;
    assert_eq!(fixture.asked.recv().await.unwrap().archive, id);
    let rename = |from: &str, to: &str| format!("ALTER TABLE {from} RENAME TO {to}");
    let run = |statement: String| sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&db);
    run(rename("archives", "away")).await.unwrap();
    fixture.composer.may.add_permits(1);
    while fixture.composer.may.available_permits() > 0 {
        tokio::task::yield_now().await;
    }

    run(rename("away", "archives")).await.unwrap();

    fixture.until(id, Status::Available).await;
    assert!(fixture.asked.try_recv().is_err(), "it is composed once");
}

#[sqlx::test]
async fn without_ffmpeg_an_archive_stays_playable_and_says_why(db: SqlitePool) {
    let mut fixture = TestArchives::new(&db, None);
    let program = "ffmpeg".to_owned();
    *fixture.composer.outcomes.lock().unwrap() = vec![Err(ComposeError::ToolMissing { program })];
    fixture.composer.may.add_permits(1);
    let id = fixture.recorded().await;
    let archive = loop {
        let change = fixture.until(id, Status::Stopped).await;
        if change.composing.problem().is_some() {
            break change;
        }
    };
    let problem = archive.composing.problem();
    assert!(problem.unwrap().contains("not installed"));
    assert!(archive.is_playable() && !archive.is_composing());
    assert!(archive.is_deletable());
}

#[sqlx::test]
async fn deleting_ends_composing_and_removes_the_files(db: SqlitePool) {
    let mut fixture = TestArchives::new(&db, None);
    let id = fixture.recorded().await;
    let job = fixture.asked.recv().await.unwrap();
    assert!(job.folder.exists());

    let deleted = fixture.archives.delete(id).await.unwrap();

    assert_eq!(deleted.status, Status::Deleted);
    assert!(!job.folder.exists());
    assert!(fixture.archives.tasks().composing.is_empty());
    assert_eq!(
        fixture.archives.find(deleted.api_key, id).await.unwrap(),
        None
    );
    let streams = store::streams(&db, &deleted).await.unwrap();
    assert_eq!(streams, [], "the names of people are gone, too");
}

#[sqlx::test]
async fn tracks_of_a_deleted_archive_are_removed(db: SqlitePool) {
    let fixture = TestArchives::new(&db, None);
    let id = fixture.archives.start(new_archive()).await.unwrap().id;
    fixture
        .archives
        .stop(id, Reason::UserInitiated)
        .await
        .unwrap();
    fixture.archives.delete(id).await.unwrap();
    let late = folder(fixture.folder.path(), id);
    std::fs::create_dir_all(&late).unwrap();

    fixture.ready(id).await;

    assert!(!late.exists());
    assert_eq!(fixture.find(id).await.status, Status::Deleted);
}

#[sqlx::test]
async fn a_start_finishes_what_a_kill_interrupted(db: SqlitePool) {
    let recording = in_status(&db, Status::Started).await;
    let silent = in_status(&db, Status::Paused).await;
    let lost = in_status(&db, Status::Started).await;
    let waiting = in_status(&db, Status::Stopped).await;
    let deleted = in_status(&db, Status::Deleted).await;
    let mut fixture = TestArchives::new(&db, None);
    let leftover = folder(fixture.folder.path(), deleted.id);
    std::fs::create_dir_all(&leftover).unwrap();
    fixture.composer.may.add_permits(9);
    let (silent_id, lost_id) = (silent.id, lost.id);
    let recover: Recover = Arc::new(move |id| match id {
        id if id == silent_id => Ok(Manifest::default()),
        id if id == lost_id => Err("the journal is gone".to_owned()),
        _ => Ok(manifest()),
    });

    fixture.archives.begin(recover).await.unwrap();

    let mut done = HashMap::new();
    while done.len() < 4 {
        let archive = fixture.changes.recv().await.unwrap().archive;
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
    fixture.archives.sweep().await.unwrap();
    assert!(!leftover.exists());
}

#[sqlx::test]
async fn an_archive_follows_its_session_and_others_of_it_go_on(db: SqlitePool) {
    let fixture = TestArchives::new(&db, None);
    let archive = fixture.archives.start(new_archive()).await.unwrap();
    let tagged = NewArchive {
        multi_archive_tag: "another".to_owned(),
        ..NewArchive::of(archive.api_key, archive.session_id.clone())
    };
    let other = fixture.archives.start(tagged).await.unwrap();
    for (change, status) in [
        (SessionChange::LastStreamEnded, Status::Paused),
        (SessionChange::FirstStreamBegan, Status::Started),
        (SessionChange::Ended(Reason::SessionEnded), Status::Stopped),
    ] {
        let changed = fixture
            .archives
            .session_changed(archive.id, change)
            .await
            .unwrap()
            .unwrap();
        assert_eq!((changed.id, changed.status), (archive.id, status));
        let again = fixture
            .archives
            .session_changed(archive.id, change)
            .await
            .unwrap();
        assert_eq!(again, None);
    }
    assert_eq!(fixture.find(archive.id).await.reason, "session ended");
    assert_eq!(fixture.archives.running().await.unwrap(), [other]);
}

#[sqlx::test]
async fn a_recorder_that_gives_up_leaves_its_reason(db: SqlitePool) {
    let mut fixture = TestArchives::new(&db, None);
    let id = fixture.archives.start(new_archive()).await.unwrap().id;
    let reason = "the disk is full".to_owned();
    let failed = RecorderEvent::Failed {
        archive: id,
        reason,
    };
    fixture.archives.apply_recorder_event(failed).await;
    fixture.ready(id).await;
    fixture.composer.may.add_permits(1);
    let available = fixture.until(id, Status::Available).await;
    assert_eq!(available.problem, "the disk is full");
    assert_eq!(available.reason, "system failure");
}

#[sqlx::test]
async fn old_archives_expire_and_their_files_go(db: SqlitePool) {
    let archive = in_status(&db, Status::Available).await;
    let recording = in_status(&db, Status::Started).await;
    let forever = TestArchives::new(&db, None);
    forever.archives.sweep().await.unwrap();
    assert_eq!(forever.find(archive.id).await.status, Status::Available);

    let fixture = TestArchives::new(&db, Some(Duration::from_secs(60)));
    let files = folder(fixture.folder.path(), archive.id);
    std::fs::create_dir_all(&files).unwrap();
    fixture.archives.sweep().await.unwrap();

    assert_eq!(fixture.find(archive.id).await.status, Status::Expired);
    assert_eq!(fixture.find(recording.id).await.status, Status::Started);
    assert!(!files.exists());
}
