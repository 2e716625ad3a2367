//! Chats: calls of two, from the acceptance of an invitation until either ends it or is gone.

use std::{
    collections::{BTreeSet, HashMap},
    time::{Duration, Instant},
};

use serde::Serialize;

use super::message::ChatView;
use crate::{
    clock::Now,
    opentok::SessionId,
    presence::{DisconnectReason, GracePeriod, Person, UserId},
    session::ConnectionId,
};

/// Both have to be in the session by then: connecting needs neither camera nor permission.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(60);

/// What is kept of a chat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChatRecord {
    pub session: SessionId,
    pub inviter: Person,
    pub invitee: Person,
    /// Unix time, ms.
    pub started_at_ms: i64,
}

/// How a chat ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChatEnd {
    pub session: SessionId,
    /// Unix time, ms.
    pub ended_at_ms: i64,
    pub reason: ChatEndReason,
    /// Who ended it, or went away.
    pub by: UserId,
}

/// Why a chat ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ChatEndReason {
    /// One of the two hung up.
    Ended,
    /// One of the two closed the tab, or lost the network for too long.
    Gone,
    /// One of the two never came.
    NotConnected,
}

#[derive(Debug)]
pub(super) struct Chat {
    session: SessionId,
    /// The inviter and the invitee.
    participants: [Participant; 2],
    started_at_ms: i64,
}

#[derive(Debug)]
pub(super) struct Participant {
    person: Person,
    /// The connection in the presence session that invited or accepted.
    tab: Option<ConnectionId>,
    /// In the chat's session.
    connections: Vec<ConnectionId>,
    has_joined: bool,
    /// While there is no connection.
    grace: Option<GracePeriod>,
}

/// One of the two, and the tab that invited or accepted.
pub(super) struct NewParticipant {
    pub(super) person: Person,
    pub(super) tab: Option<ConnectionId>,
}

/// The chats that go on. Nobody is in two.
#[derive(Debug, Default)]
pub(super) struct Chats {
    by_session: HashMap<SessionId, Chat>,
    of_user: HashMap<UserId, SessionId>,
    connections: HashMap<ConnectionId, UserId>,
    /// When the wait for somebody ends.
    without_connection: BTreeSet<(Instant, UserId)>,
}

impl Chats {
    /// Opens a chat of two who are in none.
    pub(super) fn start(
        &mut self,
        session: SessionId,
        participants: [NewParticipant; 2],
        now: Now,
    ) -> &Chat {
        let participants = participants.map(|NewParticipant { person, tab }| {
            let grace = GracePeriod::for_first_connection(CONNECT_TIMEOUT, now.at);
            self.without_connection.insert((grace.until(), person.id));
            self.of_user.insert(person.id, session.clone());
            Participant {
                person,
                tab,
                connections: Vec::new(),
                has_joined: false,
                grace: Some(grace),
            }
        });
        self.by_session.entry(session.clone()).or_insert(Chat {
            session,
            participants,
            started_at_ms: now.unix_ms,
        })
    }

    /// Closes a chat. Nobody is in it any more.
    pub(super) fn end(&mut self, session: &SessionId) -> Option<Chat> {
        let chat = self.by_session.remove(session)?;
        for participant in &chat.participants {
            self.of_user.remove(&participant.person.id);
            for connection in &participant.connections {
                self.connections.remove(connection);
            }
            if let Some(grace) = participant.grace {
                self.without_connection
                    .remove(&(grace.until(), participant.person.id));
            }
        }
        Some(chat)
    }

    /// One of the two has connected to the chat's session. `false`: it is none of this user's chats.
    pub(super) fn connected(
        &mut self,
        session: &SessionId,
        user: UserId,
        connection: ConnectionId,
    ) -> bool {
        let Some(participant) = self
            .by_session
            .get_mut(session)
            .and_then(|chat| chat.participant_mut(user))
        else {
            return false;
        };
        if *self.connections.entry(connection).or_insert(user) != user {
            return false; // connections never change hands
        }
        if !participant.connections.contains(&connection) {
            participant.connections.push(connection);
        }
        participant.has_joined = true;
        if let Some(grace) = participant.grace.take() {
            self.without_connection.remove(&(grace.until(), user));
        }
        true
    }

    /// A connection in a chat's session is gone; its user is waited for a while.
    pub(super) fn disconnected(
        &mut self,
        connection: ConnectionId,
        reason: DisconnectReason,
        is_expected: impl Fn(UserId) -> bool,
        now: Instant,
    ) {
        let Some(user) = self.connections.remove(&connection) else {
            return;
        };
        let Some(participant) = self.participant_mut(user) else {
            return;
        };
        participant.connections.retain(|other| *other != connection);
        if participant.connections.is_empty() {
            let grace = GracePeriod::begin(reason, is_expected(user), now);
            participant.grace = Some(grace);
            self.without_connection.insert((grace.until(), user));
        }
    }

    /// The user's page is on its way.
    pub(super) fn expect_back(&mut self, user: UserId) {
        let Some(grace) = self
            .participant_mut(user)
            .and_then(|participant| participant.grace.as_mut())
        else {
            return;
        };
        let before = grace.until();
        grace.expect_back();
        let until = grace.until();
        self.without_connection.remove(&(before, user));
        self.without_connection.insert((until, user));
    }

    /// Somebody who has been away from a chat for too long, and what to call that.
    pub(super) fn overdue(&self, now: Instant) -> Option<(UserId, ChatEndReason)> {
        let (_, user) = self
            .without_connection
            .first()
            .filter(|(until, _)| *until <= now)?;
        let participant = self.of(*user)?.participant(*user)?;
        let reason = if participant.has_joined {
            ChatEndReason::Gone
        } else {
            ChatEndReason::NotConnected
        };
        Some((*user, reason))
    }

    pub(super) fn due(&self) -> Option<Instant> {
        self.without_connection.first().map(|(until, _)| *until)
    }

    pub(super) fn get(&self, session: &SessionId) -> Option<&Chat> {
        self.by_session.get(session)
    }

    /// The chat the user is in.
    pub(super) fn of(&self, user: UserId) -> Option<&Chat> {
        self.by_session.get(self.of_user.get(&user)?)
    }

    fn participant_mut(&mut self, user: UserId) -> Option<&mut Participant> {
        self.by_session
            .get_mut(self.of_user.get(&user)?)?
            .participant_mut(user)
    }

    #[cfg(test)]
    pub(super) fn all(&self) -> impl Iterator<Item = &Chat> {
        self.by_session.values()
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.by_session.is_empty()
            && self.of_user.is_empty()
            && self.connections.is_empty()
            && self.without_connection.is_empty()
    }
}

impl Chat {
    pub(super) fn session(&self) -> &SessionId {
        &self.session
    }

    pub(super) fn has(&self, user: UserId) -> bool {
        self.participant(user).is_some()
    }

    pub(super) fn people(&self) -> [&Person; 2] {
        [&self.participants[0].person, &self.participants[1].person]
    }

    pub(super) fn record(&self) -> ChatRecord {
        ChatRecord {
            session: self.session.clone(),
            inviter: self.participants[0].person.clone(),
            invitee: self.participants[1].person.clone(),
            started_at_ms: self.started_at_ms,
        }
    }

    /// The chat as `user`, one of the two, sees it; `tabs` are those the user has open.
    pub(super) fn view_for(&self, user: UserId, tabs: &[ConnectionId]) -> ChatView {
        let [inviter, invitee] = &self.participants;
        let is_inviter = inviter.person.id == user;
        let (own, other) = if is_inviter {
            (inviter, invitee)
        } else {
            (invitee, inviter)
        };
        ChatView {
            session_id: self.session.clone(),
            with: other.person.clone(),
            is_inviter,
            started_at_ms: self.started_at_ms,
            tab: own.tab.filter(|tab| tabs.contains(tab)),
            recording: None,
        }
    }

    fn participant(&self, user: UserId) -> Option<&Participant> {
        self.participants
            .iter()
            .find(|participant| participant.person.id == user)
    }

    fn participant_mut(&mut self, user: UserId) -> Option<&mut Participant> {
        self.participants
            .iter_mut()
            .find(|participant| participant.person.id == user)
    }
}
