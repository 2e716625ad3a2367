//! The words of the presence kit (OpenTok's sample application, 2014), for pages that were written for it.
//!
//! Such a page believes what other pages say of themselves. Here its signals end at the server, which applies
//! the same rules as for every buddy and answers in the kit's words, in the name of the tab that the page believes
//! it talks to. Signals of a buddy's page never reach a kit's page, nor the other way round.
//!
//! | from the page | what it does |
//! |---|---|
//! | `<own connection>~status` | says that this is a kit's page; what it claims to be is not believed |
//! | `invitation` to a tab | invites its buddy, in the session that `POST /chats` has made |
//! | `cancelInvitation`, `acceptInvitation`, `declineInvitation` | the same, of the invitation in that session |
//!
//! | to the page | when |
//! |---|---|
//! | `<tab>~status`: `online`, `unavailable` | a buddy can be invited, or no longer |
//! | `invitation`, `cancelInvitation` | somebody calls, or does not any more |
//! | `acceptInvitation`, `declineInvitation` | its own invitation was answered |
//!
//! The data of all but `~status` is the text `{"sessionId":"…","apiKey":"…"}`; the kit compares it as it is.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use super::{
    now,
    state::{Effect, Recipients, State},
};
use crate::{
    invitation::{
        AnswerError, InvitationEvent, InvitationId, InvitationMessage, InvitationOutcome, Invite,
        InviteResult, Switchboard,
    },
    opentok::SessionId,
    presence::{PresenceStatus, RosterDelta, UserId},
    session::{ClientSignal, ConnectionId, Refusal},
};

/// What every kit's page needs to be told.
pub(super) struct PresenceKit {
    api_key: String,
    /// Tabs with a kit's page.
    tabs: HashSet<ConnectionId>,
    /// Invitations that wait for an answer.
    calls: HashMap<InvitationId, Call>,
    /// The tab to which a kit's page addressed the invitation in this session.
    addressed: HashMap<SessionId, ConnectionId>,
    /// The tab whose request is carried out: it knows what it does.
    acting: Option<ConnectionId>,
}

/// An invitation as kit's pages see it: between tabs.
struct Call {
    from: (UserId, Option<ConnectionId>),
    to: Option<ConnectionId>,
    data: Arc<str>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct InvitationData {
    session_id: SessionId,
    api_key: serde_json::Value,
}

impl PresenceKit {
    pub(super) fn new(api_key: String) -> PresenceKit {
        PresenceKit {
            api_key,
            tabs: HashSet::new(),
            calls: HashMap::new(),
            addressed: HashMap::new(),
            acting: None,
        }
    }

    pub(super) fn forget(&mut self, tab: ConnectionId) {
        self.tabs.remove(&tab);
    }

    /// A tab has opened. Kit's pages take it for available until they are told otherwise.
    pub(super) fn tab_connected(
        &self,
        user: UserId,
        tab: ConnectionId,
        switchboard: &Switchboard,
        effects: &mut VecDeque<Effect>,
    ) {
        if !self.tabs.is_empty() && switchboard.roster().may_be_invited(user).is_err() {
            let others = self.tabs.iter().copied().filter(|other| *other != tab);
            effects.push_back(status(tab, false, others.collect()));
        }
    }

    /// Says an event in the kit's words.
    pub(super) fn translate(
        &mut self,
        event: &InvitationEvent,
        switchboard: &Switchboard,
        effects: &mut VecDeque<Effect>,
    ) {
        match event {
            InvitationEvent::RosterChanged(delta) if !self.tabs.is_empty() => {
                self.tell_states(delta, switchboard, effects);
            }
            InvitationEvent::UserNotified { to, message } => {
                self.tell(*to, message, switchboard, effects);
            }
            _ => {}
        }
    }

    fn tell_states(
        &self,
        delta: &RosterDelta,
        switchboard: &Switchboard,
        effects: &mut VecDeque<Effect>,
    ) {
        for entry in delta.joined.iter().chain(&delta.changed) {
            for tab in switchboard.roster().tabs(entry.person.id) {
                let others = self.tabs.iter().copied().filter(|other| other != tab);
                let is_available = entry.state == PresenceStatus::Available;
                effects.push_back(status(*tab, is_available, others.collect()));
            }
        }
    }

    fn tell(
        &mut self,
        to: UserId,
        message: &InvitationMessage,
        switchboard: &Switchboard,
        effects: &mut VecDeque<Effect>,
    ) {
        match message {
            InvitationMessage::Ringing(incoming) => {
                let Some(invitation) = switchboard.ringing(incoming.invitation) else {
                    return;
                };
                let first_tab = |user| switchboard.roster().tabs(user).first().copied();
                let call = Call {
                    from: (
                        invitation.from.id,
                        invitation.tab.or_else(|| first_tab(invitation.from.id)),
                    ),
                    to: self
                        .addressed
                        .remove(&invitation.session)
                        .or_else(|| first_tab(to)),
                    data: self.text(&invitation.session),
                };
                self.say(
                    "invitation",
                    call.from.1,
                    self.tabs_of(to, switchboard),
                    &call,
                    effects,
                );
                self.calls.insert(incoming.invitation, call);
            }
            InvitationMessage::Answered {
                invitation,
                outcome,
            }
            | InvitationMessage::Cancelled {
                invitation,
                outcome,
            } => {
                let Some(call) = self.calls.get(invitation) else {
                    return;
                };
                let tabs = self.tabs_of(to, switchboard);
                if to == call.from.0 {
                    let word = match outcome {
                        InvitationOutcome::Accepted => "acceptInvitation",
                        _ => "declineInvitation",
                    };
                    self.say(word, call.to, tabs, call, effects);
                } else {
                    self.say("cancelInvitation", call.from.1, tabs, call, effects);
                    self.calls.remove(invitation);
                }
            }
            _ => {}
        }
    }

    /// Sends a word about a call to tabs, but for the one that asked for it.
    fn say(
        &self,
        word: &str,
        from: Option<ConnectionId>,
        mut tabs: Vec<ConnectionId>,
        call: &Call,
        effects: &mut VecDeque<Effect>,
    ) {
        tabs.retain(|tab| Some(*tab) != self.acting);
        let Some(from) = from else {
            return;
        };
        if !tabs.is_empty() {
            effects.push_back(word_to(word, from, tabs, Arc::clone(&call.data)));
        }
    }

    fn tabs_of(&self, user: UserId, switchboard: &Switchboard) -> Vec<ConnectionId> {
        let tabs = switchboard.roster().tabs(user).iter().copied();
        tabs.filter(|tab| self.tabs.contains(tab)).collect()
    }

    fn text(&self, session: &SessionId) -> Arc<str> {
        let invitation_data = InvitationData {
            session_id: session.clone(),
            api_key: self.api_key.clone().into(),
        };
        serde_json::to_string(&invitation_data)
            .expect("a invitation_data has string keys only")
            .into()
    }
}

impl State {
    /// Carries out what a page of the kit signals.
    ///
    /// # Errors
    /// Told to the page, which shows the sentence.
    pub(super) fn answer_kit(&mut self, signal: ClientSignal) -> Result<(), Refusal> {
        let from = signal.from;
        let Some(user) = self.switchboard.roster().user_of(from) else {
            return Err(refusal(403, "you are nobody here: say your name at /users"));
        };
        let word = signal.signal_type.as_deref().unwrap_or_default();
        if word == format!("{from}~status") {
            self.greet_kit(from);
            return Ok(());
        }
        let known = [
            "invitation",
            "cancelInvitation",
            "acceptInvitation",
            "declineInvitation",
        ];
        if !known.contains(&word) {
            return Err(refusal(
                403,
                "only the presence kit's signals about oneself are allowed here",
            ));
        }
        let invitation_data = signal
            .data
            .as_ref()
            .and_then(serde_json::Value::as_str)
            .and_then(|data| serde_json::from_str::<InvitationData>(data).ok());
        let Some(InvitationData { session_id, .. }) = invitation_data else {
            let sentence =
                r#"the data of an invitation is the text {"sessionId":"…","apiKey":"…"}"#;
            return Err(refusal(400, sentence));
        };
        self.presence_kit.acting = Some(from);
        let done = match word {
            "invitation" => self.kit_invites(user, from, signal.to, session_id),
            word => self.kit_answers(word, user, from, &session_id),
        };
        self.presence_kit.acting = None;
        done
    }

    /// Somebody's page turns out to be a kit's: it is told who cannot be invited.
    fn greet_kit(&mut self, tab: ConnectionId) {
        if !self.presence_kit.tabs.insert(tab) {
            return;
        }
        for (_, tabs, state) in self.switchboard.roster().buddies() {
            if state.is_some_and(|state| state != PresenceStatus::Available) {
                let others = tabs.iter().filter(|other| **other != tab);
                let effects = others.map(|other| status(*other, false, vec![tab]));
                self.effects.extend(effects);
            }
        }
    }

    fn kit_invites(
        &mut self,
        user: UserId,
        from: ConnectionId,
        to: Option<ConnectionId>,
        session: SessionId,
    ) -> Result<(), Refusal> {
        let Some(to) = to else {
            return Err(refusal(400, "an invitation is for one buddy"));
        };
        let Some(invitee) = self.switchboard.roster().user_of(to) else {
            return Err(refusal(404, "this buddy has just left"));
        };
        if self.switchboard.may_join(&session, user).is_err() {
            return Err(refusal(403, "ask for a session at /chats first"));
        }
        let now = now();
        let invite = Invite {
            from: user,
            to: invitee,
            session: session.clone(),
            tab: Some(from),
        };
        self.presence_kit.addressed.insert(session.clone(), to);
        let invited = self.switchboard.invite(invite, now);
        self.settle(now);
        self.presence_kit.addressed.remove(&session);
        let word = match invited {
            Err(refused) => return Err(refusal(409, &refused.to_string())),
            Ok(InviteResult::Ringing(_)) => return Ok(()),
            Ok(InviteResult::Answered(_)) => "declineInvitation",
            // The other one's invitation was accepted. This page will join the session it has made itself.
            Ok(InviteResult::Connected(theirs)) => {
                self.effects.push_back(Effect::Alias {
                    from: session.clone(),
                    into: theirs,
                });
                "acceptInvitation"
            }
        };
        let data = self.presence_kit.text(&session);
        self.effects.push_back(word_to(word, to, vec![from], data));
        Ok(())
    }

    fn kit_answers(
        &mut self,
        word: &str,
        user: UserId,
        tab: ConnectionId,
        session: &SessionId,
    ) -> Result<(), Refusal> {
        let ringing = self.switchboard.ringing_in(session);
        let Some((id, is_mine)) = ringing.map(|ringing| (ringing.id, ringing.from.id == user))
        else {
            return match word {
                // It may be declined for good measure when another one was accepted.
                "declineInvitation" => Ok(()),
                "cancelInvitation" if self.switchboard.may_join(session, user).is_err() => Ok(()),
                _ => Err(refusal(
                    409,
                    &AnswerError::Ended(InvitationOutcome::Cancelled).to_string(),
                )),
            };
        };
        let now = now();
        let answered = match word {
            "acceptInvitation" => self
                .switchboard
                .accept(id, user, Some(tab), now)
                .map(|_| ()),
            // A page that accepts another invitation declines its own one.
            _ if is_mine => self.switchboard.cancel(id, user, now),
            "declineInvitation" => self.switchboard.decline(id, user, now),
            _ => Err(AnswerError::Forbidden),
        };
        self.settle(now);
        answered.map_err(|error| match error {
            AnswerError::NotFound => refusal(404, &error.to_string()),
            AnswerError::Forbidden => refusal(403, &error.to_string()),
            AnswerError::Ended(_) => refusal(409, &error.to_string()),
        })
    }
}

fn status(of: ConnectionId, is_available: bool, to: Vec<ConnectionId>) -> Effect {
    let data = if is_available {
        "online"
    } else {
        "unavailable"
    };
    word_to(&format!("{of}~status"), of, to, data.into())
}

fn word_to(word: &str, from: ConnectionId, to: Vec<ConnectionId>, data: Arc<str>) -> Effect {
    Effect::Signal {
        from: Some(from),
        to: Recipients::Tabs(to),
        signal_type: word.to_owned(),
        data,
    }
}

fn refusal(code: u16, sentence: &str) -> Refusal {
    let name = match code {
        400 => "OT_INVALID_PARAMETER",
        404 => "OT_NOT_FOUND",
        _ => "OT_PERMISSION_DENIED",
    };
    Refusal::new(code, name, sentence)
}
