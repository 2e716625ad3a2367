//! Errors of another platform: sentences for the users of pages, and lines for the log.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use tracing::{debug, error, warn};

use super::REQUEST_TIMEOUT;
use crate::{opentok, platform::PlatformError};

/// The error that pages show. `what` names the thing that may not exist.
pub(super) fn platform_error(error: opentok::Error, what: &'static str) -> PlatformError {
    use opentok::Error as E;
    match error {
        E::Connection {
            timed_out: true, ..
        } => PlatformError::Unavailable(format!(
            "the video platform did not answer within {} seconds",
            REQUEST_TIMEOUT.as_secs()
        )),
        E::Connection { .. } => {
            PlatformError::Unavailable("the video platform cannot be reached".to_owned())
        }
        E::Authentication(_) => PlatformError::Misconfigured(
            "the video platform does not accept this server's API key and secret".to_owned(),
        ),
        E::Reply(_) => PlatformError::Misconfigured(
            "the server at the video platform's address is not a video platform".to_owned(),
        ),
        E::Archive(no) | E::Refused(no) => match no.status {
            404 => PlatformError::NotFound(what),
            409 => PlatformError::Conflict(words(no)),
            429 => PlatformError::Unavailable(
                "the video platform receives too many requests at the moment".to_owned(),
            ),
            507 => PlatformError::NoSpace("the disk of the video platform is full".to_owned()),
            status @ 500.. => PlatformError::Unavailable(format!(
                "the video platform has a problem (it answered {status})"
            )),
            _ => PlatformError::BadRequest(words(no)),
        },
        error @ (E::Argument(_) | E::Validation(_)) => {
            PlatformError::Internal(anyhow::Error::new(error).context("asking the video platform"))
        }
    }
}

fn words(no: opentok::Refusal) -> String {
    format!(
        "the video platform refused: {}",
        no.reason.unwrap_or(no.message)
    )
}

/// Logs a failure of `operation` at the level that its kind deserves.
pub(super) fn log(error: &opentok::Error, host: &str, operation: &str) {
    let reason = error.refusal().and_then(|no| no.reason.as_deref());
    let reason = reason.unwrap_or_default();
    match error {
        opentok::Error::Authentication(_) => error!(
            platform.host = host,
            operation,
            reason,
            "The video platform rejects the credentials; set API_KEY and API_SECRET of a project there"
        ),
        opentok::Error::Reply(_) => error!(
            platform.host = host,
            operation,
            %error,
            "The server is not a video platform; check OPENTOK_API_URL"
        ),
        error if error.is_temporary() => warn!(
            platform.host = host,
            operation,
            %error,
            reason,
            "The video platform fails"
        ),
        error => debug!(
            platform.host = host,
            operation,
            %error,
            reason,
            "The video platform refuses a request"
        ),
    }
}

/// How long no request may fail before the platform counts as working again.
const RECOVERY: Duration = Duration::from_secs(60);

/// The kinds of failures that requests meet now, each with the time of its last one. The log gets one line when a kind
/// begins, and one when all are over, instead of a line for each request.
#[derive(Debug, Default)]
pub(super) struct FailureState(HashMap<FailureKind, Instant>);

/// There are as many kinds as HTTP statuses, and three.
#[derive(Debug, PartialEq, Eq, Hash)]
enum FailureKind {
    Connection,
    Reply,
    Status(u16),
    /// No request was sent.
    NotSent,
}

impl FailureState {
    /// Records a failure. Returns whether its kind is new.
    pub(super) fn record_failure(&mut self, error: &opentok::Error, now: Instant) -> bool {
        self.0.insert(FailureKind::of(error), now).is_none()
    }

    /// Records a success. Returns whether it ends the failures: none was recorded for [`RECOVERY`], since some requests
    /// may fail while others succeed.
    pub(super) fn record_success(&mut self, now: Instant) -> bool {
        let mut last = self.0.values();
        let is_over =
            !self.0.is_empty() && last.all(|last| now.saturating_duration_since(*last) >= RECOVERY);
        if is_over {
            self.0.clear();
        }
        is_over
    }
}

impl FailureKind {
    fn of(error: &opentok::Error) -> FailureKind {
        match error {
            opentok::Error::Connection { .. } => FailureKind::Connection,
            opentok::Error::Reply(_) => FailureKind::Reply,
            error => error
                .status()
                .map_or(FailureKind::NotSent, FailureKind::Status),
        }
    }
}

/// Whether every other request will fail in the same way: the platform is down, or limits our rate. A rejected API key is
/// not among these: the cloud gives the same answer for an archive that it does not have.
pub(super) fn concerns_all(error: &opentok::Error) -> bool {
    match error {
        opentok::Error::Connection { .. } => true,
        error => matches!(error.status(), Some(429 | 502..=504)),
    }
}

/// Whether the platform does not have the thing asked for.
pub(super) fn is_unknown(error: &opentok::Error) -> bool {
    error.status() == Some(404)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn no(status: u16) -> opentok::Error {
        opentok::Error::Archive(opentok::Refusal {
            message: "The archive could not be started".to_owned(),
            status,
            code: None,
            reason: Some("because".to_owned()),
            retry_after: None,
        })
    }

    fn lost(timed_out: bool) -> opentok::Error {
        opentok::Error::Connection {
            cause: "connection refused by 10.0.0.2".to_owned(),
            timed_out,
        }
    }

    #[test]
    fn every_failure_has_a_sentence_of_its_own_that_tells_nothing_of_the_inside() {
        let forbidden = opentok::Error::Authentication(no(403).refusal().unwrap().clone());
        for (error, sentence) in [
            (lost(false), "the video platform cannot be reached"),
            (
                lost(true),
                "the video platform did not answer within 10 seconds",
            ),
            (
                forbidden,
                "the video platform does not accept this server's API key and secret",
            ),
            (
                no(429),
                "the video platform receives too many requests at the moment",
            ),
            (
                no(503),
                "the video platform has a problem (it answered 503)",
            ),
            (no(507), "the disk of the video platform is full"),
            (no(404), "there is no such archive"),
            (no(409), "the video platform refused: because"),
            (no(400), "the video platform refused: because"),
            (
                opentok::Error::Reply("expected value".to_owned()),
                "the server at the video platform's address is not a video platform",
            ),
        ] {
            assert_eq!(platform_error(error, "archive").to_string(), sentence);
        }
    }

    #[test]
    fn temporary_errors_differ_from_permanent_ones() {
        for error in [lost(false), lost(true), no(429), no(500), no(503)] {
            assert!(matches!(
                platform_error(error, "archive"),
                PlatformError::Unavailable(_)
            ));
        }
        let forbidden = opentok::Error::Authentication(no(403).refusal().unwrap().clone());
        for error in [forbidden, opentok::Error::Reply(String::new())] {
            assert!(matches!(
                platform_error(error, "archive"),
                PlatformError::Misconfigured(_)
            ));
        }
    }

    #[test]
    fn a_failure_is_logged_when_it_begins_and_its_end_once() {
        let (mut failures, start) = (FailureState::default(), Instant::now());
        assert!(!failures.record_success(start), "there was none");
        let second = |seconds| start + Duration::from_secs(seconds);
        // A page asks each second, for two minutes and a half.
        let logged: Vec<_> = (0..150)
            .filter(|at| failures.record_failure(&lost(false), second(*at)))
            .collect();
        assert_eq!(logged, [0]);
        let over: Vec<_> = (150..400)
            .filter(|at| failures.record_success(second(*at)))
            .collect();
        assert_eq!(over, [149 + 60]);
        assert!(failures.record_failure(&lost(false), second(400)));
    }

    #[test]
    fn another_kind_of_failure_is_another_line() {
        let (mut failures, now) = (FailureState::default(), Instant::now());
        assert!(failures.record_failure(&lost(false), now));
        let reply = |words: &str| opentok::Error::Reply(words.to_owned());
        assert!(failures.record_failure(&reply("expected value"), now));
        assert!(!failures.record_failure(&reply("expected a comma"), now));
    }

    #[test]
    fn some_requests_fail_while_others_succeed_without_a_line_for_each() {
        let (mut failures, start) = (FailureState::default(), Instant::now());
        let lines = (0..300_u64).filter(|at| {
            let now = start + Duration::from_secs(*at);
            failures.record_failure(&no(500), now) | failures.record_success(now)
        });
        assert_eq!(lines.count(), 1);
    }
}
