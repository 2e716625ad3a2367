//! The rate limits of one connection.
//!
//! They belong to the connection and not to its socket, so a reconnect does not reset them.

use std::time::Instant;

use crate::common::rate_limit::{LimitedAction, RateLimiter};

/// The other connections of a session, as one connection knows them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Crowd {
    /// The number of connections at present.
    pub others: usize,
    /// The number of connections since the session began.
    pub came: u64,
}

/// The rate limits of one connection.
///
/// A page of the presence kit sends a signal to every connection that is present, and to each one that joins. So the bursts of
/// messages and signals are larger by the number of other connections.
pub struct Limits {
    messages: RateLimiter,
    signals: RateLimiter,
    offers: RateLimiter,
    relays: RateLimiter,
    /// The crowd at the last message.
    crowd: Crowd,
}

impl Limits {
    pub fn new(crowd: Crowd, now: Instant) -> Self {
        Limits {
            messages: RateLimiter::new(LimitedAction::Message, now),
            signals: RateLimiter::new(LimitedAction::Signal, now),
            offers: RateLimiter::new(LimitedAction::Offer, now),
            relays: RateLimiter::new(LimitedAction::Relay, now),
            crowd,
        }
    }

    /// Counts a message of any kind, signals included.
    pub fn message(&mut self, crowd: Crowd, now: Instant) -> bool {
        self.update_crowd(crowd, now);
        self.messages.take(self.extra_burst(), now).is_ok()
    }

    /// Counts a signal.
    pub fn signal(&mut self, now: Instant) -> bool {
        self.signals.take(self.extra_burst(), now).is_ok()
    }

    /// Counts a message to another browser.
    pub fn relay(&mut self, now: Instant) -> bool {
        self.relays.take(0, now).is_ok()
    }

    /// Counts an offer.
    pub fn offer(&mut self, now: Instant) -> bool {
        self.offers.take(0, now).is_ok()
    }

    /// Follows the crowd. The burst shrinks with each connection that leaves, so one counted action is given back for each.
    fn update_crowd(&mut self, crowd: Crowd, now: Instant) {
        let joined = usize::try_from(crowd.came.saturating_sub(self.crowd.came));
        let before = self
            .crowd
            .others
            .saturating_add(joined.unwrap_or(usize::MAX));
        let left = saturate(before.saturating_sub(crowd.others));
        if left > 0 {
            self.messages.give_back(left, now);
            self.signals.give_back(left, now);
        }
        self.crowd = crowd;
    }

    fn extra_burst(&self) -> u32 {
        saturate(self.crowd.others)
    }
}

fn saturate(connections: usize) -> u32 {
    connections.try_into().unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_newcomer_may_greet_everybody_at_once() {
        let now = Instant::now();
        let crowd = Crowd {
            others: 5000,
            came: 5001,
        };
        let mut limits = Limits::new(crowd, now);
        assert!((0..=5000).all(|_| limits.message(crowd, now) && limits.signal(now)));
    }

    #[test]
    fn everybody_may_greet_each_newcomer_at_once() {
        let now = Instant::now();
        let mut crowd = Crowd::default();
        let mut limits = Limits::new(crowd, now);
        while limits.signal(now) {}
        for _ in 0..1000 {
            crowd.others += 1;
            crowd.came += 1;
            assert!(limits.message(crowd, now) && limits.signal(now));
        }
    }

    #[test]
    fn who_has_left_again_need_not_be_greeted() {
        let now = Instant::now();
        let mut limits = Limits::new(Crowd::default(), now);
        let crowd = Crowd {
            others: 0,
            came: 1000,
        };
        assert!(limits.message(crowd, now));
        assert_eq!((0..1000).filter(|_| limits.signal(now)).count(), 100);
    }

    #[test]
    fn signals_come_back_at_fifty_a_second() {
        let now = Instant::now();
        let mut limits = Limits::new(Crowd::default(), now);
        while limits.signal(now) {}
        let later = now + Duration::from_millis(1001);
        assert_eq!((0..1000).filter(|_| limits.signal(later)).count(), 50);
    }

    #[test]
    fn an_empty_bucket_does_not_fill_when_the_clock_steps_back() {
        let early = Instant::now();
        let late = early + Duration::from_secs(1);
        let mut limits = Limits::new(Crowd::default(), late);
        while limits.offer(late) {}
        assert!(!limits.offer(early));
        assert!(!limits.offer(late));
    }
}
