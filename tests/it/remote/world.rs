//! Two servers: one for the media, one for the pages.

use std::{net::SocketAddr, path::PathBuf};

use parlor::{
    config::{Config, PlatformKind, Secret},
    opentok::OpenTok,
    server::Server,
};
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    client::{Part, Participant},
    people::{Moderator, Visitor, make_account, until},
};

pub const KEY: u32 = 61_000_001;
pub const SECRET: &str = "0123456789abcdef0123456789abcdef01234567";

/// A server that can be restarted with the same folder and address.
pub struct Tier {
    server: Option<Server>,
    config: Config,
    folder: TempDir,
    pub base: String,
}

impl Tier {
    /// Starts a server with a moderator on a free port and an empty data folder.
    pub async fn start(change: impl FnOnce(&mut Config)) -> Tier {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.network.listen = SocketAddr::from(([127, 0, 0, 1], 0));
        config.data.folder = folder.path().join("data");
        config.data.min_free_mib = 1;
        change(&mut config);
        let server = Server::start(config.clone()).await.unwrap();
        make_account(server.app().db()).await;
        config.network.listen = server.addr();
        Tier {
            base: format!("http://{}", server.addr()),
            server: Some(server),
            config,
            folder,
        }
    }

    pub fn server(&self) -> &Server {
        self.server.as_ref().unwrap()
    }

    pub async fn stop(&mut self) {
        self.server.take().unwrap().stop().await;
    }

    pub async fn start_again(&mut self, change: impl FnOnce(&mut Config)) {
        change(&mut self.config);
        // Another process may have taken the port.
        until(async || match Server::start(self.config.clone()).await {
            Ok(server) => {
                self.server = Some(server);
                true
            }
            Err(error) => {
                assert!(error.to_string().contains("is in use"), "{error:#}");
                false
            }
        })
        .await;
    }

    pub fn anonymous(&self) -> Visitor {
        Visitor::at(&self.base)
    }

    pub async fn moderator(&self) -> Moderator {
        Moderator::at(&self.base).await
    }

    /// The folder of the recordings.
    pub fn archives(&self) -> PathBuf {
        self.folder.path().join("data").join("archives")
    }
}

/// The pages, and the platform of their calls.
pub struct Pair {
    pub media: Tier,
    pub web: Tier,
}

impl Pair {
    pub async fn start() -> Pair {
        Pair::with(|_| {}).await
    }

    /// `change` adapts the configuration of the pages.
    pub async fn with(change: impl FnOnce(&mut Config)) -> Pair {
        let media = Tier::start(|config| {
            with_key(config);
            // The pages, which receive callbacks, have a private address.
            config.callbacks.callback_allow_private = true;
        })
        .await;
        let url = media.base.clone();
        let web = Tier::start(|config| {
            on_platform(config, &url);
            change(config);
        });
        Pair {
            web: web.await,
            media,
        }
    }

    /// Returns an SDK client of the media tier.
    pub fn sdk(&self) -> OpenTok {
        OpenTok::builder(KEY, SECRET)
            .api_url(&self.media.base)
            .build()
            .unwrap()
    }

    /// Joins through the page and sends audio and video.
    pub async fn publisher(&self, room: &str, name: &str) -> Participant {
        let pass = self.web.anonymous().pass(room, name).await;
        self.enter(pass).await
    }

    /// Joins a session of the media tier and sends media.
    pub async fn enter(&self, pass: Value) -> Participant {
        Participant::enter(&self.media.base, pass, Part::Publisher).await
    }

    pub async fn end(mut self) {
        self.web.stop().await;
        self.media.stop().await;
    }
}

/// Sets the key of the media tier to the one of these tests.
pub fn with_key(config: &mut Config) {
    config.keys.api_key = Some(KEY);
    config.keys.api_secret = Some(Secret::from(SECRET.to_owned()));
}

/// Configures the server at `url` as the platform.
pub fn on_platform(config: &mut Config, url: &str) {
    with_key(config);
    config.platform.kind = PlatformKind::Opentok;
    config.platform.opentok_api_url = url.to_owned();
}

/// Starts pages whose platform is at `url`, whether it exists or not.
pub async fn pages_on(url: &str) -> Tier {
    Tier::start(|config| on_platform(config, url)).await
}

/// Returns the status and sentence of an error page.
pub async fn problem(visitor: &Visitor, path: &str) -> (u16, String) {
    let answer = visitor.get(path).await;
    (answer.status().as_u16(), answer.text().await.unwrap())
}

/// Returns the participants of a room as a waiting page sees them.
pub async fn people(visitor: &Visitor, room: &str) -> Vec<Value> {
    let (status, told) = visitor.asks(&format!("/rooms/{room}/status")).await;
    assert_eq!(status, 200, "{told}");
    told["people"].as_array().unwrap().clone()
}

/// Waits until the client has sent media that can be watched.
pub async fn is_recorded(somebody: &mut Participant) {
    let before = somebody.sent().len();
    somebody.until(|diary| diary.sent.len() > before + 80).await;
}
