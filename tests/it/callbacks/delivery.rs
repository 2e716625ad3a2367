//! Webhooks to receivers that do not accept an event at once.

use std::time::Duration;

use parlor::{
    callback::{self, Topic},
    clock,
    config::Config,
    opentok::Role,
};

use super::receiver::{Delivery, Mood, Receiver};
use crate::{
    api::world::{KEY, OTHER_KEY, OTHER_SECRET, SECRET, World},
    people::until,
};

/// A server that delivers to this machine. Three retries follow after 20 ms each, all further ones after an hour, and probes after
/// 20 ms.
pub fn listening() -> Config {
    let mut config = Config::default();
    config.callbacks.callback_allow_private = true;
    let [little, long] = [Duration::from_millis(20), Duration::from_secs(3600)];
    config.callbacks.retry_delays = vec![little, little, little, long];
    config.callbacks.probe_delays = vec![little];
    config
}

/// Registers the receiver for these topics of a project.
pub async fn listen(world: &World, api_key: u32, topics: &[Topic], receiver: &Receiver) {
    let db = world.server.app().db();
    callback::register(db, api_key, topics, &receiver.url, clock::now_ms())
        .await
        .unwrap();
}

/// The received events, and whether each was accepted.
fn received(heard: &[Delivery]) -> Vec<(&str, bool)> {
    heard.iter().map(|d| (d.event(), d.taken)).collect()
}

/// Returns a number of `/metrics`.
pub async fn meter(world: &World, name: &str) -> u64 {
    let url = format!("http://{}/metrics", world.server.addr());
    let text = world.http.get(url).send().await.unwrap();
    let text = text.text().await.unwrap();
    let line = format!("\nparlor_{name} ");
    let (_, rest) = text.split_once(&line).expect(&text);
    rest.lines().next().unwrap().parse().unwrap()
}

/// Waits for a number of `/metrics`: a delivery is counted a moment after the receiver's response.
pub async fn until_meter(world: &World, name: &str, wanted: u64) {
    for _ in 0..3_000 {
        if meter(world, name).await == wanted {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{name} is {}", meter(world, name).await);
}

#[tokio::test]
async fn a_failed_event_is_retried_with_the_same_id_and_before_the_next() {
    let world = World::with(listening()).await;
    let receiver = Receiver::start();
    let lure = Receiver::start();
    listen(&world, KEY, &Topic::ALL, &receiver).await;
    receiver.will([
        Mood::Status(500),
        Mood::Redirect(lure.url.clone()),
        Mood::Status(404),
    ]);
    let session = world.session().await;
    let _ann = world.join(&session, Role::Publisher).await;

    let heard = receiver.until_taken("connectionCreated").await;
    assert_eq!(
        received(&heard),
        [
            ("sessionCreated", false),
            ("sessionCreated", false),
            ("sessionCreated", false),
            ("sessionCreated", true),
            ("connectionCreated", true),
        ]
    );
    assert!(heard.iter().all(|d| d.is_signed_with(SECRET)));
    assert!(
        heard[..4]
            .iter()
            .all(|d| d.id == heard[0].id && d.raw == heard[0].raw)
    );
    assert_ne!(heard[4].id, heard[0].id);
    assert!(lure.heard().is_empty(), "a redirect was followed");
    assert_eq!(meter(&world, "callbacks_failed_total").await, 3);
    world.server.stop().await;
}

#[tokio::test]
async fn a_failing_event_blocks_others_for_its_first_attempts_only() {
    let world = World::with(listening()).await;
    let receiver = Receiver::start();
    listen(&world, KEY, &Topic::ALL, &receiver).await;
    // After the fourth attempt the others overtake. The first delivery may mean that the receiver was down, so the event is attempted
    // once more. Then it waits for its regular turn.
    let no = Mood::Status(400);
    let moods = [&no, &no, &no, &no, &Mood::Take, &no];
    receiver.will(moods.into_iter().cloned());
    let session = world.session().await;
    let mut ann = world.join(&session, Role::Publisher).await;
    receiver.until(|heard| heard.len() == 6).await;
    ann.publish("").await;
    let heard = receiver.until_taken("streamCreated").await;
    ann.leave().await;
    let more = receiver.until_taken("sessionDestroyed").await;
    assert_eq!(
        received(&more),
        [
            ("sessionCreated", false),
            ("sessionCreated", false),
            ("sessionCreated", false),
            ("sessionCreated", false),
            ("connectionCreated", true),
            ("sessionCreated", false),
            ("streamCreated", true),
            ("streamDestroyed", true),
            ("connectionDestroyed", true),
            ("sessionDestroyed", true),
        ]
    );
    assert_eq!(heard[0].id, heard[5].id);
    until_meter(&world, "callbacks_waiting", 1).await;
    world.server.stop().await;
}

#[tokio::test]
async fn waiting_events_are_delivered_at_once_when_a_receiver_is_back() {
    let world = World::with(listening()).await;
    let receiver = Receiver::start();
    listen(&world, KEY, &Topic::ALL, &receiver).await;
    // The first two events fail four times each, and would wait for an hour.
    receiver.will((0..8).map(|_| Mood::Status(503)));
    let session = world.session().await;
    let mut ann = world.join(&session, Role::Publisher).await;
    receiver.until(|heard| heard.len() == 8).await;
    ann.publish("").await;
    let heard = receiver.until_taken("connectionCreated").await;
    assert_eq!(
        received(&heard[8..]),
        [
            ("streamCreated", true),
            ("sessionCreated", true),
            ("connectionCreated", true),
        ]
    );
    world.server.stop().await;
}

#[tokio::test]
async fn a_probe_that_is_delivered_closes_the_circuit_and_the_events_before_it_follow() {
    let world = World::with(listening()).await;
    let receiver = Receiver::start();
    listen(&world, KEY, &Topic::ALL, &receiver).await;
    // Four attempts of each of two events and two of the third open the circuit; the first probe fails, too.
    receiver.will((0..11).map(|_| Mood::Status(503)));
    let session = world.session().await;
    let mut ann = world.join(&session, Role::Publisher).await;
    ann.publish("").await;
    let heard = receiver.until_taken("connectionCreated").await;
    assert_eq!(
        received(&heard[8..]),
        [
            ("streamCreated", false),
            ("streamCreated", false),
            ("streamCreated", false),
            ("streamCreated", true),
            ("sessionCreated", true),
            ("connectionCreated", true),
        ]
    );
    world.server.stop().await;
}

#[tokio::test]
async fn a_dead_url_delays_no_other_url() {
    let mut config = listening();
    config.callbacks.probe_delays = vec![Duration::from_secs(3600)];
    let world = World::with(config).await;
    let (dead, alive) = (Receiver::start(), Receiver::start());
    listen(&world, KEY, &Topic::ALL, &alive).await;
    listen(&world, KEY, &[Topic::ConnectionCreated], &dead).await;
    dead.refuse("connectionCreated");
    let session = world.session().await;
    let mut people = Vec::new();
    for _ in 0..5 {
        people.push(world.join(&session, Role::Publisher).await);
    }
    // Ten failures open the circuit; the first probe follows after an hour.
    dead.until(|heard| heard.len() == 10).await;
    for (number, person) in people.iter_mut().enumerate() {
        person.publish("").await;
        alive.until(|heard| heard.len() == 2 + number).await;
    }
    assert_eq!(
        dead.heard().len(),
        10,
        "deliveries to another URL change nothing"
    );
    assert!(alive.heard().iter().all(|delivery| delivery.taken));
    world.server.stop().await;
}

#[tokio::test]
async fn a_topic_that_always_fails_is_retried_early_a_few_times_only() {
    let world = World::with(listening()).await;
    let receiver = Receiver::start();
    listen(&world, KEY, &Topic::ALL, &receiver).await;
    receiver.refuse("streamCreated");
    let session = world.session().await;
    let _host = world.join(&session, Role::Publisher).await;
    let taken = |heard: &Vec<Delivery>| heard.iter().filter(|d| d.taken).count();
    for number in 1..=6 {
        let mut person = world.join(&session, Role::Publisher).await;
        person.publish("").await;
        person.leave().await;
        // Of the session and its host, and of the person the connection, its end and the stream's.
        receiver.until(|heard| taken(heard) == 2 + 3 * number).await;
    }
    until_meter(&world, "callbacks_waiting", 6).await;
    let heard = receiver.heard();
    let mut attempts = std::collections::BTreeMap::new();
    for refused in heard.iter().filter(|delivery| !delivery.taken) {
        *attempts.entry(&refused.id).or_insert(0) += 1;
    }
    assert_eq!(attempts.len(), 6);
    assert!(attempts.values().all(|count| *count <= 8), "{attempts:?}");
    world.server.stop().await;
}

#[tokio::test]
async fn a_receiver_that_hangs_costs_ten_seconds_and_others_nothing() {
    let world = World::with(listening()).await;
    let (slow, quick) = (Receiver::start(), Receiver::start());
    listen(&world, KEY, &[Topic::ConnectionCreated], &slow).await;
    listen(&world, OTHER_KEY, &[Topic::ConnectionCreated], &quick).await;
    slow.will([Mood::Hang]);
    let session = world.session().await;
    let _ann = world.join(&session, Role::Publisher).await;
    slow.until(|heard| !heard.is_empty()).await;

    let theirs = world
        .other
        .create_session(&Default::default())
        .await
        .unwrap();
    let _bob = world.join(&theirs, Role::Publisher).await;
    let heard = quick.until_taken("connectionCreated").await;
    assert!(heard[0].is_signed_with(OTHER_SECRET));
    assert_eq!(
        slow.heard().len(),
        1,
        "the slow one has not been given up yet"
    );

    let heard = slow.until_taken("connectionCreated").await;
    assert_eq!(
        (heard.len(), heard[0].id.as_str()),
        (2, heard[1].id.as_str())
    );
    world.server.stop().await;
}

#[tokio::test]
async fn an_event_in_flight_goes_to_its_new_url_only_after_that() {
    let world = World::with(listening()).await;
    let (before, after) = (Receiver::start(), Receiver::start());
    listen(&world, KEY, &[Topic::ConnectionCreated], &before).await;
    before.will([Mood::Hang]);
    let session = world.session().await;
    let _ann = world.join(&session, Role::Publisher).await;
    before.until(|heard| !heard.is_empty()).await;

    listen(&world, KEY, &[Topic::ConnectionCreated], &after).await;
    let _bob = world.join(&session, Role::Publisher).await;
    let heard = after.until(|heard| heard.len() == 2).await;
    assert_eq!(meter(&world, "callbacks_failed_total").await, 1);
    assert_eq!(heard[0].id, before.heard()[0].id);
    assert_eq!(before.heard().len(), 1);
    world.server.stop().await;
}

#[tokio::test]
async fn an_endless_response_is_not_read() {
    let world = World::with(listening()).await;
    let receiver = Receiver::start();
    listen(&world, KEY, &Topic::ALL, &receiver).await;
    receiver.will([Mood::Chatter, Mood::Chatter]);
    let session = world.session().await;
    let _ann = world.join(&session, Role::Publisher).await;
    let heard = receiver.until_taken("connectionCreated").await;
    assert_eq!(heard.len(), 2);
    assert_eq!(meter(&world, "callbacks_failed_total").await, 0);
    world.server.stop().await;
}

#[tokio::test]
async fn private_addresses_are_not_connected_to_even_if_they_are_registered() {
    // As it is while an operator allows it, and after that.
    let config = Config {
        callbacks: parlor::config::CallbackConfig {
            callback_allow_private: false,
            ..listening().callbacks
        },
        ..Config::default()
    };
    let world = World::with(config).await;
    let receiver = Receiver::start();
    listen(&world, KEY, &Topic::ALL, &receiver).await;
    let session = world.session().await;
    let _ann = world.join(&session, Role::Publisher).await;
    let refused = until(async || meter(&world, "callbacks_failed_total").await >= 3);
    let outcome = tokio::select! {
        () = refused => Ok(()),
        heard = receiver.until(|heard| !heard.is_empty()) => Err(heard),
    };
    assert!(outcome.is_ok(), "the server connected: {outcome:?}");
    assert_eq!(meter(&world, "callbacks_delivered_total").await, 0);
    // The second may be written a moment later.
    until_meter(&world, "callbacks_waiting", 2).await;
    world.server.stop().await;
}

#[tokio::test]
async fn a_renewed_secret_signs_waiting_events_and_a_revoked_key_receives_nothing() {
    let mut config = listening();
    config.callbacks.retry_delays.truncate(1);
    let world = World::with(config).await;
    let receiver = Receiver::start();
    let db = world.server.app().db();
    let shop = parlor::project::add(db, "Shop", clock::now_ms())
        .await
        .unwrap();
    let sdk = parlor::opentok::OpenTok::builder(shop.api_key, shop.api_secret.expose())
        .api_url(&world.url)
        .build()
        .unwrap();
    let session = sdk.create_session(&Default::default()).await.unwrap();
    listen(&world, shop.api_key, &[Topic::ConnectionCreated], &receiver).await;
    receiver.will((0..200).map(|_| Mood::Status(503)));
    let _ann = world.join(&session, Role::Publisher).await;
    receiver.until(|heard| heard.len() > 1).await;

    let renewed = parlor::project::renew(db, shop.api_key).await.unwrap();
    let (old, new) = (shop.api_secret.expose(), renewed.api_secret.expose());
    let heard = receiver
        .until(|heard| heard.last().unwrap().is_signed_with(new))
        .await;
    assert!(heard[0].is_signed_with(old));
    parlor::project::revoke(db, shop.api_key, clock::now_ms())
        .await
        .unwrap();
    assert_eq!(meter(&world, "callbacks_waiting").await, 0);
    assert_eq!(meter(&world, "callbacks_delivered_total").await, 0);
    world.server.stop().await;
}
