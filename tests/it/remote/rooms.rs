//! Rooms: their sessions are on the other server, and clients join with tokens that are generated here.

use parlor::{
    config::{Config, PlatformKind},
    opentok::SessionId,
};
use serde_json::json;

use super::world::{KEY, Pair, Tier, on_platform, pages_on, people};
use crate::{
    buddies::world::{Tab, text},
    client::{Part, Participant},
    people::{Visitor, between, until},
};

#[tokio::test(flavor = "multi_thread")]
async fn people_meet_on_the_other_server_and_the_pages_know_who_is_there() {
    let pair = Pair::start().await;
    let guest = pair.web.anonymous();
    let page = guest.get("/participant").await;
    let media = &pair.media.base;
    let policy = text(&json!(
        page.headers()["content-security-policy"].to_str().unwrap()
    ));
    assert!(
        policy.contains(&format!("script-src 'self' {media};")),
        "{policy}"
    );
    assert!(
        policy.contains(&format!("connect-src 'self' ws: wss: {media} ws://")),
        "{policy}"
    );
    let page = page.text().await.unwrap();
    let library = format!(r#""library":"{media}/v2/js/opentok.min.js""#);
    assert!(page.contains(&library), "{page}");
    assert!(page.contains("No one&#39;s here yet."));
    let other = guest.get("/sign-in").await;
    let policy = other.headers()["content-security-policy"].to_str().unwrap();
    assert!(
        !policy.contains(media),
        "only on pages that need it: {policy}"
    );

    for (visitor, is_here) in [(&guest as &Visitor, false), (&Visitor::at(media), true)] {
        let home = visitor.page("/").await;
        assert_eq!(home.contains("Nothing leaves this server"), is_here);
    }

    let pass = guest.pass("main", "Ann").await;
    assert_eq!(pass["apiKey"], KEY.to_string());
    let ann = Participant::enter(media, pass.clone(), Part::Publisher).await;
    let here = Tab::try_open(&pair.web.base, &pass, false).await;
    assert_eq!(here.err().unwrap()["code"], 1005, "it is no session here");
    until(async || people(&guest, "main").await.len() == 1).await;

    // A publisher cannot mute others, a host can.
    let host = pair.web.moderator().await;
    let (_, pass) = host.ask("/rooms/main/host/join", &[("name", "Moni")]).await;
    let mut moni = Tab::open(media, &pass).await;
    let muted = moni
        .ask(json!({ "type": "forceMuteAll", "excludedStreamIds": [] }))
        .await;
    assert!(muted["error"].is_null(), "{muted}");
    moni.close().await;
    drop(ann);
    pair.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_is_deleted_by_who_is_there_now_and_not_by_who_was_a_moment_ago() {
    let pair = Pair::start().await;
    let (sdk, moderator) = (pair.sdk(), pair.web.moderator().await);
    moderator.post("/rooms", &[("name", "Review")]).await;
    let pass = moderator.pass("review", "Ann").await;
    let session = SessionId::from(text(&pass["sessionId"]));
    assert!(people(&moderator, "review").await.is_empty());

    let ann = Tab::open(&pair.media.base, &pass).await;
    let (status, problem) = moderator.ask("/rooms/review/delete", &[]).await;
    assert_eq!(status, 409);
    assert_eq!(problem["cause"], "Someone is still in Review.");
    until(async || !people(&moderator, "review").await.is_empty()).await;

    ann.close().await;
    until(async || sdk.connections(&session).await.unwrap().is_empty()).await;
    let deleted = moderator.post("/rooms/review/delete", &[]).await;
    assert_eq!(deleted.status(), 303);
    assert_eq!(moderator.get("/rooms/review").await.status(), 404);
    pair.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pages_server_has_no_api_and_no_presence_for_kits() {
    let pair = Pair::start().await;
    let visitor = pair.web.anonymous();
    for (method, path) in [
        ("POST", "/session/create"),
        ("GET", "/v2/project/61000001/archive"),
        ("POST", "/v2/partner/61000001/archive"),
        ("GET", "/presence"),
    ] {
        let answer = visitor.request(method, path).send().await.unwrap();
        assert_eq!(answer.status(), 501, "{path}");
        let told: serde_json::Value = answer.json().await.unwrap();
        let message = text(&told["message"]);
        assert!(
            message.contains("another video platform"),
            "{path}: {message}"
        );
    }
    visitor.says_name("Ann").await;
    let (status, told) = visitor.sends("/chats", json!({})).await;
    assert_eq!(status, 501, "{told}");
    pair.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rooms_keep_their_links_when_the_platform_changes() {
    let media = Tier::start(super::world::with_key).await;
    let mut web = Tier::start(|_| {}).await;
    let moderator = web.moderator().await;
    moderator.post("/rooms", &[("name", "Review")]).await;
    let own = moderator.pass("review", "Moni").await;
    let main = moderator.pass("main", "Moni").await;

    web.stop().await;
    web.start_again(|config| on_platform(config, &media.base))
        .await;
    let moderator = web.moderator().await;
    let there = moderator.pass("review", "Moni").await;
    assert_ne!(there["sessionId"], own["sessionId"]);
    assert_ne!(
        moderator.pass("main", "Moni").await["sessionId"],
        main["sessionId"]
    );
    Tab::open(&media.base, &there).await.close().await;
    let again = moderator.pass("review", "Moni").await;
    assert_eq!(again["sessionId"], there["sessionId"]);
    assert!(moderator.page("/").await.contains("Review"));

    // And back: sessions of the other server are refused here.
    web.stop().await;
    web.start_again(|config| {
        config.platform.kind = PlatformKind::Embedded;
        config.keys = Config::default().keys;
    })
    .await;
    let moderator = web.moderator().await;
    let back = moderator.pass("review", "Moni").await;
    assert_ne!(back["sessionId"], there["sessionId"]);
    assert_eq!(back["apiKey"], own["apiKey"]);
    Tab::open(&web.base, &back).await.close().await;
    let refused = Tab::try_open(&web.base, &there, false).await;
    assert_eq!(refused.err().unwrap()["code"], 1005);
    web.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rooms_work_with_another_key_of_the_same_server() {
    let mut web = Tier::start(super::world::with_key).await;
    let before = web.anonymous().pass("main", "Ann").await;
    web.stop().await;
    web.start_again(|config| config.keys.api_key = Some(KEY + 1))
        .await;
    let after = web.anonymous().pass("main", "Ann").await;
    assert_ne!(after["sessionId"], before["sessionId"]);
    Tab::open(&web.base, &after).await.close().await;
    web.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_goes_on_while_the_pages_server_restarts() {
    let mut pair = Pair::start().await;
    let mut ann = pair.publisher("main", "Ann").await;
    pair.web.stop().await;
    pair.web.start_again(|_| {}).await;
    let guest = pair.web.anonymous();
    assert_eq!(people(&guest, "main").await.len(), 1);
    assert_eq!(ann.closed(), None);
    // Clients in the call notice a restart of the other server.
    pair.media.stop().await;
    ann.until(|diary| diary.closed.is_some()).await;
    pair.media.start_again(|_| {}).await;
    let ann = pair.publisher("main", "Ann").await;
    drop(ann);
    pair.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_room_is_made_once_the_platform_is_there() {
    let mut media = Tier::start(super::world::with_key).await;
    media.stop().await;
    let mut web = pages_on(&media.base).await;
    let moderator = web.moderator().await;
    assert!(moderator.page("/").await.contains("Sign out"));
    assert_eq!(moderator.get("/host").await.status(), 503);
    media.start_again(|_| {}).await;
    let page = moderator.page("/host").await;
    let boot = between(&page, r#"<script type="application/json" id="boot">"#, '<');
    assert!(boot.contains(r#""isHost":true"#), "{boot}");
    web.stop().await;
    media.stop().await;
}
