//! Composes with ffmpeg.
//!
//! Dropping the future kills the child process. All unfinished files are in `compose.tmp/` inside the archive's folder;
//! finished files are probed, then renamed out of it.
//!
//! A stream that ffmpeg cannot decode spoils that stream at most: when a run fails, each of its inputs is decoded alone, and the
//! run is repeated without those that fail. [`Composed::damage`] names them.

use std::{
    collections::BTreeSet,
    io,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use serde::Deserialize;
use tokio::{
    fs,
    io::{AsyncWriteExt, BufReader},
    process::ChildStdin,
    sync::watch,
};
use tracing::{info, instrument, warn};

use super::{
    child_process::{self, find, first_of, last_of},
    compose::{self, Film, Segment},
    recording::discard_journals,
    zip_archive::pack,
};
use crate::archive::{
    composer::{COMPOSED_FILE, ComposeError, ComposeJob, Composed, Composer, POSTER_FILE, PackJob},
    download::plain_name,
    recording::Manifest,
};

/// Holds everything unfinished.
const WORK_FOLDER: &str = "compose.tmp";

/// So many times an archive's length may composing take.
const TIMEOUT_FACTOR: u32 = 4;
/// What even the shortest archive may take: at the lowest priority a busy machine leaves it little.
const TIMEOUT_LEAST: Duration = Duration::from_secs(600);

/// The maximum output of ffprobe, in bytes: a file of ours gives 200.
const MAX_PROBED: usize = 64 * 1024;

/// Percent of the work that the sound is; the picture is the rest, but for the last two.
const SOUND_PERCENT: u64 = 5;
const PICTURE_PERCENT: u64 = 93;

/// Composes with ffmpeg.
#[derive(Clone, Debug)]
pub struct Ffmpeg {
    /// A path, or a name to be found in `PATH`.
    ffmpeg: PathBuf,
    /// Likewise.
    ffprobe: PathBuf,
    /// Threads of the encoder.
    threads: usize,
}

impl Ffmpeg {
    /// Both are paths, or names to be found in `PATH`.
    pub fn new(ffmpeg: impl Into<PathBuf>, ffprobe: impl Into<PathBuf>) -> Ffmpeg {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Ffmpeg {
            ffmpeg: ffmpeg.into(),
            ffprobe: ffprobe.into(),
            threads: (cores / 2).max(1),
        }
    }

    /// Where ffmpeg and ffprobe are.
    ///
    /// # Errors
    /// [`ComposeError::ToolMissing`].
    pub fn find(&self) -> Result<Tools, ComposeError> {
        let found = |program: &Path| {
            find(program).ok_or_else(|| ComposeError::ToolMissing {
                program: program.display().to_string(),
            })
        };
        Ok(Tools {
            ffmpeg: found(&self.ffmpeg)?,
            ffprobe: found(&self.ffprobe)?,
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
            damage: Mutex::default(),
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
    /// The streams, by their index in the manifest, of which something could not be decoded.
    damage: Mutex<BTreeSet<(usize, Medium)>>,
}

/// What a stream has of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Medium {
    Sound,
    Picture,
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
            damage: self.damage_sentence(),
        })
    }

    /// Records that a stream cannot be decoded.
    ///
    /// # Errors
    /// The run's, if it does not tell anything about the stream.
    fn record_damage(
        &self,
        stream: usize,
        medium: Medium,
        error: RunError,
    ) -> Result<(), ComposeError> {
        let RunError::Refused(error) = error else {
            return Err(error.into());
        };
        warn!(stream, ?medium, %error, "Decoding a stream failed; composing without it");
        self.damage().insert((stream, medium));
        Ok(())
    }

    fn damage(&self) -> std::sync::MutexGuard<'_, BTreeSet<(usize, Medium)>> {
        self.damage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Names what the file lacks, as the text of a sentence for users; empty: it lacks nothing.
    fn damage_sentence(&self) -> String {
        let damage = self.damage();
        let streams = &self.job.manifest.streams;
        let names = |wanted| {
            let of_medium = damage.iter().filter(move |(_, medium)| *medium == wanted);
            let names: BTreeSet<_> = of_medium
                .filter_map(|(stream, _)| streams.get(*stream))
                .map(|stream| match stream.name.as_str() {
                    "" => "someone without a name",
                    name => name,
                })
                .collect();
            names.into_iter().collect::<Vec<_>>().join(", ")
        };
        let parts = [("video", Medium::Picture), ("sound", Medium::Sound)];
        let parts = parts.map(|(noun, medium)| (noun, names(medium)));
        let parts: Vec<_> = parts
            .iter()
            .filter(|(_, names)| !names.is_empty())
            .map(|(noun, names)| format!("the {noun} of {names}"))
            .collect();
        if parts.is_empty() {
            return String::new();
        }
        format!(
            "some of this recording could not be decoded and is missing from the file: {}",
            parts.join("; ")
        )
    }

    /// Where the picture and the sound of a stream are.
    async fn tracks(&self, index: usize, file: PathBuf) -> Result<Tracks, ComposeError> {
        let codecs = match self.probe(&file).await {
            Ok(probed) => probed.streams,
            Err(error) => {
                self.record_damage(index, Medium::Sound, error.clone())?;
                self.record_damage(index, Medium::Picture, error)?;
                return Ok(Tracks::default());
            }
        };
        let has = |codec: &str| codecs.iter().any(|stream| stream.codec_name == codec);
        let mut tracks = Tracks::default();
        if self.job.has_audio && has("opus") {
            let output = self.folder.join(format!("sound-{index:05}.mka"));
            let arguments = compose::extract_arguments(&file, &output);
            match self.run(&arguments, |_| {}).await {
                Ok(()) => tracks.sound = Some(output),
                Err(error) => self.record_damage(index, Medium::Sound, error)?,
            }
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
        let arguments = compose::sound_arguments(&output);
        let ffmpeg = &self.tools.ffmpeg;
        let mut encoder = child_process::start(ffmpeg, &arguments, Stdio::piped(), Stdio::null())
            .await
            .map_err(does_not_start)?;
        let samples = encoder.stdin.take();
        let complaint = encoder.stderr.take();
        let (fed, complaint) = tokio::join!(self.mix(files, samples), last_of(complaint));
        let status = encoder
            .wait()
            .await
            .map_err(|error| ComposeError::Failed(format!("ffmpeg: {error}")))?;
        check(status, &complaint)?;
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
            let mut mixed = self.mix_minute(manifest, files, done).await?;
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

    /// The samples of a minute, without the streams that cannot be decoded.
    async fn mix_minute(
        &self,
        manifest: &Manifest,
        files: &[Option<&Path>],
        from_sample: u64,
    ) -> Result<Vec<u8>, ComposeError> {
        let arguments =
            |files: &[Option<&Path>]| compose::mix_arguments(manifest, files, from_sample);
        let Some(all) = arguments(files) else {
            return Ok(Vec::new());
        };
        let failure = match self.mixed(&all).await {
            Ok(mixed) => return Ok(mixed),
            Err(RunError::Other(error)) => return Err(error),
            Err(RunError::Refused(error)) => error,
        };
        let mut decodable = files.to_vec();
        for (index, file) in files.iter().enumerate() {
            let mut alone = vec![None; files.len()];
            alone[index] = *file;
            if let Some(alone) = arguments(&alone)
                && let Err(error) = self.mixed(&alone).await
            {
                self.record_damage(index, Medium::Sound, error)?;
                decodable[index] = None;
            }
        }
        if decodable == files {
            return Err(failure);
        }
        match arguments(&decodable) {
            Some(rest) => Ok(self.mixed(&rest).await?),
            None => Ok(Vec::new()),
        }
    }

    /// The samples that ffmpeg mixes.
    async fn mixed(&self, arguments: &[String]) -> Result<Vec<u8>, RunError> {
        let samples = bytes(compose::MIX_SAMPLES + compose::FADE_SAMPLES);
        let read = async |stdout| first_of(stdout, samples).await;
        let ended = child_process::run(&self.tools.ffmpeg, arguments, read)
            .await
            .map_err(does_not_start)?;
        check(ended.status, &ended.error)?;
        Ok(ended.output.map_err(hung_up)?)
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
            let output = self.folder.join(&name);
            self.draw(segment, files, &output, |frame| {
                let done = (segment.from_frame + frame).min(segment.to_frame);
                self.report(SOUND_PERCENT + PICTURE_PERCENT * done / total);
            })
            .await?;
            names.push(name);
        }
        let list = self.folder.join("picture.txt");
        let text = compose::concat_list(names.iter().map(String::as_str));
        fs::write(&list, text).await.map_err(cannot_write)?;
        Ok(Some(list))
    }

    /// Makes the picture of a segment, without the streams that cannot be decoded.
    async fn draw(
        &self,
        segment: &Segment,
        files: &[Option<&Path>],
        output: &Path,
        mut on_frame: impl FnMut(u64),
    ) -> Result<(), ComposeError> {
        let job = self.job;
        let film = Film {
            resolution: job.resolution,
            quality: job.quality,
        };
        let arguments = |segment: &Segment, files: &[Option<&Path>]| {
            compose::picture_arguments(segment, &job.manifest, files, film, self.threads, output)
        };
        let all = arguments(segment, files);
        let drawn = self.run(&all, |line| {
            if let Some(frame) = number(line, "frame=") {
                on_frame(frame);
            }
        });
        let failure = match drawn.await {
            Ok(()) => return Ok(()),
            Err(RunError::Other(error)) => return Err(error),
            Err(RunError::Refused(error)) => error,
        };
        let mut decodable = files.to_vec();
        for tile in &segment.tiles {
            let alone = Segment {
                tiles: vec![tile.clone()],
                ..segment.clone()
            };
            let has_input = tile.shown_since_ms.is_some();
            if has_input && let Err(error) = self.run(&arguments(&alone, files), |_| {}).await {
                self.record_damage(tile.stream, Medium::Picture, error)?;
                if let Some(file) = decodable.get_mut(tile.stream) {
                    *file = None;
                }
            }
        }
        if decodable == files {
            return Err(failure);
        }
        Ok(self.run(&arguments(segment, &decodable), |_| {}).await?)
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

    async fn probe(&self, file: &Path) -> Result<Probed, RunError> {
        let options = "-v error -show_entries format=duration:stream=codec_name -of json";
        let mut arguments: Vec<String> = options.split(' ').map(str::to_owned).collect();
        arguments.push(file.to_string_lossy().into_owned());
        let read = async |stdout| first_of(stdout, MAX_PROBED).await.unwrap_or_default();
        let ended = child_process::run(&self.tools.ffprobe, &arguments, read)
            .await
            .map_err(|error| ComposeError::Failed(format!("ffprobe does not start ({error})")))?;
        if let Some(signal) = ended.status.signal() {
            let killed = format!("ffprobe was killed (signal {signal})");
            return Err(ComposeError::Failed(killed).into());
        }
        serde_json::from_slice(&ended.output).map_err(|_| {
            warn!(error = ended.error, "ffprobe cannot read a file");
            RunError::Refused(ComposeError::Failed(
                "a file came out unreadable".to_owned(),
            ))
        })
    }

    /// Runs ffmpeg to its end, and hands over each line of its progress.
    async fn run(
        &self,
        arguments: &[String],
        mut on_line: impl FnMut(&str),
    ) -> Result<(), RunError> {
        let read =
            async |stdout| child_process::for_each_line(BufReader::new(stdout), &mut on_line).await;
        let ended = child_process::run(&self.tools.ffmpeg, arguments, read)
            .await
            .map_err(does_not_start)?;
        check(ended.status, &ended.error)
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

/// Why a run failed.
#[derive(Clone, Debug)]
enum RunError {
    /// The program ended by itself: it may not be able to decode its input.
    Refused(ComposeError),
    /// It was killed or did not start: the input may be good.
    Other(ComposeError),
}

impl From<ComposeError> for RunError {
    fn from(error: ComposeError) -> RunError {
        RunError::Other(error)
    }
}

impl From<RunError> for ComposeError {
    fn from(error: RunError) -> ComposeError {
        match error {
            RunError::Refused(error) | RunError::Other(error) => error,
        }
    }
}

impl std::fmt::Display for RunError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (RunError::Refused(error) | RunError::Other(error)) = self;
        error.fmt(f)
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

/// Logs the error of a program that failed.
fn check(status: ExitStatus, error: &str) -> Result<(), RunError> {
    if status.success() {
        return Ok(());
    }
    warn!(%status, error, "ffmpeg failed");
    let error = ComposeError::Failed(sentence(status));
    Err(match status.code() {
        Some(_) => RunError::Refused(error),
        None => RunError::Other(error),
    })
}

/// What a person is told of how ffmpeg ended.
fn sentence(status: ExitStatus) -> String {
    match (status.signal(), status.code()) {
        (Some(signal), _) => format!("ffmpeg was killed (signal {signal})"),
        (None, Some(code)) => format!("ffmpeg failed with code {code} (details in the server log)"),
        (None, None) => "ffmpeg failed (details in the server log)".to_owned(),
    }
}

/// The number behind `key` in a line of ffmpeg's progress.
fn number(line: &str, key: &str) -> Option<u64> {
    line.strip_prefix(key)?.trim().parse().ok()
}
