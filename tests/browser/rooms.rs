//! Rooms: made, renamed and deleted by a moderator, each with a link of its own.

use crate::{
    call::{has_tiles_of, sees},
    camera::{GREEN, RED},
    chromium::Chromium,
    world::World,
};

#[tokio::test]
async fn a_room_has_a_link_of_its_own_until_it_is_deleted() {
    let world = World::start().await;
    let chromium = Chromium::start().await;
    let host = chromium.somebody().await;
    host.has(RED).await;
    world.sign_in(&host).await;

    if !host
        .eval::<bool>("document.querySelector('#new-room').checkVisibility()")
        .await
    {
        host.click("[data-toggles=new-room]").await;
    }
    host.types("#new-room [name=name]", "Weekly talk").await;
    host.click("#new-room button").await;
    host.sees("Weekly talk").await;
    let link: String = host
        .eval("[...document.querySelectorAll('.room')].find(r => r.innerText.includes('Weekly talk')).querySelector('[data-copy]').getAttribute('href')")
        .await;

    // Who meets there does not meet the main room.
    let elsewhere = world.guest(&chromium, "Elsa", GREEN).await;
    world.join(&host, &format!("{link}/host"), "Hanna").await;
    let guest = chromium.somebody().await;
    guest.has(GREEN).await;
    world.join(&guest, &link, "Gus").await;
    sees(&host, "Gus", GREEN).await;
    sees(&guest, "Hanna", RED).await;
    has_tiles_of(&elsewhere, &[]).await;

    // Nobody is left in a call without a door.
    let desk = chromium.another_tab(&host).await;
    delete_room(&desk, &world, "Weekly talk").await;
    desk.sees("Someone is still in Weekly talk.").await;

    host.click("#leave").await;
    guest.click("#leave").await;
    host.sees("You left the call.").await;
    guest.sees("You left the call.").await;
    desk.goto(&world.base).await;
    open_menu(&desk, "Weekly talk").await;
    desk.types(".menu[open] [name=name]", "Monthly talk").await;
    desk.click(".menu[open] form[action$=rename] button").await;
    desk.sees("Monthly talk").await;
    delete_room(&desk, &world, "Monthly talk").await;
    desk.until("location.pathname == '/' && !document.body.innerText.includes('Monthly talk')")
        .await;

    guest.goto(&format!("{}{link}", world.base)).await;
    guest.sees("Room not found.").await;
    guest.sees("Ask for a new link.").await;
    guest.click("main .btn").await;
    guest.until("location.pathname == '/'").await;
    world.end([chromium]).await;
}

async fn open_menu(desk: &crate::chromium::Tab, room: &str) {
    desk.click(&format!("[aria-label='Rename or delete {room}']"))
        .await;
}

async fn delete_room(desk: &crate::chromium::Tab, world: &World, room: &str) {
    desk.goto(&world.base).await;
    open_menu(desk, room).await;
    desk.click(".menu[open] form[action$=delete] button").await;
    desk.sees(&format!("Delete the room “{room}”?")).await;
    desk.click("dialog.ask [value=yes]").await;
}
