//! A Parlor of its own for each test, and what people do with it.

use std::net::{IpAddr, SocketAddr};

use parlor::{clock, config::Config, moderator, server::Server};
use tempfile::TempDir;
use tokio::sync::{Mutex, MutexGuard};

use crate::{
    camera::Camera,
    chromium::{Chromium, Tab},
};

/// Name and password of the moderator of every test.
pub const MODERATOR: (&str, &str) = ("Moni", "correct horse battery");

/// Browsers in a call need the whole machine: one test after another.
static TURN: Mutex<()> = Mutex::const_new(());

/// A running server with one moderator.
pub struct World {
    pub base: String,
    pub data: TempDir,
    server: Option<Server>,
    config: Config,
    _turn: MutexGuard<'static, ()>,
}

impl World {
    pub async fn start() -> World {
        World::with(Config::default()).await
    }

    /// As `config` says, on a free port and with an empty data folder.
    pub async fn with(mut config: Config) -> World {
        let turn = TURN.lock().await;
        let data = tempfile::tempdir().unwrap();
        config.network.listen.set_port(0);
        config.data.folder = data.path().join("data");
        if config.data.min_free_mib == Config::default().data.min_free_mib {
            config.data.min_free_mib = 16;
        }
        let server = Server::start(config.clone()).await.unwrap();
        let (name, password) = MODERATOR;
        moderator::put(server.app().db(), name, password, clock::now_ms())
            .await
            .unwrap();
        // Whoever starts again does so at the same address.
        config.network.listen = server.addr();
        let local = SocketAddr::from(([127, 0, 0, 1], server.addr().port()));
        World {
            base: format!("http://{local}"),
            data,
            server: Some(server),
            config,
            _turn: turn,
        }
    }

    pub fn server(&self) -> &Server {
        self.server.as_ref().unwrap()
    }

    pub fn addr(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.config.network.listen.port()))
    }

    /// The address of this machine that is not loopback.
    pub fn base_from_outside(&self) -> String {
        let addresses = if_addrs::get_if_addrs().unwrap();
        let ip = addresses
            .iter()
            .map(if_addrs::Interface::ip)
            .find(|ip| matches!(ip, IpAddr::V4(ip) if !ip.is_loopback()))
            .expect("a machine with a network");
        format!("http://{ip}:{}", self.config.network.listen.port())
    }

    /// The server stops; its address and its data stay.
    pub async fn stop(&mut self) {
        self.server.take().unwrap().stop().await;
    }

    /// The server starts again, with the same data and at the same address.
    pub async fn start_again(&mut self, change: impl FnOnce(&mut Config)) {
        change(&mut self.config);
        self.server = Some(Server::start(self.config.clone()).await.unwrap());
    }

    pub async fn end(mut self, browsers: impl IntoIterator<Item = Chromium>) {
        for browser in browsers {
            browser.close().await;
        }
        self.stop().await;
    }

    /// A moderator's tab, signed in by the form.
    pub async fn moderator(&self, chromium: &Chromium) -> Tab {
        let tab = chromium.somebody().await;
        self.sign_in(&tab).await;
        tab
    }

    pub async fn sign_in(&self, tab: &Tab) {
        tab.goto(&format!("{}/sign-in", self.base)).await;
        fill_sign_in(tab).await;
        tab.until("location.pathname == '/' && document.readyState == 'complete'")
            .await;
    }

    /// The default room's host, in the call, with this camera.
    pub async fn host(&self, chromium: &Chromium, name: &str, camera: Camera) -> Tab {
        let tab = chromium.somebody().await;
        tab.has(camera).await;
        self.sign_in(&tab).await;
        self.join(&tab, "/host", name).await;
        tab
    }

    /// Somebody in the call of the default room, with this camera.
    pub async fn guest(&self, chromium: &Chromium, name: &str, camera: Camera) -> Tab {
        let tab = chromium.somebody().await;
        tab.has(camera).await;
        self.join(&tab, "/participant", name).await;
        tab
    }

    /// Opens a room's page and joins with camera and microphone.
    pub async fn join(&self, tab: &Tab, path: &str, name: &str) {
        tab.goto(&format!("{}{path}", self.base)).await;
        prepare_and_join(tab, name).await;
    }
}

/// Types name and password, and signs in.
pub async fn fill_sign_in(tab: &Tab) {
    tab.types("[name=name]", MODERATOR.0).await;
    tab.types("[name=password]", MODERATOR.1).await;
    tab.click("main form button").await;
}

/// On a room's page: turns camera and microphone on, and joins.
pub async fn prepare_and_join(tab: &Tab, name: &str) {
    tab.types("#name", name).await;
    tab.click("#preview-camera").await;
    tab.until("document.querySelector('#preview-video').videoWidth > 0")
        .await;
    tab.click("#preview-mic").await;
    tab.until("document.querySelector('#preview-mic').getAttribute('aria-pressed') == 'true'")
        .await;
    tab.click("#join").await;
    in_call(tab).await;
}

/// Waits until the tab is in the call.
pub async fn in_call(tab: &Tab) {
    tab.until("document.querySelector('#call').checkVisibility() && document.querySelector('#people-list').children.length > 0")
        .await;
}

/// Starts the archive from the call.
pub async fn start_archive(host: &Tab) {
    host.click("#start-archive").await;
    host.until("document.querySelector('#rec').checkVisibility()")
        .await;
}

/// Stops the archive from the call, and says yes.
pub async fn stop_archive(host: &Tab) {
    host.click("#stop-archive").await;
    host.click("dialog.ask [value=yes]").await;
    host.until("document.querySelector('#rec').hidden").await;
}
