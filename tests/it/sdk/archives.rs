//! Archives, as the gem's recorded replies and today's servers show them.

use parlor::opentok::{
    ArchiveOptions, ArchiveStatus, Error, Layout, LayoutType, ListOptions, OutputMode, Resolution,
    SessionId, StreamMedia, StreamMode,
};
use serde_json::json;

use super::{
    ARCHIVE, archive_2014, client,
    service::{Service, reply},
};

fn session() -> SessionId {
    SessionId::from("SESSIONID")
}

/// A list as recorded: `total` archives in all, these in the window.
fn list(total: usize, window: &[&str]) -> String {
    let items: Vec<_> = window
        .iter()
        .map(|name| archive_2014("available", name))
        .collect();
    format!(
        "{{ \"count\" : {total}, \"items\" : [ {} ] }}",
        items.join(", ")
    )
}

#[tokio::test]
async fn an_archive_is_started_without_a_name() {
    let service = Service::start([reply(200, archive_2014("started", ""))]).await;
    let archive = client(&service)
        .archives()
        .start(&session(), &ArchiveOptions::default())
        .await
        .unwrap();

    assert_eq!(
        (archive.id.as_str(), archive.session_id.as_str()),
        (ARCHIVE, "SESSIONID")
    );
    assert_eq!(archive.status, ArchiveStatus::Started);
    assert_eq!(archive.name.as_deref(), Some(""));
    assert_eq!(archive.created_at, 1_395_183_243_556);
    assert_eq!(
        (archive.duration, archive.size, &archive.url),
        (0, 0, &None)
    );
    assert_eq!((archive.partner_id, archive.reason.as_str()), (123_456, ""));
    let request = service.request();
    assert_eq!(request.line, "POST /v2/project/123456/archive");
    assert_eq!(
        request.json(),
        json!({ "sessionId": "SESSIONID", "name": "" })
    );
}

#[tokio::test]
async fn an_archive_is_started_with_everything_there_is() {
    let service = Service::start([reply(200, archive_2014("started", "Böb"))]).await;
    let archive = client(&service)
        .archives()
        .start(
            &session(),
            &ArchiveOptions {
                name: Some("Böb".to_owned()),
                has_audio: Some(true),
                has_video: Some(false),
                output_mode: Some(OutputMode::Composed),
                resolution: Some(Resolution::R1080X1920),
                layout: Some(Layout::screenshare(LayoutType::VerticalPresentation)),
                stream_mode: Some(StreamMode::Manual),
                multi_archive_tag: Some("second".to_owned()),
                max_bitrate: Some(1_000_000),
                quantization_parameter: None,
            },
        )
        .await
        .unwrap();

    assert_eq!(archive.name.as_deref(), Some("Böb"));
    assert_eq!(
        service.request().json(),
        json!({
            "sessionId": "SESSIONID", "name": "Böb", "hasAudio": true, "hasVideo": false,
            "outputMode": "composed", "resolution": "1080x1920",
            "layout": { "type": "bestFit", "screenshareType": "verticalPresentation" },
            "streamMode": "manual", "multiArchiveTag": "second", "maxBitrate": 1_000_000,
        })
    );
}

#[tokio::test]
async fn invalid_options_are_not_sent() {
    let service = Service::start([]).await;
    let opentok = client(&service);
    let archives = opentok.archives();
    let options = ArchiveOptions::default;

    let refused = [
        (
            archives.start(&SessionId::from(""), &options()).await.err(),
            "session_id not provided",
        ),
        (archives.find("").await.err(), "archive_id not provided"),
        (archives.stop("").await.err(), "archive_id not provided"),
        (archives.delete("").await.err(), "archive_id not provided"),
        (
            archives.remove_stream(ARCHIVE, "").await.err(),
            "stream_id not provided",
        ),
        (archives.delete("..").await.err(), "an id is empty or no id"),
        (
            archives
                .all(&ListOptions {
                    count: Some(1001),
                    ..ListOptions::default()
                })
                .await
                .err(),
            "Limit is invalid",
        ),
        (
            archives
                .set_layout(ARCHIVE, &Layout::new(LayoutType::Custom))
                .await
                .err(),
            "a custom layout needs a stylesheet",
        ),
        (
            archives
                .start(
                    &session(),
                    &ArchiveOptions {
                        output_mode: Some(OutputMode::Individual),
                        resolution: Some(Resolution::R640X480),
                        ..options()
                    },
                )
                .await
                .err(),
            "an individual archive has no resolution",
        ),
    ];
    for (error, sentence) in refused {
        let error = error.unwrap();
        assert!(matches!(error, Error::Argument(_)), "{error:?}");
        assert_eq!(error.to_string(), sentence);
    }
    assert_eq!(service.requests().len(), 0);
}

#[tokio::test]
async fn an_archive_is_found_by_its_id() {
    let service = Service::start([reply(200, archive_2014("available", "Old"))]).await;
    let archive = client(&service).archives().find(ARCHIVE).await.unwrap();

    assert_eq!(
        (archive.id.as_str(), &archive.status),
        (ARCHIVE, &ArchiveStatus::Available)
    );
    let request = service.request();
    assert_eq!(
        request.line,
        format!("GET /v2/project/123456/archive/{ARCHIVE}")
    );
    assert_eq!(request.body, "");
}

#[tokio::test]
async fn an_archive_is_stopped_and_readable_afterwards() {
    let service = Service::start([
        reply(200, archive_2014("started", "")),
        reply(200, archive_2014("stopped", "")),
        reply(200, archive_2014("available", "")),
    ])
    .await;
    let opentok = client(&service);
    let mut archive = opentok
        .archives()
        .start(&session(), &ArchiveOptions::default())
        .await
        .unwrap();

    archive.stop().await.unwrap();
    assert_eq!(
        (archive.id.as_str(), &archive.status),
        (ARCHIVE, &ArchiveStatus::Stopped)
    );
    assert_eq!(
        (archive.duration, archive.size, &archive.url),
        (0, 0, &None)
    );
    archive.refresh().await.unwrap();
    assert_eq!(archive.status, ArchiveStatus::Available);

    let requests = service.requests();
    assert_eq!(
        requests[1].line,
        format!("POST /v2/project/123456/archive/{ARCHIVE}/stop")
    );
    assert_eq!(requests[1].json(), json!({}));
}

#[tokio::test]
async fn an_archive_is_deleted_and_readable_afterwards() {
    let service = Service::start([
        reply(200, archive_2014("available", "")),
        reply(204, ""),
        reply(204, ""),
    ])
    .await;
    let opentok = client(&service);
    let mut archive = opentok.archives().find(ARCHIVE).await.unwrap();

    archive.delete().await.unwrap();
    assert_eq!(
        (archive.id.as_str(), &archive.status),
        (ARCHIVE, &ArchiveStatus::Deleted)
    );
    opentok.archives().delete(ARCHIVE).await.unwrap();

    for request in &service.requests()[1..] {
        let line = format!("DELETE /v2/project/123456/archive/{ARCHIVE}");
        assert_eq!(
            (request.line.as_str(), request.body.as_str()),
            (line.as_str(), "")
        );
    }
}

#[tokio::test]
async fn a_refused_change_leaves_the_archive_unchanged() {
    let service = Service::start([
        reply(200, archive_2014("started", "")),
        reply(409, r#"{"message":"not recording"}"#),
        reply(409, r#"{"message":"still recording"}"#),
    ])
    .await;
    let opentok = client(&service);
    let mut archive = opentok.archives().find(ARCHIVE).await.unwrap();

    archive.stop().await.unwrap_err();
    archive.delete().await.unwrap_err();
    assert_eq!(
        (archive.id.as_str(), &archive.status),
        (ARCHIVE, &ArchiveStatus::Started)
    );
}

#[tokio::test]
async fn a_list_is_a_window_on_all_archives() {
    let window = |offset, count| ListOptions {
        offset,
        count,
        session_id: None,
    };
    for (options, names, query) in [
        (window(None, None), &["6", "5", "4", "3", "2", "1"][..], ""),
        (window(Some(3), None), &["3", "2", "1"], "?offset=3"),
        (window(None, Some(2)), &["6", "5"], "?count=2"),
        (
            window(Some(2), Some(4)),
            &["4", "3", "2", "1"],
            "?offset=2&count=4",
        ),
        (window(Some(0), Some(1000)), &[], "?offset=0&count=1000"),
    ] {
        let service = Service::start([reply(200, list(6, names))]).await;
        let archives = client(&service).archives().all(&options).await.unwrap();

        assert_eq!(archives.total, 6);
        assert_eq!(archives.len(), names.len());
        let listed: Vec<_> = archives
            .iter()
            .filter_map(|archive| archive.name.as_deref())
            .collect();
        assert_eq!(listed, names);
        assert_eq!(
            service.request().line,
            format!("GET /v2/project/123456/archive{query}")
        );
    }
}

#[tokio::test]
async fn a_list_of_one_session_is_asked_for_by_its_id() {
    let service = Service::start([reply(200, r#"{"count":0,"items":null}"#)]).await;
    let archives = client(&service)
        .archives()
        .all(&ListOptions {
            session_id: Some(SessionId::from("2_a b")),
            ..ListOptions::default()
        })
        .await
        .unwrap();

    assert!(archives.is_empty());
    assert_eq!(
        service.request().line,
        "GET /v2/project/123456/archive?sessionId=2_a+b"
    );
}

#[tokio::test]
async fn an_archive_of_a_list_can_be_stopped() {
    let service = Service::start([
        reply(200, list(1, &["one"])),
        reply(200, archive_2014("stopped", "one")),
    ])
    .await;
    let opentok = client(&service);
    for mut archive in opentok
        .archives()
        .all(&ListOptions::default())
        .await
        .unwrap()
    {
        archive.stop().await.unwrap();
        assert_eq!(serde_json::to_value(&archive).unwrap()["status"], "stopped");
    }
    assert_eq!(service.requests().len(), 2);
}

#[tokio::test]
async fn layout_and_streams_change_while_recording() {
    let service = Service::start([
        reply(200, archive_2014("started", "")),
        reply(200, ""),
        reply(204, ""),
        reply(204, ""),
    ])
    .await;
    let opentok = client(&service);
    let archive = opentok.archives().find(ARCHIVE).await.unwrap();

    archive
        .set_layout(&Layout::custom("stream {}"))
        .await
        .unwrap();
    let media = StreamMedia {
        has_video: false,
        ..StreamMedia::default()
    };
    archive.add_stream("S1", media).await.unwrap();
    archive.remove_stream("S1").await.unwrap();

    let path = format!("/v2/project/123456/archive/{ARCHIVE}");
    let sent: Vec<_> = service.requests()[1..]
        .iter()
        .map(|request| (request.line.clone(), request.json()))
        .collect();
    assert_eq!(
        sent,
        [
            (
                format!("PUT {path}/layout"),
                json!({ "type": "custom", "stylesheet": "stream {}" })
            ),
            (
                format!("PATCH {path}/streams"),
                json!({ "addStream": "S1", "hasAudio": true, "hasVideo": false })
            ),
            (
                format!("PATCH {path}/streams"),
                json!({ "removeStream": "S1" })
            ),
        ]
    );
}

#[tokio::test]
async fn an_id_is_one_segment_of_the_path_whatever_is_in_it() {
    let service = Service::start([reply(404, "")]).await;
    client(&service)
        .archives()
        .find("../a?b#c/ä")
        .await
        .unwrap_err();
    assert_eq!(
        service.request().line,
        "GET /v2/project/123456/archive/..%2Fa%3Fb%23c%2F%C3%A4"
    );
}

#[tokio::test]
async fn a_yes_without_an_archive_is_not_understood() {
    for body in ["", "null", "[]", "{}", "<html>Welcome</html>"] {
        let service = Service::start([reply(200, body), reply(200, body)]).await;
        let opentok = client(&service);
        let error = opentok.archives().find(ARCHIVE).await.unwrap_err();
        assert!(matches!(error, Error::Reply(_)), "{body}");
        let error = opentok
            .archives()
            .all(&ListOptions::default())
            .await
            .unwrap_err();
        assert!(matches!(error, Error::Reply(_)), "{body}");
    }
}
