//! Recording a chat: only while both agree.
//!
//! ```text
//!        ask                agree                 it records
//! off ────────▶ asked ─────────────▶ starting ─────────────────▶ on
//!  ▲              │ refuse, 30 s        │ it cannot              │ stop, or it ends by itself
//!  └──────────────┴─────────────────────┴────────────────────────┘
//! ```
//!
//! Either may ask, only the other one may agree, and either may stop. Both hear of every step.

use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use super::{InvitationEvent, InvitationMessage, JoinError, Switchboard};
use crate::{clock::Now, opentok::SessionId, presence::UserId};

/// Silence for so long is a refusal.
const CONSENT_TIMEOUT: Duration = Duration::from_secs(30);

/// What one of the two wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RecordingAction {
    Ask,
    Agree,
    Refuse,
    Stop,
}

/// What became of the recording, in the words of pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum RecordingState {
    Asked,
    /// It will start as soon as it may.
    Agreed,
    Refused,
    Started,
    Stopped,
    Failed,
}

/// Why the recording is as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordingError {
    #[error(transparent)]
    Chat(#[from] JoinError),
    #[error("you have already asked; the other person has to agree")]
    Asked,
    #[error("this call is already being recorded")]
    Recording,
    #[error("no one has asked to record this call, or the request was already answered")]
    NotAsked,
    #[error("this call is not being recorded")]
    NotRecording,
}

#[derive(Clone, Copy, Debug)]
enum Consent {
    Asked { by: UserId, other: UserId },
    Starting { by: UserId },
    On { by: UserId },
}

/// Chats in which recording is more than off.
#[derive(Debug, Default)]
pub(super) struct RecordingConsents {
    by_session: HashMap<SessionId, Consent>,
    /// When each question lapses, the earliest first; those that were answered mean nothing.
    timeouts: VecDeque<(Instant, SessionId)>,
}

impl RecordingConsents {
    /// What is to be shown of the recording: its state, and by whom.
    pub(super) fn view(&self, session: &SessionId) -> Option<(RecordingState, UserId)> {
        Some(match *self.by_session.get(session)? {
            Consent::Asked { by, .. } => (RecordingState::Asked, by),
            Consent::Starting { by } => (RecordingState::Agreed, by),
            Consent::On { by } => (RecordingState::Started, by),
        })
    }

    pub(super) fn due(&self) -> Option<Instant> {
        self.timeouts.front().map(|(at, _)| *at)
    }

    fn overdue(&mut self, now: Instant) -> Option<SessionId> {
        let (at, _) = self.timeouts.front()?;
        if *at > now {
            return None;
        }
        self.timeouts.pop_front().map(|(_, session)| session)
    }

    fn remove_timeout(&mut self, session: &SessionId) {
        self.timeouts.retain(|(_, asked)| asked != session);
    }

    pub(super) fn end(&mut self, session: &SessionId) {
        self.by_session.remove(session);
        self.remove_timeout(session);
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.by_session.is_empty() && self.timeouts.is_empty()
    }
}

impl Switchboard {
    /// One of the two asks for a recording, answers, or stops it.
    ///
    /// # Errors
    /// When it is not for this user, or makes no sense now.
    pub fn recording(
        &mut self,
        session: &SessionId,
        by: UserId,
        action: RecordingAction,
        now: Now,
    ) -> Result<(), RecordingError> {
        self.advance(now);
        let chat = self.chats.get(session).ok_or(JoinError::NotFound)?;
        if !chat.has(by) {
            return Err(JoinError::Forbidden.into());
        }
        let other = chat.people().map(|person| person.id);
        let other = if other[0] == by { other[1] } else { other[0] };
        let consent = self.consents.by_session.get(session).copied();
        match (action, consent) {
            (RecordingAction::Ask, None) => {
                let asked = Consent::Asked { by, other };
                self.consents.by_session.insert(session.clone(), asked);
                let lapses = now.at + CONSENT_TIMEOUT;
                self.consents.timeouts.push_back((lapses, session.clone()));
                self.notify_recording(session, RecordingState::Asked, by, None);
            }
            // Whoever asks for what the other one asked for agrees.
            (
                RecordingAction::Ask | RecordingAction::Agree,
                Some(Consent::Asked { by: asker, .. }),
            ) if asker != by => {
                self.agree_recording(session, asker, by);
            }
            (RecordingAction::Refuse, Some(Consent::Asked { .. })) => {
                self.consents.end(session);
                self.notify_recording(session, RecordingState::Refused, by, None);
            }
            (RecordingAction::Stop, Some(Consent::Starting { .. } | Consent::On { .. })) => {
                let stopping = Consent::On { by };
                self.consents.by_session.insert(session.clone(), stopping);
                self.events
                    .push(InvitationEvent::RecordingStopRequested(session.clone()));
            }
            (RecordingAction::Ask | RecordingAction::Agree, Some(Consent::Asked { .. })) => {
                return Err(RecordingError::Asked);
            }
            (RecordingAction::Ask, Some(_)) => return Err(RecordingError::Recording),
            (RecordingAction::Stop, _) => return Err(RecordingError::NotRecording),
            (RecordingAction::Agree | RecordingAction::Refuse, _) => {
                return Err(RecordingError::NotAsked);
            }
        }
        Ok(())
    }

    /// It records. `false`: the chat is over, and so must be the recording.
    pub fn recording_started(&mut self, session: &SessionId) -> bool {
        let Some(Consent::Starting { by } | Consent::On { by }) =
            self.consents.by_session.get(session).copied()
        else {
            return false;
        };
        self.consents
            .by_session
            .insert(session.clone(), Consent::On { by });
        self.notify_recording(session, RecordingState::Started, by, None);
        true
    }

    /// It does not record (any more): somebody stopped it, or (with a sentence for people) it could not go on.
    pub fn recording_ended(&mut self, session: &SessionId, problem: Option<String>) {
        let Some(Consent::Starting { by } | Consent::On { by }) =
            self.consents.by_session.get(session).copied()
        else {
            return;
        };
        self.consents.end(session);
        let state = match problem {
            Some(_) => RecordingState::Failed,
            None => RecordingState::Stopped,
        };
        self.notify_recording(session, state, by, problem);
    }

    /// Questions that nobody answered are answered with no.
    pub(super) fn expire_consent_requests(&mut self, now: Now) {
        while let Some(session) = self.consents.overdue(now.at) {
            if let Some(Consent::Asked { other, .. }) =
                self.consents.by_session.get(&session).copied()
            {
                self.consents.end(&session);
                self.notify_recording(&session, RecordingState::Refused, other, None);
            }
        }
    }

    fn agree_recording(&mut self, session: &SessionId, asker: UserId, by: UserId) {
        let starting = Consent::Starting { by: asker };
        self.consents.remove_timeout(session);
        self.consents.by_session.insert(session.clone(), starting);
        self.notify_recording(session, RecordingState::Agreed, by, None);
        let Some(chat) = self.chats.get(session) else {
            return;
        };
        let [inviter, invitee] = chat.people();
        let started_by = if inviter.id == asker {
            inviter
        } else {
            invitee
        };
        self.events.push(InvitationEvent::RecordingAgreed {
            session: session.clone(),
            name: format!("{} and {}", inviter.name, invitee.name),
            started_by: started_by.name.to_string(),
        });
    }

    fn notify_recording(
        &mut self,
        session: &SessionId,
        state: RecordingState,
        by: UserId,
        message: Option<String>,
    ) {
        let Some(chat) = self.chats.get(session) else {
            return;
        };
        for to in chat.people().map(|person| person.id) {
            self.notify(
                to,
                InvitationMessage::Recording {
                    session_id: session.clone(),
                    state,
                    by,
                    message: message.clone(),
                },
            );
        }
    }
}
