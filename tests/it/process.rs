//! The real program as a child process, to be killed and started again on the same data folder.

use std::{
    fs::{self, File, Permissions},
    io::{BufRead, BufReader, Read},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use parlor::data::DataFolder;
use tempfile::{NamedTempFile, TempDir};

use crate::people::make_account;

/// Where Parlor keeps what it keeps.
pub struct Data {
    folder: TempDir,
}

impl Data {
    pub async fn with_moderator() -> Data {
        let data = Data::empty();
        add_moderator(&data.path()).await;
        data
    }

    pub fn empty() -> Data {
        Data {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("data")
    }
}

/// Makes a data folder with the account of [`crate::people::MODERATOR`].
pub async fn add_moderator(folder: &Path) {
    let opened = DataFolder::open_beside(folder).await.unwrap();
    make_account(&opened.db).await;
    opened.db.close().await;
}

/// A running `parlor`. Dies with its handle.
pub struct Process {
    child: Child,
    output: BufReader<ChildStdout>,
    log: NamedTempFile,
    pub base: String,
}

impl Process {
    /// Starts on a free port, and returns once pages are served.
    pub fn start(data: &Path, arguments: &[&str]) -> Process {
        Process::start_under(&[], data, arguments)
    }

    /// As a command line that `prefix` begins, which must end in the program itself (`exec`).
    pub fn start_under(prefix: &[&str], data: &Path, arguments: &[&str]) -> Process {
        let data = data.to_str().unwrap();
        let listen: &[&str] = match arguments.contains(&"--listen") {
            true => &[],
            false => &["--listen", "127.0.0.1:0"],
        };
        let words = [listen, &["--data", data], arguments].concat();
        let mut process = Process::spawn(prefix, &words);
        let line = process.line_with("Parlor is running at ");
        let (_, base) = line.split_once("http").unwrap();
        process.base = format!("http{}", base.trim());
        process
    }

    /// Runs to its end, which is expected to come by itself: the exit code, and what it complained of.
    pub fn fail(arguments: &[&str]) -> (i32, String) {
        let mut process = Process::spawn(&[], arguments);
        while let Some(line) = process.line() {
            assert!(!line.contains("is running"), "it runs: {line}");
        }
        let status = process.child.wait().unwrap();
        (status.code().unwrap(), process.log())
    }

    /// The complaint of a server that `prefix` starts, for instance as another user. `None`: this user may not do that.
    pub fn fail_under(prefix: &[&str], arguments: &[&str]) -> Option<String> {
        let program = env!("CARGO_BIN_EXE_parlor");
        // Another user cannot look into the folder of the build.
        let copy = tempfile::Builder::new()
            .permissions(Permissions::from_mode(0o755))
            .tempdir()
            .unwrap();
        let copied = copy.path().join("parlor");
        fs::copy(program, &copied).unwrap();
        let prefix = [
            prefix,
            &[
                "sh",
                "-c",
                "shift; exec \"$0\" \"$@\"",
                copied.to_str().unwrap(),
            ],
        ]
        .concat();
        let mut process = Process::spawn(&prefix, arguments);
        while let Some(line) = process.line() {
            assert!(!line.contains("is running"), "it runs: {line}");
        }
        process.child.wait().unwrap();
        let log = process.log();
        (!log.contains("setpriv")).then_some(log)
    }

    /// A running server, or what it complained of when it ended.
    pub fn runs_or_fails(arguments: &[&str]) -> Result<Process, String> {
        let mut process = Process::spawn(&[], arguments);
        while let Some(line) = process.line() {
            if line.contains("Parlor is running at ") {
                return Ok(process);
            }
        }
        process.child.wait().unwrap();
        Err(process.log())
    }

    /// The complaint of a server in mount, user and process namespaces of its own, where the folder is mounted at another path.
    /// `None`: this user may not make namespaces.
    pub fn fail_in_namespace(data: &Path) -> Option<String> {
        let mounted = tempfile::tempdir().unwrap();
        let (data, mounted) = (data.to_str().unwrap(), mounted.path().to_str().unwrap());
        let script = "mount --bind \"$1\" \"$2\" && shift 2 && exec \"$@\"";
        let unshare = [
            "unshare",
            "--user",
            "--map-root-user",
            "--mount",
            "--pid",
            "--fork",
        ];
        let prefix = [&unshare[..], &["sh", "-c", script, "sh", data, mounted]].concat();
        let mut process = Process::spawn(&prefix, &["--listen", "127.0.0.1:0", "--data", mounted]);
        while let Some(line) = process.line() {
            assert!(!line.contains("is running"), "it runs: {line}");
        }
        process.child.wait().unwrap();
        let log = process.log();
        let is_forbidden = log.contains("unshare") || log.contains("mount:");
        (!is_forbidden).then_some(log)
    }

    /// Runs to its end, which is expected to be a good one: what it printed.
    pub fn output_of(arguments: &[&str]) -> String {
        let mut process = Process::spawn(&[], arguments);
        let mut printed = String::new();
        process.output.read_to_string(&mut printed).unwrap();
        assert!(process.child.wait().unwrap().success(), "{}", process.log());
        printed
    }

    fn spawn(prefix: &[&str], arguments: &[&str]) -> Process {
        let log = NamedTempFile::new().unwrap();
        let words = [prefix, &[env!("CARGO_BIN_EXE_parlor")], arguments].concat();
        #[expect(clippy::disallowed_methods, reason = "the program that is tested")]
        let mut child = Command::new(words[0])
            .args(&words[1..])
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(log.path()).unwrap())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Process {
            child,
            output,
            log,
            base: String::new(),
        }
    }

    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = self.output.read_line(&mut line).unwrap();
        (read > 0).then_some(line)
    }

    /// The next line of what it prints that has `text` in it.
    pub fn line_with(&mut self, text: &str) -> String {
        while let Some(line) = self.line() {
            if line.contains(text) {
                return line;
            }
        }
        panic!("it ended: {}", self.log());
    }

    /// All that it still prints, until it ends.
    pub fn rest(mut self) -> String {
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).unwrap();
        rest
    }

    /// What it has written to standard error.
    pub fn log(&self) -> String {
        fs::read_to_string(self.log.path()).unwrap()
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The most memory that it has held so far.
    pub fn peak_memory_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmHWM:"))
            .unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// `kill -9`.
    pub fn kill(mut self) -> String {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.log()
    }

    /// Asks it to stop in order, as a service manager does.
    pub fn ask_to_stop(&self) {
        self.signal(Signal::SIGTERM);
    }

    /// Nothing of it runs until [`Process::go_on`].
    pub fn stand_still(&self) {
        self.signal(Signal::SIGSTOP);
    }

    pub fn go_on(&self) {
        self.signal(Signal::SIGCONT);
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).unwrap();
        kill(Pid::from_raw(pid), signal).unwrap();
    }

    /// Waits until it has ended by itself.
    pub fn ended(mut self) -> (ExitStatus, String) {
        (self.child.wait().unwrap(), self.log())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            std::io::Write::write_all(&mut std::io::stderr(), self.log().as_bytes()).unwrap();
        }
    }
}
