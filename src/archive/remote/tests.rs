//! Tests of [`super`]: reports change a row correctly in any order.

use super::*;
use crate::{
    archive::{Archive, Status, history},
    opentok::{ArchiveObject, Resolution},
};

const PLATFORM: &str = "https://video.example/v2/project/77";
const NOW_MS: i64 = 5_000_000;

fn object(status: &str) -> ArchiveObject {
    let json = serde_json::json!({
        "id": "30b3ebf1-ba36-4f5b-8def-6f70d9986fe9",
        "status": status,
        "name": "Weekly review",
        "reason": "",
        "sessionId": "2_abc",
        "projectId": 77,
        "createdAt": 1_395_183_243_000_i64,
        "size": if status == "available" { 8_347_554 } else { 0 },
        "duration": if status == "started" { 0 } else { 62 },
        "outputMode": "composed",
        "streamMode": "auto",
        "hasAudio": true,
        "hasVideo": true,
        "resolution": "1280x720",
        "url": null,
    });
    ArchiveObject::from_json(json.to_string().as_bytes()).unwrap()
}

fn remote(status: &str) -> RemoteArchive {
    RemoteArchive::read(&object(status), NOW_MS).unwrap()
}

fn context() -> LocalContext {
    LocalContext {
        api_key: 12,
        platform: PLATFORM.to_owned(),
        room: "Main room".to_owned(),
        started_by: "Moni".to_owned(),
    }
}

async fn adopted(db: &SqlitePool, status: &str) -> Archive {
    adopt(db, &remote(status), &context(), NOW_MS)
        .await
        .unwrap()
        .unwrap()
}

#[test]
fn an_object_is_read_into_domain_types() {
    let remote = remote("available");
    assert_eq!(remote.status, Status::Available);
    assert_eq!(remote.duration_ms, 62_000);
    assert_eq!(remote.size_bytes, 8_347_554);
    assert_eq!(remote.resolution, Some(Resolution::R1280X720));
    assert_eq!(remote.created_at_ms, 1_395_183_243_000);
    let without = ArchiveObject {
        created_at: 0,
        name: None,
        ..object("started")
    };
    let remote = RemoteArchive::read(&without, NOW_MS).unwrap();
    assert_eq!((remote.created_at_ms, remote.name.as_str()), (NOW_MS, ""));
}

#[test]
fn an_object_with_an_unknown_id_or_status_is_ignored() {
    assert_eq!(
        RemoteArchive::read(&object("paused for lunch"), NOW_MS),
        None
    );
    let no_uuid = ArchiveObject {
        id: "12".to_owned(),
        ..object("started")
    };
    assert_eq!(RemoteArchive::read(&no_uuid, NOW_MS), None);
}

#[sqlx::test]
async fn a_row_applies_reports_and_never_goes_back(db: SqlitePool) {
    let archive = adopted(&db, "started").await;
    assert_eq!((archive.room.as_str(), archive.api_key), ("Main room", 12));
    assert!(archive.is_remote() && !archive.has_file_here());
    for (status, becomes) in [
        ("paused", Some(Status::Paused)),
        ("started", Some(Status::Started)),
        ("started", None),
        ("stopped", Some(Status::Stopped)),
        ("started", None),
        ("available", Some(Status::Available)),
        ("stopped", None),
        ("expired", Some(Status::Expired)),
        ("available", None),
        ("deleted", Some(Status::Deleted)),
        ("expired", None),
        ("deleted", None),
    ] {
        let applied = apply(&db, &remote(status), NOW_MS + 1).await.unwrap();
        assert_eq!(applied.map(|archive| archive.status), becomes, "{status}");
    }
}

#[sqlx::test]
async fn each_new_status_is_an_event_in_the_outbox(db: SqlitePool) {
    for statement in [
        "INSERT INTO projects (api_key, api_secret, created_at_ms) VALUES (12, 'x', 1)",
        "INSERT INTO callbacks VALUES ('c', 12, 'archive status', 'https://receiver.invalid/', 1)",
    ] {
        sqlx::query(statement).execute(&db).await.unwrap();
    }
    let archive = adopted(&db, "started").await;
    // The status stays: the local context or the duration changes.
    adopt(&db, &remote("started"), &context(), NOW_MS)
        .await
        .unwrap();
    let stopped = remote("stopped");
    let longer = RemoteArchive {
        duration_ms: stopped.duration_ms + 1,
        ..remote("stopped")
    };
    for report in [&stopped, &longer, &remote("available"), &remote("expired")] {
        apply(&db, report, NOW_MS).await.unwrap().unwrap();
    }
    mark_pulled(&db, archive.id, 1, NOW_MS).await.unwrap();
    delete(&db, archive.id, NOW_MS).await.unwrap();
    let statuses: Vec<String> =
        sqlx::query_scalar("SELECT body ->> 'status' FROM callback_events ORDER BY seq")
            .fetch_all(&db)
            .await
            .unwrap();
    let changes = ["started", "stopped", "available", "expired", "available"];
    assert_eq!(statuses, changes);
}

#[sqlx::test]
async fn an_archive_that_was_found_before_its_start_was_answered_learns_who_started_it(
    db: SqlitePool,
) {
    let found = LocalContext {
        room: String::new(),
        started_by: String::new(),
        ..context()
    };
    adopt(&db, &remote("paused"), &found, NOW_MS).await.unwrap();
    let archive = adopted(&db, "started").await;
    assert_eq!(archive.status, Status::Paused, "the later report stays");
    assert_eq!(
        (archive.room.as_str(), archive.started_by.as_str()),
        ("Main room", "Moni")
    );
}

#[sqlx::test]
async fn a_second_recording_of_a_session_waits_until_the_first_is_known_to_be_over(db: SqlitePool) {
    adopted(&db, "started").await;
    let second = RemoteArchive {
        id: ArchiveId::random(),
        ..remote("started")
    };
    let refused = adopt(&db, &second, &context(), NOW_MS).await.unwrap();
    assert_eq!(refused, None);
    apply(&db, &remote("stopped"), NOW_MS).await.unwrap();
    assert!(
        adopt(&db, &second, &context(), NOW_MS)
            .await
            .unwrap()
            .is_some()
    );
}

#[sqlx::test]
async fn archives_that_the_platform_lost_fail_or_expire(db: SqlitePool) {
    let id = adopted(&db, "stopped").await.id;
    let failed = mark_lost(&db, id, NOW_MS).await.unwrap().unwrap();
    assert_eq!(failed.status, Status::Failed);
    assert_eq!(failed.reason, "the video platform no longer has it");
    assert_eq!(mark_lost(&db, id, NOW_MS).await.unwrap(), None);

    // It is found again, a moment later: a proxy had answered for it.
    let again = apply(&db, &remote("available"), NOW_MS)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (again.status, again.reason.as_str()),
        (Status::Available, "")
    );
    let expired = mark_lost(&db, id, NOW_MS).await.unwrap().unwrap();
    assert_eq!(expired.status, Status::Expired);
}

#[sqlx::test]
async fn a_pulled_archive_ignores_the_platform_and_expires_by_its_age(db: SqlitePool) {
    let id = adopted(&db, "available").await.id;
    assert_eq!(not_pulled(&db, PLATFORM).await.unwrap().len(), 1);
    let pulled = mark_pulled(&db, id, 1234, NOW_MS).await.unwrap().unwrap();
    assert!(pulled.is_pulled() && pulled.has_file_here() && pulled.plays_whole());
    assert_eq!(pulled.size_bytes, 1234);
    assert_eq!(not_pulled(&db, PLATFORM).await.unwrap(), Vec::new());
    for status in ["expired", "deleted", "failed"] {
        assert_eq!(apply(&db, &remote(status), NOW_MS).await.unwrap(), None);
    }
    assert_eq!(mark_lost(&db, id, NOW_MS).await.unwrap(), None);

    let day = std::time::Duration::from_secs(86_400);
    let later = remote("available").created_at_ms + 86_400_001;
    let expired = crate::archive::retention::expire_old(&db, day, later)
        .await
        .unwrap();
    assert_eq!(expired.len(), 1);
}

#[sqlx::test]
async fn an_archive_that_expires_during_its_copy_is_available(db: SqlitePool) {
    let id = adopted(&db, "available").await.id;
    let expired = apply(&db, &remote("expired"), NOW_MS).await.unwrap();
    assert_eq!(expired.unwrap().status, Status::Expired);
    let pulled = mark_pulled(&db, id, 1234, NOW_MS).await.unwrap().unwrap();
    assert_eq!(pulled.status, Status::Available);
    assert!(pulled.has_file_here());
    assert_eq!(apply(&db, &remote("expired"), NOW_MS).await.unwrap(), None);

    // A file that this server removed by age stays removed.
    let day = std::time::Duration::from_secs(86_400);
    let later = pulled.created_at_ms + 86_400_001;
    let expired = crate::archive::retention::expire_old(&db, day, later).await;
    assert_eq!(expired.unwrap().len(), 1);
    assert_eq!(mark_pulled(&db, id, 1234, later).await.unwrap(), None);
}

#[sqlx::test]
async fn archives_on_another_platform_do_not_expire_by_age(db: SqlitePool) {
    let archive = adopted(&db, "available").await;
    let day = std::time::Duration::from_secs(86_400);
    let later = archive.created_at_ms + 10 * 86_400_000;
    let expired = crate::archive::retention::expire_old(&db, day, later)
        .await
        .unwrap();
    assert_eq!(expired, Vec::new());
}

#[sqlx::test]
async fn a_restart_does_not_stop_what_another_platform_records(db: SqlitePool) {
    let archive = adopted(&db, "started").await;
    let stopped = crate::archive::lifecycle::stop_abandoned(&db, NOW_MS)
        .await
        .unwrap();
    assert_eq!(stopped, Vec::new());
    apply(&db, &remote("stopped"), NOW_MS).await.unwrap();
    let to_complete = crate::archive::store::stopped(&db).await.unwrap();
    assert_eq!(to_complete, Vec::new());
    let found = history::find(&db, 12, archive.id).await.unwrap().unwrap();
    assert!(!found.is_composing());
}
