//! The report of an archive by another platform, and what this server adds to it.

use crate::{
    archive::{ArchiveId, Status, lifecycle::MAX_NAME_CHARS},
    opentok::{ArchiveObject, ArchiveStatus, OutputMode, Resolution, SessionId, StreamMode},
};

/// An archive as another platform reports it.
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

/// The properties of an archive that only this server knows.
#[derive(Clone, Debug, Default)]
pub struct LocalContext {
    /// The project of the pages. Its history lists the archive.
    pub api_key: u32,
    /// The URL of the platform's project.
    pub platform: String,
    /// The room's name, or empty.
    pub room: String,
    /// The moderator's name, or empty.
    pub started_by: String,
}

impl RemoteArchive {
    /// Reads an archive object; `None`: its id is not a UUID, or its status is unknown. `now_ms` replaces a missing creation
    /// time.
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
