//! What is true now, and the orders that follow from it.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use super::{kit::Kit, now, watch::Claims};
use crate::{
    archive::ArchiveId,
    clock::Now,
    invitation::{ChatEnd, ChatRecord, InvitationEvent, Switchboard},
    opentok::SessionId,
    presence::{Availability, Name, UserId},
    session::ConnectionId,
};

/// Chats that ended lately; more of them have no newcomers under way any more.
const OVER_MAX: usize = 1_000;

/// What is true now, and what is to be done about it.
pub(super) struct Desk {
    pub(super) switchboard: Switchboard,
    pub(super) kit: Kit,
    pub(super) orders: VecDeque<Order>,
    /// What those who have not come yet since the start of the server chose to be in the day before.
    pub(super) choices: HashMap<UserId, Availability>,
    /// Sessions of chats that ended lately, the latest last.
    pub(super) over: VecDeque<SessionId>,
    /// Who says to be in which chat, where calls are on another platform.
    pub(super) claims: Claims,
    /// The archives that record chats now.
    pub(super) recordings: HashMap<ArchiveId, SessionId>,
}

/// One thing to do.
#[derive(Debug)]
pub(super) enum Order {
    Signal {
        /// In whose name; `None`: the server's own.
        from: Option<ConnectionId>,
        to: Audience,
        signal_type: String,
        data: Arc<str>,
    },
    /// Lets others see a tab of a buddy, or no longer.
    Show {
        tab: ConnectionId,
        is_seen: bool,
    },
    /// Whoever joins the one session from now on joins the other one.
    Unite {
        from: SessionId,
        into: SessionId,
    },
    Keep(Keep),
    Perform(Perform),
}

/// What the database is to keep.
#[derive(Debug)]
pub(super) enum Keep {
    Chat(ChatRecord),
    End(ChatEnd),
    /// Somebody's latest name.
    Name(UserId, Name),
    Choice(UserId, Availability),
}

/// What the platform of the calls is to do.
#[derive(Debug)]
pub(super) enum Perform {
    Record {
        session: SessionId,
        name: String,
        started_by: String,
    },
    StopRecording(SessionId),
    /// The chat in a session is over, and so is what goes on there.
    HangUp(SessionId),
    /// Disconnects whoever is in a session that is no chat any more.
    Close(SessionId),
}

/// Who is to hear a signal.
#[derive(Debug)]
pub(super) enum Audience {
    Everybody,
    Tabs(Vec<ConnectionId>),
}

impl Desk {
    pub(super) fn new(
        api_key: String,
        choices: impl IntoIterator<Item = (UserId, Availability)>,
    ) -> Desk {
        Desk {
            switchboard: Switchboard::default(),
            kit: Kit::new(api_key),
            orders: VecDeque::new(),
            choices: choices.into_iter().collect(),
            over: VecDeque::new(),
            claims: Claims::default(),
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
    pub(super) fn show(&mut self, user: UserId, is_seen: bool) {
        let tabs = self.switchboard.roster().tabs(user).iter();
        let orders = tabs.map(|tab| Order::Show { tab: *tab, is_seen });
        self.orders.extend(orders);
    }

    /// Turns what has happened into orders.
    pub(super) fn settle(&mut self, now: Now) {
        for event in self.switchboard.poll(now) {
            self.kit
                .translate(&event, &self.switchboard, &mut self.orders);
            self.order(event);
        }
    }

    fn order(&mut self, event: InvitationEvent) {
        let order = match event {
            InvitationEvent::RosterChanged(delta) => {
                let data = serde_json::to_string(&delta).expect("a delta has string keys only");
                Order::Signal {
                    from: None,
                    to: Audience::Everybody,
                    signal_type: "roster".to_owned(),
                    data: data.into(),
                }
            }
            InvitationEvent::UserNotified { to, message } => {
                let tabs = self.switchboard.roster().tabs(to);
                if tabs.is_empty() {
                    return;
                }
                let data = serde_json::to_string(&message).expect("message have string keys only");
                Order::Signal {
                    from: None,
                    to: Audience::Tabs(tabs.to_vec()),
                    signal_type: "buddy".to_owned(),
                    data: data.into(),
                }
            }
            InvitationEvent::ChatStarted(chat) => Order::Keep(Keep::Chat(chat)),
            InvitationEvent::ChatEnded(end) => {
                self.claims.forget(&end.session);
                self.orders
                    .push_back(Order::Perform(Perform::HangUp(end.session.clone())));
                self.over.push_back(end.session.clone());
                if self.over.len() > OVER_MAX {
                    self.over.pop_front();
                }
                Order::Keep(Keep::End(end))
            }
            InvitationEvent::RecordingAgreed {
                session,
                name,
                started_by,
            } => Order::Perform(Perform::Record {
                session,
                name,
                started_by,
            }),
            InvitationEvent::RecordingStopRequested(session) => {
                Order::Perform(Perform::StopRecording(session))
            }
        };
        self.orders.push_back(order);
    }
}
