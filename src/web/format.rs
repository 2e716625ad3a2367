//! Whether a request is answered with a page or with JSON.

use actix_web::{HttpMessage, HttpRequest, http::header::ACCEPT};

use super::csrf::CSRF_HEADER;

/// A mark on the requests of routes that are only for scripts; [`super::guard::json`] sets it.
pub struct JsonRoute;

/// Whether errors of this request, and changes without a page, are answered in JSON: the route is only for scripts, or
/// a script sent the request.
pub fn is_json(request: &HttpRequest) -> bool {
    let headers = request.headers();
    request.extensions().contains::<JsonRoute>()
        || headers.contains_key(CSRF_HEADER)
        || headers
            .get(ACCEPT)
            .and_then(|accept| accept.to_str().ok())
            .is_some_and(|accept| accept.contains("application/json"))
}
