//! Whether the server works, for load balancers and supervisors. Anyone may read it.

use actix_web::{HttpResponse, web};
use tracing::error;

use crate::app::App;

/// `GET /healthz`: 200 while the database answers, else 503.
pub async fn health(app: web::Data<App>) -> HttpResponse {
    match app.archives.running().await {
        Ok(_) => HttpResponse::Ok().body("ok\n"),
        Err(problem) => {
            error!("The database does not answer: {problem}");
            HttpResponse::ServiceUnavailable().body("the database does not answer\n")
        }
    }
}
