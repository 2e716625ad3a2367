//! Tokens: each is refused, or is valid for this session now.
//!
//! The first byte selects how the rest becomes a token: unchanged, or signed with the secret as a T1 token or a JWT, so that
//! the fuzzer also reaches the code after the signature check.

#![no_main]

use aws_lc_rs::hmac::{self, Algorithm};
use base64::{Engine, engine::general_purpose::STANDARD, engine::general_purpose::URL_SAFE_NO_PAD};
use libfuzzer_sys::fuzz_target;
use parlor::opentok::{SessionId, Token};

const KEY: u32 = 123_456;
const SECRET: &str = "1234567890abcdef1234567890abcdef1234567890";
const SESSION: &str = "2_MX4xMjM0NTZ-fjE3NjM4MDAwMDAwMDB-YWJjZGVmfg";
const NOW: i64 = 1_763_800_000;
/// The maximum lifetime of a token plus the clock tolerance, in seconds.
const LONGEST: i64 = 30 * 24 * 60 * 60 + 60;

fuzz_target!(|input: &[u8]| {
    let Some((form, content)) = input.split_first() else {
        return;
    };
    let written = match form % 3 {
        0 => String::from_utf8_lossy(content).into_owned(),
        1 => t1(content),
        _ => jwt(content),
    };
    let session = SessionId::from(SESSION);
    let token = Token {
        api_key: KEY,
        api_secret: SECRET,
    };
    if let Ok(claims) = token.verify(&written, &session, NOW) {
        assert_eq!((claims.api_key, &claims.session_id), (KEY, &session));
        assert!(claims.data.chars().count() <= 1024);
        assert!(
            claims.expires_at > NOW - 60 && claims.expires_at <= NOW + LONGEST,
            "{claims:?}"
        );
    }
});

fn t1(data: &[u8]) -> String {
    let signature = sign(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, data);
    let signature: String = signature
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let mut plain = format!("partner_id={KEY}&sig={signature}:").into_bytes();
    plain.extend_from_slice(data);
    format!("T1=={}", STANDARD.encode(plain))
}

fn jwt(claims: &[u8]) -> String {
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
    let message = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims));
    let signature = sign(hmac::HMAC_SHA256, message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn sign(algorithm: Algorithm, data: &[u8]) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(algorithm, SECRET.as_bytes()), data)
}
