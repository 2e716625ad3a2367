//! Pages written for the presence kit: they speak as its scripts do (`POST /chats`, signals between tabs, exact
//! text in the data), and call one another and buddies.

use std::ops::{Deref, DerefMut};

use serde_json::{Value, json};

use super::world::{Buddy, Tab, text};
use crate::people::Parlor;

/// A page of the kit. It looks at a signal's sender and at its data, as the kit's lists do.
struct Page(Buddy);

impl Deref for Page {
    type Target = Buddy;

    fn deref(&self) -> &Buddy {
        &self.0
    }
}

impl DerefMut for Page {
    fn deref_mut(&mut self) -> &mut Buddy {
        &mut self.0
    }
}

impl Page {
    /// Connects, and tells everybody that it is online.
    async fn at(base: &str, name: &str) -> Page {
        let mut page = Page(Buddy::at(base, name).await);
        page.becomes("online").await;
        page
    }

    async fn becomes(&mut self, status: &str) {
        let word = format!("{}~status", self.tab.id);
        let reply = self.tab.signals(&word, status, None).await;
        assert_eq!(reply["error"], json!(null));
    }

    /// Asks for a session and sends the invitation: the data of its signals, and the reply.
    async fn sends_invitation(&mut self, to: &Tab) -> (String, Value) {
        let body = json!({
            "incoming": false, "sessionId": null, "token": null, "apiKey": null,
            "remoteUser": { "name": "X", "status": "online", "available": true },
        });
        let (status, chat) = self.sends("/chats", body).await;
        assert_eq!(status, 200, "{chat}");
        let keys: Vec<&String> = chat.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["apiKey", "sessionId", "token"]);
        let data = format!(
            r#"{{"sessionId":"{}","apiKey":"{}"}}"#,
            text(&chat["sessionId"]),
            text(&chat["apiKey"])
        );
        let id = to.id.clone();
        let reply = self.tab.signals("invitation", &data, Some(&id)).await;
        (data, reply)
    }

    /// The next signal of this word: it must come from this tab and carry this data.
    async fn hears_word(&mut self, word: &str, from: &str, data: &str) {
        let heard = self.tab.word(word).await;
        assert_eq!(
            (&heard["from"], &heard["data"]),
            (&json!(from), &json!(data)),
            "{heard}"
        );
    }

    /// Joins the session of an invitation as the invitee does.
    async fn starts_chat(&self, data: &str) -> Tab {
        self.joins(&session_of(data)).await
    }

    /// Waits until a tab is said to be so.
    async fn is_told(&mut self, of: &str, status: &str) {
        let word = format!("{of}~status");
        self.tab
            .hears(|heard| {
                heard["signalType"] == word && heard["data"] == status && heard["from"] == of
            })
            .await;
    }
}

fn session_of(data: &str) -> String {
    let data: Value = serde_json::from_str(data).unwrap();
    text(&data["sessionId"])
}

/// The other one is seen in the chat's session.
async fn meets(one: &mut Tab, other: &Tab) {
    let there = one.welcome["connections"].as_array().unwrap().clone();
    if !there
        .iter()
        .any(|someone| someone["connectionId"] == other.id)
    {
        let id = other.id.clone();
        one.hears(|heard| heard["connection"]["connectionId"] == id)
            .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_pages_of_the_kit_call_each_other() {
    let parlor = Parlor::start().await;
    let mut ann = Page::at(&parlor.base, "Ann").await;
    let mut bob = Page::at(&parlor.base, "Bob").await;
    let mut cid = Page::at(&parlor.base, "Cid").await;
    let (anns, bobs) = (ann.tab.id.clone(), bob.tab.id.clone());
    // The list of buddies is made of the connections and their data.
    ann.tab
        .hears(|heard| heard["connection"]["connectionId"] == bobs)
        .await;

    let (data, reply) = ann.sends_invitation(&bob.tab).await;
    assert_eq!(reply["error"], json!(null));
    ann.becomes("unavailable").await;
    bob.hears_word("invitation", &anns, &data).await;
    cid.is_told(&anns, "unavailable").await;

    assert_eq!(
        bob.tab
            .signals("declineInvitation", &data, Some(&anns))
            .await["error"],
        json!(null)
    );
    ann.hears_word("declineInvitation", &bobs, &data).await;
    cid.is_told(&anns, "online").await;

    let (data, _) = ann.sends_invitation(&bob.tab).await;
    bob.hears_word("invitation", &anns, &data).await;
    assert_eq!(
        ann.tab
            .signals("cancelInvitation", &data, Some(&bobs))
            .await["error"],
        json!(null)
    );
    bob.hears_word("cancelInvitation", &anns, &data).await;
    let late = bob
        .tab
        .signals("acceptInvitation", &data, Some(&anns))
        .await;
    assert_eq!(late["error"]["code"], 409, "{late}");

    let (data, _) = ann.sends_invitation(&bob.tab).await;
    bob.hears_word("invitation", &anns, &data).await;
    assert_eq!(
        bob.tab
            .signals("acceptInvitation", &data, Some(&anns))
            .await["error"],
        json!(null)
    );
    ann.hears_word("acceptInvitation", &bobs, &data).await;
    let (mut one, mut other) = (ann.starts_chat(&data).await, bob.starts_chat(&data).await);
    meets(&mut one, &other).await;
    meets(&mut other, &one).await;
    for tab in [&anns, &bobs] {
        cid.is_told(tab, "unavailable").await;
    }
    let session = session_of(&data);
    assert_eq!(
        cid.asks(&format!("/chats?sessionId={session}")).await.0,
        403
    );

    // End Chat: the page leaves the session, and the other one does when it sees that.
    let gone = one.id.clone();
    one.ask(json!({ "type": "bye" })).await;
    other
        .hears(|heard| heard["type"] == "connectionDestroyed" && heard["connectionId"] == gone)
        .await;
    other.ask(json!({ "type": "bye" })).await;
    for tab in [&anns, &bobs] {
        cid.is_told(tab, "online").await;
    }
    assert_eq!(ann.mine().await["chat"], json!(null));
    parlor.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_the_kit_calls_a_buddy_and_is_called() {
    let parlor = Parlor::start().await;
    let mut kit = Page::at(&parlor.base, "Kit").await;
    let mut ann = Buddy::at(&parlor.base, "Ann").await;
    let (kits, anns) = (kit.tab.id.clone(), ann.tab.id.clone());

    let (data, _) = kit.sends_invitation(&ann.tab).await;
    let ringing = ann.tab.news("ringing").await;
    assert_eq!(ringing["from"]["name"], "Kit");
    let (status, chat) = ann.accepts(&text(&ringing["invitation"])).await;
    assert_eq!((status, text(&chat["sessionId"])), (200, session_of(&data)));
    kit.hears_word("acceptInvitation", &anns, &data).await;
    let (mut one, other) = (
        kit.starts_chat(&data).await,
        ann.joins(&session_of(&data)).await,
    );
    meets(&mut one, &other).await;
    ann.sends(&format!("/chats/{}/end", session_of(&data)), json!({}))
        .await;
    one.is_closed().await;
    ann.tab.news("chatEnded").await;

    let id = ann.calls(&kit).await;
    let heard = kit.tab.word("invitation").await;
    assert_eq!(heard["from"], anns);
    let data = text(&heard["data"]);
    assert!(
        data.starts_with(r#"{"sessionId":"2_"#) && data.contains(r#","apiKey":""#),
        "{data}"
    );
    kit.tab
        .signals("acceptInvitation", &data, Some(&anns))
        .await;
    assert_eq!(
        ann.tab.news("answered").await,
        json!({ "type": "answered", "invitation": id, "outcome": "accepted" })
    );
    let session = text(&ann.tab.news("chatStarted").await["sessionId"]);
    let (mut one, other) = (kit.starts_chat(&data).await, ann.joins(&session).await);
    meets(&mut one, &other).await;
    assert!(!kits.contains('~'));
    parlor.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_pages_of_the_kit_that_invite_each_other_meet() {
    let parlor = Parlor::start().await;
    let mut ann = Page::at(&parlor.base, "Ann").await;
    let mut bob = Page::at(&parlor.base, "Bob").await;
    let (anns, bobs) = (ann.tab.id.clone(), bob.tab.id.clone());
    // Both have asked for a session before either has heard of the other's invitation.
    let (from_ann, reply) = ann.sends_invitation(&bob.tab).await;
    assert_eq!(reply["error"], json!(null));
    let (from_bob, reply) = bob.sends_invitation(&ann.tab).await;
    assert_eq!(reply["error"], json!(null));
    ann.hears_word("acceptInvitation", &bobs, &from_ann).await;
    bob.hears_word("acceptInvitation", &anns, &from_bob).await;
    // Each joins the session it has made; they meet all the same.
    let (_, chat) = ann
        .asks(&format!("/chats?sessionId={}", session_of(&from_ann)))
        .await;
    let mut one = Tab::open(ann.base(), &chat).await;
    let app = parlor.server.app();
    let session = parlor::opentok::SessionId::from(session_of(&from_bob));
    let data = format!(r#"{{"name":"Bob","user":"{}"}}"#, bob.user);
    let token = app
        .platform
        .token(&session, parlor::opentok::Role::Publisher, &data);
    let pass = json!({ "sessionId": session, "token": token.await.unwrap() });
    let mut other = Tab::open(bob.base(), &pass).await;
    meets(&mut one, &other).await;
    meets(&mut other, &one).await;
    ann.sends(&format!("/chats/{}/end", session_of(&from_ann)), json!({}))
        .await;
    for tab in [&mut one, &mut other] {
        tab.is_closed().await;
    }
    parlor.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_to_somebody_busy_is_declined_at_once() {
    let parlor = Parlor::start().await;
    let ann = Buddy::at(&parlor.base, "Ann").await;
    let bob = Buddy::at(&parlor.base, "Bob").await;
    ann.talks_to(&bob).await;
    let mut kit = Page::at(&parlor.base, "Kit").await;
    kit.is_told(&ann.tab.id, "unavailable").await;
    let (data, reply) = kit.sends_invitation(&ann.tab).await;
    assert_eq!(reply["error"], json!(null));
    kit.hears_word("declineInvitation", &ann.tab.id, &data)
        .await;
    assert_eq!(ann.mine().await["missed"][0]["from"]["name"], "Kit");
    parlor.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_rings_at_a_page_of_the_kit_stops_when_the_caller_goes() {
    let parlor = Parlor::start().await;
    let mut kit = Page::at(&parlor.base, "Kit").await;
    let ann = Buddy::at(&parlor.base, "Ann").await;
    let anns = ann.tab.id.clone();
    ann.calls(&kit).await;
    let data = text(&kit.tab.word("invitation").await["data"]);
    ann.tab.close().await;
    kit.hears_word("cancelInvitation", &anns, &data).await;
    parlor.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_invisible_is_gone_for_a_page_of_the_kit() {
    let parlor = Parlor::start().await;
    let mut kit = Page::at(&parlor.base, "Kit").await;
    let ann = Buddy::at(&parlor.base, "Ann").await;
    let of_ann = |message: &Value, event: &str| {
        message["type"] == event
            && (message["connectionId"] == ann.tab.id
                || message["connection"]["connectionId"] == ann.tab.id)
    };
    let choose = |choice: &str| json!({ "availability": choice });
    let path = "/buddies/availability";
    kit.tab
        .hears(|message| of_ann(message, "connectionCreated"))
        .await;
    assert_eq!(ann.sends(path, choose("invisible")).await.0, 204);
    kit.tab
        .hears(|message| of_ann(message, "connectionDestroyed"))
        .await;

    // Nor does who comes now find her, nor any further tab of hers.
    let later = Page::at(&parlor.base, "Later").await;
    let second = ann.opens_tab().await;
    let bob = Buddy::at(&parlor.base, "Bob").await;
    kit.tab
        .hears(|message| message["connection"]["connectionId"] == bob.tab.id)
        .await;
    for page in [&kit, &later] {
        for message in page.tab.heard() {
            assert!(!message.to_string().contains(&second.id), "{message}");
        }
    }
    let welcome = later.tab.welcome.to_string();
    assert!(welcome.contains(&kit.tab.id) && !welcome.contains(&ann.tab.id));

    assert_eq!(ann.sends(path, choose("available")).await.0, 204);
    kit.tab
        .hears(|message| of_ann(message, "connectionCreated"))
        .await;
    parlor.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_the_kit_is_believed_nothing_about_others_or_its_own_state() {
    let parlor = Parlor::start().await;
    let mut kit = Page::at(&parlor.base, "Kit").await;
    let mut ann = Page::at(&parlor.base, "Ann").await;
    let anns = ann.tab.id.clone();
    kit.becomes("unavailable").await;
    assert_eq!(ann.sees(&kit).await.as_deref(), Some("available"));
    let of_ann = format!("{anns}~status");
    let reply = kit.tab.signals(&of_ann, "unavailable", None).await;
    assert_eq!(reply["error"]["code"], 403, "{reply}");

    // Sessions that it did not make, and answers to nothing.
    let foreign = r#"{"sessionId":"2_foreign","apiKey":"1"}"#;
    for (word, data, to, code) in [
        ("invitation", foreign, Some(anns.as_str()), 403),
        ("invitation", "not JSON", Some(anns.as_str()), 400),
        ("invitation", foreign, None, 400),
        (
            "invitation",
            foreign,
            Some("6f0b8f36-4d55-4a62-8a5e-0d7f3c1d2e3f"),
            404,
        ),
        ("acceptInvitation", foreign, Some(anns.as_str()), 409),
    ] {
        let reply = kit.tab.signals(word, data, to).await;
        assert_eq!(reply["error"]["code"], code, "{word} {data}: {reply}");
    }
    let (data, _) = ann.sends_invitation(&kit.tab).await;
    kit.hears_word("invitation", &anns, &data).await;
    let mut eve = Page::at(&parlor.base, "Eve").await;
    for word in ["acceptInvitation", "cancelInvitation"] {
        let reply = eve.tab.signals(word, &data, Some(&anns)).await;
        assert_eq!(reply["error"]["code"], 403, "{word}: {reply}");
    }
    assert!(!ann.mine().await["outgoing"].is_null());
    parlor.server.stop().await;
}
