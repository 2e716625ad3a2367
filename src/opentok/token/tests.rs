//! Vectors are of OpenTok's Ruby SDK 2.2.0, run with its clock and random number fixed; the forms
//! of the other SDKs follow their sources (order, encoding and names of the fields).

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const KEY: u32 = 123_456;
const SECRET: &str = "1234567890abcdef1234567890abcdef1234567890";
const SESSION: &str =
    "1_MX4xMjM0NTZ-fk1vbiBNYXIgMTcgMDA6NDE6MzEgUERUIDIwMTR-MC42ODM3ODk1MzQ0OTQyODA4fg";
const MADE_AT: i64 = 1_394_851_200;
const EXPIRES_AT: i64 = 1_394_854_800;
const DAY: i64 = 24 * 60 * 60;

const RUBY_VECTOR: &str = "T1==cGFydG5lcl9pZD0xMjM0NTYmc2lnPTYwNWVjMzg3OTM2NjJiMjUwYzc2ZGZhODg3ODhlZjBhYWI5YzlkMDg6cm9sZT1tb2RlcmF0b3Imc2Vzc2lvbl9pZD0xX01YNHhNak0wTlRaLWZrMXZiaUJOWVhJZ01UY2dNREE2TkRFNk16RWdVRVJVSURJd01UUi1NQzQyT0RNM09EazFNelEwT1RReU9EQTRmZyZjcmVhdGVfdGltZT0xMzk0ODUxMjAwJm5vbmNlPTAuMTIzNDU2Nzg5MDEyMyZleHBpcmVfdGltZT0xMzk0ODU0ODAwJmNvbm5lY3Rpb25fZGF0YT1uYW1lJTNESiVDMyVCNmhuK255JTJCJTI2fiUyQSUyODElMjk=";
const RUBY_DATA: &str = "name=Jöhn ny+&~*(1)";

fn token() -> Token<'static> {
    Token {
        api_key: KEY,
        api_secret: SECRET,
    }
}

fn session() -> SessionId {
    SessionId::from(SESSION)
}

fn verify(text: &str) -> Result<Claims, TokenError> {
    token().verify(text, &session(), MADE_AT)
}

/// A T1 token whose fields are written exactly so.
fn t1(data: &str) -> String {
    let signature = hex(token().sign(data.as_bytes()).as_ref());
    let plain = format!("partner_id={KEY}&sig={signature}:{data}");
    format!("T1=={}", STANDARD.encode(plain))
}

fn jwt(header: &Header, claims: &Value) -> String {
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    jsonwebtoken::encode(header, claims, &key).unwrap()
}

fn expected(role: Role, data: &str, expires_at: i64) -> Claims {
    Claims {
        layout_classes: Vec::new(),
        api_key: KEY,
        session_id: session(),
        role,
        data: data.to_owned(),
        created_at: MADE_AT,
        expires_at,
    }
}

#[test]
fn a_token_is_written_as_the_ruby_sdk_writes_it() {
    let claims = NewToken {
        session_id: &session(),
        role: Role::Moderator,
        data: Some(RUBY_DATA),
        expires_at: Some(EXPIRES_AT),
    };
    let written = token().generate(&claims, MADE_AT, "0.1234567890123");
    assert_eq!(written, RUBY_VECTOR);
}

#[test]
fn the_ruby_sdks_token_is_accepted() {
    assert_eq!(
        verify(RUBY_VECTOR),
        Ok(expected(Role::Moderator, RUBY_DATA, EXPIRES_AT))
    );
}

#[test]
fn newlines_in_the_data_survive() {
    let data = "two\nlines, \r\nand a return";
    let claims = NewToken {
        session_id: &session(),
        role: Role::Publisher,
        data: Some(data),
        expires_at: None,
    };
    let written = token().generate(&claims, MADE_AT, "0.5");
    assert_eq!(verify(&written).unwrap().data, data);
}

#[test]
fn a_token_without_expiry_is_good_for_a_day() {
    let written = t1(&format!(
        "role=publisher&session_id={SESSION}&create_time={MADE_AT}&nonce=0.1"
    ));
    let claims = expected(Role::Publisher, "", MADE_AT + DAY);
    assert_eq!(verify(&written), Ok(claims.clone()));
    let at = |now| token().verify(&written, &session(), now);
    assert_eq!(at(MADE_AT + DAY), Ok(claims));
    assert_eq!(at(MADE_AT + DAY + 1), Err(TokenError::Expired));
}

#[test]
fn the_node_sdks_t1_is_accepted() {
    let written = t1(&format!(
        "session_id={SESSION}&create_time={MADE_AT}&nonce=0.7&role=subscriber&expire_time={EXPIRES_AT}\
         &connection_data=it's%20J%C3%B6hn!%20(*~)&initial_layout_class_list=&scope=session.connect"
    ));
    assert_eq!(
        verify(&written),
        Ok(expected(Role::Subscriber, "it's Jöhn! (*~)", EXPIRES_AT))
    );
}

#[test]
fn the_python_sdks_t1_is_accepted() {
    let written = t1(&format!(
        "session_id={SESSION}&create_time={MADE_AT}&expire_time={EXPIRES_AT}&role=publisheronly\
         &nonce=773413&initial_layout_class_list=focus+full&connection_data=J%C3%B6hn+~"
    ));
    let classes = ["focus", "full"].map(str::to_owned).to_vec();
    assert_eq!(
        verify(&written),
        Ok(Claims {
            layout_classes: classes,
            ..expected(Role::PublisherOnly, "Jöhn ~", EXPIRES_AT)
        })
    );
}

#[test]
fn padding_may_be_missing_and_seconds_may_have_fractions() {
    let written = t1(&format!(
        "role=publisher&session_id={SESSION}&create_time={MADE_AT}.25&nonce=0.1&expire_time={EXPIRES_AT}.75"
    ));
    let claims = expected(Role::Publisher, "", EXPIRES_AT);
    assert_eq!(verify(written.trim_end_matches('=')), Ok(claims.clone()));
    assert_eq!(verify(&written), Ok(claims));
}

#[test]
fn the_node_sdks_jwt_is_accepted() {
    let written = jwt(
        &Header::new(Algorithm::HS256),
        &json!({
            "session_id": SESSION, "create_time": MADE_AT, "nonce": 0.42, "role": "moderator",
            "expire_time": EXPIRES_AT, "initial_layout_class_list": "", "connection_data": "Ann",
            "scope": "session.connect", "iss": KEY.to_string(), "ist": "project",
            "iat": MADE_AT, "exp": EXPIRES_AT,
        }),
    );
    assert_eq!(
        verify(&written),
        Ok(expected(Role::Moderator, "Ann", EXPIRES_AT))
    );
}

#[test]
fn the_python_sdks_jwt_is_accepted() {
    let written = jwt(
        &Header::new(Algorithm::HS256),
        &json!({
            "ist": "project", "iss": KEY.to_string(), "iat": MADE_AT, "exp": EXPIRES_AT,
            "nonce": 123_456, "role": "publisher", "scope": "session.connect",
            "session_id": SESSION, "initial_layout_class_list": "", "connection_data": null,
        }),
    );
    assert_eq!(
        verify(&written),
        Ok(expected(Role::Publisher, "", EXPIRES_AT))
    );
}

// The Ruby SDK 4.11 and later: `ist` stands in the header, `typ` is missing, and so is `exp`.
#[test]
fn the_newest_ruby_sdks_jwt_is_accepted() {
    let header = format!(r#"{{"ist":"project","alg":"{}"}}"#, "HS256");
    let body = json!({
        "iss": KEY.to_string(), "iat": MADE_AT, "nonce": 0.3, "role": "publisher",
        "scope": "session.connect", "session_id": SESSION,
    });
    let written = sign_jwt(&header, &body.to_string());
    assert_eq!(
        verify(&written),
        Ok(expected(Role::Publisher, "", MADE_AT + DAY))
    );
}

#[test]
fn an_issuer_may_be_a_number() {
    let body = json!({ "iss": KEY, "iat": MADE_AT, "role": "publisher", "session_id": SESSION });
    let written = jwt(&Header::new(Algorithm::HS256), &body);
    assert!(verify(&written).is_ok());
}

#[test]
fn an_array_as_audience_does_not_matter() {
    let body = json!({
        "iss": KEY.to_string(), "iat": MADE_AT, "nbf": MADE_AT, "aud": ["x"],
        "role": "publisher", "session_id": SESSION,
    });
    assert!(verify(&jwt(&Header::new(Algorithm::HS256), &body)).is_ok());
}

#[test]
fn a_project_jwt_joins_no_session_and_scope_ist_and_nbf_count() {
    let client = json!({
        "iss": KEY.to_string(), "ist": "project", "iat": MADE_AT, "exp": MADE_AT + 300,
        "role": "publisher", "session_id": SESSION, "scope": "session.connect",
    });
    for (name, value, expected) in [
        (
            "session_id",
            json!(null),
            Err(TokenError::BadField("session_id")),
        ),
        ("scope", json!("archive.start session.connect"), Ok(())),
        (
            "scope",
            json!("archive.start"),
            Err(TokenError::BadField("scope")),
        ),
        ("scope", json!(""), Err(TokenError::BadField("scope"))),
        ("ist", json!("account"), Err(TokenError::BadField("ist"))),
        ("nbf", json!(MADE_AT + CLOCK_SKEW), Ok(())),
        (
            "nbf",
            json!(MADE_AT + CLOCK_SKEW + 1),
            Err(TokenError::BadField("nbf")),
        ),
    ] {
        let mut body = client.clone();
        body[name] = value;
        let verified = verify(&jwt(&Header::new(Algorithm::HS256), &body));
        assert_eq!(verified.map(|_| ()), expected, "{body}");
    }
}

#[test]
fn a_token_of_another_session_is_refused() {
    let other = SessionId::from("2_MX4xMjM0NTZ-fjE3MDAwMDAwMDAwMDB-cmFuZG9tfg");
    let verified = token().verify(RUBY_VECTOR, &other, MADE_AT);
    assert_eq!(verified, Err(TokenError::WrongSession));
}

#[test]
fn a_token_of_another_key_or_secret_is_refused() {
    let other_key = Token {
        api_key: 654_321,
        ..token()
    };
    let verified = other_key.verify(RUBY_VECTOR, &session(), MADE_AT);
    assert_eq!(verified, Err(TokenError::WrongKey));
    let other_secret = Token {
        api_secret: "another",
        ..token()
    };
    let verified = other_secret.verify(RUBY_VECTOR, &session(), MADE_AT);
    assert_eq!(verified, Err(TokenError::BadSignature));
}

#[test]
fn a_jwt_of_another_key_or_secret_is_refused() {
    let body = json!({
        "iss": "654321", "iat": MADE_AT, "role": "publisher", "session_id": SESSION,
    });
    let written = jwt(&Header::new(Algorithm::HS256), &body);
    assert_eq!(verify(&written), Err(TokenError::WrongKey));
    let key = EncodingKey::from_secret(b"another");
    let written = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &body, &key).unwrap();
    assert_eq!(verify(&written), Err(TokenError::BadSignature));
}

#[test]
fn a_jwt_that_names_another_algorithm_is_refused() {
    let body = json!({
        "iss": KEY.to_string(), "iat": MADE_AT, "role": "moderator", "session_id": SESSION,
    })
    .to_string();
    for algorithm in ["none", "None", "RS256", "HS384", "HS512", "ES256", ""] {
        let header = format!(r#"{{"typ":"JWT","alg":"{algorithm}"}}"#);
        let signed = sign_jwt(&header, &body);
        assert_eq!(verify(&signed), Err(TokenError::Malformed), "{algorithm}");
        let unsigned = &signed[..=signed.rfind('.').unwrap()];
        assert_eq!(verify(unsigned), Err(TokenError::Malformed), "{algorithm}");
    }
    let header = r#"{"typ":"JWT"}"#;
    assert_eq!(verify(&sign_jwt(header, &body)), Err(TokenError::Malformed));
}

#[test]
fn an_expired_token_is_refused() {
    for now in [EXPIRES_AT + 1, EXPIRES_AT + 365 * DAY] {
        let verified = token().verify(RUBY_VECTOR, &session(), now);
        assert_eq!(verified, Err(TokenError::Expired));
    }
    let body = json!({
        "iss": KEY.to_string(), "iat": MADE_AT - DAY, "exp": MADE_AT - 1, "session_id": SESSION,
    });
    let written = jwt(&Header::new(Algorithm::HS256), &body);
    assert_eq!(verify(&written), Err(TokenError::Expired));
}

#[test]
fn no_token_lives_longer_than_thirty_days() {
    let expiring = |days: i64| {
        t1(&format!(
            "role=publisher&session_id={SESSION}&create_time={MADE_AT}&nonce=0.1&expire_time={}",
            MADE_AT + days * DAY
        ))
    };
    assert!(verify(&expiring(30)).is_ok());
    let refused = Err(TokenError::BadField("expire_time"));
    assert_eq!(verify(&expiring(31)), refused);
    assert_eq!(verify(&expiring(1_000_000_000)), refused);
}

#[test]
fn a_token_from_the_future_is_refused_beyond_the_skew_of_clocks() {
    let made = |at: i64| {
        t1(&format!(
            "role=publisher&session_id={SESSION}&create_time={at}&nonce=0.1"
        ))
    };
    assert!(verify(&made(MADE_AT + 60)).is_ok());
    let refused = Err(TokenError::BadField("create_time"));
    assert_eq!(verify(&made(MADE_AT + 61)), refused);
    assert_eq!(verify(&made(i64::MAX)), refused);
}

#[test]
fn fields_that_make_no_sense_are_refused() {
    let with = |role: &str, created: &str, data: &str| {
        verify(&t1(&format!(
            "role={role}&session_id={SESSION}&create_time={created}&connection_data={data}"
        )))
    };
    let now = MADE_AT.to_string();
    let bad = |field| Err(TokenError::BadField(field));
    assert_eq!(with("king", &now, ""), bad("role"));
    assert_eq!(with("", &now, ""), bad("role"));
    assert_eq!(with("publisher", "soon", ""), bad("create_time"));
    let long = "%C3%B6".repeat(1024);
    assert!(
        with("publisher", &now, &long).is_ok(),
        "characters count, not bytes"
    );
    assert_eq!(
        with("publisher", &now, &(long + "x")),
        bad("connection_data")
    );
    assert_eq!(
        verify(&t1(&format!("role=publisher&session_id={SESSION}"))),
        bad("create_time")
    );
}

#[test]
fn text_that_is_no_token_is_refused() {
    for text in [
        "",
        "T1==",
        "T1==!!!!",
        "T1==aGVsbG8=",
        "hello",
        "a.b.c",
        "..",
        "T1==Og==",
        RUBY_VECTOR.trim_start_matches("T1=="),
    ] {
        assert_eq!(verify(text), Err(TokenError::Malformed), "{text}");
    }
}

/// A JWT with this very header and body, signed with HS256 whatever it says.
fn sign_jwt(header: &str, body: &str) -> String {
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let message = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(body)
    );
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    let signature = hmac::sign(&key, message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

proptest! {
    #[test]
    fn written_values_are_accepted(
        data in proptest::option::of(".{0,200}"),
        role in prop_oneof![
            Just(Role::Subscriber), Just(Role::Publisher), Just(Role::PublisherOnly), Just(Role::Moderator)
        ],
        lifetime in proptest::option::of(0..30 * DAY),
        nonce in "[0-9a-f.]{0,20}",
    ) {
        let expires_at = lifetime.map(|seconds| MADE_AT + seconds);
        let claims = NewToken { session_id: &session(), role, data: data.as_deref(), expires_at };
        let written = token().generate(&claims, MADE_AT, &nonce);
        let expires_at = expires_at.unwrap_or(MADE_AT + DAY);
        prop_assert_eq!(
            verify(&written),
            Ok(expected(role, data.as_deref().unwrap_or_default(), expires_at))
        );
    }

    #[test]
    fn a_token_with_one_altered_byte_is_refused(place in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let plain = STANDARD.decode(RUBY_VECTOR.trim_start_matches("T1==")).unwrap();
        let place = place.index(plain.len());
        prop_assume!(plain[place] != byte);
        let mut altered = plain;
        // The signature is hex: the other case says the same.
        prop_assume!(!altered[place].eq_ignore_ascii_case(&byte));
        altered[place] = byte;
        let altered = format!("T1=={}", STANDARD.encode(altered));
        prop_assert!(verify(&altered).is_err(), "{}", altered);
    }

    #[test]
    fn a_jwt_with_one_altered_character_is_refused(
        place in any::<prop::sample::Index>(),
        character in "[A-Za-z0-9_-]",
    ) {
        let body = json!({ "iss": KEY.to_string(), "iat": MADE_AT, "session_id": SESSION });
        let written = jwt(&Header::new(Algorithm::HS256), &body);
        // The last character of a part carries bits that mean nothing.
        let place = place.index(written.len() - 1);
        let mut altered = written.clone();
        prop_assume!(!written[place..].starts_with('.') && !written[place + 1..].starts_with('.'));
        altered.replace_range(place..=place, &character);
        prop_assume!(altered != written);
        prop_assert!(verify(&altered).is_err());
    }

    #[test]
    fn arbitrary_text_never_panics(text in ".{0,300}", bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = verify(&text);
        let _ = verify(&format!("T1=={text}"));
        let _ = verify(&format!("T1=={}", STANDARD.encode(bytes)));
    }

    #[test]
    fn arbitrary_fields_never_panic(data in "[a-z_=&%0-9+~.-]{0,200}", time in any::<i64>()) {
        let _ = verify(&t1(&data));
        let fields = format!("session_id={SESSION}&create_time={time}&expire_time={time}&{data}");
        let _ = token().verify(&t1(&fields), &session(), time);
    }
}
