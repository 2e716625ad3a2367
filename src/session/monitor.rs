//! What an application's server may hear of the live sessions. OpenTok calls it session monitoring.

use super::{ConnectionInfo, EndReason, StreamInfo};
use crate::opentok::SessionId;

/// Something that happened in a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MonitorEvent {
    pub session: SessionId,
    /// Unix time, ms.
    pub at_ms: i64,
    pub kind: MonitorEventKind,
}

/// What happened. Connections and streams are told of when others can hear of them, and each that was created is
/// destroyed once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MonitorEventKind {
    /// Somebody connects while nobody else is connected. [`MonitorEventKind::ConnectionCreated`] follows.
    SessionCreated,
    /// Nobody is connected any more.
    SessionDestroyed,
    ConnectionCreated(ConnectionInfo),
    /// Comes behind [`MonitorEventKind::StreamDestroyed`] of each of its streams.
    ConnectionDestroyed {
        connection: ConnectionInfo,
        reason: EndReason,
    },
    StreamCreated {
        stream: StreamInfo,
        connection: ConnectionInfo,
    },
    StreamDestroyed {
        stream: StreamInfo,
        connection: ConnectionInfo,
        reason: EndReason,
    },
}

/// Is told of all of it, in the session's order, while the session is locked: it must not wait, and must not ask
/// anything of the live sessions.
pub trait Monitor: Send + Sync {
    fn report(&self, report: MonitorEvent);
}
