//! Who is in the chats, on a platform that does not tell who comes and goes.
//!
//! A page says which connection of the chat's session is its own ([`Buddies::connected`](super::Buddies::connected)).
//! Nobody has to believe it: it counts once the platform lists that connection, and until it no longer does. The
//! platform is asked about once a second, as long as there is a chat.

use std::{collections::HashMap, time::Duration};

use futures_util::{StreamExt, stream};
use tracing::debug;

use super::{Inner, state::State};
use crate::{
    opentok::SessionId,
    presence::{DisconnectReason, UserId},
    session::ConnectionId,
};

/// How often the platform is asked. Higher: a closed window is noticed later, where the presence session does not tell.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Chats that are asked about at once.
const MAX_CONCURRENT_POLLS: usize = 8;

/// Of each of the two. Who reloads leaves one behind, until the platform has noticed.
const MAX_PER_USER: usize = 4;

/// Lists that a connection has to be missing from, one after the other, before it counts as gone: the platform may be
/// asked of several machines that do not know the same.
const MAX_MISSED_LISTINGS: u32 = 2;

/// Who says to be in which chat.
#[derive(Debug, Default)]
pub(super) struct RemoteParticipants {
    by_session: HashMap<SessionId, Vec<RemoteParticipant>>,
    /// How often the platform has been asked.
    poll: u64,
}

#[derive(Debug)]
struct RemoteParticipant {
    user: UserId,
    connection: ConnectionId,
    /// Which list had it last; `None`: none has.
    listed: Option<u64>,
    /// How many have not, since.
    missed: u32,
}

/// A question to the platform; answers may overtake one another.
#[derive(Clone, Copy, Debug)]
struct PollId(u64);

/// What the platform's list means.
#[derive(Debug, Default, PartialEq, Eq)]
struct ParticipantChanges {
    connected: Vec<(UserId, ConnectionId)>,
    disconnected: Vec<ConnectionId>,
}

impl RemoteParticipants {
    /// What one of the two says. The oldest that is not true makes room. Returns whether to ask about it at once: not
    /// while this person says something else that is not true, since a page may say anything, as often as it likes.
    pub(super) fn add(
        &mut self,
        session: &SessionId,
        user: UserId,
        connection: ConnectionId,
    ) -> bool {
        let remote_participants = self.by_session.entry(session.clone()).or_default();
        if remote_participants
            .iter()
            .any(|participant| participant.connection == connection)
        {
            return false; // connections never change hands
        }
        let oldest_untrue = remote_participants
            .iter()
            .position(|participant| participant.user == user && participant.listed.is_none());
        if remote_participants
            .iter()
            .filter(|participant| participant.user == user)
            .count()
            >= MAX_PER_USER
        {
            match oldest_untrue {
                Some(oldest) => drop(remote_participants.remove(oldest)),
                None => return false,
            }
        }
        remote_participants.push(RemoteParticipant {
            user,
            connection,
            listed: None,
            missed: 0,
        });
        oldest_untrue.is_none()
    }

    /// The chat is over.
    pub(super) fn forget(&mut self, session: &SessionId) {
        self.by_session.remove(session);
    }

    fn sessions(&self) -> Vec<SessionId> {
        self.by_session.keys().cloned().collect()
    }

    /// To be called before the platform is asked.
    fn next_poll(&mut self) -> PollId {
        self.poll += 1;
        PollId(self.poll)
    }

    /// Compares with those who are connected.
    fn apply_listing(
        &mut self,
        session: &SessionId,
        PollId(poll): PollId,
        connected: &[ConnectionId],
    ) -> ParticipantChanges {
        let mut changes = ParticipantChanges::default();
        let Some(remote_participants) = self.by_session.get_mut(session) else {
            return changes;
        };
        for participant in remote_participants {
            if connected.contains(&participant.connection) {
                if participant.listed.is_none() {
                    changes
                        .connected
                        .push((participant.user, participant.connection));
                }
                participant.listed = participant.listed.max(Some(poll));
                participant.missed = 0;
                continue;
            }
            match participant.listed {
                // The answer is older than the one that had it.
                Some(listed) if listed > poll => {}
                Some(_) => {
                    participant.missed += 1;
                    if participant.missed >= MAX_MISSED_LISTINGS {
                        changes.disconnected.push(participant.connection);
                        // The page says it once only, and may be right all the same.
                        participant.listed = None;
                    }
                }
                _ => {}
            }
        }
        changes
    }
}

impl Inner {
    /// Looks after the chats, where nobody else does.
    pub(super) async fn poll_remote_chats(&self) {
        if !self.is_remote() {
            return;
        }
        loop {
            let sessions = self.state().remote_participants.sessions();
            if sessions.is_empty() {
                self.participant_added.notified().await;
                continue;
            }
            stream::iter(sessions)
                .for_each_concurrent(MAX_CONCURRENT_POLLS, |session| async move {
                    self.poll_participants(&session).await;
                })
                .await;
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    /// Asks the platform who is in a chat.
    pub(super) async fn poll_participants(&self, session: &SessionId) {
        let poll = self.state().remote_participants.next_poll();
        let connected = match self.platform.connections(session).await {
            Ok(connected) => connected,
            // A call goes on without it, so nobody has left.
            Err(problem) => {
                debug!(session.id = %session, "Nobody knows who is in a chat: {problem}");
                return;
            }
        };
        self.state().connected(session, poll, &connected);
        self.effects_ready.notify_one();
    }
}

impl State {
    fn connected(&mut self, session: &SessionId, poll: PollId, connected: &[ConnectionId]) {
        let changes = self
            .remote_participants
            .apply_listing(session, poll, connected);
        // Who reloads is there again before the other connection is gone.
        for (user, connection) in changes.connected {
            self.participant_connected(session, user, connection);
        }
        for connection in changes.disconnected {
            // The platform does not say how.
            self.act(|switchboard, now| {
                switchboard.participant_disconnected(connection, DisconnectReason::Unlisted, now);
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids<const N: usize>() -> [ConnectionId; N] {
        std::array::from_fn(|_| ConnectionId::random())
    }

    struct Chat {
        remote_participants: RemoteParticipants,
        session: SessionId,
        ann: UserId,
    }

    impl Chat {
        fn new() -> Chat {
            Chat {
                remote_participants: RemoteParticipants::default(),
                session: SessionId::from("2_a"),
                ann: UserId::random(),
            }
        }

        fn say(&mut self, user: UserId, connection: ConnectionId) -> bool {
            self.remote_participants
                .add(&self.session, user, connection)
        }

        fn list(&mut self, connected: &[ConnectionId]) -> ParticipantChanges {
            let poll = self.remote_participants.next_poll();
            self.remote_participants
                .apply_listing(&self.session, poll, connected)
        }
    }

    fn connected(user: UserId, connection: ConnectionId) -> ParticipantChanges {
        ParticipantChanges {
            connected: vec![(user, connection)],
            disconnected: Vec::new(),
        }
    }

    #[test]
    fn what_a_page_says_counts_while_the_platform_agrees() {
        let mut chat = Chat::new();
        let [own, others] = ids();
        chat.say(chat.ann, own);
        assert_eq!(chat.list(&[others]), ParticipantChanges::default());
        assert_eq!(chat.list(&[others, own]), connected(chat.ann, own));
        assert_eq!(chat.list(&[own]), ParticipantChanges::default());
        assert_eq!(
            chat.list(&[]),
            ParticipantChanges::default(),
            "it may be listed again"
        );
        assert_eq!(chat.list(&[own]), ParticipantChanges::default());
        chat.list(&[]);
        let left = ParticipantChanges {
            connected: Vec::new(),
            disconnected: vec![own],
        };
        assert_eq!(chat.list(&[]), left);
        assert_eq!(chat.list(&[]), ParticipantChanges::default());
        assert_eq!(
            chat.list(&[own]),
            connected(chat.ann, own),
            "it was a mistake"
        );
        assert_eq!(chat.list(&[]), ParticipantChanges::default());
    }

    #[test]
    fn an_answer_that_was_overtaken_takes_nobody_away() {
        let mut chat = Chat::new();
        let [own] = ids();
        let early = [
            chat.remote_participants.next_poll(),
            chat.remote_participants.next_poll(),
        ];
        chat.say(chat.ann, own);
        assert_eq!(chat.list(&[own]), connected(chat.ann, own));
        for poll in early {
            let changes = chat
                .remote_participants
                .apply_listing(&chat.session, poll, &[]);
            assert_eq!(changes, ParticipantChanges::default());
        }
    }

    #[test]
    fn a_connection_belongs_to_whoever_named_it_first() {
        let mut chat = Chat::new();
        let [connection] = ids();
        assert!(chat.say(chat.ann, connection));
        assert!(!chat.say(chat.ann, connection), "it is known");
        assert!(!chat.say(UserId::random(), connection));
        assert_eq!(chat.list(&[connection]), connected(chat.ann, connection));
    }

    #[test]
    fn nobody_has_the_platform_asked_as_often_as_they_like() {
        let mut chat = Chat::new();
        let [own, made_up, again, others] = ids();
        assert!(chat.say(chat.ann, own));
        chat.list(&[own]);
        assert!(chat.say(chat.ann, made_up), "so far all was true");
        assert!(!chat.say(chat.ann, again), "the next look is soon enough");
        assert!(chat.say(UserId::random(), others));
        assert_eq!(chat.list(&[own, again]), connected(chat.ann, again));
    }

    #[test]
    fn nobody_fills_the_memory_with_claims() {
        let mut chat = Chat::new();
        let [first] = ids();
        chat.say(chat.ann, first);
        chat.list(&[first]);
        let many: [_; 20] = ids();
        for connection in many {
            chat.say(chat.ann, connection);
        }
        assert_eq!(
            chat.remote_participants.by_session[&chat.session].len(),
            MAX_PER_USER
        );
        let [.., last] = many;
        assert_eq!(chat.list(&[first, last]), connected(chat.ann, last));
        chat.remote_participants.forget(&chat.session);
        assert!(chat.remote_participants.sessions().is_empty());
    }
}
