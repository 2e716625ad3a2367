//! The buddies' page: the presence kit's usage, sentence by sentence, and what two people do at the same moment.

use crate::{
    call::sees_and_hears,
    camera::{BLUE, Camera, GREEN, RED},
    chromium::{Chromium, Tab},
    world::World,
};

impl World {
    /// Somebody on the page of the buddies, under a name and with a camera.
    pub async fn buddy(&self, chromium: &Chromium, name: &str, camera: Camera) -> Tab {
        let tab = chromium.somebody().await;
        tab.has(camera).await;
        tab.goto(&format!("{}/buddies", self.base)).await;
        tab.types("#name", name).await;
        tab.click("#enter").await;
        is_connected(&tab).await;
        tab
    }
}

/// Waits until the page knows how things are.
pub async fn is_connected(tab: &Tab) {
    tab.until("document.querySelector('#desk').checkVisibility() && !document.querySelector('#availability').disabled")
        .await;
}

/// Waits until somebody is listed, in this state, with a camera icon if and only if they can be called.
pub async fn lists(tab: &Tab, name: &str, state: &str) {
    let may = state == "Available";
    tab.until(&format!(
        "(() => {{
           const row = [...document.querySelectorAll('#roster .buddy')].find(r => r.querySelector('bdi').textContent == '{name}')
           return row?.querySelector('small').textContent == '{state}' && row.querySelector('button').checkVisibility() == {may}
         }})()"
    ))
    .await;
}

/// Clicks on the camera icon next to a name.
pub async fn calls(tab: &Tab, name: &str) {
    tab.click(&format!("#roster [aria-label='Call {name}']"))
        .await;
    tab.sees(&format!("Calling {name}…")).await;
}

/// Waits until somebody rings.
pub async fn is_called_by(tab: &Tab, name: &str) {
    tab.until(&ringing(name)).await;
}

fn ringing(name: &str) -> String {
    format!(
        "document.querySelector(\"#ringing [aria-label='{name} is calling']\")?.checkVisibility()"
    )
}

pub async fn accepts(tab: &Tab, name: &str) {
    tab.click(&format!(
        "#ringing [aria-label='Accept the call of {name}']"
    ))
    .await;
}

/// Waits until both are in the call, and see and hear each other.
pub async fn are_in_a_call(one: (&Tab, &str, Camera), other: (&Tab, &str, Camera)) {
    for ((tab, ..), (_, name, camera)) in [(one, other), (other, one)] {
        tab.until("document.querySelector('#call').checkVisibility()")
            .await;
        sees_and_hears(tab, name, camera).await;
    }
}

/// Waits until the call is off the page, and the page says this.
pub async fn is_told(tab: &Tab, words: &str) {
    tab.until("!document.querySelector('#call').checkVisibility()")
        .await;
    tab.until(&format!(
        "document.querySelector('#notice').checkVisibility() && document.querySelector('#notice').innerText.includes({words:?})"
    ))
    .await;
}

/// Keeps what a page posts to such addresses until it is let go.
async fn hold(tab: &Tab, addresses: &str) {
    let _: bool = tab
        .eval(&format!(
            "(() => {{
               const real = window.fetch
               const gate = new Promise(open => {{ window.letGo = open }})
               window.held = 0
               window.fetch = async (...request) => {{
                 if (request[1]?.method == 'POST' && /{addresses}/.test(request[0])) {{
                   window.held += 1
                   await gate
                 }}
                 return real(...request)
               }}
               return true
             }})()"
        ))
        .await;
}

/// Both pages post what they hold, at the same moment.
async fn let_go(one: &Tab, other: &Tab) {
    for tab in [one, other] {
        tab.until("window.held == 1").await;
    }
    let go = "(window.letGo(), true)";
    let (_, _): (bool, bool) = tokio::join!(one.eval(go), other.eval(go));
}

#[tokio::test]
async fn buddies_invite_accept_decline_and_end_as_the_presence_kit_says() {
    let world = World::start().await;
    let [first, second, third] = [
        Chromium::start().await,
        Chromium::start().await,
        Chromium::start().await,
    ];
    // Input a name to be identified with. The list of available users starts as empty.
    let ann = world.buddy(&first, "Ann", RED).await;
    ann.sees("No one else is online. Share this link.").await;
    assert!(ann.text(".roster__me").await.starts_with("You are Ann"));

    // Another user, in another window: each sees the other.
    let bob = world.buddy(&second, "Bob", GREEN).await;
    lists(&ann, "Bob", "Available").await;
    lists(&bob, "Ann", "Available").await;
    let cid = world.buddy(&third, "Cid", BLUE).await;
    for tab in [&ann, &bob] {
        lists(tab, "Cid", "Available").await;
    }

    // Click the camera icon to start a chat. Who has sent an invitation cannot receive any.
    calls(&ann, "Bob").await;
    is_called_by(&bob, "Ann").await;
    lists(&cid, "Ann", "Waiting for an answer").await;
    lists(&cid, "Bob", "Available").await;

    // While waiting, "cancel" stops the invitation.
    ann.click("#cancel").await;
    is_told(&ann, "Call cancelled.").await;
    bob.until(&format!("!{}", ringing("Ann"))).await;
    bob.sees("Missed calls").await;
    lists(&cid, "Ann", "Available").await;

    // Declined, the invitation disappears.
    calls(&ann, "Bob").await;
    is_called_by(&bob, "Ann").await;
    bob.click("#ringing [aria-label='Decline the call of Ann']")
        .await;
    is_told(&ann, "Bob declined.").await;
    bob.until(&format!("!{}", ringing("Ann"))).await;

    // An invited user can continue to receive invitations; accepting one declines all others.
    calls(&ann, "Bob").await;
    is_called_by(&bob, "Ann").await;
    // Rows change places when that is told; a click is for where they are.
    lists(&cid, "Ann", "Waiting for an answer").await;
    calls(&cid, "Bob").await;
    is_called_by(&bob, "Cid").await;
    bob.until(&ringing("Ann")).await;
    accepts(&bob, "Ann").await;
    is_told(&cid, "Bob took another call.").await;
    are_in_a_call((&ann, "Ann", RED), (&bob, "Bob", GREEN)).await;

    // Unavailable users have no camera icon next to their name.
    lists(&cid, "Ann", "In a call").await;
    lists(&cid, "Bob", "In a call").await;

    // Nobody else gets into the chat.
    let session: String = ann
        .eval("(await (await fetch('/buddies/mine')).json()).chat.sessionId")
        .await;
    let query = format!("'/chats?sessionId=' + encodeURIComponent('{session}')");
    let ask = format!(
        "await (async () => {{ const r = await fetch({query}); return [r.status, (await r.json()).message ?? ''] }})()"
    );
    let (status, message): (u16, String) = cid.eval(&ask).await;
    assert_eq!(
        (status, message.as_str()),
        (403, "this call is between two other people")
    );
    let (status, _): (u16, String) = ann.eval(&ask).await;
    assert_eq!(status, 200);

    // Once either chooses to end the chat, both return to being available.
    bob.click("#end").await;
    is_told(&bob, "You ended the call with Ann.").await;
    is_told(&ann, "Bob ended the call.").await;
    for tab in [&ann, &cid] {
        lists(tab, "Bob", "Available").await;
    }
    lists(&bob, "Ann", "Available").await;
    let (status, _): (u16, String) = ann.eval(&ask).await;
    assert_eq!(status, 404, "a chat that is over");
    let violations: Vec<String> = ann.eval("test.violations").await;
    assert_eq!(violations, [""; 0]);
    world.end([first, second, third]).await;
}

#[tokio::test]
async fn two_who_invite_each_other_at_the_same_moment_are_connected() {
    let world = World::start().await;
    let chromium = Chromium::start().await;
    let ann = world.buddy(&chromium, "Ann", RED).await;
    let bob = world.buddy(&chromium, "Bob", GREEN).await;
    lists(&ann, "Bob", "Available").await;
    lists(&bob, "Ann", "Available").await;
    for tab in [&ann, &bob] {
        hold(tab, r"^\/invitations$").await;
    }

    ann.click("#roster [aria-label='Call Bob']").await;
    bob.click("#roster [aria-label='Call Ann']").await;
    let_go(&ann, &bob).await;

    are_in_a_call((&ann, "Ann", RED), (&bob, "Bob", GREEN)).await;
    world.end([chromium]).await;
}

#[tokio::test]
async fn accepting_against_cancelling_has_one_winner_and_both_learn_it() {
    let world = World::start().await;
    let chromium = Chromium::start().await;
    let ann = world.buddy(&chromium, "Ann", RED).await;
    let bob = world.buddy(&chromium, "Bob", GREEN).await;
    for round in 0..4 {
        lists(&ann, "Bob", "Available").await;
        calls(&ann, "Bob").await;
        is_called_by(&bob, "Ann").await;
        for tab in [&ann, &bob] {
            hold(tab, r"^\/invitations\/.*(accept|cancel)$").await;
        }
        ann.click("#cancel").await;
        accepts(&bob, "Ann").await;
        if round % 2 == 0 {
            let_go(&ann, &bob).await;
        } else {
            let_go(&bob, &ann).await;
        }

        // Whatever it is, it is the same for both.
        ann.until("document.querySelector('#call').checkVisibility() || document.querySelector('#notice').checkVisibility()")
            .await;
        if ann
            .eval::<bool>("document.querySelector('#call').checkVisibility()")
            .await
        {
            ann.sees("Bob accepted at the same moment.").await;
            are_in_a_call((&ann, "Ann", RED), (&bob, "Bob", GREEN)).await;
            ann.click("#end").await;
            is_told(&bob, "Ann ended the call.").await;
            is_told(&ann, "You ended the call with Bob.").await;
        } else {
            is_told(&ann, "Call cancelled.").await;
            bob.sees("Ann cancelled the call.").await;
            bob.until(&format!("!{}", ringing("Ann"))).await;
            bob.until("document.querySelector('#missed').checkVisibility()")
                .await;
        }
        for tab in [&ann, &bob] {
            let _: bool = tab
                .eval("(document.querySelector('#toasts').replaceChildren(), true)")
                .await;
        }
    }
    world.end([chromium]).await;
}
