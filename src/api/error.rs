//! What the API says when something is not done: a status, and JSON with OpenTok's number and a sentence.

use actix_web::{HttpResponse, ResponseError, http::StatusCode};
use serde_json::json;
use tracing::error;

use crate::{platform::PlatformError, session::Refusal};

/// OpenTok's numbers. What has none of its own bears its status.
pub mod code {
    pub const AUTHENTICATION: i64 = -1;
    pub const CONFLICT: i64 = 15001;
    pub const NOT_ROUTED: i64 = 15008;
    pub const NO_SIGNAL_DATA: i64 = 15202;
}

/// Why the API does not do what it is asked. The sentence is for the developer of the application.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    status: StatusCode,
    code: i64,
    message: String,
}

impl ApiError {
    pub fn new(status: StatusCode, message: impl Into<String>) -> ApiError {
        ApiError {
            status,
            code: i64::from(status.as_u16()),
            message: message.into(),
        }
    }

    /// The same with OpenTok's number.
    pub fn with_code(self, code: i64) -> ApiError {
        ApiError { code, ..self }
    }

    /// Always 403: some SDKs know no 401.
    pub fn forbidden(message: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::FORBIDDEN, message).with_code(code::AUTHENTICATION)
    }

    pub fn bad_request(message: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::BAD_REQUEST, message)
    }

    pub fn not_found(message: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::NOT_FOUND, message)
    }

    pub fn wrong_method(message: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::METHOD_NOT_ALLOWED, message)
    }

    pub fn conflict(message: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::CONFLICT, message).with_code(code::CONFLICT)
    }

    /// OpenTok has it, this server has not.
    pub fn not_offered(message: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::NOT_IMPLEMENTED, message)
    }

    /// The cause is for the log alone.
    pub fn internal(cause: &dyn std::fmt::Display) -> ApiError {
        error!("An API call failed: {cause}");
        ApiError::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the server could not do this; its log says why",
        )
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    /// JSON whatever was asked for: some SDKs read the message of a body that is not there.
    fn error_response(&self) -> HttpResponse {
        HttpResponse::build(self.status).json(json!({
            "code": self.code,
            "message": self.message,
            "description": self.message,
        }))
    }
}

impl From<sqlx::Error> for ApiError {
    fn from(problem: sqlx::Error) -> Self {
        ApiError::internal(&problem)
    }
}

impl From<PlatformError> for ApiError {
    fn from(problem: PlatformError) -> Self {
        let message = problem.to_string();
        match problem {
            PlatformError::NotFound(_) => ApiError::not_found(message),
            PlatformError::Conflict(_) => ApiError::conflict(message),
            PlatformError::BadRequest(_) => ApiError::bad_request(message),
            PlatformError::NoSpace(_) => ApiError::new(StatusCode::INSUFFICIENT_STORAGE, message),
            PlatformError::Unavailable(_) | PlatformError::Misconfigured(_) => {
                ApiError::new(StatusCode::SERVICE_UNAVAILABLE, message)
            }
            PlatformError::Internal(cause) => ApiError::internal(&format!("{cause:#}")),
        }
    }
}

/// A session's numbers are for pages; the API has HTTP's.
impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        let status = match (refusal.code, refusal.name) {
            (413, _) => StatusCode::PAYLOAD_TOO_LARGE,
            (409, _) => StatusCode::CONFLICT,
            (_, "OT_NOT_FOUND" | "OT_STREAM_NOT_FOUND") => StatusCode::NOT_FOUND,
            _ => StatusCode::BAD_REQUEST,
        };
        ApiError::new(status, refusal.message)
    }
}
