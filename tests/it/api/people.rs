//! Connections, streams, signals, muting.

use parlor::opentok::{Role, SessionId, Signal};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::world::{KEY, SECRET, World, error};

/// A stream id that does not exist.
const NO_STREAM: &str = "00000000-0000-4000-8000-000000000000";

fn signal(kind: Option<&str>, data: &str) -> Signal {
    Signal {
        kind: kind.map(str::to_owned),
        data: data.to_owned(),
    }
}

#[tokio::test]
async fn connections_are_listed_and_disconnected() {
    let world = World::start().await;
    let session = world.session().await;
    let id = &session.session_id;
    assert!(world.sdk.connections(id).await.unwrap().is_empty());

    let mut ann = world.join(&session, Role::Publisher).await;
    let mut bob = world.join(&session, Role::Publisher).await;
    let people = world.sdk.connections(id).await.unwrap();
    let ids: Vec<_> = people.iter().map(|p| p.connection_id.as_str()).collect();
    assert_eq!(ids, [&ann.id, &bob.id]);
    let path = format!("/session/{id}/connection");
    let reply = world.ask(Method::GET, &path, &Value::Null).await;
    let body: Value = serde_json::from_str(&reply.text().await.unwrap()).unwrap();
    assert_eq!(
        (&body["count"], &body["sessionId"]),
        (&json!(2), &json!(id))
    );
    assert_eq!(body["items"][0]["connectionState"], "Connected");
    assert!(body["items"][0]["createdAt"].is_string());

    world.sdk.force_disconnect(id, &bob.id).await.unwrap();
    let over = bob.event("disconnected").await;
    assert_eq!(over["reason"], "forceDisconnected");
    let gone = ann.event("connectionDestroyed").await;
    assert_eq!(gone["connectionId"], *bob.id);
    assert_eq!(gone["reason"], "forceDisconnected");

    for who in [bob.id.as_str(), "nobody"] {
        let refused = world.sdk.force_disconnect(id, who).await.unwrap_err();
        assert_eq!(refused.status(), Some(404));
    }
    world.server.stop().await;
}

#[tokio::test]
async fn signals_reach_all_or_one_and_have_no_sender() {
    let world = World::start().await;
    let session = world.session().await;
    let id = &session.session_id;
    let mut ann = world.join(&session, Role::Publisher).await;
    let mut bob = world.join(&session, Role::Subscriber).await;

    let hello = signal(Some("chat"), "hello");
    world.sdk.signal(id, &hello).await.unwrap();
    for client in [&mut ann, &mut bob] {
        let heard = client.event("signal").await;
        assert_eq!(
            (&heard["signalType"], &heard["data"]),
            (&json!("chat"), &json!("hello"))
        );
        assert!(heard["from"].is_null());
    }
    let quiet = signal(None, "to bob alone");
    world
        .sdk
        .signal_connection(id, &bob.id, &quiet)
        .await
        .unwrap();
    world.sdk.signal(id, &hello).await.unwrap();
    assert_eq!(bob.event("signal").await["data"], "to bob alone");
    assert_eq!(ann.event("signal").await["data"], "hello");

    let path = format!("/session/{id}/signal");
    let reply = world
        .ask(Method::POST, &path, &json!({ "data": "x" }))
        .await;
    assert_eq!(reply.status(), StatusCode::NO_CONTENT);
    assert_eq!(reply.bytes().await.unwrap().len(), 0);
    world.server.stop().await;
}

#[tokio::test]
async fn invalid_signals_are_refused() {
    let world = World::start().await;
    let session = world.session().await;
    let id = &session.session_id;
    let path = format!("/session/{id}/signal");
    let send = async |body: Value| world.ask(Method::POST, &path, &body).await;

    let (_, message) = error(send(json!({ "data": "x" })).await, 404).await;
    assert_eq!(
        message,
        "Not found. No clients are actively connected to the OpenTok session."
    );
    let ann = world.join(&session, Role::Publisher).await;
    for body in [
        json!({}),
        json!({ "type": "chat", "data": null }),
        Value::Null,
    ] {
        assert_eq!(error(send(body).await, 400).await.0, 15202);
    }
    error(send(json!({ "data": 5 })).await, 400).await;
    error(send(json!({ "data": "x", "type": "no blanks" })).await, 400).await;
    error(send(json!({ "data": "x".repeat(8193) })).await, 413).await;
    let most = send(json!({ "data": "\"".repeat(8192) })).await;
    assert_eq!(most.status().as_u16(), 204);
    let long_type = json!({ "data": "x", "type": "x".repeat(129) });
    error(send(long_type).await, 413).await;
    let huge = json!({ "data": "x".repeat(300_000) });
    error(send(huge).await, 413).await;

    let nobody = "00000000-0000-4000-8000-000000000000";
    let x = signal(None, "x");
    for who in [nobody, "nobody"] {
        let refused = world.sdk.signal_connection(id, who, &x).await.unwrap_err();
        assert_eq!(refused.status(), Some(404));
    }
    let unknown = SessionId::from("2_unknown");
    let refused = world.sdk.signal(&unknown, &x).await.unwrap_err();
    assert_eq!(refused.status(), Some(404));
    ann.leave().await;
    world.server.stop().await;
}

#[tokio::test]
async fn streams_are_listed_and_muted() {
    let world = World::start().await;
    let session = world.session().await;
    let id = &session.session_id;
    let mut ann = world.join(&session, Role::Publisher).await;
    let mut bob = world.join(&session, Role::Publisher).await;
    assert!(world.sdk.streams(id).await.unwrap().is_empty());
    let refused = world.sdk.stream(id, NO_STREAM).await.unwrap_err();
    assert_eq!(refused.status(), Some(404), "the session has no streams");
    let of_ann = ann.publish("Ann's camera").await;
    let of_bob = bob.publish("").await;

    let streams = world.sdk.streams(id).await.unwrap();
    assert_eq!(streams.len(), 2);
    assert_eq!(streams[0].name, "Ann's camera");
    assert_eq!(streams[0].video_type, "camera");
    assert_eq!(world.sdk.stream(id, &of_ann).await.unwrap(), streams[0]);
    let path = format!("/session/{id}/stream/{of_bob}");
    let reply = world.ask(Method::GET, &path, &Value::Null).await;
    let body: Value = serde_json::from_str(&reply.text().await.unwrap()).unwrap();
    assert_eq!(
        body,
        json!({ "id": of_bob, "videoType": "camera", "name": "", "layoutClassList": [] })
    );

    // For a single stream, OpenTok's SDK for Node fails with the usual content type.
    for (path, kind) in [
        (path, "text/json"),
        (format!("/session/{id}/stream"), "application/json"),
    ] {
        let call = world.call(Method::GET, &format!("/v2/project/{KEY}{path}"));
        let call = call.header("User-Agent", "OpenTok-Node-SDK/2.23.2");
        let reply = call.send().await.unwrap();
        assert_eq!(reply.headers()["content-type"], kind);
    }

    let project = world.sdk.force_mute_stream(id, &of_ann).await.unwrap();
    assert_eq!(
        (project.status.as_str(), project.environment.as_str()),
        ("ACTIVE", "standard")
    );
    assert!(project.created_at > 0);
    assert_eq!(ann.event("streamMuted").await["streamId"], *of_ann);
    let changed = bob.event("streamChanged").await;
    assert_eq!(changed["stream"]["hasAudio"], false);

    for no_stream in ["nothing", NO_STREAM] {
        let refused = world.sdk.stream(id, no_stream).await.unwrap_err();
        assert_eq!(
            refused.status(),
            Some(408),
            "it has streams, but not this one"
        );
        let refused = world.sdk.force_mute_stream(id, no_stream).await;
        assert_eq!(refused.unwrap_err().status(), Some(404));
    }
    world.server.stop().await;
}

#[tokio::test]
async fn all_are_muted_but_the_excluded_and_later_ones_until_it_ends() {
    let world = World::start().await;
    let session = world.session().await;
    let id = &session.session_id;
    let path = format!("/session/{id}/mute");
    let mute = async |body: Value| world.ask(Method::POST, &path, &body).await;
    // No client is connected.
    error(mute(json!({ "active": true })).await, 404).await;

    let mut ann = world.join(&session, Role::Publisher).await;
    let mut bob = world.join(&session, Role::Publisher).await;
    let of_ann = ann.publish("").await;
    let of_bob = bob.publish("").await;
    world.sdk.force_mute_all(id, &[&of_ann]).await.unwrap();
    assert_eq!(bob.event("streamMuted").await["streamId"], *of_bob);
    assert_eq!(ann.event("muteForced").await["active"], true);
    let mut cid = world.join(&session, Role::Publisher).await;
    let later = cid.publish("").await;
    assert_eq!(cid.event("streamMuted").await["streamId"], *later);
    world.sdk.disable_force_mute(id).await.unwrap();
    assert_eq!(ann.event("muteForced").await["active"], false);

    // One of the SDKs sends text.
    let reply = mute(json!({ "active": "true", "excludedStreams": null })).await;
    assert_eq!(reply.status(), 200);
    assert_eq!(ann.event("streamMuted").await["streamId"], *of_ann);
    assert_eq!(mute(json!({ "active": "false" })).await.status(), 200);
    error(mute(json!({})).await, 400).await;
    error(mute(json!({ "active": "maybe" })).await, 400).await;
    world.server.stop().await;
}

#[tokio::test]
async fn a_project_has_no_access_to_the_sessions_of_another() {
    let world = World::start().await;
    let session = world.session().await;
    let id = &session.session_id;
    let mut ann = world.join(&session, Role::Publisher).await;
    let stream = ann.publish("").await;

    let other = &world.other;
    let hello = signal(None, "hello");
    let outcomes = [
        other.connections(id).await.err(),
        other.streams(id).await.err(),
        other.stream(id, &stream).await.err(),
        other.signal(id, &hello).await.err(),
        other.signal_connection(id, &ann.id, &hello).await.err(),
        other.force_disconnect(id, &ann.id).await.err(),
        other.force_mute_stream(id, &stream).await.err(),
        other.force_mute_all(id, &[]).await.err(),
        other.disable_force_mute(id).await.err(),
        other.archives().start(id, &Default::default()).await.err(),
    ];
    for outcome in outcomes {
        assert_eq!(outcome.unwrap().status(), Some(404));
    }
    // This is the first event that reaches the client.
    let marker = signal(Some("marker"), "");
    world.sdk.signal(id, &marker).await.unwrap();
    assert_eq!(ann.event("signal").await["signalType"], "marker");
    assert_eq!(world.sdk.streams(id).await.unwrap().len(), 1);
    let url = format!("{}/v2/project/{KEY}/session/{id}/stream", world.url);
    let auth = format!("{}:{}", super::world::OTHER_KEY, super::world::OTHER_SECRET);
    let call = world.http.get(url).header("X-TB-PARTNER-AUTH", auth);
    error(call.send().await.unwrap(), 403).await;
    world.server.stop().await;
}

#[tokio::test]
async fn a_slash_at_the_end_of_a_path_changes_nothing() {
    let world = World::start().await;
    let session = world.session().await;
    let _ann = world.join(&session, Role::Publisher).await;
    let id = &session.session_id;
    let base = format!("http://{}", world.server.addr());
    for path in [
        format!("/v2/project/{KEY}/session/{id}/stream"),
        format!("/v2/project/{KEY}/session/{id}/connection"),
        "/openapi.json".to_owned(),
        "/buddies".to_owned(),
        "/nowhere/at-all".to_owned(),
    ] {
        let mut answers = Vec::new();
        for slash in ["", "/"] {
            let call = world.http.get(format!("{base}{path}{slash}"));
            let call = call.header("X-TB-PARTNER-AUTH", format!("{KEY}:{SECRET}"));
            let reply = call.send().await.unwrap();
            let kind = reply.headers()["content-type"].clone();
            answers.push((reply.status(), kind));
        }
        assert_eq!(answers[0], answers[1], "{path}");
        let status = if path.starts_with("/nowhere") {
            404
        } else {
            200
        };
        assert_eq!(answers[0].0, status, "{path}");
    }
    world.server.stop().await;
}
