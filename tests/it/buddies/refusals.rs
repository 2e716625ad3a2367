//! What is refused, with which status and sentence; and that nothing comes of it.

use serde_json::{Value, json};

use super::world::{Buddy, text};
use crate::people::Parlor;

const NOBODY: &str = "6f0b8f36-4d55-4a62-8a5e-0d7f3c1d2e3f";

#[tokio::test(flavor = "multi_thread")]
async fn who_has_no_name_is_told_to_say_it() {
    let parlor = Parlor::start().await;
    let visitor = parlor.anonymous();
    for path in ["/buddies/roster", "/buddies/mine", "/chats?sessionId=x"] {
        let (status, answer) = visitor.asks(path).await;
        assert_eq!(status, 401, "{path}");
        assert!(text(&answer["message"]).contains("/buddies"));
    }
    for path in [
        "/chats",
        "/invitations",
        "/invitations/x/accept",
        "/invitations/x/decline",
        "/invitations/x/cancel",
        "/chats/x/end",
        "/chats/x/recording",
        "/buddies/availability",
        "/buddies/missed/forget",
    ] {
        assert_eq!(visitor.sends(path, json!({})).await.0, 401, "{path}");
    }
    parlor.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_json_from_this_site_changes_anything() {
    let parlor = Parlor::start().await;
    let ann = Buddy::at(&parlor.base, "Ann").await;
    let body = json!({ "availability": "doNotDisturb" }).to_string();
    let request = || {
        ann.request("POST", "/buddies/availability")
            .body(body.clone())
    };
    let json_type = ("content-type", "application/json; charset=utf-8");
    let own = parlor.base.clone();
    let cases: &[(&[(&str, &str)], u16)] = &[
        (&[], 415),
        (&[("content-type", "text/plain")], 415),
        (
            &[("content-type", "application/x-www-form-urlencoded")],
            415,
        ),
        (&[json_type, ("origin", "https://evil.example")], 403),
        (&[json_type, ("origin", "null")], 403),
        (&[json_type, ("sec-fetch-site", "cross-site")], 403),
        (
            &[json_type, ("sec-fetch-site", "same-site"), ("origin", &own)],
            403,
        ),
        (&[json_type, ("sec-fetch-site", "same-origin")], 204),
        (&[json_type, ("origin", &own)], 204),
        (&[json_type], 204),
    ];
    for (headers, expected) in cases {
        let mut request = request();
        for (name, value) in *headers {
            request = request.header(*name, *value);
        }
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status().as_u16(), *expected, "{headers:?}");
        let chosen = ann.mine().await["availability"].clone();
        if *expected != 204 {
            assert_eq!(chosen, "available", "{headers:?}");
        }
    }
    parlor.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_is_refused_and_changes_nothing() {
    let parlor = Parlor::start().await;
    let ann = Buddy::at(&parlor.base, "Ann").await;
    let bob = Buddy::at(&parlor.base, "Bob").await;
    let before = ann.mine().await;
    let long = "x".repeat(20_000);
    for (path, body, expected) in [
        ("/invitations", json!({}), 400),
        ("/invitations", json!({ "to": "bob" }), 400),
        ("/invitations", json!({ "to": bob.user, "tab": "x" }), 400),
        (
            "/invitations",
            json!({ "to": ann.user, "tab": ann.tab.id }),
            400,
        ),
        ("/invitations", json!({ "to": NOBODY }), 404),
        ("/invitations/x/accept", json!({}), 404),
        (
            "/invitations/6f0b8f36-4d55-4a62-8a5e-0d7f3c1d2e3f/accept",
            json!({}),
            404,
        ),
        (
            "/invitations/6f0b8f36-4d55-4a62-8a5e-0d7f3c1d2e3f/cancel",
            json!({}),
            404,
        ),
        ("/chats/2_none/end", json!({}), 404),
        ("/chats/2_none/recording", json!({ "action": "ask" }), 404),
        ("/chats/2_none/recording", json!({}), 400),
        (
            "/buddies/availability",
            json!({ "availability": "asleep" }),
            400,
        ),
        ("/buddies/missed/forget", json!({ "from": 7 }), 400),
        ("/users", json!({ "name": long }), 413),
    ] {
        let (status, answer) = ann.sends(path, body.clone()).await;
        assert_eq!(status, expected, "{path} {answer}");
        assert!(!text(&answer["message"]).is_empty(), "{path}");
    }
    assert_eq!(ann.asks("/chats?sessionId=2_none").await.0, 404);
    assert_eq!(ann.asks("/chats").await.0, 404);
    let (_, presence) = ann.asks("/presence").await;
    let presence = text(&presence["sessionId"]);
    assert_eq!(
        ann.asks(&format!("/chats?sessionId={presence}")).await.0,
        404
    );
    assert_eq!(ann.mine().await, before);
    assert_eq!(bob.mine().await["incoming"], json!([]));
    parlor.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_connected_calls_nobody() {
    let parlor = Parlor::start().await;
    let ann = Buddy::at(&parlor.base, "Ann").await;
    let visitor = parlor.anonymous();
    visitor.says_name("Bob").await;
    let invite = json!({ "to": ann.user });
    assert_eq!(visitor.sends("/invitations", invite).await.0, 409);
    assert_eq!(visitor.sends("/chats", json!({})).await.0, 409);
    assert_eq!(visitor.asks("/buddies/mine").await.0, 404);
    let choice = json!({ "availability": "invisible" });
    assert_eq!(visitor.sends("/buddies/availability", choice).await.0, 404);
    parlor.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_invitations_is_told_when_to_try_again() {
    let parlor = Parlor::start().await;
    let ann = Buddy::at(&parlor.base, "Ann").await;
    let bob = Buddy::at(&parlor.base, "Bob").await;
    let flood = async || {
        for _ in 0..30 {
            let invite = json!({ "to": bob.user, "tab": ann.tab.id });
            let request = ann.request("POST", "/invitations").json(&invite);
            let answer = request.send().await.unwrap();
            if answer.status().as_u16() == 429 {
                let seconds = answer.headers()["retry-after"].to_str().unwrap();
                let seconds: u64 = seconds.parse().unwrap();
                let told: Value = answer.json().await.unwrap();
                return Some((seconds, told));
            }
            let answer: Value = answer.json().await.unwrap();
            ann.cancels(&text(&answer["invitation"])).await;
        }
        None
    };
    let mut in_the_kits_way = 0;
    // A limit that is about to end may have ended by the next request, but not each time.
    for _ in 0..5 {
        let (seconds, told) = flood().await.expect("a limit");
        assert!((1..=4).contains(&seconds), "{seconds}");
        assert!(text(&told["message"]).contains("too often"));
        in_the_kits_way = ann.sends("/chats", json!({})).await.0;
        if in_the_kits_way == 429 {
            break;
        }
    }
    assert_eq!(in_the_kits_way, 429);
    assert_eq!(bob.invites(&ann).await.0, 200, "others may");
    parlor.server.stop().await;
}
