//! The JSON body of a script's request.

use std::{future::Future, pin::Pin};

use actix_web::{
    FromRequest, HttpRequest,
    dev::Payload,
    http::{StatusCode, header},
    mime,
    web::Bytes,
};
use serde::de::DeserializeOwned;

use super::{csrf, error::WebError};
use crate::common::json::from_slice_lossy;

/// Maximum length of a body, in bytes.
const MAX_BYTES: usize = 16 * 1024;

/// The body of a request that passed [`csrf::check`]. An empty body counts as `{}`.
pub struct Json<T>(pub T);

/// A JSON request whose body is ignored.
pub struct EmptyJson;

impl<T: DeserializeOwned + 'static> FromRequest for Json<T> {
    type Error = WebError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, WebError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let checked = check(request);
        let body = Bytes::from_request(request, payload);
        Box::pin(async move {
            checked?;
            let body = body.await.map_err(|error| {
                let status = error.as_response_error().status_code();
                WebError::rejected(status, "the request is incomplete")
            })?;
            if body.len() > MAX_BYTES {
                return Err(WebError::TooLarge);
            }
            let text: &[u8] = if body.is_empty() { b"{}" } else { &body };
            from_slice_lossy(text)
                .map(Json)
                .map_err(|error| WebError::BadInput(format!("the JSON is not valid: {error}")))
        })
    }
}

impl FromRequest for EmptyJson {
    type Error = WebError;
    type Future = std::future::Ready<Result<Self, WebError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        std::future::ready(check(request).map(|()| EmptyJson))
    }
}

fn check(request: &HttpRequest) -> Result<(), WebError> {
    let is_json = request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.parse::<mime::Mime>().ok())
        .is_some_and(|mime| mime.essence_str() == mime::APPLICATION_JSON.essence_str());
    if !is_json {
        return Err(WebError::rejected(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "send JSON, with Content-Type: application/json",
        ));
    }
    csrf::check(request, None)
}
