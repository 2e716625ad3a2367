//! Who is in the chats, on a platform that does not tell who comes and goes.
//!
//! A page says which connection of the chat's session is its own ([`Buddies::connected`](super::Buddies::connected)).
//! Nobody has to believe it: it counts once the platform lists that connection, and until it no longer does. The
//! platform is asked about once a second, as long as there is a chat.

use std::{collections::HashMap, time::Duration};

use futures_util::{StreamExt, stream};
use tracing::debug;

use super::{Inner, desk::Desk};
use crate::{
    opentok::SessionId,
    presence::{DisconnectReason, UserId},
    session::ConnectionId,
};

/// How often the platform is asked. Higher: a closed window is noticed later, where the presence session does not tell.
const EVERY: Duration = Duration::from_secs(1);

/// Chats that are asked about at once.
const AT_ONCE: usize = 8;

/// Of each of the two. Who reloads leaves one behind, until the platform has noticed.
const PER_USER: usize = 4;

/// Lists that a connection has to be missing from, one after the other, before it counts as gone: the platform may be
/// asked of several machines that do not know the same.
const MISSED: u32 = 2;

/// Who says to be in which chat.
#[derive(Debug, Default)]
pub(super) struct Claims {
    by_session: HashMap<SessionId, Vec<Claim>>,
    /// How often the platform has been asked.
    asked: u64,
}

#[derive(Debug)]
struct Claim {
    user: UserId,
    connection: ConnectionId,
    /// Which list had it last; `None`: none has.
    listed: Option<u64>,
    /// How many have not, since.
    missed: u32,
}

/// A question to the platform; answers may overtake one another.
#[derive(Clone, Copy, Debug)]
struct Asked(u64);

/// What the platform's list means.
#[derive(Debug, Default, PartialEq, Eq)]
struct Changes {
    came: Vec<(UserId, ConnectionId)>,
    left: Vec<ConnectionId>,
}

impl Claims {
    /// What one of the two says. The oldest that is not true makes room. Returns whether to ask about it at once: not
    /// while this person says something else that is not true, since a page may say anything, as often as it likes.
    pub(super) fn add(
        &mut self,
        session: &SessionId,
        user: UserId,
        connection: ConnectionId,
    ) -> bool {
        let claims = self.by_session.entry(session.clone()).or_default();
        if claims.iter().any(|claim| claim.connection == connection) {
            return false; // connections never change hands
        }
        let oldest_untrue = claims
            .iter()
            .position(|claim| claim.user == user && claim.listed.is_none());
        if claims.iter().filter(|claim| claim.user == user).count() >= PER_USER {
            match oldest_untrue {
                Some(oldest) => drop(claims.remove(oldest)),
                None => return false,
            }
        }
        claims.push(Claim {
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
    fn ask(&mut self) -> Asked {
        self.asked += 1;
        Asked(self.asked)
    }

    /// Compares with those who are connected.
    fn compare(
        &mut self,
        session: &SessionId,
        Asked(asked): Asked,
        connected: &[ConnectionId],
    ) -> Changes {
        let mut changes = Changes::default();
        let Some(claims) = self.by_session.get_mut(session) else {
            return changes;
        };
        for claim in claims {
            if connected.contains(&claim.connection) {
                if claim.listed.is_none() {
                    changes.came.push((claim.user, claim.connection));
                }
                claim.listed = claim.listed.max(Some(asked));
                claim.missed = 0;
                continue;
            }
            match claim.listed {
                // The answer is older than the one that had it.
                Some(listed) if listed > asked => {}
                Some(_) => {
                    claim.missed += 1;
                    if claim.missed >= MISSED {
                        changes.left.push(claim.connection);
                        // The page says it once only, and may be right all the same.
                        claim.listed = None;
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
    pub(super) async fn watch(&self) {
        if !self.is_elsewhere() {
            return;
        }
        loop {
            let sessions = self.desk().claims.sessions();
            if sessions.is_empty() {
                self.claimed.notified().await;
                continue;
            }
            stream::iter(sessions)
                .for_each_concurrent(AT_ONCE, |session| async move {
                    self.look_into(&session).await;
                })
                .await;
            tokio::time::sleep(EVERY).await;
        }
    }

    /// Asks the platform who is in a chat.
    pub(super) async fn look_into(&self, session: &SessionId) {
        let asked = self.desk().claims.ask();
        let connected = match self.platform.connections(session).await {
            Ok(connected) => connected,
            // A call goes on without it, so nobody has left.
            Err(problem) => {
                debug!(session.id = %session, "Nobody knows who is in a chat: {problem}");
                return;
            }
        };
        self.desk().connected(session, asked, &connected);
        self.work.notify_one();
    }
}

impl Desk {
    fn connected(&mut self, session: &SessionId, asked: Asked, connected: &[ConnectionId]) {
        let changes = self.claims.compare(session, asked, connected);
        // Who reloads is there again before the other connection is gone.
        for (user, connection) in changes.came {
            self.caller_came(session, user, connection);
        }
        for connection in changes.left {
            // The platform does not say how.
            self.act(|board, now| {
                board.participant_disconnected(connection, DisconnectReason::Unlisted, now)
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
        claims: Claims,
        session: SessionId,
        ann: UserId,
    }

    impl Chat {
        fn new() -> Chat {
            Chat {
                claims: Claims::default(),
                session: SessionId::from("2_a"),
                ann: UserId::random(),
            }
        }

        fn say(&mut self, user: UserId, connection: ConnectionId) -> bool {
            self.claims.add(&self.session, user, connection)
        }

        fn list(&mut self, connected: &[ConnectionId]) -> Changes {
            let asked = self.claims.ask();
            self.claims.compare(&self.session, asked, connected)
        }
    }

    fn came(user: UserId, connection: ConnectionId) -> Changes {
        Changes {
            came: vec![(user, connection)],
            left: Vec::new(),
        }
    }

    #[test]
    fn what_a_page_says_counts_while_the_platform_agrees() {
        let mut chat = Chat::new();
        let [own, others] = ids();
        chat.say(chat.ann, own);
        assert_eq!(chat.list(&[others]), Changes::default());
        assert_eq!(chat.list(&[others, own]), came(chat.ann, own));
        assert_eq!(chat.list(&[own]), Changes::default());
        assert_eq!(chat.list(&[]), Changes::default(), "it may be listed again");
        assert_eq!(chat.list(&[own]), Changes::default());
        chat.list(&[]);
        let left = Changes {
            came: Vec::new(),
            left: vec![own],
        };
        assert_eq!(chat.list(&[]), left);
        assert_eq!(chat.list(&[]), Changes::default());
        assert_eq!(chat.list(&[own]), came(chat.ann, own), "it was a mistake");
        assert_eq!(chat.list(&[]), Changes::default());
    }

    #[test]
    fn an_answer_that_was_overtaken_takes_nobody_away() {
        let mut chat = Chat::new();
        let [own] = ids();
        let early = [chat.claims.ask(), chat.claims.ask()];
        chat.say(chat.ann, own);
        assert_eq!(chat.list(&[own]), came(chat.ann, own));
        for asked in early {
            let changes = chat.claims.compare(&chat.session, asked, &[]);
            assert_eq!(changes, Changes::default());
        }
    }

    #[test]
    fn a_connection_belongs_to_whoever_named_it_first() {
        let mut chat = Chat::new();
        let [connection] = ids();
        assert!(chat.say(chat.ann, connection));
        assert!(!chat.say(chat.ann, connection), "it is known");
        assert!(!chat.say(UserId::random(), connection));
        assert_eq!(chat.list(&[connection]), came(chat.ann, connection));
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
        assert_eq!(chat.list(&[own, again]), came(chat.ann, again));
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
        assert_eq!(chat.claims.by_session[&chat.session].len(), PER_USER);
        let [.., last] = many;
        assert_eq!(chat.list(&[first, last]), came(chat.ann, last));
        chat.claims.forget(&chat.session);
        assert!(chat.claims.sessions().is_empty());
    }
}
