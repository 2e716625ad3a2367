//! Calls whose media go from browser to browser.

use parlor::{
    clock,
    opentok::{MediaMode, Role, SessionId},
    project::{self, SessionRecord},
};
use serde_json::json;

use crate::{
    call::{has_tiles_of, sees, sees_and_hears},
    camera::{BLUE, Camera, GREEN, RED},
    chromium::{Chromium, Tab},
    world::World,
};

/// Browsers learn of no way to one another. Of the server they do: it writes its own into its answer.
const NO_WAY: &str = "
    RTCPeerConnection.prototype.addIceCandidate = async () => {};
    const describe = RTCPeerConnection.prototype.setRemoteDescription;
    RTCPeerConnection.prototype.setRemoteDescription = function ({ type, sdp }) {
      if (!sdp.includes('a=ice-lite')) sdp = sdp.replace(/a=candidate.*\\r\\n/g, '');
      return describe.call(this, { type, sdp });
    };";

/// Why these are not tried on another platform.
const RELAYED: &str = "whether media go from browser to browser is seen in the engine";

async fn relayed_session(world: &World) -> SessionId {
    let app = world.server().app();
    let now = clock::now_ms();
    let id = SessionId::generate(app.project.api_key, "", now);
    let record = SessionRecord {
        media_mode: MediaMode::Relayed,
        ..SessionRecord::routed(id, app.project.api_key)
    };
    project::add_session(app.db(), &record, now).await.unwrap();
    record.id
}

/// Somebody whose page has not joined yet.
async fn somebody(world: &World, chromium: &Chromium, camera: Camera, before: &str) -> Tab {
    let tab = chromium.somebody().await;
    tab.has(camera).await;
    tab.before_load(before).await;
    tab.before_load(include_str!("relayed.js")).await;
    tab.goto(&format!("{}/participant", world.base)).await;
    tab
}

async fn joins(world: &World, tab: &Tab, session: &SessionId, name: &str) {
    let app = world.server().app();
    let data = json!({ "name": name }).to_string();
    let token = app
        .platform
        .token(session, Role::Publisher, &data)
        .await
        .unwrap();
    let begun: bool = tab
        .eval(&format!(
            "await call.begin('{}', '{session}', '{token}')",
            app.project.api_key
        ))
        .await;
    assert!(begun);
}

/// RTP packets that have passed the server.
fn routed_packets(world: &World) -> u64 {
    let metrics = (world.server().app().engine_metrics)();
    let routed = metrics
        .iter()
        .filter(|metric| metric.name.starts_with("rtp_packets_"));
    routed.map(|metric| metric.value).sum()
}

/// Marks the element in which somebody is shown, and what shows it.
async fn mark(tab: &Tab, name: &str) {
    let _: bool = tab
        .eval(&format!(
            "(test.videoOf('{name}').marked = call.subscribers['{name}'], true)"
        ))
        .await;
}

/// Somebody is still shown in the marked element, by the same subscriber, and nothing was told of an end.
async fn is_still_marked(tab: &Tab, name: &str) {
    let same: bool = tab
        .eval(&format!(
            "test.videoOf('{name}').marked === call.subscribers['{name}']
             && call.session.getSubscribersForStream(call.subscribers['{name}'].stream).length == 1"
        ))
        .await;
    assert!(same);
    let told: Vec<String> = tab.eval("call.told").await;
    let ends = ["streamDestroyed", "destroyed"];
    assert!(
        !told
            .iter()
            .any(|told| ends.iter().any(|end| told.starts_with(end))),
        "{told:?}"
    );
}

#[tokio::test]
async fn two_browsers_see_and_hear_each_other_and_the_server_forwards_nothing() {
    let world = World::embedded(RELAYED).await;
    let session = relayed_session(&world).await;
    let chromium = Chromium::start().await;
    let ann = somebody(&world, &chromium, RED, "").await;
    let bob = somebody(&world, &chromium, GREEN, "").await;

    joins(&world, &ann, &session, "Ann").await;
    joins(&world, &bob, &session, "Bob").await;

    has_tiles_of(&ann, &["Bob"]).await;
    sees_and_hears(&ann, "Bob", GREEN).await;
    sees_and_hears(&bob, "Ann", RED).await;
    assert_eq!(routed_packets(&world), 0);
    let told: Vec<String> = bob.eval("call.told").await;
    assert_eq!(told, ["streamCreated Ann", "connected Ann"]);

    // Figures, on both sides.
    ann.until("(await call.subscribers.Bob.getStats()).video.bytesReceived > 0")
        .await;
    ann.until(
        "await call.publisher.getStats().then(([one, ...more]) =>
           more.length == 0 && one.stats.video.bytesSent > 0
           && one.connectionId == call.subscribers.Bob.stream.connection.connectionId)",
    )
    .await;

    // A camera and a microphone that are turned off and on.
    let _: bool = bob
        .eval("(call.publisher.publishVideo(false), call.publisher.publishAudio(false), true)")
        .await;
    ann.until("call.told.includes('videoDisabled Bob')").await;
    ann.until("test.loudness('Bob') < 0.002").await;
    let _: bool = bob
        .eval("(call.publisher.publishVideo(true), call.publisher.publishAudio(true), true)")
        .await;
    ann.until("call.told.includes('videoEnabled Bob')").await;
    sees_and_hears(&ann, "Bob", GREEN).await;

    // A smaller picture is all that is sent when no larger one is wanted.
    let _: bool = ann
        .eval("(call.subscribers.Bob.setPreferredResolution({ width: 160, height: 120 }), true)")
        .await;
    ann.until("test.videoOf('Bob').videoHeight <= 130").await;
    let _: bool = ann
        .eval("(call.subscribers.Bob.subscribeToVideo(false), true)")
        .await;
    ann.until("!test.moves(test.videoOf('Bob'))").await;
    let _: bool = ann
        .eval("(call.subscribers.Bob.subscribeToVideo(true), call.subscribers.Bob.setPreferredResolution(null), true)")
        .await;
    sees(&ann, "Bob", GREEN).await;

    // Whoever leaves is gone.
    let _: bool = ann.eval("(call.session.disconnect(), true)").await;
    bob.until("call.told.includes('streamDestroyed Ann')").await;
    has_tiles_of_elements(&bob, 0).await;
    assert_eq!(routed_packets(&world), 0);
    world.end([chromium]).await;
}

async fn has_tiles_of_elements(tab: &Tab, count: usize) {
    tab.until(&format!(
        "document.querySelectorAll('.OT_subscriber').length == {count}"
    ))
    .await;
}

#[tokio::test]
async fn three_browsers_are_connected_each_with_each() {
    let world = World::embedded(RELAYED).await;
    let session = relayed_session(&world).await;
    let chromium = Chromium::start().await;
    let people = [("Ann", RED), ("Bob", GREEN), ("Cleo", BLUE)];
    let mut tabs = Vec::new();
    for (name, camera) in people {
        let tab = somebody(&world, &chromium, camera, "").await;
        joins(&world, &tab, &session, name).await;
        tabs.push(tab);
    }
    for (tab, (own, _)) in tabs.iter().zip(people) {
        for (name, camera) in people.into_iter().filter(|(name, _)| *name != own) {
            sees_and_hears(tab, name, camera).await;
        }
    }
    assert_eq!(routed_packets(&world), 0);
    world.end([chromium]).await;
}

#[tokio::test]
async fn browsers_that_find_no_way_to_each_other_find_one_through_the_server() {
    let world = World::embedded(RELAYED).await;
    let session = relayed_session(&world).await;
    let chromium = Chromium::start().await;
    let ann = somebody(&world, &chromium, RED, NO_WAY).await;
    let bob = somebody(&world, &chromium, GREEN, NO_WAY).await;
    joins(&world, &ann, &session, "Ann").await;
    joins(&world, &bob, &session, "Bob").await;
    has_tiles_of(&ann, &["Bob"]).await;
    mark(&ann, "Bob").await;

    sees_and_hears(&ann, "Bob", GREEN).await;
    sees_and_hears(&bob, "Ann", RED).await;

    is_still_marked(&ann, "Bob").await;
    assert!(routed_packets(&world) > 0);
    assert!(world.server().sessions().is_routed(&session));

    // Whoever comes late goes the same way at once.
    let late = somebody(&world, &chromium, BLUE, NO_WAY).await;
    joins(&world, &late, &session, "Lena").await;
    sees(&late, "Ann", RED).await;
    sees(&bob, "Lena", BLUE).await;
    world.end([chromium]).await;
}

#[tokio::test]
async fn a_call_that_is_to_be_recorded_changes_over_and_nobody_sees_more_than_a_blink() {
    let world = World::embedded(RELAYED).await;
    let session = relayed_session(&world).await;
    let chromium = Chromium::start().await;
    let ann = somebody(&world, &chromium, RED, "").await;
    let bob = somebody(&world, &chromium, GREEN, "").await;
    joins(&world, &ann, &session, "Ann").await;
    joins(&world, &bob, &session, "Bob").await;
    sees_and_hears(&ann, "Bob", GREEN).await;
    sees_and_hears(&bob, "Ann", RED).await;
    assert_eq!(start_archive(&world, &session).await, 409);
    for (tab, name) in [(&ann, "Bob"), (&bob, "Ann")] {
        mark(tab, name).await;
        let _: bool = tab
            .eval(&format!("(call.gap = watchGap('{name}'), true)"))
            .await;
    }

    world.server().sessions().route(&session).unwrap();

    for tab in [&ann, &bob] {
        tab.until("call.gap.changedOver()").await;
    }
    assert_eq!(start_archive(&world, &session).await, 200);
    sees_and_hears(&ann, "Bob", GREEN).await;
    sees_and_hears(&bob, "Ann", RED).await;
    assert!(routed_packets(&world) > 0);
    for (tab, name) in [(&ann, "Bob"), (&bob, "Ann")] {
        is_still_marked(tab, name).await;
        let gap: f64 = tab.eval("call.gap.longest").await;
        let mut paused = 0.0;
        for camera in [&ann, &bob] {
            paused = f64::max(paused, camera.eval("globalThis.longestPause").await);
        }
        eprintln!(
            "The longest pause of {name}'s picture was {gap:.0} ms, of the cameras {paused:.0} ms"
        );
        assert!(gap < 1500.0 + paused, "{gap} ms");
        let told: Vec<String> = tab.eval("call.told").await;
        assert!(!told.contains(&format!("disconnected {name}")), "{told:?}");
    }
    // Devices are changed on the new way as on the old.
    let _: bool = bob.eval("(call.publisher.publishAudio(false), true)").await;
    ann.until("test.loudness('Bob') < 0.002").await;
    world.end([chromium]).await;
}

/// The status with which the API answers.
async fn start_archive(world: &World, session: &SessionId) -> u16 {
    let project = &world.server().app().project;
    let (key, secret) = (project.api_key, project.api_secret.expose());
    let reply = reqwest::Client::new()
        .post(format!("{}/v2/project/{key}/archive", world.base))
        .header("X-TB-PARTNER-AUTH", format!("{key}:{secret}"))
        .json(&json!({ "sessionId": session, "name": "talk" }))
        .send()
        .await
        .unwrap();
    reply.status().as_u16()
}

#[tokio::test]
async fn a_lost_socket_does_not_hurt_media_between_browsers() {
    let world = World::embedded(RELAYED).await;
    let session = relayed_session(&world).await;
    let chromium = Chromium::start().await;
    let ann = somebody(&world, &chromium, RED, SOCKETS).await;
    let bob = somebody(&world, &chromium, GREEN, "").await;
    joins(&world, &ann, &session, "Ann").await;
    joins(&world, &bob, &session, "Bob").await;
    sees_and_hears(&bob, "Ann", RED).await;
    mark(&bob, "Ann").await;

    let _: bool = ann.eval("(sockets.at(-1).close(4999), true)").await;

    ann.until("call.told.includes('sessionReconnected')").await;
    sees_and_hears(&bob, "Ann", RED).await;
    sees_and_hears(&ann, "Bob", GREEN).await;
    is_still_marked(&bob, "Ann").await;
    assert_eq!(routed_packets(&world), 0);
    assert!(!world.server().sessions().is_routed(&session));
    world.end([chromium]).await;
}

/// Keeps the page's sockets where a test can break them.
const SOCKETS: &str = "
    globalThis.sockets = [];
    const Original = WebSocket;
    globalThis.WebSocket = class extends Original {
      constructor(...given) { super(...given); sockets.push(this) }
    };";
