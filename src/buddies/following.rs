//! What happens in the live sessions, told to the switchboard.
//!
//! A connection of the presence session whose token we made is a tab of a buddy; one that carries other data
//! belongs to a foreign application and is nobody. In the sessions of chats the same data say who of the two it is.

use serde::Deserialize;

use super::{
    Inner,
    desk::{Desk, Order, Perform},
    now,
};
use crate::{
    opentok::SessionId,
    presence::{Availability, DisconnectReason, Name, TabConnected, UserId},
    session::{ClientSignal, ConnectionId, ConnectionInfo, EndReason, Observer, Refusal},
};

/// What our tokens say of their holder: `{"name":"Ann","user":"…"}`.
#[derive(Deserialize)]
struct Badge {
    name: String,
    user: UserId,
}

impl Observer for Inner {
    fn joined(&self, session: &SessionId, connection: &ConnectionInfo) {
        let Ok(badge) = serde_json::from_str::<Badge>(&connection.data) else {
            return;
        };
        let mut desk = self.desk();
        if *session == self.presence {
            desk.tab_came(&badge, connection.connection_id);
        } else {
            desk.caller_came(session, badge.user, connection.connection_id);
        }
        drop(desk);
        self.work.notify_one();
    }

    fn left(&self, session: &SessionId, connection: ConnectionId, reason: EndReason) {
        let how = match reason {
            EndReason::NetworkDisconnected => DisconnectReason::Lost,
            EndReason::ServerStopping => return, // Nobody has left; the next start finds out who is back.
            EndReason::ClientDisconnected
            | EndReason::ForceDisconnected
            | EndReason::ForceUnpublished
            | EndReason::MediaStopped => DisconnectReason::Closed,
        };
        let mut desk = self.desk();
        if *session == self.presence {
            desk.kit.forget(connection);
            desk.act(|board, now| board.tab_disconnected(connection, how, now));
        } else {
            desk.act(|board, now| board.participant_disconnected(connection, how, now));
        }
        drop(desk);
        self.work.notify_one();
    }

    fn mediates(&self, session: &SessionId) -> bool {
        *session == self.presence
    }

    fn signalled(&self, _: &SessionId, signal: ClientSignal) -> Result<(), Refusal> {
        let verdict = self.desk().answer_kit(signal);
        self.work.notify_one();
        verdict
    }
}

impl Desk {
    fn tab_came(&mut self, badge: &Badge, connection: ConnectionId) {
        let Ok(name) = Name::parse(&badge.name) else {
            return;
        };
        let arrival = TabConnected {
            user: badge.user,
            name: &name,
            connection,
            availability: self.choices.remove(&badge.user),
        };
        // Others see a tab before they hear what its buddy does.
        let first = self.orders.len();
        self.act(|board, now| board.tab_connected(arrival, now));
        let doing = self
            .switchboard
            .roster()
            .availability_and_activity(badge.user);
        if doing.is_none_or(|(availability, _)| availability == Availability::Invisible) {
            return;
        }
        let show = Order::Show {
            tab: connection,
            is_seen: true,
        };
        self.orders.insert(first, show);
        self.kit
            .tab_came(badge.user, connection, &self.switchboard, &mut self.orders);
    }

    pub(super) fn caller_came(
        &mut self,
        session: &SessionId,
        user: UserId,
        connection: ConnectionId,
    ) {
        let now = now();
        if !self
            .switchboard
            .participant_connected(session, user, connection, now)
            && self.over.contains(session)
        {
            self.orders
                .push_back(Order::Perform(Perform::Close(session.clone())));
        }
        self.settle(now);
    }
}
