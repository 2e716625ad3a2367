//! The messages of the browser protocol. The conversation they make is told in `signaling/mod.rs`;
//! the same definitions for the browser are in `static/js/opentok/messages.js`.

use serde::{Deserialize, Serialize};

use crate::{
    archive::ArchiveId,
    opentok::{Role, SessionId},
    session::{ConnectionId, StreamId, media::Offer},
};

/// What a client sends. `id` numbers requests from 1; every request is answered by one [`Reply`].
#[derive(Debug, Deserialize)]
pub struct Request {
    pub id: u64,
    #[serde(flatten)]
    pub body: ClientMessage,
}

#[derive(Debug, Deserialize)]
#[serde(
    tag = "type",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum ClientMessage {
    /// The first message of every socket.
    Hello {
        /// Protocol versions the client speaks; the server speaks 1.
        versions: Vec<u32>,
        session_id: SessionId,
        /// T1 or JWT.
        token: String,
        /// Takes a lost socket's place.
        resume: Option<Resume>,
    },
    /// Announces a stream. Others learn of it when an offer has brought its tracks (routed).
    Publish(NewStream),
    /// Media negotiation: the client always offers.
    Offer(Offer),
    /// The publisher changes its own stream; absent means unchanged.
    UpdateStream {
        stream_id: StreamId,
        has_audio: Option<bool>,
        has_video: Option<bool>,
        width: Option<u16>,
        height: Option<u16>,
    },
    Unpublish {
        stream_id: StreamId,
    },
    /// Shows a stream in a slot that an offer has negotiated.
    Subscribe {
        slot: u16,
        stream_id: StreamId,
        #[serde(flatten)]
        wanted: SubscriptionUpdate,
    },
    UpdateSubscription {
        slot: u16,
        #[serde(flatten)]
        wanted: SubscriptionUpdate,
    },
    Unsubscribe {
        slot: u16,
    },
    Signal {
        /// 1–128 characters of `A–Z a–z 0–9 - . _ ~`.
        signal_type: Option<String>,
        /// At most 8192 bytes as JSON text.
        data: Option<serde_json::Value>,
        /// Absent: everyone, the sender included.
        to: Option<ConnectionId>,
    },
    ForceDisconnect {
        connection_id: ConnectionId,
    },
    ForceUnpublish {
        stream_id: StreamId,
    },
    ForceMute {
        stream_id: StreamId,
    },
    ForceMuteAll {
        #[serde(default)]
        excluded_stream_ids: Vec<StreamId>,
    },
    /// Ends the muting of streams to come that `ForceMuteAll` began.
    DisableForceMute,
    /// Asks for nothing but a reply: is the server there?
    Ping,
    /// All events up to `last` have arrived; the server may forget them.
    Ack {
        last: u64,
    },
    /// The client leaves, now and for good.
    Bye,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Resume {
    pub connection_id: ConnectionId,
    /// The secret of [`Welcome::key`].
    pub key: String,
    /// The number of the last event that arrived.
    pub last: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NewStream {
    /// Shown to others; at most 1000 characters.
    #[serde(default)]
    pub name: String,
    pub has_audio: bool,
    pub has_video: bool,
    #[serde(default)]
    pub video_type: VideoType,
    /// Pixels; 0 without video.
    #[serde(default)]
    pub width: u16,
    #[serde(default)]
    pub height: u16,
    #[serde(default)]
    pub frame_rate: Option<u8>,
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

/// Absent means: as it was; at first: audio and video on, any size and rate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SubscriptionUpdate {
    pub audio: Option<bool>,
    pub video: Option<bool>,
    /// Pixels at which the video is shown, by its height; 0: as high as it comes.
    pub height: Option<u16>,
    /// Frames per second at most; 0: as many as come.
    pub frame_rate: Option<u8>,
}

/// What the server sends: `{"re":7,…}` is the reply to request 7, `{"n":12,…}` is event 12.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum ServerMessage {
    Reply(Reply),
    Event {
        /// Counts a connection's events from 1, over all its sockets.
        n: u64,
        #[serde(flatten)]
        event: Event,
    },
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Reply {
    pub re: u64,
    #[serde(flatten)]
    pub outcome: Outcome,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Outcome {
    Error {
        error: WireError,
    },
    Welcome(Box<Welcome>),
    /// To `Hello` with `resume`: the events missed follow.
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

/// OpenTok's error triple: code (its §3.10 table), name and a sentence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WireError {
    pub code: u16,
    pub name: &'static str,
    pub message: String,
}

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
    /// The others, and this connection itself.
    pub connections: Vec<ConnectionInfo>,
    pub streams: Vec<StreamInfo>,
    /// Those recording now.
    pub archives: Vec<ArchiveInfo>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionInfo {
    pub connection_id: ConnectionId,
    /// Unix time, ms.
    pub creation_time: i64,
    /// The connection data of its token.
    pub data: String,
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
    pub width: u16,
    pub height: u16,
    pub frame_rate: Option<u8>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ArchiveInfo {
    pub id: ArchiveId,
    pub name: String,
    /// Unix time, ms, when it started.
    pub started_at: i64,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(
    tag = "type",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum Event {
    ConnectionCreated {
        connection: ConnectionInfo,
    },
    ConnectionDestroyed {
        connection_id: ConnectionId,
        reason: Reason,
    },
    StreamCreated {
        stream: StreamInfo,
    },
    /// Goes to everyone, to the publisher only when somebody else ended the stream.
    StreamDestroyed {
        stream_id: StreamId,
        reason: Reason,
    },
    /// The stream as it is now; the client finds the difference.
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
    /// To everyone: muting everybody began or ended.
    MuteForced {
        active: bool,
    },
    ArchiveStarted {
        archive: ArchiveInfo,
    },
    ArchiveStopped {
        archive: ArchiveInfo,
    },
    /// The last event of a connection; the socket is closed behind it.
    Disconnected {
        reason: Reason,
    },
}

/// Why something ended. OpenTok's words, and `serverStopping`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Reason {
    ClientDisconnected,
    ForceDisconnected,
    NetworkDisconnected,
    ForceUnpublished,
    ServerStopping,
}
