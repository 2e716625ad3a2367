//! The browser library, as pages written for OpenTok use it.

use actix_web::{App, HttpResponse, HttpServer, web};
use parlor::{
    clock,
    opentok::{NewToken, Role, SessionId, Token},
    project::{self, SessionRecord},
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
    let world = World::embedded("this server's own tokens are tried on its own sessions").await;
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

/// A page as an application has it, in which everything of Parlor's is the address of the script.
fn foreign_page(library: &str, key: u32, session: &SessionId, token: &str) -> String {
    format!(
        r#"<!doctype html><html lang="en"><head><title>Foreign</title><script src="{library}"></script></head>
<body><div id="publisher"></div><div id="subscribers"></div><p id="heard"></p><script>
const session = OT.initSession('{key}', '{session}')
session.on('streamCreated', event => session.subscribe(event.stream, 'subscribers', {{ insertMode: 'append' }}))
session.on('signal:hello', event => {{ document.querySelector('#heard').textContent += event.data }})
session.connect('{token}', error => {{
  if (error) document.title = error.message
  else session.publish(OT.initPublisher('publisher', {{ insertMode: 'append' }}))
}})
</script></body></html>"#
    )
}

/// Serves a page at an origin of its own as long as the test runs.
pub fn at_an_origin_of_its_own(page: String) -> String {
    let server = HttpServer::new(move || {
        let page = page.clone();
        App::new().default_service(web::to(move || {
            let page = page.clone();
            async move { HttpResponse::Ok().content_type("text/html").body(page) }
        }))
    })
    .workers(1)
    .disable_signals()
    .bind(("127.0.0.1", 0))
    .unwrap();
    let origin = format!("http://{}", server.addrs()[0]);
    tokio::spawn(server.run());
    origin
}

#[tokio::test]
async fn a_page_on_another_origin_needs_nothing_but_the_scripts_address() {
    let world = World::embedded("an application's pages have their sessions here").await;
    let chromium = Chromium::start().await;
    let db = world.server().app().db();
    // An application's own key, not the pages'.
    let shop = project::add(db, "Shop", clock::now_ms()).await.unwrap();
    let session = SessionId::generate(shop.api_key, "", clock::now_ms());
    let record = SessionRecord::routed(session.clone(), shop.api_key);
    project::add_session(db, &record, clock::now_ms())
        .await
        .unwrap();
    let token = Token {
        api_key: shop.api_key,
        api_secret: shop.api_secret.expose(),
    };
    let claims = NewToken {
        session_id: &session,
        role: Role::Publisher,
        data: None,
        expires_at: None,
    };
    let token = token.generate(&claims, clock::now_s(), "nonce");
    let library = format!("{}/v2/js/opentok.min.js", world.base);
    let page = foreign_page(&library, shop.api_key, &session, &token);
    let origin = at_an_origin_of_its_own(page);
    assert_ne!(origin, world.base);

    let one = chromium.somebody().await;
    let two = chromium.somebody().await;
    for tab in [&one, &two] {
        tab.goto(&origin).await;
    }
    for tab in [&one, &two] {
        tab.until("test.moves(document.querySelector('#publisher video'))")
            .await;
        tab.until("test.moves(document.querySelector('#subscribers video'))")
            .await;
    }
    one.eval::<bool>("(session.signal({ type: 'hello', data: 'from one' }), true)")
        .await;
    two.until("document.querySelector('#heard').textContent == 'from one'")
        .await;

    // The library may be read by any page; nothing else is anybody's business.
    for (path, is_readable) in [("/v2/js/opentok.js", true), ("/openapi.json", false)] {
        let read = format!(
            "await fetch('{}{path}').then(() => true, () => false)",
            world.base
        );
        assert_eq!(one.eval::<bool>(&read).await, is_readable, "{path}");
    }
    world.end([chromium]).await;
}
