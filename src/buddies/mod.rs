//! The buddies of this server: the switchboard, tied to a platform, a database and the clock.
//!
//! ```text
//! sessions: who comes, goes, signals ──▶ ┌──────┐      ┌─────────┐ ──▶ signals to tabs
//! pages: invite, accept, end, …      ──▶ │ Desk │ ──▶  │ carrier │ ──▶ database, sessions, archives
//! the clock                          ──▶ └──────┘      └─────────┘
//! ```
//!
//! Whatever happens is applied to the [`Desk`] under one lock, held for moments and never while a session is
//! asked for anything. What is to be done because of it waits there as [`Order`]s, which one task carries out
//! in their order (`carrier.rs`), so everybody hears of things in the order in which they happened.

mod carrier;
mod desk;
mod following;
mod kit;
mod watch;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde::Serialize;
use sqlx::SqlitePool;
use tokio::sync::Notify;
use tracing::info;

use self::desk::{Desk, Keep, Order};
use crate::{
    clock::{self, Now},
    invitation::{
        self, AnswerError, BuddySnapshot, ChatView, InvitationId, InvitationOutcome, Invite,
        InviteRefusal, InviteResult, JoinError, OutgoingInvitation, RecordingAction,
        RecordingError, Switchboard,
    },
    opentok::SessionId,
    platform::{LocalPresence, Platform, PlatformError},
    presence::{self, Availability, Name, RosterPage, RosterQuery, UserId},
    session::ConnectionId,
};

/// What somebody chose to be is remembered for so long.
const CHOICES_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// And of so many at most.
const CHOICES_MAX: u32 = 10_000;

/// The buddies of one server. Clones are the same buddies.
#[derive(Clone)]
pub struct Buddies(Arc<Inner>);

struct Inner {
    /// Where they talk.
    platform: Arc<dyn Platform>,
    /// Where they meet.
    lobby: Arc<dyn LocalPresence>,
    db: SqlitePool,
    api_key: String,
    presence: SessionId,
    desk: Mutex<Desk>,
    /// There are orders, or something is due earlier than before.
    work: Notify,
    /// Somebody says to be in a chat.
    claimed: Notify,
}

/// What came of an invitation at once.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum Answer {
    Ringing(OutgoingInvitation),
    Connected { chat: Option<ChatView> },
    Answered { outcome: InvitationOutcome },
}

/// Why an invitation was not sent.
#[derive(Debug, thiserror::Error)]
pub enum InviteError {
    #[error(transparent)]
    Refused(#[from] InviteRefusal),
    #[error(transparent)]
    Platform(#[from] PlatformError),
}

impl Buddies {
    /// Takes up the presence session (made on the first start), and ends the chats that the last stop of the
    /// server interrupted.
    ///
    /// # Errors
    /// When the database or the platform does not answer.
    pub async fn open(
        platform: Arc<dyn Platform>,
        lobby: Arc<dyn LocalPresence>,
        db: SqlitePool,
        api_key: u32,
    ) -> anyhow::Result<Buddies> {
        let presence = presence_session(&*lobby, &db, api_key).await?;
        let now_ms = clock::now_ms();
        for session in invitation::store::end_interrupted(&db, now_ms).await? {
            platform.close_session(&session).await?;
            info!(session.id = %session, "A chat ended with the last stop of the server");
        }
        let day = i64::try_from(CHOICES_FOR.as_millis()).unwrap_or(i64::MAX);
        let choices = presence::store::not_available(&db, now_ms - day, CHOICES_MAX).await?;
        let api_key = api_key.to_string();
        let buddies = Buddies(Arc::new(Inner {
            desk: Mutex::new(Desk::new(api_key.clone(), choices)),
            platform,
            lobby: Arc::clone(&lobby),
            db,
            api_key,
            presence,
            work: Notify::new(),
            claimed: Notify::new(),
        }));
        lobby.observe(Arc::clone(&buddies.0) as Arc<_>);
        Ok(buddies)
    }

    /// The presence session, and the key it belongs to.
    pub fn presence(&self) -> (&SessionId, &str) {
        (&self.0.presence, &self.0.api_key)
    }

    /// A token of the presence session; `badge` is what it says of its holder.
    pub fn presence_token(&self, badge: &str) -> String {
        self.0.lobby.presence_token(&self.0.presence, badge)
    }

    /// A part of the roster.
    pub fn roster(&self, query: RosterQuery<'_>) -> RosterPage {
        self.0.desk().switchboard.roster().page(query)
    }

    /// All that concerns the user; `None`: not here.
    pub fn mine(&self, user: UserId) -> Option<BuddySnapshot> {
        self.0.desk().switchboard.snapshot(user, now())
    }

    /// The name of somebody who is here, or was here once.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn name(&self, user: UserId) -> Result<Option<String>, sqlx::Error> {
        let here = self
            .0
            .desk()
            .switchboard
            .roster()
            .name(user)
            .map(ToString::to_string);
        match here {
            Some(name) => Ok(Some(name)),
            None => presence::store::name(&self.0.db, user).await,
        }
    }

    /// Somebody says a name. It is kept soon, since nobody's call is to wait for the database.
    pub fn named(&self, user: UserId, name: Name) {
        self.0
            .desk()
            .orders
            .push_back(Order::Keep(Keep::Name(user, name)));
        self.0.work.notify_one();
    }

    /// The user's browser has asked for the page.
    pub fn expect_back(&self, user: UserId) {
        self.act(|board, now| board.expect_back(user, now));
    }

    /// Sends an invitation; `tab` is where it was asked for.
    ///
    /// # Errors
    /// When the inviter may not send it, or there is no session to be had.
    pub async fn invite(
        &self,
        from: UserId,
        to: UserId,
        tab: Option<ConnectionId>,
    ) -> Result<Answer, InviteError> {
        self.act(|board, now| board.may_invite(from, to, now))?;
        let session = self.0.platform.create_chat_session().await?;
        let (invited, chat) = self.act(|board, now| {
            let invite = Invite {
                from,
                to,
                session,
                tab: own(board, from, tab),
            };
            let invited = board.invite(invite, now);
            (
                invited,
                board.snapshot(from, now).and_then(|mine| mine.chat),
            )
        });
        Ok(match invited? {
            InviteResult::Ringing(outgoing) => Answer::Ringing(outgoing),
            InviteResult::Connected(_) => Answer::Connected { chat },
            InviteResult::Answered(outcome) => Answer::Answered { outcome },
        })
    }

    /// The invitee accepts in `tab`.
    ///
    /// # Errors
    /// As [`Switchboard::accept`].
    pub fn accept(
        &self,
        id: InvitationId,
        by: UserId,
        tab: Option<ConnectionId>,
    ) -> Result<ChatView, AnswerError> {
        self.act(|board, now| {
            let tab = own(board, by, tab);
            board.accept(id, by, tab, now)?;
            let chat = board.snapshot(by, now).and_then(|mine| mine.chat);
            chat.ok_or(AnswerError::NotFound)
        })
    }

    /// The invitee declines.
    ///
    /// # Errors
    /// As [`Switchboard::decline`].
    pub fn decline(&self, id: InvitationId, by: UserId) -> Result<(), AnswerError> {
        self.act(|board, now| board.decline(id, by, now))
    }

    /// The inviter takes it back.
    ///
    /// # Errors
    /// As [`Switchboard::cancel`].
    pub fn cancel(&self, id: InvitationId, by: UserId) -> Result<(), AnswerError> {
        self.act(|board, now| board.cancel(id, by, now))
    }

    /// Makes a session to which `by` will invite somebody within a minute: how pages of the presence kit begin.
    ///
    /// # Errors
    /// When the user may not invite anybody now, or there is no session to be had.
    pub async fn offer(&self, by: UserId) -> Result<SessionId, InviteError> {
        self.act(|board, now| board.may_reserve_session(by, now))?;
        let session = self.0.platform.create_chat_session().await?;
        self.act(|board, now| board.reserve_session(session.clone(), by, now))?;
        Ok(session)
    }

    /// Whether the user may join this session as one of two.
    ///
    /// # Errors
    /// When it is between others, over, or unknown.
    pub fn may_join(&self, session: &SessionId, user: UserId) -> Result<(), JoinError> {
        self.act(|board, _| board.may_join(session, user))
    }

    /// One of the two ends the chat.
    ///
    /// # Errors
    /// As [`Switchboard::end_chat`].
    pub fn end_chat(&self, session: &SessionId, by: UserId) -> Result<(), JoinError> {
        self.act(|board, now| board.end_chat(session, by, now))
    }

    /// One of the two says to be connected to the chat's session. On a platform that tells who comes, nobody need say
    /// so; elsewhere it counts once the platform lists the connection.
    ///
    /// # Errors
    /// As [`Switchboard::may_join`], and while it only rings.
    pub async fn connected(
        &self,
        session: &SessionId,
        user: UserId,
        connection: ConnectionId,
    ) -> Result<(), JoinError> {
        let is_elsewhere = self.0.is_elsewhere();
        let asks_at_once = {
            // The chat may end in the next moment, and takes what is said of it along.
            let mut desk = self.0.desk();
            let said = desk.act(|board, now| {
                board.may_join(session, user)?;
                let chat = board.snapshot(user, now).and_then(|mine| mine.chat);
                let is_in_it = chat.is_some_and(|chat| chat.session_id == *session);
                is_in_it.then_some(()).ok_or(JoinError::NotFound)
            });
            let asks_at_once =
                said.map(|()| is_elsewhere && desk.claims.add(session, user, connection));
            drop(desk);
            self.0.work.notify_one();
            asks_at_once?
        };
        self.0.claimed.notify_one();
        if asks_at_once {
            // Most likely it is true by now.
            self.0.look_into(session).await;
        }
        Ok(())
    }

    /// One of the two asks for a recording, answers, or stops it.
    ///
    /// # Errors
    /// As [`Switchboard::recording`].
    pub fn recording(
        &self,
        session: &SessionId,
        by: UserId,
        action: RecordingAction,
    ) -> Result<(), RecordingError> {
        self.act(|board, now| board.recording(session, by, action, now))
    }

    /// The user chooses what to be. `false`: the user is not here.
    pub fn choose(&self, user: UserId, availability: Availability) -> bool {
        let mut desk = self.0.desk();
        if desk.switchboard.roster().person(user).is_none() {
            return false;
        }
        desk.show(user, availability != Availability::Invisible);
        desk.act(|board, now| board.set_availability(user, availability, now));
        desk.orders
            .push_back(Order::Keep(Keep::Choice(user, availability)));
        drop(desk);
        self.0.work.notify_one();
        true
    }

    /// The user has seen to missed calls.
    pub fn forget_missed(&self, user: UserId, from: Option<UserId>) {
        self.act(|board, _| board.clear_missed(user, from));
    }

    /// Does something on the switchboard, and has carried out what comes of it.
    fn act<T>(&self, act: impl FnOnce(&mut Switchboard, Now) -> T) -> T {
        let done = self.0.desk().act(act);
        self.0.work.notify_one();
        done
    }
}

impl Inner {
    /// Calls are on another platform than this server.
    fn is_elsewhere(&self) -> bool {
        self.platform.info().is_remote()
    }

    /// A desk at which a bug panicked stays usable for what is still right on it.
    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The tab, if it is one of the user's.
fn own(board: &Switchboard, user: UserId, tab: Option<ConnectionId>) -> Option<ConnectionId> {
    tab.filter(|tab| board.roster().user_of(*tab) == Some(user))
}

fn now() -> Now {
    Now::read()
}

/// The session where buddies meet; made when there is none.
async fn presence_session(
    lobby: &dyn LocalPresence,
    db: &SqlitePool,
    api_key: u32,
) -> anyhow::Result<SessionId> {
    if let Some(session) = presence::store::session(db, api_key).await? {
        return Ok(session);
    }
    let session = lobby.create_presence_session().await?;
    presence::store::save_session(db, api_key, &session).await?;
    Ok(session)
}
