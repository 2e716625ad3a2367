//! What a session wants done.

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

/// One thing to do. To be carried out in the order in which they come.
#[derive(Debug)]
pub enum Effect {
    Send {
        socket: SocketId,
        message: OutboundMessage,
    },
    /// Closes a socket behind all that was sent to it.
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
    /// The first stream since somebody came is there.
    FirstStream,
    /// Somebody has connected.
    Joined(ConnectionInfo),
    /// A connection is over.
    Left {
        connection: ConnectionId,
        reason: EndReason,
    },
    /// For whoever monitors the session.
    Monitor(MonitorEventKind),
    /// A signal in a session that is mediated; to be answered by [`LiveSession::answer_mediated`](super::LiveSession::answer_mediated).
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
    /// The client said goodbye.
    Left,
    /// The connection is over; [`SessionEvent::Disconnected`](super::SessionEvent::Disconnected) said why.
    Ended(EndReason),
    /// Another socket has taken the connection over.
    Replaced,
    /// The client sent far too many messages; its connection is over.
    Flood,
    /// The client reads too slowly; it may resume.
    Overflow,
}

/// What happens to an archive for reasons of the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordingPhase {
    /// Nobody publishes any more.
    Paused,
    /// Somebody publishes again.
    Resumed,
    /// Nobody has published and nobody has been connected for a minute: it should be stopped.
    Abandoned,
}
