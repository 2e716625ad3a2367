//! Creating sessions, with the gem's recorded replies.

use parlor::opentok::{
    ArchiveMode, Error, MediaMode, OpenTok, Resolution, Role, SessionOptions, TokenOptions,
};

use super::{
    KEY, SECRET, SESSION, client,
    service::{Answer, Service, reply, typed},
};

fn xml() -> Answer {
    typed(
        200,
        "text/xml",
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?><sessions><Session>\
             <session_id>{SESSION}</session_id><partner_id>123456</partner_id>\
             <create_dt>Mon Mar 17 00:41:31 PDT 2014</create_dt></Session></sessions>"
        ),
    )
}

fn json() -> Answer {
    reply(
        200,
        format!(
            r#"[{{"session_id":"{SESSION}","project_id":"123456","partner_id":"123456",
                 "create_dt":"Fri Nov 18 15:50:36 PST 2016","media_server_url":""}}]"#
        ),
    )
}

#[tokio::test]
async fn a_key_may_be_a_number_or_text_and_the_address_the_clouds_or_another() {
    for opentok in [
        OpenTok::new(KEY, SECRET).unwrap(),
        OpenTok::new("123456", SECRET).unwrap(),
    ] {
        assert_eq!(opentok.api_key(), KEY);
        assert_eq!(opentok.api_url(), "https://api.opentok.com");
    }
    let other = OpenTok::builder(KEY, SECRET).api_url("https://meet.example.org/video/");
    assert_eq!(
        other.build().unwrap().api_url(),
        "https://meet.example.org/video"
    );
    for url in [
        "",
        "meet.example.org",
        "ftp://meet.example.org",
        "https://u:p@meet.example.org",
    ] {
        let error = OpenTok::builder(KEY, SECRET)
            .api_url(url)
            .build()
            .unwrap_err();
        assert!(matches!(error, Error::Argument(_)), "{url}");
    }
}

#[tokio::test]
async fn a_session_is_asked_for_in_a_form_and_read_from_xml_and_from_json() {
    for answer in [xml(), json()] {
        let service = Service::start([answer]).await;
        let session = client(&service)
            .create_session(&SessionOptions::default())
            .await
            .unwrap();

        assert_eq!(session.to_string(), SESSION);
        assert_eq!(session.api_key(), KEY);
        assert_eq!(session.media_mode, MediaMode::Routed);
        assert_eq!(session.location, None);
        let request = service.request();
        assert_eq!(request.line, "POST /session/create");
        assert_eq!(
            request.header("content-type"),
            Some("application/x-www-form-urlencoded")
        );
        assert_eq!(request.header("accept"), Some("application/json"));
        assert_eq!(request.body, "p2p.preference=disabled");
    }
}

#[tokio::test]
async fn a_reply_is_read_whatever_its_type_is_called() {
    for content_type in [
        "text/html",
        "application/json;charset=utf-8",
        "text/xml;charset=utf-8",
    ] {
        for answer in [xml(), json()] {
            let Answer::Reply { body, .. } = answer else {
                unreachable!()
            };
            let service = Service::start([typed(200, content_type, body)]).await;
            let session = client(&service)
                .create_session(&SessionOptions::default())
                .await;
            assert_eq!(session.unwrap().to_string(), SESSION, "{content_type}");
        }
    }
}

#[tokio::test]
async fn every_option_is_a_field() {
    let location = Some("12.34.56.78".to_owned());
    for (options, form) in [
        (
            SessionOptions {
                media_mode: MediaMode::Relayed,
                ..SessionOptions::default()
            },
            "p2p.preference=enabled",
        ),
        (
            SessionOptions {
                location: location.clone(),
                ..SessionOptions::default()
            },
            "location=12.34.56.78&p2p.preference=disabled",
        ),
        (
            SessionOptions {
                media_mode: MediaMode::Relayed,
                location: location.clone(),
                ..SessionOptions::default()
            },
            "location=12.34.56.78&p2p.preference=enabled",
        ),
        (
            SessionOptions {
                archive_mode: ArchiveMode::Always,
                archive_name: Some("Jöhn & Co".to_owned()),
                archive_resolution: Some(Resolution::R1280X720),
                ..SessionOptions::default()
            },
            "p2p.preference=disabled&archiveMode=always&archiveName=J%C3%B6hn+%26+Co&archiveResolution=1280x720",
        ),
    ] {
        let service = Service::start([xml()]).await;
        let session = client(&service).create_session(&options).await.unwrap();
        assert_eq!(service.request().body, form);
        assert_eq!(session.media_mode, options.media_mode);
        assert_eq!(session.location, options.location);
        assert_eq!(session.archive_mode, options.archive_mode);
    }
}

#[tokio::test]
async fn a_location_that_is_no_address_is_not_sent() {
    let service = Service::start([]).await;
    let error = client(&service)
        .create_session(&SessionOptions {
            location: Some("Berlin".to_owned()),
            ..SessionOptions::default()
        })
        .await
        .unwrap_err();

    assert!(matches!(error, Error::Validation(_)));
    assert_eq!(error.to_string(), "location must be an IPv4 address");
    assert_eq!(service.requests().len(), 0);
}

#[tokio::test]
async fn the_session_and_the_client_make_tokens_for_it() {
    let service = Service::start([xml()]).await;
    let opentok = client(&service);
    let session = opentok
        .create_session(&SessionOptions::default())
        .await
        .unwrap();

    let options = TokenOptions {
        role: Role::Moderator,
        ..TokenOptions::default()
    };
    for token in [
        session.generate_token(&options).unwrap(),
        opentok
            .generate_token(&session.session_id, &options)
            .unwrap(),
    ] {
        assert!(token.starts_with("T1=="));
    }
}

#[tokio::test]
async fn a_yes_without_a_session_is_not_understood() {
    for body in [
        "",
        "[]",
        "{}",
        "[{\"session_id\":\"\"}]",
        "<html>Welcome</html>",
        "<sessions/>",
    ] {
        let service = Service::start([reply(200, body)]).await;
        let error = client(&service)
            .create_session(&SessionOptions::default())
            .await
            .unwrap_err();
        assert!(matches!(error, Error::Reply(_)), "{body}: {error}");
    }
}
