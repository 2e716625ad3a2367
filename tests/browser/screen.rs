//! A screen that is shared: that of Chromium's fake devices.

use crate::{
    call::{has_tiles_of, sees},
    camera::{GREEN, RED},
    chromium::{Chromium, Tab},
    world::World,
};

/// Waits until the largest tile is this one, and its picture moves.
pub async fn has_on_stage(tab: &Tab, name: &str) {
    tab.until(&format!(
        "(() => {{
           const area = tile => tile.clientWidth * tile.clientHeight
           const tiles = [...document.querySelectorAll('#tiles .tile')]
           const [largest] = tiles.sort((a, b) => area(b) - area(a))
           return tiles.length > 1 && test.name(largest) == '{name}' && area(largest) > 2 * area(tiles[1])
             && test.moves(largest.querySelector('video'))
         }})()"
    ))
    .await;
}

async fn shares(tab: &Tab, is_sharing: bool) {
    tab.until(&format!(
        "document.querySelector('#share-button').getAttribute('aria-pressed') == '{is_sharing}'"
    ))
    .await;
}

#[tokio::test]
async fn a_screen_is_large_on_every_page_as_long_as_it_is_shared() {
    let world = World::start().await;
    let chromium = Chromium::start().await;
    let host = world.host(&chromium, "Hanna", RED).await;
    let guest = world.guest(&chromium, "Gus", GREEN).await;
    has_tiles_of(&host, &["Gus"]).await;

    guest.click("#share-button").await;

    shares(&guest, true).await;
    has_on_stage(&guest, "Your screen").await;
    has_on_stage(&host, "Gus’s screen").await;
    host.sees("Gus’s screen").await;
    // The person is still there beside it.
    sees(&host, "Gus", GREEN).await;
    let late = world.guest(&chromium, "Lena", GREEN).await;
    has_on_stage(&late, "Gus’s screen").await;
    assert_eq!(host.text("#people-count").await, "3");

    guest.click("#share-button").await;

    shares(&guest, false).await;
    has_tiles_of(&host, &["Gus", "Lena"]).await;
    has_tiles_of(&late, &["Gus", "Hanna"]).await;
    sees(&host, "Gus", GREEN).await;

    // Again, and this time it is the browser's own bar that ends it.
    guest.click("#share-button").await;
    has_on_stage(&host, "Gus’s screen").await;
    let _: bool = guest
        .eval(
            "(() => {
               const tile = [...document.querySelectorAll('#tiles .tile')].find(tile => test.name(tile) == 'Your screen')
               const [track] = tile.querySelector('video').srcObject.getVideoTracks()
               track.stop()
               return track.dispatchEvent(new Event('ended'))
             })()",
        )
        .await;
    shares(&guest, false).await;
    has_tiles_of(&host, &["Gus", "Lena"]).await;
    world.end([chromium]).await;
}

#[tokio::test]
async fn who_shares_nothing_after_all_stays_in_the_call() {
    let world = World::start().await;
    let chromium = Chromium::start().await;
    let host = world.host(&chromium, "Hanna", RED).await;
    let guest = chromium.somebody().await;
    guest.has(GREEN).await;
    guest
        .before_load(
            "navigator.mediaDevices.getDisplayMedia = () => {
               window.asked = true
               return Promise.reject(new DOMException('no', 'NotAllowedError'))
             }",
        )
        .await;
    world.join(&guest, "/participant", "Gus").await;

    guest.click("#share-button").await;

    guest.until("window.asked").await;
    shares(&guest, false).await;
    has_tiles_of(&guest, &["Hanna"]).await;
    sees(&host, "Gus", GREEN).await;
    has_tiles_of(&host, &["Gus"]).await;
    world.end([chromium]).await;
}
