//! Session ids: any text is parsed without a panic, and a generated id has the key it was generated for.

#![no_main]

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use libfuzzer_sys::fuzz_target;
use parlor::opentok::{Session, SessionId};

fuzz_target!(|input: &[u8]| {
    let text = String::from_utf8_lossy(input);
    let id = SessionId::from(&*text);
    if let Some(key) = id.api_key() {
        assert!(Session::belongs_to_api_key(&id, key));
        assert!(!Session::belongs_to_api_key(&id, key ^ 1));
    }
    // The decoded contents of any id.
    let inside = SessionId::from(format!("2_{}", URL_SAFE_NO_PAD.encode(input)));
    let expected = text
        .split('~')
        .nth(1)
        .and_then(|key| key.parse::<u32>().ok());
    if std::str::from_utf8(input).is_ok() {
        assert_eq!(inside.api_key(), expected);
    }
    if let Some(head) = input.first_chunk::<12>() {
        let key = u32::from_le_bytes([head[0], head[1], head[2], head[3]]);
        let location = format!("{}.{}.{}.{}", head[4], head[5], head[6], head[7]);
        let made = SessionId::generate(key, &location, i64::from(head[8]));
        assert_eq!(made.api_key(), Some(key));
        assert_eq!(
            serde_json::from_str::<SessionId>(&serde_json::to_string(&made).unwrap()).unwrap(),
            made
        );
    }
});
