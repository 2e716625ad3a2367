//! The guard against cross-site request forgery. Every route that changes something passes through [`check`],
//! by way of [`super::form::Form`] or [`super::json::Json`].
//!
//! A browser says where a request comes from: in `Sec-Fetch-Site` (over TLS and from this machine) or in `Origin`.
//! No page can forge these. A request from a page of this site is accepted. For the rest:
//!
//! - A form needs the visitor's CSRF token, in the field `csrf` or in the header `X-CSRF-Token`.
//! - JSON needs no token, since pages written for the presence kit have none. No form can send JSON, and a browser
//!   lets no script of another site do it. So JSON is refused only if the browser names another site.

use actix_session::SessionExt;
use actix_web::{HttpRequest, http::header, web::Data};

use super::{error::WebError, visitor::Visitor};
use crate::app::App;

/// The header in which a script sends the CSRF token.
pub const CSRF_HEADER: &str = "x-csrf-token";

/// Fetch Metadata: how the page that sends a request relates to this site.
const FETCH_SITE: &str = "sec-fetch-site";

/// Where a request comes from, as the browser says.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    ThisSite,
    OtherSite,
    /// The client is not a browser, or no page caused the request.
    Unknown,
}

/// Accepts a request that this site's own pages sent. `form_token` is the CSRF token of a form; `None`: the body is JSON.
///
/// # Errors
/// [`WebError::CsrfMismatch`] or [`WebError::ForeignOrigin`].
pub fn check(request: &HttpRequest, form_token: Option<&str>) -> Result<(), WebError> {
    match (source(request), form_token) {
        (Source::ThisSite, _) | (Source::Unknown, None) => Ok(()),
        (_, Some(token)) if Visitor::new(request.get_session()).has_csrf(token) => Ok(()),
        (_, Some(_)) => Err(WebError::CsrfMismatch),
        (Source::OtherSite, None) => Err(WebError::ForeignOrigin),
    }
}

fn source(request: &HttpRequest) -> Source {
    let text = |name: &str| {
        let value = request.headers().get(name);
        value.map(|value| value.to_str().unwrap_or("?"))
    };
    match (text(FETCH_SITE), text(header::ORIGIN.as_str())) {
        // The browser compared the origins itself, so a proxy that changes the host does not matter.
        (Some("same-origin"), _) => Source::ThisSite,
        (Some("none"), _) | (None, None) => Source::Unknown,
        (Some(_), _) => Source::OtherSite,
        (None, Some(origin)) if is_own_origin(request, origin) => Source::ThisSite,
        (None, Some(_)) => Source::OtherSite,
    }
}

fn is_own_origin(request: &HttpRequest, origin: &str) -> bool {
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
