//! What a client may ask of its session.

use serde::Deserialize;

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
