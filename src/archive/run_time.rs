//! How long archives have been recording, by the monotonic clock: the wall clock may be set meanwhile.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use super::ArchiveId;

/// When each running archive was first seen. An archive is seen a few seconds after it started, and none outlives the process.
#[derive(Debug, Default)]
pub struct RunTimes(HashMap<ArchiveId, Instant>);

impl RunTimes {
    /// Returns those of the running archives that have been recording for `max` or longer. Forgets all that are not running.
    pub fn overlong(
        &mut self,
        running: &[ArchiveId],
        max: Duration,
        now: Instant,
    ) -> Vec<ArchiveId> {
        self.0.retain(|id, _| running.contains(id));
        for id in running {
            self.0.entry(*id).or_insert(now);
        }
        let is_overlong = |since: &Instant| now.saturating_duration_since(*since) >= max;
        let overlong = self.0.iter().filter(|(_, since)| is_overlong(since));
        overlong.map(|(id, _)| *id).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_is_overlong_once_it_was_seen_for_the_maximum() {
        let mut times = RunTimes::default();
        let (ann, bob) = (ArchiveId::random(), ArchiveId::random());
        let begun = Instant::now();
        let hour = Duration::from_secs(3600);
        let mut overlong = |running: &[ArchiveId], minutes: u64| {
            times.overlong(running, hour, begun + Duration::from_secs(60 * minutes))
        };
        assert!(overlong(&[ann], 0).is_empty());
        assert!(overlong(&[ann, bob], 59).is_empty());
        assert_eq!(overlong(&[ann, bob], 60), [ann]);
        assert!(overlong(&[bob], 61).is_empty());
        // Another run of the same archive is a new one.
        assert!(overlong(&[ann], 70).is_empty());
    }
}
