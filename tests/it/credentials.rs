//! The pages of a room and of the buddies carry `apiKey`, `sessionId` and `token`, as OpenTok's samples do.

use serde_json::Value;

use crate::{
    buddies::world::Tab,
    people::{Parlor, Visitor, between},
};

/// What a page hands to its script.
async fn boot(visitor: &Visitor, path: &str) -> Value {
    let answer = visitor.get(path).await;
    assert_eq!(answer.status().as_u16(), 200, "{path}");
    assert_eq!(answer.headers()["cache-control"], "no-store", "{path}");
    let page = answer.text().await.unwrap();
    let boot = between(&page, r#"<script type="application/json" id="boot">"#, '<');
    serde_json::from_str(boot).unwrap()
}

/// Connects with what the page has, and returns the server's welcome.
async fn welcome(parlor: &Parlor, boot: &Value) -> Value {
    let api_key = boot["apiKey"].as_str().unwrap();
    assert_eq!(api_key, parlor.server.app().project.api_key.to_string());
    Tab::open(&parlor.base, boot).await.welcome.clone()
}

fn data(welcome: &Value) -> Value {
    serde_json::from_str(welcome["connection"]["data"].as_str().unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_participant_page_has_a_publishers_token_for_the_remembered_name() {
    let parlor = Parlor::start().await;
    let visitor = parlor.anonymous();
    for path in ["/participant", "/rooms/main"] {
        let first = welcome(&parlor, &boot(&visitor, path).await).await;
        assert_eq!(first["role"], "publisher", "{path}");
        assert_eq!(data(&first)["name"], "Guest", "{path}");
    }
    let (status, joined) = visitor.ask("/rooms/main/join", &[("name", "Gus")]).await;
    assert_eq!(status, 200);

    let page = boot(&visitor, "/participant").await;

    assert_eq!(page["visitorName"], "Gus");
    assert_eq!(page["sessionId"], joined["sessionId"]);
    let again = welcome(&parlor, &page).await;
    assert_eq!(again["role"], "publisher");
    assert_eq!(data(&again)["name"], "Gus");
    // A moderator gets no more on the page of participants.
    let moderator = parlor.moderator().await;
    let page = boot(&moderator, "/participant").await;
    assert_eq!(welcome(&parlor, &page).await["role"], "publisher");
    parlor.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_page_has_a_moderators_token_and_only_for_a_moderator() {
    let parlor = Parlor::start().await;
    let moderator = parlor.moderator().await;
    let guest = parlor.guest("Gus").await;
    for path in ["/host", "/rooms/main/host"] {
        let page = boot(&moderator, path).await;
        let host = welcome(&parlor, &page).await;
        assert_eq!(host["role"], "moderator", "{path}");
        assert_eq!(data(&host)["host"], true, "{path}");
        assert_eq!(data(&host)["name"], page["visitorName"], "{path}");
        let refused = guest.get(path).await;
        assert_eq!(refused.status().as_u16(), 303, "{path}");
        assert!(!refused.text().await.unwrap().contains("token"), "{path}");
    }
    parlor.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_buddies_page_has_a_subscribers_token_once_the_visitor_has_a_name() {
    let parlor = Parlor::start().await;
    let visitor = parlor.anonymous();
    let nameless = boot(&visitor, "/buddies").await;
    assert_eq!(nameless["token"], Value::Null);
    let request = visitor.request("POST", "/users");
    let request = request.json(&serde_json::json!({ "name": "Ann" }));
    assert_eq!(request.send().await.unwrap().status().as_u16(), 200);

    let page = boot(&visitor, "/buddies").await;

    let connected = welcome(&parlor, &page).await;
    assert_eq!(connected["role"], "subscriber");
    assert_eq!(data(&connected)["name"], "Ann");
    assert_eq!(data(&connected)["user"], page["user"]);
    // Another name takes another token.
    let other = boot(&visitor, "/buddies?name=Bea").await;
    assert_eq!(
        (&other["name"], &other["token"]),
        (&"Bea".into(), &Value::Null)
    );
    parlor.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hello_page_has_a_publishers_token_for_the_remembered_name() {
    let parlor = Parlor::start().await;
    let visitor = parlor.anonymous();
    for name in ["Guest", "Gus"] {
        let page = visitor.page("/hello").await;
        let hello = serde_json::json!({
            "apiKey": between(&page, r#"data-api-key=""#, '"'),
            "sessionId": between(&page, r#"data-session-id=""#, '"'),
            "token": between(&page, r#"data-token=""#, '"').replace("&amp;", "&"),
        });
        let connected = welcome(&parlor, &hello).await;
        assert_eq!(connected["role"], "publisher");
        assert_eq!(data(&connected)["name"], name);
        visitor.ask("/rooms/main/join", &[("name", "Gus")]).await;
    }
    parlor.server.stop().await;
}
