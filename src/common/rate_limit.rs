//! The rate limiter (GCRA), and the limits of all actions.
//!
//! Each permitted action reserves one period. An action is permitted while the reservations reach less than `burst` periods ahead.

use std::{
    collections::HashMap,
    hash::Hash,
    time::{Duration, Instant},
};

/// The keys that a [`KeyedRateLimiter`] holds at most.
const MAX_KEYS: usize = 20_000;

/// An action whose rate is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitedAction {
    /// A message from a connection. The connection is closed beyond the limit.
    Message,
    /// A signal from a connection.
    Signal,
    /// An offer from a connection: the media engine negotiates for each.
    Offer,
    /// A message from a connection to another browser: a participant who joins a call negotiates with all others at once.
    Relay,
    /// An invitation by a user.
    Invite,
    /// A sign-in to one account from one network.
    SignIn,
    /// The same, in the long run: the waits grow from [`LimitedAction::SignIn`]'s period to this one's.
    SignInSustained,
    /// A sign-in to any account from one network, which people behind one router share.
    SignInFromNetwork,
    /// A sign-in from a device that has signed in to the account before.
    SignInFromDevice,
}

impl LimitedAction {
    /// Returns the rate: the period of one action, and the burst.
    pub const fn rate(self) -> Rate {
        let (period_ms, burst) = match self {
            LimitedAction::Message => (5, 400),
            LimitedAction::Signal => (20, 100),
            LimitedAction::Offer => (200, 10),
            LimitedAction::Relay => (20, 300),
            LimitedAction::Invite => (3_000, 10),
            LimitedAction::SignIn => (60_000, 8),
            LimitedAction::SignInSustained => (15 * 60_000, 20),
            LimitedAction::SignInFromNetwork => (30_000, 30),
            LimitedAction::SignInFromDevice => (60_000, 8),
        };
        Rate {
            period: Duration::from_millis(period_ms),
            burst,
        }
    }
}

/// One action per period in the long run, and up to `burst` actions at once.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    pub period: Duration,
    pub burst: u32,
}

impl Rate {
    /// Returns how long the next action has to wait.
    fn check(
        self,
        reserved_until: Instant,
        extra_burst: u32,
        now: Instant,
    ) -> Result<(), Duration> {
        let ahead = reserved_until.saturating_duration_since(now);
        let max_ahead = self.period * self.burst.saturating_add(extra_burst).saturating_sub(1);
        let wait = ahead.saturating_sub(max_ahead);
        if wait.is_zero() { Ok(()) } else { Err(wait) }
    }
}

/// The rate limiter of one subject.
#[derive(Clone, Debug)]
pub struct RateLimiter {
    rate: Rate,
    reserved_until: Instant,
}

impl RateLimiter {
    pub fn new(action: LimitedAction, now: Instant) -> RateLimiter {
        RateLimiter {
            rate: action.rate(),
            reserved_until: now,
        }
    }

    /// Counts an action. The burst is larger by `extra_burst`.
    ///
    /// # Errors
    /// The wait until the action is permitted; it is not counted.
    pub fn take(&mut self, extra_burst: u32, now: Instant) -> Result<(), Duration> {
        self.rate.check(self.reserved_until, extra_burst, now)?;
        self.reserved_until = self.reserved_until.max(now) + self.rate.period;
        Ok(())
    }

    /// Uncounts up to `actions` actions.
    pub fn give_back(&mut self, actions: u32, now: Instant) {
        let earlier = self.reserved_until.checked_sub(self.rate.period * actions);
        self.reserved_until = earlier.map_or(now, |earlier| earlier.max(now));
    }
}

/// A rate limiter per key with bounded memory.
///
/// The keys are in two generations. A full generation replaces the previous one, so the limiter forgets the keys that were not
/// counted for the longest time. This costs O(1) per action on average.
#[derive(Debug)]
pub struct KeyedRateLimiter<K> {
    rate: Rate,
    max_keys: usize,
    /// Up to which time the periods of each key are reserved.
    recent: HashMap<K, Instant>,
    previous: HashMap<K, Instant>,
}

impl<K: Hash + Eq> KeyedRateLimiter<K> {
    pub fn new(action: LimitedAction) -> Self {
        KeyedRateLimiter {
            rate: action.rate(),
            max_keys: MAX_KEYS,
            recent: HashMap::new(),
            previous: HashMap::new(),
        }
    }

    /// Checks whether an action is permitted, without counting it.
    ///
    /// # Errors
    /// The wait until the action is permitted.
    pub fn check(&self, key: &K, now: Instant) -> Result<(), Duration> {
        match self.recent.get(key).or_else(|| self.previous.get(key)) {
            Some(reserved_until) => self.rate.check(*reserved_until, 0, now),
            None => Ok(()),
        }
    }

    /// Counts an action.
    ///
    /// # Errors
    /// The wait until the action is permitted; it is not counted.
    pub fn take(&mut self, key: K, now: Instant) -> Result<(), Duration> {
        self.check(&key, now)?;
        let reserved_until = self.remove(&key).map_or(now, |until| until.max(now));
        if self.recent.len() >= self.max_keys / 2 {
            self.previous = std::mem::take(&mut self.recent);
        }
        self.recent.insert(key, reserved_until + self.rate.period);
        Ok(())
    }

    /// Uncounts one action.
    pub fn give_back(&mut self, key: &K) {
        for generation in [&mut self.recent, &mut self.previous] {
            if let Some(reserved_until) = generation.get_mut(key) {
                *reserved_until = reserved_until
                    .checked_sub(self.rate.period)
                    .unwrap_or(*reserved_until);
            }
        }
    }

    /// Uncounts all actions of a key.
    pub fn reset(&mut self, key: &K) {
        self.remove(key);
    }

    fn remove(&mut self, key: &K) -> Option<Instant> {
        let previous = self.previous.remove(key);
        self.recent.remove(key).or(previous)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PERIOD: Duration = Duration::from_secs(3);

    fn invitations() -> KeyedRateLimiter<u32> {
        KeyedRateLimiter::new(LimitedAction::Invite)
    }

    #[test]
    fn a_burst_is_permitted_and_then_one_action_per_period() {
        let (mut limiter, now) = (invitations(), Instant::now());
        for _ in 0..10 {
            assert_eq!(limiter.take(1, now), Ok(()));
        }
        for _ in 0..100 {
            assert_eq!(limiter.take(1, now), Err(PERIOD));
        }
        assert_eq!(limiter.take(2, now), Ok(()), "keys are independent");
        assert_eq!(limiter.take(1, now + PERIOD), Ok(()));
        assert_eq!(limiter.take(1, now + PERIOD), Err(PERIOD));
        limiter.give_back(&1);
        assert_eq!(limiter.check(&1, now + PERIOD), Ok(()));
        limiter.reset(&1);
        assert!((0..10).all(|_| limiter.take(1, now + PERIOD).is_ok()));
    }

    #[test]
    fn memory_is_bounded_and_the_latest_keys_are_kept() {
        let (mut limiter, now) = (invitations(), Instant::now());
        for key in 0..100_000 {
            limiter.take(key, now).unwrap();
            assert!(limiter.recent.len() + limiter.previous.len() <= MAX_KEYS);
        }
        for key in 90_000..100_000 {
            assert!((1..10).all(|_| limiter.take(key, now).is_ok()));
            assert!(limiter.take(key, now).is_err(), "{key} is forgotten");
        }
    }

    #[test]
    fn nothing_is_permitted_earlier_when_the_clock_steps_back() {
        let early = Instant::now();
        let late = early + Duration::from_secs(1);
        let mut limiter = RateLimiter::new(LimitedAction::Offer, late);
        while limiter.take(0, late).is_ok() {}
        assert!(limiter.take(0, early).is_err());
        assert!(limiter.take(0, late).is_err());
    }

    proptest! {
        #[test]
        fn a_window_permits_at_most_a_burst_and_its_periods(
            gaps in prop::collection::vec(0_u64..4_000, 1..200),
            from in 0_usize..200,
        ) {
            let (mut limiter, mut now) = (invitations(), Instant::now());
            let mut permitted = Vec::new();
            for gap in gaps {
                now += Duration::from_millis(gap);
                match limiter.take(1, now) {
                    Ok(()) => permitted.push(now),
                    // The wait is exact: the action is permitted after it, and not a millisecond before.
                    Err(wait) => {
                        prop_assert!(limiter.check(&1, now + wait).is_ok());
                        prop_assert!(limiter.check(&1, now + wait - Duration::from_millis(1)).is_err());
                    }
                }
            }
            let window = permitted.get(from..).unwrap_or_default();
            if let [first, .., last] = window {
                let periods = (*last - *first).as_millis() / PERIOD.as_millis();
                prop_assert!(window.len() as u128 <= 10 + periods);
            }
        }
    }
}
