//! Reads request bodies: tolerant of the SDKs' variants, strict about required fields.

use actix_web::{Error, web::Bytes};
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::Value;

use super::error::ApiError;
use crate::common::json::from_slice_lossy;

/// The body, or the error of reading it. Handlers authenticate the caller before they look at it.
pub type Body = Result<Bytes, Error>;

/// Returns the bytes of a body.
///
/// # Errors
/// The body is too long or incomplete.
pub fn bytes(body: Body) -> Result<Bytes, ApiError> {
    body.map_err(|problem| {
        let status = problem.as_response_error().status_code();
        ApiError::new(status, format!("the body could not be read: {problem}"))
    })
}

/// Parses the JSON object in a body. An empty body and `null` are an empty object. The content type is ignored.
///
/// # Errors
/// 400: the body is not a JSON object, or a field has the wrong type.
pub fn object<T: DeserializeOwned>(body: Body) -> Result<T, ApiError> {
    let bytes = bytes(body)?;
    let text = match bytes.trim_ascii() {
        b"" | b"null" => b"{}",
        text => text,
    };
    let invalid = |problem| ApiError::bad_request(format!("the body is not valid: {problem}"));
    if !text.starts_with(b"{") {
        return Err(ApiError::bad_request("the body must be a JSON object"));
    }
    from_slice_lossy(text).map_err(invalid)
}

/// Reads a boolean, also as text, because some SDKs send it as text.
pub fn truth<'de, D: Deserializer<'de>>(input: D) -> Result<Option<bool>, D::Error> {
    let value = Option::<Value>::deserialize(input)?;
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(is)) => Ok(Some(is)),
        Some(Value::String(word)) if word.eq_ignore_ascii_case("true") => Ok(Some(true)),
        Some(Value::String(word)) if word.eq_ignore_ascii_case("false") => Ok(Some(false)),
        Some(_) => Err(serde::de::Error::custom("true or false is expected")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(default)]
    struct Sample {
        #[serde(deserialize_with = "truth")]
        active: Option<bool>,
        name: Option<String>,
    }

    fn read(text: &'static str) -> Result<Sample, ApiError> {
        object(Ok(Bytes::from_static(text.as_bytes())))
    }

    #[test]
    fn nothing_null_and_an_empty_object_are_the_same() {
        for text in [
            "",
            " \n",
            "null",
            "{}",
            r#"{"name":null,"active":null,"more":1}"#,
        ] {
            assert_eq!(read(text).unwrap(), Sample::default(), "{text}");
        }
    }

    #[test]
    fn a_lone_surrogate_becomes_the_replacement_character() {
        let sample = read(r#"{"name":"Ann \ud83d"}"#).unwrap();
        assert_eq!(sample.name.as_deref(), Some("Ann \u{fffd}"));
    }

    #[test]
    fn truth_is_a_boolean_or_a_word() {
        let active = |text| read(text).unwrap().active;
        assert_eq!(active(r#"{"active":true}"#), Some(true));
        assert_eq!(active(r#"{"active":"true"}"#), Some(true));
        assert_eq!(active(r#"{"active":"False"}"#), Some(false));
        for text in [
            r#"{"active":1}"#,
            r#"{"active":"yes"}"#,
            "[]",
            "\"\"",
            "{",
            "name=x",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
