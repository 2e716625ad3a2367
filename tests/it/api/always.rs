//! Sessions that are always archived.

use std::time::Duration;

use parlor::{
    archive::{Archive, Reason, RunTimes, Status},
    clock,
    config::Config,
    opentok::{
        ArchiveMode, ArchiveObject, ArchiveStatus, ListOptions, Resolution, Role, Session,
        SessionOptions,
    },
};
use tokio::{sync::broadcast::Receiver, time::timeout};

use super::world::World;

const PATIENCE: Duration = Duration::from_secs(30);

async fn always_archived(world: &World) -> Session {
    let options = SessionOptions {
        archive_mode: ArchiveMode::Always,
        archive_name: Some("lecture".to_owned()),
        archive_resolution: Some(Resolution::R1280X720),
        ..SessionOptions::default()
    };
    world.sdk.create_session(&options).await.unwrap()
}

/// Waits for the next archive that reaches this status.
async fn next(
    changes: &mut Receiver<parlor::archive::ArchiveUpdate>,
    status: Status,
) -> std::sync::Arc<Archive> {
    let found = async {
        loop {
            let archive = changes.recv().await.unwrap().archive;
            if archive.status == status {
                return archive;
            }
        }
    };
    timeout(PATIENCE, found).await.unwrap()
}

async fn all(world: &World) -> Vec<ArchiveObject> {
    let list = world
        .sdk
        .archives()
        .all(&ListOptions::default())
        .await
        .unwrap();
    list.into_iter()
        .map(parlor::opentok::Archive::into_object)
        .collect()
}

#[tokio::test]
async fn the_first_stream_starts_the_archive_and_all_clients_are_notified() {
    let world = World::start().await;
    let mut changes = world.server.app().archives.subscribe();
    let session = always_archived(&world).await;
    let mut ann = world.join(&session, Role::Publisher).await;
    assert!(all(&world).await.is_empty(), "nobody publishes yet");
    ann.publish("").await;

    let started = next(&mut changes, Status::Started).await;
    let heard = ann.event("archiveStarted").await;
    assert_eq!(heard["archive"]["id"], started.id.to_string());
    let archives = all(&world).await;
    assert_eq!(archives.len(), 1);
    assert_eq!(archives[0].name.as_deref(), Some("lecture"));
    assert_eq!(archives[0].resolution, Some(Resolution::R1280X720));
    assert_eq!(archives[0].status, ArchiveStatus::Started);
    // A second archive of the session is refused.
    let again = world
        .sdk
        .archives()
        .start(&session.session_id, &Default::default())
        .await;
    assert_eq!(again.unwrap_err().status(), Some(409));
    let moderator = world.moderator().await;
    assert!(moderator.page("/history").await.contains("lecture"));

    // After a manual stop no new archive starts while clients are connected.
    world.sdk.archives().stop(&archives[0].id).await.unwrap();
    let mut bob = world.join(&session, Role::Publisher).await;
    bob.publish("").await;
    ann.leave().await;
    bob.leave().await;
    assert_eq!(all(&world).await.len(), 1);
    // The next meeting gets a new archive.
    let mut cem = world.join(&session, Role::Publisher).await;
    cem.publish("").await;
    cem.event("archiveStarted").await;
    assert_eq!(all(&world).await.len(), 2);
    world.server.stop().await;
}

#[tokio::test]
async fn a_session_that_is_archived_by_hand_starts_nothing() {
    let world = World::start().await;
    let session = world.session().await;
    let mut ann = world.join(&session, Role::Publisher).await;
    ann.publish("").await;
    // Session events are applied in order: once this archive has started, the other would have started too.
    let always = always_archived(&world).await;
    let mut bob = world.join(&always, Role::Publisher).await;
    bob.publish("").await;
    bob.event("archiveStarted").await;
    assert_eq!(all(&world).await.len(), 1);
    world.server.stop().await;
}

#[tokio::test]
async fn an_archive_that_has_become_too_long_is_followed_by_the_next() {
    let world = World::with(Config::default()).await;
    let mut changes = world.server.app().archives.subscribe();
    let session = always_archived(&world).await;
    let mut ann = world.join(&session, Role::Publisher).await;
    ann.publish("").await;
    let first = next(&mut changes, Status::Started).await;
    ann.event("archiveStarted").await;

    world
        .server
        .embedded()
        .unwrap()
        .stop_overlong(&mut RunTimes::default(), Duration::ZERO, clock::instant())
        .await;

    let stopped = next(&mut changes, Status::Stopped).await;
    assert_eq!(stopped.id, first.id);
    assert_eq!(stopped.reason, Reason::MaximumDuration.as_str());
    let second = ann.event("archiveStarted").await;
    assert_ne!(second["archive"]["id"], first.id.to_string());
    assert_eq!(all(&world).await.len(), 2);
    world.server.stop().await;
}
