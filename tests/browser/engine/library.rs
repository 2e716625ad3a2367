//! The browser library, as pages written for OpenTok use it.

use actix_web::{App, HttpResponse, HttpServer, web};
use parlor::{
    clock,
    opentok::{NewToken, Role, SessionId, Token},
    platform::StartArchive,
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

/// A page of 2014: all of it in the head, before there is a body, with the library's old name and forms.
fn old_page(base: &str, key: u32, session: &SessionId, token: &str) -> String {
    format!(
        r#"<!doctype html><html lang="en"><head><title>Old</title><script src="{base}/webrtc/v2.2/js/TB.min.js"></script><script>
var heard = []
var publisher = TB.initPublisher({key}, 'publisher', {{ name: 'Old' }})
var session = TB.initSession('{session}')
session.on({{
  sessionConnected: function () {{ session.publish(publisher) }},
  streamCreated: function (event) {{ session.subscribe(event.stream, 'subscribers', {{ insertMode: 'append' }}) }},
  archiveStarted: function (event) {{ heard.push('archive ' + event.name) }},
  archiveStopped: function (event) {{ heard.push('stopped') }},
  'signal:chat': function (event) {{ heard.push(event.data + (event.from === session.connection ? ' (own)' : '')) }},
}})
session.connect({key}, '{token}')
</script></head><body><div id="publisher"></div><div id="subscribers"></div></body></html>"#
    )
}

/// A page of today: callbacks and promises, every way to insert, other devices.
fn new_page(base: &str, key: u32, session: &SessionId, token: &str) -> String {
    format!(
        r#"<!doctype html><html lang="en"><head><title>New</title><script src="{base}/v2/js/opentok.min.js"></script></head>
<body><div id="first"></div><div id="last"></div><p id="replaced"></p><script>
const session = OT.initSession('{key}', '{session}')
const done = call => new Promise((resolve, reject) => call((error, value) => error ? reject(error) : resolve(value)))
const code = call => done(call).then(() => 0, error => error.code)
let publisher
const enter = () => done(callback => session.connect('{token}', callback))
async function begin() {{
  await enter()
  publisher = await done(callback => {{ const made = OT.initPublisher('replaced', {{ name: 'New', insertMode: 'replace' }}, error => callback(error, made)) }})
  await done(callback => session.publish(publisher, callback))
}}
const watch = (target, insertMode) => done(callback => session.subscribe(
  session.streams.find(stream => stream.name == 'Old'), target, {{ insertMode }}, callback))
</script></body></html>"#
    )
}

#[tokio::test]
async fn pages_of_2014_and_of_today_on_other_origins_are_in_one_session() {
    let world = World::embedded("an application's pages have their sessions here").await;
    let chromium = Chromium::start().await;
    let app = world.server().app();
    let session = app.platform.create_session().await.unwrap();
    let mut tokens = Vec::new();
    for role in [Role::Moderator, Role::Publisher, Role::Subscriber] {
        tokens.push(app.platform.token(&session, role, "").await.unwrap());
    }
    let key = app.project.api_key;
    let old = chromium.somebody().await;
    let new = chromium.somebody().await;
    let page = old_page(&world.base, key, &session, &tokens[0]);
    old.goto(&at_an_origin_of_its_own(page)).await;
    old.until("test.moves(document.querySelector('#publisher video'))")
        .await;
    let page = new_page(&world.base, key, &session, &tokens[1]);
    new.goto(&at_an_origin_of_its_own(page)).await;
    assert!(new.eval::<bool>("(await begin(), true)").await);

    // Where things are inserted.
    new.until("session.streams.find(stream => stream.name == 'Old')")
        .await;
    for (target, mode, is_there) in [
        (
            "first",
            "before",
            "document.querySelector('#first').previousElementSibling",
        ),
        (
            "first",
            "after",
            "document.querySelector('#first').nextElementSibling",
        ),
        (
            "last",
            "append",
            "document.querySelector('#last').lastElementChild",
        ),
    ] {
        assert!(
            new.eval::<bool>(&format!("(await watch('{target}', '{mode}'), true)"))
                .await
        );
        new.until(&format!("test.moves({is_there}.querySelector('video'))"))
            .await;
    }
    new.until("document.querySelector('p#replaced.OT_publisher video')")
        .await;
    old.until("test.moves(document.querySelector('#subscribers video'))")
        .await;

    // Signals, and what a role does not allow.
    let _: bool = new
        .eval("(await done(callback => session.signal({ type: 'chat', data: 'hi' }, callback)), true)")
        .await;
    let _: bool = old
        .eval("(session.signal({ type: 'chat', data: 'hello' }), true)")
        .await;
    old.until("heard.includes('hi') && heard.includes('hello (own)')")
        .await;
    let watcher = chromium.somebody().await;
    let page = new_page(&world.base, key, &session, &tokens[2]);
    watcher.goto(&at_an_origin_of_its_own(page)).await;
    assert!(watcher.eval::<bool>("(await enter(), true)").await);
    let refused = "await code(callback => session.publish(OT.initPublisher('last', {}), callback))";
    assert_eq!(watcher.eval::<u16>(refused).await, 1500);
    watcher.close().await;
    let refused = "await code(callback => session.forceDisconnect(session.streams.find(stream => stream.name == 'Old').connection, callback))";
    assert_eq!(new.eval::<u16>(refused).await, 1520);

    // Other devices, while it is sent.
    let before: String = new.eval("publisher.getVideoSource().track.label").await;
    let _: bool = new.eval("(await publisher.cycleVideo(), true)").await;
    let after: String = new.eval("publisher.getVideoSource().track.label").await;
    let cameras: usize = new
        .eval("(await done(OT.getDevices)).filter(device => device.kind == 'videoInput').length")
        .await;
    assert_eq!(
        before == after,
        cameras < 2,
        "{cameras} cameras: {before}, {after}"
    );
    let _: bool = new
        .eval("(await publisher.setAudioSource((await done(OT.getDevices)).find(device => device.kind == 'audioInput').deviceId), true)")
        .await;

    // Archives are told of.
    let options = StartArchive {
        name: "talk".to_owned(),
        ..StartArchive::default()
    };
    let archive = app.platform.start_archive(&session, options).await.unwrap();
    old.until("heard.includes('archive talk')").await;
    app.platform.stop_archive(archive).await.unwrap();
    old.until("heard.includes('stopped')").await;
    // A moderator may what others may not.
    let _: bool = old
        .eval("(session.forceDisconnect(session.streams.find(stream => stream.name == 'New').connection), true)")
        .await;
    new.until("session.currentState == 'disconnected' || !session.connection")
        .await;
    world.end([chromium]).await;
}
