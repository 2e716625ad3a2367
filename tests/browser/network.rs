//! What a call survives: a broken connection, a server that starts again.

use crate::{
    call::{has_tiles_of, sees, sees_and_hears},
    camera::{BLUE, GREEN, RED},
    chromium::Chromium,
    world::{World, in_call, prepare, prepare_and_join},
};

#[tokio::test]
async fn a_broken_connection_is_resumed_while_sound_and_picture_go_on() {
    let world = World::start().await;
    let chromium = Chromium::start().await;
    let host = world.host(&chromium, "Hanna", RED).await;
    let guest = chromium.somebody().await;
    let wire = world.wire(&guest).await;
    guest.has(GREEN).await;
    guest.goto(&format!("{}/participant", wire.base())).await;
    prepare_and_join(&guest, "Gus").await;
    sees_and_hears(&guest, "Hanna", RED).await;
    sees_and_hears(&host, "Gus", GREEN).await;
    let late = chromium.somebody().await;
    late.has(BLUE).await;
    late.goto(&format!("{}/participant", world.base)).await;
    prepare(&late, "Lena").await;

    wire.cut();

    guest.sees("The connection was lost. Reconnecting…").await;
    sees_and_hears(&guest, "Hanna", RED).await;
    sees_and_hears(&host, "Gus", GREEN).await;
    // What happens meanwhile is heard afterwards.
    host.click("#mic-button").await;
    late.click("#join").await;
    in_call(&late).await;
    sees(&late, "Gus", GREEN).await;

    wire.mend();

    guest
        .until("!document.querySelector('#banner').checkVisibility()")
        .await;
    guest
        .until("test.tileOf('Hanna').querySelector('.tile__who').title == 'Muted'")
        .await;
    has_tiles_of(&guest, &["Hanna", "Lena"]).await;
    sees_and_hears(&guest, "Lena", BLUE).await;
    // For the others nobody went.
    let story: Vec<String> = host.eval("test.story.map(s => s.what)").await;
    assert!(!story.contains(&"Gus went".to_owned()), "{story:?}");
    world.end([chromium]).await;
}

#[tokio::test]
async fn a_server_that_starts_again_gets_everybody_back() {
    let mut world = World::start().await;
    let chromium = Chromium::start().await;
    let host = world.host(&chromium, "Hanna", RED).await;
    let guest = world.guest(&chromium, "Gus", GREEN).await;
    sees(&host, "Gus", GREEN).await;
    sees(&guest, "Hanna", RED).await;
    // A server that starts has much to do, and may not answer everybody at once.
    let _: bool = guest
        .eval(
            "(() => {
               let failing = 2
               window.WebSocket = class extends WebSocket {
                 constructor(url) {
                   if (failing-- > 0) throw new Error('not yet')
                   super(url)
                 }
               }
               return true
             })()",
        )
        .await;

    world.stop().await;

    for tab in [&host, &guest] {
        tab.sees("The server is restarting.").await;
        tab.sees("You'll rejoin automatically when it's back.")
            .await;
    }

    world.start_again(|_| {}).await;

    has_tiles_of(&host, &["Gus"]).await;
    has_tiles_of(&guest, &["Hanna"]).await;
    sees_and_hears(&host, "Gus", GREEN).await;
    sees_and_hears(&guest, "Hanna", RED).await;
    world.end([chromium]).await;
}

#[tokio::test]
async fn a_laptop_that_is_opened_again_comes_back_into_the_call() {
    let world = World::start().await;
    let chromium = Chromium::start().await;
    let mut laptop = Chromium::start().await;
    let host = world.host(&chromium, "Hanna", RED).await;
    let guest = world.guest(&laptop, "Gus", GREEN).await;
    sees(&host, "Gus", GREEN).await;

    let shut = laptop.freeze();
    has_tiles_of(&host, &[]).await;
    shut.thaw();

    has_tiles_of(&host, &["Gus"]).await;
    sees_and_hears(&host, "Gus", GREEN).await;
    sees_and_hears(&guest, "Hanna", RED).await;
    world.end([chromium, laptop]).await;
}
