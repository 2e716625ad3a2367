//! Presence: who is here, and who is free.
//!
//! A buddy is a visitor with a name and at least one tab (a connection in the presence session). What
//! others see of a buddy follows from what the buddy chose and what the buddy is doing:
//!
//! ```text
//!                     idle            inviting        chatting
//! available           available       inviting        chatting
//! do not disturb      doNotDisturb    inviting        chatting
//! invisible           (not listed)    (not listed)    (not listed)
//! ```
//!
//! Clients keep a roster of their own: they start from a [`RosterPage`] and apply each [`RosterDelta`] whose `seq` is
//! the next; whoever misses one asks for the page again.
//!
//! ```json
//! {"seq": 8, "total": 2,
//!  "joined":  [{"id": "…", "name": "Ann", "state": "available"}],
//!  "changed": [{"id": "…", "name": "Ann", "number": 2, "state": "chatting"}],
//!  "left":    ["…"]}
//! ```
//!
//! `number` tells buddies of the same name apart and is absent for the first of them. `total` counts all
//! who are listed. A client that holds only a part of the roster finds in an entry all it needs to sort it.

mod deltas;
mod grace;
mod roster;
pub mod store;

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

pub use deltas::{RosterDelta, RosterPage, RosterQuery};
pub use grace::{DisconnectReason, GracePeriod};
pub use roster::{ExpiredUsers, Roster, TabConnected};

pub use crate::common::id::UserId;
use crate::common::name::Name;

/// What a buddy chose for itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Availability {
    #[default]
    Available,
    /// Listed as such, and never rung: whoever calls is told at once, and the call is listed as missed.
    DoNotDisturb,
    /// To others as if gone, whatever the buddy does. Invisible buddies can call.
    Invisible,
}

/// What a buddy is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Activity {
    #[default]
    Idle,
    /// An invitation of this buddy waits for its answer.
    Inviting,
    /// In a call.
    Chatting,
}

/// What others see a buddy do. Listed in the order of [`RosterEntry`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum PresenceStatus {
    Available,
    Inviting,
    Chatting,
    DoNotDisturb,
}

/// Why a buddy cannot be invited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unavailable {
    /// Waits for an answer to an invitation of its own.
    Inviting,
    /// In a call.
    Chatting,
    DoNotDisturb,
    /// Was here in the last day; or is invisible, which nobody shall be able to tell.
    Offline,
    /// Never heard of.
    Unknown,
}

/// A buddy, as others know it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Person {
    pub id: UserId,
    pub name: Name,
    /// Tells people of the same name apart: 1 for the first, who is shown without it.
    #[serde(skip_serializing_if = "is_one")]
    pub number: u32,
}

/// A line of the roster. In order: available, in a call (or about to be), do not disturb; by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RosterEntry {
    #[serde(flatten)]
    pub person: Person,
    pub state: PresenceStatus,
}

impl Roster {
    /// Whether `user` can be invited now.
    ///
    /// Whoever has sent an invitation cannot receive one. Whoever has received some can receive more.
    ///
    /// # Errors
    /// The reason why not.
    pub fn may_be_invited(&self, user: UserId) -> Result<(), Unavailable> {
        let Some((availability, activity)) = self.availability_and_activity(user) else {
            return Err(if self.is_former(user) {
                Unavailable::Offline
            } else {
                Unavailable::Unknown
            });
        };
        match (availability, activity) {
            (Availability::Invisible, _) => Err(Unavailable::Offline),
            (_, Activity::Chatting) => Err(Unavailable::Chatting),
            (_, Activity::Inviting) => Err(Unavailable::Inviting),
            (Availability::DoNotDisturb, Activity::Idle) => Err(Unavailable::DoNotDisturb),
            (Availability::Available, Activity::Idle) => Ok(()),
        }
    }
}

impl PresenceStatus {
    /// What others see; `None`: they do not see the buddy.
    fn of(availability: Availability, activity: Activity) -> Option<PresenceStatus> {
        match (availability, activity) {
            (Availability::Invisible, _) => None,
            (_, Activity::Chatting) => Some(PresenceStatus::Chatting),
            (_, Activity::Inviting) => Some(PresenceStatus::Inviting),
            (Availability::DoNotDisturb, Activity::Idle) => Some(PresenceStatus::DoNotDisturb),
            (Availability::Available, Activity::Idle) => Some(PresenceStatus::Available),
        }
    }

    fn rank(self) -> u8 {
        match self {
            PresenceStatus::Available => 0,
            PresenceStatus::Inviting | PresenceStatus::Chatting => 1,
            PresenceStatus::DoNotDisturb => 2,
        }
    }
}

impl Ord for RosterEntry {
    fn cmp(&self, other: &Self) -> Ordering {
        self.state
            .rank()
            .cmp(&other.state.rank())
            .then_with(|| self.person.name.folded().cmp(other.person.name.folded()))
            .then_with(|| self.person.number.cmp(&other.person.number))
            .then_with(|| self.person.id.cmp(&other.person.id))
            // Two lines of one buddy differ in these alone; they never stand side by side.
            .then_with(|| self.person.name.as_str().cmp(other.person.name.as_str()))
            .then_with(|| (self.state as u8).cmp(&(other.state as u8)))
    }
}

impl PartialOrd for RosterEntry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands over a reference"
)]
fn is_one(number: &u32) -> bool {
    *number == 1
}

#[cfg(test)]
mod tests;
