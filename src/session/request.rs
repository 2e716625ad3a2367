//! What a client may ask of its session.

use serde::{Deserialize, Serialize};

use super::{ConnectionId, StreamId, event::VideoType, media::Offer};

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(
    tag = "type",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum Request {
    /// Announces a stream. Others learn of it when an offer has brought its tracks (routed).
    Publish(NewStream),
    /// Media negotiation: the client always offers.
    Offer(Offer),
    /// The publisher changes its own stream; absent means unchanged.
    UpdateStream {
        stream_id: StreamId,
        #[serde(flatten)]
        change: StreamUpdate,
    },
    Unpublish {
        stream_id: StreamId,
        /// The person stopped sharing a screen in the browser itself, or a device went away.
        #[serde(default)]
        media_stopped: bool,
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
    /// In a relayed session: others may ask for a stream that was published.
    #[serde(rename = "peer.open")]
    PeerOpen {
        stream_id: StreamId,
    },
    /// In a relayed session: who subscribes asks a stream's publisher for it, and says how it is shown.
    #[serde(rename = "peer.want")]
    PeerWant {
        #[serde(flatten)]
        pair: PeerLink,
        #[serde(flatten)]
        want: PeerSettings,
    },
    /// The publisher offers, the other answers.
    #[serde(rename = "peer.sdp")]
    PeerSdp {
        #[serde(flatten)]
        pair: PeerLink,
        description: Description,
    },
    #[serde(rename = "peer.ice")]
    PeerIce {
        #[serde(flatten)]
        pair: PeerLink,
        candidates: Vec<Candidate>,
    },
    /// One side has ended it.
    #[serde(rename = "peer.bye")]
    PeerBye {
        #[serde(flatten)]
        pair: PeerLink,
    },
    /// Two browsers found no way to one another: the session's media are to go through the server.
    #[serde(rename = "peer.failed")]
    PeerFailed {
        stream_id: Option<StreamId>,
    },
    /// Asks for nothing but a reply: is the server there?
    Ping,
    /// All events up to `last` have arrived; the server may forget them.
    Ack {
        last: u64,
    },
    /// The client leaves, now and for good.
    Bye,
}

/// What a client resumes its connection by, after the loss of its socket.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Resume {
    pub connection_id: ConnectionId,
    /// The secret of [`Welcome::key`](super::event::Welcome::key).
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

/// Absent means unchanged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StreamUpdate {
    pub has_audio: Option<bool>,
    pub has_video: Option<bool>,
    pub width: Option<u16>,
    pub height: Option<u16>,
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

/// One subscriber's view of one stream, in a relayed session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PeerLink {
    /// The other side: the stream's publisher, or who subscribes to it.
    pub to: ConnectionId,
    pub stream_id: StreamId,
    /// Chosen by who subscribes; tells this view from others of the same stream, and from earlier ones.
    pub pair: u32,
}

/// What is said from one side of a [`PeerLink`] to the other.
#[derive(Clone, Debug, PartialEq)]
pub enum PeerMessage {
    Want(PeerSettings),
    Description(Description),
    Candidates(Vec<Candidate>),
    Bye,
}

/// How a stream is wanted; absent means as it was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PeerSettings {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audio: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub video: Option<bool>,
    /// Pixels at which the video is shown, by its height; 0: as high as it comes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub height: Option<u16>,
    /// Frames per second at most; 0: as many as come.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frame_rate: Option<u8>,
    /// The way between the two is broken: look for another.
    #[serde(default)]
    pub restart: bool,
}

/// An `RTCSessionDescription`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    #[serde(rename = "type")]
    pub kind: DescriptionKind,
    /// RFC 8866 text; 64 KiB at most.
    pub sdp: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum DescriptionKind {
    Offer,
    Answer,
}

/// An `RTCIceCandidate`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Candidate {
    pub candidate: String,
    pub sdp_mid: Option<String>,
    pub sdp_m_line_index: Option<u16>,
    pub username_fragment: Option<String>,
}

impl Candidate {
    /// About how long it is.
    pub(super) fn bytes(&self) -> usize {
        let length = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        self.candidate.len() + length(&self.sdp_mid) + length(&self.username_fragment)
    }
}

/// Addresses and keys of people are nobody else's business.
impl std::fmt::Debug for Description {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} of {} bytes", self.kind, self.sdp.len())
    }
}

impl std::fmt::Debug for Candidate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Candidate")
    }
}
