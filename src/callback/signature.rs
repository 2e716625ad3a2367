//! The signature of webhooks, by which a receiver verifies the sender: the scheme of [Standard Webhooks](https://www.standardwebhooks.com),
//! for which there are libraries in most languages.
//!
//! ```text
//! webhook-id         the event's id; the same in every attempt, so that a receiver detects duplicates
//! webhook-timestamp  the time of the attempt, Unix time in seconds, so that a receiver detects replays
//! webhook-signature  "v1," and Base64 of HMAC-SHA256 over "ID.TIMESTAMP.BODY"
//! ```
//!
//! The key is the API secret, which both sides have already. The signed text begins with an event id, so it differs from everything
//! else that is signed with the secret: a JWT begins with JSON in Base64, and a T1 token has another hash.

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::STANDARD};

/// Returns the value of `webhook-signature`.
pub fn sign(secret: &[u8], id: &str, timestamp_s: i64, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    let signed = format!("{id}.{timestamp_s}.{body}");
    let signature = hmac::sign(&key, signed.as_bytes());
    format!("v1,{}", STANDARD.encode(signature))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the tests of Standard Webhooks' own libraries.
    #[test]
    fn signatures_are_those_of_standard_webhooks() {
        let secret = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signature = sign(
            &secret,
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            r#"{"test": 2432232314}"#,
        );
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }
}
