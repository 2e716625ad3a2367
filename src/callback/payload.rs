//! The webhooks' payloads of session events, as in OpenTok's session monitoring.

use serde::Serialize;

use crate::{
    opentok::SessionId,
    session::{
        ConnectionId, ConnectionInfo, EndReason, MonitorEvent, MonitorEventKind, StreamId,
        StreamInfo,
    },
};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Payload<'a> {
    session_id: &'a SessionId,
    /// A string here, and a number in archives, as in OpenTok.
    project_id: String,
    event: &'static str,
    /// Unix time, ms.
    timestamp: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<EndReason>,
    #[serde(skip_serializing_if = "Option::is_none")]
    connection: Option<Connection<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<Stream<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Connection<'a> {
    id: ConnectionId,
    created_at: i64,
    data: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Stream<'a> {
    id: StreamId,
    connection: Connection<'a>,
    created_at: i64,
    name: &'a str,
    video_type: &'static str,
}

impl<'a> From<&'a ConnectionInfo> for Connection<'a> {
    fn from(info: &'a ConnectionInfo) -> Self {
        Connection {
            id: info.connection_id,
            created_at: info.creation_time,
            data: &info.data,
        }
    }
}

impl<'a> Stream<'a> {
    fn new(info: &'a StreamInfo, publisher: &'a ConnectionInfo) -> Stream<'a> {
        Stream {
            id: info.stream_id,
            connection: publisher.into(),
            created_at: info.creation_time,
            name: &info.name,
            video_type: info.video_type.as_str(),
        }
    }
}

/// Maps a reason to OpenTok's reasons. OpenTok has none for a server that stops, so applications see a lost network.
fn of_opentok(reason: EndReason) -> EndReason {
    match reason {
        EndReason::ServerStopping => EndReason::NetworkDisconnected,
        other => other,
    }
}

/// Returns the payload of a session event as JSON.
pub fn of_event(event: &MonitorEvent, api_key: u32) -> String {
    let payload = Payload {
        session_id: &event.session,
        project_id: api_key.to_string(),
        event: "",
        timestamp: event.at_ms,
        reason: None,
        connection: None,
        stream: None,
    };
    let payload = match &event.kind {
        MonitorEventKind::SessionCreated => Payload {
            event: "sessionCreated",
            ..payload
        },
        MonitorEventKind::SessionDestroyed => Payload {
            event: "sessionDestroyed",
            ..payload
        },
        MonitorEventKind::ConnectionCreated(connection) => Payload {
            event: "connectionCreated",
            connection: Some(connection.into()),
            ..payload
        },
        MonitorEventKind::ConnectionDestroyed { connection, reason } => Payload {
            event: "connectionDestroyed",
            connection: Some(connection.into()),
            reason: Some(of_opentok(*reason)),
            ..payload
        },
        MonitorEventKind::StreamCreated { stream, connection } => Payload {
            event: "streamCreated",
            stream: Some(Stream::new(stream, connection)),
            ..payload
        },
        MonitorEventKind::StreamDestroyed {
            stream,
            connection,
            reason,
        } => Payload {
            event: "streamDestroyed",
            stream: Some(Stream::new(stream, connection)),
            reason: Some(of_opentok(*reason)),
            ..payload
        },
    };
    serde_json::to_string(&payload).expect("a payload has string keys only")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::session::event::VideoType;

    #[test]
    fn payloads_are_those_of_session_monitoring() {
        let ann = ConnectionInfo {
            connection_id: ConnectionId::random(),
            creation_time: 1_470_257_688_143,
            data: "name=\"Ann\"\u{1f642}".to_owned(),
        };
        let camera = StreamInfo {
            stream_id: StreamId::random(),
            connection_id: ann.connection_id,
            creation_time: 1_470_257_688_200,
            name: "Ann's camera".to_owned(),
            has_audio: true,
            has_video: true,
            video_type: VideoType::Screen,
            width: 640,
            height: 480,
            frame_rate: None,
        };
        let payload_of = |kind| -> Value {
            let event = MonitorEvent {
                session: SessionId::from("2_x"),
                at_ms: 1_470_257_688_309,
                kind,
            };
            serde_json::from_str(&of_event(&event, 123_456)).unwrap()
        };
        let connection = json!({
            "id": ann.connection_id, "createdAt": 1_470_257_688_143_i64, "data": "name=\"Ann\"\u{1f642}",
        });
        let stream = json!({
            "id": camera.stream_id, "connection": connection, "createdAt": 1_470_257_688_200_i64,
            "name": "Ann's camera", "videoType": "screen",
        });
        let body = |event: &str, more: Value| {
            let mut body = json!({
                "sessionId": "2_x", "projectId": "123456", "event": event, "timestamp": 1_470_257_688_309_i64,
            });
            let Value::Object(more) = more else { panic!() };
            body.as_object_mut().unwrap().extend(more);
            body
        };
        for (kind, expected) in [
            (
                MonitorEventKind::SessionCreated,
                body("sessionCreated", json!({})),
            ),
            (
                MonitorEventKind::SessionDestroyed,
                body("sessionDestroyed", json!({})),
            ),
            (
                MonitorEventKind::ConnectionCreated(ann.clone()),
                body("connectionCreated", json!({ "connection": connection })),
            ),
            (
                MonitorEventKind::ConnectionDestroyed {
                    connection: ann.clone(),
                    reason: EndReason::NetworkDisconnected,
                },
                body(
                    "connectionDestroyed",
                    json!({ "connection": connection, "reason": "networkDisconnected" }),
                ),
            ),
            (
                MonitorEventKind::StreamCreated {
                    stream: camera.clone(),
                    connection: ann.clone(),
                },
                body("streamCreated", json!({ "stream": stream })),
            ),
            (
                MonitorEventKind::StreamDestroyed {
                    stream: camera,
                    connection: ann.clone(),
                    reason: EndReason::ForceUnpublished,
                },
                body(
                    "streamDestroyed",
                    json!({ "stream": stream, "reason": "forceUnpublished" }),
                ),
            ),
            (
                MonitorEventKind::ConnectionDestroyed {
                    connection: ann,
                    reason: EndReason::ServerStopping,
                },
                body(
                    "connectionDestroyed",
                    json!({ "connection": connection, "reason": "networkDisconnected" }),
                ),
            ),
        ] {
            assert_eq!(payload_of(kind), expected);
        }
    }
}
