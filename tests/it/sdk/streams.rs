//! Signals, moderation, streams and connections, in the formats of today's servers.

use parlor::opentok::{Connection, ConnectionState, Signal, Stream, StreamClasses};
use serde_json::json;

use super::{
    SESSION, client,
    service::{Service, reply},
    session_id,
};

const PROJECT: &str = r#"{"applicationId":"","status":"ACTIVE","name":"Talk",
    "environment":"standard","createdAt":1414642898000}"#;

fn path(rest: &str) -> String {
    format!("/v2/project/123456/session/{SESSION}{rest}")
}

#[tokio::test]
async fn a_signal_goes_to_all_or_to_one() {
    let service = Service::start([reply(204, ""), reply(204, "")]).await;
    let opentok = client(&service);
    let chat = Signal {
        kind: Some("chat".to_owned()),
        data: "hi".to_owned(),
    };
    let plain = Signal {
        kind: None,
        data: "hi".to_owned(),
    };
    opentok.signal(&session_id(), &chat).await.unwrap();
    opentok
        .signal_connection(&session_id(), "C1", &plain)
        .await
        .unwrap();

    let requests = service.requests();
    assert_eq!(requests[0].line, format!("POST {}", path("/signal")));
    assert_eq!(requests[0].json(), json!({ "type": "chat", "data": "hi" }));
    assert_eq!(
        requests[1].line,
        format!("POST {}", path("/connection/C1/signal"))
    );
    assert_eq!(requests[1].json(), json!({ "data": "hi" }));
}

#[tokio::test]
async fn a_client_is_disconnected() {
    let service = Service::start([reply(204, "")]).await;
    let opentok = client(&service);
    opentok.force_disconnect(&session_id(), "C1").await.unwrap();
    assert_eq!(
        service.request().line,
        format!("DELETE {}", path("/connection/C1"))
    );
}

#[tokio::test]
async fn one_stream_or_all_are_muted() {
    let service = Service::start([
        reply(200, PROJECT),
        reply(200, PROJECT),
        reply(200, PROJECT),
    ])
    .await;
    let opentok = client(&service);
    let project = opentok
        .force_mute_stream(&session_id(), "S1")
        .await
        .unwrap();
    opentok
        .force_mute_all(&session_id(), &["S1", "S2"])
        .await
        .unwrap();
    opentok.disable_force_mute(&session_id()).await.unwrap();

    assert_eq!(
        (project.status.as_str(), project.name.as_str()),
        ("ACTIVE", "Talk")
    );
    assert_eq!(project.created_at, 1_414_642_898_000);
    let sent: Vec<_> = service
        .requests()
        .iter()
        .map(|request| (request.line.clone(), request.json()))
        .collect();
    assert_eq!(
        sent,
        [
            (format!("POST {}", path("/stream/S1/mute")), json!({})),
            (
                format!("POST {}", path("/mute")),
                json!({ "active": true, "excludedStreams": ["S1", "S2"] })
            ),
            (
                format!("POST {}", path("/mute")),
                json!({ "active": false })
            ),
        ]
    );
}

#[tokio::test]
async fn streams_are_listed_and_looked_at() {
    let camera = r#"{"id":"S1","videoType":"camera","name":"","layoutClassList":["full"]}"#;
    let bare = r#"{"id":"S2","videoType":null}"#;
    let service = Service::start([
        reply(200, format!(r#"{{"count":2,"items":[{camera},{bare}]}}"#)),
        reply(200, camera),
        reply(200, r#"{"count":0,"items":[]}"#),
    ])
    .await;
    let opentok = client(&service);

    let streams = opentok.streams(&session_id()).await.unwrap();
    let first = Stream {
        id: "S1".to_owned(),
        video_type: "camera".to_owned(),
        name: String::new(),
        layout_class_list: vec!["full".to_owned()],
    };
    assert_eq!(streams.len(), 2);
    assert_eq!(streams[0], first);
    assert_eq!(
        (streams[1].id.as_str(), streams[1].video_type.as_str()),
        ("S2", "")
    );
    assert_eq!(opentok.stream(&session_id(), "S1").await.unwrap(), first);
    assert_eq!(opentok.streams(&session_id()).await.unwrap(), []);

    let lines: Vec<_> = service
        .requests()
        .into_iter()
        .map(|request| request.line)
        .collect();
    let all = format!("GET {}", path("/stream"));
    assert_eq!(
        lines,
        [all.clone(), format!("GET {}", path("/stream/S1")), all]
    );
}

#[tokio::test]
async fn layout_classes_of_streams_are_set() {
    let service = Service::start([reply(200, "")]).await;
    let classes = StreamClasses {
        id: "S1".to_owned(),
        layout_class_list: vec!["full".to_owned(), "focus".to_owned()],
    };
    let opentok = client(&service);
    opentok
        .set_stream_classes(&session_id(), &[classes])
        .await
        .unwrap();

    let request = service.request();
    assert_eq!(request.line, format!("PUT {}", path("/stream")));
    assert_eq!(
        request.json(),
        json!({ "items": [{ "id": "S1", "layoutClassList": ["full", "focus"] }] })
    );
}

#[tokio::test]
async fn connections_are_listed() {
    let item =
        r#"{"connectionId":"C1","connectionState":"Connecting","createdAt":"1414642898000"}"#;
    let body =
        format!(r#"{{"count":1,"projectId":"123456","sessionId":"{SESSION}","items":[{item}]}}"#);
    let service = Service::start([reply(200, body)]).await;
    let connections = client(&service).connections(&session_id()).await.unwrap();

    assert_eq!(
        connections,
        [Connection {
            connection_id: "C1".to_owned(),
            connection_state: ConnectionState::Connecting,
            created_at: 1_414_642_898_000,
        }]
    );
    assert_eq!(serde_json::to_string(&connections[0]).unwrap(), item);
    assert_eq!(
        service.request().line,
        format!("GET {}", path("/connection"))
    );
}
