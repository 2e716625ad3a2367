//! Requests that are unusual, or no requests.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use reqwest::header::{CONNECTION, DATE, SET_COOKIE};

use crate::{
    people::{Parlor, Visitor},
    process::{Data, Process},
};

#[tokio::test(flavor = "multi_thread")]
async fn head_answers_as_get_does_without_a_body() {
    let parlor = Parlor::start().await;
    let moderator = parlor.moderator().await;
    for path in [
        "/",
        "/participant",
        "/history",
        "/history?page=abc",
        "/nowhere",
        "/download/nothing",
        "/static/css/theme.css",
        "/v2/js/opentok.js",
        "/healthz",
        "/rooms/main/status",
        "/v2/project/1/archive",
        "/session/create",
    ] {
        let get = moderator.get(path).await;
        let head = moderator.request("HEAD", path).send().await.unwrap();
        assert_eq!(head.status(), get.status(), "{path}");
        let headers = |answer: &reqwest::Response| {
            let mut headers = answer.headers().clone();
            for changing in [DATE, SET_COOKIE, CONNECTION] {
                headers.remove(changing);
            }
            headers
        };
        let mut expected = headers(&get);
        // The pages carry a token of their own each time.
        if path == "/participant" {
            expected.insert("content-length", head.headers()["content-length"].clone());
        }
        assert_eq!(headers(&head), expected, "{path}");
        assert!(!get.bytes().await.unwrap().is_empty(), "{path}");
        assert!(head.bytes().await.unwrap().is_empty(), "{path}");
    }
    // A stream of events that never ends on its own.
    let events = moderator.request("HEAD", "/archives/events").send().await;
    let events = events.unwrap();
    assert_eq!(events.headers()["content-type"], "text/event-stream");
    assert_eq!(moderator.get("/").await.status().as_u16(), 200);
    parlor.server.stop().await;
}

/// Sends bytes that are no request, and waits for the answer.
fn send_garbage(address: &str, bytes: &[u8]) {
    let mut stranger = TcpStream::connect(address).unwrap();
    stranger.write_all(bytes).unwrap();
    let mut answer = String::new();
    stranger.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_cannot_fill_the_log_with_malformed_requests() {
    for (filter, lines) in [("info", 0), ("debug", 2)] {
        let data = Data::with_moderator().await;
        let server = Process::start(&data.path(), &["--log", filter]);
        let address = server.base.strip_prefix("http://").unwrap().to_owned();
        for _ in 0..20 {
            send_garbage(&address, b"garbage\r\n\r\n");
            send_garbage(&address, b"GET / HTTP/9\r\n\r\n");
        }
        let metrics = Visitor::at(&server.base).page("/metrics").await;
        let counted = "\nparlor_http_malformed_requests_total 40\n";
        assert!(metrics.contains(counted), "{metrics}");
        server.ask_to_stop();
        let (_, log) = server.ended();
        let shown = log
            .lines()
            .filter(|line| line.contains("request parse error"));
        assert_eq!(shown.count(), lines, "{log}");
    }
}
