//! The retry schedule of webhooks.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

/// The delays between the attempts to deliver an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// The delays before the second attempt, the third, …; the last one repeats.
    pub delays: Vec<Duration>,
    /// The age at which an event is given up.
    pub give_up_after: Duration,
    /// The consecutive failures after which the circuit of a URL opens.
    pub circuit_threshold: u32,
    /// The delays before the first probe of an open circuit, the second, …; the last one repeats.
    pub probe_delays: Vec<Duration>,
    /// The part by which jitter shortens a delay at most, in percent.
    pub jitter_percent: u64,
    /// The failed attempts during which an event blocks the later events of its URL. Higher: order survives longer outages; lower:
    /// an event that always fails blocks the others for a shorter time.
    pub blocking_attempts: u32,
}

impl Default for Schedule {
    /// Delays of 2 s times powers of five, up to 4 h. A failing event blocks later events for about a minute, which is enough for a
    /// restart of the receiver. Probes follow after 30 s times powers of two, up to 32 min.
    fn default() -> Self {
        let seconds = [2, 10, 50, 250, 1_250, 6_250, 4 * 3_600];
        let probe_seconds = [30, 60, 120, 240, 480, 960, 1_920];
        Schedule {
            delays: seconds.map(Duration::from_secs).to_vec(),
            give_up_after: Duration::from_secs(24 * 60 * 60),
            circuit_threshold: 10,
            probe_delays: probe_seconds.map(Duration::from_secs).to_vec(),
            jitter_percent: 20,
            blocking_attempts: 4,
        }
    }
}

impl Schedule {
    /// Returns the time of the next attempt after `attempts` have failed, the last one now; `None`: give up. Unix time, ms.
    pub fn next_attempt(
        &self,
        event: &str,
        attempts: u32,
        occurred_at_ms: i64,
        now_ms: i64,
    ) -> Option<i64> {
        let delay = pick(&self.delays, attempts.saturating_sub(1))?;
        let due = now_ms.saturating_add(self.jittered(delay, (event, attempts)));
        let end = occurred_at_ms.saturating_add(millis(self.give_up_after));
        (due <= end).then_some(due)
    }

    /// Returns the time of the next probe after this many consecutive failures of a URL, the last one now; `None`: the circuit stays
    /// closed. Unix time, ms.
    pub fn next_probe(&self, url: &str, failures: u32, now_ms: i64) -> Option<i64> {
        let probe = failures.checked_sub(self.circuit_threshold)?;
        let delay = pick(&self.probe_delays, probe)?;
        Some(now_ms.saturating_add(self.jittered(delay, (url, failures))))
    }

    /// Shortens a delay by up to [`Schedule::jitter_percent`], so that receivers and events do not retry in step. The same seed gives
    /// the same delay. Milliseconds.
    fn jittered(&self, delay: Duration, seed: impl Hash) -> i64 {
        let delay = millis(delay);
        let mut hasher = DefaultHasher::new();
        seed.hash(&mut hasher);
        let percent =
            i64::try_from(hasher.finish() % (self.jitter_percent + 1)).unwrap_or_default();
        delay - delay / 100 * percent
    }
}

fn pick(delays: &[Duration], index: u32) -> Option<Duration> {
    let index = usize::try_from(index).unwrap_or(usize::MAX);
    delays.get(index).or(delays.last()).copied()
}

pub(super) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HAPPENED: i64 = 1_700_000_000_000;

    #[test]
    fn delays_grow_and_end_within_a_day() {
        let schedule = Schedule::default();
        let (mut now, mut attempts, mut delays) = (HAPPENED, 1, Vec::new());
        while let Some(due) = schedule.next_attempt("evt_1", attempts, HAPPENED, now) {
            delays.push((due - now) / 1000);
            (now, attempts) = (due, attempts + 1);
        }
        let longest = [2, 10, 50, 250, 1_250, 6_250, 14_400, 14_400, 14_400];
        for (delay, longest) in delays.iter().zip(longest) {
            assert!(
                (longest * 4 / 5 - 1..=longest).contains(delay),
                "{delays:?}"
            );
        }
        assert!((10..=15).contains(&delays.len()), "{delays:?}");
        assert!(now - HAPPENED <= 24 * 3_600_000);
    }

    #[test]
    fn jitter_differs_between_events_and_is_bounded_and_reproducible() {
        let schedule = Schedule::default();
        let delay = |event: u32| {
            let due = schedule.next_attempt(&event.to_string(), 7, HAPPENED, HAPPENED);
            due.unwrap() - HAPPENED
        };
        let delays: Vec<i64> = (0..1_000).map(delay).collect();
        assert!(
            delays
                .iter()
                .all(|delay| (11_520_000..=14_400_000).contains(delay))
        );
        let mut distinct = delays.clone();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(distinct.len(), 21);
        assert_eq!(delays, (0..1_000).map(delay).collect::<Vec<_>>());
    }

    #[test]
    fn a_circuit_opens_after_some_failures_and_its_probes_become_rare() {
        let schedule = Schedule {
            jitter_percent: 0,
            ..Schedule::default()
        };
        let probe = |failures| {
            let at = schedule.next_probe("http://x", failures, HAPPENED)?;
            Some((at - HAPPENED) / 1000)
        };
        assert_eq!((probe(0), probe(9)), (None, None));
        assert_eq!((probe(10), probe(11)), (Some(30), Some(60)));
        assert_eq!((probe(16), probe(u32::MAX)), (Some(1_920), Some(1_920)));
    }

    #[test]
    fn the_age_counts_and_not_the_number_of_attempts() {
        let schedule = Schedule {
            jitter_percent: 0,
            ..Schedule::default()
        };
        let day = 24 * 3_600_000;
        let next = |attempts, now| schedule.next_attempt("evt_1", attempts, HAPPENED, now);
        let last = HAPPENED + day - 2_000;
        assert_eq!(next(1, last), Some(HAPPENED + day));
        assert_eq!(next(1, last + 1), None);
        // The clock was set back, or far ahead.
        assert_eq!(next(1, HAPPENED - day), Some(HAPPENED - day + 2_000));
        assert_eq!(next(u32::MAX, i64::MAX), None);
    }
}
