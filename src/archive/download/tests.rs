//! Tests of [`super`].

use super::*;
use crate::{
    archive::{Composing, Layout, Origin, Quality, Resolution, Status, StreamMode},
    opentok::SessionId,
    session::ConnectionId,
};

const NOW_MS: i64 = 1_787_407_500_000; // 2026-08-22 14:05 UTC

fn archive(room: &str, name: &str) -> Archive {
    Archive {
        seq: 1,
        id: ArchiveId::random(),
        api_key: 123_456,
        session_id: SessionId::from("2_abc"),
        room: room.to_owned(),
        name: name.to_owned(),
        status: Status::Available,
        reason: String::new(),
        problem: String::new(),
        output_mode: OutputMode::Composed,
        stream_mode: StreamMode::Auto,
        has_audio: true,
        has_video: true,
        resolution: Some(Resolution::R640X480),
        layout: Layout::default(),
        quality: Quality::Usual,
        multi_archive_tag: String::new(),
        started_by: String::new(),
        created_at_ms: NOW_MS,
        updated_at_ms: NOW_MS,
        duration_ms: 0,
        size_bytes: 0,
        people: 0,
        recovered: false,
        has_poster: false,
        composing: Composing::Done,
        origin: Origin::Local,
    }
}

fn stream(name: &str, file: &str) -> RecordedStream {
    RecordedStream {
        stream: StreamId::random(),
        connection: ConnectionId::random(),
        connection_data: String::new(),
        name: name.to_owned(),
        video_type: "camera".to_owned(),
        joined_ms: 0,
        left_ms: 1000,
        file: Some(file.to_owned()),
        starts_ms: 0,
        ends_ms: 1000,
        size_bytes: 1,
        has_audio: true,
        has_video: true,
        present: Vec::new(),
        classes: Vec::new(),
        shown: Vec::new(),
    }
}

/// The two values of a link's query.
fn query(text: &str) -> (i64, String) {
    let (expires, signature) = text
        .strip_prefix("expires=")
        .unwrap()
        .split_once("&sig=")
        .unwrap();
    (expires.parse().unwrap(), signature.to_owned())
}

#[test]
fn a_link_opens_its_file_for_ten_minutes() {
    let links = Links::new(b"secret");
    let id = ArchiveId::random();
    let (expires, signature) = query(&links.query(id, Asset::Composed, NOW_MS));

    let check = |now_ms| links.check(id, Asset::Composed, expires, &signature, now_ms);

    assert_eq!(check(NOW_MS), Ok(()));
    assert_eq!(check(NOW_MS + 599_999), Ok(()));
    assert_eq!(check(NOW_MS + 600_000), Err(LinkError::Expired));
}

#[test]
fn a_link_opens_nothing_else() {
    let links = Links::new(b"secret");
    let id = ArchiveId::random();
    let (expires, signature) = query(&links.query(id, Asset::Composed, NOW_MS));
    let forged = Err(LinkError::Forged);

    let track = Asset::Track(StreamId::random());
    assert_eq!(links.check(id, track, expires, &signature, NOW_MS), forged);
    assert_eq!(
        links.check(id, Asset::Poster, expires, &signature, NOW_MS),
        forged
    );
    let other = ArchiveId::random();
    assert_eq!(
        links.check(other, Asset::Composed, expires, &signature, NOW_MS),
        forged
    );
    assert_eq!(
        links.check(id, Asset::Composed, expires + 1, &signature, NOW_MS),
        forged
    );
    assert_eq!(
        Links::new(b"other").check(id, Asset::Composed, expires, &signature, NOW_MS),
        forged
    );
    for bad in ["", "!", &signature[1..], &signature.to_uppercase()] {
        assert_eq!(
            links.check(id, Asset::Composed, expires, bad, NOW_MS),
            forged,
            "{bad}"
        );
    }
}

#[test]
fn an_asset_is_read_as_it_is_written_and_nothing_else_is() {
    for asset in [
        Asset::Composed,
        Asset::Packed,
        Asset::Poster,
        Asset::Track(StreamId::random()),
    ] {
        assert_eq!(Asset::parse(&asset.to_string()), Some(asset));
    }
    for text in [
        "",
        "archive.webm",
        "../archive.mp4",
        "manifest.json",
        ".webm",
    ] {
        assert_eq!(Asset::parse(text), None, "{text}");
    }
}

#[test]
fn a_file_is_looked_for_in_its_archives_folder_only() {
    let root = Path::new("/data/archives");
    let id = ArchiveId::random();
    let good = stream("ann", "s0.webm");
    let track = Asset::Track(good.stream);
    let streams = [good];
    assert_eq!(
        file(root, id, track, &streams),
        Some(root.join(id.to_string()).join("s0.webm"))
    );
    assert_eq!(
        file(root, id, Asset::Track(StreamId::random()), &streams),
        None
    );
    for name in ["../s0.webm", "/etc/passwd", "a/b", "..", ".", "", "a/"] {
        let bad = stream("ann", name);
        let asset = Asset::Track(bad.stream);
        assert_eq!(file(root, id, asset, &[bad]), None, "{name}");
    }
}

#[test]
fn a_saved_file_says_what_it_is() {
    let weekly = archive("Main room", "Weekly: review / \"Q3\"");
    assert_eq!(
        file_name(&weekly, Asset::Composed, &[]),
        "main-room_2026-08-22_14-05_weekly-review-q3.mp4"
    );
    assert_eq!(
        file_name(&weekly, Asset::Packed, &[]),
        "main-room_2026-08-22_14-05_weekly-review-q3.zip"
    );
    let ann = stream("Ann O'Neil", "s0.webm");
    assert_eq!(
        file_name(&archive("", ""), Asset::Track(ann.stream), &[ann]),
        "archive_2026-08-22_14-05_ann-o-neil.webm"
    );
    let hostile = archive("../../etc\r\nX: y", &"x".repeat(500));
    let name = file_name(&hostile, Asset::Composed, &[]);
    assert!(
        name.len() < 100 && !name.contains(['/', '\r', '\n', '"']),
        "{name}"
    );
}

#[test]
fn the_header_carries_letters_of_any_language() {
    assert_eq!(
        content_disposition("main_x.mp4"),
        "attachment; filename=\"main_x.mp4\""
    );
    let name = file_name(&archive("Küche", ""), Asset::Composed, &[]);
    assert_eq!(
        content_disposition(&name),
        "attachment; filename=\"k-che_2026-08-22_14-05.mp4\"; filename*=UTF-8''k%C3%BCche_2026-08-22_14-05.mp4"
    );
}
