//! Runs ffmpeg: the only place that starts programs.
//!
//! It composes at the lowest priority, as a child that ends with the work: whoever drops the future kills it. All of its files lie in
//! `compose.tmp/` inside the archive's folder; what is finished and probed is renamed out of it.

use std::{
    env, io,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use async_trait::async_trait;
use serde::Deserialize;
use tokio::{
    fs,
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    process::{Child, ChildStderr, ChildStdin, Command},
    sync::watch,
};
use tracing::{info, instrument, warn};

use super::{
    compose::{self, Film},
    pack::pack,
    recording::discard_journals,
};
use crate::archive::{
    composer::{COMPOSED_FILE, ComposeError, ComposeJob, Composed, Composer, POSTER_FILE, PackJob},
    download::plain_name,
};

/// Holds everything unfinished.
const WORK_FOLDER: &str = "compose.tmp";

/// So many times an archive's length may composing take.
const TIMEOUT_FACTOR: u32 = 4;
/// What even the shortest archive may take: at the lowest priority a busy machine leaves it little.
const TIMEOUT_LEAST: Duration = Duration::from_secs(600);

/// Bytes of ffmpeg's complaints that are kept for the log.
const COMPLAINT_BYTES: usize = 4096;

/// Percent of the work that the sound is; the picture is the rest, but for the last two.
const SOUND_PERCENT: u64 = 5;
const PICTURE_PERCENT: u64 = 93;

/// Composes with ffmpeg.
#[derive(Clone, Debug)]
pub struct Ffmpeg {
    /// A path, or a name to be found in `PATH`.
    program: PathBuf,
    /// Threads of the encoder.
    threads: usize,
}

impl Ffmpeg {
    /// `program` is a path, or a name to be found in `PATH`; `ffprobe` is expected beside it.
    pub fn new(program: impl Into<PathBuf>) -> Ffmpeg {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Ffmpeg {
            program: program.into(),
            threads: (cores / 2).max(1),
        }
    }

    /// Where ffmpeg and ffprobe are.
    ///
    /// # Errors
    /// [`ComposeError::ToolMissing`].
    pub fn find(&self) -> Result<Tools, ComposeError> {
        let probe = self.program.file_name().map_or_else(
            || PathBuf::from("ffprobe"),
            |name| {
                let name = name.to_string_lossy().replace("ffmpeg", "ffprobe");
                self.program.with_file_name(name)
            },
        );
        Ok(Tools {
            ffmpeg: find(&self.program)?,
            ffprobe: find(&probe)?,
        })
    }
}

#[async_trait]
impl Composer for Ffmpeg {
    #[instrument(skip_all, fields(archive.id = %job.archive))]
    async fn compose(
        &self,
        job: &ComposeJob,
        percent: &watch::Sender<u8>,
    ) -> Result<Composed, ComposeError> {
        let work = Work {
            tools: self.find()?,
            threads: self.threads,
            job,
            folder: job.folder.join(WORK_FOLDER),
            percent,
        };
        let length = Duration::from_millis(job.manifest.duration_ms);
        let timeout = (length * TIMEOUT_FACTOR).max(TIMEOUT_LEAST);
        make_empty(&work.folder).await?;
        let outcome = tokio::time::timeout(timeout, work.compose()).await;
        // Whatever is left is of no use to anybody.
        let _ = fs::remove_dir_all(&work.folder).await;
        outcome.unwrap_or(Err(ComposeError::TookTooLong {
            minutes: timeout.as_secs().div_ceil(60),
        }))
    }

    /// Needs no program.
    #[instrument(skip_all, fields(archive.id = %job.archive))]
    async fn pack(
        &self,
        job: &PackJob,
        percent: &watch::Sender<u8>,
    ) -> Result<Composed, ComposeError> {
        pack(job, percent).await
    }
}

/// The programs, as they were found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tools {
    pub ffmpeg: PathBuf,
    pub ffprobe: PathBuf,
}

/// One archive being composed.
struct Work<'a> {
    tools: Tools,
    threads: usize,
    job: &'a ComposeJob,
    folder: PathBuf,
    percent: &'a watch::Sender<u8>,
}

impl Work<'_> {
    async fn compose(&self) -> Result<Composed, ComposeError> {
        let job = self.job;
        let mut pictures = Vec::new();
        let mut sounds = Vec::new();
        for (index, stream) in job.manifest.streams.iter().enumerate() {
            let file = stream.file.as_deref().and_then(plain_name);
            let tracks = match file {
                Some(file) => self.tracks(index, job.folder.join(file)).await?,
                None => Tracks::default(),
            };
            pictures.push(tracks.picture);
            sounds.push(tracks.sound);
        }
        let pictures: Vec<Option<&Path>> = pictures.iter().map(Option::as_deref).collect();
        let sounds: Vec<Option<&Path>> = sounds.iter().map(Option::as_deref).collect();

        let sound = self.sound(&sounds).await?;
        let picture = self.picture(&pictures).await?;
        let joined = self.folder.join(COMPOSED_FILE);
        let arguments = compose::join_arguments(picture.as_deref(), sound.as_deref(), &joined);
        self.run(&arguments, |_| {}).await?;
        let duration_ms = self.verify(&joined).await?;

        let poster = self.poster(&joined, duration_ms).await;
        let size_bytes = fs::metadata(&joined).await.map_err(cannot_write)?.len();
        if let Some(poster) = &poster {
            fs::rename(poster, job.folder.join(POSTER_FILE))
                .await
                .map_err(cannot_write)?;
        }
        // Its name appears when all of it is on disk.
        let file = fs::File::open(&joined).await.map_err(cannot_write)?;
        file.sync_all().await.map_err(cannot_write)?;
        fs::rename(&joined, job.folder.join(COMPOSED_FILE))
            .await
            .map_err(cannot_write)?;
        // The composed file is whole and so are the streams it came from: the journals have done their work.
        let finished = job.folder.clone();
        match tokio::task::spawn_blocking(move || discard_journals(&finished)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => warn!("The journals stay: {error}"),
            Err(panic) => warn!("The journals stay: {panic}"),
        }
        self.percent.send_replace(100);
        info!("Composed {duration_ms} ms into {size_bytes} bytes");
        Ok(Composed {
            size_bytes,
            duration_ms,
            has_poster: poster.is_some(),
        })
    }

    /// Where the picture and the sound of a stream are.
    async fn tracks(&self, index: usize, file: PathBuf) -> Result<Tracks, ComposeError> {
        let codecs = self.probe(&file).await?.streams;
        let has = |codec: &str| codecs.iter().any(|stream| stream.codec_name == codec);
        let mut tracks = Tracks::default();
        if self.job.has_audio && has("opus") {
            let output = self.folder.join(format!("sound-{index:05}.mka"));
            let arguments = compose::extract_arguments(&file, &output);
            self.run(&arguments, |_| {}).await?;
            tracks.sound = Some(output);
        }
        if has("vp8") {
            tracks.picture = Some(file);
        }
        Ok(tracks)
    }

    async fn sound(&self, files: &[Option<&Path>]) -> Result<Option<PathBuf>, ComposeError> {
        if !self.job.has_audio {
            return Ok(None);
        }
        let output = self.folder.join("sound.m4a");
        let mut encoder = program(&self.tools.ffmpeg)
            .args(compose::sound_arguments(&output))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(does_not_start)?;
        let samples = encoder.stdin.take();
        let complaint = encoder.stderr.take();
        let (fed, complaint) = tokio::join!(self.mix(files, samples), last_of(complaint));
        ended(&mut encoder, &complaint).await?;
        fed?;
        Ok(Some(output))
    }

    /// Writes the sound of the whole archive to an encoder, and hangs up.
    async fn mix(
        &self,
        files: &[Option<&Path>],
        encoder: Option<ChildStdin>,
    ) -> Result<(), ComposeError> {
        let Some(mut encoder) = encoder else {
            return Ok(());
        };
        let manifest = &self.job.manifest;
        let total = compose::samples(manifest.duration_ms);
        let minute = bytes(compose::MIX_SAMPLES);
        let mut ending = Vec::new();
        let mut done = 0;
        while done < total {
            let mut mixed = match compose::mix_arguments(manifest, files, done) {
                Some(arguments) => self.mix_minute(&arguments).await?,
                None => Vec::new(),
            };
            mixed.resize(minute + bytes(compose::FADE_SAMPLES), 0);
            compose::fade(&ending, &mut mixed);
            ending = mixed.split_off(minute);
            mixed.truncate(bytes(total - done));
            encoder.write_all(&mixed).await.map_err(hung_up)?;
            done = (done + compose::MIX_SAMPLES).min(total);
            self.report(SOUND_PERCENT * done / total);
        }
        encoder.shutdown().await.map_err(hung_up)
    }

    /// What ffmpeg mixes.
    async fn mix_minute(&self, arguments: &[String]) -> Result<Vec<u8>, ComposeError> {
        let mut child = program(&self.tools.ffmpeg)
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(does_not_start)?;
        let stdout = child.stdout.take();
        let complaint = child.stderr.take();
        let read = async {
            let mut mixed = Vec::new();
            if let Some(stdout) = stdout {
                // A filter that gave more than it was asked for would be of no use.
                let limit = compose::MIX_SAMPLES + 2 * compose::FADE_SAMPLES;
                let mut stdout = stdout.take(bytes(limit) as u64);
                stdout.read_to_end(&mut mixed).await.map_err(hung_up)?;
            }
            Ok(mixed)
        };
        let (mixed, complaint) = tokio::join!(read, last_of(complaint));
        ended(&mut child, &complaint).await?;
        mixed
    }

    /// Returns the list of its pieces.
    async fn picture(&self, files: &[Option<&Path>]) -> Result<Option<PathBuf>, ComposeError> {
        let job = self.job;
        if !job.has_video {
            return Ok(None);
        }
        let segments = compose::segments(&job.manifest, job.layout, job.resolution);
        let total = compose::frames(job.manifest.duration_ms);
        let mut names = Vec::new();
        for (index, segment) in segments.iter().enumerate() {
            let name = format!("picture-{index:05}.mp4");
            let arguments = compose::picture_arguments(
                segment,
                &job.manifest,
                files,
                Film {
                    resolution: job.resolution,
                    quality: job.quality,
                },
                self.threads,
                &self.folder.join(&name),
            );
            self.run(&arguments, |line| {
                if let Some(frame) = number(line, "frame=") {
                    let done = (segment.from_frame + frame).min(segment.to_frame);
                    self.report(SOUND_PERCENT + PICTURE_PERCENT * done / total);
                }
            })
            .await?;
            names.push(name);
        }
        let list = self.folder.join("picture.txt");
        let text = compose::concat_list(names.iter().map(String::as_str));
        fs::write(&list, text).await.map_err(cannot_write)?;
        Ok(Some(list))
    }

    /// An archive without a poster is as good.
    async fn poster(&self, video: &Path, duration_ms: u64) -> Option<PathBuf> {
        if !self.job.has_video {
            return None;
        }
        let output = self.folder.join(POSTER_FILE);
        let arguments = compose::poster_arguments(video, duration_ms / 3, &output);
        match self.run(&arguments, |_| {}).await {
            Ok(()) => output.exists().then_some(output),
            Err(problem) => {
                warn!("No poster: {problem}");
                None
            }
        }
    }

    /// The length of a finished file in ms, which has to be what was asked for.
    async fn verify(&self, file: &Path) -> Result<u64, ComposeError> {
        let probed = self.probe(file).await?;
        let wanted: &[(bool, &str)] = &[(self.job.has_video, "h264"), (self.job.has_audio, "aac")];
        for (_, codec) in wanted.iter().filter(|(is_wanted, _)| *is_wanted) {
            if !probed
                .streams
                .iter()
                .any(|stream| stream.codec_name == *codec)
            {
                return Err(ComposeError::Failed(format!("it came out without {codec}")));
            }
        }
        let duration_ms = probed.format.milliseconds().unwrap_or(0);
        let asked_ms = self.job.manifest.duration_ms;
        // A hundredth; of a short archive, two frames and AAC's last block.
        let tolerance_ms = (asked_ms / 100).max(150);
        if duration_ms.abs_diff(asked_ms) > tolerance_ms {
            return Err(ComposeError::Failed(format!(
                "it came out {duration_ms} ms long instead of {asked_ms} ms"
            )));
        }
        Ok(duration_ms)
    }

    async fn probe(&self, file: &Path) -> Result<Probed, ComposeError> {
        let mut command = program(&self.tools.ffprobe);
        command.args(["-v", "error", "-show_entries"]);
        command.args(["format=duration:stream=codec_name", "-of", "json"]);
        command.arg(file);
        let output = command
            .output()
            .await
            .map_err(|error| ComposeError::Failed(format!("ffprobe: {error}")))?;
        serde_json::from_slice(&output.stdout).map_err(|_| {
            warn!("ffprobe said {:?}", String::from_utf8_lossy(&output.stderr));
            ComposeError::Failed("a file came out unreadable".to_owned())
        })
    }

    /// Runs ffmpeg to its end, and hands over each line of its progress.
    async fn run(
        &self,
        arguments: &[String],
        mut on_line: impl FnMut(&str),
    ) -> Result<(), ComposeError> {
        let mut child = program(&self.tools.ffmpeg)
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(does_not_start)?;
        let stdout = child.stdout.take().map(BufReader::new);
        let stderr = child.stderr.take();
        let progress = async {
            let Some(mut lines) = stdout.map(AsyncBufReadExt::lines) else {
                return;
            };
            while let Ok(Some(line)) = lines.next_line().await {
                on_line(&line);
            }
        };
        let ((), complaint) = tokio::join!(progress, last_of(stderr));
        ended(&mut child, &complaint).await
    }

    fn report(&self, percent: u64) {
        let percent = u8::try_from(percent.min(99)).unwrap_or(99);
        self.percent.send_if_modified(|current| {
            let is_more = percent > *current;
            *current = percent.max(*current);
            is_more
        });
    }
}

/// The files in which a stream's media are.
#[derive(Default)]
struct Tracks {
    picture: Option<PathBuf>,
    sound: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Probed {
    #[serde(default)]
    streams: Vec<ProbedStream>,
    format: ProbedFormat,
}

#[derive(Deserialize)]
struct ProbedStream {
    #[serde(default)]
    codec_name: String,
}

#[derive(Deserialize)]
struct ProbedFormat {
    /// Seconds.
    #[serde(default)]
    duration: String,
}

impl ProbedFormat {
    fn milliseconds(&self) -> Option<u64> {
        let seconds: f64 = self.duration.parse().ok()?;
        let duration = Duration::try_from_secs_f64(seconds).ok()?;
        u64::try_from(duration.as_millis()).ok()
    }
}

/// A program at the lowest priority that dies with its handle.
#[expect(clippy::disallowed_methods, reason = "this is the place")]
fn program(path: &Path) -> Command {
    let mut command = match find(Path::new("nice")) {
        Ok(nice) => {
            let mut command = Command::new(nice);
            command.args(["-n", "19"]).arg(path);
            command
        }
        Err(_) => Command::new(path),
    };
    // In a group of its own Ctrl-C at the terminal does not reach it: the server ends it in its own time.
    command
        .stdin(Stdio::null())
        .process_group(0)
        .kill_on_drop(true);
    command
}

fn find(program: &Path) -> Result<PathBuf, ComposeError> {
    if program.components().count() > 1 {
        if program.is_file() {
            return Ok(program.to_owned());
        }
    } else {
        let path = env::var_os("PATH").unwrap_or_default();
        let found = env::split_paths(&path)
            .map(|folder| folder.join(program))
            .find(|file| file.is_file());
        if let Some(found) = found {
            return Ok(found);
        }
    }
    Err(ComposeError::ToolMissing {
        program: program.display().to_string(),
    })
}

async fn make_empty(folder: &Path) -> Result<(), ComposeError> {
    match fs::remove_dir_all(folder).await {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(cannot_write(error)),
        _ => {}
    }
    fs::create_dir_all(folder).await.map_err(cannot_write)
}

#[expect(clippy::needless_pass_by_value, reason = "handed to map_err")]
fn cannot_write(error: io::Error) -> ComposeError {
    ComposeError::Failed(format!("the archive's folder cannot be written ({error})"))
}

/// The bytes of so many samples: a minute's at most.
fn bytes(samples: u64) -> usize {
    usize::try_from(samples.saturating_mul(compose::SAMPLE_BYTES)).unwrap_or(usize::MAX)
}

#[expect(clippy::needless_pass_by_value, reason = "handed to map_err")]
fn hung_up(error: io::Error) -> ComposeError {
    ComposeError::Failed(format!("ffmpeg ended too early ({error})"))
}

#[expect(clippy::needless_pass_by_value, reason = "handed to map_err")]
fn does_not_start(error: io::Error) -> ComposeError {
    ComposeError::Failed(format!("ffmpeg does not start ({error})"))
}

/// Waits for a program to end, and logs its complaint if that was not in order.
async fn ended(child: &mut Child, complaint: &str) -> Result<(), ComposeError> {
    let status = child
        .wait()
        .await
        .map_err(|error| ComposeError::Failed(format!("ffmpeg: {error}")))?;
    if status.success() {
        return Ok(());
    }
    warn!("ffmpeg ended with {status}: {complaint}");
    Err(ComposeError::Failed(sentence(status)))
}

/// What a person is told of how ffmpeg ended.
fn sentence(status: ExitStatus) -> String {
    match (status.signal(), status.code()) {
        (Some(signal), _) => format!("ffmpeg was killed (signal {signal})"),
        (None, Some(code)) => format!("ffmpeg failed with code {code} (details in the server log)"),
        (None, None) => "ffmpeg failed (details in the server log)".to_owned(),
    }
}

/// The end of what a program complains about.
async fn last_of(stderr: Option<ChildStderr>) -> String {
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
        let excess = last.len().saturating_sub(COMPLAINT_BYTES);
        last.drain(..excess);
    }
    String::from_utf8_lossy(&last).trim().to_owned()
}

/// The number behind `key` in a line of ffmpeg's progress.
fn number(line: &str, key: &str) -> Option<u64> {
    line.strip_prefix(key)?.trim().parse().ok()
}
