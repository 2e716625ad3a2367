//! OpenTok's REST API, for the servers of applications. The URL table is below.
//!
//! The caller is a project ([`auth::Caller`]), authenticated by the JWT or the older header of its SDK. An error is an
//! [`error::ApiError`], always JSON. Handlers give a project access to its own sessions and archives only.
//!
//! `openapi.json` describes the API and is served. A feature that this server does not offer is answered with 501 and a
//! sentence.

mod archive;
mod auth;
mod callback;
mod connection;
mod error;
mod mute;
mod openapi;
mod request_body;
mod session;
mod signal;
mod start_archive;
mod state;
mod stream;

pub use state::Api;

use actix_web::{
    HttpResponse, Route, Scope,
    middleware::DefaultHeaders,
    web::{self, delete, get, patch, post, put, resource, route, scope},
};

use self::{auth::Caller, error::ApiError};
use crate::platform::Remote;

/// Registers the API's routes. Call it before the pages are registered, because those answer every path.
pub fn routes(api: web::Data<Api>) -> impl FnOnce(&mut web::ServiceConfig) {
    move |config| {
        config.app_data(api);
        config.service(only("/openapi.json", [get().to(openapi::description)]));
        for path in ["/session/create", "/hl/session/create"] {
            config.service(only(path, [post().to(session::create)]));
        }
        // Newer SDKs use "project", those of 2014 "partner".
        for prefix in ["/v2/project/{key}", "/v2/partner/{key}"] {
            // These come first, because one of them looks like an archive.
            let calls = calls(not_offered(scope(prefix)));
            let fresh = DefaultHeaders::new().add(("cache-control", "no-store"));
            config.service(calls.default_service(route().to(no_call)).wrap(fresh));
        }
    }
}

/// Registers the API's routes while calls are on another platform: a refusal that names the platform's URL, and the URL of the
/// platform's callbacks.
pub fn remote_routes(remote: Remote) -> impl FnOnce(&mut web::ServiceConfig) {
    let message = format!(
        "this server has its calls on another video platform and no API of its own; send this to {}",
        remote.api_url()
    );
    move |config| {
        for path in [
            "/openapi.json",
            "/session/create",
            "/hl/session/create",
            "/v2/project{rest:.*}",
            "/v2/partner{rest:.*}",
        ] {
            let message = message.clone();
            let refuse = move || {
                let refusal = ApiError::not_offered(message.clone());
                async move { Err::<HttpResponse, _>(refusal) }
            };
            config.service(resource(path).route(route().to(refuse)));
        }
        // The request is not authenticated, so its body is ignored: it only triggers a sync with the platform.
        let sync = move || {
            remote.request_sync();
            std::future::ready(HttpResponse::NoContent().finish())
        };
        config.service(resource("/platform/callback").route(post().to(sync)));
    }
}

fn calls(scope: Scope) -> Scope {
    scope
        .service(only(
            "/archive",
            [post().to(archive::start), get().to(archive::list)],
        ))
        .service(only(
            "/archive/{archive}",
            [
                get().to(archive::find),
                post().to(archive::act),
                delete().to(archive::delete),
            ],
        ))
        .service(only("/archive/{archive}/stop", [post().to(archive::stop)]))
        .service(only(
            "/archive/{archive}/layout",
            [put().to(archive::set_layout)],
        ))
        .service(only(
            "/archive/{archive}/streams",
            [patch().to(archive::choose_streams)],
        ))
        .service(only(
            "/session/{session}/signal",
            [post().to(signal::to_all)],
        ))
        .service(only("/session/{session}/mute", [post().to(mute::all)]))
        .service(only(
            "/session/{session}/connection",
            [get().to(connection::list)],
        ))
        .service(only(
            "/session/{session}/connection/{connection}",
            [delete().to(connection::disconnect)],
        ))
        .service(only(
            "/session/{session}/connection/{connection}/signal",
            [post().to(signal::to_one)],
        ))
        .service(only(
            "/session/{session}/stream",
            [get().to(stream::list), put().to(stream::set_classes)],
        ))
        .service(only(
            "/session/{session}/stream/{stream}",
            [get().to(stream::find), put().to(stream::update)],
        ))
        .service(only(
            "/session/{session}/stream/{stream}/mute",
            [post().to(mute::one)],
        ))
        .service(only(
            "/callback",
            [get().to(callback::list), post().to(callback::register)],
        ))
        .service(only(
            "/callback/{callback}",
            [delete().to(callback::unregister)],
        ))
}

/// The features of OpenTok that this server does not offer.
fn not_offered(scope: Scope) -> Scope {
    let calls = [
        ("/broadcast{rest:.*}", "live streaming (broadcast)"),
        ("/archive/storage", "external storage"),
        ("/dial", "SIP"),
        // The path of "/dial" in some SDKs.
        ("/call", "SIP"),
        ("/session/{session}/play-dtmf", "SIP"),
        (
            "/session/{session}/connection/{connection}/play-dtmf",
            "SIP",
        ),
        ("/connect{rest:.*}", "the audio connector"),
        ("/captions{rest:.*}", "captions"),
        ("/render{rest:.*}", "rendering web pages into a session"),
    ];
    calls.into_iter().fold(scope, |scope, (path, what)| {
        let refuse = move |_: Caller| async move {
            Err::<HttpResponse, _>(ApiError::not_offered(format!(
                "this server does not offer {what}"
            )))
        };
        scope.service(resource(path).route(route().to(refuse)))
    })
}

/// Registers a path with these methods. Other methods are refused with a sentence.
fn only<const N: usize>(path: &str, routes: [Route; N]) -> actix_web::Resource {
    let refuse = route().to(|_: Caller| async {
        Err::<HttpResponse, _>(ApiError::wrong_method(
            "this path does not accept this method",
        ))
    });
    routes
        .into_iter()
        .fold(resource(path), actix_web::Resource::route)
        .default_service(refuse)
}

async fn no_call(_: Caller) -> Result<HttpResponse, ApiError> {
    Err(ApiError::not_found("the API has no such path"))
}
