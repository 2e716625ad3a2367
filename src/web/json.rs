//! What a script of ours asks in JSON, and what it is told when that cannot be: `{"message": "…"}`.
//!
//! There is no token of a form here, since pages written for the presence kit bring none. Instead, a change is
//! JSON, which no form can send, and comes from a page of this site as far as the browser says where it comes from.

use std::{future::Future, pin::Pin};

use actix_session::SessionExt;
use actix_web::{
    FromRequest, HttpRequest, HttpResponse, ResponseError,
    dev::Payload,
    http::{StatusCode, header},
    mime,
    web::{Bytes, Data},
};
use serde::{Serialize, de::DeserializeOwned};
use tracing::error;

use super::visitor::{Buddy, Visitor};
use crate::{
    app::App,
    buddies::InviteError,
    invitation::{AnswerError, JoinError, Outcome, RecordingError, Refused},
    platform::PlatformError,
    presence::NameError,
};

/// No request of ours is longer. Bytes.
const LONGEST: usize = 16 * 1024;

/// What a script of this site asks.
pub struct Json<T>(pub T);

/// A request whose body does not matter.
pub struct EmptyJson;

/// Why nothing came of it.
#[derive(Debug, Serialize)]
pub struct JsonError {
    #[serde(skip)]
    status: StatusCode,
    message: String,
    /// How it ended, for whoever answers an invitation too late.
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<Outcome>,
    /// Seconds.
    #[serde(skip)]
    retry_after: Option<u64>,
}

impl JsonError {
    /// `message` is lower-case and has no full stop, as messages of the domain are.
    pub fn new(status: StatusCode, message: impl Into<String>) -> JsonError {
        JsonError {
            status,
            message: message.into(),
            outcome: None,
            retry_after: None,
        }
    }

    fn internal(cause: &anyhow::Error) -> JsonError {
        error!(
            error = format!("{cause:#}"),
            "A request could not be answered"
        );
        JsonError::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "something went wrong on the server; try again",
        )
    }
}

impl std::fmt::Display for JsonError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl ResponseError for JsonError {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status);
        if let Some(seconds) = self.retry_after {
            response.insert_header((header::RETRY_AFTER, seconds));
        }
        response
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .json(self)
    }
}

type Extraction<T> = Pin<Box<dyn Future<Output = Result<T, JsonError>>>>;

impl<T: DeserializeOwned + 'static> FromRequest for Json<T> {
    type Error = JsonError;
    type Future = Extraction<Self>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let is_ours = is_ours(request);
        let body = Bytes::from_request(request, payload);
        Box::pin(async move {
            is_ours?;
            let body = body.await.map_err(|error| {
                let status = error.as_response_error().status_code();
                JsonError::new(status, "the request did not arrive whole")
            })?;
            if body.len() > LONGEST {
                let status = StatusCode::PAYLOAD_TOO_LARGE;
                return Err(JsonError::new(status, "the request is too long"));
            }
            let text: &[u8] = if body.is_empty() { b"{}" } else { &body };
            serde_json::from_slice(text).map(Json).map_err(|error| {
                JsonError::new(
                    StatusCode::BAD_REQUEST,
                    format!("the request cannot be read: {error}"),
                )
            })
        })
    }
}

impl FromRequest for EmptyJson {
    type Error = JsonError;
    type Future = std::future::Ready<Result<Self, JsonError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        std::future::ready(is_ours(request).map(|()| EmptyJson))
    }
}

/// A visitor who has said a name.
impl FromRequest for Buddy {
    type Error = JsonError;
    type Future = std::future::Ready<Result<Self, JsonError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let buddy = Visitor::new(request.get_session()).buddy();
        std::future::ready(buddy.ok_or_else(|| {
            JsonError::new(
                StatusCode::UNAUTHORIZED,
                "nobody knows your name yet: say it at /buddies",
            )
        }))
    }
}

/// Whether a change comes from a page of this site.
fn is_ours(request: &HttpRequest) -> Result<(), JsonError> {
    let headers = request.headers();
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let is_json = text("content-type")
        .and_then(|value| value.parse::<mime::Mime>().ok())
        .is_some_and(|mime| mime.essence_str() == mime::APPLICATION_JSON.essence_str());
    if !is_json {
        return Err(JsonError::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "send JSON, with Content-Type: application/json",
        ));
    }
    let is_same_site = match (text("sec-fetch-site"), text("origin")) {
        // The browser compared both origins itself, whatever a proxy has made of the host.
        (Some(site), _) => matches!(site, "same-origin" | "none"),
        (None, Some(origin)) => is_origin(request, origin),
        (None, None) => true,
    };
    if is_same_site {
        Ok(())
    } else {
        Err(JsonError::new(
            StatusCode::FORBIDDEN,
            "only pages of this site may ask for that",
        ))
    }
}

fn is_origin(request: &HttpRequest, origin: &str) -> bool {
    let public = request
        .app_data::<Data<App>>()
        .and_then(|app| app.config.network.public_url.as_deref());
    let host = request.headers().get(header::HOST);
    let host = host.and_then(|host| host.to_str().ok());
    let authority = origin
        .strip_prefix("https://")
        .or_else(|| origin.strip_prefix("http://"));
    public.is_some_and(|public| public.trim_end_matches('/') == origin)
        || authority.is_some() && authority == host
}

impl From<NameError> for JsonError {
    fn from(error: NameError) -> Self {
        JsonError::new(StatusCode::BAD_REQUEST, error.to_string())
    }
}

impl From<Refused> for JsonError {
    fn from(refused: Refused) -> Self {
        let status = match refused {
            Refused::Oneself => StatusCode::BAD_REQUEST,
            Refused::Unknown => StatusCode::NOT_FOUND,
            Refused::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
            Refused::NotHere | Refused::Chatting | Refused::Inviting | Refused::SessionTaken => {
                StatusCode::CONFLICT
            }
        };
        let retry_after = match refused {
            Refused::TooMany { retry_after } => Some(retry_after.as_secs() + 1),
            _ => None,
        };
        JsonError {
            retry_after,
            ..JsonError::new(status, refused.to_string())
        }
    }
}

impl From<InviteError> for JsonError {
    fn from(error: InviteError) -> Self {
        match error {
            InviteError::Refused(refused) => refused.into(),
            InviteError::Platform(problem) => problem.into(),
        }
    }
}

impl From<AnswerError> for JsonError {
    fn from(error: AnswerError) -> Self {
        let status = match error {
            AnswerError::NotFound => StatusCode::NOT_FOUND,
            AnswerError::Forbidden => StatusCode::FORBIDDEN,
            AnswerError::Over(_) => StatusCode::CONFLICT,
        };
        let outcome = match error {
            AnswerError::Over(outcome) => Some(outcome),
            _ => None,
        };
        JsonError {
            outcome,
            ..JsonError::new(status, error.to_string())
        }
    }
}

impl From<JoinError> for JsonError {
    fn from(error: JoinError) -> Self {
        let status = match error {
            JoinError::NotFound => StatusCode::NOT_FOUND,
            JoinError::Forbidden => StatusCode::FORBIDDEN,
        };
        JsonError::new(status, error.to_string())
    }
}

impl From<RecordingError> for JsonError {
    fn from(error: RecordingError) -> Self {
        match error {
            RecordingError::Chat(error) => error.into(),
            other => JsonError::new(StatusCode::CONFLICT, other.to_string()),
        }
    }
}

impl From<PlatformError> for JsonError {
    fn from(error: PlatformError) -> Self {
        let status = match &error {
            PlatformError::NotFound(_) => StatusCode::NOT_FOUND,
            PlatformError::Conflict(_) => StatusCode::CONFLICT,
            PlatformError::BadRequest(_) => StatusCode::BAD_REQUEST,
            PlatformError::NoSpace(_) => StatusCode::INSUFFICIENT_STORAGE,
            PlatformError::Unavailable(_) | PlatformError::Misconfigured(_) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            PlatformError::Internal(cause) => return JsonError::internal(cause),
        };
        JsonError::new(status, error.to_string())
    }
}

impl From<sqlx::Error> for JsonError {
    fn from(error: sqlx::Error) -> Self {
        JsonError::internal(&anyhow::Error::new(error).context("the database"))
    }
}

impl From<super::error::WebError> for JsonError {
    fn from(error: super::error::WebError) -> Self {
        JsonError::internal(&anyhow::Error::new(error))
    }
}
