//! Archives: recordings of sessions.
//!
//! The row in the database is the truth about an archive. [`lifecycle`] moves it from one status to the next, [`history`]
//! lists, [`Archives`] is the handle that the rest of the house holds: it tells watchers of every change and sees to it
//! that each recording gets its composed file.
//!
//! ```text
//! archives/<id>/          one folder an archive
//!   <stream>.webm         written by the recorder: each stream for itself
//!   archive.mp4           everybody together, made by the composer from the streams; or
//!   archive.zip           the streams' files as they are, and a manifest, when the archive is individual
//!   poster.jpg            a frame of it
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

/// The words that an archive is described in are those of OpenTok.
pub use crate::opentok::{OutputMode, Resolution, StreamMode};

use crate::opentok::SessionId;

/// An archive, as its row says it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Archive {
    /// The order in which archives started; the newest has the highest.
    pub seq: i64,
    pub id: ArchiveId,
    pub api_key: u32,
    pub session_id: SessionId,
    /// The room's name when recording started; empty when there was none.
    pub room: String,
    pub name: String,
    pub status: Status,
    /// One of [`Reason`]; empty while all is well.
    pub reason: String,
    /// What went wrong while it recorded, as a sentence for people; usually empty.
    pub problem: String,
    /// Why there is no composed file yet, likewise.
    pub compose_problem: String,
    pub output_mode: OutputMode,
    pub stream_mode: StreamMode,
    pub has_audio: bool,
    pub has_video: bool,
    /// Of the composed picture; `None` in individual mode.
    pub resolution: Option<Resolution>,
    /// The first; what it changed to stands in the recording's manifest.
    pub layout: Layout,
    pub quality: Quality,
    pub multi_archive_tag: String,
    /// The moderator's name; empty when it was started through the API.
    pub started_by: String,
    /// Unix time, ms.
    pub created_at_ms: i64,
    /// Unix time of the last change of status, ms.
    pub updated_at_ms: i64,
    /// 0 while recording.
    pub duration_ms: u64,
    /// Of what download gives; of all tracks together while there is nothing else.
    pub size_bytes: u64,
    /// How many connections published.
    pub people: u32,
    /// The server was gone while it recorded; what had been written was saved.
    pub recovered: bool,
    /// The streams' files are in place: the archive can be watched, composed or not.
    pub has_tracks: bool,
    pub has_poster: bool,
    /// 0 to 100.
    pub compose_percent: u8,
    /// Address of the project of the video platform that has it; empty: this server, which recorded it.
    pub platform: String,
    /// Its file was copied here from there, and stays when the platform deletes it.
    pub is_pulled: bool,
}

impl Archive {
    /// Whether the composed file is still to come.
    pub fn is_composing(&self) -> bool {
        self.status == Status::Stopped && self.has_tracks && self.compose_problem.is_empty()
    }

    /// Whether there is anything to watch.
    pub fn is_playable(&self) -> bool {
        self.plays_whole()
            || self.has_tracks && matches!(self.status, Status::Stopped | Status::Available)
    }

    /// Whether what there is to watch is the composed file: another platform recorded it, and gives nothing else.
    pub fn plays_whole(&self) -> bool {
        self.is_remote()
            && self.status == Status::Available
            && self.output_mode == OutputMode::Composed
    }

    /// Whether another platform recorded it, and decides what becomes of it.
    pub fn is_remote(&self) -> bool {
        !self.platform.is_empty()
    }

    /// Whether the file to download is in the data folder, once there is one.
    pub fn has_file_here(&self) -> bool {
        !self.is_remote() || self.is_pulled
    }

    /// Whether [`lifecycle::delete`] would delete it now.
    pub fn is_deletable(&self) -> bool {
        !self.status.is_running() && self.status != Status::Deleted
    }
}

/// What to record, and what to make of it.
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
    /// Of the composed picture; `None`: 640x480.
    pub resolution: Option<Resolution>,
    pub layout: Layout,
    pub quality: Quality,
    /// Archives with different tags may record one session at once.
    pub multi_archive_tag: String,
    /// The moderator's name, or empty.
    pub started_by: String,
}

impl NewArchive {
    /// An archive of everything in `session_id`, with OpenTok's defaults.
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
