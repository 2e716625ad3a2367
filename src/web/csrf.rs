//! What a page or its script asks to be changed, and the proof that it was our page that asked.
//!
//! A form brings the visitor's CSRF token in a field, a script in the header `X-CSRF-Token`. Links
//! and foreign pages bring neither, so they change nothing. A browser that says itself that the request
//! comes from our page is believed: no page can make it say so (Fetch Metadata, `Sec-Fetch-Site`). Two first
//! pages opened at once have different tokens, and only the later one's is in the cookie.

use std::{future::Future, pin::Pin};

use actix_session::SessionExt;
use actix_web::{
    FromRequest, HttpRequest,
    dev::Payload,
    http::StatusCode,
    web::{Bytes, Query},
};
use serde::{Deserialize, de::DeserializeOwned};

use super::{error::WebError, visitor::Visitor};

/// The header in which scripts bring the token.
pub const CSRF_HEADER: &str = "x-csrf-token";

/// Sent by browsers over TLS and from this machine.
const FETCH_SITE: &str = "sec-fetch-site";

/// No form of ours is longer. Bytes.
const LONGEST_FORM: usize = 16 * 1024;

/// A form whose CSRF token is right.
pub struct Form<T>(pub T);

/// A form without fields.
#[derive(Deserialize)]
pub struct EmptyForm {}

#[derive(Deserialize)]
struct CsrfField {
    #[serde(default)]
    csrf: String,
}

impl<T: DeserializeOwned + 'static> FromRequest for Form<T> {
    type Error = WebError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, WebError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let visitor = Visitor::new(request.get_session());
        let header = request
            .headers()
            .get(CSRF_HEADER)
            .and_then(|value| value.to_str().ok())
            .map(ToOwned::to_owned);
        let is_from_our_page = request
            .headers()
            .get(FETCH_SITE)
            .is_some_and(|site| site == "same-origin");
        let body = Bytes::from_request(request, payload);
        Box::pin(async move {
            let body = body.await.map_err(unreadable)?;
            if body.len() > LONGEST_FORM {
                return Err(WebError::TooLarge);
            }
            let form = std::str::from_utf8(&body)
                .map_err(|_| WebError::BadInput("The form was not text.".to_owned()))?;
            let given = match header {
                Some(token) => token,
                None => fields::<CsrfField>(form)?.csrf,
            };
            if !is_from_our_page && !visitor.has_csrf(&given) {
                return Err(WebError::Forged);
            }
            Ok(Form(fields(form)?))
        })
    }
}

#[expect(clippy::needless_pass_by_value, reason = "used with map_err")]
fn unreadable(error: actix_web::Error) -> WebError {
    match error.as_response_error().status_code() {
        StatusCode::PAYLOAD_TOO_LARGE => WebError::TooLarge,
        _ => WebError::BadInput("The form did not arrive whole.".to_owned()),
    }
}

fn fields<T: DeserializeOwned>(form: &str) -> Result<T, WebError> {
    Query::<T>::from_query(form)
        .map(Query::into_inner)
        .map_err(|error| WebError::BadInput(format!("The form is not complete: {error}.")))
}
