//! What a session sends to its clients: events and replies.
//!
//! The JSON of these types is the browser protocol's; `signaling` only numbers and frames it.

use serde::{Deserialize, Serialize};

use super::{
    ConnectionId, Refusal, StreamId,
    request::{Candidate, Description, PeerSettings},
};
use crate::{common::id::ArchiveId, opentok::Role};

/// A client of the session, as the others see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionInfo {
    pub connection_id: ConnectionId,
    /// Unix time, ms.
    pub creation_time: i64,
    /// The connection data of its token.
    pub data: String,
}

/// OpenTok "videoType".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VideoType {
    #[default]
    Camera,
    Screen,
    Custom,
}

impl VideoType {
    /// The word used on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            VideoType::Camera => "camera",
            VideoType::Screen => "screen",
            VideoType::Custom => "custom",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StreamInfo {
    pub stream_id: StreamId,
    pub connection_id: ConnectionId,
    /// Unix time, ms.
    pub creation_time: i64,
    pub name: String,
    pub has_audio: bool,
    pub has_video: bool,
    pub video_type: VideoType,
    /// Pixels; 0 without video.
    pub width: u16,
    pub height: u16,
    pub frame_rate: Option<u8>,
}

/// An archive, as the people who are being recorded see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ArchiveInfo {
    pub id: ArchiveId,
    pub name: String,
    /// Unix time, ms, when it started.
    pub started_at: i64,
}

/// An event of the session. The events of a connection are numbered from 1 without gaps.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(
    tag = "type",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum SessionEvent {
    ConnectionCreated {
        connection: ConnectionInfo,
    },
    /// Follows [`SessionEvent::StreamDestroyed`] of each of its streams.
    ConnectionDestroyed {
        connection_id: ConnectionId,
        reason: EndReason,
    },
    /// To everyone but the publisher, once the stream's tracks are negotiated.
    StreamCreated {
        stream: StreamInfo,
    },
    /// To everyone; to the publisher only when another client ended the stream.
    StreamDestroyed {
        stream_id: StreamId,
        reason: EndReason,
    },
    /// The stream as it is now; the client finds the difference. To everyone but the publisher.
    StreamChanged {
        stream: StreamInfo,
    },
    Signal {
        signal_type: Option<String>,
        data: Option<serde_json::Value>,
        /// Absent when the server itself signals.
        from: Option<ConnectionId>,
    },
    /// To a publisher: a moderator muted this stream; the server drops its sound until the publisher unmutes it.
    StreamMuted {
        stream_id: StreamId,
    },
    /// To everyone: force mute was switched on or off.
    MuteForced {
        active: bool,
    },
    ArchiveStarted {
        archive: ArchiveInfo,
    },
    ArchiveStopped {
        archive: ArchiveInfo,
    },
    /// In a relayed session, from the other side of a pair.
    #[serde(rename = "peer.want")]
    PeerWant {
        from: ConnectionId,
        stream_id: StreamId,
        pair: u32,
        #[serde(flatten)]
        want: PeerSettings,
    },
    #[serde(rename = "peer.sdp")]
    PeerSdp {
        from: ConnectionId,
        stream_id: StreamId,
        pair: u32,
        description: Description,
    },
    #[serde(rename = "peer.ice")]
    PeerIce {
        from: ConnectionId,
        stream_id: StreamId,
        pair: u32,
        candidates: Vec<Candidate>,
    },
    #[serde(rename = "peer.bye")]
    PeerBye {
        from: ConnectionId,
        stream_id: StreamId,
        pair: u32,
    },
    /// Media now go through the server: publishers have to offer their streams to it.
    SessionRouted {
        reason: Rerouting,
    },
    /// The last event of a connection; the socket is closed behind it.
    Disconnected {
        reason: EndReason,
    },
}

/// Why something ended. OpenTok's words, and `serverStopping`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum EndReason {
    ClientDisconnected,
    ForceDisconnected,
    NetworkDisconnected,
    ForceUnpublished,
    /// Of a stream: what it showed has ended, for instance because its screen is not shared any more.
    MediaStopped,
    ServerStopping,
}

/// Why the media of a relayed session go through the server after all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Rerouting {
    /// Two browsers found no path to each other.
    Fallback,
    /// The session is to be recorded.
    Recording,
}

/// An event with its JSON text. All receivers share the text; each has its own number.
#[derive(Debug)]
pub struct SharedEvent {
    pub event: SessionEvent,
    /// The event as a JSON object.
    pub json: String,
}

impl SharedEvent {
    pub(super) fn new(event: SessionEvent) -> Self {
        let json = serde_json::to_string(&event).expect("an event has string keys only");
        SharedEvent { event, json }
    }
}

/// The answer to one request.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum ReplyBody {
    Error {
        error: Refusal,
    },
    Welcome(Box<Welcome>),
    /// To a resume: the events missed follow.
    Resumed {
        resumed: bool,
    },
    Published {
        #[serde(rename = "streamId")]
        stream_id: StreamId,
    },
    Answer {
        generation: u32,
        sdp: String,
    },
    Done {},
}

impl From<Refusal> for ReplyBody {
    fn from(error: Refusal) -> Self {
        ReplyBody::Error { error }
    }
}

impl ReplyBody {
    /// About how many bytes it takes as JSON.
    pub(super) fn size(&self) -> usize {
        match self {
            ReplyBody::Answer { sdp, .. } => sdp.len() + 64,
            // The first message of a socket, whatever its size, must fit.
            ReplyBody::Welcome(_) => 0,
            _ => 256,
        }
    }
}

/// What a client learns when it has connected: itself, and all that is there already.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Welcome {
    pub version: u32,
    pub connection: ConnectionInfo,
    /// Secret of this connection, to resume it by.
    pub key: String,
    pub role: Role,
    /// How long after the loss of its socket a connection whose media flow may be resumed.
    pub grace_ms: u64,
    /// Media go from browser to browser, until [`SessionEvent::SessionRouted`].
    pub relayed: bool,
    /// The others, and this connection itself, in the order in which they came.
    pub connections: Vec<ConnectionInfo>,
    pub streams: Vec<StreamInfo>,
    /// Those recording now.
    pub archives: Vec<ArchiveInfo>,
}
