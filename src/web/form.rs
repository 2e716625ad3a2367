//! The body of a form, or of a script that sends the same fields.

use std::{future::Future, pin::Pin};

use actix_web::{
    FromRequest, HttpRequest,
    dev::Payload,
    http::StatusCode,
    web::{Bytes, Query},
};
use serde::{Deserialize, de::DeserializeOwned};

use super::{
    csrf::{self, CSRF_HEADER},
    error::WebError,
};

/// Maximum length of a form, in bytes.
const MAX_BYTES: usize = 16 * 1024;

/// The fields of a form that passed [`csrf::check`].
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
        let body = Bytes::from_request(request, payload);
        let request = request.clone();
        Box::pin(async move {
            let body = body.await.map_err(unreadable)?;
            if body.len() > MAX_BYTES {
                return Err(WebError::TooLarge);
            }
            let form = std::str::from_utf8(&body)
                .map_err(|_| WebError::BadInput("the form is not UTF-8 text".to_owned()))?;
            let header = request
                .headers()
                .get(CSRF_HEADER)
                .and_then(|value| value.to_str().ok());
            let token = match header {
                Some(token) => token.to_owned(),
                None => fields::<CsrfField>(form)?.csrf,
            };
            csrf::check(&request, Some(&token))?;
            Ok(Form(fields(form)?))
        })
    }
}

#[expect(clippy::needless_pass_by_value, reason = "used with map_err")]
fn unreadable(error: actix_web::Error) -> WebError {
    match error.as_response_error().status_code() {
        StatusCode::PAYLOAD_TOO_LARGE => WebError::TooLarge,
        _ => WebError::BadInput("the form is incomplete".to_owned()),
    }
}

fn fields<T: DeserializeOwned>(form: &str) -> Result<T, WebError> {
    Query::<T>::from_query(form)
        .map(Query::into_inner)
        .map_err(|error| WebError::BadInput(format!("the form is incomplete: {error}")))
}
