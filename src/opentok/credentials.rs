//! The API key and secret of a project, and the signatures made with them.

use std::{
    fmt,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use aws_lc_rs::rand;
use jsonwebtoken::{EncodingKey, Header, encode};
use serde::Serialize;

use super::{Error, token::Token};

/// The lifetime of a request's signature in seconds, as in OpenTok's own SDKs.
const REQUEST_LIFETIME: i64 = 5 * 60;

/// Key and secret of one project. Cheap to clone; `Debug` shows the key only.
#[derive(Clone)]
pub(super) struct Credentials {
    pub(super) api_key: u32,
    secret: Arc<str>,
}

impl Credentials {
    pub(super) fn new(api_key: &str, secret: &str) -> Result<Credentials, Error> {
        let api_key = api_key
            .trim()
            .parse()
            .map_err(|_| Error::Argument("api_key must be a number".to_owned()))?;
        if secret.is_empty() {
            return Err(Error::Argument("api_secret not provided".to_owned()));
        }
        Ok(Credentials {
            api_key,
            secret: secret.into(),
        })
    }

    pub(super) fn secret(&self) -> &str {
        &self.secret
    }

    pub(super) fn token(&self) -> Token<'_> {
        Token {
            api_key: self.api_key,
            api_secret: &self.secret,
        }
    }

    /// Returns `claims` as a JWT.
    pub(super) fn jwt(&self, claims: &impl Serialize) -> String {
        let key = EncodingKey::from_secret(self.secret.as_bytes());
        encode(&Header::default(), claims, &key)
            .expect("plain fields become JSON, and HMAC takes any key")
    }

    /// Returns the value of `X-OPENTOK-AUTH` for a request sent at `now` (Unix seconds).
    pub(super) fn request_jwt(&self, now: i64) -> String {
        #[derive(Serialize)]
        struct Claims<'a> {
            iss: String,
            ist: &'a str,
            iat: i64,
            exp: i64,
            jti: String,
        }

        self.jwt(&Claims {
            iss: self.api_key.to_string(),
            ist: "project",
            iat: now,
            exp: now + REQUEST_LIFETIME,
            jti: nonce(),
        })
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("api_key", &self.api_key)
            .field("api_secret", &"[redacted]")
            .finish()
    }
}

/// Returns a random text: 32 hex digits.
pub(super) fn nonce() -> String {
    let mut random = [0_u8; 16];
    rand::fill(&mut random).expect("the system has random bytes");
    format!("{:032x}", u128::from_be_bytes(random))
}

/// Returns the time in Unix seconds. This is the only place where the SDK reads the clock.
#[expect(
    clippy::disallowed_methods,
    reason = "the SDK depends on nothing of the server, so it has a clock of its own"
)]
pub(super) fn now() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|since| i64::try_from(since.as_secs()).ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
    use serde_json::Value;

    use super::*;

    #[test]
    fn a_request_is_signed_for_five_minutes() {
        let credentials = Credentials::new("123456", "very secret").unwrap();
        let mut validation = Validation::new(Algorithm::HS256);
        validation.validate_exp = false;

        let jwt = credentials.request_jwt(1_000);
        let key = DecodingKey::from_secret(b"very secret");
        let claims = decode::<Value>(&jwt, &key, &validation).unwrap().claims;

        assert_eq!(
            (&claims["iss"], &claims["ist"]),
            (&"123456".into(), &"project".into())
        );
        assert_eq!(
            (&claims["iat"], &claims["exp"]),
            (&1_000.into(), &1_300.into())
        );
        assert_eq!(claims["jti"].as_str().unwrap().len(), 32);
        assert_ne!(credentials.request_jwt(1_000), jwt);
    }

    #[test]
    fn keys_that_are_no_numbers_and_empty_secrets_are_refused() {
        for (key, secret) in [("", "s"), ("abc", "s"), ("-1", "s"), ("1", "")] {
            let error = Credentials::new(key, secret).unwrap_err();
            assert!(matches!(error, Error::Argument(_)), "{key}");
        }
    }

    #[test]
    fn the_secret_is_not_shown() {
        let credentials = Credentials::new("123456", "very secret").unwrap();
        assert!(!format!("{credentials:?}").contains("very secret"));
    }
}
