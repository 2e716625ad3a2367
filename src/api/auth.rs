//! Who calls: a project, by one of two headers.
//!
//! | header | whose | what |
//! |---|---|---|
//! | `X-OPENTOK-AUTH` | SDKs since 2016 | a JWT, HS256 under the project's secret |
//! | `X-TB-PARTNER-AUTH` | those before | key and secret themselves; can be switched off |
//!
//! The SDKs differ in the claims they write, so only what matters is looked at: the signature, the key and the expiry.

use std::{future::Future, pin::Pin};

use actix_web::{FromRequest, HttpRequest, dev::Payload, web};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use serde::Deserialize;
use serde_json::Value;

use super::{Api, error::ApiError};
use crate::{
    clock,
    project::{self, Project},
};

const JWT_HEADER: &str = "X-OPENTOK-AUTH";
const LEGACY_HEADER: &str = "X-TB-PARTNER-AUTH";

/// How far the caller's clock may differ from ours. Seconds.
const CLOCK_SKEW: i64 = 60;
/// SDKs sign for three to five minutes; a signature that is good for longer than this is refused. Seconds.
const LONGEST_LIFETIME: i64 = 24 * 60 * 60;

/// The project in whose name a call is made. Where a key is in the address, it is this one's.
#[derive(Clone, Copy, Debug)]
pub struct Caller {
    pub api_key: u32,
}

impl FromRequest for Caller {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Caller, ApiError>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move { caller(&request).await })
    }
}

async fn caller(request: &HttpRequest) -> Result<Caller, ApiError> {
    let api = request
        .app_data::<web::Data<Api>>()
        .ok_or_else(|| ApiError::internal(&"the API is not registered"))?;
    let header = |name| {
        request
            .headers()
            .get(name)
            .and_then(|value| value.to_str().ok())
    };
    let proof = match (header(JWT_HEADER), header(LEGACY_HEADER)) {
        (Some(jwt), _) => Proof::Jwt(jwt.trim()),
        (None, Some(pair)) if api.legacy_auth => {
            let (key, secret) = pair.split_once(':').unwrap_or_default();
            Proof::Secret { key, secret }
        }
        (None, Some(_)) => {
            return Err(ApiError::forbidden(
                "this server does not accept X-TB-PARTNER-AUTH; use an SDK that sends X-OPENTOK-AUTH",
            ));
        }
        (None, None) => {
            return Err(ApiError::forbidden(
                "the call is not signed: X-OPENTOK-AUTH is missing",
            ));
        }
    };
    let claimed = proof
        .api_key()
        .ok_or_else(|| ApiError::forbidden("the signature names no API key"))?;
    // A project that does not exist is told as a secret that does not match.
    let refused = || ApiError::forbidden("API key and secret do not match");
    let project = project::find(&api.platform.db, claimed)
        .await?
        .ok_or_else(refused)?;
    proof.check(&project, clock::now_s())?;
    let in_address = request.match_info().get("key");
    if in_address.is_some_and(|key| key.parse() != Ok(project.api_key)) {
        return Err(ApiError::forbidden(
            "the API key of the signature is not the one in the address",
        ));
    }
    Ok(Caller {
        api_key: project.api_key,
    })
}

/// What a caller shows.
#[derive(Clone, Copy)]
enum Proof<'a> {
    Jwt(&'a str),
    Secret { key: &'a str, secret: &'a str },
}

#[derive(Deserialize)]
struct Claims {
    iss: Value,
    exp: Option<f64>,
}

impl Proof<'_> {
    /// The key that it says to be of; not to be believed before [`Proof::check`].
    fn api_key(self) -> Option<u32> {
        match self {
            Proof::Secret { key, .. } => key.trim().parse().ok(),
            Proof::Jwt(jwt) => {
                let payload = jwt.split('.').nth(1)?;
                let payload = URL_SAFE_NO_PAD.decode(payload).ok()?;
                let claims: Claims = serde_json::from_slice(&payload).ok()?;
                match claims.iss {
                    Value::String(text) => text.parse().ok(),
                    Value::Number(number) => u32::try_from(number.as_u64()?).ok(),
                    _ => None,
                }
            }
        }
    }

    fn check(self, project: &Project, now_s: i64) -> Result<(), ApiError> {
        let expected = project.api_secret.expose().as_bytes();
        match self {
            Proof::Secret { secret, .. } => verify_slices_are_equal(secret.as_bytes(), expected)
                .map_err(|_| ApiError::forbidden("API key and secret do not match")),
            Proof::Jwt(jwt) => {
                // The clock is the caller's, and what else the SDKs write or leave out does not matter.
                let mut validation = Validation::new(Algorithm::HS256);
                validation.validate_exp = false;
                validation.validate_aud = false;
                validation.required_spec_claims.clear();
                let key = DecodingKey::from_secret(expected);
                let claims = decode::<Claims>(jwt, &key, &validation)
                    .map_err(|_| ApiError::forbidden("API key and secret do not match"))?
                    .claims;
                expiry(claims.exp, now_s)
            }
        }
    }
}

fn expiry(exp: Option<f64>, now_s: i64) -> Result<(), ApiError> {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a float beyond i64 saturates, and is refused as out of range"
    )]
    let exp = exp.map(|seconds| seconds as i64);
    match exp {
        None => Err(ApiError::forbidden("the signature has no expiry (exp)")),
        Some(exp) if exp.saturating_add(CLOCK_SKEW) <= now_s => Err(ApiError::forbidden(
            "the signature has expired; is the clock of your server right?",
        )),
        Some(exp) if exp.saturating_sub(LONGEST_LIFETIME + CLOCK_SKEW) > now_s => Err(
            ApiError::forbidden("the signature is good for more than a day; sign each call anew"),
        ),
        Some(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::hmac;
    use serde_json::json;

    use super::*;
    use crate::config::Secret;

    const SECRET: &str = "1234567890abcdef1234567890abcdef12345678";
    const NOW: i64 = 1_700_000_000;

    fn project() -> Project {
        Project {
            api_key: 123_456,
            api_secret: Secret::from(SECRET.to_owned()),
        }
    }

    fn jwt(header: &Value, claims: &Value, secret: &str) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let signature = URL_SAFE_NO_PAD.encode(hmac::sign(&key, signed.as_bytes()));
        format!("{signed}.{signature}")
    }

    fn is_accepted(jwt: &str) -> bool {
        let proof = Proof::Jwt(jwt);
        proof.api_key() == Some(123_456) && proof.check(&project(), NOW).is_ok()
    }

    #[test]
    fn the_jwts_of_all_sdks_are_accepted() {
        let usual = json!({ "alg": "HS256", "typ": "JWT" });
        let ruby = json!({ "alg": "HS256", "ist": "project" });
        let full =
            json!({ "iss": "123456", "ist": "project", "iat": NOW, "exp": NOW + 180, "jti": "x" });
        let little = json!({ "iss": "123456", "exp": NOW + 300 });
        let number = json!({ "iss": 123_456, "exp": NOW + 300, "iat": NOW - 30 });
        for (header, claims) in [
            (&usual, &full),
            (&ruby, &little),
            (&ruby, &number),
            (&usual, &little),
        ] {
            assert!(is_accepted(&jwt(header, claims, SECRET)), "{claims}");
        }
    }

    #[test]
    fn expiry_has_a_minute_of_grace_and_a_day_of_reach() {
        for (exp, is_good) in [
            (-59, true),
            (-60, false),
            (24 * 3600, true),
            (24 * 3600 + 61, false),
            (i64::MAX - NOW, false),
        ] {
            let claims = json!({ "iss": "123456", "exp": NOW + exp });
            let jwt = jwt(&json!({ "alg": "HS256" }), &claims, SECRET);
            assert_eq!(is_accepted(&jwt), is_good, "{exp}");
        }
        let endless = json!({ "iss": "123456" });
        assert!(!is_accepted(&jwt(
            &json!({ "alg": "HS256" }),
            &endless,
            SECRET
        )));
    }

    #[test]
    fn other_secrets_algorithms_and_texts_are_refused() {
        let claims = json!({ "iss": "123456", "exp": NOW + 300 });
        let good = jwt(&json!({ "alg": "HS256" }), &claims, SECRET);
        assert!(is_accepted(&good));
        assert!(!is_accepted(&jwt(
            &json!({ "alg": "HS256" }),
            &claims,
            "other"
        )));
        assert!(!is_accepted(&jwt(
            &json!({ "alg": "none" }),
            &claims,
            SECRET
        )));
        assert!(!is_accepted(&jwt(
            &json!({ "alg": "HS512" }),
            &claims,
            SECRET
        )));
        let unsigned = good.rsplit_once('.').unwrap().0;
        for text in ["", ".", "..", "a.b.c", unsigned, &format!("{unsigned}.")] {
            assert!(!is_accepted(text), "{text}");
        }
        let wrong = json!({ "iss": ["123456"], "exp": NOW + 300 });
        assert!(!is_accepted(&jwt(
            &json!({ "alg": "HS256" }),
            &wrong,
            SECRET
        )));
    }

    #[test]
    fn the_older_header_carries_the_secret() {
        let check = |key, secret| {
            let proof = Proof::Secret { key, secret };
            proof.api_key() == Some(123_456) && proof.check(&project(), NOW).is_ok()
        };
        assert!(check("123456", SECRET));
        for (key, secret) in [
            ("123456", "other"),
            ("123456", ""),
            ("", SECRET),
            ("x", SECRET),
        ] {
            assert!(!check(key, secret));
        }
    }
}
