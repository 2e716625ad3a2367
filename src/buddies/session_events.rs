//! What happens in the live sessions, told to the switchboard.
//!
//! A connection of the presence session whose token we made is a tab of a buddy; one that carries other data
//! belongs to a foreign application and is nobody. In the sessions of chats the same data say who of the two it is.

use super::{
    Inner, now,
    state::{Effect, PlatformCall, State},
};
use crate::{
    common::{connection_data::ConnectionData, name::Name},
    opentok::SessionId,
    presence::{Availability, DisconnectReason, TabConnected, UserId},
    session::{ClientSignal, ConnectionId, ConnectionInfo, EndReason, Observer, Refusal},
};

impl Observer for Inner {
    fn joined(&self, session: &SessionId, connection: &ConnectionInfo) {
        let data = ConnectionData::parse(&connection.data).unwrap_or_default();
        let Some(user) = data.user else {
            return;
        };
        let mut state = self.state();
        if *session == self.presence {
            state.tab_connected(user, &data.name, connection.connection_id);
        } else {
            state.participant_connected(session, user, connection.connection_id);
        }
        drop(state);
        self.effects_ready.notify_one();
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
        let mut state = self.state();
        if *session == self.presence {
            state.presence_kit.forget(connection);
            state.act(|switchboard, now| switchboard.tab_disconnected(connection, how, now));
        } else {
            state
                .act(|switchboard, now| switchboard.participant_disconnected(connection, how, now));
        }
        drop(state);
        self.effects_ready.notify_one();
    }

    fn mediates(&self, session: &SessionId) -> bool {
        *session == self.presence
    }

    fn signalled(&self, _: &SessionId, signal: ClientSignal) -> Result<(), Refusal> {
        let verdict = self.state().answer_kit(signal);
        self.effects_ready.notify_one();
        verdict
    }
}

impl State {
    fn tab_connected(&mut self, user: UserId, name: &str, connection: ConnectionId) {
        let Ok(name) = Name::parse(name) else {
            return;
        };
        let arrival = TabConnected {
            user,
            name: &name,
            connection,
            availability: self.saved_availabilities.remove(&user),
        };
        // Others see a tab before they hear what its buddy does.
        let first = self.effects.len();
        self.act(|switchboard, now| switchboard.tab_connected(arrival, now));
        let doing = self.switchboard.roster().availability_and_activity(user);
        if doing.is_none_or(|(availability, _)| availability == Availability::Invisible) {
            return;
        }
        let show = Effect::SetTabVisibility {
            tab: connection,
            is_visible: true,
        };
        self.effects.insert(first, show);
        self.presence_kit
            .tab_connected(user, connection, &self.switchboard, &mut self.effects);
    }

    pub(super) fn participant_connected(
        &mut self,
        session: &SessionId,
        user: UserId,
        connection: ConnectionId,
    ) {
        let now = now();
        if !self
            .switchboard
            .participant_connected(session, user, connection, now)
            && self.recently_ended.contains(session)
        {
            self.effects
                .push_back(Effect::PlatformCall(PlatformCall::CloseSession(
                    session.clone(),
                )));
        }
        self.settle(now);
    }
}
