//! What a recorder reports, and what a finished recording consists of.
//!
//! What a recorder is asked to do is the session's: [`session::recording`](crate::session::recording).

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{ArchiveId, Layout};
use crate::session::{ConnectionId, StreamId};

pub use crate::session::recording::{RecordError, Recorder, TimelineEvent};

/// What a recorder reports.
#[derive(Clone, Debug)]
pub enum RecorderEvent {
    /// Recording is over and every stream's file is in place: the archive can be watched.
    Ready {
        archive: ArchiveId,
        manifest: Arc<Manifest>,
    },
    /// Recording ended early; what was written before is kept and follows as [`RecorderEvent::Ready`].
    Failed { archive: ArchiveId, reason: String },
}

/// What a finished recording consists of; also kept as `manifest.json` beside its files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// From the start of the archive to its stop.
    pub duration_ms: u64,
    /// The layouts after the first, in the order of their times.
    #[serde(default)]
    pub layouts: Vec<LayoutChange>,
    /// In the order in which they appeared.
    pub streams: Vec<RecordedStream>,
}

/// From this moment of the archive on, the picture is arranged so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LayoutChange {
    pub at_ms: u64,
    pub layout: Layout,
}

/// From this moment of the archive on, a stream has these layout classes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClassChange {
    pub at_ms: u64,
    pub classes: Vec<String>,
}

/// One stream's file, and when it was there. All times count from the start of the archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordedStream {
    pub stream: StreamId,
    pub connection: ConnectionId,
    /// What the publisher's token said of it; empty in recordings of older versions.
    #[serde(default)]
    pub connection_data: String,
    pub name: String,
    pub video_type: String,
    /// When the stream was created and destroyed (or the recording ended).
    pub joined_ms: u64,
    pub left_ms: u64,
    /// Name of a WebM file (VP8 and Opus, either may be missing) in the archive's folder; `None`
    /// when no packet ever came.
    pub file: Option<String>,
    /// The archive's time at which the file's time is 0.
    pub starts_ms: u64,
    /// The archive's time at which the file ends.
    pub ends_ms: u64,
    pub size_bytes: u64,
    pub has_audio: bool,
    pub has_video: bool,
    /// When the picture was on, `[from, to)`; an archive shows the name at other times.
    pub shown: Vec<Span>,
    /// When it was in the archive, if it was chosen by hand; empty: from `joined_ms` to `left_ms`.
    #[serde(default)]
    pub present: Vec<Span>,
    /// In the order of their times; before the first it has none.
    #[serde(default)]
    pub classes: Vec<ClassChange>,
}

impl RecordedStream {
    /// When it was in the archive.
    pub fn presence(&self) -> Vec<Span> {
        if self.present.is_empty() {
            return vec![Span {
                from_ms: self.joined_ms,
                to_ms: self.left_ms,
            }];
        }
        self.present.clone()
    }
}

/// A span of the archive's time, in ms: `[from_ms, to_ms)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Span {
    pub from_ms: u64,
    pub to_ms: u64,
}
