//! The other server makes archives, and the history here follows.

use std::time::Duration;

use parlor::{
    archive::{ArchiveId, Status},
    opentok::{ArchiveOptions, SessionOptions},
};
use serde_json::json;
use tokio::time::timeout;

use super::{
    former_platform::an_archive,
    proxy::pair_with_proxy,
    world::{KEY, Pair, SECRET, is_recorded},
};
use crate::{
    people::{PATIENCE, is_available, is_playable},
    sdk::service::reply,
};

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_starts_stops_is_played_downloaded_and_deleted() {
    let pair = Pair::start().await;
    let moderator = pair.web.moderator().await;
    let early = moderator.ask("/archives", &[("room", "main")]).await;
    assert_eq!(early.0, 409, "{}", early.1);
    let cause = early.1["cause"].as_str().unwrap();
    assert!(cause.starts_with("No one is in the call yet"), "{cause}");

    let mut ann = pair.publisher("main", "Ann").await;
    let id = moderator.starts_archive("main").await;
    is_recorded(&mut ann).await;
    let page = moderator
        .sees(id, |page| page.contains("Recording in progress"))
        .await;
    assert!(page.contains("started by Moni"), "{page}");
    assert!(moderator.page("/host").await.contains(&id.to_string()));
    let (status, told) = moderator.ask("/archives", &[("room", "main")]).await;
    assert_eq!(status, 409);
    let cause = told["cause"].as_str().unwrap();
    assert!(cause.contains("Moni started it just now"), "{cause}");
    let (status, told) = moderator.ask(&format!("/archives/{id}/delete"), &[]).await;
    assert_eq!(status, 409, "{told}");
    assert!(told["cause"].as_str().unwrap().contains("stop it first"));

    moderator.stops_archive(id).await;
    let (status, told) = moderator.ask(&format!("/archives/{id}/stop"), &[]).await;
    assert_eq!(status, 409, "{told}");
    let page = moderator.sees(id, is_available).await;
    assert!(is_playable(&page), "{page}");
    assert!(page.contains(r#"<video class="whole""#), "{page}");
    assert!(page.contains("deletes it after some time"), "{page}");
    let history = moderator.page("/history").await;
    assert!(
        history.contains("Main room") && history.contains("Available"),
        "{history}"
    );

    let there = pair.sdk().archives().find(&id.to_string()).await.unwrap();
    for path in [
        format!("/download/{id}"),
        format!("/archives/{id}/files/archive.mp4"),
    ] {
        let answer = moderator.get(&path).await;
        assert_eq!(answer.status(), 302, "{path}");
        let url = answer.headers()["location"].to_str().unwrap();
        assert!(url.starts_with(&pair.media.base), "{url}");
        let file = reqwest::get(url).await.unwrap();
        assert_eq!(file.headers()["content-type"], "video/mp4");
        assert_eq!(
            file.bytes().await.unwrap().len() as u64,
            there.size,
            "{path}"
        );
    }
    let stranger = pair.web.anonymous().get(&format!("/download/{id}")).await;
    assert_eq!(stranger.status(), 303);

    let (status, told) = moderator.ask(&format!("/archives/{id}/delete"), &[]).await;
    assert_eq!(status, 200, "{told}");
    let gone = pair.sdk().archives().find(&id.to_string()).await;
    assert_eq!(gone.unwrap_err().status(), Some(404));
    assert_eq!(
        moderator.get(&format!("/archives/{id}")).await.status(),
        404
    );
    drop(ann);
    pair.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn archives_that_others_start_in_our_rooms_are_found_and_those_of_other_sessions_ignored() {
    let pair = Pair::start().await;
    let moderator = pair.web.moderator().await;
    let mut changes = pair.web.server().app().archives.subscribe();
    let pass = moderator.pass("main", "Ann").await;
    let session = pass["sessionId"].as_str().unwrap().to_owned();
    let mut ann = pair.enter(pass).await;
    let sdk = pair.sdk();
    let elsewhere = sdk.create_session(&SessionOptions::default()).await;
    let elsewhere = elsewhere.unwrap();
    let token = elsewhere.generate_token(&Default::default()).unwrap();
    let pass = json!({ "sessionId": elsewhere.session_id, "token": token });
    let stranger = pair.enter(pass).await;
    let options = |name: &str| ArchiveOptions {
        name: Some(name.to_owned()),
        ..ArchiveOptions::default()
    };
    let foreign = sdk
        .archives()
        .start(&elsewhere.session_id, &options("Foreign"))
        .await
        .unwrap();
    let ours = sdk
        .archives()
        .start(&session.as_str().into(), &options("By the API"))
        .await
        .unwrap();

    // Within a minute in any case, and soon after a start is refused here.
    let (status, told) = moderator.ask("/archives", &[("room", "main")]).await;
    assert_eq!(status, 409, "{told}");
    let found = changes.recv().await.unwrap().archive;
    assert_eq!(found.id.to_string(), ours.id);
    assert_eq!(
        (found.name.as_str(), found.room.as_str()),
        ("By the API", "Main room")
    );
    assert!(moderator.page("/host").await.contains(&ours.id));
    let history = moderator.page("/history").await;
    assert!(history.contains("By the API") && !history.contains("Foreign"));
    let foreign = moderator.get(&format!("/archives/{}", foreign.id)).await;
    assert_eq!(foreign.status(), 404);

    // The other client stops it, too.
    is_recorded(&mut ann).await;
    sdk.archives().stop(&ours.id).await.unwrap();
    let id = ArchiveId::parse(&ours.id).unwrap();
    moderator.sees(id, is_available).await;
    sdk.archives().delete(&ours.id).await.unwrap();
    let answer = moderator.get(&format!("/download/{id}")).await;
    assert_eq!(answer.status(), 409);
    let page = moderator.sees(id, |page| page.contains("Expired")).await;
    assert!(!is_playable(&page));
    drop((ann, stranger));
    pair.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_that_cannot_be_asked_for_keeps_no_other_waiting() {
    let (pair, proxy) = pair_with_proxy().await;
    let platform = format!("{}/v2/project/{KEY}", proxy.url);
    let app = pair.web.server().app();
    let bad = an_archive(&pair.web, &platform, "started").await;
    let path = format!("/archive/{bad} ");
    proxy.answers(move |line| line.contains(&path).then(|| reply(500, "{}")));
    // The platform does not know it, so it fails.
    let mut changes = app.archives.subscribe();
    let lost = an_archive(&pair.web, &platform, "stopped").await;
    let callback = format!("{}/platform/callback", pair.web.base);
    reqwest::Client::new().post(callback).send().await.unwrap();
    let failed = async {
        loop {
            let change = changes.recv().await.unwrap();
            if change.archive.id == lost && change.archive.status == Status::Failed {
                break;
            }
        }
    };
    timeout(PATIENCE, failed).await.unwrap();
    assert!(proxy.count(&bad.to_string()) > 0);
    let moderator = pair.web.moderator().await;
    let page = moderator.page(&format!("/archives/{bad}")).await;
    assert!(page.contains("Recording in progress"), "{page}");
    pair.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_whose_row_could_not_be_saved_is_found_soon() {
    let pair = Pair::start().await;
    let moderator = pair.web.moderator().await;
    let app = pair.web.server().app();
    let mut changes = app.archives.subscribe();
    let ann = pair.publisher("main", "Ann").await;
    // Only the INSERT of the request fails: the list of the platform does not name the moderator.
    sqlx::query(
        "CREATE TRIGGER full BEFORE INSERT ON archives WHEN NEW.started_by <> ''
         BEGIN SELECT RAISE(FAIL, 'full'); END",
    )
    .execute(app.db())
    .await
    .unwrap();
    let (status, told) = moderator.ask("/archives", &[("room", "main")]).await;
    assert_eq!(status, 500, "{told}");

    // Without it, the list is read once a minute.
    let found = timeout(Duration::from_secs(30), changes.recv()).await;
    let found = found.expect("it is found").unwrap().archive;
    assert_eq!(found.room, "Main room");
    drop(ann);
    pair.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_goes_on_while_the_pages_server_is_away_and_is_taken_up_afterwards() {
    let mut pair = Pair::start().await;
    let mut ann = pair.publisher("main", "Ann").await;
    let id = pair.web.moderator().await.starts_archive("main").await;
    is_recorded(&mut ann).await;
    pair.web.stop().await;
    let there = pair.sdk().archives().find(&id.to_string()).await.unwrap();
    assert_eq!(there.status.as_str(), "started");
    pair.web.start_again(|_| {}).await;
    let moderator = pair.web.moderator().await;
    assert!(moderator.page("/host").await.contains(&id.to_string()));

    pair.web.stop().await;
    pair.sdk().archives().stop(&id.to_string()).await.unwrap();
    pair.web.start_again(|_| {}).await;
    let moderator = pair.web.moderator().await;
    moderator.sees(id, is_available).await;
    drop(ann);
    pair.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_that_a_restart_of_the_platform_stopped_becomes_available() {
    let mut pair = Pair::start().await;
    let mut ann = pair.publisher("main", "Ann").await;
    let moderator = pair.web.moderator().await;
    let id = moderator.starts_archive("main").await;
    is_recorded(&mut ann).await;
    pair.media.stop().await;
    drop(ann);
    let (status, told) = moderator.ask(&format!("/archives/{id}/stop"), &[]).await;
    assert_eq!(status, 503, "{told}");
    assert_eq!(told["cause"], "The video platform cannot be reached.");
    assert!(moderator.page("/history").await.contains("Recording"));
    pair.media.start_again(|_| {}).await;
    moderator.sees(id, is_available).await;
    pair.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callback_of_the_other_server_is_heard_and_nothing_of_it_believed() {
    let pair = Pair::start().await;
    let callback = format!("{}/platform/callback", pair.web.base);
    let registered = reqwest::Client::new()
        .post(format!("{}/v2/project/{KEY}/callback", pair.media.base))
        .header("X-TB-PARTNER-AUTH", format!("{KEY}:{SECRET}"))
        .json(&json!({ "group": "archive", "event": "status", "url": callback }))
        .send()
        .await
        .unwrap();
    assert_eq!(registered.status(), 200);
    let mut changes = pair.web.server().app().archives.subscribe();
    let pass = pair.web.anonymous().pass("main", "Ann").await;
    let session = pass["sessionId"].as_str().unwrap().to_owned();
    let ann = pair.enter(pass).await;
    let made_up = json!({
        "event": "archive", "status": "available", "sessionId": session, "partnerId": KEY,
        "id": "f6e7ee58-d6cf-4a59-896b-6d56b158ec71", "createdAt": 1, "url": "https://elsewhere.example/film.mp4",
    });
    for body in [made_up.to_string(), "{".to_owned(), String::new()] {
        let answer = reqwest::Client::new().post(&callback).body(body).send();
        assert_eq!(answer.await.unwrap().status(), 204);
    }

    let options = ArchiveOptions::default();
    let started = pair
        .sdk()
        .archives()
        .start(&session.as_str().into(), &options)
        .await;

    // Without it, the list is read once a minute.
    let found = timeout(Duration::from_secs(30), changes.recv()).await;
    let found = found.expect("it is told").unwrap().archive;
    assert_eq!(found.id.to_string(), started.unwrap().id);
    let history = pair.web.moderator().await.page("/history").await;
    assert!(!history.contains("f6e7ee58"), "{history}");
    drop(ann);
    pair.end().await;
}
