//! A call: people see and hear one another.

use std::time::Duration;

use crate::{
    camera::{BLUE, Camera, GREEN, RED},
    chromium::{Chromium, Devices, Tab},
    world::World,
};

/// Who vanishes without a word is gone for the others four seconds after the last sign of life, and here within this: a
/// busy page hears of it later. Whoever may resume is waited for thirty.
const GONE_WITHIN: Duration = Duration::from_secs(8);

/// Waits until somebody's picture moves in somebody's colour, and their tone is heard.
pub async fn sees_and_hears(tab: &Tab, name: &str, camera: Camera) {
    sees(tab, name, camera).await;
    tab.until(&format!(
        "Math.abs(test.tone('{name}') - {}) < 25",
        camera.hz
    ))
    .await;
}

/// Waits until somebody's picture moves in somebody's colour.
pub async fn sees(tab: &Tab, name: &str, camera: Camera) {
    tab.until(&format!(
        "test.moves(test.videoOf('{name}')) && test.isColour(test.videoOf('{name}'), '{}')",
        camera.colour
    ))
    .await;
}

/// Waits until exactly these others have tiles.
pub async fn has_tiles_of(tab: &Tab, names: &[&str]) {
    let names = serde_json::to_string(names).unwrap();
    tab.until(&format!(
        "JSON.stringify(test.tiles().map(test.name).sort()) == JSON.stringify({names}.sort())"
    ))
    .await;
}

#[tokio::test]
async fn host_and_participant_see_and_hear_each_other() {
    let world = World::start().await;
    let files = tempfile::tempdir().unwrap();
    let (red, low) = RED.files(files.path());
    let (green, high) = GREEN.files(files.path());
    let hosts = Chromium::with(Devices {
        camera: Some(&red),
        microphone: Some(&low),
        ..Devices::default()
    })
    .await;
    let guests = Chromium::with(Devices {
        camera: Some(&green),
        microphone: Some(&high),
        ..Devices::default()
    })
    .await;
    let host = world.moderator(&hosts).await;
    let guest = guests.somebody().await;

    world.join(&host, "/host", "Hanna").await;
    world.join(&guest, "/participant", "Gus").await;

    has_tiles_of(&host, &["Gus"]).await;
    has_tiles_of(&guest, &["Hanna"]).await;
    sees_and_hears(&host, "Gus", GREEN).await;
    sees_and_hears(&guest, "Hanna", RED).await;
    world.end([hosts, guests]).await;
}

#[tokio::test]
async fn who_comes_late_and_who_leaves_early_is_noticed_on_every_page() {
    let world = World::start().await;
    let chromium = Chromium::start().await;
    let host = world.host(&chromium, "Hanna", RED).await;
    let guest = world.guest(&chromium, "Gus", GREEN).await;
    sees_and_hears(&host, "Gus", GREEN).await;

    let late = world.guest(&chromium, "Lena", BLUE).await;

    for (tab, others) in [
        (&host, [("Gus", GREEN), ("Lena", BLUE)]),
        (&guest, [("Hanna", RED), ("Lena", BLUE)]),
        (&late, [("Hanna", RED), ("Gus", GREEN)]),
    ] {
        has_tiles_of(tab, &others.map(|(name, _)| name)).await;
        for (name, camera) in others {
            sees_and_hears(tab, name, camera).await;
        }
    }
    assert_eq!(host.text("#people-count").await, "3");

    guest.click("#leave").await;

    guest.sees("You left the call.").await;
    has_tiles_of(&host, &["Lena"]).await;
    has_tiles_of(&late, &["Hanna"]).await;
    sees_and_hears(&host, "Lena", BLUE).await;
    sees_and_hears(&late, "Hanna", RED).await;

    guest.click("#rejoin").await;

    has_tiles_of(&host, &["Gus", "Lena"]).await;
    sees_and_hears(&host, "Gus", GREEN).await;
    sees_and_hears(&guest, "Lena", BLUE).await;
    world.end([chromium]).await;
}

#[tokio::test]
async fn a_browser_that_vanishes_is_gone_for_the_others_in_seconds() {
    let world = World::start().await;
    let chromium = Chromium::start().await;
    let mut doomed = Chromium::start().await;
    let host = world.host(&chromium, "Hanna", RED).await;
    let _guest = world.guest(&doomed, "Gus", GREEN).await;
    sees(&host, "Gus", GREEN).await;

    let frozen = doomed.freeze();
    let vanished: f64 = host
        .eval("performance.timeOrigin + performance.now()")
        .await;
    has_tiles_of(&host, &[]).await;

    let went: f64 = host
        .eval("performance.timeOrigin + test.story.find(s => s.what == 'Gus went').at")
        .await;
    let took = Duration::from_secs_f64((went - vanished) / 1000.0);
    eprintln!("A browser that vanished was gone after {took:.1?}");
    assert!(took <= GONE_WITHIN, "{took:?}");
    host.sees("You're the only one here.").await;
    drop(frozen);
    world.end([chromium]).await;
}

#[tokio::test]
async fn a_muted_microphone_is_not_heard_and_a_camera_that_is_off_is_not_seen() {
    let world = World::start().await;
    let chromium = Chromium::start().await;
    let host = world.host(&chromium, "Hanna", RED).await;
    let guest = world.guest(&chromium, "Gus", GREEN).await;
    sees_and_hears(&host, "Gus", GREEN).await;

    guest.click("#mic-button").await;
    guest.click("#camera-button").await;

    host.until("test.tileOf('Gus').querySelector('.tile__who').title == 'Muted'")
        .await;
    host.until("test.loudness('Gus') < 0.002").await;
    host.until("test.tileOf('Gus').classList.contains('tile--dark')")
        .await;

    guest.click("#mic-button").await;
    guest.click("#camera-button").await;

    sees_and_hears(&host, "Gus", GREEN).await;
    host.until("!test.tileOf('Gus').classList.contains('tile--dark')")
        .await;
    world.end([chromium]).await;
}
