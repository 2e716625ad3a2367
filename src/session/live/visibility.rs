//! Who is seen by others, in a session that is mediated.

use super::LiveSession;
use crate::session::{
    ConnectionId,
    event::{ConnectionInfo, EndReason, SessionEvent},
};

impl LiveSession {
    /// Shows a connection to the others as if it came just now, or hides it from them as if it had left. Nothing
    /// happens to the connection itself.
    pub fn show(&mut self, id: ConnectionId, is_seen: bool) {
        let Some(info) = self.connections.get(&id).map(|c| c.info.clone()) else {
            return;
        };
        let event = if is_seen {
            let was_hidden = self.hidden.remove(&id);
            was_hidden.then_some(SessionEvent::ConnectionCreated { connection: info })
        } else {
            let was_seen = self.hidden.insert(id);
            was_seen.then_some(SessionEvent::ConnectionDestroyed {
                connection_id: id,
                reason: EndReason::ClientDisconnected,
            })
        };
        // One is always there to oneself.
        let is_curious = self.curious.remove(&id);
        if let Some(event) = event {
            self.tell_curious(event);
        }
        if is_curious {
            self.curious.insert(id);
        }
    }

    /// The connections a client knows of: itself, and those that are not hidden.
    pub(super) fn seen_by(&self, id: ConnectionId) -> Vec<ConnectionInfo> {
        let mut people = self.people();
        people
            .retain(|info| info.connection_id == id || !self.hidden.contains(&info.connection_id));
        people
    }
}
