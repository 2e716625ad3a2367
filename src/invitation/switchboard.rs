//! The switchboard: the roster, the invitations and the chats, kept in step.
//!
//! This file has what happens to people and to chats; what happens to invitations is in `lifecycle.rs`.

use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, Instant},
};

use super::{
    ChatEnd, ChatRecording, ChatView, EndReason, Event, InvitationId, Mine, News, Outcome, Refused,
    chat::{Chats, Party},
    consent::Consents,
    lifecycle::{Invitation, Lines},
    limit::Limit,
    missed::MissedCalls,
};
use crate::{
    clock::Now,
    opentok::SessionId,
    presence::{Activity, Availability, DisconnectReason, Person, Roster, TabConnected, UserId},
    session::ConnectionId,
};

/// An offered session waits so long for its invitation.
const OFFERED_FOR: Duration = Duration::from_secs(60);

/// Decides who is rung, who is connected and who is free.
#[derive(Debug)]
pub struct Switchboard {
    pub(super) roster: Roster,
    pub(super) lines: Lines,
    pub(super) chats: Chats,
    pub(super) consents: Consents,
    pub(super) missed: MissedCalls,
    pub(super) limit: Limit,
    /// Sessions made for an invitation that is not sent yet, and who made them.
    pub(super) offers: HashMap<SessionId, UserId>,
    /// The same, the oldest first; those whose invitation was sent mean nothing.
    offered: VecDeque<(Instant, SessionId)>,
    pub(super) events: Vec<Event>,
}

/// Why somebody may not join a session as one of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JoinError {
    /// There is no such chat, or it is over.
    #[error("this chat is over, or never was")]
    NotFound,
    /// It is between two others.
    #[error("this chat is between two other people")]
    Forbidden,
}

impl Default for Switchboard {
    fn default() -> Self {
        Switchboard {
            roster: Roster::default(),
            lines: Lines::default(),
            chats: Chats::default(),
            consents: Consents::default(),
            missed: MissedCalls::default(),
            limit: Limit::new(),
            offers: HashMap::new(),
            offered: VecDeque::new(),
            events: Vec::new(),
        }
    }
}

/// What happens in the presence session.
impl Switchboard {
    /// A tab has connected, or is back after its socket was lost.
    pub fn arrived(&mut self, arrival: TabConnected<'_>, now: Now) {
        self.advance(now);
        self.roster.tab_connected(arrival, now.at);
    }

    /// A tab's connection is gone.
    pub fn left(&mut self, connection: ConnectionId, how: DisconnectReason, now: Now) {
        self.advance(now);
        self.roster.tab_disconnected(connection, how, now.at);
    }

    /// The user's browser has asked for the page of the buddies. To be told on every such request: it is
    /// how a reload is told from a closed tab.
    pub fn expect_back(&mut self, user: UserId, now: Now) {
        self.advance(now);
        self.roster.expect_back(user, now.at);
        self.chats.expect_back(user);
    }

    /// The user chooses what to be. Whoever is ringing the user and no longer may is answered.
    pub fn choose(&mut self, user: UserId, availability: Availability, now: Now) {
        self.advance(now);
        if !self.roster.set_availability(user, availability, now.at) {
            return;
        }
        self.tell(user, News::Availability { availability });
        let outcome = match availability {
            Availability::Available => return,
            Availability::DoNotDisturb => Outcome::DoNotDisturb,
            Availability::Invisible => Outcome::Gone,
        };
        for id in self.lines.to(user) {
            self.close(id, outcome, now);
        }
    }

    /// Who is here.
    pub fn roster(&self) -> &Roster {
        &self.roster
    }

    /// All that concerns the user now; `None`: not here.
    pub fn mine(&self, user: UserId, now: Now) -> Option<Mine> {
        let me = self.roster.person(user)?.clone();
        let (availability, _) = self.roster.availability_and_activity(user)?;
        let tabs = self.roster.tabs(user);
        Some(Mine {
            me,
            availability,
            outgoing: self
                .lines
                .from(user)
                .and_then(|id| self.lines.get(id))
                .map(|invitation| invitation.outgoing(now.at)),
            incoming: self
                .lines
                .to(user)
                .into_iter()
                .filter_map(|id| self.lines.get(id))
                .map(|invitation| invitation.incoming(now.at))
                .collect(),
            chat: self.chats.of(user).map(|chat| {
                let recording = self.consents.shown(chat.session());
                ChatView {
                    recording: recording.map(|(state, by)| ChatRecording { state, by }),
                    ..chat.seen_by(user, tabs)
                }
            }),
            missed: self.missed.of(user).to_vec(),
        })
    }

    /// The user has seen to the missed calls of one person, or (`None`) of everybody.
    pub fn forget_missed(&mut self, user: UserId, from: Option<UserId>) {
        if self.missed.forget(user, from) {
            self.tell(user, News::MissedSeen { from });
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
    pub fn offer(&mut self, session: SessionId, by: UserId, now: Now) -> Result<(), Refused> {
        self.advance(now);
        self.may_send(by)?;
        self.may_use(&session, by)?;
        self.limit
            .take(by, now.at)
            .map_err(|retry_after| Refused::TooMany { retry_after })?;
        self.offered.push_back((now.at, session.clone()));
        self.offers.insert(session, by);
        Ok(())
    }

    /// Whether [`Switchboard::offer`] would refuse a new session: to be asked before one is made.
    ///
    /// # Errors
    /// The reason.
    pub fn may_offer(&mut self, by: UserId, now: Now) -> Result<(), Refused> {
        self.advance(now);
        self.may_send(by)?;
        self.limit
            .check(by, now.at)
            .map_err(|retry_after| Refused::TooMany { retry_after })
    }

    /// Whether `user` may join `session`: as inviter or invitee of a chat or of an invitation that
    /// rings, or as the one who offered it.
    ///
    /// # Errors
    /// When it is between others, over, or unknown.
    pub fn may_join(&self, session: &SessionId, user: UserId) -> Result<(), JoinError> {
        let may = if let Some(chat) = self.chats.get(session) {
            chat.has(user)
        } else if let Some(invitation) = self.lines.in_session(session) {
            invitation.from.id == user || invitation.to.id == user
        } else if let Some(by) = self.offers.get(session) {
            *by == user
        } else {
            return Err(JoinError::NotFound);
        };
        may.then_some(()).ok_or(JoinError::Forbidden)
    }

    /// A connection of `user` has joined `session`. `false`: this is no chat of the user's, and the
    /// connection does not belong there.
    pub fn joined_chat(
        &mut self,
        session: &SessionId,
        user: UserId,
        connection: ConnectionId,
        now: Now,
    ) -> bool {
        self.advance(now);
        self.chats.joined(session, user, connection)
    }

    /// A connection in the session of a chat is gone.
    pub fn left_chat(&mut self, connection: ConnectionId, how: DisconnectReason, now: Now) {
        self.advance(now);
        let roster = &self.roster;
        self.chats.left(
            connection,
            how,
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
        self.hang_up(by, EndReason::Ended, now);
        Ok(())
    }

    /// Connects two who are in no chat.
    pub(super) fn begin_chat(&mut self, session: SessionId, parties: [Party; 2], now: Now) {
        let chat = self.chats.begin(session, parties, now);
        self.events.push(Event::ChatStarted(chat.record()));
        let people = chat.people().map(|person| person.id);
        for (user, other) in [(people[0], people[1]), (people[1], people[0])] {
            self.roster.set_activity(user, Activity::Chatting, now.at);
            self.forget_missed(user, Some(other));
        }
        for user in people {
            if let Some(chat) = self.chats.of(user) {
                let view = chat.seen_by(user, self.roster.tabs(user));
                self.tell(user, News::ChatStarted(view));
            }
        }
    }

    /// Ends the chat that `by` is in, if any.
    fn hang_up(&mut self, by: UserId, reason: EndReason, now: Now) {
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
            self.tell(
                user,
                News::ChatEnded {
                    session_id: session.clone(),
                    with: with.clone(),
                    reason,
                    by,
                },
            );
        }
        self.events.push(Event::ChatEnded(ChatEnd {
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
    pub fn poll(&mut self, now: Now) -> Vec<Event> {
        self.advance(now);
        if let Some(delta) = self.roster.delta(now.at) {
            self.events.push(Event::Roster(delta));
        }
        std::mem::take(&mut self.events)
    }

    /// When [`Switchboard::poll`] is due, if nothing happens before; may lie in the past.
    pub fn due(&self) -> Option<Instant> {
        let rings = [self.lines.due(), self.chats.due(), self.consents.due()];
        rings.into_iter().chain([self.roster.due()]).flatten().min()
    }

    /// Lets happen what is due. Every method that changes something begins with it, so that an answer
    /// that comes too late is too late, however late the timers run.
    pub(super) fn advance(&mut self, now: Now) {
        while let Some(id) = self.lines.overdue(now.at) {
            self.close(id, Outcome::NoAnswer, now);
        }
        while let Some((user, reason)) = self.chats.overdue(now.at) {
            self.hang_up(user, reason, now);
        }
        self.lapse(now);
        let expired = self.roster.advance(now.at);
        for user in expired.departed {
            self.depart(user, now);
        }
        for user in expired.forgotten {
            self.missed.forget(user, None);
        }
        while let Some((at, session)) = self.offered.front()
            && now.at.duration_since(*at) >= OFFERED_FOR
        {
            self.offers.remove(session);
            self.offered.pop_front();
        }
    }

    /// Whatever the user was part of is over.
    fn depart(&mut self, user: UserId, now: Now) {
        self.hang_up(user, EndReason::Gone, now);
        if let Some(id) = self.lines.from(user) {
            self.close(id, Outcome::InviterGone, now);
        }
        for id in self.lines.to(user) {
            self.close(id, Outcome::Gone, now);
        }
    }

    /// Ends an invitation; both are told, and the inviter is free.
    pub(super) fn close(
        &mut self,
        id: InvitationId,
        outcome: Outcome,
        now: Now,
    ) -> Option<Invitation> {
        let invitation = self.lines.remove(id, outcome, now.at)?;
        let (from, to) = (invitation.from.id, invitation.to.id);
        self.roster.set_activity(from, Activity::Idle, now.at);
        for user in [from, to] {
            self.tell(
                user,
                if outcome.is_inviters() {
                    News::Cancelled {
                        invitation: id,
                        outcome,
                    }
                } else {
                    News::Answered {
                        invitation: id,
                        outcome,
                    }
                },
            );
        }
        if outcome.is_missed() {
            self.miss(to, invitation.from.clone(), outcome, now);
        }
        Some(invitation)
    }

    /// Lists a call that `user` did not answer.
    pub(super) fn miss(&mut self, user: UserId, from: Person, outcome: Outcome, now: Now) {
        let call = self.missed.add(user, from, outcome, now.unix_ms);
        self.tell(user, News::Missed { call });
    }

    pub(super) fn tell(&mut self, to: UserId, news: News) {
        self.events.push(Event::Personal { to, news });
    }
}
