//! What an archive asks of its recorder, and what it hears back.
//!
//! The archive owns these words; `recorder` implements [`Recorder`].

use std::{sync::Arc, time::Instant};

use serde::{Deserialize, Serialize};

use super::{ArchiveId, Layout};
use crate::session::{ConnectionId, StreamId, media::Sink};

/// Writes what happens in a session to disk, so that nothing written is ever lost.
pub trait Recorder: Send + Sync {
    /// Opens a recording. The engine copies packets into the sink that comes back.
    ///
    /// # Errors
    /// [`RecordError`] says what the operator can do.
    fn start(&self, archive: ArchiveId, now: Instant) -> Result<Sink, RecordError>;

    /// Tells a recording what happened to a stream. Unknown archives are ignored: a recording may
    /// end at any moment.
    fn record(&self, archive: ArchiveId, now: Instant, event: TimelineEvent);

    /// Ends a recording; [`RecorderEvent::Ready`] or [`RecorderEvent::Failed`] follows.
    fn stop(&self, archive: ArchiveId, now: Instant);
}

/// Why a recording cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// OpenTok has no word for it; the page answers 507.
    #[error(
        "the disk is almost full ({free_mib} MiB left, {needed_mib} MiB are needed to record): delete archives or make room"
    )]
    DiskFull { free_mib: u64, needed_mib: u64 },
    #[error("the archive's folder cannot be written: {0}")]
    Io(#[from] std::io::Error),
}

/// What happened to a stream of a recorded session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "note",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum TimelineEvent {
    /// Also sent, right after the start, for each stream that is there already.
    StreamCreated {
        stream: StreamId,
        connection: ConnectionId,
        /// The stream's name, or else the name in the connection data.
        name: String,
        #[serde(default)]
        connection_data: String,
        /// "camera", "screen" or "custom".
        video_type: String,
        has_audio: bool,
        has_video: bool,
        /// Its layout classes.
        #[serde(default)]
        classes: Vec<String>,
    },
    /// Sound or picture was switched on or off.
    StreamChanged {
        stream: StreamId,
        has_audio: bool,
        has_video: bool,
    },
    StreamDestroyed {
        stream: StreamId,
    },
    /// What of a stream that is chosen by hand is recorded from now on; neither: it is not in the archive for the time being.
    StreamChosen {
        stream: StreamId,
        has_audio: bool,
        has_video: bool,
    },
    /// Its layout classes are others now.
    StreamClasses {
        stream: StreamId,
        classes: Vec<String>,
    },
    /// From now on the picture is arranged otherwise.
    LayoutChanged {
        layout: Layout,
    },
}

impl TimelineEvent {
    /// The stream that it is about, if it is about one.
    pub fn stream(&self) -> Option<StreamId> {
        match self {
            TimelineEvent::StreamCreated { stream, .. }
            | TimelineEvent::StreamChanged { stream, .. }
            | TimelineEvent::StreamDestroyed { stream }
            | TimelineEvent::StreamChosen { stream, .. }
            | TimelineEvent::StreamClasses { stream, .. } => Some(*stream),
            TimelineEvent::LayoutChanged { .. } => None,
        }
    }

    /// Whether all that an earlier note told is overruled by this one.
    pub fn overrules(&self, earlier: &TimelineEvent) -> bool {
        let is_a_state = !matches!(
            self,
            TimelineEvent::StreamCreated { .. } | TimelineEvent::StreamDestroyed { .. }
        );
        is_a_state
            && std::mem::discriminant(self) == std::mem::discriminant(earlier)
            && self.stream() == earlier.stream()
    }
}

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
