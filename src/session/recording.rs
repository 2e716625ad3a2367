//! What a live session asks of a recorder: the port that `recorder` implements.
//!
//! Packets reach the recorder through the engine and [`Sink`]. What they belong to, and when it
//! changes, reaches it as [`TimelineEvent`]s.

use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::media::Sink;
use crate::common::id::{ArchiveId, ConnectionId, StreamId};

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

    /// Ends a recording. The recorder then reports that it is ready or failed.
    fn stop(&self, archive: ArchiveId, now: Instant);
}

/// Why a recording cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// OpenTok has no word for it; the page answers 507.
    #[error(
        "the disk is almost full ({free_mib} MiB left, {needed_mib} MiB are needed to record); delete archives or free disk space"
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

/// How streams are arranged. OpenTok layout "type".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Arrangement {
    #[default]
    BestFit,
    Pip,
    VerticalPresentation,
    HorizontalPresentation,
    Focus,
}

/// The layout of an archive. OpenTok "layout"; `custom` with a style sheet is not supported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Layout {
    #[serde(rename = "type", default)]
    pub arrangement: Arrangement,
    /// Instead of `type` while a screen is shared.
    #[serde(
        rename = "screenshareType",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub screenshare: Option<Arrangement>,
}
