//! Invitations that are over, remembered for a while: whoever answers too late is told what happened.

use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, Instant},
};

use super::{InvitationId, Outcome};
use crate::presence::UserId;

/// How long, and how many at most.
const KEPT_FOR: Duration = Duration::from_secs(120);
const KEPT_MAX: usize = 10_000;

#[derive(Debug, Default)]
pub(super) struct Over {
    ended: HashMap<InvitationId, Ended>,
    order: VecDeque<(Instant, InvitationId)>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Ended {
    pub(super) from: UserId,
    pub(super) to: UserId,
    pub(super) outcome: Outcome,
}

impl Over {
    pub(super) fn add(&mut self, id: InvitationId, ended: Ended, now: Instant) {
        self.ended.insert(id, ended);
        self.order.push_back((now, id));
        while let Some((at, id)) = self.order.front()
            && (self.order.len() > KEPT_MAX || now.duration_since(*at) >= KEPT_FOR)
        {
            self.ended.remove(id);
            self.order.pop_front();
        }
    }

    pub(super) fn find(&self, id: InvitationId) -> Option<Ended> {
        self.ended.get(&id).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_over_is_forgotten_in_time() {
        let (mut over, mut now) = (Over::default(), Instant::now());
        let ended = Ended {
            from: UserId::random(),
            to: UserId::random(),
            outcome: Outcome::Declined,
        };
        let first = InvitationId::random();
        over.add(first, ended, now);
        now += Duration::from_secs(119);
        over.add(InvitationId::random(), ended, now);
        assert!(over.find(first).is_some());
        now += Duration::from_secs(1);
        over.add(InvitationId::random(), ended, now);
        assert!(over.find(first).is_none());

        for _ in 0..20_000 {
            over.add(InvitationId::random(), ended, now);
        }
        assert_eq!(over.ended.len(), KEPT_MAX);
        assert_eq!(over.order.len(), KEPT_MAX);
    }
}
