//! The rules, as people meet them: the seed's usage section and what was wrong with the kit.

use serde_json::json;

use super::world::{Buddy, text};
use crate::people::Parlor;

#[tokio::test(flavor = "multi_thread")]
async fn each_sees_the_other_and_a_call_begins_and_ends() {
    let parlor = Parlor::start().await;
    let mut ann = Buddy::at(&parlor.base, "Ann").await;
    let mut bob = Buddy::at(&parlor.base, "Bob").await;
    ann.waits_to_see(&bob, Some("available")).await;
    bob.waits_to_see(&ann, Some("available")).await;

    let id = ann.calls(&bob).await;
    let calling = ann.tab.news("calling").await;
    assert_eq!(calling["to"], json!({ "id": bob.user, "name": "Bob" }));
    let ringing = bob.tab.news("ringing").await;
    assert_eq!(ringing["invitation"], id);
    assert_eq!(ringing["from"], json!({ "id": ann.user, "name": "Ann" }));
    let rings_for = ringing["ringsForMs"].as_u64().unwrap();
    assert!((40_000..=45_000).contains(&rings_for), "{rings_for}");
    bob.waits_to_see(&ann, Some("inviting")).await;

    let (status, chat) = bob.accepts(&id).await;
    assert_eq!(status, 200, "{chat}");
    let session = text(&chat["sessionId"]);
    assert_eq!(
        chat,
        json!({
            "sessionId": session, "with": { "id": ann.user, "name": "Ann" },
            "isInviter": false, "startedAtMs": chat["startedAtMs"], "tab": bob.tab.id,
        })
    );
    assert_eq!(ann.tab.news("answered").await["outcome"], "accepted");
    let started = ann.tab.news("chatStarted").await;
    assert_eq!(started["sessionId"], session);
    assert_eq!(
        (&started["isInviter"], &started["tab"]),
        (&json!(true), &json!(ann.tab.id))
    );

    let mut in_chat = [ann.joins(&session).await, bob.joins(&session).await];
    ann.waits_to_see(&bob, Some("chatting")).await;

    let path = format!("/chats/{session}/end");
    assert_eq!(bob.sends(&path, json!({})).await.0, 204);
    for tab in [&mut ann.tab, &mut bob.tab] {
        let ended = tab.news("chatEnded").await;
        assert_eq!(
            (&ended["reason"], &ended["by"]),
            (&json!("ended"), &json!(bob.user))
        );
    }
    for tab in &mut in_chat {
        tab.is_closed().await;
    }
    ann.waits_to_see(&bob, Some("available")).await;
    bob.waits_to_see(&ann, Some("available")).await;
    assert_eq!(bob.sends(&path, json!({})).await.0, 404, "it is over");
    parlor.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_sent_an_invitation_cannot_receive_one() {
    let parlor = Parlor::start().await;
    let ann = Buddy::at(&parlor.base, "Ann").await;
    let bob = Buddy::at(&parlor.base, "Bob").await;
    let cid = Buddy::at(&parlor.base, "Cid").await;
    let id = ann.calls(&bob).await;
    let (status, answer) = cid.invites(&ann).await;
    assert_eq!(
        (status, answer),
        (200, json!({ "type": "answered", "outcome": "inviting" }))
    );
    assert_eq!(ann.mine().await["missed"][0]["from"]["name"], "Cid");
    assert_eq!(ann.invites(&cid).await.0, 409, "one at a time");

    assert_eq!(ann.cancels(&id).await.0, 204);
    assert_eq!(bob.mine().await["incoming"], json!([]));
    cid.calls(&ann).await;
    parlor.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn accepting_one_declines_all_others_also_the_own_one() {
    let parlor = Parlor::start().await;
    let mut ann = Buddy::at(&parlor.base, "Ann").await;
    let mut bob = Buddy::at(&parlor.base, "Bob").await;
    let mut cid = Buddy::at(&parlor.base, "Cid").await;
    let mut dan = Buddy::at(&parlor.base, "Dan").await;
    let from_bob = bob.calls(&ann).await;
    cid.calls(&ann).await;
    ann.calls(&dan).await;
    assert_eq!(ann.mine().await["incoming"].as_array().unwrap().len(), 2);

    assert_eq!(ann.accepts(&from_bob).await.0, 200);
    assert_eq!(bob.tab.news("answered").await["outcome"], "accepted");
    assert_eq!(cid.tab.news("answered").await["outcome"], "tookAnother");
    assert_eq!(
        dan.tab.news("cancelled").await["outcome"],
        "inviterTookAnother"
    );
    cid.waits_to_see(&ann, Some("chatting")).await;
    let (_, answer) = cid.invites(&ann).await;
    assert_eq!(answer, json!({ "type": "answered", "outcome": "busy" }));
    ann.tab.news("chatStarted").await;
    parlor.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn declining_frees_the_inviter() {
    let parlor = Parlor::start().await;
    let mut ann = Buddy::at(&parlor.base, "Ann").await;
    let mut bob = Buddy::at(&parlor.base, "Bob").await;
    let id = ann.calls(&bob).await;
    assert_eq!(bob.declines(&id).await.0, 204);
    assert_eq!(ann.tab.news("answered").await["outcome"], "declined");
    bob.waits_to_see(&ann, Some("available")).await;
    let (status, late) = bob.accepts(&id).await;
    assert_eq!(
        (status, &late["outcome"]),
        (409, &json!("declined")),
        "{late}"
    );
    parlor.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_who_invite_each_other_are_connected() {
    let parlor = Parlor::start().await;
    for _ in 0..5 {
        let mut ann = Buddy::at(&parlor.base, "Ann").await;
        let mut bob = Buddy::at(&parlor.base, "Bob").await;
        let (from_ann, from_bob) = tokio::join!(ann.invites(&bob), bob.invites(&ann));
        let kinds = [&from_ann.1["type"], &from_bob.1["type"]];
        assert!(
            kinds.contains(&&json!("ringing")) && kinds.contains(&&json!("connected")),
            "{from_ann:?} {from_bob:?}"
        );
        let session = ann.tab.news("chatStarted").await["sessionId"].clone();
        assert_eq!(bob.tab.news("chatStarted").await["sessionId"], session);
        let told = [from_ann.1, from_bob.1];
        let told = told.iter().find(|answer| answer["type"] == "connected");
        assert_eq!(told.unwrap()["chat"]["sessionId"], session);
    }
    parlor.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn accept_against_cancel_has_one_winner_and_both_learn_it() {
    let parlor = Parlor::start().await;
    for _ in 0..5 {
        let mut ann = Buddy::at(&parlor.base, "Ann").await;
        let mut bob = Buddy::at(&parlor.base, "Bob").await;
        let id = ann.calls(&bob).await;
        let (cancelled, accepted) = tokio::join!(ann.cancels(&id), bob.accepts(&id));
        match (cancelled.0, accepted.0) {
            (204, 409) => {
                assert_eq!(accepted.1["outcome"], "cancelled");
                for tab in [&mut ann.tab, &mut bob.tab] {
                    assert_eq!(tab.news("cancelled").await["invitation"], id);
                }
                assert_eq!(ann.mine().await["chat"], json!(null));
            }
            (409, 200) => {
                assert_eq!(cancelled.1["outcome"], "accepted");
                for tab in [&mut ann.tab, &mut bob.tab] {
                    tab.news("chatStarted").await;
                }
            }
            other => panic!("{other:?}"),
        }
    }
    parlor.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_third_person_is_refused() {
    let parlor = Parlor::start().await;
    let ann = Buddy::at(&parlor.base, "Ann").await;
    let bob = Buddy::at(&parlor.base, "Bob").await;
    let eve = Buddy::at(&parlor.base, "Eve").await;
    let id = ann.calls(&bob).await;
    for answer in [
        eve.accepts(&id).await,
        eve.declines(&id).await,
        eve.cancels(&id).await,
        ann.accepts(&id).await,
        bob.cancels(&id).await,
    ] {
        assert_eq!(answer.0, 403, "{answer:?}");
    }
    let (_, chat) = bob.accepts(&id).await;
    let session = text(&chat["sessionId"]);
    assert_eq!(
        eve.asks(&format!("/chats?sessionId={session}")).await.0,
        403
    );
    assert_eq!(
        eve.sends(&format!("/chats/{session}/end"), json!({}))
            .await
            .0,
        403
    );
    let ask = json!({ "action": "ask" });
    let path = format!("/chats/{session}/recording");
    assert_eq!(eve.sends(&path, ask).await.0, 403);
    // A token of another session opens this one to nobody.
    let forged = json!({ "sessionId": session, "token": eve.pass["token"] });
    let refused = super::world::Tab::try_open(&parlor.base, &forged, false).await;
    assert_eq!(refused.err().unwrap()["code"], 1004);
    assert!(!ann.mine().await["chat"].is_null());
    parlor.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_token_opens_no_chat_that_is_over() {
    let parlor = Parlor::start().await;
    let mut ann = Buddy::at(&parlor.base, "Ann").await;
    let bob = Buddy::at(&parlor.base, "Bob").await;
    let session = ann.talks_to(&bob).await;
    let mut chat = ann.joins(&session).await;
    ann.sends(&format!("/chats/{session}/end"), json!({})).await;
    ann.tab.news("chatEnded").await;
    chat.is_closed().await;
    // The server closes the session behind the socket; whoever was quicker is put out again.
    loop {
        match super::world::Tab::try_open(&parlor.base, &chat.pass, false).await {
            Ok(mut tab) => tab.is_closed().await,
            Err(refused) => {
                assert_eq!(refused["code"], 1005, "{refused}");
                break;
            }
        }
    }
    assert_eq!(
        ann.asks(&format!("/chats?sessionId={session}")).await.0,
        404
    );
    parlor.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_chooses_to_be_is_what_others_see() {
    let parlor = Parlor::start().await;
    let mut ann = Buddy::at(&parlor.base, "Ann").await;
    let mut bob = Buddy::at(&parlor.base, "Bob").await;
    let choose = |what: &str| json!({ "availability": what });
    let path = "/buddies/availability";

    let ringing = bob.calls(&ann).await;
    assert_eq!(ann.sends(path, choose("doNotDisturb")).await.0, 204);
    assert_eq!(
        ann.tab.news("availability").await["availability"],
        "doNotDisturb"
    );
    let answered = bob.tab.news("answered").await;
    assert_eq!(
        (&answered["invitation"], &answered["outcome"]),
        (&json!(ringing), &json!("doNotDisturb"))
    );
    bob.waits_to_see(&ann, Some("doNotDisturb")).await;
    assert_eq!(bob.invites(&ann).await.1["outcome"], "doNotDisturb");

    assert_eq!(ann.sends(path, choose("invisible")).await.0, 204);
    bob.waits_to_see(&ann, None).await;
    assert_eq!(bob.invites(&ann).await.1["outcome"], "gone");
    assert_eq!(ann.mine().await["availability"], "invisible");

    let missed = ann.mine().await["missed"].clone();
    assert_eq!(
        (&missed[0]["count"], &missed[0]["outcome"]),
        (&json!(3), &json!("gone"))
    );
    let forget = json!({ "from": bob.user });
    assert_eq!(ann.sends("/buddies/missed/forget", forget).await.0, 204);
    assert_eq!(ann.tab.news("missedSeen").await["from"], bob.user);
    assert_eq!(ann.mine().await["missed"], json!([]));
    parlor.server.stop().await;
}
