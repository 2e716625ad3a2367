//! Authentication of callers, and its refusals.

use parlor::{
    clock,
    config::Config,
    opentok::{Error, OpenTok, SessionId, SessionOptions},
};
use reqwest::Method;
use serde_json::json;

use super::world::{KEY, OTHER_KEY, SECRET, World, error};

/// Paths of the API, one of each kind.
const ADDRESSES: [(Method, &str); 5] = [
    (Method::GET, "/archive"),
    (Method::POST, "/archive"),
    (Method::GET, "/session/2_x/stream"),
    (Method::POST, "/broadcast"),
    (Method::GET, "/nowhere"),
];

fn jwt(key: u32, secret: &str, exp: i64) -> String {
    let claims = json!({ "iss": key.to_string(), "exp": exp });
    let header = jsonwebtoken::Header::default();
    let key = jsonwebtoken::EncodingKey::from_secret(secret.as_bytes());
    jsonwebtoken::encode(&header, &claims, &key).unwrap()
}

#[tokio::test]
async fn invalid_credentials_are_refused_with_403_everywhere() {
    let world = World::start().await;
    let now = clock::now_s();
    let proofs = [
        ("X-OPENTOK-AUTH", jwt(KEY, "wrong", now + 60)),
        ("X-OPENTOK-AUTH", jwt(KEY, SECRET, now - 120)),
        ("X-OPENTOK-AUTH", jwt(99, SECRET, now + 60)),
        ("X-OPENTOK-AUTH", "no jwt".to_owned()),
        ("X-TB-PARTNER-AUTH", format!("{KEY}:wrong")),
        ("X-TB-PARTNER-AUTH", format!("99:{SECRET}")),
        ("X-TB-PARTNER-AUTH", KEY.to_string()),
        ("X-NOTHING", String::new()),
    ];
    for (name, proof) in &proofs {
        for (method, path) in ADDRESSES {
            let url = format!("{}/v2/project/{KEY}{path}", world.url);
            let call = world.http.request(method, url).header(*name, proof);
            let (code, _) = error(call.send().await.unwrap(), 403).await;
            assert_eq!(code, -1);
        }
        let url = format!("{}/session/create", world.url);
        let call = world.http.post(url).header(*name, proof);
        error(call.send().await.unwrap(), 403).await;
    }

    let stranger = OpenTok::builder(KEY, "wrong").api_url(&world.url);
    let stranger = stranger.build().unwrap();
    let options = SessionOptions::default();
    let refused = stranger.create_session(&options).await.unwrap_err();
    assert!(matches!(refused, Error::Authentication(_)), "{refused}");
    let refused = stranger.streams(&SessionId::from("2_x")).await.unwrap_err();
    assert!(matches!(refused, Error::Authentication(_)), "{refused}");
    world.server.stop().await;
}

#[tokio::test]
async fn both_headers_open_both_prefixes_of_the_own_key_only() {
    let world = World::start().await;
    let good = jwt(KEY, SECRET, clock::now_s() + 60);
    for prefix in ["/v2/project", "/v2/partner"] {
        for (name, proof) in [
            ("X-OPENTOK-AUTH", good.clone()),
            ("X-TB-PARTNER-AUTH", format!("{KEY}:{SECRET}")),
        ] {
            let get = |key: u32| {
                let url = format!("{}{prefix}/{key}/archive?", world.url);
                // One of the SDKs sends this header by mistake.
                let call = world.http.get(url).header("headers", "[object Object]");
                call.header(name, &proof).send()
            };
            let reply = get(KEY).await.unwrap();
            assert_eq!(reply.status(), 200);
            assert_eq!(reply.headers()["content-type"], "application/json");
            error(get(OTHER_KEY).await.unwrap(), 403).await;
        }
    }
    world.server.stop().await;
}

#[tokio::test]
async fn the_header_that_carries_the_secret_can_be_switched_off() {
    let mut config = Config::default();
    config.keys.legacy_auth = false;
    let world = World::with(config).await;
    let reply = world.call(Method::POST, "/session/create").send().await;
    let (_, message) = error(reply.unwrap(), 403).await;
    assert!(message.contains("X-OPENTOK-AUTH"), "{message}");
    world.session().await;
    world.server.stop().await;
}

#[tokio::test]
async fn unknown_paths_and_methods_are_answered_in_json() {
    let world = World::start().await;
    for (method, path, status) in [
        (Method::GET, "/nowhere", 404),
        (Method::GET, "", 404),
        (Method::PUT, "/archive", 405),
        (Method::GET, "/session/2_x/signal", 405),
        (Method::POST, "/broadcast", 501),
        (Method::POST, "/broadcast/1/stop", 501),
        (Method::GET, "/broadcast", 501),
        (Method::PUT, "/archive/storage", 501),
        (Method::DELETE, "/archive/storage", 501),
        (Method::POST, "/dial", 501),
        (Method::POST, "/call", 501),
        (Method::POST, "/session/2_x/play-dtmf", 501),
        (Method::POST, "/session/2_x/connection/1/play-dtmf", 501),
        (Method::POST, "/connect", 501),
        (Method::POST, "/captions", 501),
        (Method::POST, "/captions/1/stop", 501),
        (Method::GET, "/render/1", 501),
        (Method::PUT, "/callback", 405),
        (Method::GET, "/callback/1", 405),
        (Method::GET, "/callback/1/2", 404),
    ] {
        let reply = world.ask(method, path, &json!({})).await;
        error(reply, status).await;
    }
    let reply = world.call(Method::GET, "/session/create").send().await;
    error(reply.unwrap(), 405).await;
    world.server.stop().await;
}
