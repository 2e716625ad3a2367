//! Tests of [`super`].

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
async fn unknown_ids_are_not_found(db: SqlitePool) {
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
async fn impossible_archive_requests_are_refused(db: SqlitePool) {
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
        (available.size_bytes, available.composing.percent()),
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
async fn archives_interrupted_by_a_crash_are_stopped_and_recovered(db: SqlitePool) {
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
