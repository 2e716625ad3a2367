//! What the log has been told of trouble with the platform: each trouble once a minute at most, and its end once.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use crate::opentok;

/// While a trouble lasts, and without it until it is over.
const EVERY: Duration = Duration::from_secs(60);

#[derive(Debug, Default)]
pub(super) struct Complaints(HashMap<Kind, Told>);

/// There are as many as there are statuses.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Kind {
    Connection,
    Reply,
    Status(u16),
    /// Nothing was sent.
    Other,
}

#[derive(Debug)]
struct Told {
    /// When the log was told.
    at: Instant,
    /// When it happened last.
    last: Instant,
}

impl Complaints {
    /// Whether the log is to hear of this one.
    pub(super) fn is_news(&mut self, error: &opentok::Error, now: Instant) -> bool {
        let told = self.0.get_mut(&kind(error));
        if let Some(told) = told
            && now.saturating_duration_since(told.at) < EVERY
        {
            told.last = now;
            return false;
        }
        let told = Told { at: now, last: now };
        self.0.insert(kind(error), told);
        true
    }

    /// The platform has answered. Whether the log is to hear that all is well again: not while some calls go wrong and
    /// others do not.
    pub(super) fn are_over(&mut self, now: Instant) -> bool {
        let mut last = self.0.values().map(|told| told.last);
        let is_over =
            !self.0.is_empty() && last.all(|last| now.saturating_duration_since(last) >= EVERY);
        if is_over {
            self.0.clear();
        }
        is_over
    }
}

fn kind(error: &opentok::Error) -> Kind {
    match error {
        opentok::Error::Connection { .. } => Kind::Connection,
        opentok::Error::Reply(_) => Kind::Reply,
        error => error.status().map_or(Kind::Other, Kind::Status),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn away() -> opentok::Error {
        opentok::Error::Connection {
            cause: "refused".to_owned(),
            timed_out: false,
        }
    }

    #[test]
    fn a_trouble_is_told_once_a_minute_and_its_end_once() {
        let (mut complaints, start) = (Complaints::default(), Instant::now());
        assert!(!complaints.are_over(start), "there was none");
        let second = |seconds| start + Duration::from_secs(seconds);
        // A page asks each second, for two minutes and a half.
        let told: Vec<_> = (0..150)
            .filter(|at| complaints.is_news(&away(), second(*at)))
            .collect();
        assert_eq!(told, [0, 60, 120]);
        let over: Vec<_> = (150..400)
            .filter(|at| complaints.are_over(second(*at)))
            .collect();
        assert_eq!(over, [149 + 60]);
        assert!(complaints.is_news(&away(), second(400)));
    }

    #[test]
    fn another_trouble_is_another_line() {
        let (mut complaints, now) = (Complaints::default(), Instant::now());
        assert!(complaints.is_news(&away(), now));
        let reply = |words: &str| opentok::Error::Reply(words.to_owned());
        assert!(complaints.is_news(&reply("expected value"), now));
        assert!(!complaints.is_news(&reply("expected a comma"), now));
    }
}
