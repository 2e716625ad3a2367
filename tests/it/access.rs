//! Who may call what: every route, with every method, for everybody.

use std::collections::BTreeSet;

use parlor::{
    archive::{
        ArchiveId, NewArchive, Reason, Status,
        composer::Composed,
        lifecycle,
        recording::{Manifest, RecordedStream, RecorderEvent},
    },
    clock,
    opentok::SessionId,
    presence::{self, UserId},
    session::{ConnectionId, StreamId},
    web::{self, Access},
};
use reqwest::Response;
use serde_json::Value;

use crate::people::{MODERATOR, Parlor, Visitor};

/// What comes back. Text in braces is filled in as in paths.
#[derive(Clone, Copy, Debug)]
enum Answer {
    Status(u16),
    /// A redirect, and to where.
    To(u16, &'static str),
}

use Answer::{Status as Is, To};

/// What there is before the request.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Given {
    Nothing,
    /// A room, for `{room}`.
    Room,
    /// An archive that records a room of its own, for `{id}`.
    Running,
    /// An archive that can be downloaded, for `{id}`.
    Available,
    /// Somebody who was here, for `{user}`.
    Buddy,
}

struct Row {
    method: &'static str,
    path: &'static str,
    given: Given,
    form: &'static [(&'static str, &'static str)],
    anonymous: Answer,
    guest: Answer,
    moderator: Answer,
    /// For scripts: what they send (empty: nothing), and what comes back for somebody who has said a name.
    json: Option<(&'static str, Answer)>,
}

const NO_FORM: &[(&str, &str)] = &[];
const NAME: &[(&str, &str)] = &[("name", "Somebody")];
const ACCOUNT: &[(&str, &str)] = &[("name", MODERATOR.0), ("password", MODERATOR.1)];
const OK: Answer = Is(200);
const NOT_SIGNED_IN: Answer = Is(401);

/// A page.
const fn get(path: &'static str, given: Given, [a, g, m]: [Answer; 3]) -> Row {
    row("GET", path, given, NO_FORM, [a, g, m])
}

const fn row(
    method: &'static str,
    path: &'static str,
    given: Given,
    form: &'static [(&'static str, &'static str)],
    [anonymous, guest, moderator]: [Answer; 3],
) -> Row {
    Row {
        method,
        path,
        given,
        form,
        anonymous,
        guest,
        moderator,
        json: None,
    }
}

/// A page for everybody.
const fn open(path: &'static str) -> Row {
    get(path, Given::Nothing, [OK; 3])
}

/// A page for moderators: others sign in first, and are brought back.
const fn closed(path: &'static str, given: Given, sign_in: &'static str, moderator: Answer) -> Row {
    get(path, given, [To(303, sign_in), To(303, sign_in), moderator])
}

/// A change by moderators.
const fn change(
    path: &'static str,
    given: Given,
    form: &'static [(&'static str, &'static str)],
    moderator: Answer,
) -> Row {
    row(
        "POST",
        path,
        given,
        form,
        [NOT_SIGNED_IN, NOT_SIGNED_IN, moderator],
    )
}

/// What a script asks; everybody but a buddy is told to say a name first.
const fn ask(method: &'static str, path: &'static str, body: &'static str, buddy: Answer) -> Row {
    Row {
        json: Some((body, buddy)),
        ..row(method, path, Given::Nothing, NO_FORM, [Is(401); 3])
    }
}

#[rustfmt::skip]
const TABLE: &[Row] = &[
    open("/"),
    change("/rooms", Given::Nothing, NAME, To(303, "/")),
    get("/rooms/{room}", Given::Room, [OK; 3]),
    closed("/rooms/{room}/host", Given::Room, "/sign-in?back=%2Frooms%2F{room}%2Fhost", OK),
    get("/rooms/{room}/status", Given::Room, [OK; 3]),
    row("POST", "/rooms/{room}/join", Given::Room, NAME, [OK; 3]),
    change("/rooms/{room}/host/join", Given::Room, NAME, OK),
    change("/rooms/{room}/rename", Given::Room, NAME, To(303, "/")),
    change("/rooms/{room}/delete", Given::Room, NO_FORM, To(303, "/")),
    closed("/host", Given::Nothing, "/sign-in?back=%2Fhost", OK),
    open("/participant"),
    open("/hello"),
    closed("/history", Given::Nothing, "/sign-in?back=%2Fhistory", OK),
    change("/archives", Given::Room, &[("room", "{room}")], To(303, "/rooms/{room}/host")),
    closed("/archives/events", Given::Nothing, "/sign-in?back=%2Farchives%2Fevents", OK),
    closed("/archives/{id}", Given::Running, "/sign-in?back=%2Farchives%2F{id}", OK),
    change("/archives/{id}/stop", Given::Running, NO_FORM, To(303, "/archives/{id}")),
    change("/archives/{id}/delete", Given::Available, NO_FORM, To(303, "/history")),
    closed("/archives/{id}/files/{file}", Given::Available, "/sign-in?back=%2Farchives%2F{id}", OK),
    closed("/download/{id}", Given::Available, "/sign-in?back=%2Fdownload%2F{id}",
        To(302, "/archives/{id}/files/archive.mp4?expires=")),
    open("/healthz"),
    open("/metrics"),
    open("/static/{path:.*}"),
    open("/v2/js/opentok.js"),
    open("/v2/js/opentok.min.js"),
    open("/webrtc/v2.2/js/opentok.js"),
    open("/webrtc/v2.2/js/opentok.min.js"),
    open("/webrtc/v2.2/js/TB.js"),
    open("/webrtc/v2.2/js/TB.min.js"),
    open("/webrtc/v2/js/opentok.min.js"),
    // A socket is opened for everybody; the first message on it has to bring a token.
    get("/live", Given::Nothing, [Is(101); 3]),
    open("/presence"),
    open("/buddies"),
    get("/buddies/call/{user}", Given::Buddy, [OK; 3]),
    open("/buddies/recordings"),
    get("/buddies/recordings/{id}", Given::Available, [Is(404); 3]),
    // The buddy of these has a name, and no tab.
    ask("GET", "/buddies/roster", "", OK),
    ask("GET", "/buddies/mine", "", Is(404)),
    ask("POST", "/buddies/availability", r#"{"availability":"invisible"}"#, Is(404)),
    ask("POST", "/buddies/missed/forget", r#"{"from":null}"#, Is(204)),
    ask("POST", "/invitations", r#"{"to":"6f0b8f36-4d55-4a62-8a5e-0d7f3c1d2e3f"}"#, Is(409)),
    ask("POST", "/invitations/{id}/accept", "{}", Is(404)),
    ask("POST", "/invitations/{id}/decline", "{}", Is(404)),
    ask("POST", "/invitations/{id}/cancel", "{}", Is(404)),
    ask("GET", "/chats", "", Is(404)),
    ask("POST", "/chats", "{}", Is(409)),
    ask("POST", "/chats/{session}/end", "{}", Is(404)),
    ask("POST", "/chats/{session}/connection", r#"{"connection":"6f1b2c3d-0000-4000-8000-000000000001"}"#, Is(404)),
    ask("POST", "/chats/{session}/recording", r#"{"action":"ask"}"#, Is(404)),
    Row { json: Some((r#"{"name":"Ann"}"#, OK)), ..row("POST", "/users", Given::Nothing, NO_FORM, [OK; 3]) },
    get("/sign-in", Given::Nothing, [OK, OK, To(303, "/")]),
    row("POST", "/sign-in", Given::Nothing, ACCOUNT, [To(303, "/"); 3]),
    row("POST", "/sign-out", Given::Nothing, NO_FORM, [To(303, "/"); 3]),
];

/// The paths of the signaling sockets.
fn sockets() -> impl Iterator<Item = String> {
    let signaling = include_str!("../../src/signaling/mod.rs");
    let resources = signaling.split("web::resource(\"").skip(1);
    resources.map(|resource| resource.split('"').next().unwrap().to_owned())
}

#[test]
fn the_table_has_every_route_and_no_other() {
    let rows: BTreeSet<_> = TABLE
        .iter()
        .map(|row| (row.method.to_owned(), row.path.to_owned()))
        .collect();
    assert_eq!(rows.len(), TABLE.len(), "a route stands there twice");
    let pages = web::routes();
    let pages = pages
        .iter()
        .map(|route| (route.method.to_string(), route.path.to_owned()));
    let sockets = sockets().map(|path| ("GET".to_owned(), path));
    assert_eq!(rows, pages.chain(sockets).collect());
}

/// The table of the router names a guard for each route. Here is what that guard answers.
#[test]
fn each_row_expects_what_the_guard_of_its_route_answers() {
    for route in web::routes() {
        let is_route = |row: &&Row| row.method == route.method.as_str() && row.path == route.path;
        let row = TABLE.iter().find(is_route).unwrap();
        let refuses = |answer: Answer| match answer {
            Is(status) => status == 401,
            To(status, place) => status == 303 && place.starts_with("/sign-in"),
        };
        let refused = [row.anonymous, row.guest, row.moderator].map(refuses);
        let expected = match route.access {
            Access::Anyone => [false; 3],
            Access::Buddy => [true; 3],
            Access::Moderator | Access::ModeratorOrLink => [true, true, false],
        };
        assert_eq!(refused, expected, "{} {}", row.method, row.path);
        if let (Access::Buddy, Some((_, buddy))) = (route.access, row.json) {
            assert!(!refuses(buddy), "{} {}", row.method, row.path);
        }
    }
}

/// The words that fill the braces.
struct Names {
    room: String,
    id: String,
    user: UserId,
}

impl Names {
    fn fill(&self, text: &str) -> String {
        text.replace("{room}", &self.room)
            .replace("{id}", &self.id)
            .replace("{user}", &self.user.to_string())
            .replace("{session}", "2_none")
            .replace("{file}", "archive.mp4")
            .replace("{path:.*}", "css/theme.css")
    }
}

impl Parlor {
    /// Makes what a row is about.
    async fn make(&self, given: Given) -> Names {
        let mut names = Names {
            room: "main".to_owned(),
            id: ArchiveId::random().to_string(),
            user: UserId::random(),
        };
        let app = self.server.app();
        if matches!(given, Given::Room | Given::Running) {
            let session = app.platform.create_session().await.unwrap();
            let name = parlor::common::name::Name::parse("Kitchen").unwrap();
            let room = parlor::room::create(app.db(), &name, &session, clock::now_ms()).await;
            let room = room.unwrap();
            names.room = room.slug.to_string();
            if given == Given::Running {
                let started = app
                    .platform
                    .start_archive(&room.session, Default::default());
                names.id = started.await.unwrap().to_string();
            }
        }
        if given == Given::Buddy {
            let name = parlor::common::name::Name::parse("Ann").unwrap();
            let kept = presence::store::save_name(app.db(), names.user, &name, clock::now_ms());
            kept.await.unwrap();
        }
        if given == Given::Available {
            names.id = self.available_archive().await.to_string();
        }
        names
    }

    /// An archive that was recorded and composed long ago.
    async fn available_archive(&self) -> ArchiveId {
        let app = self.server.app();
        let session = SessionId::generate(app.project.api_key, "", clock::now_ms());
        let new = NewArchive::of(app.project.api_key, session);
        let archive = app.archives.start(new).await.unwrap().id;
        app.archives
            .stop(archive, Reason::UserInitiated)
            .await
            .unwrap();
        let folder = app.data.archives().join(archive.to_string());
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("archive.mp4"), b"moving pictures").unwrap();
        let stream = StreamId::random();
        let manifest = Manifest {
            duration_ms: 1_000,
            layouts: Vec::new(),
            streams: vec![RecordedStream {
                stream,
                connection: ConnectionId::random(),
                connection_data: String::new(),
                name: "Ada".to_owned(),
                video_type: "camera".to_owned(),
                joined_ms: 0,
                left_ms: 1_000,
                file: Some(format!("{stream}.webm")),
                starts_ms: 0,
                ends_ms: 1_000,
                size_bytes: 1,
                has_audio: true,
                has_video: true,
                present: Vec::new(),
                classes: Vec::new(),
                shown: Vec::new(),
            }],
        };
        let manifest = manifest.into();
        app.archives
            .apply_recorder_event(RecorderEvent::Ready { archive, manifest })
            .await;
        let composed = Composed {
            size_bytes: 15,
            duration_ms: 1_000,
            has_poster: false,
            damage: String::new(),
        };
        let kept = lifecycle::make_available(app.db(), archive, &composed, clock::now_ms()).await;
        assert_eq!(kept.unwrap().status, Status::Available);
        archive
    }

    async fn people(&self) -> [Visitor; 3] {
        [
            Visitor::clone(&self.anonymous()),
            Visitor::clone(&*self.guest("Gus").await),
            Visitor::clone(&*self.moderator().await),
        ]
    }
}

const WHO: [&str; 3] = ["anonymous", "guest", "moderator"];

/// A server on which nothing is composed by itself.
async fn quiet_parlor() -> Parlor {
    Parlor::with(|config| config.archives.ffmpeg = "/nowhere/ffmpeg".into()).await
}

fn check(told: &str, answer: &Response, expected: Answer, names: &Names) {
    let (status, place) = match expected {
        Is(status) => (status, None),
        To(status, place) => (status, Some(names.fill(place))),
    };
    assert_eq!(answer.status().as_u16(), status, "{told}");
    let location = answer
        .headers()
        .get("location")
        .map(|to| to.to_str().unwrap());
    match place {
        // The rest of a signed link is different each time.
        Some(place) if place.ends_with('=') => assert!(location.unwrap().starts_with(&place)),
        place => assert_eq!(location, place.as_deref(), "{told}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_may_call_what_the_table_says() {
    let parlor = quiet_parlor().await;
    let mut people = parlor.people().await;
    for row in TABLE {
        if row.path.starts_with("/sign-") {
            // Signing in and out changes who somebody is.
            people = parlor.people().await;
        }
        let expected = [row.anonymous, row.guest, row.moderator];
        for ((visitor, who), expected) in people.iter().zip(WHO).zip(expected) {
            let names = parlor.make(row.given).await;
            let path = names.fill(row.path);
            let told = format!("{} {path} as {who}", row.method);
            if row.method == "GET" {
                let mut request = visitor.request("GET", &path);
                if row.path == "/live" {
                    request = upgrading(request);
                }
                check(&told, &request.send().await.unwrap(), expected, &names);
                continue;
            }
            if let Some((body, _)) = row.json {
                check(
                    &told,
                    &send_json(visitor, &path, body).await,
                    expected,
                    &names,
                );
                continue;
            }
            let form: Vec<(&str, String)> = row
                .form
                .iter()
                .map(|(name, value)| (*name, names.fill(value)))
                .collect();
            let form: Vec<(&str, &str)> = form.iter().map(|(n, v)| (*n, v.as_str())).collect();
            // Forged first: had they changed anything, the last one would be refused.
            let foreign = parlor.anonymous().csrf().await;
            for csrf in [None, Some(""), Some("guessed"), Some(foreign.as_str())] {
                let answer = visitor.post_with(&path, &form, csrf).await;
                let refused = match expected {
                    Is(401) => 401,
                    _ => 403,
                };
                let told = format!("{told}, forged with {csrf:?}");
                check(&told, &answer, Is(refused), &names);
            }
            let answer = visitor.post(&path, &form).await;
            check(&told, &answer, expected, &names);
        }
    }
    parlor.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_asks_in_json_from_this_site_and_for_somebody_with_a_name() {
    let parlor = quiet_parlor().await;
    let buddy = parlor.anonymous();
    let named = send_json(&buddy, "/users", r#"{"name":"Ann"}"#).await;
    assert_eq!(named.status().as_u16(), 200);
    for row in TABLE {
        let Some((body, expected)) = row.json else {
            continue;
        };
        let names = parlor.make(row.given).await;
        let path = names.fill(row.path);
        let told = format!("{} {path} as a buddy", row.method);
        if row.method == "GET" {
            check(&told, &buddy.get(&path).await, expected, &names);
            continue;
        }
        // Forms of foreign pages, and their scripts.
        let form = buddy
            .request("POST", &path)
            .form(NAME)
            .send()
            .await
            .unwrap();
        check(&told, &form, Is(415), &names);
        let foreign = buddy
            .request("POST", &path)
            .header("content-type", "application/json")
            .header("origin", "https://elsewhere.example")
            .body(body);
        check(&told, &foreign.send().await.unwrap(), Is(403), &names);
        check(
            &told,
            &send_json(&buddy, &path, body).await,
            expected,
            &names,
        );
    }
    parlor.server.stop().await;
}

async fn send_json(visitor: &Visitor, path: &str, body: &'static str) -> Response {
    let request = visitor.request("POST", path);
    let request = request.header("content-type", "application/json");
    request.body(body).send().await.unwrap()
}

fn upgrading(request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
    request
        .header("connection", "upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
}

#[tokio::test(flavor = "multi_thread")]
async fn no_address_answers_to_a_method_that_the_table_does_not_name() {
    let parlor = quiet_parlor().await;
    let moderator = parlor.moderator().await;
    let csrf = moderator.csrf().await;
    let names = parlor.make(Given::Available).await;
    let paths: BTreeSet<&str> = TABLE.iter().map(|row| row.path).collect();
    for path in paths {
        let known: Vec<_> = TABLE.iter().filter(|row| row.path == path).collect();
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
            if known.iter().any(|row| row.method == method) {
                continue;
            }
            let request = moderator.request(method, &names.fill(path));
            let request = request.header("X-CSRF-Token", &csrf).form(NAME);
            let status = request.send().await.unwrap().status().as_u16();
            assert!(matches!(status, 404 | 405), "{method} {path}: {status}");
        }
    }
    parlor.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_without_an_account_is_told_so_in_json() {
    let parlor = quiet_parlor().await;
    let [anonymous, guest, _] = parlor.people().await;
    for row in TABLE {
        let names = parlor.make(row.given).await;
        for visitor in [&anonymous, &guest] {
            let is_closed = match row.anonymous {
                To(303, place) => place.starts_with("/sign-in"),
                Is(status) => status == 401,
                To(..) => false,
            };
            if !is_closed || row.json.is_some() {
                continue;
            }
            let request = visitor.request(row.method, &names.fill(row.path));
            let request = request.header("accept", "application/json");
            let request = match row.method {
                "GET" => request,
                _ => request
                    .header("X-CSRF-Token", visitor.csrf().await)
                    .form(row.form),
            };
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status().as_u16(), 401, "{}", row.path);
            let problem: Value = answer.json().await.unwrap();
            assert_eq!(problem["cause"], "This is for moderators.", "{}", row.path);
        }
    }
    parlor.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_link_opens_its_file_for_anybody_and_nothing_else() {
    let parlor = quiet_parlor().await;
    let [anonymous, _, moderator] = parlor.people().await;
    let names = parlor.make(Given::Available).await;
    let other = parlor.make(Given::Available).await;
    let answer = moderator.get(&names.fill("/download/{id}")).await;
    let link = answer.headers()["location"].to_str().unwrap().to_owned();

    let opened = anonymous.get(&link).await;
    assert_eq!(opened.status().as_u16(), 200);
    let disposition = opened.headers()["content-disposition"].to_str().unwrap();
    assert!(disposition.starts_with("attachment"), "{disposition}");
    assert_eq!(opened.bytes().await.unwrap(), "moving pictures");

    let (path, query) = link.split_once('?').unwrap();
    let forged = [
        format!("{}?{query}", other.fill("/archives/{id}/files/archive.mp4")),
        format!("{}?{query}", names.fill("/archives/{id}/files/poster.jpg")),
        link.replace("expires=", "expires=9"),
        format!("{path}?expires=1&sig="),
        format!("{path}?expires=1&sig=AAAA"),
        format!("{path}?expires=-9223372036854775808&sig=!"),
    ];
    for link in &forged {
        assert_eq!(anonymous.get(link).await.status().as_u16(), 404, "{link}");
    }
    parlor.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_browser_is_signed_in_at_two_servers_of_one_host() {
    let (one, two) = (Parlor::start().await, Parlor::start().await);
    let mut browser = one.moderator().await;
    let (name, password) = MODERATOR;
    two.moderator().await;
    browser.move_to(&two.base);
    let form = [("name", name), ("password", password)];
    assert_eq!(browser.post("/sign-in", &form).await.status().as_u16(), 303);
    for server in [&one, &two] {
        browser.move_to(&server.base);
        assert_eq!(browser.get("/history").await.status().as_u16(), 200);
    }
    one.server.stop().await;
    two.server.stop().await;
}
