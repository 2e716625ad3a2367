//! The buddies of this server: the switchboard, tied to a platform, a database and the clock.
//!
//! ```text
//! sessions: connected, left, signalled ──▶ ┌───────┐      ┌─────────┐ ──▶ signals to tabs
//! pages: invite, accept, end, …        ──▶ │ State │ ──▶  │ effects │ ──▶ database
//! the clock                            ──▶ └───────┘      └─────────┘ ──▶ platform
//! ```
//!
//! Every input changes the [`State`] under one lock, which is never held while a session is called. The state queues
//! [`Effect`]s. One task takes them in their order: it sends signals at once, and passes on the others to a task for the
//! database and a task for the platform, which keep the order (`effects.rs`).

mod effects;
mod presence_kit;
mod remote_participants;
mod session_events;
mod state;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde::Serialize;
use sqlx::SqlitePool;
use tokio::sync::Notify;
use tracing::info;

use self::state::{Effect, Persist, State};
use crate::{
    archive::{Archive, ArchiveId, history},
    clock::{self, Now},
    common::name::Name,
    invitation::{
        self, AnswerError, BuddySnapshot, ChatView, InvitationId, InvitationOutcome, Invite,
        InviteRefusal, InviteResult, JoinError, OutgoingInvitation, RecordingAction,
        RecordingError, Switchboard,
    },
    opentok::SessionId,
    platform::{LocalPresence, Platform, PlatformError},
    presence::{self, Availability, RosterPage, RosterQuery, UserId},
    session::ConnectionId,
};

/// What somebody chose to be is remembered for so long.
const AVAILABILITY_TTL: Duration = Duration::from_secs(24 * 60 * 60);

/// And of so many at most.
const MAX_SAVED_AVAILABILITIES: u32 = 10_000;

/// The buddies of one server. Clones are the same buddies.
#[derive(Clone)]
pub struct Buddies(Arc<Inner>);

struct Inner {
    /// Where they talk.
    platform: Arc<dyn Platform>,
    /// Where they meet.
    local_presence: Arc<dyn LocalPresence>,
    db: SqlitePool,
    /// The project of the presence session and of the history.
    api_key: u32,
    presence: SessionId,
    state: Mutex<State>,
    /// There are orders, or something is due earlier than before.
    effects_ready: Notify,
    /// Somebody says to be in a chat.
    participant_added: Notify,
}

/// What came of an invitation at once.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum InviteReply {
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
        local_presence: Arc<dyn LocalPresence>,
        db: SqlitePool,
        api_key: u32,
    ) -> anyhow::Result<Buddies> {
        let presence = presence_session(&*local_presence, &db, api_key).await?;
        let now_ms = clock::now_ms();
        for session in invitation::store::end_interrupted(&db, now_ms).await? {
            platform.close_session(&session).await?;
            info!(session.id = %session, "A chat ended with the last stop of the server");
        }
        let day = i64::try_from(AVAILABILITY_TTL.as_millis()).unwrap_or(i64::MAX);
        let saved_availabilities =
            presence::store::not_available(&db, now_ms - day, MAX_SAVED_AVAILABILITIES).await?;
        let buddies = Buddies(Arc::new(Inner {
            state: Mutex::new(State::new(api_key.to_string(), saved_availabilities)),
            platform,
            local_presence: Arc::clone(&local_presence),
            db,
            api_key,
            presence,
            effects_ready: Notify::new(),
            participant_added: Notify::new(),
        }));
        local_presence.observe(Arc::clone(&buddies.0) as Arc<_>);
        Ok(buddies)
    }

    /// The presence session, and the API key of its project.
    pub fn presence(&self) -> (&SessionId, u32) {
        (&self.0.presence, self.0.api_key)
    }

    /// The recordings of the user's chats, newest first, at most `limit`.
    ///
    /// # Errors
    /// The database query fails.
    pub async fn recordings(&self, user: UserId, limit: u32) -> Result<Vec<Archive>, sqlx::Error> {
        history::of_user(&self.0.db, self.0.api_key, user, limit).await
    }

    /// A recording, if it is one of the user's chats.
    ///
    /// # Errors
    /// The database query fails.
    pub async fn find_recording(
        &self,
        user: UserId,
        id: ArchiveId,
    ) -> Result<Option<Archive>, sqlx::Error> {
        let Some(archive) = history::find(&self.0.db, self.0.api_key, id).await? else {
            return Ok(None);
        };
        let chat = invitation::store::find(&self.0.db, &archive.session_id).await?;
        Ok(chat.filter(|chat| chat.has(user)).map(|_| archive))
    }

    /// A token of the presence session; `badge` is what it says of its holder.
    pub fn presence_token(&self, badge: &str) -> String {
        self.0
            .local_presence
            .presence_token(&self.0.presence, badge)
    }

    /// A part of the roster.
    pub fn roster(&self, query: RosterQuery<'_>) -> RosterPage {
        self.0.state().switchboard.roster().page(query)
    }

    /// All that concerns the user; `None`: not here.
    pub fn snapshot(&self, user: UserId) -> Option<BuddySnapshot> {
        self.0.state().switchboard.snapshot(user, now())
    }

    /// The name of somebody who is here, or was here once.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn name(&self, user: UserId) -> Result<Option<String>, sqlx::Error> {
        let here = self
            .0
            .state()
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
    pub fn save_name(&self, user: UserId, name: Name) {
        self.0
            .state()
            .effects
            .push_back(Effect::Persist(Persist::Name(user, name)));
        self.0.effects_ready.notify_one();
    }

    /// The user's browser has asked for the page.
    pub fn expect_back(&self, user: UserId) {
        self.act(|switchboard, now| switchboard.expect_back(user, now));
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
    ) -> Result<InviteReply, InviteError> {
        self.act(|switchboard, now| switchboard.may_invite(from, to, now))?;
        let session = self.0.platform.create_chat_session().await?;
        let (invited, chat) = self.act(|switchboard, now| {
            let invite = Invite {
                from,
                to,
                session,
                tab: own_tab(switchboard, from, tab),
            };
            let invited = switchboard.invite(invite, now);
            (
                invited,
                switchboard.snapshot(from, now).and_then(|mine| mine.chat),
            )
        });
        Ok(match invited? {
            InviteResult::Ringing(outgoing) => InviteReply::Ringing(outgoing),
            InviteResult::Connected(_) => InviteReply::Connected { chat },
            InviteResult::Answered(outcome) => InviteReply::Answered { outcome },
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
        self.act(|switchboard, now| {
            let tab = own_tab(switchboard, by, tab);
            switchboard.accept(id, by, tab, now)?;
            let chat = switchboard.snapshot(by, now).and_then(|mine| mine.chat);
            chat.ok_or(AnswerError::NotFound)
        })
    }

    /// The invitee declines.
    ///
    /// # Errors
    /// As [`Switchboard::decline`].
    pub fn decline(&self, id: InvitationId, by: UserId) -> Result<(), AnswerError> {
        self.act(|switchboard, now| switchboard.decline(id, by, now))
    }

    /// The inviter takes it back.
    ///
    /// # Errors
    /// As [`Switchboard::cancel`].
    pub fn cancel(&self, id: InvitationId, by: UserId) -> Result<(), AnswerError> {
        self.act(|switchboard, now| switchboard.cancel(id, by, now))
    }

    /// Makes a session to which `by` will invite somebody within a minute: how pages of the presence kit begin.
    ///
    /// # Errors
    /// When the user may not invite anybody now, or there is no session to be had.
    pub async fn reserve_session(&self, by: UserId) -> Result<SessionId, InviteError> {
        self.act(|switchboard, now| switchboard.may_reserve_session(by, now))?;
        let session = self.0.platform.create_chat_session().await?;
        self.act(|switchboard, now| switchboard.reserve_session(session.clone(), by, now))?;
        Ok(session)
    }

    /// Whether the user may join this session as one of two.
    ///
    /// # Errors
    /// When it is between others, over, or unknown.
    pub fn may_join(&self, session: &SessionId, user: UserId) -> Result<(), JoinError> {
        self.act(|switchboard, _| switchboard.may_join(session, user))
    }

    /// One of the two ends the chat.
    ///
    /// # Errors
    /// As [`Switchboard::end_chat`].
    pub fn end_chat(&self, session: &SessionId, by: UserId) -> Result<(), JoinError> {
        self.act(|switchboard, now| switchboard.end_chat(session, by, now))
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
        let is_remote = self.0.is_remote();
        let asks_at_once = {
            // The chat may end in the next moment, and takes what is said of it along.
            let mut state = self.0.state();
            let said = state.act(|switchboard, now| {
                switchboard.may_join(session, user)?;
                let chat = switchboard.snapshot(user, now).and_then(|mine| mine.chat);
                let is_in_it = chat.is_some_and(|chat| chat.session_id == *session);
                is_in_it.then_some(()).ok_or(JoinError::NotFound)
            });
            let asks_at_once = said
                .map(|()| is_remote && state.remote_participants.add(session, user, connection));
            drop(state);
            self.0.effects_ready.notify_one();
            asks_at_once?
        };
        self.0.participant_added.notify_one();
        if asks_at_once {
            // Most likely it is true by now.
            self.0.poll_participants(session).await;
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
        self.act(|switchboard, now| switchboard.recording(session, by, action, now))
    }

    /// The user chooses what to be. `false`: the user is not here.
    pub fn set_availability(&self, user: UserId, availability: Availability) -> bool {
        let mut state = self.0.state();
        if state.switchboard.roster().person(user).is_none() {
            return false;
        }
        state.show(user, availability != Availability::Invisible);
        state.act(|switchboard, now| switchboard.set_availability(user, availability, now));
        state
            .effects
            .push_back(Effect::Persist(Persist::Availability(user, availability)));
        drop(state);
        self.0.effects_ready.notify_one();
        true
    }

    /// The user has seen to missed calls.
    pub fn clear_missed(&self, user: UserId, from: Option<UserId>) {
        self.act(|switchboard, _| switchboard.clear_missed(user, from));
    }

    /// Does something on the switchboard, and has carried out what comes of it.
    fn act<T>(&self, act: impl FnOnce(&mut Switchboard, Now) -> T) -> T {
        let done = self.0.state().act(act);
        self.0.effects_ready.notify_one();
        done
    }
}

impl Inner {
    /// Calls are on another platform than this server.
    fn is_remote(&self) -> bool {
        self.platform.info().is_remote()
    }

    /// A desk at which a bug panicked stays usable for what is still right on it.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The tab, if it is one of the user's.
fn own_tab(
    switchboard: &Switchboard,
    user: UserId,
    tab: Option<ConnectionId>,
) -> Option<ConnectionId> {
    tab.filter(|tab| switchboard.roster().user_of(*tab) == Some(user))
}

fn now() -> Now {
    Now::read()
}

/// The session where buddies meet; made when there is none.
async fn presence_session(
    local_presence: &dyn LocalPresence,
    db: &SqlitePool,
    api_key: u32,
) -> anyhow::Result<SessionId> {
    if let Some(session) = presence::store::session(db, api_key).await? {
        return Ok(session);
    }
    let session = local_presence.create_presence_session().await?;
    presence::store::save_session(db, api_key, &session).await?;
    Ok(session)
}
