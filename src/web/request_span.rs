//! The span around each request in the log.
//!
//! It contains the pattern of the route, never the path: paths contain sign-in links and signed downloads. It does not
//! identify the client either.

use actix_web::{
    Error,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
};
use tracing::{Span, field, info_span};
use tracing_actix_web::RootSpanBuilder;

/// Builds the spans for `TracingLogger`.
pub struct RequestSpan;

impl RootSpanBuilder for RequestSpan {
    fn on_request_start(request: &ServiceRequest) -> Span {
        info_span!(
            "request",
            http.method = %request.method(),
            http.route = request.match_pattern(),
            http.status = field::Empty,
        )
    }

    fn on_request_end<B: MessageBody>(span: Span, outcome: &Result<ServiceResponse<B>, Error>) {
        let status = match outcome {
            Ok(response) => response.status(),
            Err(error) => error.as_response_error().status_code(),
        };
        span.record("http.status", status.as_u16());
    }
}
