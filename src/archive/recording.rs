//! The events that a recorder reports, and the manifest of a finished recording.
//!
//! The port to the recorder is [`session::recording`](crate::session::recording).

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{ArchiveId, Layout};
use crate::session::{ConnectionId, StreamId};

pub use crate::session::recording::{RecordError, Recorder, TimelineEvent};

/// What a recorder reports.
#[derive(Clone, Debug)]
pub enum RecorderEvent {
    /// Recording is over and the files of all streams are in place. The archive can be watched.
    Ready {
        archive: ArchiveId,
        manifest: Arc<Manifest>,
    },
    /// Recording ended early. The part written before is kept and follows as [`RecorderEvent::Ready`].
    Failed { archive: ArchiveId, reason: String },
}

/// The contents of a finished recording; also stored as `manifest.json` beside its files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// From the start of the archive to its stop.
    pub duration_ms: u64,
    /// The changes of the layout, in order of time.
    #[serde(default)]
    pub layouts: Vec<LayoutChange>,
    /// In the order in which they were created.
    pub streams: Vec<RecordedStream>,
}

/// The layout from this moment of the archive on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LayoutChange {
    pub at_ms: u64,
    pub layout: Layout,
}

/// The layout classes of a stream from this moment of the archive on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClassChange {
    pub at_ms: u64,
    pub classes: Vec<String>,
}

/// A stream's file and times. All times are in ms from the start of the archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordedStream {
    pub stream: StreamId,
    pub connection: ConnectionId,
    /// The connection data of the publisher's token; empty in recordings of older versions.
    #[serde(default)]
    pub connection_data: String,
    pub name: String,
    pub video_type: String,
    /// When the stream was created, and when it was destroyed or the recording ended.
    pub joined_ms: u64,
    pub left_ms: u64,
    /// Name of a WebM file (VP8 and Opus, either may be missing) in the archive's folder; `None`
    /// when no packet was received.
    pub file: Option<String>,
    /// The archive's time at which the file's time is 0.
    pub starts_ms: u64,
    /// The archive's time at which the file ends.
    pub ends_ms: u64,
    pub size_bytes: u64,
    pub has_audio: bool,
    pub has_video: bool,
    /// When the video was on, `[from, to)`. The archive shows the name at other times.
    pub shown: Vec<Span>,
    /// When the stream was in the archive, if it was added by hand; empty: from `joined_ms` to `left_ms`.
    #[serde(default)]
    pub present: Vec<Span>,
    /// In order of time. The stream has no classes before the first.
    #[serde(default)]
    pub classes: Vec<ClassChange>,
}

impl RecordedStream {
    /// Returns when the stream was in the archive.
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
