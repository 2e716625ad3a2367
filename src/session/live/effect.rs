//! What a session asks its rim to do.

use std::sync::Arc;

use crate::{
    common::id::ArchiveId,
    session::recording::TimelineEvent,
    session::{
        ClientSignal, ConnectionId, MonitorEventKind,
        event::{ConnectionInfo, EndReason, ReplyBody, SharedEvent},
        media::EngineCommand,
    },
};

/// One WebSocket. A connection has several in its life, but one at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SocketId(pub u64);

/// An effect. The registry runs effects in their order.
#[derive(Debug)]
pub enum Effect {
    Send {
        socket: SocketId,
        message: OutboundMessage,
    },
    /// Closes a socket after everything that was sent to it.
    Close {
        socket: SocketId,
        why: Closing,
    },
    Media(EngineCommand),
    Note {
        archive: ArchiveId,
        note: TimelineEvent,
    },
    Recording {
        archive: ArchiveId,
        phase: RecordingPhase,
    },
    /// The first stream was published since the session was empty.
    FirstStream,
    /// A client connected.
    Joined(ConnectionInfo),
    /// A connection ended.
    Left {
        connection: ConnectionId,
        reason: EndReason,
    },
    /// For the monitor.
    Monitor(MonitorEventKind),
    /// A signal in a mediated session; the answer comes by [`LiveSession::answer_mediated`](super::LiveSession::answer_mediated).
    Mediate {
        socket: SocketId,
        request: u64,
        signal: ClientSignal,
    },
}

/// A message to a client.
#[derive(Clone, Debug)]
pub enum OutboundMessage {
    Reply { request: u64, outcome: ReplyBody },
    Event { n: u64, event: Arc<SharedEvent> },
}

/// Why the server closes a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closing {
    /// The client left.
    Left,
    /// The connection is over; [`SessionEvent::Disconnected`](super::SessionEvent::Disconnected) said why.
    Ended(EndReason),
    /// Another socket took over the connection.
    Replaced,
    /// The client sent too many messages; its connection ended.
    Flood,
    /// The client reads too slowly; it may resume.
    Overflow,
}

/// What a session reports about its archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordingPhase {
    /// The last stream ended.
    Paused,
    /// A stream was published again.
    Resumed,
    /// The session was empty for a minute: the archive should stop.
    Abandoned,
}
