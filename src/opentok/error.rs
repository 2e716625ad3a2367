//! The errors of the server SDK.

use std::time::Duration;

use super::UnknownRole;

/// Why a call failed. The sentences are those of OpenTok's Ruby SDK where it has one, because
/// programs compare them.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An argument is missing or out of range. No request was sent.
    #[error("{0}")]
    Argument(String),
    /// The requested token or session breaks OpenTok's rules. No request was sent.
    #[error("{0}")]
    Validation(String),
    /// The server refused API key and secret (403, or 401 from some servers).
    #[error("{0}")]
    Authentication(Refusal),
    /// The server refused a call about an archive.
    #[error("{0}")]
    Archive(Refusal),
    /// The server refused a call about a session, its connections or its streams.
    #[error("{0}")]
    Refused(Refusal),
    /// The server was unreachable, or its reply was incomplete. It is unknown whether the call took
    /// effect.
    #[error("Failed to connect to OpenTok: {cause}")]
    Connection {
        /// The innermost cause.
        cause: String,
        /// The request timed out.
        timed_out: bool,
    },
    /// The reply of success is not OpenTok's; most likely another server answered.
    #[error("OpenTok's reply was not understood: {0}")]
    Reply(String),
}

/// A refusal by the server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// The SDK's sentence.
    pub message: String,
    /// The HTTP status.
    pub status: u16,
    /// OpenTok's code for the cause, such as 15008 for "only routed sessions can be archived".
    pub code: Option<i64>,
    /// The server's message, at most 500 characters.
    pub reason: Option<String>,
    /// The server's Retry-After, with 429 or 503.
    pub retry_after: Option<Duration>,
}

impl Error {
    /// The refusal, if the server answered.
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

    /// The HTTP status of the refusal.
    pub fn status(&self) -> Option<u16> {
        self.refusal().map(|refusal| refusal.status)
    }

    /// Whether a retry may succeed: the server was unreachable, too slow, too busy, or had an
    /// internal error.
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
