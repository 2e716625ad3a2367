//! The pages through a real socket, with a platform that only remembers.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use actix_web::{App as ActixApp, HttpServer, web::Data};
use async_trait::async_trait;
use reqwest::{Client, Response, StatusCode, redirect::Policy};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::watch;

use crate::{
    app::App,
    archive::{
        Archive, ArchiveId, Archives, NewArchive, Reason, Settings,
        composer::{ComposeError, ComposeJob, Composed, Composer, PackJob},
    },
    buddies::Buddies,
    clock::now_ms,
    config::Config,
    data::DataFolder,
    moderator::{self, SignInGuard},
    opentok::{Role, SessionId},
    platform::{
        LocalPresence, Platform, PlatformError, PlatformInfo, Recording, Rooms, Signal,
        StartArchive,
    },
    project::{self, SessionRecord},
    session::{ConnectionId, Observer},
};

const PASSWORD: &str = "correct horse";

/// Remembers what it was asked, and plays no media.
struct Remembering {
    data: DataFolder,
    info: PlatformInfo,
    archives: Archives,
    /// Connection data of who is in which session.
    people: Mutex<HashMap<SessionId, Vec<String>>>,
}

#[async_trait]
impl Platform for Remembering {
    fn info(&self) -> &PlatformInfo {
        &self.info
    }

    async fn connections(&self, session: &SessionId) -> Result<Vec<ConnectionId>, PlatformError> {
        let people = self.participants(session).await?;
        Ok(people.iter().map(|_| ConnectionId::random()).collect())
    }

    async fn create_session(&self) -> Result<SessionId, PlatformError> {
        let id = SessionId::generate(self.info.api_key, "", now_ms());
        let record = SessionRecord::routed(id, self.info.api_key);
        project::add_session(&self.data.db, &record, now_ms())
            .await
            .map_err(anyhow::Error::from)?;
        Ok(record.id)
    }

    async fn create_chat_session(&self) -> Result<SessionId, PlatformError> {
        self.create_session().await
    }

    async fn route(&self, _: &SessionId) -> Result<(), PlatformError> {
        Ok(())
    }

    async fn close_session(&self, _: &SessionId) -> Result<(), PlatformError> {
        Ok(())
    }

    async fn token(&self, _: &SessionId, role: Role, data: &str) -> Result<String, PlatformError> {
        Ok(format!("{role} {data}"))
    }

    async fn participants(&self, session: &SessionId) -> Result<Vec<String>, PlatformError> {
        let people = self.people.lock().unwrap();
        Ok(people.get(session).cloned().unwrap_or_default())
    }

    async fn recording(&self, session: &SessionId) -> Result<Option<Recording>, PlatformError> {
        let running = self.archives.running_in(session).await;
        let running = running.map_err(anyhow::Error::from)?;
        Ok(running.first().map(|archive| Recording {
            id: archive.id,
            started_at_ms: archive.created_at_ms,
        }))
    }

    async fn start_archive(
        &self,
        session: &SessionId,
        options: StartArchive,
    ) -> Result<ArchiveId, PlatformError> {
        let new = NewArchive {
            name: options.name,
            room: options.room,
            started_by: options.started_by,
            ..NewArchive::of(self.info.api_key, session.clone())
        };
        let started = self.archives.start(new).await;
        let started = started.map_err(|error| PlatformError::Conflict(error.to_string()))?;
        Ok(started.id)
    }

    async fn stop_archive(&self, id: ArchiveId) -> Result<(), PlatformError> {
        let stopped = self.archives.stop(id, Reason::UserInitiated).await;
        stopped.map_err(|error| PlatformError::Conflict(error.to_string()))?;
        Ok(())
    }

    async fn delete_archive(&self, id: ArchiveId) -> Result<(), PlatformError> {
        let deleted = self.archives.delete(id).await;
        deleted.map_err(|error| PlatformError::Conflict(error.to_string()))?;
        Ok(())
    }

    async fn remote_file_url(&self, _: &Archive) -> Result<String, PlatformError> {
        Err(PlatformError::NotFound("archive"))
    }
}

#[async_trait]
impl LocalPresence for Remembering {
    async fn create_presence_session(&self) -> Result<SessionId, PlatformError> {
        self.create_session().await
    }

    fn presence_token(&self, _: &SessionId, data: &str) -> String {
        format!("{} {data}", Role::Subscriber)
    }

    fn observe(&self, _: Arc<dyn Observer>) {}

    fn signal(&self, _: &SessionId, _: Signal) -> Result<(), PlatformError> {
        Err(PlatformError::NotFound("connection"))
    }

    fn show(&self, _: &SessionId, _: ConnectionId, _: bool) {}

    fn alias(&self, _: &SessionId, _: &SessionId) {}
}

/// Composes nothing.
struct NoComposer;

#[async_trait]
impl Composer for NoComposer {
    async fn compose(
        &self,
        _: &ComposeJob,
        _: &watch::Sender<u8>,
    ) -> Result<Composed, ComposeError> {
        Err(ComposeError::ToolMissing {
            program: "ffmpeg".to_owned(),
        })
    }

    async fn pack(&self, _: &PackJob, _: &watch::Sender<u8>) -> Result<Composed, ComposeError> {
        Err(ComposeError::Failed("nobody packs here".to_owned()))
    }
}

/// The pages on a port of their own.
struct Site {
    url: String,
    app: Data<App>,
    platform: Arc<Remembering>,
    _folder: TempDir,
}

impl Site {
    async fn start() -> Site {
        let folder = tempfile::tempdir().unwrap();
        let data = DataFolder::open(folder.path(), false).await.unwrap();
        let project = project::of_pages(&data.db, None, 1).await.unwrap();
        let settings = Settings::new(data.archives(), now_ms);
        let archives = Archives::new(data.db.clone(), Arc::new(NoComposer), settings);
        let platform = Arc::new(Remembering {
            data: data.clone(),
            info: PlatformInfo {
                api_key: project.api_key,
                ..PlatformInfo::default()
            },
            archives: archives.clone(),
            people: Mutex::default(),
        });
        let key = data.cookie_key().unwrap();
        let buddies = Buddies::open(
            platform.clone(),
            platform.clone(),
            data.db.clone(),
            project.api_key,
        );
        let app = Data::new(App {
            config: Config::default(),
            project,
            rooms: Rooms::new(data.db.clone(), platform.clone()),
            platform: platform.clone(),
            archives,
            buddies: buddies.await.unwrap(),
            data,
            engine_metrics: Arc::new(Vec::new),
            sign_ins: SignInGuard::default(),
        });
        let shared = app.clone();
        let server = HttpServer::new(move || {
            ActixApp::new()
                .app_data(shared.clone())
                .service(super::pages(&key, false))
        })
        .workers(1)
        .bind(("127.0.0.1", 0))
        .unwrap();
        let url = format!("http://{}", server.addrs()[0]);
        tokio::spawn(server.run());
        Site {
            url,
            app,
            platform,
            _folder: folder,
        }
    }

    fn somebody(&self) -> Visitor {
        Visitor {
            url: self.url.clone(),
            client: Client::builder()
                .cookie_store(true)
                .redirect(Policy::none())
                .build()
                .unwrap(),
        }
    }

    async fn moderator(&self) -> Visitor {
        moderator::put(self.app.db(), "ada", PASSWORD, 1)
            .await
            .unwrap();
        let visitor = self.somebody();
        let answer = visitor
            .post("/sign-in", &[("name", "ada"), ("password", PASSWORD)])
            .await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        visitor
    }
}

/// A browser that follows no redirects.
struct Visitor {
    url: String,
    client: Client,
}

impl Visitor {
    async fn get(&self, path: &str) -> Response {
        let request = self.client.get(format!("{}{path}", self.url));
        request.send().await.unwrap()
    }

    /// The CSRF token of this visitor, from a page's form.
    async fn csrf(&self) -> String {
        let page = self.get("/sign-in?back=/").await;
        let page = if page.status() == StatusCode::SEE_OTHER {
            self.get("/").await
        } else {
            page
        };
        let text = page.text().await.unwrap();
        let (_, rest) = text.split_once(r#"name="csrf" value=""#).unwrap();
        rest.split_once('"').unwrap().0.to_owned()
    }

    /// Sends a form as a page does.
    async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Response {
        let csrf = self.csrf().await;
        let mut form = vec![("csrf", csrf.as_str())];
        form.extend(fields);
        let request = self.client.post(format!("{}{path}", self.url)).form(&form);
        request.send().await.unwrap()
    }

    /// Sends a form as a script does.
    async fn ask(&self, path: &str, fields: &[(&str, &str)]) -> (StatusCode, Value) {
        let csrf = self.csrf().await;
        let request = self.client.post(format!("{}{path}", self.url));
        let request = request.header("X-CSRF-Token", csrf).form(fields);
        let answer = request.send().await.unwrap();
        (answer.status(), answer.json().await.unwrap_or_default())
    }
}

fn location(answer: &Response) -> &str {
    answer.headers()["location"].to_str().unwrap()
}

#[actix_web::test]
async fn a_guest_gets_a_publishers_token_and_never_a_moderators() {
    let site = Site::start().await;
    let guest = site.somebody();

    let (status, pass) = guest.ask("/rooms/main/join", &[("name", "Bob")]).await;

    assert_eq!(status, StatusCode::OK);
    assert_eq!(pass["token"], r#"publisher {"name":"Bob"}"#);
    assert_eq!(pass["apiKey"], site.app.project.api_key.to_string());
    assert_eq!(pass["status"], json!({ "people": [], "recording": null }));
    let (status, problem) = guest.ask("/rooms/main/host/join", &[("name", "Bob")]).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert_eq!(problem["cause"], "This is for moderators.");
}

#[actix_web::test]
async fn every_door_has_the_same_rule_for_names() {
    let site = Site::start().await;
    let guest = site.somebody();
    let (_, joined) = guest
        .ask("/rooms/main/join", &[("name", " Jose\u{301}\u{200b}")])
        .await;
    assert_eq!(joined["token"], r#"publisher {"name":"José"}"#);
    for (name, cause) in [
        ("\u{200b}", "Enter a name."),
        (
            "Ann\u{202e}",
            "Remove the special characters from the name.",
        ),
        (&"x".repeat(61), "Use at most 60 characters for a name."),
    ] {
        let (status, problem) = guest.ask("/rooms/main/join", &[("name", name)]).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert_eq!(problem["cause"], cause);

        let users = guest.client.post(format!("{}/users", site.url));
        let answer = users.json(&json!({ "name": name })).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
        assert_eq!(answer.json::<Value>().await.unwrap()["cause"], cause);

        let link = moderator::make_link(site.app.db(), now_ms()).await.unwrap();
        let form = [("name", name), ("password", PASSWORD), ("link", &link)];
        let answer = guest.post("/sign-in", &form).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
        assert!(answer.text().await.unwrap().contains(cause));
    }
}

#[actix_web::test]
async fn half_an_emoji_in_a_name_becomes_the_replacement_character() {
    let site = Site::start().await;
    let guest = site.somebody();
    let users = guest.client.post(format!("{}/users", site.url));
    let users = users.header("Content-Type", "application/json");
    let answer = users.body(r#"{"name":"Ann \ud83d"}"#).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let entered = answer.json::<Value>().await.unwrap();
    let token = entered["token"].as_str().unwrap();
    assert!(token.contains("Ann \u{fffd}"), "{token}");
}

#[actix_web::test]
async fn a_host_gets_a_moderators_token() {
    let site = Site::start().await;
    let host = site.moderator().await;
    let (status, pass) = host.ask("/rooms/main/host/join", &[("name", "Ada")]).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(pass["token"], r#"moderator {"host":true,"name":"Ada"}"#);
    let (_, pass) = host.ask("/rooms/main/join", &[("name", "Ada")]).await;
    assert_eq!(pass["token"], r#"publisher {"name":"Ada"}"#);
}

#[actix_web::test]
async fn nothing_changes_without_the_visitors_own_token() {
    let site = Site::start().await;
    let host = site.moderator().await;
    let other = site.somebody().csrf().await;
    for csrf in ["", "guessed", &other] {
        for path in [
            "/rooms",
            "/rooms/main/rename",
            "/rooms/main/delete",
            "/rooms/main/join",
            "/rooms/main/host/join",
            "/archives",
            "/sign-in",
            "/sign-out",
        ] {
            let form = [
                ("csrf", csrf),
                ("name", "x"),
                ("room", "main"),
                ("password", "x"),
            ];
            let request = host.client.post(format!("{}{path}", site.url)).form(&form);
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{path}");
        }
    }
}

#[actix_web::test]
async fn what_a_browser_says_of_its_page_counts_as_much_as_a_token() {
    let site = Site::start().await;
    // Two first pages at once: the cookie is the second one's, the form the first one's.
    let guest = site.somebody();
    let stale = site.somebody().csrf().await;
    guest.csrf().await;
    for (from, status) in [
        ("same-origin", StatusCode::OK),
        ("same-site", StatusCode::FORBIDDEN),
        ("cross-site", StatusCode::FORBIDDEN),
        ("none", StatusCode::FORBIDDEN),
    ] {
        let request = guest.client.post(format!("{}/rooms/main/join", site.url));
        let request = request
            .header("X-CSRF-Token", &stale)
            .header("Sec-Fetch-Site", from);
        let answer = request.form(&[("name", "Bob")]).send().await.unwrap();
        assert_eq!(answer.status(), status, "{from}");
    }
}

#[actix_web::test]
async fn pages_of_moderators_send_others_to_sign_in_and_bring_them_back() {
    let site = Site::start().await;
    let guest = site.somebody();
    for path in ["/host", "/rooms/main/host", "/history?page=1"] {
        let answer = guest.get(path).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{path}");
        assert!(location(&answer).starts_with("/sign-in?back=%2F"), "{path}");
    }
    moderator::put(site.app.db(), "ada", PASSWORD, 1)
        .await
        .unwrap();
    let form = [
        ("name", "ada"),
        ("password", PASSWORD),
        ("back", "/history?page=1"),
    ];
    let answer = guest.post("/sign-in", &form).await;
    assert_eq!(location(&answer), "/history?page=1");
    assert_eq!(guest.get("/history?page=1").await.status(), StatusCode::OK);
}

#[actix_web::test]
async fn a_new_password_signs_out_everywhere() {
    let site = Site::start().await;
    let host = site.moderator().await;
    assert_eq!(host.get("/host").await.status(), StatusCode::OK);
    moderator::put(site.app.db(), "ada", "another horse", 2)
        .await
        .unwrap();
    assert_eq!(host.get("/host").await.status(), StatusCode::SEE_OTHER);
}

#[actix_web::test]
async fn wrong_passwords_are_counted() {
    let site = Site::start().await;
    moderator::put(site.app.db(), "ada", PASSWORD, 1)
        .await
        .unwrap();
    let guest = site.somebody();
    let wrong = [("name", "ada"), ("password", "wrong horse")];
    for _ in 0..8 {
        let answer = guest.post("/sign-in", &wrong).await;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    }
    let right = [("name", "ada"), ("password", PASSWORD)];
    let answer = guest.post("/sign-in", &right).await;
    assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
}

#[actix_web::test]
async fn guessers_do_not_shut_out_a_device_that_has_signed_in_before() {
    let site = Site::start().await;
    let host = site.moderator().await;
    host.post("/sign-out", &[]).await;
    assert_eq!(host.get("/host").await.status(), StatusCode::SEE_OTHER);
    let guesser = site.somebody();
    let wrong = [("name", "ada"), ("password", "wrong horse")];
    while guesser.post("/sign-in", &wrong).await.status() != StatusCode::TOO_MANY_REQUESTS {}

    let right = [("name", "ada"), ("password", PASSWORD)];
    let answer = host.post("/sign-in", &right).await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    let answer = site.somebody().post("/sign-in", &right).await;
    assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
    // The remedy that the page names.
    moderator::put(site.app.db(), "ada", "another horse", 2)
        .await
        .unwrap();
    let renewed = [("name", "ada"), ("password", "another horse")];
    let answer = site.somebody().post("/sign-in", &renewed).await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
}

#[actix_web::test]
async fn the_first_moderator_comes_by_a_link() {
    let site = Site::start().await;
    let link = moderator::make_link(site.app.db(), now_ms()).await.unwrap();
    let first = site.somebody();
    let page = first
        .get(&format!("/sign-in?link={link}"))
        .await
        .text()
        .await
        .unwrap();
    assert!(page.contains("Create your account"));
    let form = [
        ("name", "ada"),
        ("password", PASSWORD),
        ("link", link.as_str()),
    ];
    assert_eq!(location(&first.post("/sign-in", &form).await), "/");
    assert_eq!(first.get("/host").await.status(), StatusCode::OK);

    let second = site.somebody();
    let answer = second.post("/sign-in", &form).await;
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
}

#[actix_web::test]
async fn rooms_are_made_renamed_and_deleted_when_empty() {
    let site = Site::start().await;
    let host = site.moderator().await;
    let made = host.post("/rooms", &[("name", "Weekly review")]).await;
    assert_eq!(made.status(), StatusCode::SEE_OTHER);
    let guest = site.somebody();
    assert_eq!(
        guest.get("/rooms/weekly-review").await.status(),
        StatusCode::OK
    );

    host.post("/rooms/weekly-review/rename", &[("name", "Retro")])
        .await;
    let page = guest
        .get("/rooms/weekly-review")
        .await
        .text()
        .await
        .unwrap();
    assert!(page.contains("<h1>Retro</h1>"));

    let slug = crate::room::Slug::parse("weekly-review").unwrap();
    let room = crate::room::find(site.app.db(), &slug)
        .await
        .unwrap()
        .unwrap();
    let people = vec![r#"{"name":"Bob"}"#.to_owned()];
    site.platform
        .people
        .lock()
        .unwrap()
        .insert(room.session.clone(), people);
    let page = guest
        .get("/rooms/weekly-review")
        .await
        .text()
        .await
        .unwrap();
    assert!(page.contains("Bob is here."));
    let refused = host.post("/rooms/weekly-review/delete", &[]).await;
    assert_eq!(refused.status(), StatusCode::CONFLICT);

    site.platform.people.lock().unwrap().clear();
    assert_eq!(
        host.post("/rooms/weekly-review/delete", &[]).await.status(),
        StatusCode::SEE_OTHER
    );
    assert_eq!(
        guest.get("/rooms/weekly-review").await.status(),
        StatusCode::NOT_FOUND
    );
    assert_eq!(
        host.post("/rooms/main/delete", &[]).await.status(),
        StatusCode::CONFLICT
    );
}

#[actix_web::test]
async fn an_archive_is_started_once_stopped_and_shown() {
    let site = Site::start().await;
    let host = site.moderator().await;

    let (status, started) = host.ask("/archives", &[("room", "main")]).await;
    assert_eq!(status, StatusCode::CREATED);
    let id = started["id"].as_str().unwrap();
    let (status, problem) = host.ask("/archives", &[("room", "main")]).await;
    assert_eq!(status, StatusCode::CONFLICT, "{problem}");
    let prejoin = site
        .somebody()
        .get("/participant")
        .await
        .text()
        .await
        .unwrap();
    assert!(
        prejoin.contains(r#"id="prejoin-rec" role="status"><"#),
        "{prejoin}"
    );

    let (status, _) = host.ask(&format!("/archives/{id}/stop"), &[]).await;
    assert_eq!(status, StatusCode::OK);
    let (status, _) = host.ask(&format!("/archives/{id}/stop"), &[]).await;
    assert_eq!(status, StatusCode::CONFLICT);
    let page = host.get("/history").await.text().await.unwrap();
    assert!(page.contains(id) && page.contains("Finishing"), "{page}");
    assert_eq!(
        host.get(&format!("/archives/{id}")).await.status(),
        StatusCode::OK
    );
    assert_eq!(
        host.get(&format!("/download/{id}")).await.status(),
        StatusCode::CONFLICT
    );

    let deleted = host.post(&format!("/archives/{id}/delete"), &[]).await;
    assert_eq!(location(&deleted), "/history");
    assert_eq!(
        host.get(&format!("/archives/{id}")).await.status(),
        StatusCode::NOT_FOUND
    );
}

#[actix_web::test]
async fn an_open_history_hears_of_changes() {
    let site = Site::start().await;
    let host = site.moderator().await;
    let mut news = host.get("/archives/events").await;
    assert_eq!(news.headers()["content-type"], "text/event-stream");

    let (_, started) = host.ask("/archives", &[("room", "main")]).await;

    let chunk = news.chunk().await.unwrap().unwrap();
    let text = String::from_utf8(chunk.to_vec()).unwrap();
    assert!(text.starts_with("event: archive\ndata: {"), "{text}");
    assert!(text.contains(started["id"].as_str().unwrap()), "{text}");

    site.app.archives.close().await;

    let end = news.chunk().await.unwrap();
    assert_eq!(
        end, None,
        "an open page does not keep the server from stopping"
    );
}

#[actix_web::test]
async fn a_history_without_archives_says_how_to_make_one() {
    let site = Site::start().await;
    let host = site.moderator().await;
    let page = host.get("/history").await.text().await.unwrap();
    assert!(page.contains("There are no archives currently. Try making one in the"));
    for path in [
        "/history?page=0",
        "/history?page=2",
        "/nowhere",
        "/rooms/nowhere",
    ] {
        assert_eq!(
            host.get(path).await.status(),
            StatusCode::NOT_FOUND,
            "{path}"
        );
    }
}

#[actix_web::test]
async fn an_address_with_a_bad_value_is_answered_in_the_pages_way() {
    let site = Site::start().await;
    let host = site.moderator().await;
    for path in [
        "/history?page=abc",
        "/history?q=x&from=1.5",
        "/history?page=1&page=2",
    ] {
        let answer = host.get(path).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{path}");
        let page = answer.text().await.unwrap();
        assert!(page.contains("Part of the address is not valid"), "{page}");
        assert!(page.contains("Back to home"), "{page}");
    }
    let users = host.client.post(format!("{}/users", site.url));
    users.json(&json!({ "name": "Ann" })).send().await.unwrap();
    let answer = host.get("/buddies/roster?offset=-1").await;
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    let problem = answer.json::<Value>().await.unwrap();
    assert!(
        problem["message"]
            .as_str()
            .unwrap()
            .starts_with("part of the address")
    );
}

#[actix_web::test]
async fn a_sign_in_link_never_leads_to_another_site() {
    let site = Site::start().await;
    let host = site.moderator().await;
    for (back, location_of) in [
        ("%2F%09%2Fevil.example", "/"),
        ("%2F%5Cevil.example", "/"),
        ("%2Frooms%2F%01x", "/rooms/%01x"),
        ("%2Fhistory%3Fpage%3D2", "/history?page=2"),
    ] {
        let answer = host.get(&format!("/sign-in?back={back}")).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{back}");
        assert_eq!(location(&answer), location_of, "{back}");
    }
}

#[actix_web::test]
async fn files_need_a_cookie_or_a_link_and_come_in_ranges() {
    let site = Site::start().await;
    let host = site.moderator().await;
    let (_, started) = host.ask("/archives", &[("room", "main")]).await;
    let id = ArchiveId::parse(started["id"].as_str().unwrap()).unwrap();
    let folder = crate::archive::download::folder(&site.app.data.archives(), id);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("archive.mp4"), b"0123456789").unwrap();
    let path = format!("/archives/{id}/files/archive.mp4");

    let guest = site.somebody();
    assert_eq!(guest.get(&path).await.status(), StatusCode::SEE_OTHER);
    assert_eq!(
        guest.get(&format!("{path}?expires=1&sig=x")).await.status(),
        StatusCode::NOT_FOUND
    );
    let asset = crate::archive::download::Asset::Composed;
    let link = super::archive::signed_link(&site.app, id, asset);
    let answer = guest.get(&link).await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()["content-type"], "video/mp4");
    let name = answer.headers()["content-disposition"]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(
        name.starts_with(r#"attachment; filename="main-room_"#),
        "{name}"
    );

    let request = host.client.get(format!("{}{path}", site.url));
    let part = request.header("Range", "bytes=2-4").send().await.unwrap();
    assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(part.headers()["content-range"], "bytes 2-4/10");
    assert_eq!(part.text().await.unwrap(), "234");
}

#[actix_web::test]
async fn pages_allow_no_inline_script_and_have_none() {
    let site = Site::start().await;
    let host = site.moderator().await;
    for path in [
        "/",
        "/host",
        "/participant",
        "/hello",
        "/history",
        "/nowhere",
    ] {
        let answer = host.get(path).await;
        let policy = answer.headers()["content-security-policy"]
            .to_str()
            .unwrap()
            .to_owned();
        assert!(!policy.contains("unsafe"), "{policy}");
        let page = answer.text().await.unwrap();
        assert!(
            !page.contains("style=") && !page.contains(" onclick"),
            "{path}"
        );
        for script in page.split("<script").skip(1) {
            let is_outside = script.trim_start().starts_with("src=")
                || script.starts_with(" type=\"module\" src=")
                || script.starts_with(" type=\"application/json\"");
            assert!(is_outside, "{path}: {script}");
        }
    }
}

#[actix_web::test]
async fn static_files_are_asked_for_again_and_not_sent_again() {
    let site = Site::start().await;
    let guest = site.somebody();
    let answer = guest.get("/static/css/theme.css").await;
    assert_eq!(answer.headers()["content-type"], "text/css; charset=utf-8");
    let tag = answer.headers()["etag"].clone();
    let request = guest
        .client
        .get(format!("{}/static/css/theme.css", site.url));
    let again = request.header("If-None-Match", tag).send().await.unwrap();
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    assert_eq!(
        guest.get("/static/../Cargo.toml").await.status(),
        StatusCode::NOT_FOUND
    );
    let library = guest.get("/v2/js/opentok.js").await;
    assert_eq!(library.headers()["access-control-allow-origin"], "*");
}
