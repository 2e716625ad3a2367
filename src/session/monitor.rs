//! Events for the application's server. OpenTok calls this session monitoring.

use super::{ConnectionInfo, EndReason, StreamInfo};
use crate::opentok::SessionId;

/// An event of a session, with its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MonitorEvent {
    pub session: SessionId,
    /// Unix time, ms.
    pub at_ms: i64,
    pub kind: MonitorEventKind,
}

/// What happened. A connection or stream is reported when other clients can see it. Each one that was created is
/// destroyed once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MonitorEventKind {
    /// The first client connects. [`MonitorEventKind::ConnectionCreated`] follows.
    SessionCreated,
    /// The last connection ended.
    SessionDestroyed,
    ConnectionCreated(ConnectionInfo),
    /// Follows [`MonitorEventKind::StreamDestroyed`] of each of its streams.
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

/// Receives the events of every session in order. The session is locked during the call: an implementation must
/// not block and must not call into the live sessions.
pub trait Monitor: Send + Sync {
    fn report(&self, report: MonitorEvent);
}
