//! Runs the scripts beside this file, in which OpenTok's own server SDKs make their calls. Part of two test programs.
//!
//! The people that a script needs in its sessions it asks for, a line of JSON each way: the test that runs it enters them
//! with the tokens that the SDK has made.

use std::{io::Write, path::Path, process::Stdio, time::Duration};

use parlor::archive::{ArchiveId, Archives};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::Command,
    time::timeout,
};

/// Set where the SDKs must be there: then a test without its SDK fails.
const REQUIRED: &str = "PARLOR_TEST_SDKS";

/// An SDK, and the script that calls all of it.
pub struct Script {
    language: &'static str,
    /// There once the SDK is installed.
    file: &'static str,
    program: &'static str,
    script: &'static str,
    /// Some of the calls that it makes for certain.
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
        // Past the test harness, which hides what tests that pass print.
        let line = format!("\nSKIPPED, AND NOTHING TESTED: {missing}\n");
        std::io::stderr().write_all(line.as_bytes()).unwrap();
        false
    }

    /// Runs it to its end, which must be a good one. `answer` does what people do, within `patience`.
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

/// Returns once an archive has the status that a script waits for.
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
