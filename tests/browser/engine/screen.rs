//! A screen in a film, and in an application's own page.

use parlor::opentok::{Role, SessionId};

use super::library::at_an_origin_of_its_own;
use crate::{
    camera::RED,
    chromium::Chromium,
    film::Film,
    recording::REC_S,
    screen::has_on_stage,
    world::{World, start_archive, stop_archive},
};

/// A camera beneath a screen covers at most this share of a film's picture.
const SMALL: f64 = 0.2;
/// What is alone in a film covers at least this.
const LARGE: f64 = 0.5;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_screen_is_large_in_the_film() {
    let world = World::embedded("what is in the film is its engine's work").await;
    let chromium = Chromium::start().await;
    let host = world.host(&chromium, "Hanna", RED).await;
    start_archive(&host).await;
    host.until(&format!("{REC_S} >= 2")).await;

    host.click("#share-button").await;

    has_on_stage(&host, "Your screen").await;
    let shared: f64 = host.eval(REC_S).await;
    host.until(&format!("{REC_S} >= {}", 3.0 * shared)).await;
    stop_archive(&host).await;
    host.goto(&format!("{}/history", world.base)).await;
    host.click("table.archives a[title=Play]").await;
    host.sees("Hanna’s screen").await;
    let files = tempfile::tempdir().unwrap();
    let file = chromium
        .download(&host, "#facts a[href^='/download/']", files.path())
        .await;
    let shares = Film::of(&file, 0.0).shares_of(RED);
    let (first, last) = (shares[shares.len() / 10], shares[shares.len() * 9 / 10]);
    assert!(first > LARGE, "{first}");
    assert!((0.01..SMALL).contains(&last), "{last}");
    world.end([chromium]).await;
}

/// A page that shares a screen when it is asked to, as OpenTok's documentation has it.
fn sharing_page(base: &str, key: u32, session: &SessionId, token: &str) -> String {
    format!(
        r#"<!doctype html><html lang="en"><head><title>Screens</title><script src="{base}/v2/js/opentok.min.js"></script></head>
<body><button id="share">Share</button><div id="cameras"></div><div id="screens"></div><script>
const told = []
const session = OT.initSession('{key}', '{session}')
session.on({{
  streamCreated({{ stream }}) {{
    const target = stream.videoType === 'screen' ? 'screens' : 'cameras'
    session.subscribe(stream, target, {{ insertMode: 'append' }}, error => error && told.push(error.name))
  }},
  streamDestroyed: ({{ stream, reason }}) => told.push(stream.videoType + ' ' + reason),
}})
session.connect('{token}', error => error && told.push(error.name))
let screen
document.querySelector('#share').addEventListener('click', () => {{
  OT.checkScreenSharingCapability(response => {{
    if (!response.supported || response.extensionRegistered === false) return told.push('not supported')
    screen = OT.initPublisher('screens', {{ videoSource: 'screen', publishAudio: true, insertMode: 'append', name: 'Slides' }},
      error => {{
        if (error) return told.push(error.name)
        session.publish(screen, error => error && told.push(error.name))
      }})
    screen.on('mediaStopped', () => told.push('mediaStopped'))
    screen.on('streamDestroyed', event => told.push('own ' + event.reason))
  }})
}})
</script></body></html>"#
    )
}

#[tokio::test]
async fn an_applications_page_shares_a_screen() {
    let world = World::embedded("an application's pages have their sessions here").await;
    let chromium = Chromium::start().await;
    let app = world.server().app();
    let session = app.platform.create_session().await.unwrap();
    let key = app.project.api_key;
    let mut tabs = Vec::new();
    for _ in 0..2 {
        let token = app.platform.token(&session, Role::Publisher, "").await;
        let page = sharing_page(&world.base, key, &session, &token.unwrap());
        let tab = chromium.somebody().await;
        tab.goto(&at_an_origin_of_its_own(page)).await;
        tab.until("session.connection").await;
        tabs.push(tab);
    }
    let [one, two] = &tabs[..] else {
        unreachable!("two tabs");
    };

    one.click("#share").await;

    one.until("test.moves(document.querySelector('#screens .OT_publisher video'))")
        .await;
    two.until("test.moves(document.querySelector('#screens .OT_subscriber video'))")
        .await;
    let (name, kind, width): (String, String, u32) = two
        .eval("(({ name, videoType }) => [name, videoType, document.querySelector('#screens video').videoWidth])(session.streams.find({ videoType: 'screen' }))")
        .await;
    assert_eq!((name.as_str(), kind.as_str()), ("Slides", "screen"));
    let shared: u32 = one
        .eval("document.querySelector('#screens video').videoWidth")
        .await;
    assert!(width > 0 && width <= shared, "{width} of {shared}");
    // A screen is not mirrored, whatever cameras are.
    assert!(
        !one.eval::<bool>("document.querySelector('#screens .OT_mirrored') != null")
            .await
    );

    // The person ends it in the browser's own bar.
    let _: bool = one
        .eval("(track => (track.stop(), track.dispatchEvent(new Event('ended'))))(screen.getVideoSource().track)")
        .await;
    one.until("told.includes('mediaStopped') && told.includes('own mediaStopped')")
        .await;
    two.until("told.includes('screen mediaStopped') && !document.querySelector('#screens video')")
        .await;

    // Again, and the page ends it.
    one.click("#share").await;
    two.until("test.moves(document.querySelector('#screens .OT_subscriber video'))")
        .await;
    let _: bool = one.eval("(session.unpublish(screen), true)").await;
    two.until("told.at(-1) == 'screen clientDisconnected'")
        .await;
    world.end([chromium]).await;
}
