//! OpenTok's published server SDKs against a running server. The clients in their sessions are sockets here, and browsers in
//! `tests/browser/engine/official.rs`.

use std::{collections::HashMap, time::Duration};

use parlor::opentok::SessionId;
use serde_json::{Value, json};

use super::world::{Client, KEY, OTHER_KEY, OTHER_SECRET, SECRET, World};
use crate::{
    client::{Part, Participant},
    driver::{NODE, PYTHON, Script, reached},
};

/// A timeout longer than any step.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn all_of_the_sdk_for_node_works() {
    works(&NODE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_of_the_sdk_for_python_works() {
    works(&PYTHON).await;
}

async fn works(script: &Script) {
    if !script.is_installed() {
        return;
    }
    let world = World::start().await;
    let server = json!({
        "url": world.url, "key": KEY, "secret": SECRET, "otherKey": OTHER_KEY, "otherSecret": OTHER_SECRET,
    });
    let mut people = People::new(&world);
    script
        .drive(&server, PATIENCE, async |request| {
            people.answer(request).await
        })
        .await;
    drop(people);
    world.server.stop().await;
}

/// The clients in the sessions of a script.
struct People<'a> {
    world: &'a World,
    clients: HashMap<String, Client>,
    /// The clients that send audio and video.
    filmed: Vec<Participant>,
}

impl People<'_> {
    fn new(world: &World) -> People<'_> {
        People {
            world,
            clients: HashMap::new(),
            filmed: Vec::new(),
        }
    }

    async fn answer(&mut self, request: &Value) -> Value {
        let text = |name: &str| request[name].as_str().expect(name);
        match text("ask") {
            "enter" => {
                let session = SessionId::from(text("session"));
                let client = self.world.enter(&session, text("token")).await;
                let connection = client.connection.clone();
                self.clients.insert(client.id.clone(), client);
                connection
            }
            "refusal" => {
                let session = SessionId::from(text("session"));
                self.world.refusal(&session, text("token")).await
            }
            "publish" => self.client(request).publish(text("name")).await.into(),
            "event" => self.client(request).event(text("type")).await,
            "film" => {
                let pass = json!({ "sessionId": text("session"), "token": text("token") });
                let base = format!("http://{}", self.world.server.addr());
                let person = Participant::enter(&base, pass, Part::Publisher).await;
                self.filmed.push(person);
                Value::Null
            }
            "time" => {
                let person = self.filmed.last_mut().expect("somebody is filmed");
                let before = person.sent().len();
                person.until(|diary| diary.sent.len() > before + 80).await;
                Value::Null
            }
            "status" => {
                reached(&self.world.server.app().archives, KEY, request).await;
                Value::Null
            }
            other => panic!("nobody can do this: {other}"),
        }
    }

    fn client(&mut self, request: &Value) -> &mut Client {
        let id = request["connection"].as_str().expect("connection");
        self.clients.get_mut(id).expect("somebody who entered")
    }
}
