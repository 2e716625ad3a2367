//! When an event is tried again.

use std::time::Duration;

/// How long the receivers of events are tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Before the second try, the third, …; the last is for all that follow.
    pub waits: Vec<Duration>,
    /// An event that is older is not tried again.
    pub give_up_after: Duration,
    /// How many failed tries of an event its followers wait for. Higher: order survives longer interruptions; lower: an event
    /// that its receiver never takes holds up the others for less long.
    pub holding_tries: u32,
}

impl Default for Schedule {
    /// A dozen tries in a day. An event holds up others for the first 72 s: a restart of its receiver.
    fn default() -> Self {
        let seconds = [2, 10, 60, 5 * 60, 15 * 60, 3600, 2 * 3600, 4 * 3600];
        Schedule {
            waits: seconds.map(Duration::from_secs).to_vec(),
            give_up_after: Duration::from_secs(24 * 60 * 60),
            holding_tries: 4,
        }
    }
}

impl Schedule {
    /// When an event is due that has failed `tries` times, the last time now; `None`: never again. Unix time, ms.
    pub fn next_try(&self, tries: u32, happened_at_ms: i64, now_ms: i64) -> Option<i64> {
        let place = usize::try_from(tries.saturating_sub(1)).unwrap_or(usize::MAX);
        let wait = self.waits.get(place).or(self.waits.last())?;
        let due = now_ms.saturating_add(millis(*wait));
        let end = happened_at_ms.saturating_add(millis(self.give_up_after));
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
            schedule.next_try(u32::try_from(waits.len()).unwrap() + 1, HAPPENED, now)
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
    fn the_age_counts_and_not_the_number_of_tries() {
        let schedule = Schedule::default();
        let day = 24 * 3_600_000;
        let last = HAPPENED + day - 2_000;
        assert_eq!(schedule.next_try(1, HAPPENED, last), Some(HAPPENED + day));
        assert_eq!(schedule.next_try(1, HAPPENED, last + 1), None);
        // A clock that was set back, or ran away.
        assert_eq!(
            schedule.next_try(1, HAPPENED, HAPPENED - day),
            Some(HAPPENED - day + 2_000)
        );
        assert_eq!(schedule.next_try(u32::MAX, HAPPENED, i64::MAX), None);
    }
}
