//! Somebody who follows what happens in the live sessions.

use serde_json::Value;

use super::{ConnectionId, ConnectionInfo, EndReason, Refusal};
use crate::opentok::SessionId;

/// Is told of every coming and going, in the session's order, while the session is locked: it must not wait,
/// and must not ask anything of the live sessions.
pub trait Observer: Send + Sync {
    /// Somebody has connected.
    fn joined(&self, session: &SessionId, connection: &ConnectionInfo);

    /// A connection is over. A lost socket is told of only when it was not resumed in time.
    fn left(&self, session: &SessionId, connection: ConnectionId, reason: EndReason);

    /// Whether the observer stands between the clients of this session: they hear none of each other's signals
    /// ([`Observer::signalled`]), and see one another only when it says so
    /// ([`Sessions::show`](super::Sessions::show)). Asked when the session comes to life.
    fn mediates(&self, session: &SessionId) -> bool;

    /// A client signals in a session that is mediated. Nobody else hears of it; what the sender hears is this.
    ///
    /// # Errors
    /// Told to the sender.
    fn signalled(&self, session: &SessionId, signal: ClientSignal) -> Result<(), Refusal>;
}

/// A signal as a client sent it, within the bounds of signals.
#[derive(Clone, Debug, PartialEq)]
pub struct ClientSignal {
    pub from: ConnectionId,
    /// `None`: everybody.
    pub to: Option<ConnectionId>,
    pub signal_type: Option<String>,
    pub data: Option<Value>,
}
