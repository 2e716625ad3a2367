//! What is true now, and the orders that follow from it.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use super::{now, presence_kit::PresenceKit, remote_participants::RemoteParticipants};
use crate::{
    archive::ArchiveId,
    clock::Now,
    common::name::Name,
    invitation::{ChatEnd, ChatRecord, InvitationEvent, Switchboard},
    opentok::SessionId,
    presence::{Availability, UserId},
    session::ConnectionId,
};

/// Chats that ended lately; more of them have no newcomers under way any more.
const MAX_RECENTLY_ENDED: usize = 1_000;

/// What is true now, and what is to be done about it.
pub(super) struct State {
    pub(super) switchboard: Switchboard,
    pub(super) presence_kit: PresenceKit,
    pub(super) effects: VecDeque<Effect>,
    /// What those who have not come yet since the start of the server chose to be in the day before.
    pub(super) saved_availabilities: HashMap<UserId, Availability>,
    /// Sessions of chats that ended lately, the latest last.
    pub(super) recently_ended: VecDeque<SessionId>,
    /// Who says to be in which chat, where calls are on another platform.
    pub(super) remote_participants: RemoteParticipants,
    /// The archives that record chats now.
    pub(super) recordings: HashMap<ArchiveId, SessionId>,
}

/// One thing to do.
#[derive(Debug)]
pub(super) enum Effect {
    Signal {
        /// In whose name; `None`: the server's own.
        from: Option<ConnectionId>,
        to: Recipients,
        signal_type: String,
        data: Arc<str>,
    },
    /// Lets others see a tab of a buddy, or no longer.
    SetTabVisibility {
        tab: ConnectionId,
        is_visible: bool,
    },
    /// Whoever joins the one session from now on joins the other one.
    Alias {
        from: SessionId,
        into: SessionId,
    },
    Persist(Persist),
    PlatformCall(PlatformCall),
}

/// What the database is to keep.
#[derive(Debug)]
pub(super) enum Persist {
    Chat(ChatRecord),
    ChatEnd(ChatEnd),
    /// Somebody's latest name.
    Name(UserId, Name),
    Availability(UserId, Availability),
}

/// What the platform of the calls is to do.
#[derive(Debug)]
pub(super) enum PlatformCall {
    StartRecording {
        session: SessionId,
        name: String,
        started_by: String,
    },
    StopRecording(SessionId),
    /// The chat in a session is over, and so is what goes on there.
    EndChat(SessionId),
    /// Disconnects whoever is in a session that is no chat any more.
    CloseSession(SessionId),
}

/// Who is to hear a signal.
#[derive(Debug)]
pub(super) enum Recipients {
    Everyone,
    Tabs(Vec<ConnectionId>),
}

impl State {
    pub(super) fn new(
        api_key: String,
        saved_availabilities: impl IntoIterator<Item = (UserId, Availability)>,
    ) -> State {
        State {
            switchboard: Switchboard::default(),
            presence_kit: PresenceKit::new(api_key),
            effects: VecDeque::new(),
            saved_availabilities: saved_availabilities.into_iter().collect(),
            recently_ended: VecDeque::new(),
            remote_participants: RemoteParticipants::default(),
            recordings: HashMap::new(),
        }
    }

    pub(super) fn act<T>(&mut self, act: impl FnOnce(&mut Switchboard, Now) -> T) -> T {
        let now = now();
        let done = act(&mut self.switchboard, now);
        self.settle(now);
        done
    }

    /// Lets others see all tabs of a buddy, or no longer.
    pub(super) fn show(&mut self, user: UserId, is_visible: bool) {
        let tabs = self.switchboard.roster().tabs(user).iter();
        let effects = tabs.map(|tab| Effect::SetTabVisibility {
            tab: *tab,
            is_visible,
        });
        self.effects.extend(effects);
    }

    /// Turns what has happened into orders.
    pub(super) fn settle(&mut self, now: Now) {
        for event in self.switchboard.poll(now) {
            self.presence_kit
                .translate(&event, &self.switchboard, &mut self.effects);
            self.push_effect(event);
        }
    }

    fn push_effect(&mut self, event: InvitationEvent) {
        let effect = match event {
            InvitationEvent::RosterChanged(delta) => {
                let data = serde_json::to_string(&delta).expect("a delta has string keys only");
                Effect::Signal {
                    from: None,
                    to: Recipients::Everyone,
                    signal_type: "roster".to_owned(),
                    data: data.into(),
                }
            }
            InvitationEvent::UserNotified { to, message } => {
                let tabs = self.switchboard.roster().tabs(to);
                if tabs.is_empty() {
                    return;
                }
                let data = serde_json::to_string(&message).expect("messages have string keys only");
                Effect::Signal {
                    from: None,
                    to: Recipients::Tabs(tabs.to_vec()),
                    signal_type: "buddy".to_owned(),
                    data: data.into(),
                }
            }
            InvitationEvent::ChatStarted(chat) => Effect::Persist(Persist::Chat(chat)),
            InvitationEvent::ChatEnded(end) => {
                self.remote_participants.forget(&end.session);
                self.effects
                    .push_back(Effect::PlatformCall(PlatformCall::EndChat(
                        end.session.clone(),
                    )));
                self.recently_ended.push_back(end.session.clone());
                if self.recently_ended.len() > MAX_RECENTLY_ENDED {
                    self.recently_ended.pop_front();
                }
                Effect::Persist(Persist::ChatEnd(end))
            }
            InvitationEvent::RecordingAgreed {
                session,
                name,
                started_by,
            } => Effect::PlatformCall(PlatformCall::StartRecording {
                session,
                name,
                started_by,
            }),
            InvitationEvent::RecordingStopRequested(session) => {
                Effect::PlatformCall(PlatformCall::StopRecording(session))
            }
        };
        self.effects.push_back(effect);
    }
}
