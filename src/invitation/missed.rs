//! Calls a user missed, kept until they are seen to.

use std::collections::HashMap;

use serde::Serialize;

use super::InvitationOutcome;
use crate::presence::{Person, UserId};

/// Callers listed per user; the one whose call is the oldest gives way.
const MAX_CALLERS: usize = 20;

/// Calls of one person which the user did not answer.
///
/// ```json
/// {"from": {"id": "…", "name": "Ann"}, "atMs": 1795316400000, "count": 2, "outcome": "noAnswer"}
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MissedCall {
    pub from: Person,
    /// When the last of them ended; Unix time, ms.
    pub at_ms: i64,
    /// How many.
    pub count: u32,
    /// How the last of them ended.
    pub outcome: InvitationOutcome,
}

#[derive(Debug, Default)]
pub(super) struct MissedCalls {
    /// The latest last.
    calls: HashMap<UserId, Vec<MissedCall>>,
}

impl MissedCalls {
    /// Lists a call that `user` missed, and returns what is listed now of this caller.
    pub(super) fn add(
        &mut self,
        user: UserId,
        from: Person,
        outcome: InvitationOutcome,
        at_ms: i64,
    ) -> MissedCall {
        let calls = self.calls.entry(user).or_default();
        let earlier = calls.iter().position(|call| call.from.id == from.id);
        let count = earlier.map_or(0, |at| calls.remove(at).count);
        if calls.len() >= MAX_CALLERS {
            calls.remove(0);
        }
        let call = MissedCall {
            from,
            at_ms,
            count: count.saturating_add(1),
            outcome,
        };
        calls.push(call.clone());
        call
    }

    pub(super) fn of(&self, user: UserId) -> &[MissedCall] {
        self.calls.get(&user).map_or(&[], Vec::as_slice)
    }

    /// Forgets calls of one person, or (`None`) of everybody. `false`: there were none.
    pub(super) fn forget(&mut self, user: UserId, from: Option<UserId>) -> bool {
        let Some(calls) = self.calls.get_mut(&user) else {
            return false;
        };
        let before = calls.len();
        calls.retain(|call| from.is_some_and(|from| call.from.id != from));
        let forgot = calls.len() < before;
        if calls.is_empty() {
            self.calls.remove(&user);
        }
        forgot
    }

    #[cfg(test)]
    pub(super) fn users(&self) -> impl Iterator<Item = UserId> {
        self.calls.keys().copied()
    }
}
