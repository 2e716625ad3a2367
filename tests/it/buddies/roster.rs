//! People who come, reload, have several tabs, close them, and lose their network.

use std::time::{Duration, Instant};

use serde_json::json;

use super::world::{Buddy, Tab};
use crate::people::{Parlor, Visitor};

#[tokio::test(flavor = "multi_thread")]
async fn several_tabs_are_one_buddy_and_one_answers_for_all() {
    let parlor = Parlor::start().await;
    let mut ann = Buddy::at(&parlor.base, "Ann").await;
    let mut second = ann.opens_tab().await;
    let bob = Buddy::at(&parlor.base, "Bob").await;
    let (_, page) = bob.asks("/buddies/roster").await;
    assert_eq!(page["total"], 1, "{page}");

    let id = bob.calls(&ann).await;
    for tab in [&mut ann.tab, &mut second] {
        assert_eq!(tab.news("ringing").await["invitation"], id);
    }
    let accept = json!({ "tab": second.id });
    let path = format!("/invitations/{id}/accept");
    let (status, chat) = ann.sends(&path, accept).await;
    assert_eq!((status, &chat["tab"]), (200, &json!(second.id)));
    for tab in [&mut ann.tab, &mut second] {
        assert_eq!(tab.news("answered").await["outcome"], "accepted");
        assert_eq!(tab.news("chatStarted").await["tab"], chat["tab"]);
    }
    // The other tab may go without anything happening.
    let Buddy { tab, .. } = ann;
    tab.close().await;
    let mine = bob.mine().await;
    assert!(!mine["chat"].is_null(), "{mine}");
    parlor.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tab_of_somebody_else_does_not_answer_for_one() {
    let parlor = Parlor::start().await;
    let ann = Buddy::at(&parlor.base, "Ann").await;
    let bob = Buddy::at(&parlor.base, "Bob").await;
    let id = bob.calls(&ann).await;
    let accept = json!({ "tab": bob.tab.id });
    let (status, chat) = ann
        .sends(&format!("/invitations/{id}/accept"), accept)
        .await;
    assert_eq!((status, &chat["tab"]), (200, &json!(null)));
    parlor.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_is_not_a_departure() {
    let parlor = Parlor::start().await;
    let ann = Buddy::at(&parlor.base, "Ann").await;
    let mut bob = Buddy::at(&parlor.base, "Bob").await;
    let session = ann.talks_to(&bob).await;
    let chat = ann.joins(&session).await;
    let _bobs = bob.joins(&session).await;
    let visitor = ann.visitor();

    // The browser asks for the page, then takes the old one down; both sockets close.
    visitor.page("/buddies").await;
    chat.close().await;
    ann.tab.close().await;
    let ann = Buddy::returns(visitor, "Ann").await;
    let mine = ann.mine().await;
    assert_eq!(mine["chat"]["sessionId"], session, "{mine}");
    assert_eq!(mine["chat"]["tab"], json!(null), "any tab may join");
    ann.joins(&session).await;
    // Whatever was going to be told is told before this.
    ann.sends(
        "/buddies/availability",
        json!({ "availability": "doNotDisturb" }),
    )
    .await;
    assert_eq!(
        bob.tab.all_news("chatEnded"),
        Vec::<serde_json::Value>::new()
    );
    bob.waits_to_see(&ann, Some("chatting")).await;
    parlor.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_tab_is_gone_within_two_seconds_and_its_ring_with_it() {
    let parlor = Parlor::start().await;
    let ann = Buddy::at(&parlor.base, "Ann").await;
    let mut bob = Buddy::at(&parlor.base, "Bob").await;
    ann.calls(&bob).await;
    bob.tab.news("ringing").await;
    bob.waits_to_see(&ann, Some("inviting")).await;
    let began = Instant::now();
    let user = ann.user.clone();
    ann.tab.close().await;
    let cancelled = bob.tab.news("cancelled").await;
    assert_eq!(cancelled["outcome"], "inviterGone");
    bob.tab
        .hears(|message| {
            let data = message["data"].as_str().unwrap_or("{}");
            let delta: serde_json::Value = serde_json::from_str(data).unwrap_or_default();
            message["signalType"] == "roster" && delta["left"] == json!([user])
        })
        .await;
    let took = began.elapsed();
    assert!(
        took < Duration::from_secs(4),
        "2 s, and a busy machine; 4 s are those of a lost network: {took:?}"
    );
    assert!(
        took > Duration::from_millis(1400),
        "no time to reload: {took:?}"
    );
    parlor.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_loses_the_network_in_a_call_is_gone_within_ten_seconds() {
    let parlor = Parlor::start().await;
    let ann = Buddy::at(&parlor.base, "Ann").await;
    let mut bob = Buddy::at(&parlor.base, "Bob").await;
    let session = ann.talks_to(&bob).await;
    let (chat, _bobs) = (ann.joins(&session).await, bob.joins(&session).await);
    bob.tab.news("chatStarted").await;
    let user = ann.user.clone();
    let began = Instant::now();
    chat.vanish();
    ann.tab.vanish();
    let ended = bob.tab.news("chatEnded").await;
    assert_eq!(
        (&ended["reason"], &ended["by"]),
        (&json!("gone"), &json!(user))
    );
    let took = began.elapsed();
    assert!(
        took < Duration::from_secs(11),
        "10 s, and a busy machine: {took:?}"
    );
    assert_eq!(bob.mine().await["chat"], json!(null));
    parlor.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_never_joins_the_chat_is_not_waited_for_when_leaving() {
    let parlor = Parlor::start().await;
    let ann = Buddy::at(&parlor.base, "Ann").await;
    let mut bob = Buddy::at(&parlor.base, "Bob").await;
    ann.talks_to(&bob).await;
    ann.tab.close().await;
    assert_eq!(bob.tab.news("chatEnded").await["reason"], "gone");
    parlor.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_roster_of_many_is_paged_and_searched_and_stands_in_the_page() {
    let parlor = Parlor::start().await;
    let mut crowd = Vec::new();
    for at in 0..60 {
        let visitor = Visitor::at(&parlor.base);
        let pass = visitor.says_name(&format!("Buddy {at:02}")).await;
        crowd.push(Tab::try_open(&parlor.base, &pass, true).await.unwrap());
    }
    let mut ann = Buddy::at(&parlor.base, "Ann").await;
    // The last of the crowd is told of before Ann, or with her.
    loop {
        let (_, page) = ann.asks("/buddies/roster").await;
        if page["total"] == 60 {
            assert_eq!(page["buddies"].as_array().unwrap().len(), 50);
            break;
        }
        ann.tab
            .hears(|message| message["signalType"] == "roster")
            .await;
    }
    let (_, page) = ann.asks("/buddies/roster?search=dy%2001").await;
    assert_eq!(
        (&page["total"], &page["buddies"][0]["name"]),
        (&json!(1), &json!("Buddy 01"))
    );
    let (_, page) = ann.asks("/buddies/roster?offset=58&limit=10").await;
    assert_eq!(page["buddies"].as_array().unwrap().len(), 2);
    let html = ann.page("/buddies").await;
    assert!(html.contains("<bdi>Buddy 00</bdi>") && html.contains("<bdi>Buddy 49</bdi>"));
    assert!(!html.contains("<bdi>Buddy 50</bdi>") && !html.contains("<bdi>Ann</bdi>"));
    parlor.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_client_of_the_presence_session_is_nobody() {
    let parlor = Parlor::start().await;
    let ann = Buddy::at(&parlor.base, "Ann").await;
    let app = parlor.server.app();
    let (session, _) = app.buddies.presence();
    for data in [
        "",
        "Ann",
        "{}",
        r#"{"name":"X","user":"me"}"#,
        r#"{"name":"  ","user":"6f0b8f36-4d55-4a62-8a5e-0d7f3c1d2e3f"}"#,
    ] {
        let token = app
            .platform
            .token(session, parlor::opentok::Role::Publisher, data);
        let pass = json!({ "sessionId": session, "token": token.await.unwrap() });
        let mut foreign = Tab::open(&parlor.base, &pass).await;
        let reply = foreign.signals("buddy", "{}", Some(&ann.tab.id)).await;
        assert_eq!(reply["error"]["code"], 403, "{reply}");
    }
    let (_, page) = ann.asks("/buddies/roster").await;
    assert_eq!(page["total"], 0, "{page}");
    parlor.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_forges_what_the_server_says() {
    let parlor = Parlor::start().await;
    let mut ann = Buddy::at(&parlor.base, "Ann").await;
    let bob = Buddy::at(&parlor.base, "Bob").await;
    for word in ["roster", "buddy", "", "chat"] {
        for to in [None, Some(bob.tab.id.as_str())] {
            let reply = ann.tab.signals(word, "{}", to).await;
            assert!(reply["error"]["code"].as_u64().is_some(), "{word}: {reply}");
        }
    }
    let id = ann.calls(&bob).await;
    let mut bob = bob;
    assert_eq!(bob.tab.news("ringing").await["invitation"], id);
    let forged = bob
        .tab
        .heard()
        .into_iter()
        .any(|heard| !heard["from"].is_null());
    assert!(!forged);
    parlor.server.stop().await;
}
