//! Chromium with a fake camera and microphone, and what a person does in a tab.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use chromiumoxide::{
    Browser, BrowserConfig, Page,
    cdp::browser_protocol::{
        browser::{
            BrowserContextId, DownloadProgressState, EventDownloadProgress, EventDownloadWillBegin,
            SetDownloadBehaviorBehavior, SetDownloadBehaviorParams,
        },
        emulation::{MediaFeature, SetDeviceMetricsOverrideParams},
        input::{DispatchMouseEventParams, DispatchMouseEventType, InsertTextParams, MouseButton},
        page::CaptureScreenshotFormat,
        target::{CreateBrowserContextParams, CreateTargetParams},
    },
    cdp::js_protocol::runtime::{EventConsoleApiCalled, EventExceptionThrown},
    page::ScreenshotParams,
};
use futures_util::StreamExt;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde::de::DeserializeOwned;
use tempfile::TempDir;
use tokio::time::{Instant, sleep, timeout};

/// How long anything a page does may take on a busy machine before a test gives up.
const PATIENCE: Duration = Duration::from_secs(120);

/// What the fake devices show and play.
#[derive(Clone, Copy, Default)]
pub struct Devices<'a> {
    /// An `.mjpeg` or `.y4m` file; `None`: Chromium's own moving picture.
    pub camera: Option<&'a Path>,
    /// A `.wav` file; `None`: Chromium's own beeps.
    pub microphone: Option<&'a Path>,
    /// No camera and no microphone at all.
    pub none: bool,
    /// The person answers Chromium's question for the camera with no.
    pub denied: bool,
}

/// One running browser; every [`Tab`] of it has cookies of its own.
pub struct Chromium {
    browser: Browser,
    _profile: TempDir,
}

impl Chromium {
    pub async fn start() -> Chromium {
        Chromium::with(Devices::default()).await
    }

    pub async fn with(devices: Devices<'_>) -> Chromium {
        let profile = tempfile::tempdir().unwrap();
        let mut config = BrowserConfig::builder()
            .chrome_executable("/usr/bin/chromium")
            .user_data_dir(profile.path())
            .no_sandbox()
            .new_headless_mode()
            .viewport(None)
            .window_size(1280, 800)
            .launch_timeout(Duration::from_secs(60))
            .request_timeout(Duration::from_secs(60))
            .args([
                "disable-gpu",
                "disable-quic",
                "no-first-run",
                "disable-background-networking",
                "disable-component-update",
                "disable-sync",
                "disable-background-timer-throttling",
                "disable-backgrounding-occluded-windows",
                "disable-renderer-backgrounding",
                "allow-loopback-in-peer-connection",
            ])
            .arg(("autoplay-policy", "no-user-gesture-required"));
        if !devices.none {
            config = config.arg("use-fake-device-for-media-stream");
        }
        config = if devices.denied {
            config.arg("deny-permission-prompts")
        } else {
            config.arg("use-fake-ui-for-media-stream")
        };
        if let Some(file) = devices.camera {
            config = config.arg(("use-file-for-fake-video-capture", file.to_str().unwrap()));
        }
        if let Some(file) = devices.microphone {
            config = config.arg(("use-file-for-fake-audio-capture", file.to_str().unwrap()));
        }
        let (browser, mut handler) = Browser::launch(config.build().unwrap()).await.unwrap();
        tokio::spawn(async move { while handler.next().await.is_some() {} });
        Chromium {
            browser,
            _profile: profile,
        }
    }

    /// A blank tab of somebody new: no cookies, no storage of others.
    pub async fn somebody(&self) -> Tab {
        let context = self
            .browser
            .create_browser_context(CreateBrowserContextParams::default())
            .await
            .unwrap();
        self.tab(Some(context)).await
    }

    /// Another tab of the same person.
    pub async fn another_tab(&self, of: &Tab) -> Tab {
        self.tab(of.context.clone()).await
    }

    async fn tab(&self, context: Option<BrowserContextId>) -> Tab {
        let mut target = CreateTargetParams::new("about:blank");
        target.browser_context_id = context.clone();
        // In a window of its own: what lies behind another tab is neither painted nor clicked.
        target.new_window = Some(true);
        let page = self.browser.new_page(target).await.unwrap();
        page.enable_runtime().await.unwrap();
        listen(&page).await;
        let tab = Tab { page, context };
        tab.before_load(include_str!("page.js")).await;
        tab
    }

    /// Clicks on what downloads a file; the file, under the name that the browser gives it.
    pub async fn download(&self, tab: &Tab, selector: &str, folder: &Path) -> PathBuf {
        let mut behavior = SetDownloadBehaviorParams::new(SetDownloadBehaviorBehavior::Allow);
        behavior.browser_context_id = tab.context.clone();
        behavior.download_path = Some(folder.display().to_string());
        behavior.events_enabled = Some(true);
        self.browser.execute(behavior).await.unwrap();
        let mut begun = self
            .browser
            .event_listener::<EventDownloadWillBegin>()
            .await
            .unwrap();
        let mut progress = self
            .browser
            .event_listener::<EventDownloadProgress>()
            .await
            .unwrap();
        tab.click(selector).await;
        let downloaded = async {
            let name = begun.next().await.unwrap().suggested_filename.clone();
            while progress.next().await.unwrap().state != DownloadProgressState::Completed {}
            folder.join(name)
        };
        timeout(PATIENCE, downloaded).await.unwrap()
    }

    pub async fn close(mut self) {
        let _ = self.browser.close().await;
        let _ = timeout(Duration::from_secs(10), self.browser.wait()).await;
    }

    /// The browser stops in the middle of what it does and says nothing more, as when a laptop is shut.
    pub fn freeze(&mut self) -> Frozen {
        let first = self.browser.get_mut_child().unwrap().inner.id().unwrap();
        let processes = with_descendants(i32::try_from(first).unwrap());
        for process in &processes {
            kill(*process, Signal::SIGSTOP).unwrap();
        }
        Frozen(processes)
    }
}

/// The processes of a browser that was frozen; unless it thaws, they end with it.
pub struct Frozen(Vec<Pid>);

impl Frozen {
    /// The browser goes on, as when the laptop is opened again.
    pub fn thaw(mut self) {
        for process in self.0.drain(..) {
            kill(process, Signal::SIGCONT).unwrap();
        }
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        for process in &self.0 {
            let _ = kill(*process, Signal::SIGKILL);
        }
    }
}

/// A process and all that it started, as far as they are there now.
fn with_descendants(first: i32) -> Vec<Pid> {
    let parents: Vec<(i32, i32)> = fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| {
            let process = entry.ok()?.file_name().to_str()?.parse().ok()?;
            let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
            // The name stands in parentheses and may have any character in it.
            let parent = stat.rsplit(')').next()?.split_whitespace().nth(1)?;
            Some((process, parent.parse().ok()?))
        })
        .collect();
    let mut found = vec![first];
    let mut next = 0;
    while let Some(parent) = found.get(next).copied() {
        found.extend(
            parents
                .iter()
                .filter(|(_, of)| *of == parent)
                .map(|(process, _)| process),
        );
        next += 1;
    }
    found.into_iter().map(Pid::from_raw).collect()
}

/// Prints what the page prints, so that a failed test shows it.
async fn listen(page: &Page) {
    let mut lines = page
        .event_listener::<EventConsoleApiCalled>()
        .await
        .unwrap();
    tokio::spawn(async move {
        while let Some(line) = lines.next().await {
            let text: Vec<String> = line
                .args
                .iter()
                .map(|arg| {
                    arg.value
                        .as_ref()
                        .map(ToString::to_string)
                        .or_else(|| arg.description.clone())
                        .unwrap_or_default()
                })
                .collect();
            eprintln!("console: {}", text.join(" "));
        }
    });
    let mut errors = page.event_listener::<EventExceptionThrown>().await.unwrap();
    tokio::spawn(async move {
        while let Some(error) = errors.next().await {
            let details = &error.exception_details;
            let description = details
                .exception
                .as_ref()
                .and_then(|exception| exception.description.clone());
            eprintln!("exception: {} {description:?}", details.text);
        }
    });
}

/// What somebody sees and does.
pub struct Tab {
    pub page: Page,
    context: Option<BrowserContextId>,
}

impl Tab {
    /// Opens a page and waits until it has loaded.
    pub async fn goto(&self, url: &str) {
        let url = serde_json::to_string(url).unwrap();
        let _: bool = self
            .eval(&format!(
                "(window.isLeft = true, setTimeout(() => location.assign({url})), true)"
            ))
            .await;
        self.until("!window.isLeft && document.readyState == 'complete'")
            .await;
    }

    /// Runs a script in every page from the next one on, before the page's own.
    pub async fn before_load(&self, script: &str) {
        self.page.evaluate_on_new_document(script).await.unwrap();
    }

    /// Where the tab is.
    pub async fn path(&self) -> String {
        self.eval("location.pathname + location.search").await
    }

    /// The text of the first element that matches.
    pub async fn text(&self, selector: &str) -> String {
        let quoted = serde_json::to_string(selector).unwrap();
        self.until(&format!("document.querySelector({quoted})"))
            .await;
        self.eval(&format!("document.querySelector({quoted}).innerText"))
            .await
    }

    /// The value of a JavaScript expression; promises are awaited.
    pub async fn eval<T: DeserializeOwned>(&self, expression: &str) -> T {
        self.page
            .evaluate_expression(format!("(async () => ({expression}))()"))
            .await
            .unwrap_or_else(|error| panic!("{expression}: {error}"))
            .into_value()
            .unwrap_or_else(|error| panic!("{expression}: {error}"))
    }

    /// Waits until an expression is true.
    pub async fn until(&self, expression: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            // While a page loads there is nothing to ask; the next round finds it there.
            let truth = self
                .page
                .evaluate_expression(format!(
                    "(async () => document.readyState != 'loading' && Boolean({expression}))()"
                ))
                .await
                .ok()
                .and_then(|result| result.into_value::<bool>().ok());
            if truth == Some(true) {
                return;
            }
            if Instant::now() > deadline {
                let shot = self.keep_screenshot().await;
                let text: String = self.eval("document.body.innerText").await;
                panic!("never true: {expression}\nscreenshot: {shot}\npage: {text}");
            }
            sleep(Duration::from_millis(40)).await;
        }
    }

    /// Waits until the page shows a text.
    pub async fn sees(&self, text: &str) {
        let text = serde_json::to_string(text).unwrap();
        self.until(&format!("document.body.innerText.includes({text})"))
            .await;
    }

    /// Clicks the first visible element that matches, once it is there and enabled.
    pub async fn click(&self, selector: &str) {
        let (x, y) = self.middle(selector).await;
        let there = chromiumoxide::layout::Point { x, y };
        self.page.click(there).await.unwrap();
    }

    /// Where the middle of the first visible element that matches is, once it is there and enabled.
    pub async fn middle(&self, selector: &str) -> (f64, f64) {
        let quoted = serde_json::to_string(selector).unwrap();
        let visible = format!(
            "[...document.querySelectorAll({quoted})].find(e => e.checkVisibility() && !e.disabled)"
        );
        self.until(&visible).await;
        self.eval(&format!(
            "(() => {{ const e = {visible}; e.scrollIntoView({{block: 'center', behavior: 'instant'}});
               const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2] }})()"
        ))
        .await
    }

    /// Presses the mouse button, or lets go of it.
    pub async fn mouse(&self, (x, y): (f64, f64), what: DispatchMouseEventType) {
        let event = DispatchMouseEventParams::builder()
            .r#type(what)
            .x(x)
            .y(y)
            .button(MouseButton::Left)
            .click_count(1)
            .build();
        self.page.execute(event.unwrap()).await.unwrap();
    }

    /// Replaces what stands in a field.
    pub async fn types(&self, selector: &str, text: &str) {
        let quoted = serde_json::to_string(selector).unwrap();
        self.until(&format!(
            "document.querySelector({quoted})?.checkVisibility()"
        ))
        .await;
        let _: bool = self
            .eval(&format!(
                "(() => {{ const e = document.querySelector({quoted}); e.focus(); e.select?.(); return true }})()"
            ))
            .await;
        self.page
            .execute(InsertTextParams::new(text))
            .await
            .unwrap();
    }

    /// A window of this size, as on a phone (390 × 844) or a desk (1280 × 800).
    pub async fn resize(&self, width: i64, height: i64) {
        self.page
            .execute(SetDeviceMetricsOverrideParams::new(
                width,
                height,
                1.0,
                width < 600,
            ))
            .await
            .unwrap();
    }

    pub async fn prefers(&self, color_scheme: &str) {
        self.page
            .emulate_media_features(vec![MediaFeature::new(
                "prefers-color-scheme",
                color_scheme,
            )])
            .await
            .unwrap();
    }

    pub async fn screenshot(&self) -> Vec<u8> {
        let params = ScreenshotParams::builder()
            .format(CaptureScreenshotFormat::Png)
            .build();
        self.page.screenshot(params).await.unwrap()
    }

    async fn keep_screenshot(&self) -> String {
        let file = std::env::temp_dir().join(format!("parlor-test-{}.png", uuid::Uuid::new_v4()));
        fs::write(&file, self.screenshot().await).unwrap();
        file.display().to_string()
    }

    pub async fn close(self) {
        let _ = self.page.close().await;
    }
}
