//! The life of an invitation: everything that can be done with one.
//!
//! Who has sent an invitation cannot receive one; who has received some can receive more, and send one.
//! Accepting one ends all others of both people, their own ones included. It ends when either side goes, and
//! after 45 s. Whoever answers first wins, and both learn how it ended.

use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, Instant},
};

use super::{
    InvitationId, InvitationMessage, InvitationOutcome, Switchboard,
    chat::NewParticipant,
    message::{IncomingInvitation, OutgoingInvitation},
    recently_ended::{EndedInvitation, RecentlyEnded},
};
use crate::{
    clock::Now,
    opentok::SessionId,
    presence::{Activity, Person, Unavailable, UserId},
    session::ConnectionId,
};

/// An invitation waits so long for its answer.
const RING_TIMEOUT: Duration = Duration::from_secs(45);

/// So many may ring one user at a time; to more the user is busy.
const MAX_RINGING: usize = 20;

/// Somebody wants to talk to somebody.
#[derive(Clone, Debug)]
pub struct Invite {
    pub from: UserId,
    pub to: UserId,
    /// Where they will meet: a new session, or one that `from` has offered.
    pub session: SessionId,
    /// The tab in which it was asked for, if known: that one joins the chat.
    pub tab: Option<ConnectionId>,
}

/// What came of an invitation at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InviteResult {
    /// It rings.
    Ringing(OutgoingInvitation),
    /// The other one was inviting at the same moment: both are connected, in the session of the earlier
    /// invitation. The one given is not needed.
    Connected(SessionId),
    /// It was answered on behalf of the invitee, who finds it among the missed calls: [`InvitationOutcome::Busy`],
    /// [`InvitationOutcome::Inviting`], [`InvitationOutcome::DoNotDisturb`] or [`InvitationOutcome::Gone`]. The session is not needed.
    Answered(InvitationOutcome),
}

/// Why an invitation was not sent. Nobody but the inviter learns of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InviteRefusal {
    #[error("you cannot call yourself")]
    Oneself,
    /// The inviter has no tab open.
    #[error("you are not connected; reload the Buddies page")]
    NotHere,
    #[error("you are in a call; end it first")]
    Chatting,
    #[error("you are already calling someone; cancel that call first")]
    Inviting,
    #[error("this person isn't known here")]
    Unknown,
    #[error("you are calling too often; try again in {} s", retry_after.as_secs() + 1)]
    TooMany { retry_after: Duration },
    /// The session is somebody else's.
    #[error("that session belongs to another call")]
    SessionTaken,
}

/// Why an invitation was not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// Or it has been over for more than two minutes.
    #[error("there is no such invitation")]
    NotFound,
    /// It is not the user's to accept and decline (the invitee may), or to cancel (the inviter may).
    #[error("this invitation is not for you to answer")]
    Forbidden,
    /// Something else came first.
    #[error("this invitation is over")]
    Ended(InvitationOutcome),
}

/// An invitation that waits for its answer.
#[derive(Clone, Debug)]
pub struct Invitation {
    pub id: InvitationId,
    pub from: Person,
    pub to: Person,
    pub session: SessionId,
    /// The tab in which it was asked for.
    pub tab: Option<ConnectionId>,
    ends_at: Instant,
}

impl Switchboard {
    /// Whether [`Switchboard::invite`] would refuse: to be asked before a session is made.
    ///
    /// # Errors
    /// The reason.
    pub fn may_invite(&mut self, from: UserId, to: UserId, now: Now) -> Result<(), InviteRefusal> {
        self.advance(now);
        self.may_call(from, to)?;
        self.limit
            .check(&from, now.at)
            .map_err(|retry_after| InviteRefusal::TooMany { retry_after })
    }

    /// Sends an invitation.
    ///
    /// # Errors
    /// When the inviter may not send it; then nobody else hears of it.
    pub fn invite(&mut self, invite: Invite, now: Now) -> Result<InviteResult, InviteRefusal> {
        self.advance(now);
        let from = self.may_call(invite.from, invite.to)?;
        self.may_use(&invite.session, invite.from)?;
        if let Some(theirs) = self.pending.between(invite.to, invite.from) {
            let session = self.connect(theirs, invite.tab, now);
            return session
                .map(InviteResult::Connected)
                .ok_or(InviteRefusal::Unknown);
        }
        if self.reservations.remove(&invite.session).is_none() {
            self.limit
                .take(invite.from, now.at)
                .map_err(|retry_after| InviteRefusal::TooMany { retry_after })?;
        }
        let to = match self.invitee(invite.to) {
            Ok(to) => to,
            Err(outcome) => {
                self.record_missed(invite.to, from, outcome, now);
                return Ok(InviteResult::Answered(outcome));
            }
        };
        let invitation = Invitation {
            id: InvitationId::random(),
            from,
            to,
            session: invite.session,
            tab: invite.tab,
            ends_at: now.at + RING_TIMEOUT,
        };
        let (outgoing, incoming) = (invitation.outgoing(now.at), invitation.incoming(now.at));
        self.pending.add(invitation);
        self.roster
            .set_activity(invite.from, Activity::Inviting, now.at);
        self.notify(invite.to, InvitationMessage::Ringing(incoming));
        self.notify(invite.from, InvitationMessage::Calling(outgoing.clone()));
        Ok(InviteResult::Ringing(outgoing))
    }

    /// The invitee accepts, in `tab`. All other invitations of both are over, and both are in a chat.
    /// Returns its session.
    ///
    /// # Errors
    /// When it is not for this user to accept, or something else came first.
    pub fn accept(
        &mut self,
        id: InvitationId,
        by: UserId,
        tab: Option<ConnectionId>,
        now: Now,
    ) -> Result<SessionId, AnswerError> {
        self.advance(now);
        self.check_answer(id, by, |invitation| invitation.to.id)?;
        self.connect(id, tab, now).ok_or(AnswerError::NotFound)
    }

    /// The invitee declines; the inviter is free.
    ///
    /// # Errors
    /// When it is not for this user to decline, or something else came first.
    pub fn decline(&mut self, id: InvitationId, by: UserId, now: Now) -> Result<(), AnswerError> {
        self.advance(now);
        self.check_answer(id, by, |invitation| invitation.to.id)?;
        self.end_invitation(id, InvitationOutcome::Declined, now);
        Ok(())
    }

    /// The inviter takes it back.
    ///
    /// # Errors
    /// When it is not for this user to cancel, or something else came first.
    pub fn cancel(&mut self, id: InvitationId, by: UserId, now: Now) -> Result<(), AnswerError> {
        self.advance(now);
        self.check_answer(id, by, |invitation| invitation.from.id)?;
        self.end_invitation(id, InvitationOutcome::Cancelled, now);
        Ok(())
    }

    /// The invitation that rings in this session: how pages of the presence kit name one.
    pub fn ringing_in(&self, session: &SessionId) -> Option<&Invitation> {
        self.pending.in_session(session)
    }

    /// An invitation that waits for its answer.
    pub fn ringing(&self, id: InvitationId) -> Option<&Invitation> {
        self.pending.get(id)
    }

    /// Whether `from` could call `to`, apart from how often; returns the inviter.
    fn may_call(&self, from: UserId, to: UserId) -> Result<Person, InviteRefusal> {
        if from == to {
            return Err(InviteRefusal::Oneself);
        }
        let person = self.may_send(from)?;
        if self.pending.between(to, from).is_none()
            && self.roster.may_be_invited(to) == Err(Unavailable::Unknown)
        {
            return Err(InviteRefusal::Unknown);
        }
        Ok(person)
    }

    /// Whether `from` could call anybody, apart from how often; returns the inviter.
    pub(super) fn may_send(&self, from: UserId) -> Result<Person, InviteRefusal> {
        let person = self.roster.person(from).ok_or(InviteRefusal::NotHere)?;
        if self.chats.of(from).is_some() {
            return Err(InviteRefusal::Chatting);
        }
        if self.pending.from(from).is_some() {
            return Err(InviteRefusal::Inviting);
        }
        Ok(person.clone())
    }

    /// Whether `session` is new, or was offered by `user`.
    pub(super) fn may_use(&self, session: &SessionId, user: UserId) -> Result<(), InviteRefusal> {
        let taken = self.chats.get(session).is_some()
            || self.pending.in_session(session).is_some()
            || self.reservations.get(session).is_some_and(|by| *by != user);
        if taken {
            Err(InviteRefusal::SessionTaken)
        } else {
            Ok(())
        }
    }

    /// The invitee, or the answer on its behalf.
    fn invitee(&self, user: UserId) -> Result<Person, InvitationOutcome> {
        self.roster.may_be_invited(user).map_err(|why| match why {
            Unavailable::Chatting => InvitationOutcome::Busy,
            Unavailable::Inviting => InvitationOutcome::Inviting,
            Unavailable::DoNotDisturb => InvitationOutcome::DoNotDisturb,
            Unavailable::Offline | Unavailable::Unknown => InvitationOutcome::Gone,
        })?;
        if self.pending.to(user).len() >= MAX_RINGING {
            return Err(InvitationOutcome::Busy);
        }
        self.roster
            .person(user)
            .cloned()
            .ok_or(InvitationOutcome::Gone)
    }

    /// Whether the invitation still waits, and for `by`.
    fn check_answer(
        &self,
        id: InvitationId,
        by: UserId,
        whose: impl Fn(&Invitation) -> UserId,
    ) -> Result<(), AnswerError> {
        if let Some(invitation) = self.pending.get(id) {
            return if whose(invitation) == by {
                Ok(())
            } else {
                Err(AnswerError::Forbidden)
            };
        }
        match self.pending.recently_ended.find(id) {
            Some(ended) if [ended.from, ended.to].contains(&by) => {
                Err(AnswerError::Ended(ended.outcome))
            }
            Some(_) => Err(AnswerError::Forbidden),
            None => Err(AnswerError::NotFound),
        }
    }

    /// Accepts an invitation in the name of its invitee, and ends all others of both people.
    fn connect(
        &mut self,
        id: InvitationId,
        tab: Option<ConnectionId>,
        now: Now,
    ) -> Option<SessionId> {
        let invitation = self.end_invitation(id, InvitationOutcome::Accepted, now)?;
        for user in [invitation.from.id, invitation.to.id] {
            if let Some(own) = self.pending.from(user) {
                self.end_invitation(own, InvitationOutcome::InviterTookAnother, now);
            }
            for other in self.pending.to(user) {
                self.end_invitation(other, InvitationOutcome::TookAnother, now);
            }
        }
        let participants = [
            NewParticipant {
                person: invitation.from,
                tab: invitation.tab,
            },
            NewParticipant {
                person: invitation.to,
                tab,
            },
        ];
        self.start_chat(invitation.session.clone(), participants, now);
        Some(invitation.session)
    }
}

impl Invitation {
    pub(super) fn outgoing(&self, now: Instant) -> OutgoingInvitation {
        OutgoingInvitation {
            invitation: self.id,
            to: self.to.clone(),
            rings_for_ms: self.rings_for_ms(now),
        }
    }

    pub(super) fn incoming(&self, now: Instant) -> IncomingInvitation {
        IncomingInvitation {
            invitation: self.id,
            from: self.from.clone(),
            rings_for_ms: self.rings_for_ms(now),
        }
    }

    fn rings_for_ms(&self, now: Instant) -> u64 {
        let left = self.ends_at.saturating_duration_since(now);
        u64::try_from(left.as_millis()).unwrap_or(u64::MAX)
    }
}

/// The invitations that wait, found from every side; and those that did.
#[derive(Debug, Default)]
pub(super) struct PendingInvitations {
    ringing: HashMap<InvitationId, Invitation>,
    from: HashMap<UserId, InvitationId>,
    /// The oldest first.
    to: HashMap<UserId, Vec<InvitationId>>,
    sessions: HashMap<SessionId, InvitationId>,
    /// In the order in which they were sent, which is that of their ends; those that are over are
    /// dropped from the front.
    ends: VecDeque<(Instant, InvitationId)>,
    recently_ended: RecentlyEnded,
}

impl PendingInvitations {
    fn add(&mut self, invitation: Invitation) {
        let id = invitation.id;
        self.from.insert(invitation.from.id, id);
        self.to.entry(invitation.to.id).or_default().push(id);
        self.sessions.insert(invitation.session.clone(), id);
        self.ends.push_back((invitation.ends_at, id));
        self.ringing.insert(id, invitation);
    }

    pub(super) fn remove(
        &mut self,
        id: InvitationId,
        outcome: InvitationOutcome,
        now: Instant,
    ) -> Option<Invitation> {
        let invitation = self.ringing.remove(&id)?;
        let (from, to) = (invitation.from.id, invitation.to.id);
        self.from.remove(&from);
        if let Some(ids) = self.to.get_mut(&to) {
            ids.retain(|other| *other != id);
            if ids.is_empty() {
                self.to.remove(&to);
            }
        }
        self.sessions.remove(&invitation.session);
        while let Some((_, id)) = self.ends.front()
            && !self.ringing.contains_key(id)
        {
            self.ends.pop_front();
        }
        self.recently_ended
            .add(id, EndedInvitation { from, to, outcome }, now);
        Some(invitation)
    }

    pub(super) fn get(&self, id: InvitationId) -> Option<&Invitation> {
        self.ringing.get(&id)
    }

    /// The invitation the user has sent.
    pub(super) fn from(&self, user: UserId) -> Option<InvitationId> {
        self.from.get(&user).copied()
    }

    /// The invitations that ring the user, the oldest first.
    pub(super) fn to(&self, user: UserId) -> Vec<InvitationId> {
        self.to.get(&user).cloned().unwrap_or_default()
    }

    fn between(&self, from: UserId, to: UserId) -> Option<InvitationId> {
        let id = self.from(from)?;
        (self.get(id)?.to.id == to).then_some(id)
    }

    pub(super) fn in_session(&self, session: &SessionId) -> Option<&Invitation> {
        self.get(*self.sessions.get(session)?)
    }

    pub(super) fn due(&self) -> Option<Instant> {
        self.ends.front().map(|(at, _)| *at)
    }

    pub(super) fn overdue(&self, now: Instant) -> Option<InvitationId> {
        let (_, id) = self.ends.front().filter(|(at, _)| *at <= now)?;
        Some(*id)
    }

    #[cfg(test)]
    pub(super) fn all(&self) -> impl Iterator<Item = &Invitation> {
        self.ringing.values()
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.ringing.is_empty()
            && self.from.is_empty()
            && self.to.is_empty()
            && self.sessions.is_empty()
            && self.ends.is_empty()
    }
}
