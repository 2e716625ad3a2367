//! Log lines on standard error.
//!
//! A message is a fixed sentence with fields named by noun (`session.id`, `archive.size_bytes`). `info` reports what the
//! service did, `warn` a failure that it handles, `error` a failure that the operator must look at. Tokens, secrets,
//! cookies, SDP and addresses of clients are never logged.

use std::{
    collections::HashMap,
    fmt,
    io::IsTerminal,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Context;
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    EnvFilter, Layer,
    filter::LevelFilter,
    layer::{self, SubscriberExt},
    util::SubscriberInitExt,
};

use crate::clock;

/// Libraries whose detailed lines contain keys and addresses. A filter must name them to show these lines.
const INDISCREET: &str = "is=warn,str0m=warn";

/// The part of the HTTP library that reports malformed requests, which anyone can send, as errors.
const REQUEST_PARSER: &str = "actix_http::h1::dispatcher";

/// Time between two lines about malformed requests of one kind.
const MALFORMED_INTERVAL: Duration = Duration::from_secs(60);

/// Maximum number of kinds of malformed requests in the log.
const MAX_KINDS: usize = 16;

/// Malformed HTTP requests since the start.
static MALFORMED_REQUESTS: AtomicU64 = AtomicU64::new(0);

/// The number of HTTP requests since the start that were refused because they were malformed. They are counted unless the
/// log filter is `off`.
pub fn malformed_requests() -> u64 {
    MALFORMED_REQUESTS.load(Ordering::Relaxed)
}

/// Sends log lines that pass `filter` to standard error, from now on.
///
/// # Errors
/// When `filter` is not a list of `tracing` directives, or logging is already set up.
pub fn init(filter: &str) -> anyhow::Result<()> {
    let mut parsed = EnvFilter::try_new(filter).with_context(|| {
        format!("invalid log filter `{filter}`; use for example `info` or `parlor=debug`")
    })?;
    let level = parsed.max_level_hint();
    if level >= Some(LevelFilter::INFO) {
        // The later of two directives for one target wins.
        parsed = EnvFilter::try_new(format!("{INDISCREET},{filter}"))?;
    }
    let malformed = MalformedRequestFilter {
        is_verbose: level >= Some(LevelFilter::DEBUG),
        last_shown: Mutex::default(),
    };
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    tracing_subscriber::registry()
        .with(lines)
        .with(parsed)
        .with(malformed)
        .try_init()
        .map_err(|error| anyhow::anyhow!("logging cannot be set up: {error}"))
}

/// Counts malformed requests. With a filter of `debug` or more, shows one line a minute for each kind.
struct MalformedRequestFilter {
    is_verbose: bool,
    /// By message.
    last_shown: Mutex<HashMap<String, Instant>>,
}

impl MalformedRequestFilter {
    fn shows(&self, kind: String, now: Instant) -> bool {
        let mut last_shown = self
            .last_shown
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let is_due = match last_shown.get(&kind) {
            Some(last) => now.duration_since(*last) >= MALFORMED_INTERVAL,
            None => last_shown.len() < MAX_KINDS,
        };
        if is_due {
            last_shown.insert(kind, now);
        }
        is_due
    }
}

impl<S: Subscriber> Layer<S> for MalformedRequestFilter {
    fn event_enabled(&self, event: &Event<'_>, _: layer::Context<'_, S>) -> bool {
        if event.metadata().target() != REQUEST_PARSER {
            return true;
        }
        MALFORMED_REQUESTS.fetch_add(1, Ordering::Relaxed);
        if !self.is_verbose {
            return false;
        }
        let mut message = Message::default();
        event.record(&mut message);
        self.shows(message.0, clock::instant())
    }
}

/// The message of an event.
#[derive(Default)]
struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_malformed_request_is_shown_once_a_minute() {
        let filter = MalformedRequestFilter {
            is_verbose: true,
            last_shown: Mutex::default(),
        };
        let start = clock::instant();
        let shows = |kind: &str, seconds| {
            filter.shows(kind.to_owned(), start + Duration::from_secs(seconds))
        };
        assert!(shows("a bad header", 0) && !shows("a bad header", 59));
        assert!(shows("a bad version", 59));
        assert!(shows("a bad header", 60) && !shows("a bad header", 61));
        for kind in 0..100 {
            shows(&kind.to_string(), 61);
        }
        assert!(!shows("one more", 61), "memory is bounded");
    }
}
