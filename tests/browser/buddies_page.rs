//! The buddies' page around the calls: names, links, states of one's own, missed calls, many buddies, the keyboard.

use chromiumoxide::cdp::browser_protocol::input::DispatchMouseEventType;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio_tungstenite::{connect_async, tungstenite::Message};

use crate::{
    buddies::{accepts, are_in_a_call, calls, is_called_by, is_connected, is_told, lists},
    camera::{GREEN, RED},
    chromium::{Chromium, Tab},
    world::World,
};

/// Chooses what to be.
async fn chooses(tab: &Tab, availability: &str) {
    let _: bool = tab
        .eval(&format!(
            "(() => {{ const s = document.querySelector('#availability'); s.value = '{availability}'; return s.dispatchEvent(new Event('change')) }})()"
        ))
        .await;
    tab.until(&format!(
        "document.querySelector('.availability').dataset.availability == '{availability}'"
    ))
    .await;
}

async fn presses(tab: &Tab, key: &str) {
    let element = tab.page.find_element("html").await.unwrap();
    element.press_key(key).await.unwrap();
}

/// Buddies who are there and do nothing; they go when this is dropped.
struct Crowd(Vec<tokio::task::JoinHandle<()>>);

impl Crowd {
    async fn of(world: &World, count: usize) -> Crowd {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let page = client.get(format!("{}/buddies", world.base)).send();
        let page = page.await.unwrap().text().await.unwrap();
        let (_, boot) = page.split_once(r#"id="boot">"#).unwrap();
        let (boot, _) = boot.split_once("</script>").unwrap();
        let presence: Value = serde_json::from_str(boot).unwrap();
        let mut members = Vec::new();
        for number in 0..count {
            let answer: Value = client
                .post(format!("{}/users", world.base))
                .json(&json!({ "name": format!("Member {number:03}") }))
                .send()
                .await
                .unwrap()
                .json()
                .await
                .unwrap();
            let address = format!("ws://{}/live", world.addr());
            let (mut socket, _) = connect_async(address).await.unwrap();
            let hello = json!({
                "id": 1, "type": "hello", "versions": [1], "quiet": true,
                "sessionId": presence["sessionId"], "token": answer["token"],
            });
            socket.send(Message::text(hello.to_string())).await.unwrap();
            // The welcome.
            socket.next().await.unwrap().unwrap();
            members.push(tokio::spawn(async move {
                while let Some(Ok(_)) = socket.next().await {}
            }));
        }
        Crowd(members)
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        for member in &self.0 {
            member.abort();
        }
    }
}

#[tokio::test]
async fn a_bad_name_gets_a_sentence_at_its_field_and_any_other_is_shown_as_it_is() {
    let world = World::start().await;
    let chromium = Chromium::start().await;
    let ann = world.buddy(&chromium, "Ann", RED).await;
    let other = chromium.somebody().await;
    other.goto(&format!("{}/buddies", world.base)).await;

    for (name, words) in [
        ("\u{200b} \u{3164}".to_owned(), "Enter a name."),
        ("x".repeat(61), "Use at most 60 characters"),
    ] {
        other.types("#name", &name).await;
        other.click("#enter").await;
        other
            .until(&format!(
                "document.querySelector('#name-problem').innerText.includes('{words}') && document.querySelector('#name').getAttribute('aria-invalid') == 'true'"
            ))
            .await;
    }
    assert_eq!(
        ann.eval::<usize>("document.querySelectorAll('#roster .buddy').length")
            .await,
        0
    );

    ann.resize(390, 844).await;
    for name in ["<b>Ann</b> & \"Co\"", "مرحبا 👩🏽‍🚀", &"W".repeat(60)] {
        let somebody = world.buddy(&chromium, name, GREEN).await;
        lists(&ann, &name.replace('"', "\\\""), "Available").await;
        let wide: i64 = ann.eval("document.documentElement.scrollWidth").await;
        assert!(wide <= 390, "{wide} px with {name}");
        somebody.close().await;
        ann.until("!document.querySelector('#roster .buddy')").await;
    }
    // The same name twice is told apart.
    let second = world.buddy(&chromium, "Ann", GREEN).await;
    let third = world.buddy(&chromium, "Ann", GREEN).await;
    lists(&third, "Ann (2)", "Available").await;
    lists(&third, "Ann", "Available").await;
    second.sees("You are Ann (2)").await;
    world.end([chromium]).await;
}

#[tokio::test]
async fn links_lead_straight_in_and_to_somebody_to_call() {
    let world = World::start().await;
    let chromium = Chromium::start().await;
    let ann = world.buddy(&chromium, "Ann", RED).await;
    let bob = chromium.somebody().await;
    bob.has(GREEN).await;
    bob.goto(&format!("{}/buddies?name=B%C3%B6b", world.base))
        .await;
    is_connected(&bob).await;
    lists(&ann, "Böb", "Available").await;
    assert_eq!(bob.path().await, "/buddies");

    // "Call me", opened by somebody who was never here.
    let user: String = ann
        .eval("JSON.parse(JSON.stringify(await (await fetch('/buddies/mine')).json())).me.id")
        .await;
    let cid = chromium.somebody().await;
    cid.has(GREEN).await;
    cid.goto(&format!("{}/buddies/call/{user}", world.base))
        .await;
    cid.sees("Call Ann").await;
    cid.types("#name", "Cid").await;
    cid.click("#enter").await;
    is_connected(&cid).await;
    cid.click("#asked-call").await;
    is_called_by(&ann, "Cid").await;
    accepts(&ann, "Cid").await;
    are_in_a_call((&ann, "Ann", RED), (&cid, "Cid", GREEN)).await;
    cid.click("#end").await;
    is_told(&ann, "Cid ended the call.").await;

    let nobody = "00000000-0000-4000-8000-000000000000";
    cid.goto(&format!("{}/buddies/call/{nobody}", world.base))
        .await;
    let status: u16 = cid.eval("(await fetch(location.href)).status").await;
    assert_eq!(status, 404);
    world.end([chromium]).await;
}

#[tokio::test]
async fn who_does_not_want_to_be_disturbed_or_seen_is_not_and_finds_the_missed_calls() {
    let world = World::start().await;
    let chromium = Chromium::start().await;
    let ann = world.buddy(&chromium, "Ann", RED).await;
    let bob = world.buddy(&chromium, "Bob", GREEN).await;
    lists(&ann, "Bob", "Available").await;

    chooses(&bob, "doNotDisturb").await;
    lists(&ann, "Bob", "Do not disturb").await;
    chooses(&bob, "invisible").await;
    ann.sees("No one else is online.").await;
    bob.sees("No one can see that you're online").await;
    let user: String = bob
        .eval("(await (await fetch('/buddies/mine')).json()).me.id")
        .await;
    ann.goto(&format!("{}/buddies/call/{user}", world.base))
        .await;
    ann.click("#asked-call").await;
    is_told(&ann, "Bob is offline.").await;

    // Missed, listed, called back.
    bob.until("document.querySelector('#missed').innerText.includes('you were away or invisible')")
        .await;
    chooses(&bob, "available").await;
    calls(&ann, "Bob").await;
    is_called_by(&bob, "Ann").await;
    ann.click("#cancel").await;
    bob.until("document.querySelector('#missed').innerText.includes('2 calls')")
        .await;
    bob.click("#missed [aria-label='Call Ann back']").await;
    is_called_by(&ann, "Bob").await;
    ann.click("#ringing [data-do=decline]").await;
    is_told(&bob, "Ann declined.").await;
    bob.click("#missed [data-do=forget]").await;
    bob.until("!document.querySelector('#missed').checkVisibility()")
        .await;
    bob.goto(&format!("{}/buddies", world.base)).await;
    is_connected(&bob).await;
    assert!(
        !bob.eval::<bool>("document.querySelector('#missed').checkVisibility()")
            .await
    );
    world.end([chromium]).await;
}

#[tokio::test]
async fn a_ring_does_not_steal_what_somebody_types_and_is_answered_by_keyboard() {
    let world = World::start().await;
    let chromium = Chromium::start().await;
    let crowd = Crowd::of(&world, 21).await;
    let ann = world.buddy(&chromium, "Ann", RED).await;
    let bob = world.buddy(&chromium, "Bob", GREEN).await;
    lists(&ann, "Bob", "Available").await;
    bob.types("#search", "Member").await;

    calls(&ann, "Bob").await;
    is_called_by(&bob, "Ann").await;
    bob.types("#search", "Member 00").await;
    presses(&bob, "Enter").await;
    presses(&bob, "Escape").await;
    bob.until(
        "document.activeElement.id == 'search' && document.querySelector('#alert').textContent == 'Ann is calling.' && document.title.includes('Ann')",
    )
    .await;
    assert!(
        bob.eval::<bool>("document.querySelector('#ringing section').checkVisibility()")
            .await
    );
    let _: bool = bob.eval("(document.activeElement.blur(), true)").await;
    presses(&bob, "Enter").await;
    are_in_a_call((&ann, "Ann", RED), (&bob, "Bob", GREEN)).await;
    let focused: String = bob.eval("document.activeElement.textContent").await;
    assert_eq!(focused, "Ann");
    ann.click("#end").await;
    is_told(&bob, "Ann ended the call.").await;
    drop(crowd);
    world.end([chromium]).await;
}

/// Counts the tones that a page makes and keeps the notifications it shows; nobody looks at the page.
const LOOKS_ELSEWHERE: &str = "
    window.tones = 0
    window.notes = []
    const start = OscillatorNode.prototype.start
    OscillatorNode.prototype.start = function (...when) {
      window.tones += 1
      return start.apply(this, when)
    }
    window.Notification = class {
      static permission = 'granted'
      constructor(title) {
        this.title = title
        window.notes.push(this)
      }
      addEventListener() {}
      close() {
        this.isClosed = true
      }
    }
    document.hasFocus = () => false";

#[tokio::test]
async fn who_looks_elsewhere_hears_it_ring_in_one_tab_and_is_notified() {
    let world = World::start().await;
    let chromium = Chromium::start().await;
    let ann = world.buddy(&chromium, "Ann", RED).await;
    let bob = chromium.somebody().await;
    bob.before_load(LOOKS_ELSEWHERE).await;
    bob.goto(&format!("{}/buddies?name=Bob", world.base)).await;
    is_connected(&bob).await;
    let second = chromium.another_tab(&bob).await;
    second.before_load(LOOKS_ELSEWHERE).await;
    second.goto(&format!("{}/buddies", world.base)).await;
    is_connected(&second).await;
    let title: String = bob.eval("document.title").await;

    calls(&ann, "Bob").await;

    for tab in [&bob, &second] {
        tab.until(
            "window.notes[0]?.title == 'Ann is calling' && document.title.includes('Ann calling')",
        )
        .await;
        // It flashes.
        tab.until(&format!("document.title == '{title}'")).await;
        tab.until("document.title.includes('Ann calling')").await;
    }
    let mut tones: Vec<u32> = Vec::new();
    for tab in [&bob, &second] {
        tones.push(tab.eval("window.tones").await);
    }
    tones.sort_unstable();
    assert!(tones[0] == 0 && tones[1] > 0, "{tones:?}");

    ann.click("#cancel").await;

    for tab in [&bob, &second] {
        tab.until(&format!(
            "window.notes[0].isClosed && document.title == '{title}' && !document.querySelector('#ringing section')"
        ))
        .await;
    }
    world.end([chromium]).await;
}

#[tokio::test]
async fn many_buddies_are_searched_and_shown_a_page_at_a_time() {
    let world = World::start().await;
    let chromium = Chromium::start().await;
    let crowd = Crowd::of(&world, 130).await;
    let ann = world.buddy(&chromium, "Ann", RED).await;
    let rows = "document.querySelectorAll('#roster .buddy').length";
    ann.until(&format!(
        "{rows} == 50 && document.querySelector('#search').placeholder == 'Search 130 people'"
    ))
    .await;
    ann.click("#more").await;
    ann.until(&format!("{rows} == 100")).await;
    ann.click("#more").await;
    ann.until(&format!(
        "{rows} == 130 && !document.querySelector('#more').checkVisibility()"
    ))
    .await;
    let sorted: bool = ann
        .eval("[...document.querySelectorAll('#roster bdi')].every((b, i) => b.textContent == `Member ${String(i).padStart(3, '0')}`)")
        .await;
    assert!(sorted);

    ann.types("#search", "member 12").await;
    ann.until(&format!("{rows} == 10")).await;
    // Who comes and matches appears, who does not match does not.
    let late = world.buddy(&chromium, "New MEMBER 12b", GREEN).await;
    lists(&ann, "New MEMBER 12b", "Available").await;
    let _other = world.buddy(&chromium, "Otto", GREEN).await;
    late.close().await;
    ann.until(&format!("{rows} == 10")).await;
    ann.click("#search").await;
    for _ in 0.."member 12".len() {
        presses(&ann, "Backspace").await;
    }
    ann.until(&format!(
        "{rows} >= 50 && document.querySelector('#search').placeholder == 'Search 131 people'"
    ))
    .await;
    drop(crowd);
    lists(&ann, "Otto", "Available").await;
    ann.until(&format!("{rows} == 1")).await;
    world.end([chromium]).await;
}

/// As a browser that knows nothing of the site: it keeps the sound off until somebody has clicked or typed.
const KEEPS_THE_SOUND_OFF: &str = "
    window.AudioContext = class extends AudioContext {
      get state() {
        return navigator.userActivation.hasBeenActive ? super.state : 'suspended'
      }
    }";

#[tokio::test]
async fn the_first_click_on_the_page_accepts_a_call_and_the_note_about_the_sound_goes() {
    let world = World::start().await;
    let chromium = Chromium::start().await;
    let ann = world.buddy(&chromium, "Ann", RED).await;
    let bob = chromium.somebody().await;
    bob.has(GREEN).await;
    bob.before_load(KEEPS_THE_SOUND_OFF).await;
    bob.goto(&format!("{}/buddies?name=Bob", world.base)).await;
    is_connected(&bob).await;
    calls(&ann, "Bob").await;
    is_called_by(&bob, "Ann").await;
    bob.sees("Your browser blocked the ringtone.").await;

    // As fingers do it, with time between press and release.
    let accept = "#ringing [aria-label='Accept the call of Ann']";
    let there = bob.middle(accept).await;
    bob.mouse(there, DispatchMouseEventType::MousePressed).await;
    bob.until("(window.pressed ??= performance.now()) && performance.now() - pressed > 200")
        .await;
    bob.mouse(there, DispatchMouseEventType::MouseReleased)
        .await;

    are_in_a_call((&ann, "Ann", RED), (&bob, "Bob", GREEN)).await;
    assert!(
        !bob.eval::<bool>("document.querySelector('#wake').checkVisibility()")
            .await
    );
    world.end([chromium]).await;
}
