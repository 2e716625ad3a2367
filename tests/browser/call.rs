//! A call: people see and hear one another.

use crate::{
    chromium::{Chromium, Tab},
    world::World,
};

/// Waits until so many others are seen moving: frames are decoded and time goes on.
pub async fn sees_others(tab: &Tab, others: usize) {
    tab.until(&format!(
        "[...document.querySelectorAll('.tile:not(.tile--mirrored) video')].filter(v => v.videoWidth > 0 && v.getVideoPlaybackQuality().totalVideoFrames > 5).length == {others}"
    ))
    .await;
}

#[tokio::test]
async fn host_and_participant_see_each_other() {
    let world = World::start().await;
    let chromium = Chromium::start().await;
    let host = world.moderator(&chromium).await;
    let guest = chromium.somebody().await;

    world.join(&host, "/host", "Hanna").await;
    world.join(&guest, "/participant", "Gus").await;

    sees_others(&host, 1).await;
    sees_others(&guest, 1).await;
    chromium.close().await;
    world.server.stop().await;
}
