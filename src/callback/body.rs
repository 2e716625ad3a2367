//! What is posted of a session. OpenTok's session monitoring.

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
struct Body<'a> {
    session_id: &'a SessionId,
    /// Text here, and a number in archives: so it is in OpenTok's.
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

/// The reason in OpenTok's words, which have none for a server that stops: to applications it is a network that is gone.
fn of_opentok(reason: EndReason) -> EndReason {
    match reason {
        EndReason::ServerStopping => EndReason::NetworkDisconnected,
        other => other,
    }
}

/// The JSON of what happened in a session of the project.
pub fn of_report(report: &MonitorEvent, api_key: u32) -> String {
    let body = Body {
        session_id: &report.session,
        project_id: api_key.to_string(),
        event: "",
        timestamp: report.at_ms,
        reason: None,
        connection: None,
        stream: None,
    };
    let body = match &report.kind {
        MonitorEventKind::SessionCreated => Body {
            event: "sessionCreated",
            ..body
        },
        MonitorEventKind::SessionDestroyed => Body {
            event: "sessionDestroyed",
            ..body
        },
        MonitorEventKind::ConnectionCreated(connection) => Body {
            event: "connectionCreated",
            connection: Some(connection.into()),
            ..body
        },
        MonitorEventKind::ConnectionDestroyed { connection, reason } => Body {
            event: "connectionDestroyed",
            connection: Some(connection.into()),
            reason: Some(of_opentok(*reason)),
            ..body
        },
        MonitorEventKind::StreamCreated { stream, connection } => Body {
            event: "streamCreated",
            stream: Some(Stream::new(stream, connection)),
            ..body
        },
        MonitorEventKind::StreamDestroyed {
            stream,
            connection,
            reason,
        } => Body {
            event: "streamDestroyed",
            stream: Some(Stream::new(stream, connection)),
            reason: Some(of_opentok(*reason)),
            ..body
        },
    };
    serde_json::to_string(&body).expect("a body has string keys only")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::session::event::VideoType;

    #[test]
    fn bodies_are_those_of_session_monitoring() {
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
        let told = |kind| -> Value {
            let report = MonitorEvent {
                session: SessionId::from("2_x"),
                at_ms: 1_470_257_688_309,
                kind,
            };
            serde_json::from_str(&of_report(&report, 123_456)).unwrap()
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
            assert_eq!(told(kind), expected);
        }
    }
}
