//! The browser library, as pages written for OpenTok use it.

use parlor::{
    clock,
    opentok::{NewToken, Role, SessionId, Token},
};

use crate::{
    chromium::{Chromium, Tab},
    world::World,
};

/// The code of the error with which a connection is refused; 0 when it is not.
async fn connect(tab: &Tab, session: &SessionId, token: &str) -> (u16, String) {
    tab.eval(&format!(
        "await new Promise(done => {{
           const session = OT.initSession('1', '{session}')
           session.connect('{token}', error => {{ if (!error) session.disconnect(); done([error?.code ?? 0, error?.message ?? '']) }})
         }})"
    ))
    .await
}

#[tokio::test]
async fn a_token_that_is_not_good_is_refused_with_opentoks_code() {
    let world = World::start().await;
    let chromium = Chromium::start().await;
    let tab = chromium.somebody().await;
    tab.goto(&format!("{}/participant", world.base)).await;
    let app = world.server().app();
    let session = app.platform.create_session().await.unwrap();
    let other = app.platform.create_session().await.unwrap();
    let unknown = SessionId::generate(app.project.api_key, "", clock::now_ms());
    let now = clock::now_s();
    let token = |secret: &str, session: &SessionId, made: i64, expires_at: i64| {
        Token {
            api_key: app.project.api_key,
            api_secret: secret,
        }
        .generate(
            &NewToken {
                session_id: session,
                role: Role::Publisher,
                data: None,
                expires_at: Some(expires_at),
            },
            made,
            "nonce",
        )
    };
    let secret = app.project.api_secret.expose();
    let good = token(secret, &session, now, now + 60);
    let expired = token(secret, &session, now - 7200, now - 3600);
    let foreign = token("somebody else’s secret", &session, now, now + 60);
    let of_other = token(secret, &other, now, now + 60);
    let of_unknown = token(secret, &unknown, now, now + 60);

    for (session, token, code, says) in [
        (&session, expired.as_str(), 1004, "expired"),
        (&session, &foreign, 1004, "signature"),
        (&session, &of_other, 1004, "another session"),
        (&session, "T1==bm9uc2Vuc2U=", 1004, ""),
        (&session, "nonsense", 1004, "neither a T1 token nor a JWT"),
        (&unknown, &of_unknown, 1005, ""),
        (&session, &good, 0, ""),
    ] {
        let (answer, message) = connect(&tab, session, token).await;
        assert_eq!(answer, code, "{message}");
        assert!(message.contains(says), "{message:?} lacks {says:?}");
    }
    world.end([chromium]).await;
}

#[tokio::test]
async fn hello_world_in_two_tabs_is_a_group_chat() {
    let world = World::start().await;
    let chromium = Chromium::start().await;
    let one = chromium.somebody().await;
    let two = chromium.somebody().await;
    for tab in [&one, &two] {
        tab.goto(&format!("{}/hello", world.base)).await;
    }
    for tab in [&one, &two] {
        tab.until("test.moves(document.querySelector('#publisher video'))")
            .await;
        tab.until("document.querySelectorAll('#subscribers .OT_subscriber').length == 1 && test.moves(document.querySelector('#subscribers video'))")
            .await;
        tab.until(
            "await (async () => {
               const { sessionId } = document.querySelector('#hello').dataset
               const stream = OT.initSession(sessionId).streams.find(s => s.connection.connectionId != OT.initSession(sessionId).connection.connectionId)
               const [subscriber] = OT.initSession(sessionId).getSubscribersForStream(stream)
               const report = await subscriber.getRtcStatsReport()
               return [...report.values()].some(s => s.type == 'inbound-rtp' && s.kind == 'audio' && s.totalAudioEnergy > 0.001)
             })()",
        )
        .await;
        assert!(
            !tab.eval::<bool>("document.querySelector('#problem').checkVisibility()")
                .await
        );
    }

    two.close().await;
    one.until("document.querySelectorAll('#subscribers .OT_subscriber').length == 0")
        .await;
    world.end([chromium]).await;
}
