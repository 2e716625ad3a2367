//! What a live session tells the media engine, and what the engine tells back.
//!
//! The session owns these words; `sfu` implements [`Media`] and never names a session's rules.

use std::{sync::Arc, time::Instant};

use serde::{Deserialize, Serialize};

use super::{ConnectionId, StreamId};
use crate::{common::id::ArchiveId, opentok::SessionId};

/// One medium of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MediaKind {
    Audio,
    Video,
}

/// The engine, as a session sees it.
///
/// Commands of one session are carried out in the order in which they are sent.
pub trait Media: Send + Sync {
    /// Queues a command for the worker that owns `session`.
    ///
    /// # Errors
    /// [`EngineBusy`] when the worker's queue is full; the command was not queued.
    fn send(&self, session: &SessionId, command: EngineCommand) -> Result<(), EngineBusy>;

    /// What has been done since the start; an engine that counts nothing says 0.
    fn statistics(&self) -> Statistics {
        Statistics::default()
    }
}

/// Totals of an engine since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    pub packets_in: u64,
    /// Packets of nobody: noise from the internet.
    pub packets_unknown: u64,
    pub packets_out: u64,
    /// Packets the kernel did not take.
    pub packets_dropped: u64,
    /// RTP packets from publishers.
    pub media_in: u64,
    /// RTP packets to receivers.
    pub media_forwarded: u64,
}

/// The engine cannot take another command now.
#[derive(Debug, thiserror::Error)]
#[error("the media engine has too much to do; try again in a moment")]
pub struct EngineBusy;

/// What the engine is asked to do.
#[derive(Clone, Debug)]
pub enum EngineCommand {
    /// Answers a client's offer, making the connection's peer if it has none yet. The answer comes
    /// as [`EngineEvent::Answered`] or [`EngineEvent::Refused`] with the same `request`.
    Offer {
        connection: ConnectionId,
        /// The client's request id, handed back with the answer.
        request: u64,
        offer: Offer,
    },
    /// Binds a receive slot of `connection` to `stream`, from the next key frame on.
    /// A slot that is bound already is bound anew.
    Subscribe {
        connection: ConnectionId,
        slot: u16,
        stream: StreamId,
        wanted: SubscriptionSettings,
    },
    /// Frees a slot.
    Unsubscribe { connection: ConnectionId, slot: u16 },
    /// Packets of a medium that is off are dropped, whatever the publisher sends.
    SetStream {
        stream: StreamId,
        audio: bool,
        video: bool,
    },
    /// Forgets a stream and frees every slot bound to it.
    Unpublish { stream: StreamId },
    /// Closes the connection's peer and forgets its streams and slots.
    Close { connection: ConnectionId },
    /// Copies the session's streams, those to come included, into `sink`.
    Record {
        archive: ArchiveId,
        sink: Sink,
        scope: Scope,
    },
    /// What of a stream goes into a recording whose streams are chosen by hand.
    Choose {
        archive: ArchiveId,
        stream: StreamId,
        audio: bool,
        video: bool,
    },
    /// Stops copying, and drops the sink.
    StopRecording { archive: ArchiveId },
}

/// What of a session is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scope {
    pub audio: bool,
    pub video: bool,
    /// Of no stream anything before [`EngineCommand::Choose`].
    pub by_hand: bool,
}

impl Scope {
    /// Everything.
    pub const ALL: Scope = Scope {
        audio: true,
        video: true,
        by_hand: false,
    };
}

/// The longest SDP of an offer, in bytes.
pub const MAX_SDP: usize = 64 * 1024;

/// The most receive slots of a connection. Slots are numbered from 0, below this.
pub const MAX_SLOTS: u16 = 64;

/// The longest id of an m-line, in bytes. Browsers use one to three, and str0m stores 16.
pub const MAX_MID: usize = 16;

/// A client's offer, with what its m-lines mean.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Offer {
    /// Counts the client's offers from 1, so that a late answer is told from a current one.
    pub generation: u32,
    /// RFC 8866 text; 64 KiB at most.
    pub sdp: String,
    /// The m-lines the client sends on.
    #[serde(default)]
    pub tracks: Vec<PublishedTrack>,
    /// The pairs of m-lines the client receives on.
    #[serde(default)]
    pub slots: Vec<Slot>,
}

/// A track of a stream, and the m-line that carries it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PublishedTrack {
    pub mid: String,
    pub stream_id: StreamId,
    pub kind: MediaKind,
}

/// A pair of m-lines that shows one stream at a time; the client numbers its slots from 0.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Slot {
    pub slot: u16,
    pub audio_mid: String,
    pub video_mid: String,
}

/// What a subscriber wants of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubscriptionSettings {
    pub audio: bool,
    pub video: bool,
    /// Height in pixels at which the video is shown; `None`: as high as it comes.
    pub height: Option<u16>,
    /// Frames per second at most; `None`: as many as come.
    pub frame_rate: Option<u8>,
}

/// What the engine reports.
#[derive(Debug)]
pub enum EngineEvent {
    /// The answer to an offer.
    Answered {
        session: SessionId,
        connection: ConnectionId,
        request: u64,
        generation: u32,
        sdp: String,
    },
    /// An offer that cannot be answered, with a sentence for the client's developer.
    Refused {
        session: SessionId,
        connection: ConnectionId,
        request: u64,
        generation: u32,
        message: String,
    },
    /// Packets arrived from this connection; sent once a second while they do.
    Alive {
        session: SessionId,
        connection: ConnectionId,
    },
    /// The client closed its peer connection in order (DTLS `close_notify`).
    Closed {
        session: SessionId,
        connection: ConnectionId,
    },
}

/// Where the packets of a recorded session go.
///
/// A full queue drops the packet and counts it: recording never holds up a call.
pub type Sink = std::sync::mpsc::SyncSender<Recorded>;

/// What a recorder receives from the engine.
#[derive(Clone, Debug)]
pub enum Recorded {
    Packet(RecordedPacket),
    /// A publisher's RTCP sender report: the common clock of its tracks (RFC 3550 §6.4.1).
    SenderReport {
        stream: StreamId,
        kind: MediaKind,
        /// 32.32 fixed point seconds since 1900.
        ntp: u64,
        /// On the clock of [`RecordedPacket::timestamp`].
        rtp: u64,
        arrival: Instant,
    },
    /// The queue was full; so many packets of this track were not recorded.
    Dropped {
        stream: StreamId,
        kind: MediaKind,
        packets: u64,
    },
}

/// One RTP packet of the layer that is being recorded.
#[derive(Clone, Debug)]
pub struct RecordedPacket {
    pub stream: StreamId,
    pub kind: MediaKind,
    /// Extended, continuous over changes of the simulcast layer; holes are lost packets.
    pub sequence: u64,
    /// Extended, in units of 1/90,000 s (video) or 1/48,000 s (audio); continuous likewise.
    pub timestamp: u64,
    /// The last packet of a frame (RFC 3550 marker).
    pub marker: bool,
    pub arrival: Instant,
    /// VP8 (RFC 7741) or Opus (RFC 7587) payload.
    pub payload: Arc<[u8]>,
}
