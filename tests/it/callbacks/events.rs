//! What is told of a meeting and of its archive, and to whom.

use parlor::{
    callback::Topic,
    clock,
    opentok::{ArchiveOptions, Role},
};
use serde_json::{Value, json};

use super::{
    delivery::{listen, listening, meter, until_meter},
    receiver::{Delivery, Receiver},
};
use crate::api::{
    described::Description,
    world::{KEY, OTHER_KEY, OTHER_SECRET, SECRET, World},
};

/// The bodies of those that are of archives, or of the others.
fn bodies(heard: &[Delivery], of_archives: bool) -> Vec<Value> {
    let wanted = heard
        .iter()
        .filter(|d| d.taken && (d.event() == "archive") == of_archives);
    wanted.map(|d| d.body.clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_meeting_of_two_and_its_archive_are_told_to_their_project_alone() {
    let world = World::with(listening()).await;
    let (receiver, others) = (Receiver::start(), Receiver::start());
    listen(&world, KEY, &Topic::ALL, &receiver).await;
    listen(&world, OTHER_KEY, &Topic::ALL, &others).await;
    let begun = clock::now_ms();
    let session = world.session().await;
    let id = &session.session_id;
    let mut ann = world.publisher(&session, "data of \"Ann\"").await;
    let bob = world.publisher(&session, "").await;
    let [of_ann, of_bob]: [_; 2] = world.sdk.connections(id).await.unwrap().try_into().unwrap();
    let streams = world.sdk.streams(id).await.unwrap();

    let archives = world.sdk.archives();
    let talk = ArchiveOptions {
        name: Some("Talk".to_owned()),
        ..ArchiveOptions::default()
    };
    let started = archives.start(id, &talk).await.unwrap();
    let before = ann.sent().len();
    ann.until(|diary| diary.sent.len() > before + 80).await;
    let stopped = archives.stop(&started.id).await.unwrap();
    let heard = receiver
        .until(|heard| {
            heard
                .iter()
                .any(|d| d.taken && d.body["status"] == "available")
        })
        .await;
    let available = archives.find(&started.id).await.unwrap();

    let told = bodies(&heard, true);
    let mut as_the_api_says =
        [&started, &stopped, &available].map(|archive| serde_json::to_value(archive).unwrap());
    // A new link each time, and it is good.
    let link = told[2]["url"].as_str().unwrap();
    as_the_api_says[2]["url"] = link.into();
    assert_eq!(told, as_the_api_says);
    let file = world.http.get(link).send().await.unwrap();
    assert_eq!(file.status(), 200);
    assert_eq!(file.content_length().unwrap(), available.size);
    for archive in &told {
        assert_eq!(
            (&archive["event"], &archive["projectId"]),
            (&json!("archive"), &json!(KEY))
        );
    }

    drop(ann.leave());
    receiver.until_taken("connectionDestroyed").await;
    world
        .sdk
        .force_disconnect(id, &of_bob.connection_id)
        .await
        .unwrap();
    let heard = receiver.until_taken("sessionDestroyed").await;
    drop(bob.leave());
    let told = bodies(&heard, false);
    let event = |place: usize, event: &str, more: Value| {
        let at = told[place]["timestamp"].as_i64().unwrap();
        assert!((begun..=clock::now_ms()).contains(&at));
        let mut body = json!({
            "sessionId": id, "projectId": KEY.to_string(), "event": event, "timestamp": at,
        });
        let Value::Object(more) = more else {
            panic!("{more}")
        };
        body.as_object_mut().unwrap().extend(more);
        body
    };
    let person = |place: usize, data: &str| {
        let known = [&of_ann, &of_bob][place];
        let at: i64 = known.created_at;
        json!({ "id": known.connection_id, "createdAt": at, "data": data })
    };
    let (ann, bob) = (person(0, "data of \"Ann\""), person(1, ""));
    let camera = |place: usize, connection: &Value| {
        let stream = &streams[place];
        let created = told
            .iter()
            .find(|b| b["stream"]["id"] == *stream.id)
            .unwrap();
        let at = created["stream"]["createdAt"].as_i64().unwrap();
        assert!((begun..=clock::now_ms()).contains(&at));
        json!({
            "id": stream.id, "connection": connection, "createdAt": at, "name": stream.name, "videoType": "camera",
        })
    };
    let (cam_ann, cam_bob) = (camera(0, &ann), camera(1, &bob));
    let left = "clientDisconnected";
    let thrown = "forceDisconnected";
    assert_eq!(
        told,
        [
            event(0, "sessionCreated", json!({})),
            event(1, "connectionCreated", json!({ "connection": ann })),
            event(2, "streamCreated", json!({ "stream": cam_ann })),
            event(3, "connectionCreated", json!({ "connection": bob })),
            event(4, "streamCreated", json!({ "stream": cam_bob })),
            event(
                5,
                "streamDestroyed",
                json!({ "stream": cam_ann, "reason": left })
            ),
            event(
                6,
                "connectionDestroyed",
                json!({ "connection": ann, "reason": left })
            ),
            event(
                7,
                "streamDestroyed",
                json!({ "stream": cam_bob, "reason": thrown })
            ),
            event(
                8,
                "connectionDestroyed",
                json!({ "connection": bob, "reason": thrown })
            ),
            event(9, "sessionDestroyed", json!({})),
        ]
    );
    let description = Description::read();
    for delivery in &heard {
        let schema = if delivery.event() == "archive" {
            "Archive"
        } else {
            "SessionEvent"
        };
        assert!(description.has(schema, &delivery.body), "{delivery:?}");
        assert!(delivery.is_signed_with(SECRET), "{delivery:?}");
        assert_eq!(
            (delivery.kind.as_str(), delivery.path.as_str()),
            ("application/json", "/events")
        );
    }

    // The other project has heard nothing of it until it has something of its own.
    let theirs = world
        .other
        .create_session(&Default::default())
        .await
        .unwrap();
    let _cid = world.join(&theirs, Role::Publisher).await;
    let heard = others.until_taken("connectionCreated").await;
    let events: Vec<_> = heard
        .iter()
        .map(|d| (d.event(), &d.body["sessionId"]))
        .collect();
    let theirs = json!(theirs.session_id);
    assert_eq!(
        events,
        [("sessionCreated", &theirs), ("connectionCreated", &theirs)]
    );
    assert!(heard.iter().all(|d| d.is_signed_with(OTHER_SECRET)));
    until_meter(&world, "callbacks_waiting", 0).await;
    assert_eq!(meter(&world, "callbacks_delivered_total").await, 15);
    for none in ["failed_total", "given_up_total", "dropped_total"] {
        assert_eq!(
            meter(&world, &format!("callbacks_{none}")).await,
            0,
            "{none}"
        );
    }
    world.server.stop().await;
}

#[tokio::test]
async fn only_what_is_registered_is_told() {
    let world = World::with(listening()).await;
    let receiver = Receiver::start();
    let topics = [Topic::StreamDestroyed, Topic::ConnectionCreated];
    listen(&world, KEY, &topics, &receiver).await;
    let session = world.session().await;
    let mut ann = world.join(&session, Role::Publisher).await;
    let stream = ann.publish("").await;
    // It is published, and others do not know of it.
    ann.ask(json!({ "type": "publish", "name": "", "hasAudio": true, "hasVideo": true }))
        .await;
    ann.leave().await;
    let heard = receiver.until_taken("streamDestroyed").await;
    let events: Vec<_> = heard.iter().map(Delivery::event).collect();
    assert_eq!(events, ["connectionCreated", "streamDestroyed"]);
    assert_eq!(heard[1].body["stream"]["id"], *stream);
    let _bob = world.join(&session, Role::Publisher).await;
    let heard = receiver.until(|heard| heard.len() > 2).await;
    assert_eq!(heard[2].event(), "connectionCreated");
    world.server.stop().await;
}
