//! Names of every kind, and links that carry them.

use serde_json::{Value, json};

use super::world::{Buddy, text};
use crate::people::{Parlor, between};

fn boot(page: &str) -> Value {
    let boot = between(page, r#"<script type="application/json" id="boot""#, '<');
    serde_json::from_str(boot.split_once('>').unwrap().1).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn any_name_is_shown_as_it_was_typed() {
    let parlor = Parlor::start().await;
    let mut ann = Buddy::at(&parlor.base, "Ann").await;
    for name in [
        "<script>alert(1)</script>",
        "</script><b>\"&'",
        "👩‍👩‍👧‍👦 ❤️",
        "דנה abc",
        &"字".repeat(60),
    ] {
        let other = Buddy::at(&parlor.base, name).await;
        ann.waits_to_see(&other, Some("available")).await;
        let page = ann.page("/buddies").await;
        assert!(!page.contains("<script>alert"), "{name}");
        let entries = boot(&page)["roster"]["buddies"].clone();
        let entries = entries.as_array().unwrap();
        let entry = entries.iter().find(|entry| entry["id"] == other.user);
        assert_eq!(entry.unwrap()["name"], name);
        let (_, answer) = other.invites(&ann).await;
        assert_eq!(answer["type"], "ringing");
        assert_eq!(ann.tab.news("ringing").await["from"]["name"], name);
        ann.declines(&text(&answer["invitation"])).await;
    }
    parlor.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_name_is_refused_with_a_sentence() {
    let parlor = Parlor::start().await;
    let visitor = parlor.anonymous();
    for (name, words) in [
        ("", "enter a name"),
        (" \u{200b}\n", "enter a name"),
        (&"x".repeat(61), "use at most 60 characters"),
        ("Ann\u{202e}", "remove the special characters"),
        ("Ann\nLee", "remove the special characters"),
    ] {
        let (status, answer) = visitor.sends("/users", json!({ "name": name })).await;
        assert_eq!(status, 400);
        let message = text(&answer["message"]);
        assert!(message.contains(words), "{message}");
    }
    for body in [json!({}), json!({ "name": 7 }), json!([]), json!("Ann")] {
        assert_eq!(visitor.sends("/users", body).await.0, 400);
    }
    assert_eq!(
        visitor.asks("/buddies/mine").await.0,
        401,
        "nobody was named"
    );
    parlor.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_name_twice_is_told_apart() {
    let parlor = Parlor::start().await;
    let first = Buddy::at(&parlor.base, "Ann").await;
    let second = Buddy::at(&parlor.base, " ann ").await;
    assert_eq!(
        first.mine().await["me"],
        json!({ "id": first.user, "name": "Ann" })
    );
    assert_eq!(
        second.mine().await["me"],
        json!({ "id": second.user, "name": "ann", "number": 2 })
    );
    // Composed and decomposed letters read the same.
    let composed = Buddy::at(&parlor.base, "Jos\u{e9}").await;
    let decomposed = Buddy::at(&parlor.base, "Jose\u{301}").await;
    assert_eq!(
        decomposed.mine().await["me"],
        json!({ "id": decomposed.user, "name": "Jos\u{e9}", "number": 2 })
    );
    drop(composed);
    parlor.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_brings_a_name_or_somebody_to_call() {
    let parlor = Parlor::start().await;
    let visitor = parlor.anonymous();
    let page = boot(&visitor.page("/buddies?name=D%C3%A1na%20%3Cb%3E").await);
    assert_eq!(page["name"], "Dána <b>");
    assert_eq!(
        (&page["user"], &page["roster"], &page["call"]),
        (&json!(null), &json!(null), &json!(null))
    );
    let long = "x".repeat(61);
    assert_eq!(
        boot(&visitor.page(&format!("/buddies?name={long}")).await)["name"],
        ""
    );

    let ann = Buddy::at(&parlor.base, "Ann").await;
    let link = format!("/buddies/call/{}", ann.user);
    let page = boot(&visitor.page(&link).await);
    assert_eq!(page["call"], json!({ "id": ann.user, "name": "Ann" }));
    assert!(page["apiKey"].is_string() && page["isModerator"] == false);
    for unknown in ["nobody", "6f0b8f36-4d55-4a62-8a5e-0d7f3c1d2e3f"] {
        let answer = visitor.get(&format!("/buddies/call/{unknown}")).await;
        assert_eq!(answer.status().as_u16(), 404);
        let page = answer.text().await.unwrap();
        assert!(page.contains("This person isn&#39;t known here."));
    }
    // Whoever comes back is known by cookie and by link, also as somebody else.
    let known = boot(&ann.page("/buddies").await);
    assert_eq!(
        (&known["name"], &known["user"]),
        (&json!("Ann"), &json!(ann.user))
    );
    assert_eq!(boot(&ann.page("/buddies?name=Anna").await)["name"], "Anna");
    parlor.server.stop().await;
}
