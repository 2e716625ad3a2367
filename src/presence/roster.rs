//! The roster: every buddy with its tabs, from the first tab that opens until the last one is missed.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    Activity, Availability, DisconnectReason, GracePeriod, Person, PresenceStatus, RosterDelta,
    RosterEntry, RosterPage, RosterQuery, UserId, deltas::DeltaPublisher, grace::RELOAD_GRACE,
};
use crate::{common::name::Name, session::ConnectionId};

/// How many of those who left are remembered, and for how long: they can still be called (and are told
/// of it when they return), and come back as what they chose to be.
const MAX_FORMER: usize = 10_000;
const FORMER_TTL: Duration = Duration::from_secs(24 * 60 * 60);

/// Who is here.
///
/// Everything takes `now` and never goes back in time. Timers are due at [`Roster::due`] and run by
/// [`Roster::advance`].
#[derive(Debug, Default)]
pub struct Roster {
    buddies: HashMap<UserId, Buddy>,
    connections: HashMap<ConnectionId, UserId>,
    /// The numbers taken among buddies of each name.
    numbers: BTreeSet<(Arc<str>, u32)>,
    /// Buddies without a tab, and when each is given up.
    without_tab: BTreeSet<(Instant, UserId)>,
    former: HashMap<UserId, Former>,
    /// The same, the longest gone first; an entry of somebody who came back in between means nothing.
    former_order: VecDeque<(Instant, UserId)>,
    deltas: DeltaPublisher,
}

#[derive(Debug)]
struct Buddy {
    person: Person,
    /// In the order in which they opened.
    tabs: Vec<ConnectionId>,
    availability: Availability,
    activity: Activity,
    /// While there is no tab.
    grace: Option<GracePeriod>,
    /// The page has been asked for and has not connected yet.
    expected_until: Option<Instant>,
}

#[derive(Debug)]
struct Former {
    name: Name,
    availability: Availability,
    since: Instant,
}

/// A tab has connected to the presence session.
#[derive(Clone, Copy, Debug)]
pub struct TabConnected<'a> {
    pub user: UserId,
    /// The latest name holds for all tabs.
    pub name: &'a Name,
    pub connection: ConnectionId,
    /// What a buddy who was not here wishes to be; `None`: what it was in the last day, or available.
    pub availability: Option<Availability>,
}

/// What became of those who were away.
#[derive(Debug, Default)]
pub struct ExpiredUsers {
    /// No longer buddies. They are remembered for a day.
    pub departed: Vec<UserId>,
    /// No longer remembered.
    pub forgotten: Vec<UserId>,
}

impl Roster {
    /// A tab is here, or is back with the connection it had before its socket was lost.
    pub fn tab_connected(&mut self, tab: TabConnected<'_>, now: Instant) {
        let TabConnected { user, name, .. } = tab;
        if *self.connections.entry(tab.connection).or_insert(user) != user {
            return; // connections never change hands
        }
        if !self.buddies.contains_key(&user) {
            self.add(&tab, now);
        }
        let Some(buddy) = self.buddies.get_mut(&user) else {
            return;
        };
        if !buddy.tabs.contains(&tab.connection) {
            buddy.tabs.push(tab.connection);
        }
        buddy.expected_until = None;
        if let Some(grace) = buddy.grace.take() {
            self.without_tab.remove(&(grace.until(), user));
        }
        if buddy.person.name != *name {
            let old = (Arc::clone(buddy.person.name.folded()), buddy.person.number);
            buddy.person.name = name.clone();
            if old.0 != *name.folded() {
                buddy.person.number = free_number(&self.numbers, name);
                self.numbers.remove(&old);
                self.numbers
                    .insert((Arc::clone(name.folded()), buddy.person.number));
            }
            self.deltas.mark_dirty(user, now);
        }
    }

    fn add(&mut self, tab: &TabConnected<'_>, now: Instant) {
        let former = self.former.remove(&tab.user);
        let number = free_number(&self.numbers, tab.name);
        self.numbers.insert((Arc::clone(tab.name.folded()), number));
        self.buddies.insert(
            tab.user,
            Buddy {
                person: Person {
                    id: tab.user,
                    name: tab.name.clone(),
                    number,
                },
                tabs: Vec::new(),
                availability: tab
                    .availability
                    .or(former.map(|former| former.availability))
                    .unwrap_or_default(),
                activity: Activity::Idle,
                grace: None,
                expected_until: None,
            },
        );
        self.deltas.mark_dirty(tab.user, now);
    }

    /// A tab is gone. Without another one its buddy is waited for a while.
    pub fn tab_disconnected(
        &mut self,
        connection: ConnectionId,
        reason: DisconnectReason,
        now: Instant,
    ) {
        let Some(user) = self.connections.remove(&connection) else {
            return;
        };
        let Some(buddy) = self.buddies.get_mut(&user) else {
            return;
        };
        buddy.tabs.retain(|tab| *tab != connection);
        if buddy.tabs.is_empty() {
            let expected = buddy.expected_until.is_some_and(|until| now < until);
            let grace = GracePeriod::begin(reason, expected, now);
            buddy.grace = Some(grace);
            self.without_tab.insert((grace.until(), user));
        }
    }

    /// A browser has asked for the page: one of the user's tabs is reloading, or a new one opens.
    pub fn expect_back(&mut self, user: UserId, now: Instant) {
        let Some(buddy) = self.buddies.get_mut(&user) else {
            return;
        };
        buddy.expected_until = Some(now + RELOAD_GRACE);
        if let Some(grace) = &mut buddy.grace {
            self.without_tab.remove(&(grace.until(), user));
            grace.expect_back();
            self.without_tab.insert((grace.until(), user));
        }
    }

    /// Whether a tab of the user is on its way.
    pub fn is_expected(&self, user: UserId, now: Instant) -> bool {
        self.buddies
            .get(&user)
            .and_then(|buddy| buddy.expected_until)
            .is_some_and(|until| now < until)
    }

    /// Gives up those who have been away for too long.
    pub fn advance(&mut self, now: Instant) -> ExpiredUsers {
        let mut expired = ExpiredUsers::default();
        while let Some(&(until, user)) = self.without_tab.first()
            && until <= now
        {
            self.without_tab.pop_first();
            let Some(buddy) = self.buddies.remove(&user) else {
                continue;
            };
            let Person { name, number, .. } = buddy.person;
            self.numbers.remove(&(Arc::clone(name.folded()), number));
            self.former.insert(
                user,
                Former {
                    name,
                    availability: buddy.availability,
                    since: now,
                },
            );
            self.former_order.push_back((now, user));
            self.deltas.mark_dirty(user, now);
            expired.departed.push(user);
        }
        while let Some(&(since, user)) = self.former_order.front()
            && (self.former_order.len() > MAX_FORMER || now.duration_since(since) >= FORMER_TTL)
        {
            self.former_order.pop_front();
            if self
                .former
                .get(&user)
                .is_some_and(|former| former.since == since)
            {
                self.former.remove(&user);
                expired.forgotten.push(user);
            }
        }
        expired
    }

    /// When [`Roster::advance`] or [`Roster::delta`] has something to do. Those who are to be forgotten
    /// do not count: that can wait for the next occasion.
    pub fn due(&self) -> Option<Instant> {
        let departure = self.without_tab.first().map(|(until, _)| *until);
        [departure, self.deltas.due()].into_iter().flatten().min()
    }

    /// The next delta for everybody: at once after a calm, else 250 ms after the last one; in a crowd of
    /// thousands up to 1 s after it.
    pub fn delta(&mut self, now: Instant) -> Option<RosterDelta> {
        let buddies = &self.buddies;
        self.deltas
            .next_delta(now, |user| buddies.get(&user).and_then(Buddy::entry))
    }

    /// A part of the roster, as it has been told by deltas.
    pub fn page(&self, query: RosterQuery<'_>) -> RosterPage {
        self.deltas.page(query)
    }

    /// Changes what the user chose to be. `false`: it was that already, or the user is not here.
    pub fn set_availability(
        &mut self,
        user: UserId,
        availability: Availability,
        now: Instant,
    ) -> bool {
        let Some(buddy) = self.buddies.get_mut(&user) else {
            return false;
        };
        if buddy.availability == availability {
            return false;
        }
        buddy.availability = availability;
        self.deltas.mark_dirty(user, now);
        true
    }

    /// Notes what the user does now. Only who knows of invitations and chats can tell.
    pub fn set_activity(&mut self, user: UserId, activity: Activity, now: Instant) {
        if let Some(buddy) = self.buddies.get_mut(&user)
            && buddy.activity != activity
        {
            buddy.activity = activity;
            self.deltas.mark_dirty(user, now);
        }
    }

    /// What the user chose to be, and does; `None`: not here.
    pub fn availability_and_activity(&self, user: UserId) -> Option<(Availability, Activity)> {
        self.buddies
            .get(&user)
            .map(|buddy| (buddy.availability, buddy.activity))
    }

    /// Whether the user is gone, but was here in the last day.
    pub fn is_former(&self, user: UserId) -> bool {
        self.former.contains_key(&user)
    }

    /// The user, also when invisible; `None`: not here.
    pub fn person(&self, user: UserId) -> Option<&Person> {
        self.buddies.get(&user).map(|buddy| &buddy.person)
    }

    /// The name of somebody who is here, visible or not, or was in the last day.
    pub fn name(&self, user: UserId) -> Option<&Name> {
        self.person(user)
            .map(|person| &person.name)
            .or_else(|| self.former.get(&user).map(|former| &former.name))
    }

    /// The user's tabs, in the order in which they opened.
    pub fn tabs(&self, user: UserId) -> &[ConnectionId] {
        self.buddies.get(&user).map_or(&[], |buddy| &buddy.tabs)
    }

    /// Everybody who is here: the tabs, and what others see; `None`: nothing.
    pub fn buddies(
        &self,
    ) -> impl Iterator<Item = (UserId, &[ConnectionId], Option<PresenceStatus>)> {
        self.buddies.values().map(|buddy| {
            let state = buddy.entry().map(|entry| entry.state);
            (buddy.person.id, &*buddy.tabs, state)
        })
    }

    /// Whose tab this is.
    pub fn user_of(&self, connection: ConnectionId) -> Option<UserId> {
        self.connections.get(&connection).copied()
    }

    /// How many are here, seen or not.
    pub fn len(&self) -> usize {
        self.buddies.len()
    }

    pub fn is_empty(&self) -> bool {
        self.buddies.is_empty()
    }
}

impl Buddy {
    fn entry(&self) -> Option<RosterEntry> {
        let state = PresenceStatus::of(self.availability, self.activity)?;
        Some(RosterEntry {
            person: self.person.clone(),
            state,
        })
    }
}

/// The lowest number that nobody of this name has.
fn free_number(numbers: &BTreeSet<(Arc<str>, u32)>, name: &Name) -> u32 {
    let mut free = 1;
    for (_, number) in
        numbers.range((Arc::clone(name.folded()), 0)..=(Arc::clone(name.folded()), u32::MAX))
    {
        if *number != free {
            break;
        }
        free += 1;
    }
    free
}
