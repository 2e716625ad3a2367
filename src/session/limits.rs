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

/// Whom a connection may want to greet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Crowd {
    /// How many others are there.
    pub others: usize,
    /// How many have come since the session began.
    pub came: u64,
}

/// Messages to other browsers, per second: somebody who joins a call of dozens meets them all at once.
const RELAYS_PER_S: f64 = 50.0;
const RELAYS_BURST: f64 = 300.0;

/// What a connection may still do now.
///
/// Pages of the presence kit greet everybody who is there with a signal each, and everybody who
/// comes: so the bursts of messages and signals grow by one for each other connection. They do when
/// the connection next does something, so that a coming costs nothing for those who do nothing.
pub struct Limits {
    messages: Bucket,
    signals: Bucket,
    offers: Bucket,
    relays: Bucket,
    /// How many had come when this was last looked at.
    came: u64,
}

impl Limits {
    pub fn new(crowd: Crowd, now: Instant) -> Self {
        let others = count(crowd.others);
        Limits {
            messages: Bucket::full(MESSAGES_PER_S, MESSAGES_BURST + others, now),
            signals: Bucket::full(SIGNALS_PER_S, SIGNALS_BURST + others, now),
            offers: Bucket::full(OFFERS_PER_S, OFFERS_BURST, now),
            relays: Bucket::full(RELAYS_PER_S, RELAYS_BURST, now),
            came: crowd.came,
        }
    }

    /// A message of any kind, a signal among them.
    pub fn message(&mut self, crowd: Crowd, now: Instant) -> bool {
        self.look_around(crowd);
        self.messages.take(now)
    }

    /// One of the messages is a signal.
    pub fn signal(&mut self, now: Instant) -> bool {
        self.signals.take(now)
    }

    /// One of the messages is for another browser.
    pub fn relay(&mut self, now: Instant) -> bool {
        self.relays.take(now)
    }

    pub fn offer(&mut self, now: Instant) -> bool {
        self.offers.take(now)
    }

    /// Makes room for a greeting to everybody who has come since.
    fn look_around(&mut self, crowd: Crowd) {
        let newcomers = count(crowd.came.saturating_sub(self.came));
        self.came = crowd.came;
        let others = count(crowd.others);
        for (bucket, burst) in [
            (&mut self.messages, MESSAGES_BURST),
            (&mut self.signals, SIGNALS_BURST),
        ] {
            bucket.burst = burst + others;
            bucket.tokens = (bucket.tokens + newcomers).min(bucket.burst);
        }
    }
}

fn count(people: impl TryInto<u32>) -> f64 {
    f64::from(people.try_into().unwrap_or(u32::MAX))
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
