//! Parlor as people meet it: its pages in Debian's Chromium, with fake cameras and microphones.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod chromium;

use chromium::Chromium;

#[tokio::test]
async fn chromium_runs() {
    let chromium = Chromium::start().await;
    let tab = chromium.somebody().await;
    tab.goto("data:text/html,<button id=a onclick='document.title=1'>go</button><input id=b>")
        .await;
    tab.click("#a").await;
    tab.until("document.title == '1'").await;
    tab.types("#b", "hello").await;
    tab.until("b.value == 'hello'").await;
    chromium.close().await;
}
