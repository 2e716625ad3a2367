//! Why a session does not do what it is asked. OpenTok's codes and names, and a sentence.

use serde::Serialize;

/// OpenTok's error triple. The sentence is for the developer of the page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{message} ({code}, {name})")]
pub struct Refusal {
    pub code: u16,
    pub name: &'static str,
    pub message: String,
}

/// OpenTok's numbers that Parlor uses. Signals have HTTP's: 400, 403, 404, 413, 429.
pub mod code {
    pub const AUTHENTICATION: u16 = 1004;
    pub const INVALID_SESSION_ID: u16 = 1005;
    pub const CONNECT_FAILED: u16 = 1006;
    pub const INVALID_PARAMETER: u16 = 1011;
    pub const CONNECTION_FAILED: u16 = 1013;
    pub const CONNECTION_LIMIT: u16 = 1027;
    pub const UNABLE_TO_PUBLISH: u16 = 1500;
    pub const UNABLE_TO_SUBSCRIBE: u16 = 1501;
    pub const UNABLE_TO_FORCE_DISCONNECT: u16 = 1520;
    pub const UNABLE_TO_FORCE_UNPUBLISH: u16 = 1530;
    pub const UNABLE_TO_FORCE_MUTE: u16 = 1540;
    pub const STREAM_LIMIT: u16 = 1605;
    pub const INTERNAL: u16 = 2000;
    pub const NETWORK_DISCONNECTED: u16 = 4001;
    pub const RATE_LIMIT: u16 = 429;
}

impl Refusal {
    pub fn new(code: u16, name: &'static str, message: impl Into<String>) -> Self {
        Refusal {
            code,
            name,
            message: message.into(),
        }
    }

    /// The client's message itself is at fault.
    pub fn invalid(message: impl Into<String>) -> Self {
        Refusal::new(code::INVALID_PARAMETER, "OT_INVALID_PARAMETER", message)
    }

    /// The token's role does not allow it; `code` is the action's.
    pub(super) fn permission(code: u16, message: impl Into<String>) -> Self {
        Refusal::new(code, "OT_PERMISSION_DENIED", message)
    }

    pub(super) fn no_stream(code: u16) -> Self {
        Refusal::new(
            code,
            "OT_STREAM_NOT_FOUND",
            "there is no such stream in the session; it may have just ended",
        )
    }

    pub(super) fn no_connection(code: u16) -> Self {
        Refusal::new(
            code,
            "OT_NOT_FOUND",
            "there is no such connection in the session; it may have just left",
        )
    }

    pub(super) fn rate(message: impl Into<String>) -> Self {
        Refusal::new(code::RATE_LIMIT, "OT_RATE_LIMIT_EXCEEDED", message)
    }

    /// The media engine has too much to do.
    pub(super) fn busy(message: impl Into<String>) -> Self {
        Refusal::new(code::INTERNAL, "OT_UNEXPECTED_SERVER_RESPONSE", message)
    }

    /// The connection that a client wants to resume is not there (any more).
    pub(super) fn gone(message: impl Into<String>) -> Self {
        Refusal::new(code::NETWORK_DISCONNECTED, "OT_DISCONNECTED", message)
    }

    pub fn authentication(message: impl Into<String>) -> Self {
        Refusal::new(code::AUTHENTICATION, "OT_AUTHENTICATION_ERROR", message)
    }

    pub fn invalid_session(message: impl Into<String>) -> Self {
        Refusal::new(code::INVALID_SESSION_ID, "OT_INVALID_SESSION_ID", message)
    }

    pub fn connect_failed(message: impl Into<String>) -> Self {
        Refusal::new(code::CONNECT_FAILED, "OT_CONNECT_FAILED", message)
    }
}
