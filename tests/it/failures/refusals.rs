//! What the pages refuse, with a sentence.

use reqwest::StatusCode;
use serde_json::Value;

use crate::people::{MODERATOR, Parlor};

#[tokio::test(flavor = "multi_thread")]
async fn a_room_is_recorded_once_and_says_by_whom() {
    let parlor = Parlor::start().await;
    let moderator = parlor.moderator().await;
    let id = moderator.starts_archive("main").await;

    let (status, problem) = moderator.ask("/archives", &[("room", "main")]).await;
    assert_eq!(status, 409);
    assert_eq!(
        problem["cause"],
        format!(
            "This room is already being recorded: {} started it just now.",
            MODERATOR.0
        )
    );
    let (status, problem) = moderator.ask(&format!("/archives/{id}/delete"), &[]).await;
    assert_eq!(status, 409);
    let cause = "This archive is still being recorded; stop it first.";
    assert_eq!(problem["cause"], cause);
    let (status, problem) = moderator.ask("/rooms/main/delete", &[]).await;
    assert_eq!(status, 409);
    assert_ne!(problem["cause"], Value::Null);

    moderator.stops_archive(id).await;
    let (status, problem) = moderator.ask(&format!("/archives/{id}/stop"), &[]).await;
    assert_eq!(status, 409);
    let cause = "This archive is no longer being recorded.";
    assert_eq!(problem["cause"], cause);
    let (status, _) = moderator.ask(&format!("/archives/{id}/delete"), &[]).await;
    assert_eq!(status, 200);
    for what in ["stop", "delete"] {
        let (status, _) = moderator.ask(&format!("/archives/{id}/{what}"), &[]).await;
        assert_eq!(status, 404, "{what}");
    }
    parlor.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_who_start_or_stop_at_once_get_one_archive() {
    let parlor = Parlor::start().await;
    let moderator = parlor.moderator().await;
    let room = [("room", "main")];
    // The token is made when the first page is shown.
    moderator.csrf().await;
    let tries = [0; 4].map(|_| moderator.ask("/archives", &room));
    let started = futures_util::future::join_all(tries).await;
    let mut statuses: Vec<u16> = started.iter().map(|(status, _)| *status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409, 409, 409]);

    let (_, archive) = started.iter().find(|(status, _)| *status == 201).unwrap();
    let stop = format!("/archives/{}/stop", archive["id"].as_str().unwrap());
    let tries = [0; 4].map(|_| moderator.ask(&stop, &[]));
    let stopped = futures_util::future::join_all(tries).await;
    let mut statuses: Vec<u16> = stopped.iter().map(|(status, _)| *status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409, 409, 409]);
    parlor.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_is_asked_for_is_an_error_of_the_server() {
    let parlor = Parlor::start().await;
    let moderator = parlor.moderator().await;
    let long = "x".repeat(2_000);
    let ids = [
        "00000000-0000-4000-8000-000000000000",
        "0",
        "-1",
        "..",
        "%2e%2e%2fparlor.db",
        "%00",
        "%ff%fe",
        "'%20OR%201=1",
        "%F0%9F%8E%A5",
        "null",
        &long,
    ];
    for id in ids {
        for path in [
            format!("/rooms/{id}"),
            format!("/rooms/{id}/host"),
            format!("/rooms/{id}/status"),
            format!("/archives/{id}"),
            format!("/archives/{id}/files/archive.mp4"),
            format!("/archives/00000000-0000-4000-8000-000000000000/files/{id}"),
            format!("/download/{id}"),
            format!("/static/{id}"),
            format!("/static/css/{id}"),
            format!("/{id}/x"),
        ] {
            let status = moderator.get(&path).await.status();
            // The client itself resolves `..`: these may be pages.
            let is_resolved = id == "..";
            assert!(
                status == StatusCode::NOT_FOUND || is_resolved && !status.is_server_error(),
                "{path}: {status}"
            );
        }
        for path in [
            format!("/rooms/{id}/join"),
            format!("/rooms/{id}/host/join"),
            format!("/rooms/{id}/rename"),
            format!("/rooms/{id}/delete"),
            format!("/archives/{id}/stop"),
            format!("/archives/{id}/delete"),
        ] {
            let answer = moderator.post(&path, &[("name", "x")]).await;
            assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
        }
        let answer = moderator.post("/archives", &[("room", id)]).await;
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{id}");
    }
    for query in [
        "page=0",
        "page=2",
        "page=99999999999999999999",
        "page=-1",
        "page=x",
        "page=%ff",
        "from=x&q=y",
        "status=nonsense",
        "q=%00%25_'%22*",
        "q=%ff",
    ] {
        let status = moderator.get(&format!("/history?{query}")).await.status();
        assert!(!status.is_server_error(), "{query}: {status}");
        let numbers = ["page=0", "page=2"];
        assert!(!numbers.contains(&query) || status == StatusCode::NOT_FOUND);
    }
    parlor.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_is_too_large_or_no_form_is_refused() {
    let parlor = Parlor::start().await;
    let moderator = parlor.moderator().await;
    for length in [17 * 1024, 300 * 1024] {
        let name = "x".repeat(length);
        for path in ["/rooms", "/rooms/main/join", "/sign-in"] {
            let (status, problem) = moderator.ask(path, &[("name", &name)]).await;
            assert_eq!(status, 413, "{path}: {length}");
            let cause = "That's too long.";
            assert_eq!(problem["cause"], cause);
        }
    }
    let csrf = moderator.csrf().await;
    let bodies: [&[u8]; 4] = [b"", b"\xff\xfe", b"{\"name\":\"x\"}", b"name=%ff%00"];
    for body in bodies {
        let request = moderator.request("POST", "/rooms/main/join");
        let request = request.header("X-CSRF-Token", &csrf).body(body);
        let status = request.send().await.unwrap().status();
        assert_eq!(status, StatusCode::BAD_REQUEST, "{body:?}");
    }
    let too_long = "x".repeat(200);
    for name in ["", "   ", "\u{0}", too_long.as_str()] {
        let (status, problem) = moderator.ask("/rooms/main/join", &[("name", name)]).await;
        assert_eq!(status, 400, "{name}");
        assert_ne!(problem["cause"], Value::Null);
    }
    parlor.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_guesses_passwords_has_to_wait() {
    let parlor = Parlor::start().await;
    let moderator = parlor.moderator().await;
    let somebody = parlor.anonymous();
    let attempt = |password| [("name", MODERATOR.0), ("password", password)];
    let mut statuses = Vec::new();
    for _ in 0..10 {
        let answer = somebody.post("/sign-in", &attempt("guess")).await;
        statuses.push(answer.status().as_u16());
    }
    assert_eq!(statuses[..8], [401; 8]);
    assert_eq!(statuses[8..], [429; 2]);
    // Also with the right password, or guesses would be told from hits.
    let answer = somebody.post("/sign-in", &attempt(MODERATOR.1)).await;
    assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
    let told = answer.text().await.unwrap();
    assert!(told.contains("Try again in 1 minute, or ask your administrator"));
    // Who is signed in already notices nothing.
    assert_eq!(moderator.get("/host").await.status(), StatusCode::OK);
    parlor.server.stop().await;
}
