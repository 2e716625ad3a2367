//! Runs the scripts in this folder, which make the calls of OpenTok's own server SDKs. Two test programs include it.
//!
//! A script requests the clients that it needs in its sessions, with one line of JSON in each direction. The test connects
//! them with tokens that the SDK generated.

use std::{io::Write, path::Path, process::Stdio, time::Duration};

use parlor::archive::{ArchiveId, Archives};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::Command,
    time::timeout,
};

/// The environment variable that makes a missing SDK a failure.
const REQUIRED: &str = "PARLOR_TEST_SDKS";

/// An SDK, and the script that makes all its calls.
pub struct Script {
    language: &'static str,
    /// Exists once the SDK is installed.
    file: &'static str,
    program: &'static str,
    script: &'static str,
    /// Some of the calls that it must make.
    calls: [&'static str; 4],
}

pub const NODE: Script = Script {
    language: "Node",
    file: "node_modules/opentok/package.json",
    program: "node",
    script: "node.mjs",
    calls: ["createSession", "startArchive", "signal", "dial"],
};

pub const PYTHON: Script = Script {
    language: "Python",
    file: "venv/bin/python",
    program: concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sdk/venv/bin/python"),
    script: "python.py",
    calls: ["create_session", "start_archive", "send_signal", "dial"],
};

impl Script {
    pub fn is_installed(&self) -> bool {
        if Path::new(&format!("{FOLDER}/{}", self.file)).exists() {
            return true;
        }
        let missing = format!(
            "OpenTok's SDK for {} is not installed: run tests/sdk/install",
            self.language
        );
        assert!(std::env::var_os(REQUIRED).is_none(), "{missing}");
        // Bypasses the test harness, which hides the output of passing tests.
        let line = format!("\nSKIPPED, AND NOTHING TESTED: {missing}\n");
        std::io::stderr().write_all(line.as_bytes()).unwrap();
        false
    }

    /// Runs the script and requires success. `answer` performs the actions of clients, within `patience`.
    pub async fn drive(
        &self,
        server: &Value,
        patience: Duration,
        mut answer: impl AsyncFnMut(&Value) -> Value,
    ) {
        #[expect(clippy::disallowed_methods, reason = "the program that is tested with")]
        let mut child = Command::new(self.program)
            .arg(format!("{FOLDER}/{}", self.script))
            .arg(server.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut answers = child.stdin.take().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut called = Vec::new();
        while let Some(line) = timeout(patience, lines.next_line()).await.unwrap().unwrap() {
            let request: Value = serde_json::from_str(&line).expect(&line);
            if request["ask"] == "done" {
                called = serde_json::from_value(request["called"].clone()).unwrap();
                continue;
            }
            let told = timeout(patience, answer(&request)).await.expect(&line);
            let told = format!("{told}\n");
            answers.write_all(told.as_bytes()).await.unwrap();
        }
        let status = child.wait().await.unwrap();
        assert!(status.success(), "{} ended with {status}", self.script);
        for call in self.calls {
            assert!(
                called.iter().any(|name: &String| name == call),
                "{called:?}"
            );
        }
    }
}

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sdk");

/// Waits until an archive has the status that a script requests.
pub async fn reached(archives: &Archives, api_key: u32, request: &Value) {
    let id = ArchiveId::parse(request["archive"].as_str().unwrap()).unwrap();
    let mut changes = archives.subscribe();
    loop {
        let archive = archives.find(api_key, id).await.unwrap().unwrap();
        if request["status"] == archive.status.as_str() {
            return;
        }
        changes.recv().await.unwrap();
    }
}
