//! What pages show because their calls are on another platform.

use crate::{
    camera::{GREEN, RED},
    chromium::Chromium,
    world::{World, record},
};

#[tokio::test]
async fn an_archive_is_played_from_where_it_was_made() {
    let mut world = World::remote().await;
    let chromium = Chromium::start().await;
    let host = chromium.somebody().await;
    host.has(RED).await;
    world.sign_in(&host).await;
    host.goto(&format!("{}/host", world.base)).await;
    host.sees("Someone must be in the room when you start.")
        .await;
    host.click("#start-form button").await;
    host.sees("No one is in the call yet").await;

    world.join(&host, "/host", "Hanna").await;
    record(&host, 3000).await;
    let desk = chromium.another_tab(&host).await;
    desk.goto(&format!("{}/history", world.base)).await;
    desk.click("table.archives a[title=Play]").await;
    desk.until("document.querySelector('#whole')?.duration > 2")
        .await;
    let _: bool = desk
        .eval("(async () => { const v = document.querySelector('#whole'); v.muted = true; await v.play(); return true })()")
        .await;
    desk.until("document.querySelector('#whole').currentTime > 1 && document.querySelector('#whole').videoWidth == 640")
        .await;
    let violations: Vec<String> = desk.eval("test.violations").await;
    assert_eq!(violations, [""; 0]);

    // Where the file is has been asked for above: for some minutes the page leads there without asking again.
    let page = desk.path().await;
    world.stop_media();
    desk.goto(&format!("{}{page}", world.base)).await;
    desk.sees("The video platform isn't sending the file").await;
    world.restart_pages().await;
    desk.goto(&format!("{}{page}", world.base)).await;
    desk.sees("The video platform cannot be reached.").await;
    desk.sees("Main room").await;
    world.start_media();
    desk.click("#unplayable a").await;
    desk.until("document.querySelector('#whole')?.duration > 2")
        .await;
    world.end([chromium]).await;
}

#[tokio::test]
async fn a_platform_that_cannot_be_reached_is_said_to_whoever_joins_and_tried_again() {
    let mut world = World::remote().await;
    let chromium = Chromium::start().await;
    let guest = chromium.somebody().await;
    guest.has(GREEN).await;
    guest.goto(&format!("{}/participant", world.base)).await;
    guest.sees("No one's here yet.").await;
    guest.types("#name", "Gus").await;
    world.stop_media();

    guest.click("#join").await;
    guest.sees("The video platform cannot be reached.").await;

    world.start_media();
    guest
        .until(
            "(() => {
               const join = document.querySelector('#join')
               if (join.checkVisibility() && !join.disabled) join.click()
               return document.querySelector('#call').checkVisibility() && document.querySelector('#people-list').children.length > 0
             })()",
        )
        .await;
    world.end([chromium]).await;
}
