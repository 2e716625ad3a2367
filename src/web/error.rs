//! The errors of pages and of scripts' requests.
//!
//! Which error is used where:
//!
//! - Handlers, guards and extractors return [`WebError`]. It knows its status and its text.
//! - Domain errors ([`PlatformError`], [`RoomError`], [`AnswerError`], …) become a [`WebError`] here, by `From`.
//! - [`super::error_page`] is the one place that answers with a [`WebError`]: as a page, or as the [`ErrorBody`] in JSON.
//! - The REST API has its own errors in OpenTok's shape (`crate::api`).

use actix_web::{HttpResponse, ResponseError, http::StatusCode};
use serde::Serialize;

use crate::{
    buddies::InviteError,
    common::name::NameError,
    invitation::{AnswerError, InvitationOutcome, InviteRefusal, JoinError, RecordingError},
    moderator::{AccountError, SignInRefused},
    platform::{PlatformError, RoomsError},
    room::RoomError,
};

/// Why a request failed. Each variant has its own remedy. Messages are lower-case and have no full stop.
#[derive(Debug, thiserror::Error)]
pub enum WebError {
    #[error("page not found")]
    PageNotFound,
    #[error("room not found")]
    RoomNotFound,
    #[error("recording not found")]
    ArchiveNotFound,
    #[error("this person isn't known here")]
    BuddyNotFound,
    /// It does not exist, or it belongs to a chat of two others.
    #[error("recording not found, or it isn't yours")]
    RecordingNotFound,
    /// Only moderators may do this. `back` is the page to return to after signing in.
    #[error("this is for moderators")]
    SignInRequired { back: String },
    /// Only visitors who have entered a name may do this.
    #[error("enter a name at /buddies first")]
    NameRequired,
    #[error("you are not connected; reload the Buddies page")]
    NotConnected,
    /// The CSRF token is missing or not this visitor's.
    #[error("your session has expired")]
    CsrfMismatch,
    #[error("only pages of this site may do this")]
    ForeignOrigin,
    #[error("this link has expired")]
    LinkExpired,
    #[error("metrics are for this machine")]
    MetricsForbidden,
    #[error("{0}")]
    BadInput(String),
    #[error("that's too long")]
    TooLarge,
    #[error(transparent)]
    SignInRefused(#[from] SignInRefused),
    #[error("{0}")]
    Conflict(String),
    /// A room cannot be created, renamed or deleted now.
    #[error("{0}")]
    RoomConflict(String),
    #[error("{0}")]
    NoSpace(String),
    #[error("{0}")]
    Unavailable(String),
    #[error("{0}")]
    Misconfigured(String),
    /// A rule of Buddies forbids it, or the request has a wrong form.
    #[error("{message}")]
    Rejected {
        status: StatusCode,
        message: String,
        /// The outcome of an invitation that was answered too late.
        outcome: Option<InvitationOutcome>,
        /// Seconds until another attempt may succeed.
        retry_after: Option<u64>,
    },
    #[error(transparent)]
    Internal(#[from] anyhow::Error),
}

/// A [`WebError`] as a page shows it.
pub struct Problem {
    pub status: StatusCode,
    pub cause: String,
    pub remedy: String,
    pub button: &'static str,
    pub href: String,
}

/// The JSON of every error of the pages: `{"message": "…", "cause": "…", "remedy": "…"}`.
#[derive(Serialize)]
pub struct ErrorBody {
    /// The member that pages of the presence kit read.
    message: String,
    /// The message as a sentence.
    cause: String,
    remedy: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<InvitationOutcome>,
}

impl WebError {
    /// `message` is lower-case and has no full stop, as messages of the domain are.
    pub fn rejected(status: StatusCode, message: impl Into<String>) -> WebError {
        WebError::Rejected {
            status,
            message: message.into(),
            outcome: None,
            retry_after: None,
        }
    }

    /// The body of an answer in JSON.
    pub fn body(&self) -> ErrorBody {
        let Problem { cause, remedy, .. } = self.problem();
        ErrorBody {
            message: match self {
                // The details are in the log only.
                WebError::Internal(_) => "something went wrong on the server".to_owned(),
                _ => self.to_string(),
            },
            cause,
            remedy,
            outcome: match self {
                WebError::Rejected { outcome, .. } => *outcome,
                _ => None,
            },
        }
    }

    /// Seconds after which another attempt may succeed.
    pub fn retry_after(&self) -> Option<u64> {
        match self {
            WebError::Rejected { retry_after, .. } => *retry_after,
            WebError::SignInRefused(refused) => Some(refused.wait().as_secs() + 1),
            _ => None,
        }
    }

    /// The error as a page shows it.
    pub fn problem(&self) -> Problem {
        use WebError as E;
        const HOME: (&str, &str) = ("Back to home", "/");
        const HISTORY: (&str, &str) = ("Open the history", "/history");
        const BUDDIES: (&str, &str) = ("Back to Buddies", "/buddies");
        let (status, remedy, (button, href)) = match self {
            E::PageNotFound => (
                StatusCode::NOT_FOUND,
                "Check the address; the page may have been deleted.",
                HOME,
            ),
            E::RoomNotFound => (
                StatusCode::NOT_FOUND,
                "It may have been deleted. Ask for a new link.",
                HOME,
            ),
            E::ArchiveNotFound => (
                StatusCode::NOT_FOUND,
                "Check the address; the recording may have been deleted.",
                HISTORY,
            ),
            E::BuddyNotFound => (
                StatusCode::NOT_FOUND,
                "The link may be wrong, or they haven't signed in here yet. Ask for a new one.",
                BUDDIES,
            ),
            E::RecordingNotFound => (
                StatusCode::NOT_FOUND,
                "Only the two people in a call can open its recording, in the browsers they used for the call.",
                ("Open your recordings", "/buddies/recordings"),
            ),
            E::SignInRequired { back } => {
                return Problem {
                    status: StatusCode::UNAUTHORIZED,
                    cause: sentence(&self.to_string()),
                    remedy: "Sign in to continue.".to_owned(),
                    button: "Sign in",
                    href: sign_in_path(back),
                };
            }
            E::NameRequired => (
                StatusCode::UNAUTHORIZED,
                "Open Buddies and enter your name.",
                BUDDIES,
            ),
            E::NotConnected => (StatusCode::NOT_FOUND, "", BUDDIES),
            E::CsrfMismatch => (
                StatusCode::FORBIDDEN,
                "Reload the page and try again. (Parlor needs cookies.)",
                HOME,
            ),
            E::ForeignOrigin => (StatusCode::FORBIDDEN, "", HOME),
            E::LinkExpired => (
                StatusCode::FORBIDDEN,
                "Open the recording's page and start the download again.",
                HISTORY,
            ),
            E::MetricsForbidden => (
                StatusCode::FORBIDDEN,
                "Read them on the server itself, or send the token that --metrics-token sets.",
                HOME,
            ),
            E::BadInput(_) => (StatusCode::BAD_REQUEST, "Correct it and try again.", HOME),
            E::TooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "Make it shorter and try again.",
                HOME,
            ),
            E::SignInRefused(refused) => {
                const RESET: &str = "ask your administrator to reset the password.";
                let time = match (refused, refused.wait().as_secs().div_ceil(60)) {
                    (SignInRefused::Busy, _) => "a few seconds.".to_owned(),
                    (_, 1) => format!("1 minute, or {RESET}"),
                    (_, minutes) => format!("{minutes} minutes, or {RESET}"),
                };
                return Problem {
                    status: StatusCode::TOO_MANY_REQUESTS,
                    cause: sentence(&self.to_string()),
                    remedy: format!("Try again in {time}"),
                    button: "Back to sign-in",
                    href: "/sign-in".to_owned(),
                };
            }
            E::Conflict(_) => (
                StatusCode::CONFLICT,
                "The page may be out of date. Reload it.",
                HISTORY,
            ),
            E::RoomConflict(_) => (
                StatusCode::CONFLICT,
                "The home page shows who is in each room and what is being recorded.",
                HOME,
            ),
            E::NoSpace(_) => (
                StatusCode::INSUFFICIENT_STORAGE,
                "Delete recordings that are no longer needed, or free space on the server's disk.",
                HISTORY,
            ),
            E::Unavailable(_) => (
                StatusCode::SERVICE_UNAVAILABLE,
                "Try again in a moment.",
                HOME,
            ),
            E::Misconfigured(_) => (
                StatusCode::SERVICE_UNAVAILABLE,
                "Please tell the administrator; the reason is in the server log.",
                HOME,
            ),
            E::Rejected { status, .. } => (*status, "", BUDDIES),
            E::Internal(_) => {
                return Problem {
                    status: StatusCode::INTERNAL_SERVER_ERROR,
                    cause: "Something went wrong on the server.".to_owned(),
                    remedy: "The error was logged. If it happens again, contact the administrator."
                        .to_owned(),
                    button: HOME.0,
                    href: HOME.1.to_owned(),
                };
            }
        };
        Problem {
            status,
            cause: sentence(&self.to_string()),
            remedy: remedy.to_owned(),
            button,
            href: href.to_owned(),
        }
    }
}

impl ResponseError for WebError {
    fn status_code(&self) -> StatusCode {
        self.problem().status
    }

    /// Plain text. [`super::error_page::render`] replaces it, so no client sees it.
    fn error_response(&self) -> HttpResponse {
        let problem = self.problem();
        HttpResponse::build(problem.status)
            .content_type("text/plain; charset=utf-8")
            .body(format!("{}\n{}\n", problem.cause, problem.remedy))
    }
}

/// The sign-in page that leads back to `back`.
fn sign_in_path(back: &str) -> String {
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("back", back)
        .finish();
    format!("/sign-in?{query}")
}

/// Makes a message of the domain, which is lower-case and has no full stop, into a sentence.
pub(super) fn sentence(message: &str) -> String {
    let mut letters = message.chars();
    let first = letters.next().map(char::to_uppercase);
    let mut text: String = first.into_iter().flatten().chain(letters).collect();
    if !text.ends_with(['.', '!', '?']) {
        text.push('.');
    }
    text
}

impl From<PlatformError> for WebError {
    fn from(error: PlatformError) -> Self {
        match error {
            PlatformError::NotFound("archive") => WebError::ArchiveNotFound,
            PlatformError::NotFound(_) => {
                WebError::rejected(StatusCode::NOT_FOUND, error.to_string())
            }
            PlatformError::Conflict(message) => WebError::Conflict(message),
            PlatformError::BadRequest(message) => WebError::BadInput(message),
            PlatformError::NoSpace(message) => WebError::NoSpace(message),
            PlatformError::Unavailable(message) => WebError::Unavailable(message),
            PlatformError::Misconfigured(message) => WebError::Misconfigured(message),
            PlatformError::Internal(error) => WebError::Internal(error),
        }
    }
}

impl From<RoomError> for WebError {
    fn from(error: RoomError) -> Self {
        match error {
            RoomError::NotFound(_) => WebError::RoomNotFound,
            RoomError::Default | RoomError::TooMany => WebError::RoomConflict(error.to_string()),
            RoomError::Database(error) => error.into(),
        }
    }
}

impl From<RoomsError> for WebError {
    fn from(error: RoomsError) -> Self {
        match error {
            RoomsError::Recorded(_) | RoomsError::Occupied(_) => {
                WebError::RoomConflict(error.to_string())
            }
            RoomsError::Room(error) => error.into(),
            RoomsError::Platform(error) => error.into(),
        }
    }
}

impl From<AccountError> for WebError {
    fn from(error: AccountError) -> Self {
        match error {
            AccountError::Name(_) | AccountError::BadPassword | AccountError::BadLink => {
                WebError::BadInput(error.to_string())
            }
            AccountError::NameTaken(_) => WebError::Conflict(error.to_string()),
            AccountError::SignInRefused(refused) => refused.into(),
            AccountError::Database(error) => error.into(),
            AccountError::Internal(error) => WebError::Internal(error),
        }
    }
}

impl From<NameError> for WebError {
    fn from(error: NameError) -> Self {
        WebError::BadInput(error.to_string())
    }
}

impl From<InviteRefusal> for WebError {
    fn from(refused: InviteRefusal) -> Self {
        let status = match refused {
            InviteRefusal::Oneself => StatusCode::BAD_REQUEST,
            InviteRefusal::Unknown => StatusCode::NOT_FOUND,
            InviteRefusal::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
            InviteRefusal::NotHere
            | InviteRefusal::Chatting
            | InviteRefusal::Inviting
            | InviteRefusal::SessionTaken => StatusCode::CONFLICT,
        };
        let retry_after = match refused {
            InviteRefusal::TooMany { retry_after } => Some(retry_after.as_secs() + 1),
            _ => None,
        };
        WebError::Rejected {
            status,
            message: refused.to_string(),
            outcome: None,
            retry_after,
        }
    }
}

impl From<InviteError> for WebError {
    fn from(error: InviteError) -> Self {
        match error {
            InviteError::Refused(refused) => refused.into(),
            InviteError::Platform(error) => error.into(),
        }
    }
}

impl From<AnswerError> for WebError {
    fn from(error: AnswerError) -> Self {
        let (status, outcome) = match error {
            AnswerError::NotFound => (StatusCode::NOT_FOUND, None),
            AnswerError::Forbidden => (StatusCode::FORBIDDEN, None),
            AnswerError::Ended(outcome) => (StatusCode::CONFLICT, Some(outcome)),
        };
        WebError::Rejected {
            status,
            message: error.to_string(),
            outcome,
            retry_after: None,
        }
    }
}

impl From<JoinError> for WebError {
    fn from(error: JoinError) -> Self {
        let status = match error {
            JoinError::NotFound => StatusCode::NOT_FOUND,
            JoinError::Forbidden => StatusCode::FORBIDDEN,
        };
        WebError::rejected(status, error.to_string())
    }
}

impl From<RecordingError> for WebError {
    fn from(error: RecordingError) -> Self {
        match error {
            RecordingError::Chat(error) => error.into(),
            other => WebError::rejected(StatusCode::CONFLICT, other.to_string()),
        }
    }
}

impl From<sqlx::Error> for WebError {
    fn from(error: sqlx::Error) -> Self {
        WebError::Internal(anyhow::Error::new(error).context("the database"))
    }
}

impl From<askama::Error> for WebError {
    fn from(error: askama::Error) -> Self {
        WebError::Internal(anyhow::Error::new(error).context("rendering a template"))
    }
}

impl From<actix_session::SessionInsertError> for WebError {
    fn from(error: actix_session::SessionInsertError) -> Self {
        WebError::Internal(anyhow::anyhow!("the visitor's cookie: {error}"))
    }
}
