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
    InvitationId, News, Outcome, Switchboard,
    chat::Party,
    news::{Incoming, Outgoing},
    over::{Ended, Over},
};
use crate::{
    clock::Now,
    opentok::SessionId,
    presence::{Activity, Person, Unavailable, UserId},
    session::ConnectionId,
};

/// An invitation waits so long for its answer.
const RINGS_FOR: Duration = Duration::from_secs(45);

/// So many may ring one user at a time; to more the user is busy.
const RINGING_MAX: usize = 20;

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
pub enum Invited {
    /// It rings.
    Ringing(Outgoing),
    /// The other one was inviting at the same moment: both are connected, in the session of the earlier
    /// invitation. The one given is not needed.
    Connected(SessionId),
    /// It was answered on behalf of the invitee, who finds it among the missed calls: [`Outcome::Busy`],
    /// [`Outcome::Inviting`], [`Outcome::DoNotDisturb`] or [`Outcome::Gone`]. The session is not needed.
    Answered(Outcome),
}

/// Why an invitation was not sent. Nobody but the inviter learns of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("you cannot call yourself")]
    Oneself,
    /// The inviter has no tab open.
    #[error("you are not connected: open the page of the buddies again")]
    NotHere,
    #[error("you are in a call: end it first")]
    Chatting,
    #[error("you are calling somebody already: cancel that first")]
    Inviting,
    #[error("nobody here is known by that address")]
    Unknown,
    #[error("you are calling too often: try again in {} s", retry_after.as_secs() + 1)]
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
    #[error("this invitation is somebody else's to answer")]
    Forbidden,
    /// Something else came first.
    #[error("this invitation is over")]
    Over(Outcome),
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
    pub fn may_invite(&mut self, from: UserId, to: UserId, now: Now) -> Result<(), Refused> {
        self.advance(now);
        self.may_call(from, to)?;
        self.limit
            .check(from, now.at)
            .map_err(|retry_after| Refused::TooMany { retry_after })
    }

    /// Sends an invitation.
    ///
    /// # Errors
    /// When the inviter may not send it; then nobody else hears of it.
    pub fn invite(&mut self, invite: Invite, now: Now) -> Result<Invited, Refused> {
        self.advance(now);
        let from = self.may_call(invite.from, invite.to)?;
        self.may_use(&invite.session, invite.from)?;
        if let Some(theirs) = self.lines.between(invite.to, invite.from) {
            let session = self.connect(theirs, invite.tab, now);
            return session.map(Invited::Connected).ok_or(Refused::Unknown);
        }
        if self.offers.remove(&invite.session).is_none() {
            self.limit
                .take(invite.from, now.at)
                .map_err(|retry_after| Refused::TooMany { retry_after })?;
        }
        let to = match self.reach(invite.to) {
            Ok(to) => to,
            Err(outcome) => {
                self.miss(invite.to, from, outcome, now);
                return Ok(Invited::Answered(outcome));
            }
        };
        let invitation = Invitation {
            id: InvitationId::random(),
            from,
            to,
            session: invite.session,
            tab: invite.tab,
            ends_at: now.at + RINGS_FOR,
        };
        let (outgoing, incoming) = (invitation.outgoing(now.at), invitation.incoming(now.at));
        self.lines.add(invitation);
        self.roster
            .set_activity(invite.from, Activity::Inviting, now.at);
        self.tell(invite.to, News::Ringing(incoming));
        self.tell(invite.from, News::Calling(outgoing.clone()));
        Ok(Invited::Ringing(outgoing))
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
        self.answerable(id, by, |invitation| invitation.to.id)?;
        self.connect(id, tab, now).ok_or(AnswerError::NotFound)
    }

    /// The invitee declines; the inviter is free.
    ///
    /// # Errors
    /// When it is not for this user to decline, or something else came first.
    pub fn decline(&mut self, id: InvitationId, by: UserId, now: Now) -> Result<(), AnswerError> {
        self.advance(now);
        self.answerable(id, by, |invitation| invitation.to.id)?;
        self.close(id, Outcome::Declined, now);
        Ok(())
    }

    /// The inviter takes it back.
    ///
    /// # Errors
    /// When it is not for this user to cancel, or something else came first.
    pub fn cancel(&mut self, id: InvitationId, by: UserId, now: Now) -> Result<(), AnswerError> {
        self.advance(now);
        self.answerable(id, by, |invitation| invitation.from.id)?;
        self.close(id, Outcome::Cancelled, now);
        Ok(())
    }

    /// The invitation that rings in this session: how pages of the presence kit name one.
    pub fn ringing_in(&self, session: &SessionId) -> Option<&Invitation> {
        self.lines.in_session(session)
    }

    /// An invitation that waits for its answer.
    pub fn ringing(&self, id: InvitationId) -> Option<&Invitation> {
        self.lines.get(id)
    }

    /// Whether `from` could call `to`, apart from how often; returns the inviter.
    fn may_call(&self, from: UserId, to: UserId) -> Result<Person, Refused> {
        if from == to {
            return Err(Refused::Oneself);
        }
        let person = self.may_send(from)?;
        if self.lines.between(to, from).is_none()
            && self.roster.may_be_invited(to) == Err(Unavailable::Unknown)
        {
            return Err(Refused::Unknown);
        }
        Ok(person)
    }

    /// Whether `from` could call anybody, apart from how often; returns the inviter.
    pub(super) fn may_send(&self, from: UserId) -> Result<Person, Refused> {
        let person = self.roster.person(from).ok_or(Refused::NotHere)?;
        if self.chats.of(from).is_some() {
            return Err(Refused::Chatting);
        }
        if self.lines.from(from).is_some() {
            return Err(Refused::Inviting);
        }
        Ok(person.clone())
    }

    /// Whether `session` is new, or was offered by `user`.
    pub(super) fn may_use(&self, session: &SessionId, user: UserId) -> Result<(), Refused> {
        let taken = self.chats.get(session).is_some()
            || self.lines.in_session(session).is_some()
            || self.offers.get(session).is_some_and(|by| *by != user);
        if taken {
            Err(Refused::SessionTaken)
        } else {
            Ok(())
        }
    }

    /// The invitee, or the answer on its behalf.
    fn reach(&self, user: UserId) -> Result<Person, Outcome> {
        self.roster.may_be_invited(user).map_err(|why| match why {
            Unavailable::Chatting => Outcome::Busy,
            Unavailable::Inviting => Outcome::Inviting,
            Unavailable::DoNotDisturb => Outcome::DoNotDisturb,
            Unavailable::Offline | Unavailable::Unknown => Outcome::Gone,
        })?;
        if self.lines.to(user).len() >= RINGING_MAX {
            return Err(Outcome::Busy);
        }
        self.roster.person(user).cloned().ok_or(Outcome::Gone)
    }

    /// Whether the invitation still waits, and for `by`.
    fn answerable(
        &self,
        id: InvitationId,
        by: UserId,
        whose: impl Fn(&Invitation) -> UserId,
    ) -> Result<(), AnswerError> {
        if let Some(invitation) = self.lines.get(id) {
            return if whose(invitation) == by {
                Ok(())
            } else {
                Err(AnswerError::Forbidden)
            };
        }
        match self.lines.over.find(id) {
            Some(ended) if [ended.from, ended.to].contains(&by) => {
                Err(AnswerError::Over(ended.outcome))
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
        let invitation = self.close(id, Outcome::Accepted, now)?;
        for user in [invitation.from.id, invitation.to.id] {
            if let Some(own) = self.lines.from(user) {
                self.close(own, Outcome::InviterTookAnother, now);
            }
            for other in self.lines.to(user) {
                self.close(other, Outcome::TookAnother, now);
            }
        }
        let parties = [
            Party {
                person: invitation.from,
                tab: invitation.tab,
            },
            Party {
                person: invitation.to,
                tab,
            },
        ];
        self.begin_chat(invitation.session.clone(), parties, now);
        Some(invitation.session)
    }
}

impl Invitation {
    pub(super) fn outgoing(&self, now: Instant) -> Outgoing {
        Outgoing {
            invitation: self.id,
            to: self.to.clone(),
            rings_for_ms: self.rings_for_ms(now),
        }
    }

    pub(super) fn incoming(&self, now: Instant) -> Incoming {
        Incoming {
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
pub(super) struct Lines {
    ringing: HashMap<InvitationId, Invitation>,
    from: HashMap<UserId, InvitationId>,
    /// The oldest first.
    to: HashMap<UserId, Vec<InvitationId>>,
    sessions: HashMap<SessionId, InvitationId>,
    /// In the order in which they were sent, which is that of their ends; those that are over are
    /// dropped from the front.
    ends: VecDeque<(Instant, InvitationId)>,
    over: Over,
}

impl Lines {
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
        outcome: Outcome,
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
        self.over.add(id, Ended { from, to, outcome }, now);
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
