//! Composing with the real ffmpeg: what was recorded is seen and heard where and when it happened.
//!
//! The streams are made here: a colour and a tone of its own for each, so that a decoded frame tells who is where, and
//! the strength of each tone who is heard.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "times of a short recording become indices"
)]

use std::{
    f64::consts::TAU,
    path::Path,
    process::{Command, Output},
};

use parlor::{
    archive::{
        ArchiveId, Layout, Quality, Resolution,
        composer::{ComposeError, ComposeJob, Composed, Composer},
        recording::{Manifest, RecordedStream, Span},
    },
    recorder::ffmpeg::Ffmpeg,
    session::{ConnectionId, StreamId},
};
use tempfile::TempDir;
use tokio::sync::watch;

use crate::people::until;

const DURATION_MS: u64 = 30_000;
const SAMPLE_RATE: usize = 8000;
/// Frames that are decoded to be looked at: pixels, and how many a second.
const WIDTH: usize = 160;
const HEIGHT: usize = 120;
const RATE: usize = 30;

const RED: [u8; 3] = [255, 0, 0];
const GREEN: [u8; 3] = [0, 128, 0];
const BLUE: [u8; 3] = [0, 0, 255];

/// ```text
///        0    5    10   15   18 20   25   30 s
/// ann    ███████████████████████████████████  red, 440 Hz; a white flash and a beep at 8 s; changes size at 12 s
/// bob         █████████                       green, 660 Hz; picture from 5.6 s on, silence from 7 to 9 s
/// cem              ██████████████░░█████      blue, 880 Hz; camera off from 18 to 20 s
/// ```
fn three_people(folder: &Path) -> Manifest {
    let sound = "0.2*sin(2*PI*440*t)+if(between(t,8,8.2),0.4*sin(2*PI*1760*t),0)";
    let flash = "drawbox=c=white:t=fill:enable='between(t,8,8.2)'";
    make(folder, "ann-1.webm", "red", "160x120", 12, sound, flash);
    let sound = "0.2*sin(2*PI*440*t)";
    make(folder, "ann-2.webm", "red", "96x72", 18, sound, "null");
    std::fs::write(folder.join("ann.txt"), "file ann-1.webm\nfile ann-2.webm\n").unwrap();
    ffmpeg(
        folder,
        &["-f", "concat", "-i", "ann.txt", "-c", "copy", "ann.webm"],
    );

    // The sound's file time is 0 when the picture's is still 0.6 s away, and no packets came for two seconds.
    let sound = "0.2*sin(2*PI*660*t)";
    make(folder, "bob-1.webm", "green", "160x120", 10, sound, "null");
    let holes = "-bsf:a noise=drop='between(pts*tb\\,2\\,4)' -bsf:v noise=drop='lt(pts*tb\\,0.6)'";
    let arguments: Vec<&str> = ["-i", "bob-1.webm", "-c", "copy"]
        .into_iter()
        .chain(holes.split(' '))
        .chain(["bob.webm"])
        .collect();
    ffmpeg(folder, &arguments);

    let sound = "0.2*sin(2*PI*880*t)";
    make(folder, "cem.webm", "blue", "120x160", 15, sound, "null");
    Manifest {
        duration_ms: DURATION_MS,
        layouts: Vec::new(),
        streams: vec![
            stream("ann", (0, 30_000), &[(0, 30_000)]),
            stream("bob", (5_000, 15_000), &[(5_000, 15_000)]),
            stream(
                "cem",
                (10_000, 25_000),
                &[(10_000, 18_000), (20_000, 25_000)],
            ),
        ],
    }
}

fn stream(name: &str, (joined_ms, left_ms): (u64, u64), shown: &[(u64, u64)]) -> RecordedStream {
    RecordedStream {
        stream: StreamId::random(),
        connection: ConnectionId::random(),
        connection_data: String::new(),
        name: name.to_owned(),
        video_type: "camera".to_owned(),
        joined_ms,
        left_ms,
        file: Some(format!("{name}.webm")),
        starts_ms: joined_ms,
        ends_ms: left_ms,
        size_bytes: 1,
        has_audio: true,
        has_video: true,
        present: Vec::new(),
        classes: Vec::new(),
        shown: shown
            .iter()
            .map(|&(from_ms, to_ms)| Span { from_ms, to_ms })
            .collect(),
    }
}

/// A WebM as the recorder writes it: VP8 in one colour, Opus in one tone.
fn make(
    folder: &Path,
    name: &str,
    colour: &str,
    size: &str,
    seconds: u32,
    sound: &str,
    filter: &str,
) {
    let picture = format!("color={colour}:s={size}:r=15:d={seconds},{filter}");
    let sound = format!("aevalsrc='{sound}':s=48000:d={seconds}");
    let inputs = ["-f", "lavfi", "-i", &picture, "-f", "lavfi", "-i", &sound];
    let codecs = "-c:v libvpx -deadline realtime -cpu-used 8 -b:v 300k -g 9 -c:a libopus -b:a 48k";
    let arguments: Vec<&str> = inputs
        .into_iter()
        .chain(codecs.split(' '))
        .chain([name])
        .collect();
    ffmpeg(folder, &arguments);
}

fn ffmpeg(folder: &Path, arguments: &[&str]) -> Output {
    run(
        "ffmpeg",
        folder,
        &[&["-v", "error", "-y"], arguments].concat(),
    )
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test looks at files from outside"
)]
fn run(program: &str, folder: &Path, arguments: &[&str]) -> Output {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {complaint}"
    );
    output
}

fn job(folder: &Path, manifest: Manifest) -> ComposeJob {
    ComposeJob {
        archive: ArchiveId::random(),
        folder: folder.to_owned(),
        manifest,
        resolution: Resolution::R640X480,
        layout: Layout::default(),
        quality: Quality::Usual,
        has_audio: true,
        has_video: true,
    }
}

async fn compose(job: &ComposeJob) -> Result<Composed, ComposeError> {
    let (percent, _) = watch::channel(0);
    Ffmpeg::new("ffmpeg", "ffprobe")
        .compose(job, &percent)
        .await
}

/// The composed file, decoded.
struct Decoded {
    /// RGB, `WIDTH` by `HEIGHT`, `RATE` a second.
    frames: Vec<u8>,
    samples: Vec<f64>,
}

impl Decoded {
    fn of(folder: &Path) -> Decoded {
        let scale = format!("scale={WIDTH}:{HEIGHT}:flags=neighbor");
        let arguments = [
            "-i",
            "archive.mp4",
            "-vf",
            &scale,
            "-pix_fmt",
            "rgb24",
            "-f",
            "rawvideo",
            "-",
        ];
        Decoded {
            frames: ffmpeg(folder, &arguments).stdout,
            ..Decoded::sound_of(folder)
        }
    }

    fn sound_of(folder: &Path) -> Decoded {
        let arguments = "-i archive.mp4 -vn -ac 1 -ar 8000 -f s16le -";
        let arguments: Vec<&str> = arguments.split(' ').collect();
        let samples = ffmpeg(folder, &arguments)
            .stdout
            .chunks_exact(2)
            .map(|bytes| f64::from(i16::from_le_bytes([bytes[0], bytes[1]])) / 32768.0)
            .collect();
        Decoded {
            frames: Vec::new(),
            samples,
        }
    }

    fn count(&self) -> usize {
        self.frames.len() / (WIDTH * HEIGHT * 3)
    }

    /// The colour at a place of the 640x480 picture.
    fn at(&self, seconds: f64, (x, y): (usize, usize)) -> [u8; 3] {
        let frame = (seconds * RATE as f64).round() as usize;
        let pixel = frame * WIDTH * HEIGHT + y / 4 * WIDTH + x / 4;
        self.frames[pixel * 3..][..3].try_into().unwrap()
    }

    /// Amplitude of a tone between two times (Goertzel).
    fn tone(&self, hertz: f64, from: f64, to: f64) -> f64 {
        let rate = SAMPLE_RATE as f64;
        let part = &self.samples[(from * rate) as usize..(to * rate) as usize];
        let (mut re, mut im) = (0.0, 0.0);
        for (n, sample) in part.iter().enumerate() {
            let angle = TAU * hertz * n as f64 / rate;
            re += sample * angle.cos();
            im += sample * angle.sin();
        }
        2.0 * (re * re + im * im).sqrt() / part.len() as f64
    }
}

fn is(colour: [u8; 3], wanted: [u8; 3]) -> bool {
    colour.iter().zip(wanted).all(|(a, b)| a.abs_diff(b) < 40)
}

#[tokio::test]
async fn everybody_is_seen_and_heard_where_and_when_they_were_there() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    let manifest = three_people(folder);

    let composed = compose(&job(folder, manifest)).await.unwrap();

    // The file: what it is, how long, and that it plays while it is being fetched.
    assert!(
        composed.duration_ms.abs_diff(DURATION_MS) < 100,
        "{composed:?}"
    );
    assert!(composed.has_poster && folder.join("poster.jpg").exists());
    let probe =
        "-v error -show_entries stream=codec_name,width,height,nb_frames -of csv=p=0 archive.mp4";
    let probed = run("ffprobe", folder, &probe.split(' ').collect::<Vec<_>>()).stdout;
    let probed = String::from_utf8(probed).unwrap();
    let lines: Vec<&str> = probed.lines().collect();
    assert_eq!(lines[0], "h264,640,480,900");
    assert!(lines[1].starts_with("aac,"), "{probed}");
    let bytes = std::fs::read(folder.join("archive.mp4")).unwrap();
    let place = |atom: &[u8]| bytes.windows(4).position(|window| window == atom).unwrap();
    assert!(place(b"moov") < place(b"mdat"));
    assert!(!folder.join("compose.tmp").exists());

    let decoded = Decoded::of(folder);
    assert_eq!(decoded.count(), 900);
    // Tiles: one fills the picture, two stand side by side, of three the third is below in the middle.
    let (alone, left, right) = ((320, 240), (160, 240), (480, 240));
    let (upper_left, upper_right, below) = ((160, 120), (480, 120), (320, 360));
    let sees = |seconds: f64, place, colour| {
        let found = decoded.at(seconds, place);
        assert!(
            is(found, colour),
            "at {seconds} s, {place:?}: {found:?} instead of {colour:?}"
        );
    };
    for seconds in [0.3, 2.0, 4.9, 25.1, 29.9] {
        sees(seconds, alone, RED);
        sees(seconds, (20, 20), RED);
    }
    assert!(!is(decoded.at(5.5, right), GREEN), "no frame has come yet");
    for seconds in [5.7, 7.0, 9.9] {
        sees(seconds, left, RED);
        sees(seconds, right, GREEN);
        // Pictures keep their shape.
        assert!(!is(decoded.at(seconds, (480, 40)), GREEN));
    }
    for seconds in [10.3, 11.9, 12.3, 14.9] {
        sees(seconds, upper_left, RED);
        sees(seconds, upper_right, GREEN);
        sees(seconds, below, BLUE);
    }
    for seconds in [15.1, 17.9, 20.3, 24.9] {
        sees(seconds, left, RED);
        sees(seconds, right, BLUE);
    }
    for seconds in [18.1, 19.0, 19.9] {
        let found = decoded.at(seconds, right);
        assert!(
            !is(found, BLUE),
            "the camera is off at {seconds} s: {found:?}"
        );
        sees(seconds, left, RED);
    }

    // Each voice is as loud as ever, from when it came to when it went, but for the hole in bob's.
    let heard = |hertz: f64, from: f64, to: f64| decoded.tone(hertz, from, to);
    let spoken = [
        (440.0, &[(0.1, 29.9)][..], &[][..]),
        (
            660.0,
            &[(5.1, 6.9), (9.2, 14.9)],
            &[(0.0, 4.9), (7.1, 8.9), (15.1, 29.9)],
        ),
        (880.0, &[(10.1, 24.9)], &[(0.0, 9.9), (25.1, 29.9)]),
    ];
    for (hertz, loud, silent) in spoken {
        for &(from, to) in loud {
            for second in 0..(to - from) as usize {
                let from = from + second as f64;
                let level = heard(hertz, from, from + 0.5);
                assert!(
                    (0.12..0.24).contains(&level),
                    "{hertz} Hz at {from} s: {level}"
                );
            }
        }
        for &(from, to) in silent {
            let level = heard(hertz, from, to);
            assert!(level < 0.01, "{hertz} Hz from {from} to {to} s: {level}");
        }
    }

    // The flash and the beep that began together at 8 s.
    let flash = (0..900_u32)
        .map(|frame| f64::from(frame) / RATE as f64)
        .find(|&seconds| is(decoded.at(seconds, left), [255, 255, 255]) && seconds > 5.0)
        .unwrap();
    let beep = (0..3000)
        .map(|step| f64::from(step) / 100.0)
        .find(|&seconds| seconds < 29.0 && heard(1760.0, seconds, seconds + 0.01) > 0.2)
        .unwrap();
    assert!((flash - 8.0).abs() < 0.08, "flash at {flash} s");
    assert!(
        (flash - beep).abs() < 0.08,
        "flash at {flash} s, beep at {beep} s"
    );
}

#[tokio::test]
async fn a_voice_goes_on_without_a_break_from_one_minute_to_the_next() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    let tone = "aevalsrc='0.2*sin(2*PI*440*t)':s=48000:d=130";
    let arguments = [
        "-f",
        "lavfi",
        "-i",
        tone,
        "-c:a",
        "libopus",
        "-b:a",
        "48k",
        "long.webm",
    ];
    ffmpeg(folder, &arguments);
    // No packets for more than a minute: somebody was muted.
    let drop = "noise=drop='between(pts*tb\\,20\\,90)'";
    let arguments = ["-i", "long.webm", "-c", "copy", "-bsf:a", drop, "ann.webm"];
    ffmpeg(folder, &arguments);
    std::fs::rename(folder.join("long.webm"), folder.join("bob.webm")).unwrap();
    let mut manifest = Manifest {
        duration_ms: 131_000,
        layouts: Vec::new(),
        streams: vec![
            stream("ann", (1_000, 131_000), &[]),
            stream("bob", (1_000, 131_000), &[]),
        ],
    };
    // Heard alone: ann.
    manifest.streams[1].file = None;
    let audio_only = ComposeJob {
        has_video: false,
        ..job(folder, manifest.clone())
    };

    let composed = compose(&audio_only).await.unwrap();

    assert!(composed.duration_ms.abs_diff(131_000) < 100 && !composed.has_poster);
    let decoded = Decoded::sound_of(folder);
    for (from, to, is_heard) in [
        (0.0, 1.0, false),
        (1.1, 20.9, true),
        (21.1, 90.9, false),
        (91.2, 130.9, true),
    ] {
        for second in 0..(to - from) as usize {
            let from = from + second as f64;
            let level = decoded.tone(440.0, from, from + 0.8);
            assert_eq!(level > 0.12, is_heard, "at {from} s: {level}");
        }
    }

    // Heard alone: bob, who never paused. A click would be sound that is not his tone.
    manifest.streams[1].file = Some("bob.webm".to_owned());
    manifest.streams[0].file = None;
    compose(&ComposeJob {
        manifest,
        ..audio_only
    })
    .await
    .unwrap();
    let decoded = Decoded::sound_of(folder);
    for boundary in [60.0, 120.0] {
        let from = ((boundary - 0.5) * SAMPLE_RATE as f64) as usize;
        let around = &decoded.samples[from..from + SAMPLE_RATE];
        // His tone rises by 0.05 from one sample to the next at most.
        let steepest = around
            .windows(2)
            .map(|pair| (pair[1] - pair[0]).abs())
            .fold(0.0, f64::max);
        assert!(steepest < 0.065, "a click at {boundary} s: {steepest}");
        for part in around.chunks(80) {
            let loudest = part.iter().map(|x| x.abs()).fold(0.0, f64::max);
            assert!(loudest > 0.03, "a hole at {boundary} s: {loudest}");
        }
    }
}

#[tokio::test]
async fn an_archive_whose_people_never_sent_anything_that_can_be_read_still_has_its_length() {
    let folder = TempDir::new().unwrap();
    let mut silent = stream("ann", (0, 2_000), &[]);
    silent.file = None;
    let manifest = Manifest {
        duration_ms: 2_000,
        layouts: Vec::new(),
        streams: vec![silent],
    };

    let composed = compose(&job(folder.path(), manifest)).await.unwrap();

    assert!(composed.duration_ms.abs_diff(2_000) < 100);
}

#[tokio::test]
async fn what_is_in_the_way_is_said() {
    let folder = TempDir::new().unwrap();
    let missing = Ffmpeg::new("/nowhere/ffmpeg", "ffprobe");
    let (percent, _) = watch::channel(0);
    let error = missing
        .compose(&job(folder.path(), Manifest::default()), &percent)
        .await
        .unwrap_err();
    assert!(matches!(error, ComposeError::ToolMissing { .. }), "{error}");
    assert!(error.to_string().contains("is not installed"), "{error}");
}

/// Bob's pictures and sound are noise, Cem's file is none at all.
#[tokio::test]
async fn what_one_stream_sent_spoils_that_stream_alone() {
    let folder = TempDir::new().unwrap();
    let path = folder.path();
    let sound = "0.2*sin(2*PI*440*t)";
    make(path, "ann.webm", "red", "160x120", 4, sound, "null");
    make(path, "good.webm", "green", "160x120", 4, sound, "null");
    let noise = "-i good.webm -c copy -bsf:v noise=amount=1 -bsf:a noise=amount=1 bob.webm";
    ffmpeg(path, &noise.split(' ').collect::<Vec<_>>());
    std::fs::write(path.join("cem.webm"), b"this is no WebM").unwrap();
    let manifest = Manifest {
        duration_ms: 4_000,
        layouts: Vec::new(),
        streams: ["ann", "bob", "cem"]
            .map(|name| stream(name, (0, 4_000), &[(0, 4_000)]))
            .into(),
    };

    let composed = compose(&job(path, manifest)).await.unwrap();

    assert!(composed.duration_ms.abs_diff(4_000) < 100);
    // ffmpeg steps over Bob's noise.
    let told = "is missing from the file: the video of cem; the sound of cem";
    assert!(composed.damage.ends_with(told), "{}", composed.damage);
    assert!(!path.join("compose.tmp").exists());
}

/// More than one run of mixing, each of which has more to give than it is asked for.
#[tokio::test]
async fn several_voices_are_mixed_for_longer_than_a_minute() {
    let folder = TempDir::new().unwrap();
    let path = folder.path();
    for name in ["ann", "bob", "cem", "dan"] {
        let file = format!("{name}.webm");
        make(
            path,
            &file,
            "red",
            "32x32",
            150,
            "0.1*sin(2*PI*440*t)",
            "null",
        );
    }
    let manifest = Manifest {
        duration_ms: 130_000,
        layouts: Vec::new(),
        streams: ["ann", "bob", "cem", "dan"]
            .map(|name| stream(name, (0, 130_000), &[]))
            .into(),
    };
    let job = ComposeJob {
        has_video: false,
        ..job(path, manifest)
    };

    let composed = compose(&job).await.unwrap();

    assert!(composed.duration_ms.abs_diff(130_000) < 100);
    assert_eq!(composed.damage, "");
}

#[tokio::test]
async fn whoever_drops_the_work_ends_ffmpeg() {
    let folder = TempDir::new().unwrap();
    let manifest = Manifest {
        duration_ms: 3_600_000,
        layouts: Vec::new(),
        streams: vec![stream("ann", (0, 3_600_000), &[])],
    };
    let job = job(folder.path(), manifest);
    make(folder.path(), "ann.webm", "red", "32x32", 1, "0", "null");
    let (percent, mut percents) = watch::channel(0);

    let work = tokio::spawn(async move {
        Ffmpeg::new("ffmpeg", "ffprobe")
            .compose(&job, &percent)
            .await
    });
    percents.changed().await.unwrap();
    work.abort();
    assert!(work.await.unwrap_err().is_cancelled());

    let place = folder.path().to_string_lossy().into_owned();
    let ends = until(async || !runs_with(&place));
    tokio::time::timeout(std::time::Duration::from_secs(10), ends)
        .await
        .unwrap();
}

/// Whether any program runs that was given this text as a part of an argument.
fn runs_with(text: &str) -> bool {
    std::fs::read_dir("/proc").unwrap().any(|entry| {
        let line = std::fs::read(entry.unwrap().path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(text)
    })
}
