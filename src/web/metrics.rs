//! Measurements for Prometheus. They contain numbers only, so anyone may read them.

use std::fmt::Write;

use actix_web::{HttpResponse, web};

use crate::{app::App, callback::Callbacks};

/// `GET /metrics` in the text format of Prometheus.
pub async fn metrics(app: web::Data<App>, callbacks: Option<web::Data<Callbacks>>) -> HttpResponse {
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
    if let Ok(running) = app.archives.running().await {
        let running = u64::try_from(running.len()).unwrap_or(u64::MAX);
        write("archives_running", "Archives that record now", running);
    }
    let counts = match callbacks {
        Some(callbacks) => callbacks.counts().await.ok(),
        None => None,
    };
    if let Some(counts) = counts {
        for (name, help, value) in [
            (
                "delivered_total",
                "Events that were taken",
                counts.delivered,
            ),
            ("failed_total", "Tries that failed", counts.failed),
            (
                "given_up_total",
                "Events that nobody took for a day",
                counts.given_up,
            ),
            (
                "dropped_total",
                "Events for which there was no room",
                counts.dropped,
            ),
            ("waiting", "Events that wait", counts.waiting),
        ] {
            write(&format!("callbacks_{name}"), help, value);
        }
    }
    HttpResponse::Ok()
        .content_type("text/plain; version=0.0.4")
        .body(text)
}
