//! Recording: everybody knows of it, only hosts start, stop and delete, and what cannot be is said.

use chromiumoxide::cdp::browser_protocol::input::DispatchMouseEventType;

use crate::{
    camera::{GREEN, RED},
    chromium::{Chromium, Tab},
    world::{World, record, start_archive, stop_archive},
};

/// Seconds that the clock beside REC shows.
pub const REC_S: &str = "document.querySelector('#rec-time').textContent.split(':').reduce((m, s) => m * 60 + Number(s), 0)";

pub async fn shows_rec(tab: &Tab) {
    tab.until("document.querySelector('#rec').checkVisibility() && document.querySelector('#rec').innerText.includes('REC')")
        .await;
}

#[tokio::test]
async fn everybody_is_told_that_and_how_long_a_call_is_recorded() {
    let world = World::start().await;
    let chromium = Chromium::start().await;
    let prejoin = chromium.somebody().await;
    prejoin.has(GREEN).await;
    prejoin.goto(&format!("{}/participant", world.base)).await;
    let host = world.host(&chromium, "Hanna", RED).await;
    let guest = world.guest(&chromium, "Gus", GREEN).await;
    assert!(
        !guest
            .eval::<bool>("document.querySelector('#rec').checkVisibility()")
            .await
    );

    start_archive(&host).await;

    shows_rec(&guest).await;
    guest.sees("Recording has started.").await;
    prejoin
        .until("document.querySelector('#prejoin-rec').checkVisibility()")
        .await;
    host.until(&format!("{REC_S} >= 4")).await;

    // Who opens the page now is told before joining, and sees the time since the start.
    prejoin.goto(&format!("{}/participant", world.base)).await;
    prejoin.sees("This room is being recorded").await;
    crate::world::prepare_and_join(&prejoin, "Lena").await;
    shows_rec(&prejoin).await;
    let late: f64 = prejoin.eval(REC_S).await;
    let hosts: f64 = host.eval(REC_S).await;
    assert!(late >= 4.0 && (hosts - late).abs() <= 1.5, "{late} {hosts}");
    let desk = chromium.another_tab(&host).await;
    desk.goto(&world.base).await;
    desk.sees("recording 0:").await;

    stop_archive(&host).await;

    for tab in [&guest, &prejoin] {
        tab.until("document.querySelector('#rec').hidden").await;
        tab.sees("Recording has stopped.").await;
    }
    assert!(
        !guest
            .eval::<bool>("document.querySelector('#toasts').innerText.includes('Open archive')")
            .await
    );
    host.sees("Open archive").await;
    let leads: String = host
        .eval("[...document.querySelectorAll('#toasts a')].at(-1).getAttribute('href')")
        .await;
    assert!(leads.starts_with("/archives/"), "{leads}");
    world.end([chromium]).await;
}

#[tokio::test]
async fn what_cannot_be_recorded_stopped_or_deleted_now_is_refused_in_words() {
    let world = World::start().await;
    let chromium = Chromium::start().await;
    let host = world.host(&chromium, "Hanna", RED).await;
    let other = chromium.another_tab(&host).await;
    other.goto(&format!("{}/host", world.base)).await;

    start_archive(&host).await;
    host.until("(await (await fetch('/rooms/main/status')).json()).recording")
        .await;

    // Another host, whose page did not know yet.
    let _: bool = other
        .eval("document.querySelector('#start-form').requestSubmit() ?? true")
        .await;
    other
        .sees("This room is already being recorded: Moni started it")
        .await;

    // While it records it cannot be deleted: the page does not offer it, the server refuses it.
    other.goto(&format!("{}/history", world.base)).await;
    other
        .until("document.querySelector('form[action$=stop]')")
        .await;
    assert!(
        !other
            .eval::<bool>("document.querySelector('form[action$=delete]') != null")
            .await
    );
    let (status, cause): (u16, String) = other
        .eval(
            "await (async () => {
               const stop = document.querySelector('form[action$=stop]')
               window.stale = stop.cloneNode(true)
               const answer = await fetch(stop.action.replace('stop', 'delete'),
                 { method: 'POST', headers: { 'X-CSRF-Token': stop.elements.csrf.value } })
               return [answer.status, (await answer.json()).cause]
             })()",
        )
        .await;
    assert_eq!(status, 409, "{cause}");
    assert!(
        cause.contains("delete") || cause.contains("record"),
        "{cause}"
    );

    stop_archive(&host).await;

    // A page that still shows the button.
    other
        .until("!document.querySelector('form[action$=stop]')")
        .await;
    let _: bool = other
        .eval("(document.body.append(window.stale), window.stale.submit(), true)")
        .await;
    other.sees("The page may be out of date. Reload it.").await;
    world.end([chromium]).await;
}

/// Connections for news come about when the test says so: `connect()`. `heard` counts the news.
const HEARS_LATE: &str = "
    const Real = EventSource
    window.heard = 0
    window.EventSource = class extends EventTarget {
      constructor(url) {
        super()
        window.connect = () => {
          this.real = new Real(url)
          for (const type of ['open', 'archive']) {
            this.real.addEventListener(type, ({ data }) => {
              if (type === 'archive') window.heard += 1
              this.dispatchEvent(new MessageEvent(type, { data }))
            })
          }
        }
      }
      close() {
        this.real?.close()
      }
    }";

#[tokio::test]
async fn the_history_misses_nothing_and_takes_no_button_from_under_a_finger() {
    let world = World::start().await;
    let chromium = Chromium::start().await;
    let host = world.host(&chromium, "Hanna", RED).await;
    start_archive(&host).await;
    let desk = chromium.another_tab(&host).await;
    desk.before_load(HEARS_LATE).await;
    desk.goto(&format!("{}/history", world.base)).await;
    desk.until("document.querySelector('table.archives .badge-status.rec')")
        .await;
    stop_archive(&host).await;
    host.until(
        "new DOMParser().parseFromString(await (await fetch('/history')).text(), 'text/html')
           .querySelector('table.archives').textContent.includes('Available')",
    )
    .await;

    let _: bool = desk.eval("(connect(), true)").await;

    desk.until("document.querySelector('table.archives').innerText.includes('Available')")
        .await;

    let delete = desk.middle("form[action$=delete] button").await;
    desk.mouse(delete, DispatchMouseEventType::MousePressed)
        .await;
    let _: bool = desk.eval("(window.before = heard, true)").await;
    start_archive(&host).await;
    desk.until("heard > before && (window.at ??= performance.now())")
        .await;
    desk.until("performance.now() - at > 1500").await;
    desk.mouse(delete, DispatchMouseEventType::MouseReleased)
        .await;
    desk.sees("Delete “Main room” of ").await;
    desk.click("dialog.ask [value=no]").await;
    desk.until("document.querySelector('table.archives .badge-status.rec')")
        .await;
    world.end([chromium]).await;
}

#[tokio::test]
async fn deleting_asks_by_name_and_then_nothing_is_left() {
    let world = World::start().await;
    let chromium = Chromium::start().await;
    let host = world.host(&chromium, "Hanna", RED).await;
    record(&host, 1500).await;
    let desk = chromium.another_tab(&host).await;
    desk.goto(&format!("{}/history", world.base)).await;
    desk.until("document.querySelector('table.archives').innerText.includes('Available')")
        .await;
    let id: String = desk
        .eval("document.querySelector('tr[data-item-id]').dataset.itemId")
        .await;
    let folder = world.archives().join(&id);
    assert!(folder.join("archive.mp4").exists());

    desk.click("form[action$=delete] button").await;
    desk.until(
        "document.querySelector('dialog.ask h2').textContent.startsWith('Delete “Main room” of ')",
    )
    .await;
    desk.click("dialog.ask [value=no]").await;
    desk.until("!document.querySelector('dialog')").await;
    assert!(folder.join("archive.mp4").exists());

    desk.click("form[action$=delete] button").await;
    desk.click("dialog.ask [value=yes]").await;

    desk.sees("There are no archives currently. Try making one in the host view.")
        .await;
    assert!(!folder.exists());
    desk.goto(&format!("{}/archives/{id}", world.base)).await;
    desk.sees("Recording not found.").await;
    world.end([chromium]).await;
}
