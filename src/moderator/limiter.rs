//! How often somebody may try to sign in.
//!
//! Failed attempts are counted for the account's name and for the address they come from. Whoever
//! has failed too often waits until the oldest failure is a while ago.

use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, Instant},
};

use super::account_name;
use crate::common::name::fold;

/// Failures that count: those not longer ago than this.
const WINDOW: Duration = Duration::from_secs(15 * 60);

/// Failures for one name within the window. Higher: more guesses; lower: a moderator with a bad
/// memory waits sooner.
const PER_NAME: usize = 8;

/// Failures from one address within the window; people behind one router share it.
const PER_ADDRESS: usize = 30;

/// Names and addresses remembered. Beyond that the stalest is forgotten, so memory stays bounded.
const MOST_KEYS: usize = 20_000;

/// Too many attempts have failed.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("too many attempts have failed; try again in {} min", .wait.as_secs().div_ceil(60))]
pub struct TooManyAttempts {
    pub wait: Duration,
}

/// Counts failed attempts to sign in.
#[derive(Debug, Default)]
pub struct SignInLimiter {
    /// Times of the failures that count, oldest first.
    failures: HashMap<String, VecDeque<Instant>>,
}

impl SignInLimiter {
    /// May somebody at `address` try `name` now?
    ///
    /// # Errors
    /// [`TooManyAttempts`] says how long to wait.
    pub fn check(
        &mut self,
        name: &str,
        address: &str,
        now: Instant,
    ) -> Result<(), TooManyAttempts> {
        let wait = keys(name, address)
            .into_iter()
            .filter_map(|(key, most)| self.wait(&key, most, now))
            .max();
        wait.map_or(Ok(()), |wait| Err(TooManyAttempts { wait }))
    }

    /// An attempt has failed.
    pub fn failed(&mut self, name: &str, address: &str, now: Instant) {
        for (key, _) in keys(name, address) {
            if self.failures.len() >= MOST_KEYS && !self.failures.contains_key(&key) {
                self.forget_stalest();
            }
            self.failures.entry(key).or_default().push_back(now);
        }
    }

    /// The right password was given: the name's failures are forgiven, not those of the address.
    pub fn succeeded(&mut self, name: &str) {
        self.failures.remove(&name_key(name));
    }

    fn wait(&mut self, key: &str, most: usize, now: Instant) -> Option<Duration> {
        let times = self.failures.get_mut(key)?;
        while times
            .front()
            .is_some_and(|time| now.duration_since(*time) >= WINDOW)
        {
            times.pop_front();
        }
        if times.is_empty() {
            self.failures.remove(key);
            return None;
        }
        let decisive = times.len().checked_sub(most)?;
        let passed = now.duration_since(*times.get(decisive)?);
        Some(WINDOW.saturating_sub(passed))
    }

    fn forget_stalest(&mut self) {
        let stalest = self
            .failures
            .iter()
            .min_by_key(|(_, times)| times.back().copied())
            .map(|(key, _)| key.clone());
        if let Some(key) = stalest {
            self.failures.remove(&key);
        }
    }
}

fn keys(name: &str, address: &str) -> [(String, usize); 2] {
    [
        (name_key(name), PER_NAME),
        (format!("address {address}"), PER_ADDRESS),
    ]
}

/// All ways to type an account's name count as one. Long names are cut.
fn name_key(name: &str) -> String {
    let name: String = account_name(name).chars().take(100).collect();
    format!("name {}", fold(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(limiter: &mut SignInLimiter, times: usize, now: Instant) {
        for _ in 0..times {
            limiter.failed("ada", "10.0.0.1", now);
        }
    }

    #[test]
    fn a_name_is_closed_after_some_failures_and_opens_again() {
        let start = Instant::now();
        let mut limiter = SignInLimiter::default();
        failed(&mut limiter, PER_NAME - 1, start);
        assert_eq!(limiter.check("ada", "10.0.0.1", start), Ok(()));

        failed(&mut limiter, 1, start);
        let refused = limiter.check("Ada ", "10.0.0.2", start);
        assert_eq!(refused, Err(TooManyAttempts { wait: WINDOW }));
        assert_eq!(limiter.check("bob", "10.0.0.1", start), Ok(()));
        assert_eq!(limiter.check("ada", "10.0.0.1", start + WINDOW), Ok(()));
    }

    #[test]
    fn an_address_that_tries_many_names_is_closed() {
        let start = Instant::now();
        let mut limiter = SignInLimiter::default();
        for attempt in 0..PER_ADDRESS {
            limiter.failed(&format!("name{attempt}"), "10.0.0.1", start);
        }
        assert!(limiter.check("ada", "10.0.0.1", start).is_err());
        assert!(limiter.check("ada", "10.0.0.2", start).is_ok());
    }

    #[test]
    fn the_right_password_forgives_the_name() {
        let start = Instant::now();
        let mut limiter = SignInLimiter::default();
        failed(&mut limiter, PER_NAME, start);
        limiter.succeeded("ADA");
        assert_eq!(limiter.check("ada", "10.0.0.1", start), Ok(()));
    }

    #[test]
    fn memory_is_bounded() {
        let start = Instant::now();
        let mut limiter = SignInLimiter::default();
        for attempt in 0..MOST_KEYS / 2 + 100 {
            let (name, address) = (format!("n{attempt}"), format!("a{attempt}"));
            limiter.failed(
                &name,
                &address,
                start + Duration::from_millis(attempt as u64),
            );
        }
        assert!(limiter.failures.len() <= MOST_KEYS);
    }
}
