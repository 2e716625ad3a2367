//! A chat is recorded while both agree, and the two find it.

use parlor::{
    archive::{
        ArchiveId, NewArchive, Reason,
        composer::Composed,
        lifecycle,
        recording::{Manifest, RecordedStream, RecorderEvent},
    },
    clock,
    opentok::SessionId,
    session::{ConnectionId, StreamId},
};
use serde_json::{Value, json};

use super::world::{Buddy, Tab, text};
use crate::people::Parlor;

/// Two in a call, each with a tab in its session.
struct Call {
    parlor: Parlor,
    ann: Buddy,
    bob: Buddy,
    session: String,
    in_call: [Tab; 2],
}

impl Call {
    async fn begin() -> Call {
        let parlor = Parlor::start().await;
        let ann = Buddy::at(&parlor.base, "Ann").await;
        let bob = Buddy::at(&parlor.base, "Bob").await;
        let session = ann.talks_to(&bob).await;
        let in_call = [ann.joins(&session).await, bob.joins(&session).await];
        Call {
            parlor,
            ann,
            bob,
            session,
            in_call,
        }
    }

    async fn does(&self, who: &Buddy, action: &str) -> (u16, Value) {
        let path = format!("/chats/{}/recording", self.session);
        who.sends(&path, json!({ "action": action })).await
    }

    /// Both hear of the next step.
    async fn both_hear(&mut self, state: &str) {
        for buddy in [&mut self.ann, &mut self.bob] {
            let news = buddy.tab.news("recording").await;
            assert_eq!(news["state"], state, "{news}");
            assert_eq!(news["sessionId"], self.session);
        }
    }

    async fn running(&self) -> bool {
        let session = SessionId::from(self.session.clone());
        let app = self.parlor.server.app();
        app.platform.recording(&session).await.unwrap().is_some()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chat_is_recorded_once_both_agree_and_until_one_stops() {
    let mut call = Call::begin().await;
    assert_eq!(call.does(&call.ann, "ask").await.0, 204);
    call.both_hear("asked").await;
    assert_eq!(
        call.bob.mine().await["chat"]["recording"],
        json!({ "state": "asked", "by": call.ann.user })
    );
    assert!(!call.running().await, "nobody has agreed yet");
    for (who, action) in [
        (&call.ann, "agree"),
        (&call.ann, "ask"),
        (&call.bob, "stop"),
    ] {
        let (status, answer) = call.does(who, action).await;
        assert_eq!(status, 409, "{action}: {answer}");
        assert!(!text(&answer["message"]).is_empty());
    }

    assert_eq!(call.does(&call.bob, "agree").await.0, 204);
    call.both_hear("agreed").await;
    call.both_hear("started").await;
    for tab in &mut call.in_call {
        let started = tab.hears(|heard| heard["type"] == "archiveStarted").await;
        assert_eq!(started["archive"]["name"], "Ann and Bob");
    }
    assert!(call.running().await);
    assert_eq!(call.does(&call.bob, "ask").await.0, 409);
    let moderator = call.parlor.moderator().await;
    assert!(moderator.page("/history").await.contains("Ann and Bob"));
    let listed = call.bob.page("/buddies/recordings").await;
    assert!(listed.contains("Ann and Bob") && listed.contains("Recording"));

    assert_eq!(call.does(&call.bob, "stop").await.0, 204);
    call.both_hear("stopped").await;
    for tab in &mut call.in_call {
        tab.hears(|heard| heard["type"] == "archiveStopped").await;
    }
    // Again, from the other side.
    call.does(&call.bob, "ask").await;
    call.both_hear("asked").await;
    assert_eq!(
        call.does(&call.ann, "ask").await.0,
        204,
        "who asks for the same agrees"
    );
    call.both_hear("agreed").await;
    call.both_hear("started").await;

    // The end of the chat is the end of its recording.
    call.ann
        .sends(&format!("/chats/{}/end", call.session), json!({}))
        .await;
    for tab in &mut call.in_call {
        tab.hears(|heard| heard["type"] == "archiveStopped").await;
        tab.is_closed().await;
    }
    assert!(!call.running().await);
    assert_eq!(call.does(&call.ann, "ask").await.0, 404);
    call.parlor.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_asked_may_refuse_and_nothing_is_recorded() {
    let mut call = Call::begin().await;
    for action in ["agree", "refuse"] {
        assert_eq!(
            call.does(&call.bob, action).await.0,
            409,
            "nobody has asked"
        );
    }
    call.does(&call.ann, "ask").await;
    call.both_hear("asked").await;
    assert_eq!(call.does(&call.bob, "refuse").await.0, 204);
    call.both_hear("refused").await;
    assert_eq!(
        call.does(&call.bob, "agree").await.0,
        409,
        "it was answered"
    );
    assert!(!call.running().await);
    let (status, answer) = call.does(&call.ann, "dance").await;
    assert_eq!(status, 400, "{answer}");
    assert!(
        !call
            .ann
            .page("/buddies/recordings")
            .await
            .contains("Ann and Bob")
    );
    call.parlor.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_is_a_refusal() {
    let mut call = Call::begin().await;
    call.does(&call.ann, "ask").await;
    call.both_hear("asked").await;
    call.both_hear("refused").await;
    let news = call.ann.tab.all_news("recording");
    assert_eq!(news.last().unwrap()["by"], call.bob.user);
    call.parlor.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_two_watch_their_recording_and_nobody_else_does() {
    let call = Call::begin().await;
    let eve = Buddy::at(&call.parlor.base, "Eve").await;
    let anonymous = call.parlor.anonymous();
    let id = available(&call).await;
    let path = format!("/buddies/recordings/{id}");
    for buddy in [&call.ann, &call.bob] {
        let page = buddy.page("/buddies/recordings").await;
        assert!(page.contains("Ann and Bob") && page.contains(&path));
        let answer = buddy.get(&path).await;
        assert_eq!(answer.status().as_u16(), 302);
        let link = answer.headers()["location"].to_str().unwrap().to_owned();
        let file = anonymous.get(&link).await;
        assert_eq!(
            file.bytes().await.unwrap(),
            "moving pictures",
            "a link needs no cookie"
        );
    }
    for stranger in [&eve.visitor(), &*anonymous] {
        let page = stranger.page("/buddies/recordings").await;
        assert!(!page.contains("Ann and Bob") && !page.contains(&id.to_string()));
        for path in [
            path.clone(),
            format!("/archives/{id}/files/archive.mp4"),
            format!("/download/{id}"),
        ] {
            let status = stranger.get(&path).await.status().as_u16();
            assert!(matches!(status, 303 | 404), "{path}: {status}");
        }
    }
    call.parlor.server.stop().await;
}

fn stream() -> RecordedStream {
    let stream = StreamId::random();
    RecordedStream {
        stream,
        connection: ConnectionId::random(),
        connection_data: String::new(),
        present: Vec::new(),
        classes: Vec::new(),
        name: "Ann".to_owned(),
        video_type: "camera".to_owned(),
        joined_ms: 0,
        left_ms: 1_000,
        file: Some(format!("{stream}.webm")),
        starts_ms: 0,
        ends_ms: 1_000,
        size_bytes: 1,
        has_audio: true,
        has_video: true,
        shown: Vec::new(),
    }
}

/// A recording of the chat that was composed long ago.
async fn available(call: &Call) -> ArchiveId {
    let app = call.parlor.server.app();
    let new = NewArchive {
        name: "Ann and Bob".to_owned(),
        ..NewArchive::of(app.project.api_key, SessionId::from(call.session.clone()))
    };
    let id = app.archives.start(new).await.unwrap().id;
    app.archives.stop(id, Reason::UserInitiated).await.unwrap();
    let folder = app.data.archives().join(id.to_string());
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("archive.mp4"), b"moving pictures").unwrap();
    let manifest = Manifest {
        duration_ms: 1_000,
        layouts: Vec::new(),
        streams: vec![stream()],
    };
    let ready = RecorderEvent::Ready {
        archive: id,
        manifest: manifest.into(),
    };
    app.archives.apply_recorder_event(ready).await;
    let composed = Composed {
        size_bytes: 15,
        duration_ms: 1_000,
        has_poster: false,
        damage: String::new(),
    };
    let now_ms = clock::now_ms();
    let made = lifecycle::make_available(app.db(), id, &composed, now_ms).await;
    made.unwrap();
    id
}
