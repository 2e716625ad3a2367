//! Child processes: the only place that starts programs.
//!
//! A child runs at the lowest priority, with a limit of memory. It ends with its handle, and with this process: the kernel kills it
//! when the thread that started it ends, so one thread, which lives as long as the process, starts all of them.

use std::{
    env, io,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::LazyLock,
};

use tokio::{
    io::{AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncReadExt},
    process::{Child, ChildStderr, ChildStdout, Command},
    runtime::Runtime,
};

/// The data that a child may hold in memory, in bytes. Composing 25 people in 1080p takes 1.2 GB; a child beyond the limit
/// fails alone, where the system would otherwise kill the server.
const MAX_MEMORY: u64 = 3 * 1024 * 1024 * 1024;
/// The end of a child's standard error that is kept for the log, in bytes.
const MAX_ERROR: usize = 4096;
/// The maximum length of a line of progress, in bytes. ffmpeg's have 40.
const MAX_LINE: usize = 1024;

/// One thread that never ends.
static STARTER: LazyLock<io::Result<Runtime>> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("child-starter")
        .enable_all()
        .build()
});

/// Starts a program; standard error is piped.
///
/// # Errors
/// The program does not start.
pub async fn start(
    program: &Path,
    arguments: &[String],
    stdin: Stdio,
    stdout: Stdio,
) -> io::Result<Child> {
    let mut command = command(program);
    command
        .args(arguments)
        .stdin(stdin)
        .stdout(stdout)
        .stderr(Stdio::piped());
    let starter = STARTER
        .as_ref()
        .map_err(|error| io::Error::from(error.kind()))?;
    let started = starter.spawn(async move { command.spawn() });
    started.await.map_err(io::Error::other)?
}

/// How a program ended.
pub struct Ended<T> {
    /// What was read of its standard output.
    pub output: T,
    pub status: ExitStatus,
    /// The end of its standard error.
    pub error: String,
}

/// Runs a program to its end, while `read` takes its standard output.
///
/// # Errors
/// The program does not start.
pub async fn run<T>(
    program: &Path,
    arguments: &[String],
    read: impl AsyncFnOnce(ChildStdout) -> T,
) -> io::Result<Ended<T>> {
    let mut child = start(program, arguments, Stdio::null(), Stdio::piped()).await?;
    let stdout = child.stdout.take().expect("standard output is piped");
    let stderr = child.stderr.take();
    let (output, error) = tokio::join!(read(stdout), last_of(stderr));
    let status = child.wait().await?;
    Ok(Ended {
        output,
        status,
        error,
    })
}

/// The program behind the tools of util-linux and coreutils that limit it; each calls the next in its own place. A system without
/// one of them runs the program without that limit.
#[expect(clippy::disallowed_methods, reason = "this is the place")]
fn command(program: &Path) -> Command {
    let memory = format!("--data={MAX_MEMORY}");
    let limits: [&[&str]; 3] = [
        &["setpriv", "--pdeathsig", "KILL"],
        &["prlimit", &memory],
        &["nice", "-n", "19"],
    ];
    let mut words: Vec<PathBuf> = Vec::new();
    for limit in limits {
        if let Some(tool) = find(Path::new(limit[0])) {
            words.push(tool);
            words.extend(limit[1..].iter().map(PathBuf::from));
        }
    }
    words.push(program.to_owned());
    let mut command = Command::new(&words[0]);
    // In a group of its own Ctrl-C at the terminal does not reach it: the server ends it in its own time.
    command
        .args(&words[1..])
        .process_group(0)
        .kill_on_drop(true);
    command
}

/// Returns the path of a program: the path itself, or that of the name in `PATH`.
pub fn find(program: &Path) -> Option<PathBuf> {
    if program.components().count() > 1 {
        return program.is_file().then(|| program.to_owned());
    }
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

/// Reads to the end and returns the first `limit` bytes.
///
/// # Errors
/// The pipe's.
pub async fn first_of(mut output: impl AsyncRead + Unpin, limit: usize) -> io::Result<Vec<u8>> {
    let mut first = Vec::new();
    (&mut output)
        .take(limit as u64)
        .read_to_end(&mut first)
        .await?;
    // A child whose pipe is closed fails, whatever it has done.
    tokio::io::copy(&mut output, &mut tokio::io::sink()).await?;
    Ok(first)
}

/// Returns the end of a child's standard error.
pub async fn last_of(stderr: Option<ChildStderr>) -> String {
    let Some(mut stderr) = stderr else {
        return String::new();
    };
    let mut last = Vec::new();
    let mut buffer = [0; 1024];
    while let Ok(read) = stderr.read(&mut buffer).await {
        if read == 0 {
            break;
        }
        last.extend_from_slice(&buffer[..read]);
        let excess = last.len().saturating_sub(MAX_ERROR);
        last.drain(..excess);
    }
    String::from_utf8_lossy(&last).trim().to_owned()
}

/// Hands over each line until the end; of a longer line only its first [`MAX_LINE`] bytes.
pub async fn for_each_line(mut output: impl AsyncBufRead + Unpin, mut on_line: impl FnMut(&str)) {
    let mut line = Vec::new();
    loop {
        let Ok(buffer) = output.fill_buf().await else {
            return;
        };
        if buffer.is_empty() {
            return;
        }
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let part = &buffer[..end.unwrap_or(buffer.len())];
        let room = MAX_LINE.saturating_sub(line.len());
        line.extend_from_slice(&part[..part.len().min(room)]);
        let used = part.len() + usize::from(end.is_some());
        output.consume(used);
        if end.is_some() {
            on_line(&String::from_utf8_lossy(&line));
            line.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn sh(script: &str) -> Child {
        let arguments = ["-c", script].map(str::to_owned);
        let program = find(Path::new("sh")).unwrap();
        start(&program, &arguments, Stdio::null(), Stdio::piped())
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn output_without_end_is_bounded_and_no_reason_to_fail() {
        let mut child = sh("head -c 5000000 /dev/zero").await;

        let first = first_of(child.stdout.take().unwrap(), 1000).await.unwrap();

        assert_eq!(first.len(), 1000);
        assert!(child.wait().await.unwrap().success());
    }

    #[tokio::test]
    async fn lines_are_handed_over_whole_or_cut() {
        let mut child =
            sh("echo frame=1; head -c 100000 /dev/zero | tr '\\0' x; echo; echo frame=2").await;
        let mut lines = Vec::new();

        let output = tokio::io::BufReader::new(child.stdout.take().unwrap());
        for_each_line(output, |line| lines.push(line.to_owned())).await;

        assert_eq!(lines.len(), 3);
        assert_eq!(
            (lines[0].as_str(), lines[2].as_str()),
            ("frame=1", "frame=2")
        );
        assert_eq!(lines[1].len(), MAX_LINE);
    }

    #[tokio::test]
    async fn a_child_has_the_lowest_priority_and_a_limit_of_memory() {
        let mut child = sh("nice; ulimit -d").await;
        let said = first_of(child.stdout.take().unwrap(), 1000).await.unwrap();
        let said = String::from_utf8(said).unwrap();
        let kib = (MAX_MEMORY / 1024).to_string();
        assert_eq!(said.split_whitespace().collect::<Vec<_>>(), ["19", &kib]);
    }

    #[tokio::test]
    async fn a_dropped_child_is_killed() {
        let child = sh("sleep 1000").await;
        let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id().unwrap()).unwrap());
        drop(child);
        while nix::sys::signal::kill(pid, None).is_ok() {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }
}
