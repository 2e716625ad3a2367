//! Authentication of API calls: a project proves itself by one of two headers.
//!
//! | header | SDKs | value |
//! |---|---|---|
//! | `X-OPENTOK-AUTH` | since 2016 | a project JWT, HS256 under the project's secret |
//! | `X-TB-PARTNER-AUTH` | older | key and secret in clear; can be disabled |
//!
//! The same secret also signs client tokens, which applications hand to browsers. A JWT is a project token only if all of
//! its claims are on the list of [`Claims`]: a claim about a session, a role or a connection makes it a client token, and an
//! unknown claim is refused, so a future kind of client token opens nothing either.

use std::{collections::BTreeMap, future::Future, pin::Pin};

use actix_web::{FromRequest, HttpRequest, dev::Payload, web};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::Value;

use super::{Api, error::ApiError};
use crate::{
    clock,
    project::{self, Project},
};

const JWT_HEADER: &str = "X-OPENTOK-AUTH";
const LEGACY_HEADER: &str = "X-TB-PARTNER-AUTH";

/// The accepted difference between the caller's clock and this server's, in seconds.
const CLOCK_SKEW: i64 = 60;
/// The maximum remaining lifetime of a project JWT, in seconds. OpenTok's SDKs use three to five minutes.
const MAX_LIFETIME: i64 = 60 * 60;
/// The value of the `ist` claim of a project JWT.
const PROJECT: &str = "project";

/// The project that makes a call. A key in the URL path is this project's key.
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

/// The credential of a call.
#[derive(Clone, Copy)]
enum Proof<'a> {
    Jwt(&'a str),
    Secret { key: &'a str, secret: &'a str },
}

/// The claims of a project JWT: the registered ones (RFC 7519 §4.1) and OpenTok's `ist`.
#[derive(Deserialize)]
struct Claims {
    #[serde(rename = "iss")]
    _iss: IgnoredAny,
    exp: Option<f64>,
    nbf: Option<f64>,
    ist: Option<String>,
    #[serde(rename = "iat")]
    _iat: Option<IgnoredAny>,
    #[serde(rename = "jti")]
    _jti: Option<IgnoredAny>,
    #[serde(rename = "sub")]
    _sub: Option<IgnoredAny>,
    #[serde(rename = "aud")]
    _aud: Option<IgnoredAny>,
    /// All other claims. A project JWT has none.
    #[serde(flatten)]
    other: BTreeMap<String, IgnoredAny>,
}

/// The issuer alone: other claims count only once the signature is verified.
#[derive(Deserialize)]
struct Issuer {
    iss: Value,
}

impl Claims {
    fn check(&self, now_s: i64) -> Result<(), ApiError> {
        if let Some(name) = self.other.keys().next() {
            return Err(ApiError::forbidden(format!(
                "this JWT is not a project token: it has the claim {name:?}; sign API calls with a server SDK, and never with a client's token"
            )));
        }
        if self.ist.as_deref().is_some_and(|ist| ist != PROJECT) {
            return Err(ApiError::forbidden(
                "this JWT is not a project token: its ist is not \"project\"",
            ));
        }
        if self
            .nbf
            .is_some_and(|nbf| whole(nbf) > now_s.saturating_add(CLOCK_SKEW))
        {
            return Err(ApiError::forbidden(
                "the signature is not valid yet (nbf); check the clock of your server",
            ));
        }
        check_expiry(self.exp.map(whole), now_s)
    }
}

/// Returns the whole seconds of a `NumericDate` (RFC 7519 §2). A value beyond `i64` saturates, and is out of range then.
#[expect(clippy::cast_possible_truncation, reason = "saturates, see above")]
fn whole(seconds: f64) -> i64 {
    seconds as i64
}

impl Proof<'_> {
    /// Returns the API key that the credential names. The name is not verified before [`Proof::check`].
    fn api_key(self) -> Option<u32> {
        match self {
            Proof::Secret { key, .. } => key.trim().parse().ok(),
            Proof::Jwt(jwt) => {
                let payload = jwt.split('.').nth(1)?;
                let payload = URL_SAFE_NO_PAD.decode(payload).ok()?;
                let issuer: Issuer = serde_json::from_slice(&payload).ok()?;
                match issuer.iss {
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
                // Times are checked below against the caller's `now_s`.
                let mut validation = Validation::new(Algorithm::HS256);
                validation.validate_exp = false;
                validation.validate_aud = false;
                validation.required_spec_claims.clear();
                let key = DecodingKey::from_secret(expected);
                decode::<Claims>(jwt, &key, &validation)
                    .map_err(|_| ApiError::forbidden("API key and secret do not match"))?
                    .claims
                    .check(now_s)
            }
        }
    }
}

fn check_expiry(exp: Option<i64>, now_s: i64) -> Result<(), ApiError> {
    match exp {
        None => Err(ApiError::forbidden("the signature has no expiry (exp)")),
        Some(exp) if exp.saturating_add(CLOCK_SKEW) <= now_s => Err(ApiError::forbidden(
            "the signature has expired; is the clock of your server right?",
        )),
        Some(exp) if exp.saturating_sub(MAX_LIFETIME + CLOCK_SKEW) > now_s => {
            Err(ApiError::forbidden(
                "the signature is valid for more than an hour; sign each call anew",
            ))
        }
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
    fn expiry_has_a_minute_of_grace_and_an_hour_of_reach() {
        for (exp, is_good) in [
            (-59, true),
            (-60, false),
            (3600, true),
            (3600 + 61, false),
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
    fn a_client_token_opens_no_call() {
        let claims = json!({
            "iss": "123456", "ist": "project", "iat": NOW, "exp": NOW + 180, "jti": "x",
        });
        for (name, value) in [
            ("scope", json!("session.connect")),
            ("session_id", json!("1_MX4xMjM0NTZ-flx-fg")),
            ("role", json!("moderator")),
            ("connection_data", json!("")),
            ("initial_layout_class_list", json!("")),
            ("nonce", json!(0.5)),
            ("anything else", json!(null)),
        ] {
            let mut client = claims.clone();
            client[name] = value;
            let client = jwt(&json!({ "alg": "HS256" }), &client, SECRET);
            assert!(!is_accepted(&client), "{name}");
        }
        for (name, value, is_good) in [
            ("ist", json!("account"), false),
            ("ist", json!(["project"]), false),
            ("ist", json!(null), true),
            ("nbf", json!(NOW + 59), true),
            ("nbf", json!(NOW + 61), false),
            ("nbf", json!("now"), false),
            ("sub", json!("123456"), true),
            ("aud", json!(["x"]), true),
        ] {
            let mut other = claims.clone();
            other[name] = value;
            let jwt = jwt(&json!({ "alg": "HS256" }), &other, SECRET);
            assert_eq!(is_accepted(&jwt), is_good, "{other}");
        }
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
