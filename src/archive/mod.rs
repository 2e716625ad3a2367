//! Archives: recordings of sessions.
//!
//! The row in the database is the truth about an archive. [`lifecycle`] changes its status, [`history`] lists archives, and
//! [`Archives`] is the service: it notifies subscribers of every change and has each recording composed.
//!
//! ```text
//! archives/<id>/          one folder for each archive
//!   <stream>.webm         one for each stream, written by the recorder
//!   archive.mp4           all streams together, made by the composer; or
//!   archive.zip           the streams' files and a manifest, if the archive is individual
//!   poster.jpg            a frame of the video
//! ```

pub mod composer;
pub mod disk;
pub mod download;
pub mod history;
pub mod layout;
pub mod lifecycle;
#[cfg(test)]
mod query_cost;
pub mod recording;
pub mod remote;
pub mod retention;
mod service;
pub mod snapshot;
mod status;
mod store;
#[cfg(test)]
pub(crate) mod testing;

pub use crate::common::id::ArchiveId;
pub use composer::Quality;
pub use layout::Layout;
pub use service::{ArchiveUpdate, Archives, Recover, SessionChange, Settings};
pub use status::{Reason, Status};

/// OpenTok's enums describe an archive.
pub use crate::opentok::{OutputMode, Resolution, StreamMode};

use crate::opentok::SessionId;

/// An archive: a row of the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Archive {
    /// The number of the archive in order of start; the newest has the highest.
    pub seq: i64,
    pub id: ArchiveId,
    pub api_key: u32,
    pub session_id: SessionId,
    /// The room's name when recording started; empty when there was none.
    pub room: String,
    pub name: String,
    pub status: Status,
    /// Usually one of [`Reason`]; empty while the archive is being recorded.
    pub reason: String,
    /// What failed during recording, as a sentence for users; usually empty.
    pub problem: String,
    /// Why there is no composed file, as a sentence for users; usually empty.
    pub compose_problem: String,
    pub output_mode: OutputMode,
    pub stream_mode: StreamMode,
    pub has_audio: bool,
    pub has_video: bool,
    /// The resolution of the composed video; `None` in individual mode.
    pub resolution: Option<Resolution>,
    /// The layout at the start. The recording's manifest has the changes.
    pub layout: Layout,
    pub quality: Quality,
    pub multi_archive_tag: String,
    /// The moderator's name; empty when it was started through the API.
    pub started_by: String,
    /// Unix time, ms.
    pub created_at_ms: i64,
    /// Unix time of the last change of status, ms.
    pub updated_at_ms: i64,
    /// 0 during recording.
    pub duration_ms: u64,
    /// The size of the file to download; the size of all tracks until that file exists.
    pub size_bytes: u64,
    /// The number of connections that published.
    pub people: u32,
    /// The server was killed during recording; what had been written was recovered.
    pub recovered: bool,
    /// The streams' files are in place, so the archive can be watched before it is composed.
    pub has_tracks: bool,
    pub has_poster: bool,
    /// 0 to 100.
    pub compose_percent: u8,
    /// The URL of the other video platform's project that recorded it; empty: this server recorded it.
    pub platform: String,
    /// The file was copied from the other platform, and stays when the platform deletes its own.
    pub is_pulled: bool,
}

impl Archive {
    /// Whether the composed file is being made or waits for it.
    pub fn is_composing(&self) -> bool {
        self.status == Status::Stopped && self.has_tracks && self.compose_problem.is_empty()
    }

    /// Whether the archive can be watched.
    pub fn is_playable(&self) -> bool {
        self.plays_whole()
            || self.has_tracks && matches!(self.status, Status::Stopped | Status::Available)
    }

    /// Whether the page plays the composed file: another platform recorded the archive, and has no tracks.
    pub fn plays_whole(&self) -> bool {
        self.is_remote()
            && self.status == Status::Available
            && self.output_mode == OutputMode::Composed
    }

    /// Whether another platform recorded it.
    pub fn is_remote(&self) -> bool {
        !self.platform.is_empty()
    }

    /// Whether the file to download is in the data folder once it exists.
    pub fn has_file_here(&self) -> bool {
        !self.is_remote() || self.is_pulled
    }

    /// Whether [`lifecycle::delete`] accepts the archive now.
    pub fn is_deletable(&self) -> bool {
        !self.status.is_running() && self.status != Status::Deleted
    }
}

/// The parameters of a new archive.
#[derive(Clone, Debug)]
pub struct NewArchive {
    pub api_key: u32,
    pub session_id: SessionId,
    /// The room's name at this moment, or empty.
    pub room: String,
    pub name: String,
    pub output_mode: OutputMode,
    pub stream_mode: StreamMode,
    pub has_audio: bool,
    pub has_video: bool,
    /// The resolution of the composed video; `None`: 640x480.
    pub resolution: Option<Resolution>,
    pub layout: Layout,
    pub quality: Quality,
    /// Archives with different tags may record one session at the same time.
    pub multi_archive_tag: String,
    /// The moderator's name, or empty.
    pub started_by: String,
}

impl NewArchive {
    /// Returns an archive of all streams of `session_id`, with OpenTok's defaults.
    pub fn of(api_key: u32, session_id: SessionId) -> NewArchive {
        NewArchive {
            api_key,
            session_id,
            room: String::new(),
            name: String::new(),
            output_mode: OutputMode::Composed,
            stream_mode: StreamMode::Auto,
            has_audio: true,
            has_video: true,
            resolution: None,
            layout: Layout::default(),
            quality: Quality::Usual,
            multi_archive_tag: String::new(),
            started_by: String::new(),
        }
    }
}
