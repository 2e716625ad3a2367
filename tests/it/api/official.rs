//! OpenTok's own server SDKs, as they are published, against a running server.
//!
//! The scripts in `tests/sdk` make the calls and check what comes of them. The people that they need in their sessions they
//! ask for, a line of JSON each way: this side enters with the tokens that the SDK has made.

use std::{collections::HashMap, io::Write, path::Path, process::Stdio, time::Duration};

use parlor::{archive::ArchiveId, opentok::SessionId};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::Command,
    time::timeout,
};

use super::world::{Client, KEY, OTHER_KEY, OTHER_SECRET, SECRET, World};
use crate::client::{Part, Participant};

/// Set where the SDKs must be there: then a test without its SDK fails.
const REQUIRED: &str = "PARLOR_TEST_SDKS";
/// Longer than anything takes.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn all_of_the_sdk_for_node_works() {
    let Some(there) = installed("Node", "node_modules/opentok/package.json") else {
        return;
    };
    let called = drive("node", &there, "node.mjs").await;
    for call in ["createSession", "startArchive", "signal", "dial"] {
        assert!(called.iter().any(|name| name == call), "{called:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_of_the_sdk_for_python_works() {
    let Some(there) = installed("Python", "venv/bin/python") else {
        return;
    };
    let python = format!("{there}/venv/bin/python");
    let called = drive(&python, &there, "python.py").await;
    for call in ["create_session", "start_archive", "send_signal", "dial"] {
        assert!(called.iter().any(|name| name == call), "{called:?}");
    }
}

/// The folder of the scripts, if an SDK is installed beside them.
fn installed(language: &str, file: &str) -> Option<String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sdk");
    if Path::new(folder).join(file).exists() {
        return Some(folder.to_owned());
    }
    let missing = format!("OpenTok's SDK for {language} is not installed: run tests/sdk/install");
    assert!(std::env::var_os(REQUIRED).is_none(), "{missing}");
    // Past the test harness, which hides what tests that pass print.
    let line = format!("\nSKIPPED, AND NOTHING TESTED: {missing}\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
    None
}

/// Runs a script to its end, which must be a good one. The calls of the SDK it has made come back.
async fn drive(program: &str, folder: &str, script: &str) -> Vec<String> {
    let world = World::start().await;
    let server = json!({
        "url": world.url, "key": KEY, "secret": SECRET, "otherKey": OTHER_KEY, "otherSecret": OTHER_SECRET,
    });
    #[expect(clippy::disallowed_methods, reason = "the program that is tested with")]
    let mut child = Command::new(program)
        .arg(format!("{folder}/{script}"))
        .arg(server.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut answers = child.stdin.take().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut people = People::new(&world);
    let mut called = None;
    while let Some(line) = timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap() {
        let request: Value = serde_json::from_str(&line).expect(&line);
        if request["ask"] == "done" {
            called = Some(serde_json::from_value(request["called"].clone()).unwrap());
            continue;
        }
        let answer = timeout(PATIENCE, people.answer(&request)).await;
        let answer = answer.expect(&line);
        let answer = format!("{answer}\n");
        answers.write_all(answer.as_bytes()).await.unwrap();
    }
    let status = child.wait().await.unwrap();
    assert!(status.success(), "{script} ended with {status}");
    drop(people);
    world.server.stop().await;
    called.expect("it says what it has called")
}

/// Who is in the sessions of a script.
struct People<'a> {
    world: &'a World,
    clients: HashMap<String, Client>,
    /// Those who really send picture and sound.
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
                let archive = ArchiveId::parse(text("archive")).unwrap();
                self.reached(archive, text("status")).await;
                Value::Null
            }
            other => panic!("nobody can do this: {other}"),
        }
    }

    fn client(&mut self, request: &Value) -> &mut Client {
        let id = request["connection"].as_str().expect("connection");
        self.clients.get_mut(id).expect("somebody who entered")
    }

    /// Returns once an archive has a status.
    async fn reached(&self, id: ArchiveId, status: &str) {
        let archives = &self.world.server.app().archives;
        let mut changes = archives.subscribe();
        let reached = async {
            while archives
                .find(KEY, id)
                .await
                .unwrap()
                .unwrap()
                .status
                .as_str()
                != status
            {
                changes.recv().await.unwrap();
            }
        };
        timeout(PATIENCE, reached).await.expect(status);
    }
}
