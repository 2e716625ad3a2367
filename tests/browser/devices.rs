//! Cameras that are not given: the page says why, and what to do, and lets people in all the same.

use std::net::Ipv4Addr;

use parlor::config::Config;

use crate::{
    call::{has_tiles_of, sees},
    camera::RED,
    chromium::{Chromium, Devices, Tab},
    world::{World, in_call},
};

/// Makes `getUserMedia` fail as it does when the device cannot be opened.
fn fails_with(name: &str) -> String {
    format!(
        "MediaDevices.prototype.getUserMedia = async () => {{ if (!window.works) throw new DOMException('', '{name}'); return window.real.call(navigator.mediaDevices, {{ video: true }}) }}"
    )
}

async fn says(tab: &Tab, cause: &str, remedy: &str) {
    tab.until("document.querySelector('#prejoin-problem').checkVisibility()")
        .await;
    let words = tab.text("#prejoin-problem").await;
    assert!(
        words.contains(cause) && words.contains(remedy),
        "{words:?} lacks {cause:?} or {remedy:?}"
    );
}

async fn watches(tab: &Tab, host: &Tab) {
    tab.types("#name", "Gus").await;
    assert_eq!(
        tab.text("#join").await,
        "Join without camera and microphone"
    );
    tab.click("#join").await;
    in_call(tab).await;
    sees(tab, "Hanna", RED).await;
    host.until("document.querySelector('#people-count').textContent == '2'")
        .await;
}

#[tokio::test]
async fn who_denies_the_camera_is_told_how_to_allow_it_and_can_watch() {
    let world = World::start().await;
    let chromium = Chromium::start().await;
    let denying = Chromium::with(Devices {
        denied: true,
        ..Devices::default()
    })
    .await;
    let host = world.host(&chromium, "Hanna", RED).await;
    let guest = denying.somebody().await;
    guest.goto(&format!("{}/participant", world.base)).await;

    guest.click("#preview-camera").await;
    says(&guest, "Camera blocked.", "camera icon in the address bar").await;
    guest.click("#preview-mic").await;
    guest.sees("Microphone blocked.").await;

    watches(&guest, &host).await;
    // In the call, too.
    guest.click("#camera-button").await;
    guest.sees("Camera blocked.").await;
    guest
        .until("document.querySelector('#camera-button').getAttribute('aria-pressed') == 'false'")
        .await;
    world.end([chromium, denying]).await;
}

#[tokio::test]
async fn who_has_no_camera_is_told_so_and_can_watch() {
    let world = World::start().await;
    let chromium = Chromium::start().await;
    let bare = Chromium::with(Devices {
        none: true,
        ..Devices::default()
    })
    .await;
    let host = world.host(&chromium, "Hanna", RED).await;
    let guest = bare.somebody().await;
    guest.goto(&format!("{}/participant", world.base)).await;

    guest.click("#preview-camera").await;
    says(&guest, "No camera found.", "or join without it").await;

    watches(&guest, &host).await;
    world.end([chromium, bare]).await;
}

#[tokio::test]
async fn a_camera_in_use_is_tried_again_once_it_is_free() {
    let world = World::start().await;
    let chromium = Chromium::start().await;
    let guest = chromium.somebody().await;
    guest
        .before_load("window.real = MediaDevices.prototype.getUserMedia")
        .await;
    guest.before_load(&fails_with("NotReadableError")).await;
    guest.goto(&format!("{}/participant", world.base)).await;

    guest.click("#preview-camera").await;
    says(
        &guest,
        "Another program is using the camera.",
        "Close it there, then try again.",
    )
    .await;

    let _: bool = guest.eval("window.works = true").await;
    guest.click("#prejoin-problem [data-button]").await;
    guest
        .until("document.querySelector('#preview-video').videoWidth > 0")
        .await;
    guest
        .until("document.querySelector('#prejoin-problem').hidden")
        .await;
    world.end([chromium]).await;
}

#[tokio::test]
async fn a_page_without_tls_says_why_there_is_no_camera_and_lets_people_watch() {
    let mut config = Config::default();
    config.network.listen.set_ip(Ipv4Addr::UNSPECIFIED.into());
    let world = World::with(config).await;
    let chromium = Chromium::start().await;
    let host = world.host(&chromium, "Hanna", RED).await;
    let guest = chromium.somebody().await;

    guest
        .goto(&format!("{}/participant", world.base_from_outside()))
        .await;

    assert!(!guest.eval::<bool>("isSecureContext").await);
    says(
        &guest,
        "Browsers allow the camera only on secure (https) pages.",
        "Open this page with https",
    )
    .await;
    watches(&guest, &host).await;
    has_tiles_of(&guest, &["Hanna"]).await;
    world.end([chromium]).await;
}
