//! The changes of an archive's status. Each change of an archive recorded here is a function in this file; those of another
//! platform's archives are in `remote/`.
//!
//! ```text
//! started ◀──▶ paused
//!    └────┬──────┘
//!         ▼
//!      stopped ──▶ available ──▶ expired
//!         │  └────────────────────▲  │
//!         ▼                       │  ▼
//!       failed ───────────────────┴ deleted, from all that are not being recorded
//! ```
//!
//! The statuses are OpenTok's: see "Archive object, `status`" in its REST reference. `uploaded` replaces `available` if the
//! file goes to the integrator's own storage. The database decides races: each change names the statuses that it starts
//! from, and the loser is [refused](ChangeError::Refused).

use sqlx::SqlitePool;
use tracing::{info, instrument, warn};

use super::{
    Archive, ArchiveId, NewArchive, OutputMode, Reason, Resolution, Status, composer::Composed,
    recording::Manifest, store,
};

/// The maximum length of an archive's name, in characters.
pub const MAX_NAME_CHARS: usize = 255;
/// The maximum length of a tag, in characters.
pub const MAX_TAG_CHARS: usize = 128;

/// Why an archive did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("an archive needs sound, picture or both")]
    NothingToRecord,
    #[error("only a composed archive has a resolution")]
    ResolutionOfIndividual,
    #[error("the name is {chars} characters long; {MAX_NAME_CHARS} are allowed")]
    NameTooLong { chars: usize },
    #[error("the tag is {chars} characters long; {MAX_TAG_CHARS} are allowed")]
    TagTooLong { chars: usize },
    /// The session is being recorded under the same tag.
    #[error("the session is already being recorded")]
    AlreadyRecording(Box<Archive>),
    /// The database query failed.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// Why an archive's status did not change.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// There is no archive with this id.
    #[error("there is no archive {0}")]
    NotFound(ArchiveId),
    /// The archive's status does not allow this change.
    #[error("an archive that is {from} cannot become {to}")]
    Refused { from: Status, to: Status },
    /// The database query failed.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// Inserts an archive that is being recorded.
///
/// # Errors
/// [`StartError`]. An index of the database ensures that a session is recorded once for each tag.
#[instrument(skip_all, fields(session.id = %new.session_id))]
pub async fn start(
    db: &SqlitePool,
    mut new: NewArchive,
    now_ms: i64,
) -> Result<Archive, StartError> {
    if !new.has_audio && !new.has_video {
        return Err(StartError::NothingToRecord);
    }
    let name_chars = new.name.chars().count();
    if name_chars > MAX_NAME_CHARS {
        return Err(StartError::NameTooLong { chars: name_chars });
    }
    let tag_chars = new.multi_archive_tag.chars().count();
    if tag_chars > MAX_TAG_CHARS {
        return Err(StartError::TagTooLong { chars: tag_chars });
    }
    match (new.output_mode, new.resolution) {
        (OutputMode::Individual, Some(_)) => return Err(StartError::ResolutionOfIndividual),
        (OutputMode::Composed, None) => new.resolution = Some(Resolution::R640X480),
        _ => {}
    }

    let id = ArchiveId::random();
    // Two attempts: the conflicting archive may end between the two statements.
    for _ in 0..2 {
        if let Some(archive) = store::insert(db, id, &new, now_ms).await? {
            info!(archive.id = %id, "Archive started");
            return Ok(archive);
        }
        let running = store::running_of(db, &new.session_id, &new.multi_archive_tag).await?;
        if let Some(running) = running {
            return Err(StartError::AlreadyRecording(Box::new(running)));
        }
    }
    Err(StartError::Database(sqlx::Error::RowNotFound))
}

/// Pauses an archive after the last stream ended.
///
/// # Errors
/// [`ChangeError::Refused`] unless the archive is started.
#[instrument(skip_all, fields(archive.id = %id))]
pub async fn pause(db: &SqlitePool, id: ArchiveId, now_ms: i64) -> Result<Archive, ChangeError> {
    let changed = store::pause(db, id, now_ms).await?;
    done(db, id, changed, Status::Paused).await
}

/// Resumes an archive after a stream was published again.
///
/// # Errors
/// [`ChangeError::Refused`] unless the archive is paused.
#[instrument(skip_all, fields(archive.id = %id))]
pub async fn resume(db: &SqlitePool, id: ArchiveId, now_ms: i64) -> Result<Archive, ChangeError> {
    let changed = store::resume(db, id, now_ms).await?;
    done(db, id, changed, Status::Started).await
}

/// Records that recording is over. [`save_tracks`] adds the streams; until then the duration is estimated by the clock.
///
/// # Errors
/// [`ChangeError::Refused`] unless the archive is started or paused; of two concurrent calls, one is refused.
#[instrument(skip_all, fields(archive.id = %id))]
pub async fn stop(
    db: &SqlitePool,
    id: ArchiveId,
    reason: Reason,
    now_ms: i64,
) -> Result<Archive, ChangeError> {
    let changed = store::stop(db, id, reason, "", now_ms).await?;
    done(db, id, changed, Status::Stopped).await
}

/// Records that the recorder failed, for example because of a full disk. [`save_tracks`] adds what was written before.
///
/// # Errors
/// [`ChangeError::Refused`] unless the archive is started, paused or stopped.
#[instrument(skip_all, fields(archive.id = %id))]
pub async fn interrupt(
    db: &SqlitePool,
    id: ArchiveId,
    problem: &str,
    now_ms: i64,
) -> Result<Archive, ChangeError> {
    warn!(error = %problem, "Recording interrupted");
    let changed = match store::stop(db, id, Reason::SystemFailure, problem, now_ms).await? {
        // It was stopped before the recorder failed.
        None => store::record_problem(db, id, problem, now_ms).await?,
        changed => changed,
    };
    done(db, id, changed, Status::Stopped).await
}

/// Marks all archives that were being recorded when the server was killed as stopped and recovered.
///
/// # Errors
/// The database query fails.
pub async fn stop_abandoned(db: &SqlitePool, now_ms: i64) -> Result<Vec<Archive>, sqlx::Error> {
    let archives = store::stop_abandoned(db, now_ms).await?;
    for archive in &archives {
        warn!(archive.id = %archive.id, "Archive was being recorded when the server was killed");
    }
    Ok(archives)
}

/// Saves the streams of a recording that is over. From now on the archive can be watched and composed. A recording without a
/// packet fails.
///
/// A deleted archive stays deleted when its recorder finishes late.
///
/// # Errors
/// [`ChangeError::Refused`] if its tracks are saved already, or if it is deleted or expired.
#[instrument(skip_all, fields(archive.id = %id))]
pub async fn save_tracks(
    db: &SqlitePool,
    id: ArchiveId,
    manifest: &Manifest,
    now_ms: i64,
) -> Result<Archive, ChangeError> {
    let changed = store::save_tracks(db, id, manifest, now_ms).await?;
    let to = changed.as_ref().map_or(Status::Stopped, |a| a.status);
    done(db, id, changed, to).await
}

/// Records that the archive failed.
///
/// # Errors
/// [`ChangeError::Refused`] once there is a file to download.
#[instrument(skip_all, fields(archive.id = %id))]
pub async fn fail(
    db: &SqlitePool,
    id: ArchiveId,
    reason: Reason,
    problem: &str,
    now_ms: i64,
) -> Result<Archive, ChangeError> {
    warn!(error = %problem, "Archive failed");
    let changed = store::fail(db, id, reason, problem, now_ms).await?;
    done(db, id, changed, Status::Failed).await
}

/// Records that the file to download, an MP4 or a ZIP, is on disk.
///
/// A deleted archive stays deleted when its composer finishes late.
///
/// # Errors
/// [`ChangeError::Refused`] unless the archive is stopped.
#[instrument(skip_all, fields(archive.id = %id))]
pub async fn make_available(
    db: &SqlitePool,
    id: ArchiveId,
    file: &Composed,
    now_ms: i64,
) -> Result<Archive, ChangeError> {
    let changed = store::make_available(db, id, file, now_ms).await?;
    let archive = done(db, id, changed, Status::Available).await?;
    info!(archive.size_bytes = file.size_bytes, "Archive available");
    Ok(archive)
}

/// Marks the archive as expired. Its files are removed after this; its row remains.
///
/// # Errors
/// [`ChangeError::Refused`] during recording, and if it is expired or deleted already.
#[instrument(skip_all, fields(archive.id = %id))]
pub async fn expire(db: &SqlitePool, id: ArchiveId, now_ms: i64) -> Result<Archive, ChangeError> {
    let changed = store::expire(db, id, now_ms).await?;
    let archive = done(db, id, changed, Status::Expired).await?;
    info!("Archive expired");
    Ok(archive)
}

/// Marks the archive as deleted, so that it is in no list. Its files are removed after this, never before.
///
/// This is allowed during composing, because composing never ends on a machine without ffmpeg.
///
/// # Errors
/// [`ChangeError::Refused`] during recording, and if it is deleted already.
#[instrument(skip_all, fields(archive.id = %id))]
pub async fn delete(db: &SqlitePool, id: ArchiveId, now_ms: i64) -> Result<Archive, ChangeError> {
    let changed = store::delete(db, id, now_ms).await?;
    let archive = done(db, id, changed, Status::Deleted).await?;
    info!("Archive deleted");
    Ok(archive)
}

/// Returns the archive after a change, or why it was not changed.
async fn done(
    db: &SqlitePool,
    id: ArchiveId,
    changed: Option<Archive>,
    to: Status,
) -> Result<Archive, ChangeError> {
    match changed {
        Some(archive) => Ok(archive),
        None => match store::find(db, id).await? {
            Some(archive) => Err(ChangeError::Refused {
                from: archive.status,
                to,
            }),
            None => Err(ChangeError::NotFound(id)),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::archive::testing::{FILE, LATER_MS, STARTED_MS, in_status, manifest, new_archive};

    const MOVES: [&str; 8] = [
        "pause",
        "resume",
        "stop",
        "interrupt",
        "fail",
        "make available",
        "expire",
        "delete",
    ];

    async fn make(db: &SqlitePool, id: ArchiveId, what: &str) -> Result<Archive, ChangeError> {
        let now = LATER_MS + 1;
        match what {
            "pause" => pause(db, id, now).await,
            "resume" => resume(db, id, now).await,
            "stop" => stop(db, id, Reason::UserInitiated, now).await,
            "interrupt" => interrupt(db, id, "the disk is full", now).await,
            "fail" => fail(db, id, Reason::SystemFailure, "the disk is full", now).await,
            "make available" => make_available(db, id, &FILE, now).await,
            "expire" => expire(db, id, now).await,
            "delete" => delete(db, id, now).await,
            other => panic!("{other} is no move"),
        }
    }

    /// What a move makes of an archive; `None`: it is refused.
    fn outcome(from: Status, what: &str) -> Option<Status> {
        use Status::{Available, Deleted, Expired, Failed, Paused, Started, Stopped, Uploaded};
        match (what, from) {
            ("pause", Started) => Some(Paused),
            ("resume", Paused) => Some(Started),
            ("stop", Started | Paused) => Some(Stopped),
            ("interrupt", Started | Paused | Stopped) => Some(Stopped),
            ("fail", Started | Paused | Stopped) => Some(Failed),
            ("make available", Stopped) => Some(Available),
            ("expire", Stopped | Available | Failed) => Some(Expired),
            ("delete", Stopped | Available | Uploaded | Failed | Expired) => Some(Deleted),
            _ => None,
        }
    }

    #[sqlx::test]
    async fn every_move_is_made_from_where_it_may_and_refused_from_everywhere_else(db: SqlitePool) {
        for from in Status::ALL {
            for what in MOVES {
                let archive = in_status(&db, *from).await;

                let result = make(&db, archive.id, what).await;

                let now = store::find(&db, archive.id).await.unwrap().unwrap();
                match (outcome(*from, what), result) {
                    (Some(to), Ok(changed)) => {
                        assert_eq!(changed.status, to, "{what} from {from}");
                        assert_eq!(changed, now, "{what} from {from}");
                        assert_eq!(changed.updated_at_ms, LATER_MS + 1, "{what} from {from}");
                    }
                    (None, Err(ChangeError::Refused { from: told, .. })) => {
                        assert_eq!(told, *from, "{what} from {from}");
                        assert_eq!(now, archive, "{what} from {from}");
                    }
                    (expected, result) => panic!("{what} from {from}: {expected:?}, {result:?}"),
                }
            }
        }
    }

    #[sqlx::test]
    async fn what_is_not_there_is_not_found(db: SqlitePool) {
        for what in MOVES {
            let error = make(&db, ArchiveId::random(), what).await.unwrap_err();
            assert!(matches!(error, ChangeError::NotFound(_)), "{what}: {error}");
        }
    }

    #[sqlx::test]
    async fn an_archive_is_born_started_and_has_opentoks_defaults(db: SqlitePool) {
        let mut new = new_archive();
        new.name = "Weekly".to_owned();
        new.room = "Main room".to_owned();
        new.started_by = "eve".to_owned();

        let archive = start(&db, new.clone(), STARTED_MS).await.unwrap();

        assert_eq!(archive.status, Status::Started);
        assert_eq!(archive.session_id, new.session_id);
        assert_eq!(
            (
                archive.name.as_str(),
                archive.room.as_str(),
                archive.started_by.as_str()
            ),
            ("Weekly", "Main room", "eve")
        );
        assert_eq!(archive.resolution, Some(Resolution::R640X480));
        assert_eq!((archive.duration_ms, archive.size_bytes), (0, 0));
        assert_eq!(archive.reason, "");
        assert_eq!(
            (archive.created_at_ms, archive.updated_at_ms),
            (STARTED_MS, STARTED_MS)
        );
    }

    #[sqlx::test]
    async fn what_cannot_be_recorded_is_refused(db: SqlitePool) {
        let mut nothing = new_archive();
        nothing.has_audio = false;
        nothing.has_video = false;
        let error = start(&db, nothing, STARTED_MS).await.unwrap_err();
        assert!(matches!(error, StartError::NothingToRecord));

        let mut individual = new_archive();
        individual.output_mode = OutputMode::Individual;
        individual.resolution = Some(Resolution::R640X480);
        let error = start(&db, individual, STARTED_MS).await.unwrap_err();
        assert!(matches!(error, StartError::ResolutionOfIndividual));

        let mut long = new_archive();
        long.name = "é".repeat(MAX_NAME_CHARS + 1);
        let error = start(&db, long, STARTED_MS).await.unwrap_err();
        assert!(matches!(error, StartError::NameTooLong { chars: 256 }));
    }

    #[sqlx::test]
    async fn a_session_is_recorded_once_per_tag_and_again_when_that_is_over(db: SqlitePool) {
        let new = new_archive();
        let first = start(&db, new.clone(), STARTED_MS).await.unwrap();

        let error = start(&db, new.clone(), STARTED_MS).await.unwrap_err();
        let StartError::AlreadyRecording(running) = error else {
            panic!("{error}");
        };
        assert_eq!(*running, first);
        pause(&db, first.id, LATER_MS).await.unwrap();
        assert!(start(&db, new.clone(), LATER_MS).await.is_err());

        let tagged = NewArchive {
            multi_archive_tag: "b".to_owned(),
            ..new.clone()
        };
        start(&db, tagged, LATER_MS).await.unwrap();
        stop(&db, first.id, Reason::UserInitiated, LATER_MS)
            .await
            .unwrap();
        start(&db, new, LATER_MS).await.unwrap();
    }

    #[sqlx::test]
    async fn of_many_who_start_at_once_one_does(db: SqlitePool) {
        let new = new_archive();
        let tries: Vec<_> = (0..8)
            .map(|_| {
                let (db, new) = (db.clone(), new.clone());
                tokio::spawn(async move { start(&db, new, STARTED_MS).await })
            })
            .collect();
        let (mut started, mut told) = (Vec::new(), HashSet::new());
        for outcome in tries {
            match outcome.await.unwrap() {
                Ok(archive) => started.push(archive.id),
                Err(StartError::AlreadyRecording(running)) => {
                    told.insert(running.id);
                }
                Err(error) => panic!("{error}"),
            }
        }
        assert_eq!(started.len(), 1);
        assert_eq!(told, started.into_iter().collect());
    }

    #[sqlx::test]
    async fn of_many_who_stop_or_delete_at_once_one_does(db: SqlitePool) {
        for (from, what) in [(Status::Paused, "stop"), (Status::Available, "delete")] {
            let id = in_status(&db, from).await.id;
            let tries: Vec<_> = (0..8)
                .map(|_| {
                    let db = db.clone();
                    tokio::spawn(async move { make(&db, id, what).await })
                })
                .collect();
            let mut won = 0;
            for outcome in tries {
                match outcome.await.unwrap() {
                    Ok(_) => won += 1,
                    Err(ChangeError::Refused { .. }) => {}
                    Err(error) => panic!("{error}"),
                }
            }
            assert_eq!(won, 1, "{what}");
        }
    }

    #[sqlx::test]
    async fn a_stopped_archive_gets_its_tracks_once(db: SqlitePool) {
        let archive = start(&db, new_archive(), STARTED_MS).await.unwrap();
        let stopped = stop(&db, archive.id, Reason::UserInitiated, LATER_MS)
            .await
            .unwrap();
        assert_eq!(stopped.duration_ms, 62_000);
        assert!(!stopped.is_playable());

        let kept = save_tracks(&db, archive.id, &manifest(), LATER_MS)
            .await
            .unwrap();

        assert_eq!(kept.status, Status::Stopped);
        assert_eq!(kept.reason, "user initiated");
        assert_eq!(
            (kept.duration_ms, kept.size_bytes, kept.people),
            (60_000, 1_000_000, 2)
        );
        assert!(kept.is_playable() && kept.is_composing());
        let again = save_tracks(&db, archive.id, &manifest(), LATER_MS).await;
        assert!(matches!(again, Err(ChangeError::Refused { .. })));
        assert_eq!(store::streams(&db, &kept).await.unwrap().len(), 2);
    }

    #[sqlx::test]
    async fn streams_come_back_as_they_were_kept(db: SqlitePool) {
        let archive = start(&db, new_archive(), STARTED_MS).await.unwrap();
        let mut manifest = manifest();
        manifest.streams[1].file = None;
        manifest.streams[1].shown.clear();
        let kept = save_tracks(&db, archive.id, &manifest, LATER_MS)
            .await
            .unwrap();
        assert_eq!(store::streams(&db, &kept).await.unwrap(), manifest.streams);
    }

    #[sqlx::test]
    async fn a_recording_without_a_packet_has_failed(db: SqlitePool) {
        let archive = start(&db, new_archive(), STARTED_MS).await.unwrap();
        stop(&db, archive.id, Reason::UserInitiated, LATER_MS)
            .await
            .unwrap();

        let failed = save_tracks(&db, archive.id, &Manifest::default(), LATER_MS)
            .await
            .unwrap();

        assert_eq!(failed.status, Status::Failed);
        assert_eq!(failed.reason, "nobody published");
        assert!(!failed.is_playable());
    }

    #[sqlx::test]
    async fn individual_streams_are_watched_at_once_and_packed_before_they_are_available(
        db: SqlitePool,
    ) {
        let mut new = new_archive();
        new.output_mode = OutputMode::Individual;
        let archive = start(&db, new, STARTED_MS).await.unwrap();
        stop(&db, archive.id, Reason::UserInitiated, LATER_MS)
            .await
            .unwrap();

        let kept = save_tracks(&db, archive.id, &manifest(), LATER_MS)
            .await
            .unwrap();

        assert!(kept.is_playable() && kept.is_composing());
        let available = make_available(&db, archive.id, &FILE, LATER_MS)
            .await
            .unwrap();
        assert_eq!(available.status, Status::Available);
    }

    #[sqlx::test]
    async fn an_interrupted_recording_keeps_what_it_has_and_says_why(db: SqlitePool) {
        let archive = start(&db, new_archive(), STARTED_MS).await.unwrap();
        interrupt(&db, archive.id, "the disk is full", LATER_MS)
            .await
            .unwrap();
        save_tracks(&db, archive.id, &manifest(), LATER_MS)
            .await
            .unwrap();

        let available = make_available(&db, archive.id, &FILE, LATER_MS)
            .await
            .unwrap();

        assert_eq!(available.status, Status::Available);
        assert_eq!(available.reason, "system failure");
        assert_eq!(available.problem, "the disk is full");
        assert_eq!(
            (available.size_bytes, available.compose_percent),
            (8_000_000, 100)
        );
    }

    #[sqlx::test]
    async fn a_deleted_archive_stays_deleted(db: SqlitePool) {
        let archive = in_status(&db, Status::Stopped).await;
        delete(&db, archive.id, LATER_MS).await.unwrap();

        let late = make_available(&db, archive.id, &FILE, LATER_MS)
            .await
            .unwrap_err();
        assert!(matches!(
            late,
            ChangeError::Refused {
                from: Status::Deleted,
                ..
            }
        ));
        let late = save_tracks(&db, archive.id, &manifest(), LATER_MS)
            .await
            .unwrap_err();
        assert!(matches!(
            late,
            ChangeError::Refused {
                from: Status::Deleted,
                ..
            }
        ));
        let percent = store::record_composing(&db, archive.id, 50, "")
            .await
            .unwrap();
        assert_eq!(percent, None);
    }

    #[sqlx::test]
    async fn what_recorded_when_the_server_ended_is_stopped_and_recovered(db: SqlitePool) {
        let started = in_status(&db, Status::Started).await;
        let paused = in_status(&db, Status::Paused).await;
        let available = in_status(&db, Status::Available).await;

        let stopped = stop_abandoned(&db, LATER_MS + 5).await.unwrap();

        let ids: HashSet<_> = stopped.iter().map(|archive| archive.id).collect();
        assert_eq!(ids, HashSet::from([started.id, paused.id]));
        for archive in stopped {
            assert_eq!(archive.status, Status::Stopped);
            assert_eq!(archive.reason, "server restarted");
            assert!(archive.recovered);
        }
        let untouched = store::find(&db, available.id).await.unwrap().unwrap();
        assert_eq!(untouched, available);
        assert_eq!(stop_abandoned(&db, LATER_MS).await.unwrap(), []);
    }
}
