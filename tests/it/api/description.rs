//! The description is complete: it has every route of the API and no other, and every described answer happens.

use std::collections::BTreeSet;

use parlor::{
    archive::{ArchiveId, Status},
    opentok::{ArchiveOptions, OutputMode, Role, StreamMode},
};
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    described::Description,
    world::{KEY, World},
};

/// The routes in the API's table, read from the source.
fn routes_of_the_source() -> BTreeSet<(String, String)> {
    let source = include_str!("../../../src/api/mod.rs");
    let mut found = BTreeSet::new();
    let (_, calls) = source.split_once("fn calls(").unwrap();
    let (calls, _) = calls
        .split_once("/// The features of OpenTok that this server does not offer.")
        .unwrap();
    for route in calls.split("only(").skip(1) {
        let path = route.split('"').nth(1).unwrap();
        for method in ["get", "post", "put", "patch", "delete"] {
            if route.contains(&format!("{method}().to(")) {
                found.insert((method.to_uppercase(), template(path)));
            }
        }
    }
    let (_, refused) = source.split_once("let calls = [").unwrap();
    let (refused, _) = refused.split_once("];").unwrap();
    for path in refused.split("\"/").skip(1) {
        let path = format!("/{}", path.split('"').next().unwrap());
        found.insert(("POST".to_owned(), template(&path.replace("{rest:.*}", ""))));
    }
    let (_, created) = source.split_once("for path in [").unwrap();
    for path in created
        .split(']')
        .next()
        .unwrap()
        .split('"')
        .skip(1)
        .step_by(2)
    {
        found.insert(("POST".to_owned(), path.to_owned()));
    }
    found
}

fn template(path: &str) -> String {
    ["archive", "session", "stream", "connection", "callback"]
        .into_iter()
        .fold(path.to_owned(), |path, noun| {
            path.replace(&format!("{{{noun}}}"), &format!("{{{noun}Id}}"))
        })
}

#[test]
fn the_description_has_every_route_and_no_other() {
    let described: BTreeSet<_> = Description::read().operations().into_iter().collect();
    assert_eq!(described, routes_of_the_source());
}

#[tokio::test]
async fn the_description_is_served_without_credentials() {
    let world = World::start().await;
    let reply = world.http.get(format!("{}/openapi.json", world.url));
    let reply = reply.send().await.unwrap();
    assert_eq!(reply.status(), 200);
    assert_eq!(reply.headers()["content-type"], "application/json");
    let served: Value = serde_json::from_str(&reply.text().await.unwrap()).unwrap();
    assert_eq!(served["openapi"], "3.1.0");
    assert!(served["paths"]["/archive"]["post"].is_object());
    world.server.stop().await;
}

#[tokio::test]
async fn every_described_answer_happens() {
    let world = World::start().await;
    let description = Description::read();
    let ask = async |method: &str, path: &str, body: Value| {
        let method: Method = method.parse().unwrap();
        let reply = world.ask(method, path, &body).await;
        let text = reply.text().await.unwrap();
        serde_json::from_str::<Value>(&text).unwrap_or_default()
    };
    let session = world.session().await;
    let id = session.session_id.as_str().to_owned();
    // Every operation without a signature, and with unknown ids.
    for (method, template) in description.operations() {
        let address = description.address(&template, KEY);
        let address = address
            .replace("{sessionId}", "2_nowhere")
            .replace("{archiveId}", "nothing")
            .replace("{streamId}", "nothing")
            .replace("{connectionId}", "nothing")
            .replace("{callbackId}", "nothing");
        let body = json!({
            "sessionId": "2_nowhere", "action": "stop", "type": "pip", "addStream": "x", "data": "x",
            "active": true, "items": [], "layoutClassList": [],
        });
        let body = if method == "POST" && template.ends_with("signal") {
            json!({ "data": "x" })
        } else {
            body
        };
        let url = format!("{}{address}", world.url);
        let method: Method = method.parse().unwrap();
        let unsigned = world.http.request(method.clone(), url).json(&body);
        assert_eq!(unsigned.send().await.unwrap().status(), 403, "{address}");
        world
            .call(method, &address)
            .json(&body)
            .send()
            .await
            .unwrap();
    }
    for path in ["/session/create", "/hl/session/create"] {
        for form in ["", "location=nowhere", "e2ee=true"] {
            let call = world.call(Method::POST, path).body(form);
            call.header("accept", "application/json")
                .send()
                .await
                .unwrap();
        }
    }

    let mut ann = world.join(&session, Role::Publisher).await;
    let bob = world.join(&session, Role::Publisher).await;
    let stream = ann.publish("").await;
    let of_session = |rest: &str| format!("/session/{id}{rest}");
    for (method, path, bodies) in [
        (
            "POST",
            "/signal",
            vec![
                json!({ "data": "x" }),
                json!({}),
                json!({ "data": "x".repeat(8193) }),
            ],
        ),
        (
            "POST",
            &format!("/connection/{}/signal", ann.id),
            vec![
                json!({ "data": "x" }),
                json!({}),
                json!({ "data": "x".repeat(8193) }),
            ],
        ),
        ("GET", "/connection", vec![Value::Null]),
        ("GET", "/stream", vec![Value::Null]),
        ("GET", &format!("/stream/{stream}"), vec![Value::Null]),
        ("GET", "/stream/nothing", vec![Value::Null]),
        (
            "PUT",
            &format!("/stream/{stream}"),
            vec![json!({ "layoutClassList": ["full"] }), json!({})],
        ),
        (
            "PUT",
            "/stream/nothing",
            vec![json!({ "layoutClassList": ["full"] })],
        ),
        (
            "PUT",
            "/stream",
            vec![
                json!({ "items": [{ "id": stream, "layoutClassList": ["full"] }] }),
                json!({}),
            ],
        ),
        ("POST", &format!("/stream/{stream}/mute"), vec![json!({})]),
        ("POST", "/mute", vec![json!({ "active": false }), json!({})]),
        (
            "DELETE",
            &format!("/connection/{}", bob.id),
            vec![Value::Null],
        ),
    ] {
        for body in bodies {
            ask(method, &of_session(path), body).await;
        }
    }

    ask("GET", "/archive", Value::Null).await;
    ask("GET", "/archive?count=x", Value::Null).await;
    let start = json!({ "sessionId": id });
    ask("POST", "/archive", json!({})).await;
    ask(
        "POST",
        "/archive",
        json!({ "sessionId": id, "hasTranscription": true }),
    )
    .await;
    let archive = ask("POST", "/archive", start.clone()).await;
    ask("POST", "/archive", start).await;
    let path = format!("/archive/{}", archive["id"].as_str().unwrap());
    let manual = ArchiveOptions {
        stream_mode: Some(StreamMode::Manual),
        output_mode: Some(OutputMode::Individual),
        multi_archive_tag: Some("by hand".to_owned()),
        ..ArchiveOptions::default()
    };
    let manual = world
        .sdk
        .archives()
        .start(&session.session_id, &manual)
        .await
        .unwrap();
    let by_hand = format!("/archive/{}", manual.id);
    for (method, path, body) in [
        ("GET", path.clone(), Value::Null),
        ("PUT", format!("{path}/layout"), json!({ "type": "pip" })),
        ("PUT", format!("{path}/layout"), json!({})),
        (
            "PATCH",
            format!("{by_hand}/streams"),
            json!({ "addStream": stream }),
        ),
        ("PATCH", format!("{by_hand}/streams"), json!({})),
        (
            "PATCH",
            format!("{path}/streams"),
            json!({ "addStream": stream }),
        ),
        ("DELETE", path.clone(), Value::Null),
        ("POST", path.clone(), json!({})),
        ("POST", path.clone(), json!({ "action": "stop" })),
        ("POST", path.clone(), json!({ "action": "stop" })),
        ("PUT", format!("{path}/layout"), json!({ "type": "pip" })),
        ("POST", format!("{by_hand}/stop"), json!({})),
        ("POST", format!("{by_hand}/stop"), json!({})),
        (
            "PATCH",
            format!("{by_hand}/streams"),
            json!({ "addStream": stream }),
        ),
    ] {
        ask(method, &path, body).await;
    }
    // No packet arrived.
    let mut changes = world.server.app().archives.subscribe();
    let done = ArchiveId::parse(archive["id"].as_str().unwrap()).unwrap();
    let archives = &world.server.app().archives;
    while archives.find(KEY, done).await.unwrap().unwrap().status != Status::Failed {
        changes.recv().await.unwrap();
    }
    ask("DELETE", &path, Value::Null).await;

    let callback =
        json!({ "group": "stream", "event": "created", "url": "https://receiver.invalid/" });
    let callback = ask("POST", "/callback", callback).await;
    ask("GET", "/callback", Value::Null).await;
    let path = format!("/callback/{}", callback["id"].as_str().unwrap());
    ask("DELETE", &path, Value::Null).await;

    let missing: Vec<_> = description
        .answers()
        .difference(&world.witness.answers())
        .cloned()
        .collect();
    assert!(missing.is_empty(), "{missing:#?}");
    world.server.stop().await;
}
