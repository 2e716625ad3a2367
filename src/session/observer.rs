//! The port for code that observes the live sessions, and that may mediate between their clients.

use serde_json::Value;

use super::{ConnectionId, ConnectionInfo, EndReason, Refusal};
use crate::opentok::SessionId;

/// Receives joins and leaves in the session's order. The session is locked during the call: an implementation
/// must not block and must not call into the live sessions.
pub trait Observer: Send + Sync {
    /// A client connected.
    fn joined(&self, session: &SessionId, connection: &ConnectionInfo);

    /// A connection ended. A lost socket ends its connection only when it is not resumed in time.
    fn left(&self, session: &SessionId, connection: ConnectionId, reason: EndReason);

    /// Whether the observer mediates this session: its clients get none of each other's signals
    /// ([`Observer::signalled`]), and see one another only when it says so
    /// (`LiveSession::show`). Called once, when the session opens.
    fn mediates(&self, session: &SessionId) -> bool;

    /// A client signals in a mediated session. No other client gets the signal; the result is the reply.
    ///
    /// # Errors
    /// The refusal is the reply to the sender.
    fn signalled(&self, session: &SessionId, signal: ClientSignal) -> Result<(), Refusal>;
}

/// A signal as a client sent it, within the bounds of signals.
#[derive(Clone, Debug, PartialEq)]
pub struct ClientSignal {
    pub from: ConnectionId,
    /// `None`: everyone.
    pub to: Option<ConnectionId>,
    pub signal_type: Option<String>,
    pub data: Option<Value>,
}
