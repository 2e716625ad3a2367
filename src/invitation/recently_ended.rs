//! Invitations that are over, remembered for a while: whoever answers too late is told what happened.

use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, Instant},
};

use super::{InvitationId, InvitationOutcome};
use crate::presence::UserId;

/// How long, and how many at most.
const TTL: Duration = Duration::from_secs(120);
const MAX_LEN: usize = 10_000;

#[derive(Debug, Default)]
pub(super) struct RecentlyEnded {
    ended: HashMap<InvitationId, EndedInvitation>,
    by_age: VecDeque<(Instant, InvitationId)>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct EndedInvitation {
    pub(super) from: UserId,
    pub(super) to: UserId,
    pub(super) outcome: InvitationOutcome,
}

impl RecentlyEnded {
    pub(super) fn add(&mut self, id: InvitationId, ended: EndedInvitation, now: Instant) {
        self.ended.insert(id, ended);
        self.by_age.push_back((now, id));
        while let Some((at, id)) = self.by_age.front()
            && (self.by_age.len() > MAX_LEN || now.duration_since(*at) >= TTL)
        {
            self.ended.remove(id);
            self.by_age.pop_front();
        }
    }

    pub(super) fn find(&self, id: InvitationId) -> Option<EndedInvitation> {
        self.ended.get(&id).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_over_is_forgotten_in_time() {
        let (mut recent, mut now) = (RecentlyEnded::default(), Instant::now());
        let ended = EndedInvitation {
            from: UserId::random(),
            to: UserId::random(),
            outcome: InvitationOutcome::Declined,
        };
        let first = InvitationId::random();
        recent.add(first, ended, now);
        now += Duration::from_secs(119);
        recent.add(InvitationId::random(), ended, now);
        assert!(recent.find(first).is_some());
        now += Duration::from_secs(1);
        recent.add(InvitationId::random(), ended, now);
        assert!(recent.find(first).is_none());

        for _ in 0..20_000 {
            recent.add(InvitationId::random(), ended, now);
        }
        assert_eq!(recent.ended.len(), MAX_LEN);
        assert_eq!(recent.by_age.len(), MAX_LEN);
    }
}
