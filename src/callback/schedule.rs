//! The retry schedule of webhooks.

use std::time::Duration;

/// The delays between the attempts to deliver an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// The delays before the second attempt, the third, …; the last one repeats.
    pub delays: Vec<Duration>,
    /// The age at which an event is given up.
    pub give_up_after: Duration,
    /// The failed attempts during which an event blocks the later events of its URL. Higher: order survives longer outages; lower:
    /// an event that always fails blocks the others for a shorter time.
    pub blocking_attempts: u32,
}

impl Default for Schedule {
    /// A dozen attempts in a day. A failing event blocks later events for 72 s, which is enough for a restart of the receiver.
    fn default() -> Self {
        let seconds = [2, 10, 60, 5 * 60, 15 * 60, 3600, 2 * 3600, 4 * 3600];
        Schedule {
            delays: seconds.map(Duration::from_secs).to_vec(),
            give_up_after: Duration::from_secs(24 * 60 * 60),
            blocking_attempts: 4,
        }
    }
}

impl Schedule {
    /// Returns the time of the next attempt after `attempts` have failed, the last one now; `None`: give up. Unix time, ms.
    pub fn next_attempt(&self, attempts: u32, occurred_at_ms: i64, now_ms: i64) -> Option<i64> {
        let index = usize::try_from(attempts.saturating_sub(1)).unwrap_or(usize::MAX);
        let delay = self.delays.get(index).or(self.delays.last())?;
        let due = now_ms.saturating_add(millis(*delay));
        let end = occurred_at_ms.saturating_add(millis(self.give_up_after));
        (due <= end).then_some(due)
    }
}

pub(super) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HAPPENED: i64 = 1_700_000_000_000;

    #[test]
    fn waits_grow_and_end_within_a_day() {
        let schedule = Schedule::default();
        let mut now = HAPPENED;
        let mut waits = Vec::new();
        while let Some(due) =
            schedule.next_attempt(u32::try_from(waits.len()).unwrap() + 1, HAPPENED, now)
        {
            waits.push((due - now) / 1000);
            now = due;
        }
        let grown = [
            2, 10, 60, 300, 900, 3600, 7200, 14400, 14400, 14400, 14400, 14400,
        ];
        assert_eq!(waits, grown);
        assert!(now - HAPPENED <= 24 * 3_600_000);
    }

    #[test]
    fn the_age_counts_and_not_the_number_of_attempts() {
        let schedule = Schedule::default();
        let day = 24 * 3_600_000;
        let last = HAPPENED + day - 2_000;
        assert_eq!(
            schedule.next_attempt(1, HAPPENED, last),
            Some(HAPPENED + day)
        );
        assert_eq!(schedule.next_attempt(1, HAPPENED, last + 1), None);
        // The clock was set back, or far ahead.
        assert_eq!(
            schedule.next_attempt(1, HAPPENED, HAPPENED - day),
            Some(HAPPENED - day + 2_000)
        );
        assert_eq!(schedule.next_attempt(u32::MAX, HAPPENED, i64::MAX), None);
    }
}
