//! The events a client may not have received: what a resumed connection is told again.

use std::{collections::VecDeque, sync::Arc};

use super::event::SharedEvent;

/// A little more than a socket's outbox holds: a client whose socket was closed because it read
/// too slowly can still resume.
pub const MAX_EVENTS: usize = 1536;
pub const MAX_BYTES: usize = 1536 * 1024;

/// A connection's latest events, numbered from 1 without holes.
#[derive(Default)]
pub struct Backlog {
    events: VecDeque<Arc<SharedEvent>>,
    bytes: usize,
    /// The number of the latest event; 0: there was none.
    last: u64,
}

impl Backlog {
    /// Keeps `event` and returns its number. The oldest are forgotten when there are too many.
    pub fn push(&mut self, event: Arc<SharedEvent>) -> u64 {
        self.last += 1;
        self.bytes += event.json.len();
        self.events.push_back(event);
        while self.events.len() > MAX_EVENTS || self.bytes > MAX_BYTES {
            self.forget_oldest();
        }
        self.last
    }

    /// Forgets what has arrived.
    pub fn acknowledge(&mut self, last: u64) {
        while self.first() <= last && !self.events.is_empty() {
            self.forget_oldest();
        }
        // A storm of events must not cost its memory for the rest of the connection.
        if self.events.is_empty() && self.events.capacity() > 64 {
            self.events.shrink_to(16);
        }
    }

    /// The events after number `last`, with their numbers; `None` if some are forgotten, or if
    /// `last` has never been.
    pub fn after(&self, last: u64) -> Option<impl Iterator<Item = (u64, &Arc<SharedEvent>)>> {
        if last > self.last || last + 1 < self.first() {
            return None;
        }
        let known = usize::try_from(last + 1 - self.first()).ok()?;
        Some((last + 1..).zip(self.events.range(known..)))
    }

    /// The number of the oldest event that is kept, or would be.
    fn first(&self) -> u64 {
        self.last + 1 - self.events.len() as u64
    }

    fn forget_oldest(&mut self) {
        if let Some(event) = self.events.pop_front() {
            self.bytes -= event.json.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::event::SessionEvent;

    fn event() -> Arc<SharedEvent> {
        Arc::new(SharedEvent::new(SessionEvent::MuteForced { active: true }))
    }

    fn numbers(backlog: &Backlog, last: u64) -> Option<Vec<u64>> {
        Some(backlog.after(last)?.map(|(n, _)| n).collect())
    }

    #[test]
    fn what_was_missed_is_told_again() {
        let mut backlog = Backlog::default();
        assert_eq!(numbers(&backlog, 0), Some(vec![]));
        for n in 1..=5 {
            assert_eq!(backlog.push(event()), n);
        }
        assert_eq!(numbers(&backlog, 0), Some(vec![1, 2, 3, 4, 5]));
        assert_eq!(numbers(&backlog, 3), Some(vec![4, 5]));
        assert_eq!(numbers(&backlog, 5), Some(vec![]));
        assert_eq!(numbers(&backlog, 6), None);
    }

    #[test]
    fn what_was_acknowledged_is_forgotten() {
        let mut backlog = Backlog::default();
        for _ in 0..5 {
            backlog.push(event());
        }
        backlog.acknowledge(3);
        assert_eq!(numbers(&backlog, 2), None);
        assert_eq!(numbers(&backlog, 3), Some(vec![4, 5]));
        backlog.acknowledge(u64::MAX);
        assert_eq!(numbers(&backlog, 5), Some(vec![]));
        assert_eq!(backlog.bytes, 0);
        assert_eq!(backlog.push(event()), 6);
    }

    #[test]
    fn too_many_events_push_out_the_oldest() {
        let mut backlog = Backlog::default();
        for _ in 0..=MAX_EVENTS {
            backlog.push(event());
        }
        assert_eq!(numbers(&backlog, 0), None);
        assert_eq!(numbers(&backlog, 1).unwrap().len(), MAX_EVENTS);
    }

    #[test]
    fn too_many_bytes_push_out_the_oldest() {
        let mut backlog = Backlog::default();
        for _ in 0..300 {
            backlog.push(Arc::new(SharedEvent::new(SessionEvent::Signal {
                signal_type: None,
                data: Some("x".repeat(8000).into()),
                from: None,
            })));
        }
        assert!(backlog.bytes <= MAX_BYTES);
        assert_eq!(numbers(&backlog, 0), None);
        assert_eq!(numbers(&backlog, 299), Some(vec![300]));
    }
}
