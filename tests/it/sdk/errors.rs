//! The error of each call for each refusal of the server, with the gem's sentences.

use std::time::Duration;

use parlor::opentok::{
    ArchiveOptions, Error, Layout, LayoutType, ListOptions, OpenTok, SessionId, SessionOptions,
    Signal, StreamMedia,
};

use super::{
    ARCHIVE, client,
    service::{Answer, Service, reply, typed},
    session_id,
};

/// The error's variant.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Authentication,
    Archive,
    Refused,
}
use Kind::{Archive, Authentication, Refused};

const COMPLAINT: &str = r#"{"code":-1,"message":"No","description":"Because"}"#;

/// Checks status, kind and sentence of each row with `call`.
async fn check<T, F>(rows: &[(u16, Kind, &str)], call: F)
where
    F: AsyncFn(OpenTok) -> Result<T, Error>,
{
    let answers = rows.iter().map(|(status, ..)| reply(*status, COMPLAINT));
    let service = Service::start(answers.collect::<Vec<_>>()).await;
    let opentok = client(&service);
    for &(status, kind, sentence) in rows {
        let Err(error) = call(opentok.clone()).await else {
            panic!("{status} is a success");
        };
        let found = match &error {
            Error::Authentication(_) => Authentication,
            Error::Archive(_) => Archive,
            Error::Refused(_) => Refused,
            other => panic!("{status}: {other:?}"),
        };
        assert_eq!(
            (found, error.to_string().as_str()),
            (kind, sentence),
            "{status}"
        );
        let refusal = error.refusal().unwrap();
        assert_eq!((error.status(), refusal.code), (Some(status), Some(-1)));
        assert_eq!(refusal.reason.as_deref(), Some("No"));
    }
}

#[tokio::test]
async fn create_session() {
    check(
        &[
            (400, Refused, "Failed to create session. Response code: 400"),
            (
                401,
                Authentication,
                "Authentication failed while creating a session. API Key: 123456",
            ),
            (
                403,
                Authentication,
                "Authentication failed while creating a session. API Key: 123456",
            ),
            (404, Refused, "Failed to create session. Response code: 404"),
            (409, Refused, "Failed to create session. Response code: 409"),
            (500, Refused, "Failed to create session. Response code: 500"),
        ],
        async |opentok: OpenTok| opentok.create_session(&SessionOptions::default()).await,
    )
    .await;
}

#[tokio::test]
async fn start_archive() {
    check(
        &[
            (400, Archive, "The archive could not be started. The request was invalid or the session has no connected clients."),
            (401, Authentication, "Authentication failed while starting an archive. API Key: 123456"),
            (403, Authentication, "Authentication failed while starting an archive. API Key: 123456"),
            (404, Archive, "The archive could not be started. The Session ID does not exist: SESSIONID"),
            (409, Archive, "The archive could not be started. The session could be peer-to-peer or the session is already being recorded."),
            (500, Archive, "The archive could not be started"),
        ],
        async |opentok: OpenTok| {
            let session = SessionId::from("SESSIONID");
            opentok.archives().start(&session, &ArchiveOptions::default()).await
        },
    )
    .await;
}

#[tokio::test]
async fn find_archive() {
    let invalid =
        format!("The archive could not be retrieved. The Archive ID was invalid: {ARCHIVE}");
    check(
        &[
            (400, Archive, &invalid),
            (
                401,
                Authentication,
                "Authentication failed while retrieving an archive. API Key: 123456",
            ),
            (
                403,
                Authentication,
                "Authentication failed while retrieving an archive. API Key: 123456",
            ),
            (404, Archive, "The archive could not be retrieved."),
            (409, Archive, "The archive could not be retrieved."),
            (500, Archive, "The archive could not be retrieved."),
        ],
        async |opentok: OpenTok| opentok.archives().find(ARCHIVE).await,
    )
    .await;
}

#[tokio::test]
async fn list_archives() {
    check(
        &[
            (400, Archive, "The archives could not be retrieved."),
            (
                401,
                Authentication,
                "Authentication failed while retrieving archives. API Key: 123456",
            ),
            (
                403,
                Authentication,
                "Authentication failed while retrieving archives. API Key: 123456",
            ),
            (404, Archive, "The archives could not be retrieved."),
            (500, Archive, "The archives could not be retrieved."),
        ],
        async |opentok: OpenTok| opentok.archives().all(&ListOptions::default()).await,
    )
    .await;
}

#[tokio::test]
async fn stop_archive() {
    let unknown =
        format!("The archive could not be stopped. The Archive ID does not exist: {ARCHIVE}");
    check(
        &[
            (
                400,
                Archive,
                "The archive could not be stopped. The request was invalid.",
            ),
            (
                401,
                Authentication,
                "Authentication failed while stopping an archive. API Key: 123456",
            ),
            (
                403,
                Authentication,
                "Authentication failed while stopping an archive. API Key: 123456",
            ),
            (404, Archive, &unknown),
            (
                409,
                Archive,
                "The archive could not be stopped. The archive is not currently recording.",
            ),
            (500, Archive, "The archive could not be stopped."),
        ],
        async |opentok: OpenTok| opentok.archives().stop(ARCHIVE).await,
    )
    .await;
}

#[tokio::test]
async fn delete_archive() {
    let authentication = format!(
        "Authentication failed or an invalid Archive ID was given while deleting an archive. API Key: 123456, Archive ID: {ARCHIVE}"
    );
    let conflict = format!(
        "The archive could not be deleted. The status must be 'available', 'deleted', or 'uploaded'. Archive ID: {ARCHIVE}"
    );
    check(
        &[
            (400, Archive, "The archive could not be deleted."),
            (401, Authentication, &authentication),
            (403, Authentication, &authentication),
            (404, Archive, "The archive could not be deleted."),
            (409, Archive, &conflict),
            (500, Archive, "The archive could not be deleted."),
        ],
        async |opentok: OpenTok| opentok.archives().delete(ARCHIVE).await,
    )
    .await;
}

#[tokio::test]
async fn change_an_archives_layout_and_streams() {
    let unknown = format!("There is no such archive or stream. Archive ID: {ARCHIVE}");
    let layout = "The archive's layout could not be set.";
    check(
        &[
            (400, Archive, &format!("{layout} The request was invalid.")),
            (
                403,
                Authentication,
                "Authentication failed while setting an archive's layout. API Key: 123456",
            ),
            (404, Archive, &format!("{layout} {unknown}")),
            (500, Archive, layout),
        ],
        async |opentok: OpenTok| {
            let pip = Layout::new(LayoutType::Pip);
            opentok.archives().set_layout(ARCHIVE, &pip).await
        },
    )
    .await;

    let streams = "The archive's streams could not be changed.";
    let rows = [
        (
            400,
            Archive,
            &*format!("{streams} The request was invalid."),
        ),
        (
            403,
            Authentication,
            "Authentication failed while changing an archive's streams. API Key: 123456",
        ),
        (404, Archive, &format!("{streams} {unknown}")),
        (
            405,
            Archive,
            &format!("{streams} Its stream mode is not manual."),
        ),
        (500, Archive, streams),
    ];
    check(&rows, async |opentok: OpenTok| {
        let media = StreamMedia::default();
        opentok.archives().add_stream(ARCHIVE, "S", media).await
    })
    .await;
    check(&rows, async |opentok: OpenTok| {
        opentok.archives().remove_stream(ARCHIVE, "S").await
    })
    .await;
}

#[tokio::test]
async fn send_a_signal() {
    let rows = [
        (
            400,
            Refused,
            "The signal could not be sent. The session, the connection, the type or the data is not valid.",
        ),
        (
            403,
            Authentication,
            "The signal could not be sent. Authentication failed. API Key: 123456",
        ),
        (
            404,
            Refused,
            "The signal could not be sent. No client is connected.",
        ),
        (
            413,
            Refused,
            "The signal could not be sent. The type is longer than 128 bytes or the data than 8 KiB.",
        ),
        (
            500,
            Refused,
            "The signal could not be sent. Response code: 500",
        ),
    ];
    let signal = Signal::default();
    check(&rows, async |opentok: OpenTok| {
        opentok.signal(&session_id(), &signal).await
    })
    .await;
    check(&rows, async |opentok: OpenTok| {
        opentok.signal_connection(&session_id(), "C", &signal).await
    })
    .await;
}

#[tokio::test]
async fn moderate_and_look_into_a_session() {
    fn rows(failure: &str) -> [(u16, Kind, String); 5] {
        [
            (400, Refused, format!("{failure} The request was invalid.")),
            (
                401,
                Authentication,
                format!("{failure} Authentication failed. API Key: 123456"),
            ),
            (
                403,
                Authentication,
                format!("{failure} Authentication failed. API Key: 123456"),
            ),
            (
                404,
                Refused,
                format!("{failure} There is no such session, connection or stream."),
            ),
            (408, Refused, format!("{failure} Response code: 408")),
        ]
    }
    async fn check_all<T>(failure: &str, call: impl AsyncFn(OpenTok) -> Result<T, Error>) {
        let rows = rows(failure);
        let rows: Vec<_> = rows
            .iter()
            .map(|(status, kind, text)| (*status, *kind, text.as_str()))
            .collect();
        check(&rows, call).await;
    }

    let session = &session_id();
    check_all("The client could not be disconnected.", async |opentok| {
        opentok.force_disconnect(session, "C").await
    })
    .await;
    check_all("The stream could not be muted.", async |opentok| {
        opentok.force_mute_stream(session, "S").await
    })
    .await;
    check_all("The session could not be muted.", async |opentok| {
        opentok.force_mute_all(session, &[]).await
    })
    .await;
    check_all("The session could not be unmuted.", async |opentok| {
        opentok.disable_force_mute(session).await
    })
    .await;
    check_all("The streams could not be listed.", async |opentok| {
        opentok.streams(session).await
    })
    .await;
    check_all("The stream could not be retrieved.", async |opentok| {
        opentok.stream(session, "S").await
    })
    .await;
    check_all(
        "The streams' layout classes could not be set.",
        async |opentok| opentok.set_stream_classes(session, &[]).await,
    )
    .await;
    check_all("The connections could not be listed.", async |opentok| {
        opentok.connections(session).await
    })
    .await;
}

#[tokio::test]
async fn the_servers_own_words_are_kept_from_json_and_from_xml() {
    let long = format!(r#"{{"code":"x","message":"{}"}}"#, "ä".repeat(5000));
    for (body, code, reason) in [
        (
            r#"{"code":15008,"message":"not routed"}"#,
            Some(15_008),
            Some("not routed".to_owned()),
        ),
        (
            r#"{"code":404,"description":"gone"}"#,
            Some(404),
            Some("gone".to_owned()),
        ),
        (
            "<errorPayload><code>-1</code><message>bad</message></errorPayload>",
            Some(-1),
            Some("bad".to_owned()),
        ),
        (
            r#"<error code="-1"><E message="bad"/></error>"#,
            Some(-1),
            Some("bad".to_owned()),
        ),
        (&*long, None, Some("ä".repeat(500))),
        ("<html>Bad gateway", None, None),
        ("null", None, None),
        ("", None, None),
    ] {
        let service = Service::start([typed(400, "text/plain", body)]).await;
        let error = client(&service).archives().find(ARCHIVE).await.unwrap_err();
        let refusal = error.refusal().unwrap();
        assert_eq!((refusal.code, &refusal.reason), (code, &reason), "{body}");
    }
}

#[tokio::test]
async fn a_server_that_is_too_busy_says_for_how_long() {
    let busy = Answer::Reply {
        status: 429,
        headers: vec![("Retry-After", "7".to_owned())],
        body: String::new(),
    };
    let service = Service::start([busy]).await;
    let error = client(&service).archives().find(ARCHIVE).await.unwrap_err();

    assert_eq!(error.status(), Some(429));
    assert!(error.is_temporary());
    let wait = error.refusal().unwrap().retry_after;
    assert_eq!(wait, Some(Duration::from_secs(7)));
}

#[tokio::test]
async fn a_permanent_error_is_not_temporary() {
    for (status, temporary) in [
        (400, false),
        (403, false),
        (404, false),
        (501, false),
        (500, true),
    ] {
        let service = Service::start([reply(status, "")]).await;
        let error = client(&service).archives().stop(ARCHIVE).await.unwrap_err();
        assert_eq!(error.is_temporary(), temporary, "{status}");
    }
}
