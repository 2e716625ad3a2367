//! Archives that another video platform has: their rows apply what that platform says of them.
//!
//! ```text
//! adopt ─▶ started ◀─▶ paused ─▶ stopped ─▶ available (or uploaded, failed) ─▶ expired ─▶ deleted
//! ```
//!
//! Replies, lists and callbacks may come late and in any order, so a row never goes back to an earlier status, and a
//! deleted one stays deleted. Once the file is pulled the archive is this server's: what the platform does to its own copy
//! changes nothing here.

mod store;

pub use store::{
    adopt, apply, delete, fail_others, mark_lost, mark_pulled, not_pulled, unfinished,
};

use sqlx::SqlitePool;

use super::{ArchiveId, Status, lifecycle::MAX_NAME_CHARS};
use crate::opentok::{ArchiveObject, ArchiveStatus, OutputMode, Resolution, SessionId, StreamMode};

/// What another platform says of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteArchive {
    pub id: ArchiveId,
    pub session_id: SessionId,
    pub name: String,
    pub status: Status,
    pub reason: String,
    pub output_mode: OutputMode,
    pub stream_mode: StreamMode,
    pub has_audio: bool,
    pub has_video: bool,
    pub resolution: Option<Resolution>,
    pub multi_archive_tag: String,
    /// Unix time, ms.
    pub created_at_ms: i64,
    pub duration_ms: u64,
    pub size_bytes: u64,
}

/// What this server knows of an archive and the platform does not.
#[derive(Clone, Debug, Default)]
pub struct LocalContext {
    /// The project of the pages, in whose history it is listed.
    pub api_key: u32,
    /// The address of the platform's project.
    pub platform: String,
    /// The room's name, or empty.
    pub room: String,
    /// The moderator's name, or empty.
    pub started_by: String,
}

impl RemoteArchive {
    /// What an archive object says; `None` when its id is no UUID or its status a word that nobody here knows.
    /// `now_ms` stands in for a time that is missing.
    pub fn read(object: &ArchiveObject, now_ms: i64) -> Option<RemoteArchive> {
        let seconds = match object.status {
            ArchiveStatus::Started => 0,
            _ => object.duration,
        };
        Some(RemoteArchive {
            id: ArchiveId::parse(&object.id)?,
            session_id: object.session_id.clone(),
            name: object
                .name
                .iter()
                .flat_map(|name| name.chars())
                .take(MAX_NAME_CHARS)
                .collect(),
            status: Status::try_from(&object.status).ok()?,
            reason: object.reason.clone(),
            output_mode: object.output_mode,
            stream_mode: object.stream_mode,
            has_audio: object.has_audio,
            has_video: object.has_video,
            resolution: object.resolution,
            multi_archive_tag: object.multi_archive_tag.clone().unwrap_or_default(),
            created_at_ms: match object.created_at {
                1.. => object.created_at,
                _ => now_ms,
            },
            duration_ms: seconds.saturating_mul(1000),
            size_bytes: object.size,
        })
    }
}

/// Whether an archive is known here, deleted or not.
///
/// # Errors
/// When the database does not answer.
pub async fn is_known(db: &SqlitePool, id: ArchiveId) -> Result<bool, sqlx::Error> {
    Ok(super::store::find(db, id).await?.is_some())
}

#[cfg(test)]
mod tests;
