//! The server dies in a call, and starts again.

use serde_json::json;

use super::world::{Buddy, Tab};
use crate::{
    people::{Visitor, until},
    process::{Data, Process},
};

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restart_nobody_is_shown_in_a_call_that_is_over() {
    let data = Data::empty();
    let server = Process::start(&data.path(), &["--min-free-mib", "1"]);
    let ann = Buddy::at(&server.base, "Ann").await;
    let bob = Buddy::at(&server.base, "Bob").await;
    let cid = Buddy::at(&server.base, "Cid").await;
    let session = ann.talks_to(&bob).await;
    let chat = ann.joins(&session).await;
    cid.sends(
        "/buddies/availability",
        json!({ "availability": "invisible" }),
    )
    .await;
    // It is kept behind the answer; a second round shows that the first one was.
    cid.sends(
        "/buddies/availability",
        json!({ "availability": "doNotDisturb" }),
    )
    .await;
    let link = format!("/buddies/call/{}", bob.user);
    let kept = || async {
        let opened = parlor::data::DataFolder::open_beside(&data.path())
            .await
            .unwrap();
        let chosen = parlor::presence::store::not_available(&opened.db, 0, 9).await;
        let session = parlor::opentok::SessionId::from(session.clone());
        let chat = parlor::invitation::store::find(&opened.db, &session).await;
        opened.db.close().await;
        let chosen = chosen.unwrap();
        let has_chosen = chosen
            .iter()
            .any(|(_, what)| *what == parlor::presence::Availability::DoNotDisturb);
        has_chosen && chat.unwrap().is_some()
    };
    until(kept).await;
    server.kill();

    let server = Process::start(&data.path(), &["--min-free-mib", "1"]);
    let back = |buddy: &Buddy| -> Visitor {
        let mut visitor = buddy.visitor();
        visitor.move_to(&server.base);
        visitor
    };
    // Pages connect with the token they have.
    let mut again = back(&ann);
    let tab = Tab::open(&server.base, &ann.pass).await;
    let (_, mine) = again.asks("/buddies/mine").await;
    assert_eq!(mine["chat"], json!(null), "{mine}");
    assert_eq!(mine["me"], json!({ "id": ann.user, "name": "Ann" }));
    let refused = Tab::try_open(&server.base, &chat.pass, false).await;
    assert_eq!(refused.err().unwrap()["code"], 1005, "the call is over");
    assert_eq!(
        again.asks(&format!("/chats?sessionId={session}")).await.0,
        404
    );
    again.page(&link).await;

    let mut ann = Buddy::returns(again.clone(), "Ann").await;
    again.move_to(&server.base);
    let bob = Buddy::returns(back(&bob), "Bob").await;
    let cid = Buddy::returns(back(&cid), "Cid").await;
    ann.waits_to_see(&bob, Some("available")).await;
    ann.waits_to_see(&cid, Some("doNotDisturb")).await;
    ann.talks_to(&bob).await;
    drop(tab);
}
