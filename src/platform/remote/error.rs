//! What went wrong at another platform, for the person at the page. The cause is for the log.

use tracing::{debug, error, warn};

use super::PATIENCE;
use crate::{opentok, platform::PlatformError};

/// Why something was not done.
pub(super) fn platform_error(error: opentok::Error, what: &'static str) -> PlatformError {
    use opentok::Error as E;
    match error {
        E::Connection {
            timed_out: true, ..
        } => PlatformError::Unavailable(format!(
            "the video platform did not answer within {} seconds",
            PATIENCE.as_secs()
        )),
        E::Connection { .. } => {
            PlatformError::Unavailable("the video platform cannot be reached".to_owned())
        }
        E::Authentication(_) => PlatformError::Misconfigured(
            "the video platform does not accept this server's API key and secret".to_owned(),
        ),
        E::Reply(_) => PlatformError::Misconfigured(
            "what answers in the place of the video platform is none".to_owned(),
        ),
        E::Archive(no) | E::Refused(no) => match no.status {
            404 => PlatformError::NotFound(what),
            409 => PlatformError::Conflict(words(no)),
            429 => PlatformError::Unavailable(
                "the video platform is asked too often just now".to_owned(),
            ),
            507 => PlatformError::NoSpace("the disk of the video platform is full".to_owned()),
            status @ 500.. => PlatformError::Unavailable(format!(
                "the video platform is in trouble (it answered {status})"
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

/// Writes into the log what went wrong while `doing`, each kind of trouble as loudly as it deserves.
pub(super) fn log(error: &opentok::Error, host: &str, doing: &str) {
    let reason = error.refusal().and_then(|no| no.reason.as_deref());
    let reason = reason.unwrap_or_default();
    match error {
        opentok::Error::Authentication(_) => error!(
            "{host} does not accept API_KEY and API_SECRET ({doing}): give those of the project there. {reason}"
        ),
        opentok::Error::Reply(_) => {
            error!("{host} is no video platform ({doing}): check OPENTOK_API_URL. {error}");
        }
        error if error.is_temporary() => warn!("{doing} at {host}: {error} {reason}"),
        error => debug!("{doing} at {host}: {error} {reason}"),
    }
}

/// Whether whatever else is asked will come to the same: the platform is away, or asked too often. That it does not
/// accept our key is none of these: the cloud says so, too, of an archive that it does not have.
pub(super) fn concerns_all(error: &opentok::Error) -> bool {
    match error {
        opentok::Error::Connection { .. } => true,
        error => matches!(error.status(), Some(429 | 502..=504)),
    }
}

/// The platform does not know what was asked about.
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
            (no(429), "the video platform is asked too often just now"),
            (
                no(503),
                "the video platform is in trouble (it answered 503)",
            ),
            (no(507), "the disk of the video platform is full"),
            (no(404), "there is no such archive"),
            (no(409), "the video platform refused: because"),
            (no(400), "the video platform refused: because"),
            (
                opentok::Error::Reply("expected value".to_owned()),
                "what answers in the place of the video platform is none",
            ),
        ] {
            assert_eq!(platform_error(error, "archive").to_string(), sentence);
        }
    }

    #[test]
    fn what_another_try_may_mend_is_told_apart_from_what_it_will_not() {
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
}
