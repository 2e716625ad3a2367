//! Whether the server works, for load balancers and supervisors. Anyone may read it.

use actix_web::{HttpResponse, web};
use tracing::error;

use crate::app::App;

/// `GET /healthz`: 200 while the database answers, else 503.
pub async fn health(app: web::Data<App>) -> HttpResponse {
    match app.data.check_database().await {
        Ok(()) => HttpResponse::Ok().body("ok\n"),
        Err(error) => {
            error!(%error, "Health check failed");
            HttpResponse::ServiceUnavailable().body("the database does not answer\n")
        }
    }
}
