//! Nobody learns a secret from the log.

use serde_json::Value;

use crate::{
    client::{Part, Participant},
    people::{MODERATOR, Moderator, Visitor, between, is_available},
    process::{Data, Process},
};

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_not_logged_however_much_is_logged() {
    let data = Data::empty();
    let keys = [
        "--api-key",
        "123456",
        "--api-secret",
        "swordfish-of-the-deep",
    ];
    let rest = ["--log", "debug", "--min-free-mib", "1"];
    let mut server = Process::start(&data.path(), &[keys, rest].concat());
    let mut secrets = vec!["swordfish-of-the-deep".to_owned(), MODERATOR.1.to_owned()];

    let line = server.line_with("/sign-in?link=");
    let (_, link) = line.trim().split_once("link=").unwrap();
    let (name, password) = MODERATOR;
    let first = Visitor::at(&server.base);
    first.page(&format!("/sign-in?link={link}")).await;
    let form = [("name", name), ("password", password), ("link", link)];
    first.post("/sign-in", &form).await;
    secrets.push(link.to_owned());

    let moderator = Moderator::at(&server.base).await;
    let wrong = [("name", name), ("password", "a wrong guess of it")];
    first.post("/sign-in", &wrong).await;
    secrets.push("a wrong guess".to_owned());
    secrets.push("a+wrong+guess".to_owned());
    secrets.push(moderator.csrf().await);
    let answer = moderator.get("/").await;
    let cookie = answer.headers().get("set-cookie");
    if let Some(cookie) = cookie.and_then(|cookie| cookie.to_str().ok()) {
        secrets.push(between(cookie, "=", ';').to_owned());
    }

    let pass: Value = moderator.pass("main", "Eve").await;
    secrets.push(pass["token"].as_str().unwrap().to_owned());
    let ada = Participant::join(&moderator, "main", "Ada", Part::Publisher).await;
    let mut bob = Participant::join(&moderator, "main", "Bob", Part::Viewer).await;
    let id = moderator.starts_archive("main").await;
    let before = bob.received();
    bob.until(|diary| diary.received > before + 60).await;
    moderator.stops_archive(id).await;
    moderator.sees(id, is_available).await;
    let answer = moderator.get(&format!("/download/{id}")).await;
    let link = answer.headers()["location"].to_str().unwrap().to_owned();
    moderator.page(&link).await;
    secrets.push(link.rsplit_once("sig=").unwrap().1.to_owned());
    secrets.extend(ada.secrets());
    secrets.extend(bob.secrets());
    // SDP, whoever wrote it.
    secrets.extend(["a=ice-pwd", "a=fingerprint", "v=0\\r\\n"].map(ToOwned::to_owned));
    secrets.push("T1==".to_owned());
    ada.leave();
    bob.leave();

    server.ask_to_stop();
    let (_, log) = server.ended();
    assert!(log.contains("DEBUG"), "{log}");
    for secret in &secrets {
        assert!(secret.len() >= 4, "{secret}");
        let line = log.lines().find(|line| line.contains(secret.as_str()));
        assert_eq!(line, None, "{secret}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_who_are_refused_do_not_fill_the_log() {
    let data = Data::with_moderator().await;
    let server = Process::start(&data.path(), &["--min-free-mib", "1"]);
    let stranger = Visitor::at(&server.base);
    stranger.page("/").await;
    let before = server.log();
    for path in [
        "/nowhere",
        "/history",
        "/v2/project/1/archive",
        "/archives/1",
    ] {
        let answer = stranger.get(path).await;
        assert!(!answer.status().is_success(), "{path}");
    }
    assert_eq!(server.log(), before);
}
