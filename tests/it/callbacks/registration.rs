//! Who says what is posted where: applications by the API, operators by the command line.

use parlor::{
    callback::{self, Topic},
    clock,
    opentok::{Role, SessionOptions},
};
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    delivery::{listen, listening},
    receiver::{Delivery, Receiver},
};
use crate::{
    api::world::{KEY, OTHER_KEY, OTHER_SECRET, SECRET, World, error},
    process::Process,
};

/// `parlor keys callback` with the key of the pages.
fn words<'a>(data: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    // `KEY`, as it is typed.
    [&["keys", "callback", "--data", data, "123456"], more].concat()
}

async fn list(world: &World) -> Value {
    let reply = world.ask(Method::GET, "/callback", &Value::Null).await;
    assert_eq!(reply.status(), 200);
    reply.json().await.unwrap()
}

#[tokio::test]
async fn callbacks_are_registered_moved_listed_and_ended() {
    let world = World::start().await;
    assert_eq!(list(&world).await, json!([]));
    let mut made = Vec::new();
    for (group, event) in [
        ("archive", "status"),
        ("session", "created"),
        ("session", "destroyed"),
        ("connection", "created"),
        ("connection", "destroyed"),
        ("stream", "created"),
        ("stream", "destroyed"),
    ] {
        let url = format!("https://receiver.invalid/{group}?{event}");
        let body = json!({ "group": group, "event": event, "url": url, "more": 1 });
        let before = clock::now_ms();
        let reply = world.ask(Method::POST, "/callback", &body).await;
        assert_eq!(reply.status(), 200);
        let callback: Value = reply.json().await.unwrap();
        let at = callback["createdAt"].as_i64().unwrap();
        assert!((before..=clock::now_ms()).contains(&at));
        assert_eq!(
            callback,
            json!({ "id": callback["id"], "group": group, "event": event, "url": url, "createdAt": at })
        );
        made.push(callback);
    }
    assert_eq!(list(&world).await, json!(made));
    // By its older name, too.
    let partner = world.call(Method::GET, &format!("/v2/partner/{KEY}/callback"));
    let partner: Value = partner.send().await.unwrap().json().await.unwrap();
    assert_eq!(partner, json!(made));

    let body = json!({ "group": "archive", "event": "status", "url": "https://elsewhere.invalid" });
    let moved = world.ask(Method::POST, "/callback", &body).await;
    let moved: Value = moved.json().await.unwrap();
    made[0]["url"] = json!("https://elsewhere.invalid");
    assert_eq!(moved, made[0]);
    assert_eq!(list(&world).await, json!(made));

    let path = |callback: &Value| format!("/callback/{}", callback["id"].as_str().unwrap());
    let url = format!("{}/v2/project/{OTHER_KEY}{}", world.url, path(&made[1]));
    let stolen = world.http.delete(url);
    let stolen = stolen.header("X-TB-PARTNER-AUTH", format!("{OTHER_KEY}:{OTHER_SECRET}"));
    error(stolen.send().await.unwrap(), 404).await;
    let removed = made.remove(1);
    let reply = world
        .ask(Method::DELETE, &path(&removed), &Value::Null)
        .await;
    assert_eq!(reply.status(), 204);
    assert_eq!(reply.bytes().await.unwrap().len(), 0);
    let again = world
        .ask(Method::DELETE, &path(&removed), &Value::Null)
        .await;
    error(again, 404).await;
    assert_eq!(list(&world).await, json!(made));
    world.server.stop().await;
}

#[tokio::test]
async fn what_cannot_be_registered_is_refused_with_a_sentence() {
    let world = World::start().await;
    let good = json!({ "group": "stream", "event": "created", "url": "https://receiver.invalid/" });
    let with = |name: &str, value: Value| {
        let mut body = good.clone();
        body[name] = value;
        body
    };
    for (body, sentence) in [
        (json!({}), "one of these pairs"),
        (Value::Null, "one of these pairs"),
        (with("group", json!("broadcast")), "archive status"),
        (with("event", json!("status")), "stream created"),
        (with("event", json!(null)), "stream created"),
        (with("group", json!(5)), "not valid"),
        (with("url", json!(null)), "http or https"),
        (with("url", json!("receiver.invalid")), "http or https"),
        (
            with("url", json!("ftp://receiver.invalid/")),
            "http or https",
        ),
        (
            with("url", json!("https://ann:secret@receiver.invalid/")),
            "a name and a password",
        ),
        (
            with(
                "url",
                json!(format!("https://receiver.invalid/{}", "x".repeat(2048))),
            ),
            "2048 characters",
        ),
        (
            with("url", json!("http://127.0.0.1:8080/")),
            "--callback-allow-private",
        ),
        (
            with("url", json!("http://localhost:8080/")),
            "--callback-allow-private",
        ),
        (
            with("url", json!("http://[::ffff:10.0.0.1]/")),
            "--callback-allow-private",
        ),
        (
            with("url", json!("http://169.254.169.254/latest")),
            "not on the public internet",
        ),
    ] {
        let reply = world.ask(Method::POST, "/callback", &body).await;
        let (_, message) = error(reply, 400).await;
        assert!(message.contains(sentence), "{body}: {message}");
    }
    let unsigned = world
        .http
        .post(format!("{}/v2/project/{KEY}/callback", world.url));
    error(unsigned.json(&good).send().await.unwrap(), 403).await;
    assert_eq!(list(&world).await, json!([]));
    world.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_sends_all_events_of_a_key_to_one_address_and_ends_it() {
    let world = World::with(listening()).await;
    let (receiver, others) = (Receiver::start(), Receiver::start());
    listen(&world, OTHER_KEY, &[Topic::ConnectionCreated], &others).await;
    let data = world.server.app().data.path().to_owned();
    let data = data.to_str().unwrap();
    let (code, told) = Process::fail(&words(data, &[&receiver.url]));
    assert!(
        code != 0 && told.contains("--callback-allow-private"),
        "{told}"
    );
    let (code, told) = Process::fail(&words(data, &["receiver.invalid"]));
    assert!(code != 0 && told.contains("http or https"), "{told}");
    let unknown = [
        "keys",
        "callback",
        "--data",
        data,
        "5",
        "https://receiver.invalid/",
    ];
    let (code, told) = Process::fail(&unknown);
    assert!(code != 0 && told.contains("there is no key 5"), "{told}");
    assert_eq!(Process::output_of(&words(data, &[])), "");

    let told = Process::output_of(&words(data, &[&receiver.url, "--callback-allow-private"]));
    assert!(
        told.contains(&receiver.url) && !told.contains(SECRET),
        "{told}"
    );
    let listed = Process::output_of(&words(data, &[]));
    assert_eq!(listed.lines().count(), Topic::ALL.len());
    assert!(listed.contains(&format!("archive status {}\n", receiver.url)));

    // It counts at once.
    let session = world
        .sdk
        .create_session(&SessionOptions::default())
        .await
        .unwrap();
    let ann = world.join(&session, Role::Publisher).await;
    receiver.until_taken("connectionCreated").await;
    Process::output_of(&words(data, &["--off"]));
    assert_eq!(
        callback::list(world.server.app().db(), KEY).await.unwrap(),
        []
    );
    let before = receiver.heard().len();
    ann.leave().await;
    // What happened before this in other sessions was looked at before it.
    let theirs = SessionOptions::default();
    let theirs = world.other.create_session(&theirs).await.unwrap();
    let _cid = world.join(&theirs, Role::Publisher).await;
    others.until_taken("connectionCreated").await;
    let told = Process::output_of(&words(
        data,
        &[&receiver.url, "--callback-allow-private=true"],
    ));
    assert!(told.contains("signed"), "{told}");
    let _bob = world.join(&session, Role::Publisher).await;
    let heard = receiver.until(|heard| heard.len() > before + 1).await;
    let events: Vec<_> = heard.iter().map(Delivery::event).collect();
    let nobody_left = ["sessionCreated", "connectionCreated"];
    assert_eq!(events[before..], nobody_left, "{events:?}");
    world.server.stop().await;
}
