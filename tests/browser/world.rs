//! A Parlor of its own for each test, and the people who use it.

use std::net::SocketAddr;

use parlor::{clock, config::Config, moderator, server::Server};
use tempfile::TempDir;

use crate::chromium::{Chromium, Tab};

/// Name and password of the moderator of every test.
pub const MODERATOR: (&str, &str) = ("Moni", "correct horse battery");

/// A running server with one moderator.
pub struct World {
    pub server: Server,
    pub base: String,
    pub data: TempDir,
}

impl World {
    pub async fn start() -> World {
        World::with(Config::default()).await
    }

    /// As `config` says, on a free port and with an empty data folder.
    pub async fn with(mut config: Config) -> World {
        let data = tempfile::tempdir().unwrap();
        config.network.listen = SocketAddr::from(([127, 0, 0, 1], 0));
        config.data.folder = data.path().join("data");
        config.data.min_free_mib = config.data.min_free_mib.min(16);
        let server = Server::start(config).await.unwrap();
        let (name, password) = MODERATOR;
        moderator::put(server.app().db(), name, password, clock::now_ms())
            .await
            .unwrap();
        World {
            base: format!("http://{}", server.addr()),
            server,
            data,
        }
    }

    /// A moderator's tab, signed in by the form.
    pub async fn moderator(&self, chromium: &Chromium) -> Tab {
        let tab = chromium.somebody().await;
        self.sign_in(&tab).await;
        tab
    }

    pub async fn sign_in(&self, tab: &Tab) {
        tab.goto(&format!("{}/sign-in", self.base)).await;
        tab.types("[name=name]", MODERATOR.0).await;
        tab.types("[name=password]", MODERATOR.1).await;
        tab.click("main form button").await;
        tab.until("location.pathname == '/' && document.readyState == 'complete'")
            .await;
    }

    /// Opens a room's page and joins with camera and microphone.
    pub async fn join(&self, tab: &Tab, path: &str, name: &str) {
        tab.goto(&format!("{}{path}", self.base)).await;
        tab.types("#name", name).await;
        tab.click("#preview-camera").await;
        tab.click("#preview-mic").await;
        tab.until("document.querySelector('#preview-mic').getAttribute('aria-pressed') == 'true' && document.querySelector('#preview-video').videoWidth > 0")
            .await;
        tab.click("#join").await;
        tab.until("document.querySelector('#call').checkVisibility()")
            .await;
    }
}
