//! `POST /session/create`.

use parlor::{
    opentok::{MediaMode, Session, SessionId, SessionOptions},
    project,
};
use reqwest::Method;
use serde_json::Value;

use super::world::{KEY, World, error};

#[tokio::test]
async fn a_session_is_answered_in_xml_unless_json_is_accepted() {
    let world = World::start().await;
    for path in ["/session/create", "/hl/session/create"] {
        for accept in [None, Some("*/*"), Some("text/xml")] {
            let mut call = world.call(Method::POST, path);
            if let Some(accept) = accept {
                call = call.header("accept", accept);
            }
            let reply = call.form(&[("p2p.preference", "enabled")]).send().await;
            let reply = reply.unwrap();
            assert_eq!(reply.status(), 200);
            assert_eq!(reply.headers()["content-type"], "text/xml");
            let body = reply.text().await.unwrap();
            let id = body
                .strip_prefix(
                    "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\
                     <sessions><Session><session_id>",
                )
                .and_then(|rest| rest.split_once("</session_id><partner_id>123456</partner_id>"))
                .unwrap();
            assert!(id.1.starts_with("<create_dt>"), "{body}");
            assert!(id.1.ends_with("</create_dt></Session></sessions>"));
            assert!(Session::belongs_to_api_key(&SessionId::from(id.0), KEY));
        }

        let call = world
            .call(Method::POST, path)
            .header("accept", "application/json, text/plain");
        let reply = call.send().await.unwrap();
        assert_eq!(reply.status(), 200);
        assert_eq!(reply.headers()["content-type"], "application/json");
        let body: Value = serde_json::from_str(&reply.text().await.unwrap()).unwrap();
        let sessions = body.as_array().unwrap();
        assert_eq!(sessions.len(), 1);
        for (field, value) in [("project_id", "123456"), ("partner_id", "123456")] {
            assert_eq!(sessions[0][field], value);
        }
        assert!(
            sessions[0]["session_id"]
                .as_str()
                .unwrap()
                .starts_with("2_")
        );
    }
    world.server.stop().await;
}

#[tokio::test]
async fn sessions_are_stored_with_their_options() {
    let world = World::start().await;
    for media_mode in [MediaMode::Routed, MediaMode::Relayed] {
        let options = SessionOptions {
            media_mode,
            location: Some("12.34.56.78".to_owned()),
            ..SessionOptions::default()
        };
        let session = world.sdk.create_session(&options).await.unwrap();
        let record = project::find_session(world.server.app().db(), &session.session_id)
            .await
            .unwrap()
            .unwrap();
        assert_eq!((record.api_key, record.media_mode), (KEY, media_mode));
    }
    world.server.stop().await;
}

#[tokio::test]
async fn invalid_sessions_are_refused() {
    let world = World::start().await;
    for (form, status) in [
        ("location=nowhere", 400),
        ("p2p.preference=perhaps", 400),
        ("archiveMode=always&p2p.preference=enabled", 400),
        ("archiveName=talk", 400),
        ("archiveMode=always&archiveResolution=1x1", 400),
        ("e2ee=true", 501),
    ] {
        let call = world.call(Method::POST, "/session/create").body(form);
        error(call.send().await.unwrap(), status).await;
    }
    world.server.stop().await;
}
