//! A Parlor of its own for each test, and what people do with it.
//!
//! With `PARLOR_TEST_PLATFORM=remote` its calls and archives are on a second Parlor, a process of its own at another
//! origin (`media.rs`). Tests that are about the engine in this process are in `engine/`, and say why: [`World::embedded`].

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
};

use parlor::{clock, config::Config, moderator, server::Server};
use tempfile::TempDir;
use tokio::sync::{Mutex, MutexGuard};

use crate::{
    camera::Camera,
    chromium::{Chromium, Tab},
    media::Media,
    proxy::Proxy,
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
    /// What calls are on, if they are not on the server itself.
    media: Option<Media>,
    _turn: MutexGuard<'static, ()>,
}

impl World {
    pub async fn start() -> World {
        World::with(Config::default()).await
    }

    /// As `config` says, on a free port and with an empty data folder.
    pub async fn with(config: Config) -> World {
        let is_remote = std::env::var("PARLOR_TEST_PLATFORM").is_ok_and(|name| name == "remote");
        World::on(config, is_remote).await
    }

    /// With its calls on a second Parlor, whatever the others are on.
    pub async fn remote() -> World {
        World::on(Config::default(), true).await
    }

    /// For what the engine in this process does and no other platform can be asked for; `why` says which that is.
    pub async fn embedded(why: &str) -> World {
        World::embedded_with(Config::default(), why).await
    }

    /// As [`World::embedded`], as `config` says.
    pub async fn embedded_with(config: Config, why: &str) -> World {
        assert!(!why.is_empty());
        World::on(config, false).await
    }

    async fn on(mut config: Config, is_remote: bool) -> World {
        let turn = TURN.lock().await;
        let media = is_remote.then(|| Media::start(&mut config));
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
            media,
            _turn: turn,
        }
    }

    pub fn server(&self) -> &Server {
        self.server.as_ref().unwrap()
    }

    pub fn addr(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.config.network.listen.port()))
    }

    /// The folder where what was recorded is, in this process or in the other.
    pub fn archives(&self) -> PathBuf {
        match &self.media {
            Some(media) => media.archives(),
            None => self.data.path().join("data/archives"),
        }
    }

    /// A wire of its own for a tab that has not opened a page yet: between it and the server, and what calls are on.
    pub async fn wire(&self, tab: &Tab) -> Wire {
        let pages = Proxy::to(self.addr()).await;
        let media = match &self.media {
            Some(media) => {
                let proxy = Proxy::to(media.addr()).await;
                // The library connects to where it came from, unless it is told otherwise.
                let address = &proxy.base;
                tab.before_load(&format!(
                    "Object.defineProperty(window, 'OT', {{
                       configurable: true,
                       set(OT) {{
                         Object.defineProperty(window, 'OT', {{ value: OT, writable: true, configurable: true }})
                         OT.__engineUrl = '{address}'
                       }},
                     }})"
                ))
                .await;
                Some(proxy)
            }
            None => None,
        };
        Wire { pages, media }
    }

    /// The address of this machine that is not loopback.
    pub fn base_from_outside(&self) -> String {
        let port = self.config.network.listen.port();
        format!("http://{}:{port}", ip_from_outside())
    }

    /// What calls are on stops; the pages do not.
    pub fn stop_media(&mut self) {
        self.media.as_mut().unwrap().stop();
    }

    pub fn start_media(&mut self) {
        self.media.as_mut().unwrap().start_again();
    }

    /// The server alone stops and starts again; what its calls are on does not.
    pub async fn restart_pages(&mut self) {
        self.server.take().unwrap().stop().await;
        self.server = Some(Server::start(self.config.clone()).await.unwrap());
    }

    /// The server stops, and what its calls are on; addresses and data stay.
    pub async fn stop(&mut self) {
        if let Some(media) = &mut self.media {
            media.stop();
        }
        self.server.take().unwrap().stop().await;
    }

    /// It starts again, with the same data and at the same address.
    pub async fn start_again(&mut self, change: impl FnOnce(&mut Config)) {
        change(&mut self.config);
        if let Some(media) = &mut self.media {
            media.start_again();
        }
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

/// An address of this machine that is not loopback.
pub fn ip_from_outside() -> IpAddr {
    let addresses = if_addrs::get_if_addrs().unwrap();
    addresses
        .iter()
        .map(if_addrs::Interface::ip)
        .find(|ip| matches!(ip, IpAddr::V4(ip) if !ip.is_loopback()))
        .expect("a machine with a network")
}

/// What a tab reaches the servers by.
pub struct Wire {
    pages: Proxy,
    media: Option<Proxy>,
}

impl Wire {
    /// Where the tab finds the pages.
    pub fn base(&self) -> &str {
        &self.pages.base
    }

    /// All connections break, and no new one comes about.
    pub fn cut(&self) {
        for proxy in self.media.iter().chain([&self.pages]) {
            proxy.cut();
        }
    }

    pub fn mend(&self) {
        for proxy in self.media.iter().chain([&self.pages]) {
            proxy.mend();
        }
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
    prepare(tab, name).await;
    tab.click("#join").await;
    in_call(tab).await;
}

/// On a room's page: turns camera and microphone on.
pub async fn prepare(tab: &Tab, name: &str) {
    tab.types("#name", name).await;
    tab.click("#preview-camera").await;
    tab.until("document.querySelector('#preview-video').videoWidth > 0")
        .await;
    tab.click("#preview-mic").await;
    tab.until("document.querySelector('#preview-mic').getAttribute('aria-pressed') == 'true'")
        .await;
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

/// Records somebody alone, for so long.
pub async fn record(host: &Tab, ms: u32) {
    start_archive(host).await;
    host.until(&format!(
        "performance.now() - test.story.findLast(s => s.what == 'rec on').at > {ms}"
    ))
    .await;
    stop_archive(host).await;
}
