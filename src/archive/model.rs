//! An archive, and the parameters of a new one.

use super::{ArchiveId, Layout, OutputMode, Quality, Resolution, Status, StreamMode};
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
    /// Usually one of [`Reason`](super::Reason); empty while the archive is being recorded.
    pub reason: String,
    /// What failed during recording, as a sentence for users; usually empty.
    pub problem: String,
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
    /// The server was killed during recording; the part recorded before that was recovered.
    pub recovered: bool,
    pub has_poster: bool,
    pub composing: Composing,
    pub origin: Origin,
}

/// The progress from the streams' files to the composed file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Composing {
    /// The streams' files are not in place. An archive of another platform never has them.
    NoTracks,
    /// The streams' files are in place, so the archive can be watched. The composed file is being made or waits for its turn.
    Running {
        /// 0 to 100.
        percent: u8,
    },
    /// The last attempt failed. Contains the cause, as a sentence for users.
    Failed(String),
    /// The composed file is in place.
    Done,
}

impl Composing {
    /// The part that is done: 0 to 100.
    pub fn percent(&self) -> u8 {
        match self {
            Composing::NoTracks | Composing::Failed(_) => 0,
            Composing::Running { percent } => *percent,
            Composing::Done => 100,
        }
    }

    /// Why the last attempt failed, as a sentence for users.
    pub fn problem(&self) -> Option<&str> {
        match self {
            Composing::Failed(problem) => Some(problem),
            _ => None,
        }
    }
}

/// The server that records an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    Local,
    /// Another video platform.
    Remote {
        /// The URL of the platform's project.
        platform: String,
        /// The file was copied to this server, and stays when the platform deletes its own.
        is_pulled: bool,
    },
}

impl Archive {
    /// Whether the streams' files are in place, so that the archive can be watched before it is composed.
    pub fn has_tracks(&self) -> bool {
        self.composing != Composing::NoTracks
    }

    /// Whether the composed file is being made or waits for its turn.
    pub fn is_composing(&self) -> bool {
        self.status == Status::Stopped && matches!(self.composing, Composing::Running { .. })
    }

    /// Whether the archive can be watched.
    pub fn is_playable(&self) -> bool {
        self.plays_whole()
            || self.has_tracks() && matches!(self.status, Status::Stopped | Status::Available)
    }

    /// Whether the page plays the composed file: another platform recorded the archive, and has no tracks.
    pub fn plays_whole(&self) -> bool {
        self.is_remote()
            && self.status == Status::Available
            && self.output_mode == OutputMode::Composed
    }

    /// Whether another platform recorded it.
    pub fn is_remote(&self) -> bool {
        self.platform().is_some()
    }

    /// The URL of the other platform's project that recorded it; `None`: this server recorded it.
    pub fn platform(&self) -> Option<&str> {
        match &self.origin {
            Origin::Local => None,
            Origin::Remote { platform, .. } => Some(platform),
        }
    }

    /// Whether the file was copied from another platform.
    pub fn is_pulled(&self) -> bool {
        matches!(self.origin, Origin::Remote { is_pulled, .. } if is_pulled)
    }

    /// Whether the file to download is in the data folder once it exists.
    pub fn has_file_here(&self) -> bool {
        !self.is_remote() || self.is_pulled()
    }

    /// Whether [`lifecycle::delete`](super::lifecycle::delete) accepts the archive now.
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
