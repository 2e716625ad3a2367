//! Archives through the API.

use std::{fs, time::Duration};

use parlor::{
    archive::{
        ArchiveId, NewArchive, Reason, Status,
        composer::{COMPOSED_FILE, Composed},
        lifecycle,
        recording::{Manifest, RecordedStream},
    },
    clock,
    opentok::{
        ArchiveOptions, ArchiveStatus, Layout, LayoutType, ListOptions, MediaMode, Resolution,
        Role, SessionId, SessionOptions,
    },
    session::{ConnectionId, StreamId},
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::world::{KEY, OTHER_KEY, World, error};

const PATIENCE: Duration = Duration::from_secs(60);
const FILE: &[u8] = b"what would be an MP4";

async fn body(reply: reqwest::Response) -> Value {
    assert_eq!(reply.status(), 200);
    assert_eq!(reply.headers()["content-type"], "application/json");
    serde_json::from_slice(&reply.bytes().await.unwrap()).unwrap()
}

/// Creates an available archive, without a recorder and a composer.
async fn available(world: &World, api_key: u32, session: &str) -> ArchiveId {
    let db = world.server.app().db();
    // A recent time, because an archive that records for hours is stopped.
    let now_ms = clock::now_ms();
    let new = NewArchive {
        name: "talk".to_owned(),
        ..NewArchive::of(api_key, SessionId::from(session))
    };
    let id = lifecycle::start(db, new, now_ms).await.unwrap().id;
    let reason = Reason::UserInitiated;
    lifecycle::stop(db, id, reason, now_ms).await.unwrap();
    let stream = RecordedStream {
        stream: StreamId::random(),
        connection: ConnectionId::random(),
        connection_data: String::new(),
        name: "Ann".to_owned(),
        video_type: "camera".to_owned(),
        joined_ms: 0,
        left_ms: 62_000,
        file: Some("x.webm".to_owned()),
        starts_ms: 0,
        ends_ms: 62_000,
        size_bytes: 9,
        has_audio: true,
        has_video: true,
        present: Vec::new(),
        classes: Vec::new(),
        shown: Vec::new(),
    };
    let manifest = Manifest {
        duration_ms: 62_000,
        layouts: Vec::new(),
        streams: vec![stream],
    };
    lifecycle::save_tracks(db, id, &manifest, now_ms)
        .await
        .unwrap();
    let file = Composed {
        size_bytes: FILE.len() as u64,
        duration_ms: 62_500,
        has_poster: false,
        damage: String::new(),
    };
    lifecycle::make_available(db, id, &file, now_ms)
        .await
        .unwrap();
    let folder = world.server.app().data.archives().join(id.to_string());
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(COMPOSED_FILE), FILE).unwrap();
    id
}

#[tokio::test]
async fn a_session_is_recorded_found_stopped_and_deleted() {
    let world = World::start().await;
    let session = world.session().await;
    let id = &session.session_id;
    let mut ann = world.join(&session, Role::Publisher).await;
    ann.publish("").await;
    let mut changes = world.server.app().archives.subscribe();

    let archives = world.sdk.archives();
    let options = ArchiveOptions {
        name: Some("talk".to_owned()),
        has_video: Some(false),
        resolution: Some(Resolution::R1280X720),
        layout: Some(Layout::new(LayoutType::Pip)),
        ..ArchiveOptions::default()
    };
    let mut archive = archives.start(id, &options).await.unwrap();
    assert_eq!(archive.status, ArchiveStatus::Started);
    assert_eq!(archive.name.as_deref(), Some("talk"));
    assert_eq!((archive.project_id, archive.partner_id), (KEY, KEY));
    assert_eq!((archive.has_audio, archive.has_video), (true, false));
    assert_eq!(archive.resolution, Some(Resolution::R1280X720));
    assert_eq!((archive.url.as_ref(), archive.reason.as_str()), (None, ""));
    assert!(archive.created_at > 0 && archive.updated_at > 0);
    let heard = ann.event("archiveStarted").await;
    assert_eq!(heard["archive"]["id"], *archive.id);
    assert_eq!(heard["archive"]["name"], "talk");

    let found = archives.find(&archive.id).await.unwrap();
    assert_eq!(found.status, ArchiveStatus::Started);
    let deleted = archives.delete(&archive.id).await.unwrap_err();
    assert_eq!(deleted.status(), Some(409));

    archive.stop().await.unwrap();
    assert_eq!(archive.status, ArchiveStatus::Stopped);
    assert_eq!(archive.reason, "user initiated");
    assert_eq!((archive.size, archive.url.as_ref()), (0, None));
    let heard = ann.event("archiveStopped").await;
    assert_eq!(heard["archive"]["id"], *archive.id);
    let again = archives.stop(&archive.id).await.unwrap_err();
    assert_eq!(again.status(), Some(409));

    // No packet arrived, so the archive fails.
    let failed = async { while changes.recv().await.unwrap().archive.status != Status::Failed {} };
    timeout(PATIENCE, failed).await.unwrap();
    archive.refresh().await.unwrap();
    assert_eq!(archive.status, ArchiveStatus::Failed);
    assert_eq!(archive.reason, "nobody published");
    archives.delete(&archive.id).await.unwrap();
    for outcome in [
        archives.find(&archive.id).await.err(),
        archives.stop(&archive.id).await.err(),
    ] {
        assert_eq!(outcome.unwrap().status(), Some(404));
    }
    let path = format!("/archive/{}", archive.id);
    error(world.ask(Method::DELETE, &path, &json!({})).await, 404).await;
    world.server.stop().await;
}

#[tokio::test]
async fn the_older_ways_to_start_and_to_stop_work() {
    let world = World::start().await;
    let session = world.session().await;
    let ann = world.join(&session, Role::Publisher).await;

    let start = json!({ "action": "start", "sessionId": session.session_id, "name": "old" });
    let url = format!("/v2/partner/{KEY}/archive");
    let call = world.call(Method::POST, &url).json(&start);
    let started = body(call.send().await.unwrap()).await;
    // No client publishes, but an archive never starts paused.
    assert_eq!(
        (&started["status"], &started["outputMode"]),
        (&json!("started"), &json!("composed"))
    );
    assert_eq!(started["event"], "archive");
    assert_eq!(started["partnerId"], KEY);
    let id = started["id"].as_str().unwrap();

    let path = format!("/archive/{id}");
    for wrong in [json!({}), json!({ "action": "pause" })] {
        error(world.ask(Method::POST, &path, &wrong).await, 400).await;
    }
    let stop = json!({ "action": "stop" });
    let stopped = body(world.ask(Method::POST, &path, &stop).await).await;
    assert_eq!(stopped["status"], "stopped");
    // An empty body with a JSON content type.
    let call = world
        .call(Method::POST, &format!("{url}/{id}/stop"))
        .header("content-type", "application/json");
    error(call.send().await.unwrap(), 409).await;
    ann.leave().await;
    world.server.stop().await;
}

#[tokio::test]
async fn refusals_to_record_come_in_open_toks_order() {
    let world = World::start().await;
    let start = async |body: Value| world.ask(Method::POST, "/archive", &body).await;
    error(start(json!({})).await, 400).await;
    error(start(json!({ "sessionId": "2_unknown" })).await, 404).await;
    // The body is checked before the session.
    let bad = json!({ "sessionId": "2_unknown", "hasAudio": false, "hasVideo": false });
    error(start(bad).await, 400).await;

    let relayed = SessionOptions {
        media_mode: MediaMode::Relayed,
        ..SessionOptions::default()
    };
    let relayed = world.sdk.create_session(&relayed).await.unwrap();
    let reply = start(json!({ "sessionId": relayed.session_id })).await;
    assert_eq!(error(reply, 409).await.0, 15008);

    let session = world.session().await;
    let of_session = json!({ "sessionId": session.session_id });
    let (_, message) = error(start(of_session.clone()).await, 404).await;
    assert!(message.contains("ever connected"), "{message}");
    let ann = world.join(&session, Role::Publisher).await;
    ann.leave().await;
    error(start(of_session.clone()).await, 400).await;

    let _bob = world.join(&session, Role::Publisher).await;
    body(start(of_session.clone()).await).await;
    assert_eq!(error(start(of_session.clone()).await, 409).await.0, 15001);
    let tagged = json!({ "sessionId": session.session_id, "multiArchiveTag": "second" });
    let second = body(start(tagged.clone()).await).await;
    assert_eq!(second["multiArchiveTag"], "second");
    error(start(tagged).await, 409).await;
    world.server.stop().await;
}

#[tokio::test]
async fn lists_are_of_one_project_newest_first_and_in_parts() {
    let world = World::start().await;
    let mut ids = Vec::new();
    for session in ["2_a", "2_b", "2_a", "2_b", "2_a"] {
        ids.insert(0, available(&world, KEY, session).await.to_string());
    }
    let foreign = available(&world, OTHER_KEY, "2_a").await.to_string();
    let archives = world.sdk.archives();
    let list = async |offset, count, session: Option<&str>| {
        let options = ListOptions {
            offset,
            count,
            session_id: session.map(SessionId::from),
        };
        let list = archives.all(&options).await.unwrap();
        let ids: Vec<_> = list.iter().map(|archive| archive.id.clone()).collect();
        (list.total, ids)
    };
    assert_eq!(list(None, None, None).await, (5, ids.clone()));
    assert_eq!(list(Some(1), Some(2), None).await, (5, ids[1..3].to_vec()));
    assert_eq!(list(Some(9), None, None).await, (5, Vec::new()));
    assert_eq!(list(None, Some(0), None).await, (5, Vec::new()));
    let of_a = vec![ids[0].clone(), ids[2].clone(), ids[4].clone()];
    assert_eq!(list(None, None, Some("2_a")).await, (3, of_a));
    assert_eq!(list(None, None, Some("2_c")).await, (0, Vec::new()));

    archives.delete(&ids[0]).await.unwrap();
    assert_eq!(list(None, None, None).await, (4, ids[1..].to_vec()));
    for query in ["offset=x", "count=1001", "count=-1"] {
        let path = format!("/archive?{query}");
        error(world.ask(Method::GET, &path, &Value::Null).await, 400).await;
    }

    let theirs = world.other.archives();
    let all = theirs.all(&ListOptions::default()).await.unwrap();
    assert_eq!((all.total, all[0].id.as_str()), (1, foreign.as_str()));
    for outcome in [
        theirs.find(&ids[1]).await.err(),
        theirs.stop(&ids[1]).await.err(),
    ] {
        assert_eq!(outcome.unwrap().status(), Some(404));
    }
    let path = format!("/archive/{foreign}");
    error(world.ask(Method::DELETE, &path, &json!({})).await, 404).await;
    assert!(theirs.find(&foreign).await.is_ok());
    world.server.stop().await;
}

#[tokio::test]
async fn an_available_archive_has_a_link_that_needs_no_headers() {
    let world = World::start().await;
    for (sdk, key) in [(&world.sdk, KEY), (&world.other, OTHER_KEY)] {
        let id = available(&world, key, "2_a").await;
        let archive = sdk.archives().find(&id.to_string()).await.unwrap();
        assert_eq!(archive.status, ArchiveStatus::Available);
        assert_eq!((archive.size, archive.duration), (FILE.len() as u64, 62));
        let url = archive.url.as_deref().unwrap();
        assert!(url.starts_with(&world.url), "{url}");

        let whole = world.http.get(url).send().await.unwrap();
        assert_eq!(whole.status(), StatusCode::OK);
        assert_eq!(whole.headers()["content-type"], "video/mp4");
        let disposition = whole.headers()["content-disposition"].to_str().unwrap();
        assert!(disposition.starts_with("attachment"), "{disposition}");
        assert_eq!(&whole.bytes().await.unwrap()[..], FILE);
        let part = world.http.get(url).header("range", "bytes=0-3");
        let part = part.send().await.unwrap();
        assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
        assert_eq!(&part.bytes().await.unwrap()[..], &FILE[..4]);
        let forged = url.replace("sig=", "sig=A");
        let forged = world.http.get(forged).send().await.unwrap();
        assert_eq!(forged.status(), StatusCode::NOT_FOUND);
    }
    world.server.stop().await;
}

#[tokio::test]
async fn archives_behind_a_proxy_are_linked_by_its_address() {
    let mut config = parlor::config::Config::default();
    config.network.public_url = Some("https://meet.example.org".to_owned());
    let world = World::with(config).await;
    let id = available(&world, KEY, "2_a").await;
    let archive = world.sdk.archives().find(&id.to_string()).await.unwrap();
    let url = archive.url.as_deref().unwrap();
    let expected = format!("https://meet.example.org/archives/{id}/files/archive.mp4?expires=");
    assert!(url.starts_with(&expected), "{url}");
    world.server.stop().await;
}

#[tokio::test]
async fn layouts_and_streams_of_an_archive_that_is_over_are_not_changed() {
    let world = World::start().await;
    let id = available(&world, KEY, "2_a").await;
    let archives = world.sdk.archives();
    let layout = Layout::new(LayoutType::Pip);
    let refused = archives.set_layout(&id.to_string(), &layout).await;
    assert_eq!(refused.unwrap_err().status(), Some(409));
    let path = format!("/archive/{id}/streams");
    let add = json!({ "addStream": "x", "hasAudio": true, "hasVideo": true });
    error(world.ask(Method::PATCH, &path, &add).await, 405).await;
    error(world.ask(Method::PATCH, &path, &json!({})).await, 400).await;
    let path = format!("/archive/{}/streams", ArchiveId::random());
    error(world.ask(Method::PATCH, &path, &add).await, 404).await;
    world.server.stop().await;
}
