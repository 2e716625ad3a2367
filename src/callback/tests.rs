//! Tests of registrations and of the outbox against the real schema, without a receiver.

use std::{sync::Arc, time::Instant};

use serde_json::{Value, json};

use super::{
    store::{NewEvent, Receiver},
    *,
};
use crate::{
    archive::{
        ArchiveId, NewArchive, Reason, Status,
        download::Links,
        lifecycle,
        recording::{RecordError, Recorder, TimelineEvent},
        snapshot::find_as_of,
        testing::in_status,
    },
    config::Secret,
    opentok::SessionId,
    project::{self, Project},
    session::{
        MonitorEventKind, Sessions,
        media::{EngineBusy, EngineCommand, Media, Sink},
    },
};

const KEY: u32 = 123_456;
const OTHER: u32 = 654_321;
const URL: &str = "https://receiver.invalid/";
const NOW: i64 = 1_700_000_000_000;

async fn projects(db: &SqlitePool) {
    for api_key in [KEY, OTHER] {
        let given = Project {
            api_key,
            api_secret: Secret::from(format!("the secret of {api_key}")),
        };
        project::of_pages(db, Some(given), NOW).await.unwrap();
    }
}

async fn registered(db: &SqlitePool, api_key: u32, topic: Topic) -> Callback {
    let made = register(db, api_key, &[topic], URL, NOW).await.unwrap();
    made.into_iter().next().unwrap()
}

async fn add(db: &SqlitePool, callback: &Callback, number: i64) {
    let event = NewEvent {
        callback: &callback.id,
        api_key: KEY,
        body: number.to_string(),
        occurred_at_ms: NOW + number,
    };
    store::enqueue(db, &[event]).await.unwrap();
}

fn receiver(url: &str) -> Receiver {
    let url = url.to_owned();
    Receiver { api_key: KEY, url }
}

/// The event whose turn it is with the usual receiver.
async fn next(db: &SqlitePool, now_ms: i64) -> Option<store::WaitingEvent> {
    store::next(db, &receiver(URL), 2, now_ms).await.unwrap()
}

/// The body of the event whose turn it is, if one is due.
async fn turn(db: &SqlitePool, now_ms: i64) -> Option<String> {
    let next = next(db, now_ms).await;
    next.filter(|event| event.due_at_ms <= now_ms)
        .map(|event| event.body)
}

#[sqlx::test]
async fn one_address_for_each_topic_and_none_of_another_project(db: SqlitePool) {
    projects(&db).await;
    let all = register(&db, KEY, &Topic::ALL, URL, NOW).await.unwrap();
    assert_eq!(list(&db, KEY).await.unwrap(), all);
    assert_eq!(all.len(), Topic::ALL.len());

    let moved = [all[2].topic];
    let moved = register(&db, KEY, &moved, "https://other.invalid/", NOW + 1).await;
    let moved = moved.unwrap();
    assert_eq!(
        (moved[0].id.as_str(), moved[0].created_at_ms),
        (all[2].id.as_str(), NOW)
    );
    assert_eq!(
        list(&db, KEY).await.unwrap()[2].url,
        "https://other.invalid/"
    );

    assert_eq!(list(&db, OTHER).await.unwrap(), []);
    assert!(!unregister(&db, OTHER, &all[0].id).await.unwrap());
    assert!(!unregister(&db, KEY, "nothing").await.unwrap());
    assert!(unregister(&db, KEY, &all[0].id).await.unwrap());
    assert_eq!(list(&db, KEY).await.unwrap().len(), all.len() - 1);
    unregister_all(&db, KEY).await.unwrap();
    assert_eq!(list(&db, KEY).await.unwrap(), []);

    let unknown = register(&db, 5, &Topic::ALL, URL, NOW).await;
    assert!(matches!(unknown, Err(RegisterError::NoSuchKey(5))));
}

#[sqlx::test]
async fn waiting_events_go_with_their_callback_and_with_their_project(db: SqlitePool) {
    projects(&db).await;
    let shop = project::add(&db, "Shop", NOW).await.unwrap().api_key;
    let made = register(&db, shop, &Topic::ALL, URL, NOW).await.unwrap();
    let kept = registered(&db, KEY, Topic::StreamCreated).await;
    add(&db, &kept, 1).await;
    for callback in &made[..2] {
        let event = NewEvent {
            callback: &callback.id,
            api_key: shop,
            body: String::new(),
            occurred_at_ms: NOW,
        };
        store::enqueue(&db, &[event]).await.unwrap();
    }
    assert_eq!(store::count(&db).await.unwrap(), 3);
    unregister(&db, shop, &made[0].id).await.unwrap();
    assert_eq!(store::count(&db).await.unwrap(), 2);
    // One that was meant for it comes too late.
    let late = NewEvent {
        callback: &made[0].id,
        api_key: shop,
        body: String::new(),
        occurred_at_ms: NOW,
    };
    store::enqueue(&db, &[late]).await.unwrap();

    project::revoke(&db, shop, NOW).await.unwrap();
    assert_eq!(list(&db, shop).await.unwrap(), []);
    assert_eq!(store::receivers(&db).await.unwrap(), [receiver(URL)]);
    assert_eq!(store::count(&db).await.unwrap(), 1);
    let refused = register(&db, shop, &Topic::ALL, URL, NOW).await;
    assert!(matches!(refused, Err(RegisterError::NoSuchKey(_))));
}

#[sqlx::test]
async fn every_status_of_an_archive_is_saved_as_it_was(db: SqlitePool) {
    projects(&db).await;
    registered(&db, KEY, Topic::ArchiveStatus).await;
    registered(&db, KEY, Topic::SessionCreated).await;
    let new = |key| NewArchive::of(key, SessionId::generate(key, "", NOW));
    let id = lifecycle::start(&db, new(KEY), NOW).await.unwrap().id;
    lifecycle::start(&db, new(OTHER), NOW).await.unwrap();
    lifecycle::pause(&db, id, NOW + 1_000).await.unwrap();
    lifecycle::resume(&db, id, NOW + 2_000).await.unwrap();
    lifecycle::resume(&db, id, NOW + 2_500).await.unwrap_err();
    lifecycle::stop(&db, id, Reason::UserInitiated, NOW + 3_000)
        .await
        .unwrap();
    lifecycle::interrupt(&db, id, "told late", NOW + 3_500)
        .await
        .unwrap();
    lifecycle::fail(&db, id, Reason::SystemFailure, "nothing came", NOW + 4_000)
        .await
        .unwrap();
    lifecycle::delete(&db, id, NOW + 5_000).await.unwrap();

    let mut told = Vec::new();
    let mut ids = Vec::new();
    while let Some(event) = next(&db, NOW).await {
        assert_eq!(event.archive, Some(id.to_string()));
        assert_eq!(event.secret.expose(), "the secret of 123456");
        let then = serde_json::from_str(&event.body).unwrap();
        let then = find_as_of(&db, id, then).await.unwrap().unwrap();
        assert_eq!(then.updated_at_ms, event.occurred_at_ms);
        told.push((
            then.status,
            then.reason,
            then.updated_at_ms - NOW,
            then.duration_ms,
        ));
        ids.push(event.id);
        store::delete(&db, event.seq).await.unwrap();
    }
    let row = |status, reason: &str, at, duration| (status, reason.to_owned(), at, duration);
    assert_eq!(
        told,
        [
            row(Status::Started, "", 0, 0),
            row(Status::Paused, "", 1_000, 0),
            row(Status::Started, "", 2_000, 0),
            row(Status::Stopped, "user initiated", 3_000, 3_000),
            row(Status::Failed, "system failure", 4_000, 3_000),
        ]
    );
    assert!(
        ids.iter()
            .all(|id| id.starts_with("evt_") && id.len() == 36)
    );
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), told.len());
    let nobody = json!({ "status": "started", "reason": "", "updatedAtMs": 1, "durationMs": 0, "sizeBytes": 0 });
    let nobody = serde_json::from_value(nobody).unwrap();
    let unknown = find_as_of(&db, ArchiveId::random(), nobody).await.unwrap();
    assert_eq!(unknown, None);
}

#[sqlx::test]
async fn an_event_blocks_others_for_its_first_attempts_only(db: SqlitePool) {
    projects(&db).await;
    let callback = registered(&db, KEY, Topic::StreamCreated).await;
    for number in [1, 2, 3] {
        add(&db, &callback, number).await;
    }
    let now = NOW + 1_000;
    let first = next(&db, now).await.unwrap().seq;
    assert_eq!(turn(&db, now).await.as_deref(), Some("1"));
    store::retry_later(&db, first, 1, now + 500).await.unwrap();
    assert_eq!(turn(&db, now).await, None, "they wait");
    assert_eq!(turn(&db, now + 500).await.as_deref(), Some("1"));
    store::retry_later(&db, first, 2, now + 500).await.unwrap();
    assert_eq!(turn(&db, now).await.as_deref(), Some("2"), "they pass");
    let due = store::due_at_ms(&db, &receiver(URL)).await.unwrap();
    assert_eq!(due, Some(NOW + 2));
    // When it is due again, it is the oldest.
    assert_eq!(turn(&db, now + 500).await.as_deref(), Some("1"));
    store::delete(&db, first).await.unwrap();
    assert_eq!(turn(&db, now + 500).await.as_deref(), Some("2"));
    assert_eq!(
        turn(&db, NOW).await,
        None,
        "it is not due before it happened"
    );
}

#[sqlx::test]
async fn receivers_are_independent_and_topics_of_one_receiver_are_in_order(db: SqlitePool) {
    projects(&db).await;
    let same = [Topic::StreamCreated, Topic::StreamDestroyed];
    let same = register(&db, KEY, &same, URL, NOW).await.unwrap();
    let far = "https://far.invalid/";
    let apart = register(&db, KEY, &[Topic::SessionCreated], far, NOW).await;
    let apart = apart.unwrap().remove(0);
    for (callback, number) in [(&same[1], 1), (&apart, 2), (&same[0], 3), (&apart, 4)] {
        add(&db, callback, number).await;
    }
    let mut receivers = store::receivers(&db).await.unwrap();
    receivers.sort();
    assert_eq!(receivers, [receiver(far), receiver(URL)]);
    let now = NOW + 10;
    let far_next = async || {
        let next = store::next(&db, &receiver(far), 2, now).await.unwrap();
        next.unwrap().body
    };
    assert_eq!(turn(&db, now).await.as_deref(), Some("1"));
    assert_eq!(far_next().await, "2");
    let first = next(&db, now).await.unwrap().seq;
    store::retry_later(&db, first, 1, now + 500).await.unwrap();
    assert_eq!(turn(&db, now).await, None, "the other topic waits");
    assert_eq!(far_next().await, "2");
    store::delete(&db, first).await.unwrap();
    assert_eq!(turn(&db, now).await.as_deref(), Some("3"));

    // What waits goes where its topic goes.
    let moved = register(&db, KEY, &[Topic::SessionCreated], URL, NOW).await;
    moved.unwrap();
    assert_eq!(turn(&db, now).await.as_deref(), Some("2"));
    assert_eq!(store::receivers(&db).await.unwrap(), [receiver(URL)]);
    let due = store::due_at_ms(&db, &receiver(far)).await.unwrap();
    assert_eq!(due, None);
}

#[sqlx::test]
async fn a_recovery_makes_the_events_of_its_receiver_due_except_those_that_it_refuses(
    db: SqlitePool,
) {
    projects(&db).await;
    let callback = registered(&db, KEY, Topic::StreamCreated).await;
    for number in [1, 2] {
        add(&db, &callback, number).await;
    }
    let now = NOW + 1_000;
    let first = next(&db, now).await.unwrap().seq;
    let retry_now = async |url| {
        store::retry_now(&db, &receiver(url), 8, now).await.unwrap();
        turn(&db, now).await
    };
    for attempts in 4..8 {
        for seq in [first, first + 1] {
            let later = now + 500;
            store::retry_later(&db, seq, attempts, later).await.unwrap();
        }
        let other = "https://far.invalid/";
        assert_eq!(retry_now(other).await, None, "another receiver recovered");
        assert_eq!(retry_now(URL).await.as_deref(), Some("1"), "in order");
    }
    store::retry_later(&db, first, 8, now + 500).await.unwrap();
    assert_eq!(retry_now(URL).await.as_deref(), Some("2"));
    let before = NOW + 2;
    let deleted = store::delete_before(&db, &receiver(URL), before).await;
    assert_eq!((deleted.unwrap(), store::count(&db).await.unwrap()), (1, 1));
}

#[sqlx::test(migrations = false)]
async fn events_that_wait_in_an_old_database_are_delivered(db: SqlitePool) {
    let migrations = sqlx::migrate!();
    let version = 20_261_201_010_000;
    for migration in migrations.iter().filter(|m| m.version < version) {
        sqlx::raw_sql(migration.sql.clone())
            .execute(&db)
            .await
            .unwrap();
    }
    for statement in [
        "INSERT INTO projects (api_key, api_secret, created_at_ms) VALUES (123456, 'x', 1)",
        "INSERT INTO callbacks VALUES ('c', 123456, 'stream created', 'https://receiver.invalid/', 1)",
        "INSERT INTO callback_events (id, callback, api_key, body, created_at_ms, tries, due_at_ms, early)
         VALUES ('evt_1', 'c', 123456, 'old', 1, 5, 7, 'earned')",
    ] {
        sqlx::query(statement).execute(&db).await.unwrap();
    }
    for migration in migrations.iter().filter(|m| m.version >= version) {
        sqlx::raw_sql(migration.sql.clone())
            .execute(&db)
            .await
            .unwrap();
    }
    let event = next(&db, 7).await.unwrap();
    assert_eq!(
        (
            event.id.as_str(),
            event.body.as_str(),
            event.attempts,
            event.due_at_ms
        ),
        ("evt_1", "old", 5, 7)
    );
}

#[sqlx::test]
async fn the_oldest_of_a_topic_are_dropped_if_they_are_too_many(db: SqlitePool) {
    projects(&db).await;
    let topic = Topic::StreamCreated;
    let callback = registered(&db, KEY, topic).await;
    let archives = registered(&db, KEY, Topic::ArchiveStatus).await;
    add(&db, &archives, -1).await;
    for number in 0..7 {
        assert_eq!(store::trim(&db, KEY, topic, 7).await.unwrap(), 0);
        add(&db, &callback, number).await;
    }
    assert_eq!(store::trim(&db, OTHER, topic, 0).await.unwrap(), 0);
    assert_eq!(store::trim(&db, KEY, topic, 3).await.unwrap(), 4);
    assert_eq!(store::count(&db).await.unwrap(), 4);
    let oldest = next(&db, NOW + 10).await.unwrap();
    assert_eq!(oldest.body, "-1", "nothing of another topic is dropped");
    store::delete(&db, oldest.seq).await.unwrap();
    assert_eq!(turn(&db, NOW + 10).await.as_deref(), Some("4"));
}

struct Deaf;

impl Media for Deaf {
    fn send(&self, _: &SessionId, _: EngineCommand) -> Result<(), EngineBusy> {
        Ok(())
    }
}

impl Recorder for Deaf {
    fn start(&self, _: ArchiveId, _: Instant) -> Result<Sink, RecordError> {
        Ok(std::sync::mpsc::sync_channel(1).0)
    }
    fn record(&self, _: ArchiveId, _: Instant, _: TimelineEvent) {}
    fn stop(&self, _: ArchiveId, _: Instant) {}
}

/// Starts callbacks with the default settings, modified by `change`. They run as long as the sender lives.
fn callbacks(
    db: &SqlitePool,
    change: impl FnOnce(&mut Settings),
) -> (Callbacks, broadcast::Sender<ArchiveUpdate>) {
    let (happenings, _) = mpsc::channel(1);
    let objects = ObjectWriter {
        links: Links::new(b"secret"),
        sessions: Sessions::new(Arc::new(Deaf), Arc::new(Deaf), happenings),
    };
    let changes = broadcast::Sender::new(1);
    let mut settings = Settings::new(None, || NOW);
    change(&mut settings);
    let received = changes.subscribe();
    let callbacks = Callbacks::start(db.clone(), objects, received, settings).unwrap();
    (callbacks, changes)
}

/// Waits until the counts match.
async fn until(callbacks: &Callbacks, matches: impl Fn(DeliveryCounts) -> bool) {
    for _ in 0..6_000 {
        if matches(callbacks.counts().await.unwrap()) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("{:?}", callbacks.counts().await);
}

fn created(session: &SessionId, number: i64) -> MonitorEvent {
    MonitorEvent {
        session: session.clone(),
        at_ms: NOW + 1_000_000 + number, // Nothing is due before the test is over.
        kind: MonitorEventKind::SessionCreated,
    }
}

#[sqlx::test]
async fn a_flood_never_makes_sessions_wait_and_queued_events_are_saved_before_the_end(
    db: SqlitePool,
) {
    projects(&db).await;
    registered(&db, KEY, Topic::SessionCreated).await;
    let (callbacks, _changes) = callbacks(&db, |_| {});
    let ours = SessionId::generate(KEY, "", NOW);
    let others = SessionId::generate(OTHER, "", NOW);
    let room = i64::try_from(QUEUE_CAPACITY).unwrap();
    // Nothing else runs in between: this is one thread, and nothing is awaited.
    for number in 0..room + 10 {
        let session = if number % 2 == 0 { &ours } else { &others };
        callbacks.report(created(session, number));
    }
    assert_eq!(callbacks.counts().await.unwrap().dropped, 10);

    callbacks.close().await;
    let counts = callbacks.counts().await.unwrap();
    assert_eq!(counts.waiting, u64::try_from(room / 2).unwrap());
    assert_eq!(counts.dropped, 10);
    let first = next(&db, i64::MAX).await.unwrap();
    let body: Value = serde_json::from_str(&first.body).unwrap();
    assert_eq!(body["sessionId"], ours.as_str());
    assert_eq!(body["timestamp"], NOW + 1_000_000);
    assert_eq!(first.occurred_at_ms, NOW + 1_000_000);

    // Events after the end are ignored and do not count as dropped.
    callbacks.report(created(&ours, 0));
    assert_eq!(callbacks.counts().await.unwrap(), counts);
}

#[sqlx::test]
async fn no_more_events_wait_than_the_limit(db: SqlitePool) {
    projects(&db).await;
    registered(&db, KEY, Topic::SessionCreated).await;
    let (callbacks, _changes) = callbacks(&db, |settings| settings.max_waiting = 5_000);
    let session = SessionId::generate(KEY, "", NOW);
    for number in 0..4_000 {
        callbacks.report(created(&session, number));
    }
    until(&callbacks, |counts| counts.waiting == 4_000).await;
    for number in 4_000..6_000 {
        callbacks.report(created(&session, number));
    }
    callbacks.close().await;
    let counts = callbacks.counts().await.unwrap();
    assert_eq!((counts.waiting, counts.dropped), (5_000, 1_000));
    let first = next(&db, i64::MAX).await.unwrap();
    assert_eq!(first.occurred_at_ms, NOW + 1_000_000 + 1_000);
}

#[sqlx::test]
async fn an_event_undelivered_for_too_long_is_given_up_and_blocks_nothing(db: SqlitePool) {
    projects(&db).await;
    // Refused at once: it is private, and a setting that allowed it is gone.
    let url = "http://127.0.0.1:9/";
    for key in [KEY, OTHER] {
        register(&db, key, &Topic::ALL, url, NOW).await.unwrap();
    }
    let shown = list(&db, KEY).await.unwrap().pop().unwrap();
    for number in [-3, -2, -1] {
        add(&db, &shown, number).await;
    }
    let (callbacks, _changes) = callbacks(&db, |settings| {
        settings.schedule.blocking_attempts = 0;
        settings.schedule.jitter_percent = 0;
        settings.schedule.give_up_after = std::time::Duration::from_secs(2);
        settings.schedule.delays = vec![std::time::Duration::from_millis(1_998)];
    });
    // The clock stands: the next try of the oldest would be a millisecond too late.
    until(&callbacks, |counts| counts.failed == 3).await;
    callbacks.close().await;
    let counts = callbacks.counts().await.unwrap();
    assert_eq!((counts.failed, counts.given_up, counts.waiting), (3, 1, 2));
    assert_eq!((counts.delivered, counts.dropped), (0, 0));
}

#[sqlx::test]
async fn an_archive_has_a_link_if_it_is_known_where_receivers_reach_this_server(db: SqlitePool) {
    projects(&db).await;
    registered(&db, KEY, Topic::ArchiveStatus).await;
    let archive = in_status(&db, Status::Available).await;
    let mut events = Vec::new();
    while let Some(event) = next(&db, NOW).await {
        store::delete(&db, event.seq).await.unwrap();
        events.push(event);
    }
    for public_url in [None, Some("https://meet.example")] {
        let (callbacks, _changes) = callbacks(&db, |settings| {
            settings.public_url = public_url.map(str::to_owned);
        });
        let mut links = Vec::new();
        for event in &events {
            let body = callbacks.body(event).await.unwrap().unwrap();
            let body: Value = serde_json::from_str(&body).unwrap();
            let link = body["url"].as_str();
            links.push(link.map(|link| link.split('?').next().unwrap().to_owned()));
        }
        callbacks.close().await;
        let file = public_url
            .map(|public_url| format!("{public_url}/archives/{}/files/archive.mp4", archive.id));
        // It started, was stopped, and then has a file.
        assert_eq!(links, [None, None, file]);
    }
}

/// Attempts each event once during the test.
fn one_attempt(settings: &mut Settings) {
    settings.schedule.blocking_attempts = 0;
    settings.schedule.jitter_percent = 0;
    settings.schedule.delays = vec![std::time::Duration::from_secs(3_600)];
}

#[sqlx::test]
async fn an_unreadable_event_is_retried_and_given_up_like_an_undeliverable_one(db: SqlitePool) {
    projects(&db).await;
    let archives = registered(&db, KEY, Topic::ArchiveStatus).await;
    for started in [-10, -20] {
        let new = NewArchive::of(KEY, SessionId::generate(KEY, "", NOW));
        lifecycle::start(&db, new, NOW + started).await.unwrap();
    }
    for statement in [
        "UPDATE callback_events SET body = '{' WHERE seq = 1",
        "UPDATE callback_events SET archive = 'x' WHERE seq = 2",
    ] {
        sqlx::query(statement).execute(&db).await.unwrap();
    }
    add(&db, &archives, -5).await;
    let (callbacks, _changes) = callbacks(&db, |settings| {
        one_attempt(settings);
        settings.allow_private = true;
        settings.schedule.give_up_after = std::time::Duration::from_millis(3_600_015);
    });
    // The third is of a session; its receiver does not exist. The second is too old for another try.
    until(&callbacks, |counts| counts.failed == 3).await;
    callbacks.close().await;
    let counts = callbacks.counts().await.unwrap();
    assert_eq!((counts.given_up, counts.waiting), (1, 2));
    let due = store::due_at_ms(&db, &receiver(URL)).await.unwrap();
    assert_eq!(due, Some(NOW + 3_600_000));
}

/// A clock that panics in every task but the first that reads it: the dispatcher.
fn clock_that_breaks_deliveries() -> i64 {
    static DISPATCHER: std::sync::OnceLock<tokio::task::Id> = std::sync::OnceLock::new();
    let own = tokio::task::id();
    assert_eq!(*DISPATCHER.get_or_init(|| own), own, "a bug");
    NOW
}

#[sqlx::test]
async fn an_event_whose_delivery_panics_is_retried_like_an_undeliverable_one(db: SqlitePool) {
    projects(&db).await;
    let callback = registered(&db, KEY, Topic::StreamCreated).await;
    for number in [-2, -1] {
        add(&db, &callback, number).await;
    }
    let (callbacks, _changes) = callbacks(&db, |settings| {
        one_attempt(settings);
        settings.now_ms = clock_that_breaks_deliveries;
    });
    until(&callbacks, |counts| counts.failed == 2).await;
    callbacks.close().await;
    let counts = callbacks.counts().await.unwrap();
    assert_eq!((counts.failed, counts.waiting), (2, 2));
    let due = store::due_at_ms(&db, &receiver(URL)).await.unwrap();
    assert_eq!(due, Some(NOW + 3_600_000));
}
