//! How much one client may ask, and how fast.
//!
//! The limits are a connection's, not a socket's: resuming does not fill them up again.

use std::time::Instant;

/// Messages of every kind, per second. More than the burst at once ends the connection.
const MESSAGES_PER_S: f64 = 200.0;
const MESSAGES_BURST: f64 = 400.0;

/// Signals, per second. More are refused one by one.
const SIGNALS_PER_S: f64 = 50.0;
const SIGNALS_BURST: f64 = 100.0;

/// Offers, per second: each costs the media engine a negotiation.
const OFFERS_PER_S: f64 = 5.0;
const OFFERS_BURST: f64 = 10.0;

/// What a connection may still do now.
///
/// Pages of the presence kit greet everybody who is there with a signal each, and everybody who
/// comes: so the bursts of messages and signals grow by one for each other connection.
pub struct Limits {
    messages: Bucket,
    signals: Bucket,
    offers: Bucket,
}

impl Limits {
    pub fn new(others: usize, now: Instant) -> Self {
        Limits {
            messages: Bucket::full(MESSAGES_PER_S, MESSAGES_BURST + count(others), now),
            signals: Bucket::full(SIGNALS_PER_S, SIGNALS_BURST + count(others), now),
            offers: Bucket::full(OFFERS_PER_S, OFFERS_BURST, now),
        }
    }

    pub fn message(&mut self, now: Instant) -> bool {
        self.messages.take(now)
    }

    pub fn signal(&mut self, now: Instant) -> bool {
        self.signals.take(now)
    }

    pub fn offer(&mut self, now: Instant) -> bool {
        self.offers.take(now)
    }

    /// Somebody joined, whom this connection may want to greet.
    pub fn greet_one_more(&mut self) {
        for bucket in [&mut self.messages, &mut self.signals] {
            bucket.burst += 1.0;
            bucket.tokens += 1.0;
        }
    }

    /// Somebody left.
    pub fn greet_one_less(&mut self) {
        for bucket in [&mut self.messages, &mut self.signals] {
            bucket.burst -= 1.0;
            bucket.tokens = bucket.tokens.min(bucket.burst);
        }
    }
}

fn count(others: usize) -> f64 {
    f64::from(u32::try_from(others).unwrap_or(u32::MAX))
}

/// Holds up to `burst` tokens and gains `per_s` each second.
struct Bucket {
    per_s: f64,
    burst: f64,
    tokens: f64,
    filled_at: Instant,
}

impl Bucket {
    fn full(per_s: f64, burst: f64, now: Instant) -> Self {
        Bucket {
            per_s,
            burst,
            tokens: burst,
            filled_at: now,
        }
    }

    fn take(&mut self, now: Instant) -> bool {
        let gained = now.saturating_duration_since(self.filled_at).as_secs_f64() * self.per_s;
        self.tokens = (self.tokens + gained).min(self.burst);
        self.filled_at = self.filled_at.max(now);
        if self.tokens < 1.0 {
            return false;
        }
        self.tokens -= 1.0;
        true
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_newcomer_may_greet_everybody_at_once() {
        let now = Instant::now();
        let mut limits = Limits::new(5000, now);
        assert!((0..=5000).all(|_| limits.message(now) && limits.signal(now)));
    }

    #[test]
    fn everybody_may_greet_each_newcomer_at_once() {
        let now = Instant::now();
        let mut limits = Limits::new(0, now);
        while limits.signal(now) {}
        for _ in 0..1000 {
            limits.greet_one_more();
            assert!(limits.signal(now));
        }
    }

    #[test]
    fn signals_come_back_at_fifty_a_second() {
        let now = Instant::now();
        let mut limits = Limits::new(0, now);
        while limits.signal(now) {}
        let later = now + Duration::from_millis(1001);
        assert_eq!((0..1000).filter(|_| limits.signal(later)).count(), 50);
    }

    #[test]
    fn an_empty_bucket_does_not_fill_when_the_clock_steps_back() {
        let early = Instant::now();
        let late = early + Duration::from_secs(1);
        let mut limits = Limits::new(0, late);
        while limits.offer(late) {}
        assert!(!limits.offer(early));
        assert!(!limits.offer(late));
    }
}
