//! The pages. Each page is a file with its template's struct above its handler.
//!
//! [`router`] has the table of all routes and says who may call each. A handler that changes something takes a
//! [`form::Form`] or a [`json::Json`], which pass the guard against forged requests ([`csrf`]). An [`error::WebError`]
//! becomes a page or JSON in [`error_page`].

mod archive;
mod archive_view;
mod assets;
pub mod boot;
mod buddies;
mod chat;
mod client_address;
mod csrf;
mod download;
mod error;
mod error_page;
mod form;
mod format;
mod guard;
mod headers;
mod health;
mod hello;
mod history;
mod home;
mod invitation;
mod json;
mod layout;
mod metrics;
mod request_span;
mod return_path;
mod room;
mod router;
mod sign_in;
mod visitor;

#[cfg(test)]
mod tests;

use actix_session::{SessionMiddleware, config::PersistentSession, storage::CookieSessionStore};
use actix_web::{
    cookie::{Key, SameSite, time::Duration},
    dev::HttpServiceFactory,
    middleware::{Compress, from_fn},
};

use aws_lc_rs::digest::{SHA256, digest};
pub use guard::Access;
pub use request_span::RequestSpan;
pub use router::{RouteInfo, routes};

/// Lifetime of the cookie after the last visit.
const REMEMBERED: Duration = Duration::days(30);

/// The cookie's name, which differs between data folders. Browsers share the cookies of a host between its ports, so two
/// servers on one host would otherwise overwrite each other's cookie.
fn cookie_name(cookie_key: &[u8]) -> String {
    let digest = digest(&SHA256, cookie_key);
    let [a, b, c, d, ..] = *digest.as_ref() else {
        unreachable!("a SHA-256 digest has 32 bytes");
    };
    format!("parlor-{a:02x}{b:02x}{c:02x}{d:02x}")
}

/// All pages and static files. Register this service last, because it answers every path that is left, and register the
/// [`crate::app::App`] as `web::Data`.
///
/// `cookie_key` has at least 64 bytes. `is_secure`: visitors use TLS, so cookies are restricted to it.
pub fn pages(cookie_key: &[u8], is_secure: bool) -> impl HttpServiceFactory + 'static {
    let visitors = SessionMiddleware::builder(CookieSessionStore::default(), Key::from(cookie_key))
        .cookie_name(cookie_name(cookie_key))
        .cookie_secure(is_secure)
        .cookie_http_only(true)
        .cookie_same_site(SameSite::Lax)
        .session_lifecycle(PersistentSession::default().session_ttl(REMEMBERED))
        .build();

    // The first middleware is the innermost.
    router::service()
        .wrap(from_fn(error_page::render))
        .wrap(visitors)
        .wrap(headers::security())
        .wrap(Compress::default())
}
