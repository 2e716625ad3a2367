//! What an archive becomes: watched at once, composed, downloaded, and true to what happened.

use std::{
    collections::HashMap,
    fs::{self, File},
    os::unix::fs::PermissionsExt,
    path::Path,
};

use parlor::config::Config;
use serde::Deserialize;

use crate::{
    call::{has_tiles_of, sees, sees_and_hears},
    camera::{BLUE, Camera, GREEN, RED},
    chromium::{Chromium, Tab},
    film::{Film, Span, boxes},
    world::{World, start_archive, stop_archive},
};

/// How much a film may differ from what the pages showed. s
const TOLERANCE: f64 = 0.5;
/// How far a beep may be from its flash before people notice. s
const LIP_SYNC: f64 = 0.08;

/// Something that a page saw, and when.
#[derive(Deserialize)]
struct Moment {
    at: f64,
    what: String,
}

/// What a page saw while it was recorded, in seconds from the start of the archive.
pub async fn story(host: &Tab) -> HashMap<String, f64> {
    let moments: Vec<Moment> = host.eval("test.story").await;
    let begun = moments
        .iter()
        .find(|moment| moment.what == "rec on")
        .unwrap()
        .at;
    let mut story: HashMap<String, f64> = moments
        .into_iter()
        .map(|moment| (moment.what, (moment.at - begun) / 1000.0))
        .collect();
    story.retain(|_, at| *at >= 0.0);
    story
}

#[track_caller]
fn assert_near(what: &str, value: f64, expected: f64, tolerance: f64) {
    assert!(
        (value - expected).abs() <= tolerance,
        "{what}: {value:.2} s instead of {expected:.2} s"
    );
}

/// Somebody is there from when their tile came, or their first picture at the latest, until `to`.
#[track_caller]
fn assert_present(what: &str, spans: &[Span], (came, seen): (f64, f64), to: f64, tolerance: f64) {
    let [(from, until)] = spans else {
        panic!("{what}: {spans:.2?} instead of once, from {came:.2} to {to:.2} s");
    };
    assert!(
        (came - tolerance..=seen + tolerance).contains(from),
        "{what}: from {from:.2} s instead of {came:.2} to {seen:.2} s"
    );
    assert_near(what, *until, to, tolerance);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_archive_shows_and_plays_everybody_when_they_were_there() {
    let world = World::embedded("what is in the film is its engine's work").await;
    let chromium = Chromium::start().await;
    let host = world.host(&chromium, "Hanna", RED.flashing()).await;
    start_archive(&host).await;
    let guest = world.guest(&chromium, "Gus", GREEN).await;
    let late = world.guest(&chromium, "Lena", BLUE).await;
    sees_and_hears(&host, "Gus", GREEN).await;
    sees_and_hears(&host, "Lena", BLUE).await;
    host.until("performance.now() - test.story.find(s => s.what == 'Lena seen').at > 2500")
        .await;
    late.click("#leave").await;
    has_tiles_of(&host, &["Gus"]).await;
    host.until("performance.now() - test.story.find(s => s.what == 'Lena went').at > 2500")
        .await;
    sees(&guest, "Hanna", RED).await;
    let (clock, since): (String, f64) = host
        .eval("[document.querySelector('#rec-time').textContent, (performance.now() - test.story.find(s => s.what == 'rec on').at) / 1000]")
        .await;
    assert!(
        [clock_of(since), clock_of(since - 1.0)].contains(&clock),
        "the page showed {clock} after {since} s"
    );
    stop_archive(&host).await;
    let story = story(&host).await;
    let mut paused = 0.0;
    for page in [&host, &guest, &late] {
        let ms: f64 = page.eval("globalThis.longestPause").await;
        paused = f64::max(paused, ms / 1000.0);
    }
    eprintln!("The host saw {story:.2?}; cameras paused for {paused:.2} s at most");
    let end = story["rec off"];
    // A page that was held up saw everything so much later.
    let tolerance = TOLERANCE + paused;

    let files = tempfile::tempdir().unwrap();
    host.goto(&format!("{}/history", world.base)).await;
    host.click("table.archives a[title=Play]").await;
    host.until("document.querySelector('#facts a[href^=\"/download/\"]')")
        .await;
    let shown = host.text("#facts .muted").await;
    let file = chromium
        .download(&host, "#facts a[href^='/download/']", files.path())
        .await;

    let film = Film::of(&file, paused);
    assert_near("the length", film.duration(), end, tolerance);
    assert_eq!(film.codec("video"), "h264");
    assert_eq!(film.codec("audio"), "aac");
    let kinds = boxes(&file);
    let place = |kind: &str| kinds.iter().position(|each| each == kind).unwrap();
    assert!(place("moov") < place("mdat"), "{kinds:?}");
    assert!(shown.contains(&clock_of(film.duration())), "{shown:?}");

    for (name, camera) in [("Gus", GREEN), ("Lena", BLUE)] {
        let came = story[&format!("{name} came")];
        let seen = story[&format!("{name} seen")];
        let to = story.get(&format!("{name} went")).copied().unwrap_or(end);
        assert_present(
            &format!("{name} seen"),
            &film.seen(camera),
            (came, seen),
            to,
            tolerance,
        );
        assert_present(
            &format!("{name} heard"),
            &film.heard(camera),
            (came, seen),
            to,
            tolerance,
        );
    }
    let all = (0.0, 0.0);
    assert_present("Hanna seen", &film.seen(RED), all, end, tolerance);
    assert_present("Hanna heard", &film.heard(RED), all, end, tolerance);

    let mut offsets = film.lip_sync();
    offsets.sort_by(f64::total_cmp);
    let median = offsets[offsets.len() / 2];
    eprintln!("Beeps after their flashes: {offsets:.3?} s");
    assert!(offsets.len() >= 3, "{offsets:?}");
    assert!(median.abs() <= LIP_SYNC, "{offsets:?}");
    world.end([chromium]).await;
}

/// As pages write it.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "seconds of a test"
)]
fn clock_of(seconds: f64) -> String {
    let seconds = seconds.max(0.0) as u64;
    format!("{}:{:02}", seconds / 60, seconds % 60)
}

/// An ffmpeg that begins only when somebody lets it.
struct Gate(File);

impl Gate {
    fn shut(folder: &Path) -> Gate {
        let lock = folder.join("gate");
        let program = |name: &str, before: &str| {
            let file = folder.join(name);
            fs::write(&file, format!("#!/bin/sh\n{before}exec {name} \"$@\"\n")).unwrap();
            fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
        };
        program("ffmpeg", &format!("flock '{}' true\n", lock.display()));
        program("ffprobe", "");
        let file = File::create(lock).unwrap();
        file.lock().unwrap();
        Gate(file)
    }

    fn open(self) {
        self.0.unlock().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_archive_is_watched_at_once_and_its_mp4_follows_without_a_reload() {
    let tools = tempfile::tempdir().unwrap();
    let gate = Gate::shut(tools.path());
    let mut config = Config::default();
    config.archives.ffmpeg = tools.path().join("ffmpeg");
    let why = "the tracks that are watched before there is an MP4 are this server's own";
    let world = World::embedded_with(config, why).await;
    let chromium = Chromium::start().await;
    let host = world.host(&chromium, "Hanna", RED).await;
    start_archive(&host).await;
    let guest = world.guest(&chromium, "Gus", GREEN).await;
    sees_and_hears(&host, "Gus", GREEN).await;
    let desk = chromium.another_tab(&host).await;
    desk.goto(&format!("{}/history", world.base)).await;
    desk.until("document.querySelector('table.archives .badge-status.rec')")
        .await;
    desk.click("table.archives td a[href^='/archives/']:not(.thumb)")
        .await;
    desk.sees("Recording in progress.").await;
    host.until("performance.now() - test.story.find(s => s.what == 'Gus seen').at > 6000")
        .await;

    stop_archive(&host).await;

    desk.until("document.querySelector('#player')").await;
    let took: f64 = desk
        .eval("performance.timeOrigin + performance.now()")
        .await;
    let stopped: f64 = host
        .eval("performance.timeOrigin + test.story.find(s => s.what == 'rec off').at")
        .await;
    eprintln!(
        "It could be watched {:.0} ms after the stop",
        took - stopped
    );
    let _: bool = desk.eval("window.stayed = true").await;
    desk.sees("The MP4 is being prepared.").await;
    play_through(&desk).await;

    gate.open();

    desk.sees("Download MP4").await;
    desk.sees("Available").await;
    assert!(desk.eval::<bool>("window.stayed").await);
    host.sees("You're the host").await;

    downloads(&world, &chromium, &desk).await;
    guest.close().await;
    world.end([chromium]).await;
}

/// Plays all files together, and looks at who is there at the beginning and at the end.
async fn play_through(desk: &Tab) {
    assert!(
        desk.eval::<bool>("document.querySelector('#start').checkVisibility()")
            .await
    );
    desk.click("#start").await;
    plays(desk, "Hanna", RED).await;
    seek(
        desk,
        "boot.streams.find(s => s.name == 'Gus').joinedMs + 500",
    )
    .await;
    plays(desk, "Gus", GREEN).await;
    has_tiles_of(desk, &["Gus", "Hanna"]).await;
    // One clock for all files.
    desk.until(
        "(() => {
           const at = Number(document.querySelector('#seek').value)
           const { streams } = JSON.parse(document.querySelector('#boot').textContent)
           return streams.every(({ name, startsMs }) =>
             Math.abs(test.videoOf(name).currentTime * 1000 + startsMs - at) < 150)
         })()",
    )
    .await;
    desk.until("document.querySelector('#play').getAttribute('aria-label') == 'Play'")
        .await;

    seek(
        desk,
        "boot.streams.find(s => s.name == 'Gus').joinedMs - 300",
    )
    .await;
    has_tiles_of(desk, &["Hanna"]).await;
    seek(desk, "boot.durationMs - 1500").await;
    has_tiles_of(desk, &["Gus", "Hanna"]).await;
    desk.until("test.isColour(test.videoOf('Gus'), 'green') && test.isColour(test.videoOf('Hanna'), 'red')")
        .await;
}

async fn seek(desk: &Tab, ms: &str) {
    let _: bool = desk
        .eval(&format!(
            "(() => {{ const boot = JSON.parse(document.querySelector('#boot').textContent); const seek = document.querySelector('#seek'); seek.value = {ms}; return seek.dispatchEvent(new Event('input')) }})()"
        ))
        .await;
}

/// The file comes under a name for people, in parts or whole, and to nobody else.
async fn downloads(world: &World, chromium: &Chromium, desk: &Tab) {
    let files = tempfile::tempdir().unwrap();
    let link = "#facts a[href^='/download/']";
    let file = chromium.download(desk, link, files.path()).await;
    let name = file.file_name().unwrap().to_str().unwrap();
    assert!(
        name.to_lowercase().starts_with("main") && name.ends_with(".mp4") && name.contains("20"),
        "{name}"
    );
    let whole = fs::read(&file).unwrap();
    assert_eq!(&whole[4..8], b"ftyp");

    // The link needs no cookie, and gives parts.
    let signed: String = desk
        .eval(&format!(
            "(await fetch(document.querySelector(\"{link}\").href, {{ headers: {{ Range: 'bytes=0-0' }} }})).url"
        ))
        .await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let part = client
        .get(&signed)
        .header("Range", "bytes=4-7")
        .send()
        .await
        .unwrap();
    assert_eq!(part.status(), 206);
    assert_eq!(
        part.headers()["content-range"],
        format!("bytes 4-7/{}", whole.len())
    );
    assert_eq!(part.bytes().await.unwrap(), "ftyp");
    let bare = signed.split('?').next().unwrap();
    let refused = client.get(bare).send().await.unwrap();
    assert!(
        refused.url().path().starts_with("/sign-in"),
        "{}",
        refused.url()
    );

    let stranger = chromium.somebody().await;
    stranger.goto(&format!("{}/history", world.base)).await;
    assert!(stranger.path().await.starts_with("/sign-in"));
    stranger.close().await;
}

/// Plays, from the beginning again if need be, until somebody is seen moving and heard.
pub async fn plays(desk: &Tab, name: &str, camera: Camera) {
    let Camera { colour, hz, .. } = camera;
    for there in [
        format!(
            "test.moves(test.videoOf('{name}')) && test.isColour(test.videoOf('{name}'), '{colour}')"
        ),
        format!("Math.abs(test.tone('{name}') - {hz}) < 25"),
    ] {
        desk.until(&format!(
            "(() => {{
               const play = document.querySelector('#play')
               if (play.getAttribute('aria-label') == 'Play') play.click()
               return {there}
             }})()"
        ))
        .await;
    }
}
