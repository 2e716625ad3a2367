//! Why a call of the server SDK did not succeed.

use std::time::Duration;

use super::UnknownRole;

/// What went wrong. The sentences are those of OpenTok's Ruby SDK where that has one, since
/// programs compare them.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An argument is missing or out of range. Nothing was sent.
    #[error("{0}")]
    Argument(String),
    /// The token or the session asked for would break OpenTok's rules. Nothing was sent.
    #[error("{0}")]
    Validation(String),
    /// API key and secret were not accepted (403, and 401 from servers that say that instead).
    #[error("{0}")]
    Authentication(Refusal),
    /// The server did not do what was asked with an archive.
    #[error("{0}")]
    Archive(Refusal),
    /// The server did not do what was asked with a session, its connections or its streams.
    #[error("{0}")]
    Refused(Refusal),
    /// The server could not be reached, or broke off before its answer was complete. Whether it
    /// did what was asked is not known.
    #[error("Failed to connect to OpenTok: {cause}")]
    Connection {
        /// The innermost cause, in words.
        cause: String,
        /// It had its time, and did not answer.
        timed_out: bool,
    },
    /// The server said yes in words that are not OpenTok's; most likely another server answered.
    #[error("OpenTok's reply was not understood: {0}")]
    Reply(String),
}

/// A server's no.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// What it means, in the SDK's words.
    pub message: String,
    /// The HTTP status.
    pub status: u16,
    /// OpenTok's number for the cause, such as 15008 for "only routed sessions can be archived".
    pub code: Option<i64>,
    /// The server's own words, of at most 500 characters.
    pub reason: Option<String>,
    /// How long the server asks to be left alone, after 429 or 503.
    pub retry_after: Option<Duration>,
}

impl Error {
    /// The server's no, if it answered at all.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Error::Authentication(refusal) | Error::Archive(refusal) | Error::Refused(refusal) => {
                Some(refusal)
            }
            Error::Argument(_)
            | Error::Validation(_)
            | Error::Connection { .. }
            | Error::Reply(_) => None,
        }
    }

    /// The HTTP status of the server's no.
    pub fn status(&self) -> Option<u16> {
        self.refusal().map(|refusal| refusal.status)
    }

    /// Whether the same call may succeed in a moment: the server was not there, too slow, too busy,
    /// or in trouble.
    pub fn is_temporary(&self) -> bool {
        match self {
            Error::Connection { .. } => true,
            other => other
                .status()
                .is_some_and(|status| status == 429 || status >= 500 && status != 501),
        }
    }
}

impl From<UnknownRole> for Error {
    fn from(unknown: UnknownRole) -> Self {
        Error::Validation(unknown.to_string())
    }
}
