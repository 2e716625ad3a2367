//! The HTTP server: pages, the REST API and the WebSocket of clients on one listener.

use std::{net::TcpListener, sync::Arc, time::Duration};

use actix_web::{
    HttpServer,
    middleware::{NormalizePath, from_fn},
    web,
};
use anyhow::Context;
use tracing_actix_web::TracingLogger;

use super::{
    connections::{self, ConnectionLimiter, HEAD_TIMEOUT, IDLE_TIMEOUT, max_connections},
    head::answer_head,
};
use crate::{
    api::{self, Api},
    app::App,
    archive_object::ObjectWriter,
    callback::Callbacks,
    platform::{Backend, LocalSessions, PresenceAdmission},
    session::{Admission, Sessions},
    signaling,
};

/// Threads that serve pages.
const WORKERS: usize = 2;
/// Time for open requests to finish while the server stops.
const REQUEST_GRACE: Duration = Duration::from_secs(5);

pub(super) type RouteConfig = dyn Fn(&mut web::ServiceConfig) + Send + Sync;

/// The WebSocket of clients. When calls are on another platform, it admits them to the presence session only.
pub(super) fn signaling_routes(
    backend: &Backend,
    sessions: &Sessions,
    local: LocalSessions,
    app: &App,
) -> Arc<RouteConfig> {
    let admission: Arc<dyn Admission> = match backend {
        Backend::Embedded(_) => Arc::new(local),
        Backend::Remote(_) => Arc::new(PresenceAdmission {
            sessions: local,
            presence: app.buddies.presence().0.clone(),
        }),
    };
    let sessions = sessions.clone();
    Arc::new(move |config| signaling::routes(sessions.clone(), Arc::clone(&admission))(config))
}

/// The OpenTok REST API. When calls are on another platform, its routes refer to that platform.
pub(super) fn api_routes(backend: &Backend, app: &App, objects: ObjectWriter) -> Arc<RouteConfig> {
    match backend {
        Backend::Embedded(embedded) => {
            let api = web::Data::new(Api::new(app, embedded.clone(), objects));
            Arc::new(move |config| api::routes(api.clone())(config))
        }
        Backend::Remote(remote) => {
            let remote = remote.clone();
            Arc::new(move |config| api::remote_routes(remote.clone())(config))
        }
    }
}

pub(super) fn serve(
    listener: TcpListener,
    app: &web::Data<App>,
    signaling: Arc<RouteConfig>,
    api: Arc<RouteConfig>,
    callbacks: web::Data<Callbacks>,
) -> anyhow::Result<actix_web::dev::Server> {
    let cookie_key = app.data.cookie_key()?;
    let is_secure = app.config.is_secure();
    let app = app.clone();
    let max_connections = max_connections();
    let limiter =
        ConnectionLimiter::new(max_connections, app.config.network.trusted_proxies.clone());
    let server = HttpServer::new(move || {
        actix_web::App::new()
            // Some SDKs end the path of a list with a slash.
            .wrap(NormalizePath::trim())
            .wrap(from_fn(connections::limit))
            .wrap(from_fn(answer_head))
            .wrap(TracingLogger::<crate::web::RequestSpan>::new())
            .app_data(app.clone())
            .app_data(callbacks.clone())
            .configure(|config| signaling(config))
            .configure(|config| api(config))
            .service(crate::web::pages(&cookie_key, is_secure))
    });
    Ok(server
        .workers(WORKERS)
        .max_connections(max_connections / WORKERS)
        .client_request_timeout(HEAD_TIMEOUT)
        .keep_alive(IDLE_TIMEOUT)
        .on_connect(move |socket, data| limiter.connected(socket, data))
        .h1_write_buffer_size(signaling::WRITE_BUFFER)
        .shutdown_timeout(REQUEST_GRACE.as_secs())
        .disable_signals()
        .listen(listener)
        .context("serving pages")?
        .run())
}
