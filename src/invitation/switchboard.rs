//! The switchboard: the roster, the invitations and the chats, kept in step.
//!
//! This file has what happens to people and to chats; what happens to invitations is in `lifecycle.rs`.

use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, Instant},
};

use super::{
    BuddySnapshot, ChatEnd, ChatEndReason, ChatRecording, ChatView, InvitationEvent, InvitationId,
    InvitationMessage, InvitationOutcome, InviteRefusal,
    chat::{Chats, NewParticipant},
    lifecycle::{Invitation, PendingInvitations},
    missed::MissedCalls,
    recording_consent::RecordingConsents,
};
use crate::{
    clock::Now,
    common::rate_limit::{KeyedRateLimiter, LimitedAction},
    opentok::SessionId,
    presence::{Activity, Availability, DisconnectReason, Person, Roster, TabConnected, UserId},
    session::ConnectionId,
};

/// An offered session waits so long for its invitation.
const RESERVATION_TTL: Duration = Duration::from_secs(60);

/// Decides who is rung, who is connected and who is free.
#[derive(Debug)]
pub struct Switchboard {
    pub(super) roster: Roster,
    pub(super) pending: PendingInvitations,
    pub(super) chats: Chats,
    pub(super) consents: RecordingConsents,
    pub(super) missed: MissedCalls,
    pub(super) limit: KeyedRateLimiter<UserId>,
    /// Sessions made for an invitation that is not sent yet, and who made them.
    pub(super) reservations: HashMap<SessionId, UserId>,
    /// The same, the oldest first; those whose invitation was sent mean nothing.
    reserved_at: VecDeque<(Instant, SessionId)>,
    pub(super) events: Vec<InvitationEvent>,
}

/// Why somebody may not join a session as one of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JoinError {
    /// There is no such chat, or it is over.
    #[error("this call has ended or does not exist")]
    NotFound,
    /// It is between two others.
    #[error("this call is between two other people")]
    Forbidden,
}

impl Default for Switchboard {
    fn default() -> Self {
        Switchboard {
            roster: Roster::default(),
            pending: PendingInvitations::default(),
            chats: Chats::default(),
            consents: RecordingConsents::default(),
            missed: MissedCalls::default(),
            limit: KeyedRateLimiter::new(LimitedAction::Invite),
            reservations: HashMap::new(),
            reserved_at: VecDeque::new(),
            events: Vec::new(),
        }
    }
}

/// What happens in the presence session.
impl Switchboard {
    /// A tab has connected, or is back after its socket was lost.
    pub fn tab_connected(&mut self, tab: TabConnected<'_>, now: Now) {
        self.advance(now);
        self.roster.tab_connected(tab, now.at);
    }

    /// A tab's connection is gone.
    pub fn tab_disconnected(
        &mut self,
        connection: ConnectionId,
        reason: DisconnectReason,
        now: Now,
    ) {
        self.advance(now);
        self.roster.tab_disconnected(connection, reason, now.at);
    }

    /// The user's browser has asked for the page of the buddies. To be told on every such request: it is
    /// how a reload is told from a closed tab.
    pub fn expect_back(&mut self, user: UserId, now: Now) {
        self.advance(now);
        self.roster.expect_back(user, now.at);
        self.chats.expect_back(user);
    }

    /// The user chooses what to be. Whoever is ringing the user and no longer may is answered.
    pub fn set_availability(&mut self, user: UserId, availability: Availability, now: Now) {
        self.advance(now);
        if !self.roster.set_availability(user, availability, now.at) {
            return;
        }
        self.notify(user, InvitationMessage::Availability { availability });
        let outcome = match availability {
            Availability::Available => return,
            Availability::DoNotDisturb => InvitationOutcome::DoNotDisturb,
            Availability::Invisible => InvitationOutcome::Gone,
        };
        for id in self.pending.to(user) {
            self.end_invitation(id, outcome, now);
        }
    }

    /// Who is here.
    pub fn roster(&self) -> &Roster {
        &self.roster
    }

    /// All that concerns the user now; `None`: not here.
    pub fn snapshot(&self, user: UserId, now: Now) -> Option<BuddySnapshot> {
        let me = self.roster.person(user)?.clone();
        let (availability, _) = self.roster.availability_and_activity(user)?;
        let tabs = self.roster.tabs(user);
        Some(BuddySnapshot {
            me,
            availability,
            outgoing: self
                .pending
                .from(user)
                .and_then(|id| self.pending.get(id))
                .map(|invitation| invitation.outgoing(now.at)),
            incoming: self
                .pending
                .to(user)
                .into_iter()
                .filter_map(|id| self.pending.get(id))
                .map(|invitation| invitation.incoming(now.at))
                .collect(),
            chat: self.chats.of(user).map(|chat| {
                let recording = self.consents.view(chat.session());
                ChatView {
                    recording: recording.map(|(state, by)| ChatRecording { state, by }),
                    ..chat.view_for(user, tabs)
                }
            }),
            missed: self.missed.of(user).to_vec(),
        })
    }

    /// The user has seen to the missed calls of one person, or (`None`) of everybody.
    pub fn clear_missed(&mut self, user: UserId, from: Option<UserId>) {
        if self.missed.forget(user, from) {
            self.notify(user, InvitationMessage::MissedSeen { from });
        }
    }
}

/// Chats, and what happens in their sessions.
impl Switchboard {
    /// `by` has made `session` for a chat and will send the invitation to it within 60 s. Counts as the
    /// sending of an invitation.
    ///
    /// # Errors
    /// When `by` may not invite anybody now, or the session is another call's.
    pub fn reserve_session(
        &mut self,
        session: SessionId,
        by: UserId,
        now: Now,
    ) -> Result<(), InviteRefusal> {
        self.advance(now);
        self.may_send(by)?;
        self.may_use(&session, by)?;
        self.limit
            .take(by, now.at)
            .map_err(|retry_after| InviteRefusal::TooMany { retry_after })?;
        self.reserved_at.push_back((now.at, session.clone()));
        self.reservations.insert(session, by);
        Ok(())
    }

    /// Whether [`Switchboard::reserve_session`] would refuse a new session: to be asked before one is made.
    ///
    /// # Errors
    /// The reason.
    pub fn may_reserve_session(&mut self, by: UserId, now: Now) -> Result<(), InviteRefusal> {
        self.advance(now);
        self.may_send(by)?;
        self.limit
            .check(&by, now.at)
            .map_err(|retry_after| InviteRefusal::TooMany { retry_after })
    }

    /// Whether `user` may join `session`: as inviter or invitee of a chat or of an invitation that
    /// rings, or as the one who offered it.
    ///
    /// # Errors
    /// When it is between others, over, or unknown.
    pub fn may_join(&self, session: &SessionId, user: UserId) -> Result<(), JoinError> {
        let may = if let Some(chat) = self.chats.get(session) {
            chat.has(user)
        } else if let Some(invitation) = self.pending.in_session(session) {
            invitation.from.id == user || invitation.to.id == user
        } else if let Some(by) = self.reservations.get(session) {
            *by == user
        } else {
            return Err(JoinError::NotFound);
        };
        may.then_some(()).ok_or(JoinError::Forbidden)
    }

    /// A connection of `user` has joined `session`. `false`: this is no chat of the user's, and the
    /// connection does not belong there.
    pub fn participant_connected(
        &mut self,
        session: &SessionId,
        user: UserId,
        connection: ConnectionId,
        now: Now,
    ) -> bool {
        self.advance(now);
        self.chats.connected(session, user, connection)
    }

    /// A connection in the session of a chat is gone.
    pub fn participant_disconnected(
        &mut self,
        connection: ConnectionId,
        reason: DisconnectReason,
        now: Now,
    ) {
        self.advance(now);
        let roster = &self.roster;
        self.chats.disconnected(
            connection,
            reason,
            |user| roster.is_expected(user, now.at),
            now.at,
        );
    }

    /// One of the two ends the chat. Both are available again.
    ///
    /// # Errors
    /// When the chat is between others, or over already: then both have been told.
    pub fn end_chat(&mut self, session: &SessionId, by: UserId, now: Now) -> Result<(), JoinError> {
        self.advance(now);
        let chat = self.chats.get(session).ok_or(JoinError::NotFound)?;
        if !chat.has(by) {
            return Err(JoinError::Forbidden);
        }
        self.hang_up(by, ChatEndReason::Ended, now);
        Ok(())
    }

    /// Connects two who are in no chat.
    pub(super) fn start_chat(
        &mut self,
        session: SessionId,
        participants: [NewParticipant; 2],
        now: Now,
    ) {
        let chat = self.chats.start(session, participants, now);
        self.events
            .push(InvitationEvent::ChatStarted(chat.record()));
        let people = chat.people().map(|person| person.id);
        for (user, other) in [(people[0], people[1]), (people[1], people[0])] {
            self.roster.set_activity(user, Activity::Chatting, now.at);
            self.clear_missed(user, Some(other));
        }
        for user in people {
            if let Some(chat) = self.chats.of(user) {
                let view = chat.view_for(user, self.roster.tabs(user));
                self.notify(user, InvitationMessage::ChatStarted(view));
            }
        }
    }

    /// Ends the chat that `by` is in, if any.
    fn hang_up(&mut self, by: UserId, reason: ChatEndReason, now: Now) {
        let Some(session) = self.chats.of(by).map(|chat| chat.session().clone()) else {
            return;
        };
        let Some(chat) = self.chats.end(&session) else {
            return;
        };
        self.consents.end(&session);
        let [inviter, invitee] = chat.people();
        for (user, with) in [(inviter.id, invitee), (invitee.id, inviter)] {
            self.roster.set_activity(user, Activity::Idle, now.at);
            self.notify(
                user,
                InvitationMessage::ChatEnded {
                    session_id: session.clone(),
                    with: with.clone(),
                    reason,
                    by,
                },
            );
        }
        self.events.push(InvitationEvent::ChatEnded(ChatEnd {
            session,
            ended_at_ms: now.unix_ms,
            reason,
            by,
        }));
    }
}

/// Time, and what comes of it.
impl Switchboard {
    /// What is to be carried out now. Calls that change something take effect for others only here.
    #[must_use]
    pub fn poll(&mut self, now: Now) -> Vec<InvitationEvent> {
        self.advance(now);
        if let Some(delta) = self.roster.delta(now.at) {
            self.events.push(InvitationEvent::RosterChanged(delta));
        }
        std::mem::take(&mut self.events)
    }

    /// When [`Switchboard::poll`] is due, if nothing happens before; may lie in the past.
    pub fn due(&self) -> Option<Instant> {
        let rings = [self.pending.due(), self.chats.due(), self.consents.due()];
        rings.into_iter().chain([self.roster.due()]).flatten().min()
    }

    /// Lets happen what is due. Every method that changes something begins with it, so that an answer
    /// that comes too late is too late, however late the timers run.
    pub(super) fn advance(&mut self, now: Now) {
        while let Some(id) = self.pending.overdue(now.at) {
            self.end_invitation(id, InvitationOutcome::NoAnswer, now);
        }
        while let Some((user, reason)) = self.chats.overdue(now.at) {
            self.hang_up(user, reason, now);
        }
        self.expire_consent_requests(now);
        let expired = self.roster.advance(now.at);
        for user in expired.departed {
            self.remove_user(user, now);
        }
        for user in expired.forgotten {
            self.missed.forget(user, None);
        }
        while let Some((at, session)) = self.reserved_at.front()
            && now.at.duration_since(*at) >= RESERVATION_TTL
        {
            self.reservations.remove(session);
            self.reserved_at.pop_front();
        }
    }

    /// Whatever the user was part of is over.
    fn remove_user(&mut self, user: UserId, now: Now) {
        self.hang_up(user, ChatEndReason::Gone, now);
        if let Some(id) = self.pending.from(user) {
            self.end_invitation(id, InvitationOutcome::InviterGone, now);
        }
        for id in self.pending.to(user) {
            self.end_invitation(id, InvitationOutcome::Gone, now);
        }
    }

    /// Ends an invitation; both are told, and the inviter is free.
    pub(super) fn end_invitation(
        &mut self,
        id: InvitationId,
        outcome: InvitationOutcome,
        now: Now,
    ) -> Option<Invitation> {
        let invitation = self.pending.remove(id, outcome, now.at)?;
        let (from, to) = (invitation.from.id, invitation.to.id);
        self.roster.set_activity(from, Activity::Idle, now.at);
        for user in [from, to] {
            self.notify(
                user,
                if outcome.is_inviters() {
                    InvitationMessage::Cancelled {
                        invitation: id,
                        outcome,
                    }
                } else {
                    InvitationMessage::Answered {
                        invitation: id,
                        outcome,
                    }
                },
            );
        }
        if outcome.is_missed() {
            self.record_missed(to, invitation.from.clone(), outcome, now);
        }
        Some(invitation)
    }

    /// Lists a call that `user` did not answer.
    pub(super) fn record_missed(
        &mut self,
        user: UserId,
        from: Person,
        outcome: InvitationOutcome,
        now: Now,
    ) {
        let call = self.missed.add(user, from, outcome, now.unix_ms);
        self.notify(user, InvitationMessage::Missed { call });
    }

    pub(super) fn notify(&mut self, to: UserId, message: InvitationMessage) {
        self.events
            .push(InvitationEvent::UserNotified { to, message });
    }
}
