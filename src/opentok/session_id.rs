//! Session ids as OpenTok servers issue them.
//!
//! `2_` followed by base64url without padding of `1~APIKEY~LOCATION~CREATED~RANDOM~`. Server SDKs
//! and Parlor read only the API key from it. All other properties of a session are in the
//! database.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

/// The id of a session. It may be any text that a peer sends: only a lookup tells whether the
/// session exists.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SessionId(String);

impl SessionId {
    /// Generates an id for `api_key`; `location` is the IPv4 hint, or empty.
    pub fn generate(api_key: u32, location: &str, now_ms: i64) -> SessionId {
        let mut random = [0_u8; 15];
        aws_lc_rs::rand::fill(&mut random).expect("the system has random bytes");
        let random = URL_SAFE_NO_PAD.encode(random);
        let plain = format!("1~{api_key}~{location}~{now_ms}~{random}~");
        SessionId(format!("2_{}", URL_SAFE_NO_PAD.encode(plain)))
    }

    /// Returns the API key in the id; `None`: the text is not a session id.
    pub fn api_key(&self) -> Option<u32> {
        let encoded = self
            .0
            .strip_prefix("2_")
            .or_else(|| self.0.strip_prefix("1_"))?;
        let plain = URL_SAFE_NO_PAD.decode(encoded.trim_end_matches('=')).ok()?;
        let plain = String::from_utf8(plain).ok()?;
        plain.split('~').nth(1)?.parse().ok()
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for SessionId {
    fn from(text: String) -> Self {
        SessionId(text)
    }
}

impl From<&str> for SessionId {
    fn from(text: &str) -> Self {
        SessionId(text.to_owned())
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_id_carries_its_key() {
        let id = SessionId::generate(123_456, "", 1_700_000_000_000);
        assert!(id.as_str().starts_with("2_"));
        assert_eq!(id.api_key(), Some(123_456));
    }

    #[test]
    fn an_id_of_2014_is_read_too() {
        let id = SessionId::from(
            "1_MX4xMjM0NTZ-fk1vbiBNYXIgMTcgMDA6NDE6MzEgUERUIDIwMTR-MC42ODM3ODk1MzQ0OTQyODA4fg",
        );
        assert_eq!(id.api_key(), Some(123_456));
    }

    #[test]
    fn text_that_is_no_id_has_no_key() {
        for text in ["", "2_", "2_!!!", "hello", "3_MX4xMjM0NTZ-"] {
            assert_eq!(SessionId::from(text).api_key(), None, "{text}");
        }
    }
}
