//! A second Parlor, as a process: what the calls of the first are on.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::PathBuf,
    process::{Child, ChildStdout, Command, Stdio},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use parlor::config::{Config, PlatformKind, Secret};
use tempfile::TempDir;

use crate::world::ip_from_outside;

const KEY: u32 = 62_000_002;
const SECRET: &str = "fedcba9876543210fedcba9876543210fedcba98";

/// Dies with its handle.
pub struct Media {
    folder: TempDir,
    listen: SocketAddr,
    arguments: Vec<String>,
    child: Option<Child>,
    greeting: Option<BufReader<ChildStdout>>,
}

impl Media {
    /// Starts on a free port, and lets the server of `config` have its calls on it.
    pub fn start(config: &mut Config) -> Media {
        let mut listen = config.network.listen;
        listen.set_port(0);
        let mut media = Media {
            folder: tempfile::tempdir().unwrap(),
            listen,
            arguments: vec![
                "--min-free-mib=16".to_owned(),
                format!(
                    "--archive-resolution={}",
                    config.archives.archive_resolution
                ),
            ],
            child: None,
            greeting: None,
        };
        media.start_again();
        let ip = match media.listen.ip() {
            ip if ip.is_unspecified() => ip_from_outside(),
            ip => ip,
        };
        config.platform.kind = PlatformKind::Opentok;
        config.platform.opentok_api_url = format!("http://{ip}:{}", media.listen.port());
        config.keys.api_key = Some(KEY);
        config.keys.api_secret = Some(Secret::from(SECRET.to_owned()));
        media
    }

    pub fn addr(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.listen.port()))
    }

    pub fn archives(&self) -> PathBuf {
        self.folder.path().join("data/archives")
    }

    /// In order, as a service manager does it.
    pub fn stop(&mut self) {
        let Some(mut child) = self.child.take() else {
            return;
        };
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
        kill(pid, Signal::SIGTERM).unwrap();
        child.wait().unwrap();
    }

    /// At the same address, with the same data; returns once it serves.
    pub fn start_again(&mut self) {
        #[expect(clippy::disallowed_methods, reason = "the platform of the test")]
        let mut child = Command::new(env!("CARGO_BIN_EXE_parlor"))
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .arg(format!("--listen={}", self.listen))
            .arg(format!(
                "--data={}",
                self.folder.path().join("data").display()
            ))
            .arg(format!("--api-key={KEY}"))
            .arg(format!("--api-secret={SECRET}"))
            .arg("--log=warn")
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        self.child = Some(child);
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let (_, address) = line
            .split_once("Parlor is running at http://")
            .unwrap_or_else(|| panic!("it does not run: {line}"));
        self.listen
            .set_port(address.trim().parse::<SocketAddr>().unwrap().port());
        // The rest of its greeting: a pipe that nobody holds would end it.
        self.greeting = Some(output);
    }
}

impl Drop for Media {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
