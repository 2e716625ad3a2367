//! Selection of streams, and layouts, during recording.

use std::path::Path;

use parlor::{
    archive::{Archive, ArchiveId, history},
    opentok::{
        ArchiveOptions, ArchiveStream, Layout, LayoutType, ListOptions, Role, StreamClasses,
        StreamMedia, StreamMode, TokenOptions,
    },
};
use reqwest::Method;
use serde_json::{Value, json};

use super::world::{KEY, World, error};
use crate::{
    ffmpeg::run,
    people::{is_available, is_playable, until},
};

/// The background of a tile that its picture does not fill.
const TILE: [u8; 3] = [0x17, 0x20, 0x1e];

async fn row(world: &World, id: &str) -> Archive {
    let id = ArchiveId::parse(id).unwrap();
    let db = world.server.app().db();
    history::find(db, KEY, id).await.unwrap().unwrap()
}

/// The colour of a film at this time, in the middle above two pictures side by side.
fn above(film: &Path, seconds: &str) -> [u8; 3] {
    let file = film.to_str().unwrap();
    let out = film.with_extension("rgb");
    let out = out.to_str().unwrap();
    let crop = "crop=200:40:220:20,scale=1:1";
    run(
        "ffmpeg",
        &[
            "-y",
            "-ss",
            seconds,
            "-i",
            file,
            "-frames:v",
            "1",
            "-vf",
            crop,
            "-pix_fmt",
            "rgb24",
            "-f",
            "rawvideo",
            out,
        ],
    );
    std::fs::read(out).unwrap().try_into().unwrap()
}

fn is_tile(colour: [u8; 3]) -> bool {
    colour.iter().zip(TILE).all(|(a, b)| a.abs_diff(b) < 12)
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_are_added_and_taken_out_by_hand() {
    let world = World::start().await;
    let session = world.session().await;
    let moderator = world.moderator().await;
    let ann = world.publisher(&session, "Ann").await;
    let mut bob = world.publisher(&session, "Bob").await;
    let streams = world.sdk.streams(&session.session_id).await.unwrap();
    let (of_ann, of_bob) = (&streams[0].id, &streams[1].id);
    let options = ArchiveOptions {
        stream_mode: Some(StreamMode::Manual),
        ..ArchiveOptions::default()
    };
    let archives = world.sdk.archives();
    let mut archive = archives.start(&session.session_id, &options).await.unwrap();
    assert_eq!(archive.stream_mode, StreamMode::Manual);
    assert_eq!(archive.streams.as_deref(), Some(&[][..]));
    let id = archive.id.clone();

    let sound = StreamMedia {
        has_audio: true,
        has_video: false,
    };
    archives
        .add_stream(&id, of_bob, StreamMedia::default())
        .await
        .unwrap();
    archives.add_stream(&id, of_ann, sound).await.unwrap();
    archive.refresh().await.unwrap();
    let told = |stream: &str, has_video| ArchiveStream {
        stream_id: stream.to_owned(),
        has_audio: true,
        has_video,
    };
    assert_eq!(
        archive.streams.as_deref(),
        Some(&[told(of_ann, false), told(of_bob, true)][..])
    );
    let before = bob.sent().len();
    bob.until(|diary| diary.sent.len() > before + 150).await;
    archives.remove_stream(&id, of_bob).await.unwrap();
    archive.refresh().await.unwrap();
    assert_eq!(archive.streams.as_deref(), Some(&[told(of_ann, false)][..]));
    let before = bob.sent().len();
    bob.until(|diary| diary.sent.len() > before + 100).await;

    // Invalid requests.
    let again = archives.remove_stream(&id, of_bob).await.unwrap_err();
    assert_eq!(again.status(), Some(404));
    let path = format!("/archive/{id}/streams");
    for (body, status) in [
        (json!({}), 400),
        (json!({ "addStream": of_ann, "removeStream": of_ann }), 400),
        (
            json!({ "addStream": of_ann, "hasAudio": false, "hasVideo": false }),
            400,
        ),
        (json!({ "addStream": "nothing" }), 404),
        (
            json!({ "addStream": "00000000-0000-4000-8000-000000000000" }),
            404,
        ),
    ] {
        error(world.ask(Method::PATCH, &path, &body).await, status).await;
    }
    archive.stop().await.unwrap();
    assert_eq!(archive.streams, None);
    let late = archives.add_stream(&id, of_bob, sound).await.unwrap_err();
    assert_eq!(late.status(), Some(409));

    moderator
        .sees(ArchiveId::parse(&id).unwrap(), is_available)
        .await;
    let row = row(&world, &id).await;
    let recorded = history::streams(world.server.app().db(), &row)
        .await
        .unwrap();
    assert_eq!(recorded.len(), 2);
    let of = |id: &str| {
        let mut found = recorded.iter();
        found
            .find(|stream| stream.stream.to_string() == id)
            .unwrap()
    };
    let (first, second) = (of(of_bob), of(of_ann));
    assert!(first.has_audio && first.has_video);
    assert!(
        second.has_audio && !second.has_video,
        "her picture was not chosen"
    );
    assert_eq!((first.present.len(), second.present.len()), (1, 1));
    let present = first.present[0];
    assert!(
        present.to_ms + 500 < row.duration_ms,
        "he was taken out: {recorded:?}"
    );
    assert!(
        first.ends_ms <= present.to_ms + 500,
        "nothing was recorded after it"
    );
    assert!(second.present[0].to_ms.abs_diff(row.duration_ms) < 100);
    drop((ann, bob));
    world.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_without_streams_pauses_and_another_of_the_session_goes_on() {
    let world = World::start().await;
    let session = world.session().await;
    let ann = world.publisher(&session, "Ann").await;
    let streams = world.sdk.streams(&session.session_id).await.unwrap();
    let archives = world.sdk.archives();
    let everything = ArchiveOptions::default();
    let chosen = ArchiveOptions {
        stream_mode: Some(StreamMode::Manual),
        multi_archive_tag: Some("chosen".to_owned()),
        ..ArchiveOptions::default()
    };
    let mut everything = archives
        .start(&session.session_id, &everything)
        .await
        .unwrap();
    let mut chosen = archives.start(&session.session_id, &chosen).await.unwrap();
    archives
        .add_stream(&chosen.id, &streams[0].id, StreamMedia::default())
        .await
        .unwrap();
    archives
        .remove_stream(&chosen.id, &streams[0].id)
        .await
        .unwrap();
    until(async || {
        chosen.refresh().await.unwrap();
        chosen.status.as_str() == "paused"
    })
    .await;
    everything.refresh().await.unwrap();
    assert_eq!(everything.status.as_str(), "started");
    drop(ann);
    until(async || {
        everything.refresh().await.unwrap();
        everything.status.as_str() == "paused"
    })
    .await;
    world.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_without_audio_or_video_does_not_record_it() {
    let world = World::start().await;
    let session = world.session().await;
    let moderator = world.moderator().await;
    let mut ann = world.publisher(&session, "Ann").await;
    let archives = world.sdk.archives();
    let without = [(Some(false), None), (None, Some(false))];
    let mut started = Vec::new();
    for (number, (has_audio, has_video)) in without.into_iter().enumerate() {
        let options = ArchiveOptions {
            has_audio,
            has_video,
            multi_archive_tag: Some(number.to_string()),
            ..ArchiveOptions::default()
        };
        let archive = archives.start(&session.session_id, &options);
        started.push(archive.await.unwrap().id.clone());
    }
    let before = ann.sent().len();
    ann.until(|diary| diary.sent.len() > before + 150).await;
    for (id, (has_audio, has_video)) in started.iter().zip(without) {
        archives.stop(id).await.unwrap();
        let playable = ArchiveId::parse(id).unwrap();
        moderator.sees(playable, is_playable).await;
        let row = row(&world, id).await;
        let db = world.server.app().db();
        let recorded = history::streams(db, &row).await.unwrap();
        let has = (recorded[0].has_audio, recorded[0].has_video);
        assert_eq!(has, (has_audio.is_none(), has_video.is_none()));
    }
    world.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_streams_that_are_chosen_by_hand_are_changed() {
    let world = World::start().await;
    let session = world.session().await;
    let mut ann = world.join(&session, Role::Publisher).await;
    let stream = ann.publish("").await;
    let archives = world.sdk.archives();
    let auto = archives
        .start(&session.session_id, &ArchiveOptions::default())
        .await
        .unwrap();
    assert_eq!(auto.streams, None);
    let media = StreamMedia::default();
    let refused = archives
        .add_stream(&auto.id, &stream, media)
        .await
        .unwrap_err();
    assert_eq!(refused.status(), Some(405));
    let list = archives.all(&ListOptions::default()).await.unwrap();
    assert_eq!(list[0].streams, None);
    world.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_picture_is_arranged_otherwise_from_the_moment_it_is_asked_for() {
    let world = World::start().await;
    let session = world.session().await;
    let moderator = world.moderator().await;
    let _ann = world.publisher(&session, "Ann").await;
    let mut bob = world.publisher(&session, "Bob").await;
    let archives = world.sdk.archives();
    let options = ArchiveOptions {
        max_bitrate: Some(500_000),
        ..ArchiveOptions::default()
    };
    let archive = archives.start(&session.session_id, &options).await.unwrap();
    assert_eq!(archive.max_bitrate, Some(500_000));
    let id = ArchiveId::parse(&archive.id).unwrap();
    let mut two_seconds = async || {
        let before = bob.sent().len();
        bob.until(|diary| diary.sent.len() > before + 160).await;
    };
    two_seconds().await;
    let full = [StreamClasses {
        id: world.sdk.streams(&session.session_id).await.unwrap()[1]
            .id
            .clone(),
        layout_class_list: vec!["full".to_owned()],
    }];
    world
        .sdk
        .set_stream_classes(&session.session_id, &full)
        .await
        .unwrap();
    archive
        .set_layout(&Layout::new(LayoutType::Pip))
        .await
        .unwrap();
    two_seconds().await;
    archives.stop(&archive.id).await.unwrap();

    moderator.sees(id, is_available).await;
    let folder = tempfile::tempdir().unwrap();
    let film = folder.path().join("film.mp4");
    moderator.downloads(id, &film).await;
    let row = row(&world, &archive.id).await;
    let seconds = row.duration_ms as f64 / 1000.0;
    let (early, late) = (seconds * 0.3, seconds * 0.85);
    let (early, late) = (format!("{early:.2}"), format!("{late:.2}"));
    assert!(
        is_tile(above(&film, &early)),
        "side by side: {:?}",
        above(&film, &early)
    );
    assert!(
        !is_tile(above(&film, &late)),
        "one fills the picture: {:?}",
        above(&film, &late)
    );
    let recorded = history::streams(world.server.app().db(), &row)
        .await
        .unwrap();
    assert_eq!(recorded.len(), 2);
    for stream in recorded {
        let given = stream.classes.into_iter().flat_map(|change| change.classes);
        let expected = (stream.stream.to_string() == full[0].id).then_some("full");
        assert_eq!(given.collect::<Vec<_>>(), Vec::from_iter(expected));
    }

    let late = archive
        .set_layout(&Layout::new(LayoutType::Pip))
        .await
        .unwrap_err();
    assert_eq!(late.status(), Some(409));
    world.server.stop().await;
}

#[tokio::test]
async fn invalid_layouts_are_refused_with_a_sentence() {
    let world = World::start().await;
    let session = world.session().await;
    let _ann = world.join(&session, Role::Publisher).await;
    let archives = world.sdk.archives();
    let start = async |options| archives.start(&session.session_id, &options).await.unwrap();
    let composed = start(ArchiveOptions::default()).await;
    let individual = start(ArchiveOptions {
        output_mode: Some(parlor::opentok::OutputMode::Individual),
        multi_archive_tag: Some("second".to_owned()),
        ..ArchiveOptions::default()
    })
    .await;
    let put = async |id: &str, layout: Value| {
        let path = format!("/archive/{id}/layout");
        world.ask(Method::PUT, &path, &layout).await
    };
    let styled = json!({ "type": "custom", "stylesheet": "stream {}" });
    let (_, told) = error(put(&composed.id, styled).await, 400).await;
    assert!(told.contains("no custom layouts"), "{told}");
    for layout in [
        json!({}),
        json!({ "type": "round" }),
        json!({ "type": "focus" }),
        json!({ "type": "pip", "screenshareType": "pip" }),
    ] {
        error(put(&composed.id, layout).await, 400).await;
    }
    let pip = json!({ "type": "pip" });
    error(put(&individual.id, pip.clone()).await, 400).await;
    error(put(&ArchiveId::random().to_string(), pip).await, 404).await;
    for kind in [
        LayoutType::BestFit,
        LayoutType::Pip,
        LayoutType::VerticalPresentation,
        LayoutType::HorizontalPresentation,
    ] {
        composed.set_layout(&Layout::new(kind)).await.unwrap();
    }
    let screen = Layout::screenshare(LayoutType::Focus);
    composed.set_layout(&screen).await.unwrap();
    world.server.stop().await;
}

#[tokio::test]
async fn streams_have_the_layout_classes_of_their_token_and_those_that_are_set() {
    let world = World::start().await;
    let session = world.session().await;
    let id = &session.session_id;
    let token = session
        .generate_token(&TokenOptions {
            layout_classes: vec!["focus".to_owned()],
            ..TokenOptions::default()
        })
        .unwrap();
    let mut ann = world.enter(&session.session_id, &token).await;
    let mut bob = world.join(&session, Role::Publisher).await;
    let (of_ann, of_bob) = (ann.publish("").await, bob.publish("").await);
    let classes = async || -> Vec<Vec<String>> {
        let streams = world.sdk.streams(id).await.unwrap().into_iter();
        streams.map(|stream| stream.layout_class_list).collect()
    };
    let none: [String; 0] = [];
    assert_eq!(classes().await, [&["focus".to_owned()][..], &none[..]]);
    let set = |id: &str, class: &str| StreamClasses {
        id: id.to_owned(),
        layout_class_list: vec![class.to_owned()],
    };
    let change = [set(&of_ann, "small"), set(&of_bob, "focus")];
    world.sdk.set_stream_classes(id, &change).await.unwrap();
    let changed = [["small".to_owned()], ["focus".to_owned()]];
    assert_eq!(classes().await, changed);

    let path = format!("/session/{id}/stream");
    for items in [
        json!([{ "id": of_ann, "layoutClassList": ["full"] }, { "id": "x", "layoutClassList": [] }]),
        json!([{ "id": of_ann, "layoutClassList": ["two words"] }]),
        json!([{ "id": of_ann, "layoutClassList": vec!["many"; 17] }]),
        json!([{ "id": of_ann }]),
        json!("none"),
    ] {
        let body = json!({ "items": items });
        error(world.ask(Method::PUT, &path, &body).await, 400).await;
    }
    assert_eq!(classes().await, changed, "nothing was changed");

    let path = format!("{path}/{of_bob}");
    let body = json!({ "layoutClassList": ["full", "large"] });
    let reply = world.ask(Method::PUT, &path, &body).await;
    assert_eq!(reply.status(), 200);
    let reply: Value = serde_json::from_str(&reply.text().await.unwrap()).unwrap();
    assert_eq!(
        reply,
        json!({ "id": of_bob, "videoType": "camera", "name": "", "layoutClassList": ["full", "large"] })
    );
    let changed = [
        vec!["small".to_owned()],
        vec!["full".to_owned(), "large".to_owned()],
    ];
    assert_eq!(classes().await, changed);
    for body in [json!({ "layoutClassList": ["two words"] }), json!({})] {
        error(world.ask(Method::PUT, &path, &body).await, 400).await;
    }
    let body = json!({ "layoutClassList": [] });
    let path = format!("/session/{id}/stream/nothing");
    error(world.ask(Method::PUT, &path, &body).await, 408).await;
    assert_eq!(classes().await, changed, "nothing was changed");
    world.server.stop().await;
}
