//! What a call of two survives, and how it ends when somebody does not say goodbye.

use std::time::Duration;

use tokio::time::Instant;

use crate::{
    buddies::{accepts, are_in_a_call, calls, is_called_by, is_connected, is_told, lists},
    call::{sees, sees_and_hears},
    camera::{GREEN, RED},
    chromium::{Chromium, Devices, Tab},
    world::World,
};

/// Who closes the tab says so, and is waited for in case it was a reload: a second and a half. Who falls silent is missed
/// after four seconds at the earliest, and this is less.
const GONE_WITHIN: Duration = Duration::from_millis(3500);

/// Ann calls Bob, Bob accepts; both see and hear each other.
async fn talk(ann: &Tab, bob: &Tab) {
    calls(ann, "Bob").await;
    is_called_by(bob, "Ann").await;
    accepts(bob, "Ann").await;
    are_in_a_call((ann, "Ann", RED), (bob, "Bob", GREEN)).await;
}

async fn ann_and_bob(world: &World, chromium: &Chromium) -> (Tab, Tab) {
    let ann = world.buddy(chromium, "Ann", RED).await;
    let bob = world.buddy(chromium, "Bob", GREEN).await;
    talk(&ann, &bob).await;
    (ann, bob)
}

#[tokio::test]
async fn a_reload_in_a_call_is_not_its_end() {
    let world = World::start().await;
    let chromium = Chromium::start().await;
    let (ann, bob) = ann_and_bob(&world, &chromium).await;
    bob.click("#mic-button").await;
    bob.until("document.querySelector('#mic-button').getAttribute('aria-pressed') == 'false'")
        .await;

    bob.goto(&format!("{}/buddies", world.base)).await;

    // Nobody has to do anything, and who was muted still is.
    bob.until("document.querySelector('#call').checkVisibility()")
        .await;
    sees_and_hears(&bob, "Ann", RED).await;
    sees(&ann, "Bob", GREEN).await;
    ann.until("test.tileOf('Bob').querySelector('.tile__who').title == 'Muted'")
        .await;
    bob.click("#mic-button").await;
    are_in_a_call((&ann, "Ann", RED), (&bob, "Bob", GREEN)).await;
    assert!(
        ann.eval::<bool>("document.querySelector('#notice').hidden")
            .await
    );
    world.end([chromium]).await;
}

#[tokio::test]
async fn a_closed_tab_ends_the_call_for_the_other_before_it_would_be_missed() {
    let world = World::start().await;
    let chromium = Chromium::start().await;
    let (ann, bob) = ann_and_bob(&world, &chromium).await;

    let closed = Instant::now();
    bob.close().await;

    is_told(&ann, "The call ended: Bob went offline.").await;
    let took = closed.elapsed();
    eprintln!("A closed tab ended the call after {took:.1?}");
    assert!(took <= GONE_WITHIN, "{took:?}");
    ann.sees("No one else is online. Share this link.").await;
    world.end([chromium]).await;
}

#[tokio::test]
async fn after_a_restart_of_the_server_nobody_is_in_a_call_that_is_over() {
    let mut world = World::start().await;
    let chromium = Chromium::start().await;
    let (ann, bob) = ann_and_bob(&world, &chromium).await;

    world.stop().await;
    for tab in [&ann, &bob] {
        tab.sees("The connection was lost. Reconnecting…").await;
    }
    world.start_again(|_| {}).await;

    is_told(&ann, "The call with Bob is over.").await;
    is_told(&bob, "The call with Ann is over.").await;
    lists(&ann, "Bob", "Available").await;
    lists(&bob, "Ann", "Available").await;
    talk(&ann, &bob).await;
    world.end([chromium]).await;
}

#[tokio::test]
async fn a_lost_socket_is_said_in_words_and_what_was_missed_is_there_afterwards() {
    let world = World::start().await;
    let chromium = Chromium::start().await;
    let ann = world.buddy(&chromium, "Ann", RED).await;
    let bob = chromium.somebody().await;
    let wire = world.wire(&bob).await;
    bob.has(GREEN).await;
    bob.goto(&format!("{}/buddies", wire.base())).await;
    bob.types("#name", "Bob").await;
    bob.click("#enter").await;
    lists(&bob, "Ann", "Available").await;
    let cid = world.buddy(&chromium, "Cid", GREEN).await;
    lists(&bob, "Cid", "Available").await;

    // On the roster.
    wire.cut();
    bob.sees("The connection was lost.").await;
    bob.until("!document.querySelector('#roster button')?.checkVisibility()")
        .await;
    ann.click("#availability").await;
    let _: bool = ann
        .eval("(() => { const s = document.querySelector('#availability'); s.value = 'doNotDisturb'; return s.dispatchEvent(new Event('change')) })()")
        .await;
    lists(&cid, "Ann", "Do not disturb").await;
    cid.close().await;
    wire.mend();
    bob.until("!document.querySelector('#lost').checkVisibility()")
        .await;
    lists(&bob, "Ann", "Do not disturb").await;
    bob.until("!document.querySelector('#roster').innerText.includes('Cid')")
        .await;
    let _: bool = ann
        .eval("(() => { const s = document.querySelector('#availability'); s.value = 'available'; return s.dispatchEvent(new Event('change')) })()")
        .await;

    // While it rings.
    lists(&bob, "Ann", "Available").await;
    calls(&bob, "Ann").await;
    is_called_by(&ann, "Bob").await;
    wire.cut();
    bob.sees("The connection was lost.").await;
    ann.click("#ringing [data-do=decline]").await;
    wire.mend();
    bob.until("document.querySelector('#notice').checkVisibility() && !document.querySelector('#outgoing').checkVisibility()")
        .await;

    // In the call: it goes on meanwhile, and afterwards.
    talk(&ann, &bob).await;
    wire.cut();
    bob.until("document.querySelector('#banner').checkVisibility()")
        .await;
    wire.mend();
    bob.until("!document.querySelector('#banner').checkVisibility()")
        .await;
    are_in_a_call((&ann, "Ann", RED), (&bob, "Bob", GREEN)).await;
    ann.click("#end").await;
    is_told(&bob, "Ann ended the call.").await;
    world.end([chromium]).await;
}

#[tokio::test]
async fn every_tab_of_somebody_rings_and_one_answers() {
    let world = World::start().await;
    let chromium = Chromium::start().await;
    let ann = world.buddy(&chromium, "Ann", RED).await;
    let bob = world.buddy(&chromium, "Bob", GREEN).await;
    let second = chromium.another_tab(&bob).await;
    second.has(GREEN).await;
    // The name is remembered.
    second.goto(&format!("{}/buddies", world.base)).await;
    is_connected(&second).await;
    ann.until("document.querySelectorAll('#roster .buddy').length == 1")
        .await;
    lists(&ann, "Bob", "Available").await;

    calls(&ann, "Bob").await;
    is_called_by(&bob, "Ann").await;
    is_called_by(&second, "Ann").await;
    accepts(&second, "Ann").await;

    are_in_a_call((&ann, "Ann", RED), (&second, "Bob", GREEN)).await;
    bob.sees("In a call with Ann in another tab").await;
    bob.until("!document.querySelector('#ringing section')")
        .await;
    assert!(
        !bob.eval::<bool>("document.querySelector('#call').checkVisibility()")
            .await
    );

    // A tab that is closed takes no call with it that is in another one.
    bob.click("#elsewhere-end").await;
    is_told(&second, "You ended the call with Ann.").await;
    is_told(&ann, "Bob ended the call.").await;
    bob.close().await;
    calls(&ann, "Bob").await;
    is_called_by(&second, "Ann").await;
    world.end([chromium]).await;
}

#[tokio::test]
async fn a_call_goes_on_without_a_camera_and_says_how_to_allow_it() {
    let world = World::start().await;
    let chromium = Chromium::start().await;
    let denying = Chromium::with(Devices {
        denied: true,
        ..Devices::default()
    })
    .await;
    let ann = world.buddy(&chromium, "Ann", RED).await;
    let bob = denying.somebody().await;
    bob.goto(&format!("{}/buddies", world.base)).await;
    bob.types("#name", "Bob").await;
    bob.click("#enter").await;

    calls(&ann, "Bob").await;
    accepts(&bob, "Ann").await;

    sees_and_hears(&bob, "Ann", RED).await;
    bob.sees("Camera blocked.").await;
    bob.sees("Click the camera icon in the address bar, allow it, then try again. You can stay in the call without it.")
        .await;
    bob.sees("Microphone blocked.").await;
    ann.until("test.tileOf('Bob')?.classList.contains('tile--dark')")
        .await;
    ann.click("#end").await;
    is_told(&bob, "Ann ended the call.").await;
    world.end([chromium, denying]).await;
}

#[tokio::test]
async fn a_call_accepted_with_audio_only_has_no_picture_until_it_is_wanted() {
    let world = World::start().await;
    let chromium = Chromium::start().await;
    let ann = world.buddy(&chromium, "Ann", RED).await;
    let bob = world.buddy(&chromium, "Bob", GREEN).await;

    calls(&ann, "Bob").await;
    bob.click("#ringing [data-do=audio]").await;

    sees_and_hears(&bob, "Ann", RED).await;
    ann.until("Math.abs(test.tone('Bob') - 660) < 25").await;
    assert!(
        ann.eval::<bool>("test.tileOf('Bob').classList.contains('tile--dark')")
            .await
    );
    bob.click("#camera-button").await;
    sees_and_hears(&ann, "Bob", GREEN).await;
    world.end([chromium]).await;
}
