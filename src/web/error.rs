//! What a page says when something goes wrong: the cause, the remedy, and a button.
//!
//! Handlers return a [`WebError`]; [`render_errors`] stands around them and turns it into a page for people
//! and into JSON for scripts.

use actix_session::SessionExt;
use actix_web::{
    HttpResponse, ResponseError,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{Method, StatusCode, header},
    middleware::Next,
    web,
};
use askama::Template;
use serde::Serialize;
use tracing::error;

use super::{
    csrf::CSRF_HEADER,
    layout::{Layout, Section, filters, see_other},
    visitor::Visitor,
};
use crate::{
    app::App,
    moderator::{AccountError, TooManyAttempts},
    platform::{PlatformError, RoomsError},
    room::{BadName, RoomError},
};

/// Why there is no page. The variants are what a visitor can do something about.
#[derive(Debug, thiserror::Error)]
pub enum WebError {
    #[error("no such page")]
    NoPage,
    #[error("no such room")]
    NoRoom,
    #[error("no such archive")]
    NoArchive,
    #[error("no such buddy")]
    NoBuddy,
    /// Or it is of a chat of two others.
    #[error("no such recording")]
    NoRecording,
    /// Only for moderators; `back` is where they wanted to go.
    #[error("sign in first")]
    SignInFirst { back: String },
    /// The CSRF token was missing or another one.
    #[error("the form's token does not fit")]
    Forged,
    #[error("the link has expired")]
    LinkExpired,
    #[error("{0}")]
    BadInput(String),
    #[error("more text than a form takes")]
    TooLarge,
    #[error("{0}")]
    TooManyAttempts(#[from] TooManyAttempts),
    #[error("{0}")]
    Conflict(String),
    /// A room cannot be made, renamed or deleted now.
    #[error("{0}")]
    RoomConflict(String),
    #[error("{0}")]
    NoSpace(String),
    #[error("{0}")]
    Unavailable(String),
    #[error("{0}")]
    Misconfigured(String),
    #[error(transparent)]
    Internal(#[from] anyhow::Error),
}

/// A [`WebError`] in words.
#[derive(Serialize)]
pub struct Problem {
    #[serde(skip)]
    pub status: StatusCode,
    pub cause: String,
    pub remedy: String,
    #[serde(skip)]
    pub button: &'static str,
    #[serde(skip)]
    pub href: String,
}

impl WebError {
    fn problem(&self) -> Problem {
        use WebError as E;
        let (status, cause, remedy, button, href) = match self {
            E::NoPage => (
                StatusCode::NOT_FOUND,
                "There is no such page.".to_owned(),
                "The address may have a typing mistake, or what was here has been deleted.",
                "Go to the rooms",
                "/",
            ),
            E::NoRoom => (
                StatusCode::NOT_FOUND,
                "There is no such room.".to_owned(),
                "It may have been deleted. Json whoever sent you the link for a new one.",
                "Go to the rooms",
                "/",
            ),
            E::NoArchive => (
                StatusCode::NOT_FOUND,
                "There is no such archive.".to_owned(),
                "It has been deleted, or the address has a typing mistake.",
                "Open the history",
                "/history",
            ),
            E::NoBuddy => (
                StatusCode::NOT_FOUND,
                "Nobody here is known by that address.".to_owned(),
                "The link may have a typing mistake, or its owner has not been here since. Json for a new one.",
                "Go to the buddies",
                "/buddies",
            ),
            E::NoRecording => (
                StatusCode::NOT_FOUND,
                "There is no such recording of yours.".to_owned(),
                "It has been deleted, or it belongs to others. Only the two who were in a call can open its recording, in the browsers they called with.",
                "Open your recordings",
                "/buddies/recordings",
            ),
            E::SignInFirst { back } => {
                return Problem {
                    status: StatusCode::UNAUTHORIZED,
                    cause: "This is for moderators.".to_owned(),
                    remedy: "Sign in, and you will be brought back here.".to_owned(),
                    button: "Sign in",
                    href: sign_in_path(back),
                };
            }
            E::Forged => (
                StatusCode::FORBIDDEN,
                "The page you came from is out of date.".to_owned(),
                "Go back, load it again, and repeat what you did. Cookies must be allowed.",
                "Go to the rooms",
                "/",
            ),
            E::LinkExpired => (
                StatusCode::FORBIDDEN,
                "This link has expired.".to_owned(),
                "Open the archive's page and start the download again.",
                "Open the history",
                "/history",
            ),
            E::BadInput(cause) => (
                StatusCode::BAD_REQUEST,
                sentence(cause),
                "Go back, correct it, and try again.",
                "Go to the rooms",
                "/",
            ),
            E::TooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "That was too much text for this form.".to_owned(),
                "Go back, make it shorter, and try again.",
                "Go to the rooms",
                "/",
            ),
            E::TooManyAttempts(reason) => (
                StatusCode::TOO_MANY_REQUESTS,
                sentence(&reason.to_string()),
                "Whoever runs this server can set a new password with `parlor moderator add`.",
                "Back to the sign-in",
                "/sign-in",
            ),
            E::Conflict(cause) => (
                StatusCode::CONFLICT,
                sentence(cause),
                "The page may render_errors how things were a moment ago; load it again.",
                "Open the history",
                "/history",
            ),
            E::RoomConflict(cause) => (
                StatusCode::CONFLICT,
                sentence(cause),
                "The list of rooms says who is inside, and what is being recorded.",
                "Go to the rooms",
                "/",
            ),
            E::NoSpace(cause) => (
                StatusCode::INSUFFICIENT_STORAGE,
                sentence(cause),
                "Delete archives that nobody needs, or make room on the server's disk.",
                "Open the history",
                "/history",
            ),
            E::Unavailable(cause) => (
                StatusCode::SERVICE_UNAVAILABLE,
                sentence(cause),
                "Try again in a moment.",
                "Go to the rooms",
                "/",
            ),
            E::Misconfigured(cause) => (
                StatusCode::SERVICE_UNAVAILABLE,
                sentence(cause),
                "Whoever runs this server finds the reason in its log. Tell them, if you can.",
                "Go to the rooms",
                "/",
            ),
            E::Internal(_) => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "Something went wrong on the server.".to_owned(),
                "It has been noted in the server's log. Try again; if it stays, tell whoever runs this server.",
                "Go to the rooms",
                "/",
            ),
        };
        Problem {
            status,
            cause,
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

    /// Plain words, for the case that [`render_errors`] does not stand around the handler.
    fn error_response(&self) -> HttpResponse {
        let problem = self.problem();
        HttpResponse::build(problem.status)
            .content_type("text/plain; charset=utf-8")
            .body(format!("{}\n{}\n", problem.cause, problem.remedy))
    }
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage {
    layout: Layout,
    problem: Problem,
}

/// Turns a handler's [`WebError`] into an answer that fits who asked.
///
/// # Errors
/// Those of the services inside.
pub async fn render_errors(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let response = next.call(request).await?.map_into_boxed_body();
    let Some(error) = response
        .response()
        .error()
        .and_then(|error| error.as_error::<WebError>())
    else {
        return Ok(response);
    };
    if let WebError::Internal(cause) = error {
        error!(error = format!("{cause:#}"), "A page could not be made");
    }
    let problem = error.problem();
    let request = response.request();
    let shown = if wants_json(request.headers()) {
        HttpResponse::build(problem.status).json(&problem)
    } else if matches!(error, WebError::SignInFirst { .. }) && request.method() == Method::GET {
        see_other(&problem.href)
    } else {
        let status = problem.status;
        let visitor = Visitor::new(request.get_session());
        let layout = match request.app_data::<web::Data<App>>() {
            Some(app) => visitor.layout(app, Section::None).await.ok(),
            None => None,
        };
        let layout = layout.unwrap_or_else(|| Layout::new(Section::None, None, String::new()));
        let page = ErrorPage { layout, problem }.render().unwrap_or_default();
        HttpResponse::build(status)
            .content_type("text/html; charset=utf-8")
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .body(page)
    };
    Ok(response.into_response(shown))
}

/// Did a script ask, rather than a person?
pub fn wants_json(headers: &header::HeaderMap) -> bool {
    headers.contains_key(CSRF_HEADER)
        || headers
            .get(header::ACCEPT)
            .and_then(|accept| accept.to_str().ok())
            .is_some_and(|accept| accept.contains("application/json"))
}

/// Where to sign in so as to come back to `back`.
fn sign_in_path(back: &str) -> String {
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("back", back)
        .finish();
    format!("/sign-in?{query}")
}

/// Messages of the domain are lower-case and end without a full stop; people read sentences.
fn sentence(message: &str) -> String {
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
            PlatformError::NotFound("archive") => WebError::NoArchive,
            PlatformError::NotFound(what) => WebError::Conflict(format!("there is no such {what}")),
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
            RoomError::NotFound(_) => WebError::NoRoom,
            RoomError::Default | RoomError::TooMany => WebError::RoomConflict(error.to_string()),
            RoomError::Database(error) => error.into(),
        }
    }
}

impl From<RoomsError> for WebError {
    fn from(error: RoomsError) -> Self {
        match error {
            RoomsError::Recorded(_) | RoomsError::Occupied { .. } => {
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
            AccountError::BadName | AccountError::BadPassword | AccountError::BadLink => {
                WebError::BadInput(error.to_string())
            }
            AccountError::NameTaken(_) => WebError::Conflict(error.to_string()),
            AccountError::Database(error) => error.into(),
            AccountError::Internal(error) => WebError::Internal(error),
        }
    }
}

impl From<BadName> for WebError {
    fn from(error: BadName) -> Self {
        WebError::BadInput(error.to_string())
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
