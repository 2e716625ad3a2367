//! What a page or its script asks to be changed, and the proof that it was our page that asked.
//!
//! A form brings the visitor's CSRF token in a field, a script in the header `X-CSRF-Token`. Links
//! and foreign pages bring neither, so they change nothing.

use std::{future::Future, pin::Pin};

use actix_session::SessionExt;
use actix_web::{
    FromRequest, HttpRequest,
    dev::Payload,
    web::{Bytes, Query},
};
use serde::{Deserialize, de::DeserializeOwned};

use super::{error::PageError, visitor::Visitor};

/// The header in which scripts bring the token.
pub const CSRF_HEADER: &str = "x-csrf-token";

/// No form of ours is longer. Bytes.
const LONGEST_FORM: usize = 16 * 1024;

/// A form whose CSRF token is right.
pub struct Change<T>(pub T);

/// A form without fields.
#[derive(Deserialize)]
pub struct Nothing {}

#[derive(Deserialize)]
struct CsrfField {
    #[serde(default)]
    csrf: String,
}

impl<T: DeserializeOwned + 'static> FromRequest for Change<T> {
    type Error = PageError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, PageError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let visitor = Visitor::new(request.get_session());
        let header = request
            .headers()
            .get(CSRF_HEADER)
            .and_then(|value| value.to_str().ok())
            .map(ToOwned::to_owned);
        let body = Bytes::from_request(request, payload);
        Box::pin(async move {
            let too_long =
                || PageError::BadInput("That was too much text for this form.".to_owned());
            let body = body.await.map_err(|_| too_long())?;
            if body.len() > LONGEST_FORM {
                return Err(too_long());
            }
            let form = std::str::from_utf8(&body)
                .map_err(|_| PageError::BadInput("The form was not text.".to_owned()))?;
            let given = match header {
                Some(token) => token,
                None => fields::<CsrfField>(form)?.csrf,
            };
            if !visitor.has_csrf(&given) {
                return Err(PageError::Forged);
            }
            Ok(Change(fields(form)?))
        })
    }
}

fn fields<T: DeserializeOwned>(form: &str) -> Result<T, PageError> {
    Query::<T>::from_query(form)
        .map(Query::into_inner)
        .map_err(|error| PageError::BadInput(format!("The form is not complete: {error}.")))
}
