//! Measurements for Prometheus, for this machine or with the token of `--metrics-token`.

use std::fmt::Write;

use actix_web::{HttpRequest, HttpResponse, http::header, web};
use aws_lc_rs::constant_time::verify_slices_are_equal;

use super::{client_address::client_address, error::WebError};
use crate::{app::App, callback::Callbacks, telemetry};

/// Whether the client may read the metrics: it is on this machine, or it has the token.
fn may_read(request: &HttpRequest, app: &App) -> bool {
    let header = request.headers().get(header::AUTHORIZATION);
    let token = header.and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    match (&app.config.network.metrics_token, token) {
        (Some(expected), Some(token)) => {
            verify_slices_are_equal(expected.expose().as_bytes(), token.trim().as_bytes()).is_ok()
        }
        (None, Some(_)) => false,
        (_, None) => client_address(request, app).is_some_and(|address| address.is_loopback()),
    }
}

/// `GET /metrics` in the text format of Prometheus.
///
/// # Errors
/// [`WebError::MetricsForbidden`]: the client is elsewhere and has no token.
pub async fn metrics(
    app: web::Data<App>,
    callbacks: Option<web::Data<Callbacks>>,
    request: HttpRequest,
) -> Result<HttpResponse, WebError> {
    if !may_read(&request, &app) {
        return Err(WebError::MetricsForbidden);
    }
    let mut text = String::new();
    let mut write = |name: &str, help: &str, value: u64| {
        let kind = if name.ends_with("_total") {
            "counter"
        } else {
            "gauge"
        };
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "# HELP parlor_{name} {help}\n# TYPE parlor_{name} {kind}\nparlor_{name} {value}\n"
        );
    };
    for metric in (app.engine_metrics)() {
        write(metric.name, metric.help, metric.value);
    }
    write(
        "http_malformed_requests_total",
        "HTTP requests refused because they were malformed",
        telemetry::malformed_requests(),
    );
    if let Ok(running) = app.archives.running().await {
        let running = u64::try_from(running.len()).unwrap_or(u64::MAX);
        write("archives_running", "Archives being recorded", running);
    }
    let counts = match callbacks {
        Some(callbacks) => callbacks.counts().await.ok(),
        None => None,
    };
    if let Some(counts) = counts {
        for (name, help, value) in [
            ("delivered_total", "Callbacks delivered", counts.delivered),
            ("failed_total", "Failed delivery attempts", counts.failed),
            (
                "given_up_total",
                "Callbacks given up after a day of failed attempts",
                counts.given_up,
            ),
            (
                "dropped_total",
                "Callbacks dropped because too many were waiting",
                counts.dropped,
            ),
            ("waiting", "Callbacks waiting for delivery", counts.waiting),
        ] {
            write(&format!("callbacks_{name}"), help, value);
        }
    }
    Ok(HttpResponse::Ok()
        .content_type("text/plain; version=0.0.4")
        .body(text))
}
