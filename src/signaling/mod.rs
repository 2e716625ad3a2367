//! The browser protocol over one WebSocket.
mod admission;
pub mod close;
mod frames;
pub mod message;
mod socket;

use std::sync::Arc;

use actix_web::web;

pub use admission::{Admission, AdmissionError};

use crate::session::Sessions;

/// Serves `GET /live`.
pub fn routes(
    sessions: Sessions,
    admission: Arc<dyn Admission>,
) -> impl FnOnce(&mut web::ServiceConfig) {
    let endpoint = web::Data::new(socket::Endpoint {
        sessions,
        admission,
    });
    move |config| {
        config.service(
            web::resource("/live")
                .app_data(endpoint)
                .route(web::get().to(socket::connect)),
        );
    }
}
