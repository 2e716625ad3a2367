//! Recording where ffmpeg, the disk or the people are missing.

use parlor::config::Config;

use super::archive::plays;
use crate::{
    call::sees,
    camera::{GREEN, RED},
    chromium::Chromium,
    recording::{REC_S, shows_rec},
    world::{World, record, stop_archive},
};

#[tokio::test]
async fn without_ffmpeg_an_archive_is_watched_and_composed_after_it_is_installed() {
    let mut config = Config::default();
    config.archives.ffmpeg = "/nowhere/ffmpeg".into();
    let why = "the ffmpeg that is missing is this server's, and so are the tracks";
    let mut world = World::embedded_with(config, why).await;
    let chromium = Chromium::start().await;
    let host = world.host(&chromium, "Hanna", RED).await;
    record(&host, 4000).await;
    let desk = chromium.another_tab(&host).await;
    desk.goto(&format!("{}/history", world.base)).await;
    desk.click("table.archives a[title=Play]").await;

    desk.sees("There is no MP4, because ffmpeg is not installed on the server")
        .await;
    plays(&desk, "Hanna", RED).await;
    assert!(
        !desk
            .eval::<bool>("document.body.innerText.includes('Download MP4')")
            .await
    );

    world.stop().await;
    world
        .start_again(|config| config.archives.ffmpeg = "ffmpeg".into())
        .await;

    desk.sees("Download MP4").await;
    assert!(
        !desk
            .eval::<bool>("document.body.innerText.includes('is not installed')")
            .await
    );
    world.end([chromium]).await;
}

#[tokio::test]
async fn a_full_disk_is_told_to_the_host_before_anything_is_lost() {
    let mut config = Config::default();
    config.data.min_free_mib = 1 << 40;
    let why = "the disk is this server's";
    let world = World::embedded_with(config, why).await;
    let chromium = Chromium::start().await;
    let host = world.host(&chromium, "Hanna", RED).await;

    host.click("#start-archive").await;

    host.sees("The disk is almost full").await;
    host.sees("Delete recordings that are no longer needed, or free space on the server's disk.")
        .await;
    assert!(
        !host
            .eval::<bool>("document.querySelector('#rec').checkVisibility()")
            .await
    );
    host.until("!document.querySelector('#start-archive').disabled")
        .await;
    world.end([chromium]).await;
}

#[tokio::test]
async fn recording_may_begin_before_anybody_is_there() {
    let world = World::embedded("OpenTok records sessions only that somebody is in").await;
    let chromium = Chromium::start().await;
    let host = chromium.somebody().await;
    host.has(RED).await;
    world.sign_in(&host).await;
    host.goto(&format!("{}/host", world.base)).await;

    host.click("#start-form button").await;

    host.until("document.querySelector('#stop-form')?.checkVisibility() && document.querySelector('#prejoin-rec').checkVisibility()")
        .await;
    let guest = world.guest(&chromium, "Gus", GREEN).await;
    shows_rec(&guest).await;
    world.join(&host, "/host", "Hanna").await;
    sees(&host, "Gus", GREEN).await;
    host.until(&format!("{REC_S} >= 3")).await;
    stop_archive(&host).await;

    host.goto(&format!("{}/history", world.base)).await;
    host.click("table.archives a[title=Play]").await;
    host.until("document.querySelector('#player')").await;
    let names: Vec<String> = host
        .eval("JSON.parse(document.querySelector('#boot').textContent).streams.map(s => s.name).sort()")
        .await;
    assert_eq!(names, ["Gus", "Hanna"]);
    world.end([chromium]).await;
}
