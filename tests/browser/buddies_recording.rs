//! Recording a call of two: only when both want it, seen by both, and there for both afterwards.

use crate::{
    buddies::{accepts, are_in_a_call, calls, is_called_by, is_told},
    camera::{GREEN, RED},
    chromium::{Chromium, Tab},
    film::Film,
    world::World,
};

/// Seconds that the clock beside REC shows.
const REC_S: &str = "document.querySelector('#rec-time').textContent.split(':').reduce((m, s) => m * 60 + Number(s), 0)";

async fn is_recording(tab: &Tab, on: bool) {
    tab.until(&format!(
        "document.querySelector('#rec').checkVisibility() == {on}"
    ))
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_is_recorded_only_with_the_consent_of_both() {
    let world = World::start().await;
    let chromium = Chromium::start().await;
    let ann = world.buddy(&chromium, "Ann", RED).await;
    let bob = world.buddy(&chromium, "Bob", GREEN).await;
    calls(&ann, "Bob").await;
    is_called_by(&bob, "Ann").await;
    accepts(&bob, "Ann").await;
    let both = [(&ann, "Ann", RED), (&bob, "Bob", GREEN)];
    are_in_a_call(both[0], both[1]).await;

    // Refused, nothing is recorded.
    ann.click("#record").await;
    bob.sees("Ann asks to record this call.").await;
    for (tab, ..) in both {
        is_recording(tab, false).await;
    }
    bob.click("#consent-refuse").await;
    ann.sees("Bob refused. Nothing is recorded.").await;
    bob.sees("You refused. Nothing is recorded.").await;
    assert!(
        !bob.eval::<bool>("document.querySelector('#consent').checkVisibility()")
            .await
    );

    // The other one may ask as well, and take it back.
    bob.click("#record").await;
    ann.sees("Bob asks to record this call.").await;
    bob.until("document.querySelector('#record').innerText.includes('Cancel request')")
        .await;
    bob.click("#record").await;
    ann.sees("Bob took the question back. Nothing is recorded.")
        .await;

    let none: Vec<String> = ann.eval(RECORDINGS).await;
    assert_eq!(none, [""; 0]);

    // With consent, both see it and see each other on, and either stops it.
    ann.click("#record").await;
    bob.click("#consent-agree").await;
    for (tab, ..) in both {
        is_recording(tab, true).await;
        tab.sees("Recording has started.").await;
    }
    are_in_a_call(both[0], both[1]).await;
    for (tab, ..) in both {
        tab.until(&format!("{REC_S} >= 8")).await;
    }
    bob.click("#record").await;
    for (tab, ..) in both {
        is_recording(tab, false).await;
        tab.sees("Recording has stopped.").await;
    }
    are_in_a_call(both[0], both[1]).await;
    ann.click("#end").await;
    is_told(&ann, "You'll find it in your recordings.").await;
    is_told(&bob, "You'll find it in your recordings.").await;

    // It is there for the two, with both names, and nobody else.
    ann.click("#notice-recording a").await;
    ann.sees("Ann and Bob").await;
    let listed: Vec<String> = bob.eval(RECORDINGS).await;
    assert_eq!(listed.len(), 1);
    let stranger = world.buddy(&chromium, "Cid", RED).await;
    let others: Vec<String> = stranger.eval(RECORDINGS).await;
    assert_eq!(others, [""; 0]);
    let status: u16 = stranger
        .eval(&format!("(await fetch('{}')).status", listed[0]))
        .await;
    assert_eq!(status, 404);
    let moderator = world.moderator(&chromium).await;
    moderator.goto(&format!("{}/history", world.base)).await;
    moderator.sees("Ann and Bob").await;

    // The file has picture and sound of both.
    ann.until("document.querySelector('a[download]')").await;
    let files = tempfile::tempdir().unwrap();
    let file = chromium.download(&ann, "a[download]", files.path()).await;
    let film = Film::of(&file, 0.0);
    assert_eq!(film.codec("video"), "h264");
    assert_eq!(film.codec("audio"), "aac");
    assert!(film.duration() > 4.0, "{}", film.duration());
    for camera in [RED, GREEN] {
        for (what, spans) in [("seen", film.seen(camera)), ("heard", film.heard(camera))] {
            let length: f64 = spans.iter().map(|(from, to)| to - from).sum();
            assert!(length > 2.0, "{} {what}: {spans:.2?}", camera.colour);
        }
    }
    world.end([chromium]).await;
}

/// The links of all recordings that somebody finds.
const RECORDINGS: &str = "[...new DOMParser().parseFromString(await (await fetch('/buddies/recordings')).text(), 'text/html')
  .querySelectorAll('[data-recording]')].map(r => '/buddies/recordings/' + r.dataset.recording)";

#[tokio::test]
async fn a_reload_while_it_records_changes_nothing_about_that() {
    let world = World::start().await;
    let chromium = Chromium::start().await;
    let ann = world.buddy(&chromium, "Ann", RED).await;
    let bob = world.buddy(&chromium, "Bob", GREEN).await;
    calls(&ann, "Bob").await;
    accepts(&bob, "Ann").await;
    let both = [(&ann, "Ann", RED), (&bob, "Bob", GREEN)];
    are_in_a_call(both[0], both[1]).await;
    ann.click("#record").await;
    bob.click("#consent-agree").await;
    for (tab, ..) in both {
        is_recording(tab, true).await;
    }
    bob.until(&format!("{REC_S} >= 2")).await;

    bob.goto(&format!("{}/buddies", world.base)).await;

    is_recording(&bob, true).await;
    assert!(bob.eval::<f64>(REC_S).await >= 2.0);
    are_in_a_call(both[0], both[1]).await;
    bob.click("#record").await;
    for (tab, ..) in both {
        is_recording(tab, false).await;
    }
    world.end([chromium]).await;
}
