//! The pages. Each is a file with its template's struct above its handler; the URL table is below.
//!
//! A page for moderators takes [`visitor::SignedIn`]; a change takes [`csrf::Form`], which checks
//! the CSRF token. What goes wrong is an [`error::WebError`] and becomes a page of its own.

mod archive;
mod archive_view;
mod assets;
pub mod boot;
mod buddies;
mod chat;
mod csrf;
mod download;
mod error;
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
mod room;
mod sign_in;
mod visitor;

#[cfg(test)]
mod tests;

use actix_session::{SessionMiddleware, config::PersistentSession, storage::CookieSessionStore};
use actix_web::{
    cookie::{Key, SameSite, time::Duration},
    dev::HttpServiceFactory,
    middleware::{Compress, from_fn},
    web::{get, post, resource, scope, to},
};

use aws_lc_rs::digest::{SHA256, digest};
use error::WebError;
pub use request_span::RequestSpan;

/// How long a visitor is remembered who does not come back.
const REMEMBERED: Duration = Duration::days(30);

/// The cookie's name is one data folder's: browsers send what one port of a host has set to its other ports, too, and
/// two Parlors on one host would sign everybody out of one another.
fn cookie_name(cookie_key: &[u8]) -> String {
    let digest = digest(&SHA256, cookie_key);
    let [a, b, c, d, ..] = *digest.as_ref() else {
        unreachable!("a SHA-256 digest has 32 bytes");
    };
    format!("parlor-{a:02x}{b:02x}{c:02x}{d:02x}")
}

/// All pages and static files. To be registered last, since it answers every address that nobody
/// else does; the [`crate::app::App`] must be registered as `web::Data`.
///
/// `cookie_key` has 64 bytes or more; `is_secure` says that people come over TLS, so that cookies
/// may be kept from everything else.
pub fn pages(cookie_key: &[u8], is_secure: bool) -> impl HttpServiceFactory + 'static {
    let visitors = SessionMiddleware::builder(CookieSessionStore::default(), Key::from(cookie_key))
        .cookie_name(cookie_name(cookie_key))
        .cookie_secure(is_secure)
        .cookie_http_only(true)
        .cookie_same_site(SameSite::Lax)
        .session_lifecycle(PersistentSession::default().session_ttl(REMEMBERED))
        .build();

    let mut pages = scope("")
        .route("/", get().to(home::home))
        .route("/rooms", post().to(home::create_room))
        .route("/rooms/{room}", get().to(room::guest))
        .route("/rooms/{room}/host", get().to(room::host))
        .route("/rooms/{room}/status", get().to(room::status))
        .route("/rooms/{room}/join", post().to(room::join))
        .route("/rooms/{room}/host/join", post().to(room::join_as_host))
        .route("/rooms/{room}/rename", post().to(home::rename_room))
        .route("/rooms/{room}/delete", post().to(home::delete_room))
        .route("/host", get().to(room::default_host))
        .route("/participant", get().to(room::participant))
        .route("/hello", get().to(hello::hello))
        .route("/history", get().to(history::list))
        .route("/archives", post().to(archive::start))
        .route("/archives/events", get().to(history::events))
        .route("/archives/{id}", get().to(archive::show))
        .route("/archives/{id}/stop", post().to(archive::stop))
        .route("/archives/{id}/delete", post().to(archive::delete))
        .service(
            resource("/archives/{id}/files/{file}")
                .route(get().to(download::archive_file))
                .wrap(from_fn(download::limit_range)),
        )
        .route("/download/{id}", get().to(download::download))
        .route("/presence", get().to(buddies::presence))
        .route("/users", post().to(buddies::name))
        .route("/buddies", get().to(buddies::buddies))
        .route("/buddies/call/{user}", get().to(buddies::call))
        .route("/buddies/roster", get().to(buddies::roster))
        .route("/buddies/mine", get().to(buddies::mine))
        .route(
            "/buddies/availability",
            post().to(buddies::set_availability),
        )
        .route("/buddies/missed/forget", post().to(buddies::forget_missed))
        .route("/buddies/recordings", get().to(chat::recordings))
        .route("/buddies/recordings/{id}", get().to(chat::recording))
        .route("/invitations", post().to(invitation::send))
        .route("/invitations/{id}/accept", post().to(invitation::accept))
        .route("/invitations/{id}/decline", post().to(invitation::decline))
        .route("/invitations/{id}/cancel", post().to(invitation::cancel))
        .route("/chats", get().to(chat::join))
        .route("/chats", post().to(chat::create))
        .route("/chats/{session}/end", post().to(chat::end))
        .route("/chats/{session}/connection", post().to(chat::connected))
        .route("/chats/{session}/recording", post().to(chat::record))
        .route("/sign-in", get().to(sign_in::form))
        .route("/sign-in", post().to(sign_in::sign_in))
        .route("/sign-out", post().to(sign_in::sign_out))
        .route("/healthz", get().to(health::health))
        .route("/metrics", get().to(metrics::metrics))
        .route("/static/{path:.*}", get().to(assets::file));
    for path in assets::LIBRARY_PATHS {
        pages = pages.service(resource(path).route(get().to(assets::library)));
    }
    // The first wrapped is the innermost.
    pages
        .default_service(to(|| async { Err::<String, _>(WebError::NoPage) }))
        .wrap(from_fn(error::render_errors))
        .wrap(visitors)
        .wrap(headers::security())
        .wrap(Compress::default())
}
