//! What only a moderator does: host, mute, remove, look at the history.

use crate::{
    call::{has_tiles_of, sees, sees_and_hears},
    camera::{GREEN, RED},
    chromium::Chromium,
    world::{World, fill_sign_in},
};

#[tokio::test]
async fn who_hosts_or_looks_at_the_history_signs_in_first_and_comes_back() {
    let world = World::start().await;
    let chromium = Chromium::start().await;
    for path in ["/host", "/history?page=1", "/rooms/main/host"] {
        let tab = chromium.somebody().await;

        tab.goto(&format!("{}{path}", world.base)).await;
        tab.sees("For moderators. Guests don't need an account")
            .await;
        fill_sign_in(&tab).await;

        tab.until(&format!(
            "location.pathname + location.search == '{path}' && document.readyState == 'complete'"
        ))
        .await;
        tab.close().await;
    }

    let tab = chromium.somebody().await;
    tab.goto(&format!("{}/sign-in", world.base)).await;
    tab.types("[name=name]", "Moni").await;
    tab.types("[name=password]", "a wrong guess").await;
    tab.click("main form button").await;
    tab.sees("Wrong name or password.").await;
    tab.goto(&format!("{}/history", world.base)).await;
    assert!(tab.path().await.starts_with("/sign-in?back="));

    world.sign_in(&tab).await;
    tab.click("header form button").await;
    tab.sees("Sign in").await;
    tab.goto(&format!("{}/history", world.base)).await;
    assert!(tab.path().await.starts_with("/sign-in?back="));
    world.end([chromium]).await;
}

#[tokio::test]
async fn a_host_mutes_somebody_who_can_unmute_again() {
    let world = World::start().await;
    let chromium = Chromium::start().await;
    let host = world.host(&chromium, "Hanna", RED).await;
    let guest = world.guest(&chromium, "Gus", GREEN).await;
    sees_and_hears(&host, "Gus", GREEN).await;

    host.click("#people-button").await;
    host.click("[aria-label='Mute Gus']").await;

    host.sees("Gus is muted.").await;
    guest.sees("The host muted you.").await;
    guest
        .until("document.querySelector('#mic-button').getAttribute('aria-pressed') == 'false'")
        .await;
    host.until("test.loudness('Gus') < 0.002").await;

    guest.click("#mic-button").await;

    sees_and_hears(&host, "Gus", GREEN).await;
    world.end([chromium]).await;
}

#[tokio::test]
async fn a_host_removes_somebody_who_is_told_and_may_come_back() {
    let world = World::start().await;
    let chromium = Chromium::start().await;
    let host = world.host(&chromium, "Hanna", RED).await;
    let guest = world.guest(&chromium, "Gus", GREEN).await;
    sees(&host, "Gus", GREEN).await;

    host.click("#people-button").await;
    host.click("[aria-label='Remove Gus from the call']").await;
    host.sees("Remove Gus from the call?").await;
    host.click("dialog.ask [value=yes]").await;

    guest.sees("You were removed from the call.").await;
    has_tiles_of(&host, &[]).await;

    guest.click("#rejoin").await;
    sees(&host, "Gus", GREEN).await;
    sees(&guest, "Hanna", RED).await;
    world.end([chromium]).await;
}

#[tokio::test]
async fn a_guest_moderates_nobody_and_records_nothing() {
    let world = World::start().await;
    let chromium = Chromium::start().await;
    let host = world.host(&chromium, "Hanna", RED).await;
    let guest = world.guest(&chromium, "Gus", GREEN).await;
    sees(&guest, "Hanna", RED).await;

    guest.click("#people-button").await;
    let offered: Vec<String> = guest
        .eval("[...document.querySelectorAll('#start-archive, #stop-archive, #mute-all, [data-do]')].filter(e => e.checkVisibility()).map(e => e.outerHTML)")
        .await;
    assert_eq!(offered, [""; 0]);

    // Nor by asking as the host's page asks, nor by the library.
    let statuses: Vec<u16> = guest
        .eval(
            "await Promise.all(['/archives', '/rooms/main/host/join', '/rooms'].map(async path =>
               (await fetch(path, {
                 method: 'POST',
                 headers: { 'X-CSRF-Token': JSON.parse(document.querySelector('#boot').textContent).csrf },
                 body: new URLSearchParams({ room: 'main', name: 'x' })
               })).status))",
        )
        .await;
    assert_eq!(statuses, [401, 401, 401]);
    guest.goto(&format!("{}/hello", world.base)).await;
    has_tiles_of(&host, &["Gus"]).await;
    guest
        .until("document.querySelector('#subscribers video')?.videoWidth > 0")
        .await;
    let codes: Vec<u16> = guest
        .eval(
            "await (async () => {
               const session = OT.initSession(document.querySelector('#hello').dataset.sessionId)
               const stream = session.streams.find(s => s.connection.connectionId != session.connection.connectionId)
               const code = (act) => new Promise(r => act((e) => r(e?.code ?? 0)))
               return [
                 await code(done => session.forceDisconnect(stream.connection, done)),
                 await code(done => session.forceUnpublish(stream, done)),
                 await code(done => session.forceMuteStream(stream, done)),
               ]
             })()",
        )
        .await;
    assert_eq!(codes, [1520, 1530, 1540]);
    has_tiles_of(&host, &["Gus"]).await;
    world.end([chromium]).await;
}
