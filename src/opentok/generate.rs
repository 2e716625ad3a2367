//! Generates tokens for an application's pages, with the rules and the error messages of OpenTok's Ruby SDK.
//!
//! Two defects of its version 2.2.0 are fixed: an expiry as a number of seconds raised an error
//! although its documentation shows it; and an empty session id crashed it instead of being
//! refused.

use serde::Serialize;

use super::{
    Error, NewToken, Role, SessionId,
    credentials::{Credentials, nonce, now},
};

/// The maximum lifetime of a token, in seconds.
const LONGEST_LIFETIME: i64 = 30 * 24 * 60 * 60;

/// The default lifetime of a JWT, in seconds. A T1 token without an expiry gets the same from the
/// server.
const DEFAULT_LIFETIME: i64 = 24 * 60 * 60;

/// Connection data must be shorter than this number of characters.
const DATA_LIMIT: usize = 1000;

/// The options of a new token.
///
/// ```
/// use parlor::opentok::{Role, TokenOptions};
///
/// let options = TokenOptions {
///     role: Role::Moderator,
///     data: Some("name=Johnny".to_owned()),
///     ..TokenOptions::default()
/// };
/// # assert_eq!(options.expire_time, None);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenOptions {
    /// The permissions of the holder.
    pub role: Role,
    /// The expiry for connecting: Unix seconds, from now to 30 days ahead. `None`: 24 hours.
    pub expire_time: Option<i64>,
    /// The application's data about the holder, fewer than 1000 characters. All clients of the
    /// session can read it. OpenTok `connection_data`.
    pub data: Option<String>,
    /// The layout classes that the holder's streams begin with. OpenTok `initial_layout_class_list`.
    pub layout_classes: Vec<String>,
    pub kind: TokenKind,
}

/// The format of a token. Servers accept both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TokenKind {
    /// `T1==…`, OpenTok's own; the only format that old servers accept.
    #[default]
    T1,
    /// A JSON Web Token, which newer SDKs prefer.
    Jwt,
}

impl Credentials {
    /// Generates a token for `session_id`.
    pub(super) fn generate_token(
        &self,
        session_id: &SessionId,
        options: &TokenOptions,
    ) -> Result<String, Error> {
        self.generate_token_at(session_id, options, now(), &nonce())
    }

    fn generate_token_at(
        &self,
        session_id: &SessionId,
        options: &TokenOptions,
        now: i64,
        nonce: &str,
    ) -> Result<String, Error> {
        self.check(session_id, options, now)?;
        let new = NewToken {
            session_id,
            role: options.role,
            data: options.data.as_deref(),
            expires_at: options.expire_time,
        };
        let classes = &options.layout_classes;
        Ok(match options.kind {
            TokenKind::T1 => self
                .token()
                .generate_with_classes(&new, classes, now, nonce),
            TokenKind::Jwt => self.jwt(&JwtClaims {
                iss: self.api_key.to_string(),
                ist: "project",
                iat: now,
                exp: options.expire_time.unwrap_or(now + DEFAULT_LIFETIME),
                nonce,
                role: options.role,
                scope: "session.connect",
                session_id,
                connection_data: new.data,
                initial_layout_class_list: (!classes.is_empty()).then(|| classes.join(" ")),
            }),
        })
    }

    /// Checks in the order of the Ruby SDK. A role is checked when it is parsed.
    fn check(&self, session_id: &SessionId, options: &TokenOptions, now: i64) -> Result<(), Error> {
        let refuse = |sentence: String| Err(Error::Validation(sentence));
        if session_id.api_key() != Some(self.api_key) {
            return refuse(format!(
                "Cannot generate token for a session_id that doesn't belong to api_key: {}",
                self.api_key
            ));
        }
        if let Some(expire_time) = options.expire_time
            && !(now..=now + LONGEST_LIFETIME).contains(&expire_time)
        {
            return refuse("Expire time must be within the next 30 days".to_owned());
        }
        if let Some(data) = &options.data
            && data.chars().count() >= DATA_LIMIT
        {
            return refuse("Connection data must be less than 1000 characters".to_owned());
        }
        Ok(())
    }
}

#[derive(Serialize)]
struct JwtClaims<'a> {
    iss: String,
    ist: &'a str,
    iat: i64,
    exp: i64,
    nonce: &'a str,
    role: Role,
    scope: &'a str,
    session_id: &'a SessionId,
    #[serde(skip_serializing_if = "Option::is_none")]
    connection_data: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    initial_layout_class_list: Option<String>,
}

#[cfg(test)]
mod tests {
    use base64::{Engine, engine::general_purpose::STANDARD};
    use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
    use serde_json::{Value, json};

    use super::*;

    const SECRET: &str = "1234567890abcdef1234567890abcdef1234567890";
    const SESSION: &str =
        "1_MX4xMjM0NTZ-fk1vbiBNYXIgMTcgMDA6NDE6MzEgUERUIDIwMTR-MC42ODM3ODk1MzQ0OTQyODA4fg";
    const NOW: i64 = 1_394_851_200;

    fn generate(options: &TokenOptions) -> Result<String, Error> {
        generate_for(SESSION, options)
    }

    fn generate_for(session: &str, options: &TokenOptions) -> Result<String, Error> {
        Credentials::new("123456", SECRET)
            .unwrap()
            .generate_token_at(&SessionId::from(session), options, NOW, "0.1234567890123")
    }

    /// Returns the signed part of a T1 token.
    fn data_string(token: &str) -> String {
        let plain = STANDARD
            .decode(token.strip_prefix("T1==").unwrap())
            .unwrap();
        let plain = String::from_utf8(plain).unwrap();
        plain.split_once(':').unwrap().1.to_owned()
    }

    /// Made by the Ruby gem 2.2.0 with its clock and its random numbers held fast.
    #[test]
    fn a_t1_token_is_the_gems_byte_for_byte() {
        let token = generate(&TokenOptions {
            role: Role::Moderator,
            expire_time: Some(1_394_854_800),
            data: Some("name=Jöhn ny+&~*(1)".to_owned()),
            ..TokenOptions::default()
        });
        assert_eq!(
            token.unwrap(),
            "T1==cGFydG5lcl9pZD0xMjM0NTYmc2lnPTYwNWVjMzg3OTM2NjJiMjUwYzc2ZGZhODg3ODhlZjBhYWI5YzlkMDg6\
             cm9sZT1tb2RlcmF0b3Imc2Vzc2lvbl9pZD0xX01YNHhNak0wTlRaLWZrMXZiaUJOWVhJZ01UY2dNREE2TkRFNk16\
             RWdVRVJVSURJd01UUi1NQzQyT0RNM09EazFNelEwT1RReU9EQTRmZyZjcmVhdGVfdGltZT0xMzk0ODUxMjAwJm5v\
             bmNlPTAuMTIzNDU2Nzg5MDEyMyZleHBpcmVfdGltZT0xMzk0ODU0ODAwJmNvbm5lY3Rpb25fZGF0YT1uYW1lJTNE\
             SiVDMyVCNmhuK255JTJCJTI2fiUyQSUyODElMjk="
        );
    }

    #[test]
    fn absent_fields_are_not_written() {
        let token = generate(&TokenOptions::default()).unwrap();
        assert_eq!(
            data_string(&token),
            format!("role=publisher&session_id={SESSION}&create_time={NOW}&nonce=0.1234567890123")
        );
    }

    #[test]
    fn layout_classes_stand_last_with_a_plus_between_them() {
        let token = generate(&TokenOptions {
            layout_classes: vec!["focus".to_owned(), "small".to_owned()],
            ..TokenOptions::default()
        });
        assert!(data_string(&token.unwrap()).ends_with("&initial_layout_class_list=focus+small"));
    }

    #[test]
    fn a_jwt_carries_the_same_as_claims() {
        let jwt = generate(&TokenOptions {
            role: Role::Subscriber,
            expire_time: Some(NOW + 60),
            data: Some("Jöhn".to_owned()),
            layout_classes: vec!["focus".to_owned(), "small".to_owned()],
            kind: TokenKind::Jwt,
        })
        .unwrap();
        let mut validation = Validation::new(Algorithm::HS256);
        validation.validate_exp = false;
        let key = DecodingKey::from_secret(SECRET.as_bytes());
        let claims = decode::<Value>(&jwt, &key, &validation).unwrap().claims;

        assert_eq!(
            claims,
            json!({
                "iss": "123456", "ist": "project", "iat": NOW, "exp": NOW + 60,
                "nonce": "0.1234567890123", "role": "subscriber", "scope": "session.connect",
                "session_id": SESSION, "connection_data": "Jöhn",
                "initial_layout_class_list": "focus small",
            })
        );
    }

    #[test]
    fn both_kinds_are_accepted_for_what_they_say() {
        for kind in [TokenKind::T1, TokenKind::Jwt] {
            for role in [
                Role::Subscriber,
                Role::Publisher,
                Role::PublisherOnly,
                Role::Moderator,
            ] {
                let options = TokenOptions {
                    role,
                    data: Some("a b+c%20&d=é\r\n\"".to_owned()),
                    kind,
                    ..TokenOptions::default()
                };
                let token = generate(&options).unwrap();
                let credentials = Credentials::new("123456", SECRET).unwrap();
                let claims = credentials
                    .token()
                    .verify(&token, &SessionId::from(SESSION), NOW)
                    .unwrap();
                assert_eq!((claims.role, Some(claims.data)), (role, options.data));
                assert_eq!(claims.expires_at, NOW + DEFAULT_LIFETIME);
            }
        }
    }

    #[test]
    fn a_word_that_is_no_role_is_named() {
        let error = Error::from("janitor".parse::<Role>().unwrap_err());
        assert!(matches!(error, Error::Validation(_)));
        assert_eq!(error.to_string(), "'janitor' is not a recognized role");
    }

    #[test]
    fn a_session_of_another_key_gets_no_token() {
        let other = SessionId::generate(654_321, "", 0);
        for session in [other.as_str(), "", "SESSIONID", "2_"] {
            let error = generate_for(session, &TokenOptions::default()).unwrap_err();
            assert!(matches!(error, Error::Validation(_)));
            assert_eq!(
                error.to_string(),
                "Cannot generate token for a session_id that doesn't belong to api_key: 123456"
            );
        }
    }

    #[test]
    fn an_expiry_is_between_now_and_thirty_days_ahead_both_included() {
        for (expire_time, accepted) in [
            (0, false),
            (NOW - 1, false),
            (NOW, true),
            (NOW + LONGEST_LIFETIME, true),
            (NOW + LONGEST_LIFETIME + 1, false),
        ] {
            let result = generate(&TokenOptions {
                expire_time: Some(expire_time),
                ..TokenOptions::default()
            });
            assert_eq!(result.is_ok(), accepted, "{expire_time}");
            if let Err(error) = result {
                assert!(matches!(error, Error::Validation(_)));
                assert_eq!(
                    error.to_string(),
                    "Expire time must be within the next 30 days"
                );
            }
        }
    }

    #[test]
    fn data_of_999_characters_is_accepted_and_of_1000_is_not() {
        let with = |data: String| {
            generate(&TokenOptions {
                data: Some(data),
                ..TokenOptions::default()
            })
        };
        assert!(with("é".repeat(999)).is_ok());
        let error = with("é".repeat(1000)).unwrap_err();
        assert!(matches!(error, Error::Validation(_)));
        assert_eq!(
            error.to_string(),
            "Connection data must be less than 1000 characters"
        );
    }
}
