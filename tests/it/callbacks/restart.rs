//! Webhooks of the real program: earlier events are delivered after `kill -9`, after a shutdown, and on a machine without certificates.

use std::time::Duration;

use parlor::opentok::{OpenTok, Session, SessionOptions};
use serde_json::{Value, json};

use super::receiver::Receiver;
use crate::{
    api::world::{KEY, SECRET},
    client::{Part, Participant},
    people::nobodys_port,
    process::{Data, Process},
};

fn start(data: &Data) -> (Process, OpenTok) {
    start_under(&[], data)
}

pub fn start_under(prefix: &[&str], data: &Data) -> (Process, OpenTok) {
    let key = KEY.to_string();
    let flags = [
        "--min-free-mib",
        "1",
        "--api-key",
        &key,
        "--api-secret",
        SECRET,
        "--callback-allow-private",
    ];
    let server = Process::start_under(prefix, &data.path(), &flags);
    let sdk = OpenTok::builder(KEY, SECRET).api_url(&server.base);
    let sdk = sdk.build().unwrap();
    (server, sdk)
}

/// Registers a URL for all topics.
pub fn listen(data: &Data, url: &str) {
    let (key, data) = (KEY.to_string(), data.path());
    let words = [
        "keys",
        "callback",
        "--data",
        data.to_str().unwrap(),
        &key,
        url,
        "--callback-allow-private",
    ];
    Process::output_of(&words);
}

pub async fn enter(server: &Process, session: &Session) -> Participant {
    let token = session.generate_token(&Default::default()).unwrap();
    let pass = json!({ "sessionId": session.session_id, "token": token });
    Participant::enter(&server.base, pass, Part::Publisher).await
}

/// Waits until this number of events wait and one attempt has failed.
pub async fn until_waiting(server: &Process, wanted: u64) {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    for _ in 0..3_000 {
        let text = http
            .get(format!("{}/metrics", server.base))
            .send()
            .await
            .unwrap();
        let text = text.text().await.unwrap();
        let meter = |name: &str| -> u64 {
            let (_, rest) = text
                .split_once(&format!("\nparlor_callbacks_{name} "))
                .unwrap();
            rest.lines().next().unwrap().parse().unwrap()
        };
        if meter("waiting") >= wanted && meter("failed_total") > 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("fewer events wait than {wanted}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_loses_no_event() {
    let data = Data::empty();
    let (server, sdk) = start(&data);
    // Nobody listens there yet.
    let (reserved, address) = nobodys_port();
    let url = format!("http://{address}/events?token=not-for-the-log");
    listen(&data, &url);

    let session = sdk
        .create_session(&SessionOptions::default())
        .await
        .unwrap();
    let person = enter(&server, &session).await;
    let archive = sdk
        .archives()
        .start(&session.session_id, &Default::default())
        .await
        .unwrap();
    let mut person = person;
    let before = person.sent().len();
    person.until(|diary| diary.sent.len() > before + 80).await;
    until_waiting(&server, 4).await;
    let log = server.kill();
    drop(person);
    assert!(log.contains("Delivering a callback event failed"), "{log}");

    let listener = reserved.listen(100).unwrap().into_std();
    let receiver = Receiver::at(listener.unwrap());
    let (server, sdk) = start(&data);
    let heard = receiver
        .until(|heard| heard.iter().any(|d| d.body["status"] == "available"))
        .await;
    let told = |is_archive: bool| -> Vec<Value> {
        let wanted = heard
            .iter()
            .filter(|d| (d.event() == "archive") == is_archive);
        wanted.map(|d| d.body.clone()).collect()
    };
    let events: Vec<_> = told(false).iter().map(|b| b["event"].clone()).collect();
    assert_eq!(
        events,
        ["sessionCreated", "connectionCreated", "streamCreated"]
    );
    let statuses: Vec<_> = told(true).iter().map(|b| b["status"].clone()).collect();
    assert_eq!(statuses, ["started", "stopped", "available"]);
    assert!(told(true).iter().all(|b| b["id"] == *archive.id));
    assert!(heard.iter().all(|d| d.is_signed_with(SECRET)));
    assert!(
        heard
            .iter()
            .all(|d| d.path == "/events?token=not-for-the-log")
    );

    // Now in order, with somebody in a session: what that means is told by this server or by the next one.
    let before = heard.len();
    let session = sdk
        .create_session(&SessionOptions::default())
        .await
        .unwrap();
    let _person = enter(&server, &session).await;
    receiver.until(|heard| heard.len() >= before + 3).await;
    server.ask_to_stop();
    let (status, later) = server.ended();
    assert!(status.success(), "{later}");
    let (server, _) = start(&data);
    let heard = receiver.until_taken("sessionDestroyed").await;
    let events: Vec<_> = heard[before..]
        .iter()
        .map(|d| (d.event(), &d.body["reason"]))
        .collect();
    let stopping = json!("networkDisconnected");
    assert_eq!(
        events,
        [
            ("sessionCreated", &Value::Null),
            ("connectionCreated", &Value::Null),
            ("streamCreated", &Value::Null),
            ("streamDestroyed", &stopping),
            ("connectionDestroyed", &stopping),
            ("sessionDestroyed", &Value::Null),
        ]
    );
    let mut ids: Vec<_> = heard.iter().map(|d| d.id.clone()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), heard.len(), "each came once");
    for log in [log, later, server.log()] {
        assert!(
            !log.contains(SECRET) && !log.contains("not-for-the-log"),
            "{log}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_without_certificates_starts_and_posts_where_none_are_needed() {
    let data = Data::empty();
    let nothing = ["env", "SSL_CERT_FILE=/nowhere", "SSL_CERT_DIR=/nowhere"];
    let (server, sdk) = start_under(&nothing, &data);
    let receiver = Receiver::start();
    listen(&data, &receiver.url);
    let session = sdk
        .create_session(&SessionOptions::default())
        .await
        .unwrap();
    let _person = enter(&server, &session).await;
    receiver.until_taken("connectionCreated").await;
    assert!(server.log().contains("ca-certificates"));
}
