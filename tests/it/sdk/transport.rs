//! The transport of requests: signature, user agent, timeout, retries of idempotent calls only, and no redirect to another
//! server.

use std::{
    net::TcpListener,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use parlor::opentok::{ArchiveOptions, Error, ListOptions, OpenTok, SessionOptions};
use serde_json::Value;

use super::{
    ARCHIVE, KEY, SECRET, SESSION, archive_2014, client,
    service::{Answer, Request, Service, reply},
    session_id,
};

fn claims(request: &Request, secret: &str) -> Value {
    let mut validation = Validation::new(Algorithm::HS256);
    validation.set_issuer(&["123456", "654321"]);
    let jwt = request.header("x-opentok-auth").unwrap();
    let key = DecodingKey::from_secret(secret.as_bytes());
    decode::<Value>(jwt, &key, &validation).unwrap().claims
}

#[tokio::test]
async fn a_request_is_signed_for_five_minutes_and_says_who_asks() {
    let service = Service::start([reply(200, archive_2014("stopped", ""))]).await;
    client(&service).archives().stop(ARCHIVE).await.unwrap();

    let request = service.request();
    let claims = claims(&request, SECRET);
    assert_eq!(
        (&claims["iss"], &claims["ist"]),
        (&"123456".into(), &"project".into())
    );
    let issued = claims["iat"].as_i64().unwrap();
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs();
    assert!((now.cast_signed() - issued).abs() < 30);
    assert_eq!(claims["exp"].as_i64().unwrap() - issued, 300);
    let name = concat!("Parlor-OpenTok-SDK/", env!("CARGO_PKG_VERSION"));
    assert_eq!(request.header("user-agent"), Some(name));
    assert_eq!(request.header("x-tb-partner-auth"), None);
}

#[tokio::test]
async fn a_client_may_be_used_by_many_tasks_at_once() {
    let answers = (0..8).map(|_| reply(200, archive_2014("available", "")));
    let service = Service::start(answers).await;
    let opentok = client(&service);
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let opentok = opentok.clone();
            tokio::spawn(async move { opentok.archives().find(ARCHIVE).await })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.unwrap().unwrap().id, ARCHIVE);
    }
}

#[tokio::test]
async fn an_application_may_add_its_name() {
    let service = Service::start([reply(404, "")]).await;
    let opentok = OpenTok::builder(KEY, SECRET)
        .api_url(&service.url)
        .user_agent("my-app/1.0")
        .build()
        .unwrap();
    opentok.archives().find(ARCHIVE).await.unwrap_err();
    let request = service.request();
    assert!(
        request
            .header("user-agent")
            .unwrap()
            .ends_with(" my-app/1.0")
    );
}

#[tokio::test]
async fn two_clients_share_nothing() {
    let one = Service::start([reply(404, "")]).await;
    let other = Service::start([reply(404, "")]).await;
    let first = client(&one);
    let second = OpenTok::builder(654_321, "other secret")
        .api_url(&other.url)
        .build()
        .unwrap();

    first.archives().find(ARCHIVE).await.unwrap_err();
    second.archives().find(ARCHIVE).await.unwrap_err();

    assert!(one.request().line.contains("/123456/"));
    assert_eq!(claims(&one.request(), SECRET)["iss"], "123456");
    assert!(other.request().line.contains("/654321/"));
    assert_eq!(claims(&other.request(), "other secret")["iss"], "654321");
}

#[tokio::test]
async fn a_path_in_the_address_is_kept_and_a_slash_at_its_end_dropped() {
    for ending in ["/video", "/video/"] {
        let service = Service::start([reply(404, ""), reply(404, "")]).await;
        let opentok = OpenTok::builder(KEY, SECRET)
            .api_url(format!("{}{ending}", service.url))
            .build()
            .unwrap();
        opentok
            .archives()
            .all(&ListOptions::default())
            .await
            .unwrap_err();
        opentok
            .create_session(&SessionOptions::default())
            .await
            .unwrap_err();
        let requests = service.requests();
        assert_eq!(requests[0].line, "GET /video/v2/project/123456/archive");
        assert_eq!(requests[1].line, "POST /video/session/create");
    }
}

#[tokio::test]
async fn an_idempotent_call_without_a_reply_is_retried_once() {
    for nobody in [
        || Answer::Close,
        || reply(502, ""),
        || reply(503, ""),
        || reply(504, ""),
    ] {
        let service = Service::start([nobody(), reply(200, archive_2014("available", ""))]).await;
        client(&service).archives().find(ARCHIVE).await.unwrap();
        let requests = service.requests();
        assert_eq!(requests.len(), 2);
        assert_eq!(requests[0].line, requests[1].line);
    }
}

#[tokio::test]
async fn a_third_time_is_not_asked() {
    let service = Service::start([
        Answer::Close,
        Answer::Close,
        reply(200, archive_2014("available", "")),
    ])
    .await;
    let error = client(&service).archives().find(ARCHIVE).await.unwrap_err();
    assert!(matches!(
        error,
        Error::Connection {
            timed_out: false,
            ..
        }
    ));
    assert!(error.is_temporary());
    assert!(
        error
            .to_string()
            .starts_with("Failed to connect to OpenTok: ")
    );
    assert_eq!(service.requests().len(), 2);
}

#[tokio::test]
async fn a_call_with_effects_is_never_retried_after_it_was_sent() {
    for nobody in [|| Answer::Close, || reply(503, "")] {
        let service = Service::start([nobody(), nobody(), nobody()]).await;
        let opentok = client(&service);
        let archives = opentok.archives();
        archives
            .start(&session_id(), &ArchiveOptions::default())
            .await
            .unwrap_err();
        archives.stop(ARCHIVE).await.unwrap_err();
        opentok
            .create_session(&SessionOptions::default())
            .await
            .unwrap_err();
        assert_eq!(service.requests().len(), 3);
    }
}

#[tokio::test]
async fn a_404_on_the_retry_of_a_deletion_is_success() {
    let service =
        Service::start([Answer::Close, reply(404, ""), Answer::Close, reply(404, "")]).await;
    let opentok = client(&service);
    opentok.archives().delete(ARCHIVE).await.unwrap();
    opentok.force_disconnect(&session_id(), "C1").await.unwrap();
    assert_eq!(service.requests().len(), 4);
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_not_waited_for_twice() {
    let service = Service::start([Answer::Silence, Answer::Silence]).await;
    let opentok = OpenTok::builder(KEY, SECRET)
        .api_url(&service.url)
        .timeout(Duration::from_millis(200))
        .build()
        .unwrap();
    let error = opentok.archives().find(ARCHIVE).await.unwrap_err();
    assert!(matches!(
        error,
        Error::Connection {
            timed_out: true,
            ..
        }
    ));
    // None if the machine was too busy to deliver the first request in time.
    assert!(service.requests().len() < 2);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named_as_the_cause() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    let opentok = OpenTok::builder(KEY, SECRET).api_url(url).build().unwrap();
    let error = opentok
        .create_session(&SessionOptions::default())
        .await
        .unwrap_err();
    let Error::Connection { cause, timed_out } = error else {
        panic!("{error:?}");
    };
    assert!(cause.contains("refused"), "{cause}");
    assert!(!timed_out);
}

#[tokio::test]
async fn a_signed_request_does_not_follow_a_redirect_to_another_server() {
    let other = Service::start([]).await;
    let moved = |to: String| Answer::Reply {
        status: 307,
        headers: vec![("Location", to)],
        body: String::new(),
    };
    let service = Service::start([
        moved("/elsewhere".to_owned()),
        reply(200, archive_2014("available", "")),
        moved(format!("{}/elsewhere", other.url)),
    ])
    .await;
    let opentok = client(&service);

    opentok.archives().find(ARCHIVE).await.unwrap();
    assert_eq!(service.requests()[1].line, "GET /elsewhere");
    let error = opentok.archives().find(ARCHIVE).await.unwrap_err();
    assert_eq!(error.status(), Some(307));
    assert_eq!(other.requests().len(), 0);
}

#[tokio::test]
async fn a_reply_without_end_is_not_read_to_its_end() {
    let service = Service::start([reply(200, "x".repeat(17 * 1024 * 1024))]).await;
    let error = client(&service).archives().find(ARCHIVE).await.unwrap_err();
    assert!(matches!(error, Error::Reply(_)), "{error}");
    assert_eq!(service.requests().len(), 1);
}

#[tokio::test]
async fn the_secret_is_in_nothing_that_is_shown() {
    let service = Service::start([
        reply(200, format!(r#"[{{"session_id":"{SESSION}"}}]"#)),
        reply(200, archive_2014("started", "")),
        reply(403, ""),
    ])
    .await;
    let opentok = client(&service);
    let session = opentok
        .create_session(&SessionOptions::default())
        .await
        .unwrap();
    let archive = opentok.archives().find(ARCHIVE).await.unwrap();
    let error = opentok.archives().find(ARCHIVE).await.unwrap_err();

    for shown in [
        format!("{opentok:?}"),
        format!("{:?}", opentok.archives()),
        format!("{session:?}"),
        format!("{archive:?}"),
        format!("{error:?} {error}"),
    ] {
        assert!(!shown.contains(SECRET), "{shown}");
        assert!(!shown.contains("eyJ"), "{shown}");
    }
}
