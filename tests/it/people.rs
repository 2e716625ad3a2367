//! A Parlor of its own for each test, and the people who come to it: real HTTP with a cookie jar, and
//! no redirect followed.

use std::{net::SocketAddr, ops::Deref, path::Path, time::Duration};

use parlor::{archive::ArchiveId, clock, config::Config, moderator, server::Server};
use reqwest::{Client, RequestBuilder, Response, StatusCode, redirect::Policy};
use serde_json::Value;
use sqlx::SqlitePool;
use tempfile::{NamedTempFile, TempDir};
use tokio::{net::TcpSocket, time::timeout};

/// Name and password of the moderator of every test.
pub const MODERATOR: (&str, &str) = ("Moni", "correct horse battery");

/// Longer than anything takes; whoever waits so long waits in vain.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A running server in this process.
pub struct Parlor {
    pub server: Server,
    pub base: String,
    _data: TempDir,
}

impl Parlor {
    pub async fn start() -> Parlor {
        Parlor::with(|_| {}).await
    }

    /// On a free port and with an empty data folder; `change` sees the configuration before it starts.
    pub async fn with(change: impl FnOnce(&mut Config)) -> Parlor {
        let data = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.network.listen = SocketAddr::from(([127, 0, 0, 1], 0));
        config.data.folder = data.path().join("data");
        config.data.min_free_mib = 1;
        change(&mut config);
        let server = Server::start(config).await.unwrap();
        Parlor {
            base: format!("http://{}", server.addr()),
            server,
            _data: data,
        }
    }

    pub fn anonymous(&self) -> Anonymous {
        Anonymous(Visitor::at(&self.base))
    }

    pub async fn guest(&self, name: &'static str) -> Guest {
        Guest::at(&self.base, name).await
    }

    pub async fn moderator(&self) -> Moderator {
        let db = self.server.app().db();
        // A new password would sign out whoever is signed in.
        if moderator::list(db).await.unwrap().is_empty() {
            make_account(db).await;
        }
        Moderator::at(&self.base).await
    }
}

/// Makes the account of [`MODERATOR`].
pub async fn make_account(db: &SqlitePool) {
    let (name, password) = MODERATOR;
    moderator::put(db, name, password, clock::now_ms())
        .await
        .unwrap();
}

/// A browser.
#[derive(Clone)]
pub struct Visitor {
    base: String,
    client: Client,
}

impl Visitor {
    pub fn at(base: &str) -> Visitor {
        let client = Client::builder()
            .cookie_store(true)
            // The server may close a connection just when it is used again.
            .pool_max_idle_per_host(0)
            .redirect(Policy::none())
            .timeout(PATIENCE)
            .build()
            .unwrap();
        Visitor {
            base: base.to_owned(),
            client,
        }
    }

    /// Goes on with its cookies after the server has moved.
    pub fn move_to(&mut self, base: &str) {
        base.clone_into(&mut self.base);
    }

    pub fn base(&self) -> &str {
        &self.base
    }

    pub fn request(&self, method: &str, path: &str) -> RequestBuilder {
        let method = method.parse().unwrap();
        self.client.request(method, format!("{}{path}", self.base))
    }

    pub async fn get(&self, path: &str) -> Response {
        self.request("GET", path).send().await.unwrap()
    }

    /// A page that is there.
    pub async fn page(&self, path: &str) -> String {
        let answer = self.get(path).await;
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        answer.text().await.unwrap()
    }

    /// The CSRF token, as it stands in the forms of pages.
    pub async fn csrf(&self) -> String {
        let sign_in = self.get("/sign-in").await;
        let page = match sign_in.status() {
            StatusCode::OK => sign_in.text().await.unwrap(),
            _ => self.page("/").await,
        };
        between(&page, r#"name="csrf" value=""#, '"').to_owned()
    }

    /// Sends a form as a page does.
    pub async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Response {
        let csrf = self.csrf().await;
        self.post_with(path, fields, Some(&csrf)).await
    }

    /// Sends a form with a CSRF token of the caller's choice.
    pub async fn post_with(
        &self,
        path: &str,
        fields: &[(&str, &str)],
        csrf: Option<&str>,
    ) -> Response {
        let mut form = fields.to_vec();
        form.extend(csrf.map(|csrf| ("csrf", csrf)));
        let request = self.request("POST", path).form(&form);
        request.send().await.unwrap()
    }

    /// Sends a form as a script does.
    pub async fn ask(&self, path: &str, fields: &[(&str, &str)]) -> (u16, Value) {
        let csrf = self.csrf().await;
        let request = self.request("POST", path).header("X-CSRF-Token", csrf);
        let answer = request.form(fields).send().await.unwrap();
        let status = answer.status().as_u16();
        (status, answer.json().await.unwrap_or_default())
    }

    /// What a room's join form gives: `sessionId` and `token` among others.
    pub async fn pass(&self, room: &str, name: &str) -> Value {
        let (status, pass) = self
            .ask(&format!("/rooms/{room}/join"), &[("name", name)])
            .await;
        assert_eq!(status, 200, "{pass}");
        pass
    }
}

/// Somebody of whom nothing is known.
pub struct Anonymous(Visitor);

/// Somebody who has joined a room under a name.
pub struct Guest(Visitor);

/// Somebody who is signed in.
#[derive(Clone)]
pub struct Moderator(Visitor);

impl Guest {
    pub async fn at(base: &str, name: &str) -> Guest {
        let visitor = Visitor::at(base);
        visitor.pass("main", name).await;
        Guest(visitor)
    }
}

impl Moderator {
    /// Signs in by the form. The account must be there.
    pub async fn at(base: &str) -> Moderator {
        let visitor = Visitor::at(base);
        let (name, password) = MODERATOR;
        let form = [("name", name), ("password", password)];
        let answer = visitor.post("/sign-in", &form).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        Moderator(visitor)
    }

    pub fn move_to(&mut self, base: &str) {
        self.0.move_to(base);
    }

    pub async fn starts_archive(&self, room: &str) -> ArchiveId {
        let (status, started) = self.ask("/archives", &[("room", room)]).await;
        assert_eq!(status, 201, "{started}");
        ArchiveId::parse(started["id"].as_str().unwrap()).unwrap()
    }

    pub async fn stops_archive(&self, id: ArchiveId) {
        let (status, stopped) = self.ask(&format!("/archives/{id}/stop"), &[]).await;
        assert_eq!(status, 200, "{stopped}");
    }

    /// The archive's page as soon as it is as wished; looked at again with each news of the archives.
    pub async fn sees(&self, id: ArchiveId, wished: impl Fn(&str) -> bool) -> String {
        let mut page = String::new();
        // Composing has the lowest priority: on a busy machine it takes its time.
        let seen = timeout(5 * PATIENCE, async {
            let news = self.request("GET", "/archives/events");
            let mut news = news.timeout(6 * PATIENCE).send().await.unwrap();
            assert_eq!(news.status(), StatusCode::OK);
            loop {
                page = self.page(&format!("/archives/{id}")).await;
                if wished(&page) {
                    break;
                }
                let more = news.chunk().await.unwrap();
                assert!(more.is_some(), "the news end: {page}");
            }
        });
        if seen.await.is_err() {
            panic!("waited in vain for archive {id}: {page}");
        }
        page
    }

    /// The streams of an archive's page, as its script gets them.
    pub async fn streams(&self, id: ArchiveId) -> Vec<Value> {
        let page = self.page(&format!("/archives/{id}")).await;
        let boot = between(&page, r#"<script type="application/json" id="boot""#, '<');
        let (_, json) = boot.split_once('>').unwrap();
        let boot: Value = serde_json::from_str(json).unwrap();
        boot["streams"].as_array().unwrap().clone()
    }

    /// Saves what an address gives into a file.
    pub async fn saves(&self, path: &str, file: &Path) {
        let answer = self.get(path).await;
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        let bytes = answer.bytes().await.unwrap();
        std::fs::write(file, bytes).unwrap();
    }

    /// The only stream of an archive, in a file of its own.
    pub async fn saves_the_stream(&self, id: ArchiveId) -> NamedTempFile {
        let file = tempfile::Builder::new().suffix(".webm").tempfile().unwrap();
        let streams = self.streams(id).await;
        assert_eq!(streams.len(), 1);
        self.saves(streams[0]["url"].as_str().unwrap(), file.path())
            .await;
        file
    }

    /// Saves the file that the download button gives.
    pub async fn downloads(&self, id: ArchiveId, file: &Path) {
        let answer = self.get(&format!("/download/{id}")).await;
        assert_eq!(answer.status(), StatusCode::FOUND);
        let link = answer.headers()["location"].to_str().unwrap();
        self.saves(link, file).await;
    }
}

/// Whether an archive's page has a player.
pub fn is_playable(page: &str) -> bool {
    page.contains(r#"data-playable="true""#)
}

/// Whether an archive's page offers the composed file.
pub fn is_available(page: &str) -> bool {
    page.contains(r#"data-status="available""#)
}

/// Waits for what nobody tells: it is looked at again and again.
pub async fn until(mut is_so: impl AsyncFnMut() -> bool) {
    let waits = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, waits).await.expect("it is so at last");
}

/// A port where nobody listens, and that nobody else is given as long as this is kept.
pub fn nobodys_port() -> (TcpSocket, SocketAddr) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

/// The text after `start`, up to `end`.
pub fn between<'a>(text: &'a str, start: &str, end: char) -> &'a str {
    let (_, rest) = text
        .split_once(start)
        .unwrap_or_else(|| panic!("no {start} in {text}"));
    rest.split_once(end).unwrap().0
}

macro_rules! is_a_visitor {
    ($($who:ty),+) => {
        $(impl Deref for $who {
            type Target = Visitor;

            fn deref(&self) -> &Visitor {
                &self.0
            }
        })+
    };
}

is_a_visitor!(Anonymous, Guest, Moderator);
