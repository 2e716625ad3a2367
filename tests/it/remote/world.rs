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

/// A server that can be stopped and started again on the same folder and at the same address.
pub struct Tier {
    server: Option<Server>,
    config: Config,
    folder: TempDir,
    pub base: String,
}

impl Tier {
    /// On a free port and with an empty data folder, with a moderator.
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
        // Its port may have been given to somebody else meanwhile.
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

/// The pages, and what their calls are on.
pub struct Pair {
    pub media: Tier,
    pub web: Tier,
}

impl Pair {
    pub async fn start() -> Pair {
        Pair::with(|_| {}).await
    }

    /// `change` sees the configuration of the pages.
    pub async fn with(change: impl FnOnce(&mut Config)) -> Pair {
        let media = Tier::start(|config| {
            with_key(config);
            // The pages are told here.
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

    /// The media tier, as a server of an application speaks to it.
    pub fn sdk(&self) -> OpenTok {
        OpenTok::builder(KEY, SECRET)
            .api_url(&self.media.base)
            .build()
            .unwrap()
    }

    /// Somebody who joins by the page and sends picture and sound.
    pub async fn publisher(&self, room: &str, name: &str) -> Participant {
        let pass = self.web.anonymous().pass(room, name).await;
        self.enter(pass).await
    }

    /// Enters a session of the media tier, and sends.
    pub async fn enter(&self, pass: Value) -> Participant {
        Participant::enter(&self.media.base, pass, Part::Publisher).await
    }

    pub async fn end(mut self) {
        self.web.stop().await;
        self.media.stop().await;
    }
}

/// The project of the media tier is the one that these tests know.
pub fn with_key(config: &mut Config) {
    config.keys.api_key = Some(KEY);
    config.keys.api_secret = Some(Secret::from(SECRET.to_owned()));
}

/// Calls are on the server at `url`.
pub fn on_platform(config: &mut Config, url: &str) {
    with_key(config);
    config.platform.kind = PlatformKind::Opentok;
    config.platform.opentok_api_url = url.to_owned();
}

/// Pages whose platform is at `url`, whatever is there.
pub async fn pages_on(url: &str) -> Tier {
    Tier::start(|config| on_platform(config, url)).await
}

/// What a page says when something cannot be done.
pub async fn problem(visitor: &Visitor, path: &str) -> (u16, String) {
    let answer = visitor.get(path).await;
    (answer.status().as_u16(), answer.text().await.unwrap())
}

/// Who is in a room, as pages that wait to join are told.
pub async fn people(visitor: &Visitor, room: &str) -> Vec<Value> {
    let (status, told) = visitor.asks(&format!("/rooms/{room}/status")).await;
    assert_eq!(status, 200, "{told}");
    told["people"].as_array().unwrap().clone()
}

/// Waits until something of somebody has been sent that can be watched.
pub async fn is_recorded(somebody: &mut Participant) {
    let before = somebody.sent().len();
    somebody.until(|diary| diary.sent.len() > before + 80).await;
}
