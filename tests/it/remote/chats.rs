//! Buddies meet here and talk on the other server.

use serde_json::{Value, json};

use super::{
    proxy::pair_with_proxy,
    world::{KEY, Pair},
};
use crate::{
    buddies::world::{Buddy, Tab, text},
    people::between,
    sdk::service::reply,
};

/// Two buddies in a call: their tabs here, and their connections there.
struct Call {
    pair: Pair,
    ann: Buddy,
    bob: Buddy,
    session: String,
    in_call: [Tab; 2],
}

impl Call {
    async fn begin() -> Call {
        Call::on(Pair::start().await).await
    }

    async fn on(pair: Pair) -> Call {
        let ann = Buddy::at(&pair.web.base, "Ann").await;
        let bob = Buddy::at(&pair.web.base, "Bob").await;
        let session = ann.talks_to(&bob).await;
        let in_call = [
            joins(&pair, &ann, &session).await,
            joins(&pair, &bob, &session).await,
        ];
        Call {
            pair,
            ann,
            bob,
            session,
            in_call,
        }
    }

    async fn does(&self, who: &Buddy, action: &str) -> u16 {
        let path = format!("/chats/{}/recording", self.session);
        who.sends(&path, json!({ "action": action })).await.0
    }

    async fn both_hear(&mut self, state: &str) {
        for buddy in [&mut self.ann, &mut self.bob] {
            let news = buddy.tab.news("recording").await;
            assert_eq!(news["state"], state, "{news}");
        }
    }
}

/// Joins a chat as the page does: connects there, and reports it here.
async fn joins(pair: &Pair, buddy: &Buddy, session: &str) -> Tab {
    let (status, pass) = buddy.asks(&format!("/chats?sessionId={session}")).await;
    assert_eq!(status, 200, "{pass}");
    assert_eq!(pass["apiKey"], KEY.to_string());
    let tab = Tab::open(&pair.media.base, &pass).await;
    let (status, told) = says_connected(buddy, session, &tab.id).await;
    assert_eq!(status, 204, "{told}");
    tab
}

async fn says_connected(buddy: &Buddy, session: &str, connection: &str) -> (u16, Value) {
    let path = format!("/chats/{session}/connection");
    buddy
        .sends(&path, json!({ "connection": connection }))
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn two_ring_and_talk_and_both_are_out_when_one_ends_it() {
    let mut call = Call::begin().await;
    let (pair, session) = (&call.pair, &call.session);
    let eve = Buddy::at(&pair.web.base, "Eve").await;
    assert_eq!(
        eve.asks(&format!("/chats?sessionId={session}")).await.0,
        403
    );
    let id = uuid::Uuid::new_v4().to_string();
    assert_eq!(says_connected(&eve, session, &id).await.0, 403);
    assert_eq!(says_connected(&eve, "2_nothing", &id).await.0, 404);

    let path = format!("/chats/{session}/end");
    assert_eq!(call.bob.sends(&path, json!({})).await.0, 204);
    let ended = call.ann.tab.news("chatEnded").await;
    assert_eq!(ended["reason"], "ended");
    for tab in &mut call.in_call {
        tab.is_closed().await;
    }
    let again = format!("/chats?sessionId={session}");
    assert_eq!(call.ann.asks(&again).await.0, 404);
    let late = call.in_call[0].id.clone();
    assert_eq!(says_connected(&call.ann, session, &late).await.0, 404);
    drop(eve);
    call.pair.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_call_connection_ends_the_call_for_the_other_though_the_page_is_open() {
    let mut call = Call::begin().await;
    let [own, others] = call.in_call;
    others.close().await;
    let ended = call.ann.tab.news("chatEnded").await;
    assert_eq!(
        (&ended["reason"], text(&ended["by"])),
        (&json!("gone"), call.bob.user.clone())
    );
    drop(own);
    call.pair.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_buddy_who_closes_the_page_is_gone_within_seconds() {
    let mut call = Call::begin().await;
    call.bob.tab.close().await;
    let ended = call.ann.tab.news("chatEnded").await;
    assert_eq!(ended["reason"], "gone");
    call.pair.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_vanishes_leaves_the_presence_session_without_media() {
    let pair = Pair::start().await;
    let mut ann = Buddy::at(&pair.web.base, "Ann").await;
    let bob = Buddy::at(&pair.web.base, "Bob").await;
    ann.waits_to_see(&bob, Some("available")).await;
    let Buddy { tab, user, .. } = bob;
    tab.vanish();
    loop {
        let (_, page) = ann.asks("/buddies/roster").await;
        if !page.to_string().contains(&user) {
            break;
        }
        ann.tab.hears(|heard| heard["signalType"] == "roster").await;
    }
    pair.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hang_up_during_an_outage_takes_effect_after_it() {
    let (pair, mut proxy) = pair_with_proxy().await;
    let mut call = Call::on(pair).await;
    proxy.answers(|_| Some(reply(502, "{}")));
    let path = format!("/chats/{}/end", call.session);
    assert_eq!(call.bob.sends(&path, json!({})).await.0, 204);
    // One request may be from the poll of the chat.
    proxy.has_answered(2, "/connection ").await;
    proxy.lets_everything_through();
    for tab in &mut call.in_call {
        tab.is_closed().await;
    }
    call.pair.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_goes_on_while_a_proxy_knows_nothing_of_the_platform() {
    let (pair, mut proxy) = pair_with_proxy().await;
    let call = Call::on(pair).await;
    proxy.answers(|_| Some(reply(404, "{}")));
    // The server polls once a second, and a missing client has ten seconds to return.
    proxy.has_answered(14, "/connection ").await;
    proxy.lets_everything_through();
    let path = format!("/chats?sessionId={}", call.session);
    assert_eq!(call.ann.asks(&path).await.0, 200);
    call.pair.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn offers_in_the_presence_session_are_refused_without_delaying_others() {
    let pair = Pair::start().await;
    let mut ann = Buddy::at(&pair.web.base, "Ann").await;
    let mut bob = Buddy::at(&pair.web.base, "Bob").await;
    let offer = |generation| json!({ "type": "offer", "generation": generation, "sdp": "v=0" });
    for refused in [
        ann.tab.ask(offer(1)).await,
        ann.tab.ask(offer(2)).await,
        bob.tab.ask(offer(1)).await,
    ] {
        let words = text(&refused["error"]["message"]);
        assert!(words.contains("no media in this session"), "{refused}");
    }
    pair.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_unknown_to_the_platform_ends_its_call() {
    let mut call = Call::begin().await;
    let invented = uuid::Uuid::new_v4().to_string();
    let said = says_connected(&call.bob, &call.session, &invented).await;
    assert_eq!(said.0, 204);
    let [own, others] = call.in_call;
    others.close().await;
    assert_eq!(call.ann.tab.news("chatEnded").await["reason"], "gone");
    drop(own);
    call.pair.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chat_is_recorded_there_once_both_agree_and_both_find_it_here() {
    let mut call = Call::begin().await;
    assert_eq!(call.does(&call.ann, "ask").await, 204);
    call.both_hear("asked").await;
    assert_eq!(call.does(&call.bob, "agree").await, 204);
    call.both_hear("agreed").await;
    call.both_hear("started").await;
    for tab in &mut call.in_call {
        let started = tab.hears(|heard| heard["type"] == "archiveStarted").await;
        assert_eq!(started["archive"]["name"], "Ann and Bob");
    }
    let listed = call.bob.page("/buddies/recordings").await;
    assert!(listed.contains("Ann and Bob") && listed.contains("Recording"));
    assert_eq!(call.does(&call.bob, "stop").await, 204);
    call.both_hear("stopped").await;
    let found = call.pair.sdk().archives().all(&Default::default()).await;
    assert_eq!(found.unwrap().total, 1);
    call.pair.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_the_pages_server_has_forgotten_is_over_there_too() {
    let mut call = Call::begin().await;
    call.pair.web.stop().await;
    call.pair.web.start_again(|_| {}).await;
    for tab in &mut call.in_call {
        tab.is_closed().await;
    }
    call.pair.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn buddies_stay_visible_during_an_outage_and_calls_explain_it() {
    let mut pair = Pair::start().await;
    pair.media.stop().await;
    let mut ann = Buddy::at(&pair.web.base, "Ann").await;
    let bob = Buddy::at(&pair.web.base, "Bob").await;
    ann.waits_to_see(&bob, Some("available")).await;
    let (status, told) = ann.invites(&bob).await;
    assert_eq!(status, 503);
    assert_eq!(told["message"], "the video platform cannot be reached");
    let page = ann.page("/buddies").await;
    let boot = between(&page, r#"<script type="application/json" id="boot">"#, '<');
    assert!(boot.contains(r#"/v2/js/opentok.min.js""#), "{boot}");
    pair.web.stop().await;
}
