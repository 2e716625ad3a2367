//! Client tokens: made by the server of an application, checked when a client connects.
//!
//! Two kinds are in use. A **T1** token is `T1==` and Base64 of
//! `partner_id=KEY&sig=SIG:DATA`, where `DATA` is form-encoded and `SIG` its HMAC-SHA1 under the
//! API secret. A **JWT** is HS256 under the same secret, with the same fields as claims.
//! OpenTok's SDKs differ in the order and the encoding of the fields, so a signature is always
//! checked over the bytes that arrived and never over a re-encoding of them.

use aws_lc_rs::hmac;
use base64::{
    Engine,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::STANDARD},
};
use serde::Deserialize;

use super::{MAX_LAYOUT_CLASSES, Role, SessionId, is_layout_class};

/// What a T1 token begins with.
const SENTINEL: &str = "T1==";

/// A token without an expiry lives this long after its making, as OpenTok's do. Seconds.
const DEFAULT_LIFETIME: i64 = 24 * 60 * 60;

/// No token lives longer than this. Seconds.
const LONGEST_LIFETIME: i64 = 30 * 24 * 60 * 60;

/// How far the maker's clock may differ from ours. Seconds.
const CLOCK_SKEW: i64 = 60;

/// Connection data as long as this is accepted: OpenTok's SDKs stop at 1000 or at 1024 characters.
const LONGEST_DATA: usize = 1024;

/// What a token says of its holder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    pub api_key: u32,
    pub session_id: SessionId,
    pub role: Role,
    /// The application's own words about the client; shown to everyone in the session.
    pub data: String,
    /// The layout classes that the holder's streams begin with. OpenTok `initial_layout_class_list`.
    pub layout_classes: Vec<String>,
    /// Unix seconds.
    pub created_at: i64,
    /// Unix seconds; checked only when connecting.
    pub expires_at: i64,
}

/// Why a token is not accepted. The sentences are for the developer of the page that sent it.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TokenError {
    #[error("the token is neither a T1 token nor a JWT; use one that an OpenTok server SDK made")]
    Malformed,
    #[error(
        "the token's signature does not match; check the API secret of the server that made it"
    )]
    BadSignature,
    #[error("the token expired; load the page again to get a new one")]
    Expired,
    #[error("the token is for another API key than this session")]
    WrongKey,
    #[error("the token is for another session")]
    WrongSession,
    #[error("the token's {0} is not valid")]
    BadField(&'static str),
}

/// Makes and checks the tokens of one project.
#[derive(Clone, Copy)]
pub struct Token<'a> {
    pub api_key: u32,
    pub api_secret: &'a str,
}

impl Token<'_> {
    /// A T1 token, byte for byte as the Ruby SDK 2.2.0 writes it; but that one turns every line
    /// break of the data into CR LF, and here the data stay as they are.
    ///
    /// `nonce` is any text that makes the token differ from others of the same second.
    pub fn generate(&self, claims: &NewToken<'_>, now: i64, nonce: &str) -> String {
        self.generate_with_classes(claims, &[], now, nonce)
    }

    /// The same, with the layout classes that the holder's streams begin with.
    pub(super) fn generate_with_classes(
        &self,
        claims: &NewToken<'_>,
        layout_classes: &[String],
        now: i64,
        nonce: &str,
    ) -> String {
        let mut data = form_urlencoded::Serializer::new(String::new());
        data.append_pair("role", claims.role.as_str())
            .append_pair("session_id", claims.session_id.as_str())
            .append_pair("create_time", &now.to_string())
            .append_pair("nonce", nonce);
        if let Some(expires_at) = claims.expires_at {
            data.append_pair("expire_time", &expires_at.to_string());
        }
        if let Some(text) = claims.data {
            data.append_pair("connection_data", text);
        }
        if !layout_classes.is_empty() {
            data.append_pair("initial_layout_class_list", &layout_classes.join(" "));
        }
        // The Ruby SDK leaves `~` as it is and escapes `*`; a form serializer does it the other way round.
        let data = data.finish().replace("%7E", "~").replace('*', "%2A");
        let plain = format!(
            "partner_id={}&sig={}:{data}",
            self.api_key,
            hex(self.sign(data.as_bytes()).as_ref())
        );
        format!("{SENTINEL}{}", STANDARD.encode(plain))
    }

    /// Checks a token of either kind for use in `session_id`, at `now` (Unix seconds).
    ///
    /// # Errors
    /// [`TokenError`] tells what is wrong; nothing of the token may be believed then.
    pub fn verify(
        &self,
        token: &str,
        session_id: &SessionId,
        now: i64,
    ) -> Result<Claims, TokenError> {
        let claims = if let Some(encoded) = token.strip_prefix(SENTINEL) {
            self.open_t1(encoded)?
        } else if token.split('.').count() == 3 {
            self.open_jwt(token)?
        } else {
            return Err(TokenError::Malformed);
        };
        claims.check(self.api_key, session_id, now)
    }

    fn sign(&self, data: &[u8]) -> hmac::Tag {
        hmac::sign(&self.key(), data)
    }

    fn key(&self) -> hmac::Key {
        hmac::Key::new(
            hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            self.api_secret.as_bytes(),
        )
    }

    fn open_t1(&self, encoded: &str) -> Result<RawClaims, TokenError> {
        // Some SDKs drop the padding, so it may be there or not.
        let lenient = GeneralPurpose::new(
            &base64::alphabet::STANDARD,
            GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
        );
        let plain = lenient.decode(encoded).map_err(|_| TokenError::Malformed)?;
        let colon = plain
            .iter()
            .position(|byte| *byte == b':')
            .ok_or(TokenError::Malformed)?;
        let (meta, data) = (&plain[..colon], &plain[colon + 1..]);

        let mut partner_id = None;
        let mut signature = None;
        for (name, value) in form_urlencoded::parse(meta) {
            match &*name {
                "partner_id" => partner_id = value.parse().ok(),
                "sig" => signature = unhex(&value),
                _ => {}
            }
        }
        let signature = signature.ok_or(TokenError::Malformed)?;
        if partner_id != Some(self.api_key) {
            return Err(TokenError::WrongKey);
        }
        hmac::verify(&self.key(), data, &signature).map_err(|_| TokenError::BadSignature)?;

        let mut raw = RawClaims {
            api_key: self.api_key,
            ..RawClaims::default()
        };
        for (name, value) in form_urlencoded::parse(data) {
            match &*name {
                "session_id" => raw.session_id = value.into_owned(),
                "role" => raw.role = Some(value.into_owned()),
                "create_time" => {
                    raw.created_at = Some(seconds(&value, "create_time")?);
                }
                "expire_time" => {
                    raw.expires_at = Some(seconds(&value, "expire_time")?);
                }
                "connection_data" => raw.data = value.into_owned(),
                "initial_layout_class_list" => raw.layout_classes = value.into_owned(),
                _ => {}
            }
        }
        Ok(raw)
    }

    fn open_jwt(&self, token: &str) -> Result<RawClaims, TokenError> {
        use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, errors::ErrorKind};

        #[derive(Deserialize)]
        struct Body {
            iss: serde_json::Value,
            iat: Option<f64>,
            exp: Option<f64>,
            role: Option<String>,
            session_id: Option<String>,
            #[serde(default)]
            connection_data: Option<String>,
            #[serde(default)]
            initial_layout_class_list: Option<String>,
        }

        // Expiry is checked with the caller's clock, the issuer below: some SDKs write it as a number.
        let mut validation = Validation::new(Algorithm::HS256);
        validation.validate_exp = false;
        validation.validate_aud = false;
        validation.required_spec_claims.clear();
        let key = DecodingKey::from_secret(self.api_secret.as_bytes());
        let body = decode::<Body>(token, &key, &validation)
            .map_err(|error| match error.kind() {
                ErrorKind::InvalidSignature => TokenError::BadSignature,
                _ => TokenError::Malformed,
            })?
            .claims;

        let api_key = match &body.iss {
            serde_json::Value::String(text) => text.parse().ok(),
            serde_json::Value::Number(number) => {
                number.as_u64().and_then(|key| u32::try_from(key).ok())
            }
            _ => None,
        };
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a float beyond i64 saturates, and is refused as out of range"
        )]
        let whole = |seconds: f64| seconds as i64;
        Ok(RawClaims {
            api_key: api_key.ok_or(TokenError::BadField("iss"))?,
            session_id: body.session_id.ok_or(TokenError::BadField("session_id"))?,
            role: body.role,
            data: body.connection_data.unwrap_or_default(),
            layout_classes: body.initial_layout_class_list.unwrap_or_default(),
            created_at: body.iat.map(whole),
            expires_at: body.exp.map(whole),
        })
    }
}

/// What to write into a new token.
#[derive(Clone, Copy, Debug)]
pub struct NewToken<'a> {
    pub session_id: &'a SessionId,
    pub role: Role,
    pub data: Option<&'a str>,
    /// Unix seconds; `None`: 24 hours after its making.
    pub expires_at: Option<i64>,
}

/// The fields of a token whose signature is right.
#[derive(Default)]
struct RawClaims {
    api_key: u32,
    session_id: String,
    role: Option<String>,
    data: String,
    /// Separated by spaces.
    layout_classes: String,
    created_at: Option<i64>,
    expires_at: Option<i64>,
}

impl RawClaims {
    fn check(self, api_key: u32, session_id: &SessionId, now: i64) -> Result<Claims, TokenError> {
        if self.api_key != api_key {
            return Err(TokenError::WrongKey);
        }
        if self.session_id != session_id.as_str() {
            return Err(TokenError::WrongSession);
        }
        let role = match self.role {
            None => Role::default(),
            Some(word) => word.parse().map_err(|_| TokenError::BadField("role"))?,
        };
        if self.data.chars().count() > LONGEST_DATA {
            return Err(TokenError::BadField("connection_data"));
        }
        // They give nobody any right: what is no class is left out.
        let layout_classes = self
            .layout_classes
            .split_whitespace()
            .filter(|name| is_layout_class(name))
            .take(MAX_LAYOUT_CLASSES)
            .map(str::to_owned)
            .collect();
        let created_at = match (self.created_at, self.expires_at) {
            (Some(created_at), _) => created_at,
            (None, Some(expires_at)) => expires_at.saturating_sub(DEFAULT_LIFETIME),
            (None, None) => return Err(TokenError::BadField("create_time")),
        };
        if created_at > now.saturating_add(CLOCK_SKEW) {
            return Err(TokenError::BadField("create_time"));
        }
        let expires_at = self
            .expires_at
            .unwrap_or_else(|| created_at.saturating_add(DEFAULT_LIFETIME));
        if expires_at > now.saturating_add(LONGEST_LIFETIME + CLOCK_SKEW) {
            return Err(TokenError::BadField("expire_time"));
        }
        if expires_at < now {
            return Err(TokenError::Expired);
        }
        Ok(Claims {
            api_key,
            session_id: session_id.clone(),
            role,
            data: self.data,
            layout_classes,
            created_at,
            expires_at,
        })
    }
}

/// The whole seconds of `text`; Ruby programs pass times with a fraction.
fn seconds(text: &str, field: &'static str) -> Result<i64, TokenError> {
    text.split('.')
        .next()
        .and_then(|whole| whole.parse().ok())
        .ok_or(TokenError::BadField(field))
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(2) || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    digits
        .chunks(2)
        .map(|pair| {
            let pair = std::str::from_utf8(pair).ok()?;
            u8::from_str_radix(pair, 16).ok()
        })
        .collect()
}

#[cfg(test)]
mod tests;
