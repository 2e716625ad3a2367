//! OpenTok's own server SDKs against a running server, with browsers in their sessions: the application's server is the
//! SDK's, its pages are written for OpenTok and come from an origin of their own.

use std::{collections::HashMap, time::Duration};

use parlor::{
    clock,
    config::{Config, Secret},
    project::{self, Project},
};
use serde_json::{Value, json};

use super::library::at_an_origin_of_its_own;
use crate::{
    chromium::{Chromium, Tab},
    driver::{NODE, PYTHON, Script, reached},
    world::World,
};

const KEY: u32 = 123_456;
const SECRET: &str = "1234567890abcdef1234567890abcdef12345678";
const OTHER_KEY: u32 = 654_321;
const OTHER_SECRET: &str = "abcdef1234567890abcdef1234567890abcdef12";

/// Longer than anything takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

#[tokio::test]
async fn browsers_are_in_the_sessions_of_the_sdk_for_node() {
    works(&NODE).await;
}

#[tokio::test]
async fn browsers_are_in_the_sessions_of_the_sdk_for_python() {
    works(&PYTHON).await;
}

async fn works(script: &Script) {
    if !script.is_installed() {
        return;
    }
    let mut config = Config::default();
    config.keys.api_key = Some(KEY);
    config.keys.api_secret = Some(Secret::from(SECRET.to_owned()));
    let world = World::embedded_with(config, "an application's sessions are here").await;
    let other = Project {
        api_key: OTHER_KEY,
        api_secret: Secret::from(OTHER_SECRET.to_owned()),
    };
    project::of_pages(world.server().app().db(), Some(other), clock::now_ms())
        .await
        .unwrap();
    let server = json!({
        "url": world.base, "key": KEY, "secret": SECRET, "otherKey": OTHER_KEY, "otherSecret": OTHER_SECRET,
    });
    let chromium = Chromium::start().await;
    let mut people = People {
        world: &world,
        chromium: &chromium,
        page: at_an_origin_of_its_own(page(&world.base)),
        tabs: HashMap::new(),
        filmed: None,
    };
    script
        .drive(&server, PATIENCE, async |request| {
            people.answer(request).await
        })
        .await;
    world.end([chromium]).await;
}

/// A page that does what the script asks for, and keeps what it hears.
fn page(base: &str) -> String {
    format!(
        r#"<!doctype html><html lang="en"><head><title>Foreign</title><script src="{base}/v2/js/opentok.min.js"></script></head>
<body><div id="publisher"></div><script>
const told = []
let session
function enter(id, token) {{
  session = OT.initSession({KEY}, id)
  session.on('signal', event => told.push({{
    type: 'signal', signalType: event.type.replace('signal:', ''), data: event.data, from: event.from?.connectionId,
  }}))
  session.on('muteForced', event => told.push({{ type: 'muteForced', active: event.active }}))
  session.on('sessionDisconnected', event => told.push({{ type: 'disconnected', reason: event.reason }}))
  return new Promise(resolve => session.connect(token, error => resolve(
    error ? {{ code: error.code }} : {{ connectionId: session.connection.connectionId, data: session.connection.data }},
  )))
}}
function publish(name) {{
  const publisher = OT.initPublisher('publisher', {{ insertMode: 'append', name }})
  publisher.on('muteForced', () => told.push({{ type: 'streamMuted', streamId: publisher.stream.streamId }}))
  return new Promise((resolve, reject) => session.publish(publisher, error =>
    error ? reject(error) : resolve(publisher.stream.streamId)))
}}
</script></body></html>"#
    )
}

/// Who is in the sessions of a script, a tab each.
struct People<'a> {
    world: &'a World,
    chromium: &'a Chromium,
    page: String,
    /// By the ids of their connections.
    tabs: HashMap<String, Tab>,
    /// The connection of the latest who was let in only to be recorded.
    filmed: Option<String>,
}

impl People<'_> {
    async fn answer(&mut self, request: &Value) -> Value {
        match request["ask"].as_str().unwrap() {
            "enter" => self.enter(request).await,
            "refusal" => self.enter(request).await["code"].clone(),
            "publish" => {
                let name = &request["name"];
                self.tab(request)
                    .eval(&format!("await publish({name})"))
                    .await
            }
            "event" => {
                let kind = &request["type"];
                let tab = self.tab(request);
                tab.until(&format!("told.some(event => event.type == {kind})"))
                    .await;
                tab.eval(&format!(
                    "told.splice(told.findIndex(event => event.type == {kind}), 1)[0]"
                ))
                .await
            }
            "film" => {
                let id = self.enter(request).await["connectionId"].clone();
                let id = id.as_str().expect("let in").to_owned();
                let _: String = self.tabs[&id].eval("await publish('')").await;
                self.filmed = Some(id);
                Value::Null
            }
            "time" => {
                let tab = &self.tabs[self.filmed.as_ref().expect("somebody is filmed")];
                let now: f64 = tab
                    .eval("document.querySelector('video').currentTime")
                    .await;
                tab.until(&format!(
                    "document.querySelector('video').currentTime > {now} + 3"
                ))
                .await;
                Value::Null
            }
            "status" => {
                reached(&self.world.server().app().archives, KEY, request).await;
                Value::Null
            }
            other => panic!("nobody can do this: {other}"),
        }
    }

    /// Opens the page and connects: what its connection is, or the code of the error.
    async fn enter(&mut self, request: &Value) -> Value {
        let tab = self.chromium.somebody().await;
        tab.goto(&self.page).await;
        let (session, token) = (&request["session"], &request["token"]);
        let entered: Value = tab.eval(&format!("await enter({session}, {token})")).await;
        match entered["connectionId"].as_str() {
            Some(id) => drop(self.tabs.insert(id.to_owned(), tab)),
            None => tab.close().await,
        }
        entered
    }

    fn tab(&self, request: &Value) -> &Tab {
        &self.tabs[request["connection"].as_str().expect("connection")]
    }
}
