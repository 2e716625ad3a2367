//! Archives for tests.

use sqlx::SqlitePool;

use super::{
    Archive, ArchiveId, NewArchive, Reason, Status,
    composer::Composed,
    lifecycle,
    recording::{Manifest, RecordedStream, Span},
    store,
};
use crate::{
    opentok::SessionId,
    session::{ConnectionId, StreamId},
};

pub const API_KEY: u32 = 123_456;
/// The time at which archives start, and a later time at which they change. Unix time, ms.
pub const STARTED_MS: i64 = 1_000_000;
pub const LATER_MS: i64 = STARTED_MS + 62_000;

pub const FILE: Composed = Composed {
    size_bytes: 8_000_000,
    duration_ms: 62_000,
    has_poster: true,
    damage: String::new(),
};

pub fn session(name: &str) -> SessionId {
    SessionId::from(format!("2_{name}"))
}

/// Returns the parameters of an archive in a session of its own.
pub fn new_archive() -> NewArchive {
    NewArchive::of(API_KEY, session(&ArchiveId::random().to_string()))
}

/// A manifest with the streams of Ann, who joined at the start, and Bob, who joined after ten seconds.
pub fn manifest() -> Manifest {
    Manifest {
        duration_ms: 60_000,
        layouts: Vec::new(),
        streams: vec![stream("Ann", 0), stream("Bob", 10_000)],
    }
}

fn stream(name: &str, joined_ms: u64) -> RecordedStream {
    RecordedStream {
        stream: StreamId::random(),
        connection: ConnectionId::random(),
        connection_data: format!(r#"{{"name":"{name}"}}"#),
        name: name.to_owned(),
        video_type: "camera".to_owned(),
        joined_ms,
        left_ms: 60_000,
        file: Some(format!("{name}.webm")),
        starts_ms: joined_ms + 100,
        ends_ms: 60_000,
        size_bytes: 500_000,
        has_audio: true,
        has_video: true,
        present: Vec::new(),
        classes: Vec::new(),
        shown: vec![Span {
            from_ms: joined_ms,
            to_ms: 60_000,
        }],
    }
}

/// Creates an archive and brings it to this status through its lifecycle.
pub async fn in_status(db: &SqlitePool, status: Status) -> Archive {
    let archive = lifecycle::start(db, new_archive(), STARTED_MS)
        .await
        .unwrap();
    bring(db, archive, status).await
}

/// Brings a started archive to a status.
pub async fn bring(db: &SqlitePool, archive: Archive, status: Status) -> Archive {
    let id = archive.id;
    match status {
        Status::Started => return archive,
        Status::Paused => return lifecycle::pause(db, id, LATER_MS).await.unwrap(),
        Status::Failed => {
            let reason = Reason::SystemFailure;
            return lifecycle::fail(db, id, reason, "the disk is full", LATER_MS)
                .await
                .unwrap();
        }
        _ => {}
    }
    lifecycle::stop(db, id, Reason::UserInitiated, LATER_MS)
        .await
        .unwrap();
    let stopped = lifecycle::save_tracks(db, id, &manifest(), LATER_MS)
        .await
        .unwrap();
    if status == Status::Stopped {
        return stopped;
    }
    let available = lifecycle::make_available(db, id, &FILE, LATER_MS)
        .await
        .unwrap();
    match status {
        Status::Expired => lifecycle::expire(db, id, LATER_MS).await.unwrap(),
        Status::Deleted => lifecycle::delete(db, id, LATER_MS).await.unwrap(),
        Status::Uploaded => {
            sqlx::query("UPDATE archives SET status = 'uploaded' WHERE seq = $1")
                .bind(archive.seq)
                .execute(db)
                .await
                .unwrap();
            store::find(db, id).await.unwrap().unwrap()
        }
        _ => available,
    }
}
