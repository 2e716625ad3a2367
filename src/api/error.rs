//! The error of the API: an HTTP status, and JSON with OpenTok's code and a sentence.

use actix_web::{HttpResponse, ResponseError, http::StatusCode};
use serde_json::json;
use tracing::error;

use crate::{platform::PlatformError, session::Refusal};

/// OpenTok's error codes. An error without a code of its own has its HTTP status as code.
pub mod code {
    pub const AUTHENTICATION: i64 = -1;
    pub const CONFLICT: i64 = 15001;
    pub const NOT_ROUTED: i64 = 15008;
    pub const NO_SIGNAL_DATA: i64 = 15202;
}

/// Why the API refuses a call. The sentence is for the developer of the application.
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

    /// Sets OpenTok's code.
    pub fn with_code(self, code: i64) -> ApiError {
        ApiError { code, ..self }
    }

    /// Always 403, because some SDKs do not handle 401.
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

    /// OpenTok offers the feature, this server does not.
    pub fn not_offered(message: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::NOT_IMPLEMENTED, message)
    }

    /// The cause goes to the log only.
    pub fn internal(cause: &dyn std::fmt::Display) -> ApiError {
        error!(error = %cause, "API call failed");
        ApiError::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the server had an internal error; its log has the cause",
        )
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    /// Always JSON, because some SDKs read the message without checking for a body.
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

/// A session's codes are for pages. The API uses HTTP statuses.
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
