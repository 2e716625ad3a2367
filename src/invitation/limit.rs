//! How often one user may invite.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use crate::presence::UserId;

/// One invitation in so long, after a burst of so many.
const PERIOD: Duration = Duration::from_secs(3);
const BURST: u32 = 10;

/// Below so many users nobody bothers to forget those whose limit no longer binds.
const SWEEP_FROM: usize = 1024;

/// Invitations, counted as a schedule (GCRA): each reserves a period, and nobody may be a burst ahead.
#[derive(Debug)]
pub(super) struct Limit {
    /// Up to when each user's periods are reserved.
    reserved: HashMap<UserId, Instant>,
    sweep_at: usize,
}

impl Limit {
    pub(super) fn new() -> Limit {
        Limit {
            reserved: HashMap::new(),
            sweep_at: SWEEP_FROM,
        }
    }

    /// Whether `user` may invite now; else after how long.
    pub(super) fn check(&self, user: UserId, now: Instant) -> Result<(), Duration> {
        let ahead = self
            .reserved
            .get(&user)
            .map_or(Duration::ZERO, |until| until.saturating_duration_since(now));
        match ahead.checked_sub(PERIOD * (BURST - 1)) {
            Some(wait) if !wait.is_zero() => Err(wait),
            _ => Ok(()),
        }
    }

    /// Counts an invitation, if `user` may send one.
    pub(super) fn take(&mut self, user: UserId, now: Instant) -> Result<(), Duration> {
        self.check(user, now)?;
        if self.reserved.len() >= self.sweep_at {
            self.reserved.retain(|_, until| *until > now);
            self.sweep_at = SWEEP_FROM.max(2 * self.reserved.len());
        }
        let until = self.reserved.entry(user).or_insert(now);
        *until = (*until).max(now) + PERIOD;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_fine_and_a_flood_is_told_when_to_try_again() {
        let (mut limit, user, now) = (Limit::new(), UserId::random(), Instant::now());
        for _ in 0..10 {
            assert_eq!(limit.take(user, now), Ok(()));
        }
        for _ in 0..100 {
            assert_eq!(limit.take(user, now), Err(Duration::from_secs(3)));
        }
        assert_eq!(limit.take(UserId::random(), now), Ok(()), "others may");

        let later = now + Duration::from_secs(3);
        assert_eq!(limit.take(user, later), Ok(()));
        assert_eq!(limit.take(user, later), Err(Duration::from_secs(3)));
    }

    #[test]
    fn users_who_do_not_flood_are_forgotten() {
        let (mut limit, mut now) = (Limit::new(), Instant::now());
        for _ in 0..100_000 {
            limit.take(UserId::random(), now).unwrap();
            now += Duration::from_millis(100);
        }
        assert!(limit.reserved.len() <= SWEEP_FROM);
    }
}
