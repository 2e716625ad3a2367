//! Real pictures and real sound, made by ffmpeg, sent as RTP, recorded, and judged by ffprobe.

#[path = "../../../tests/it/ffmpeg.rs"]
mod ffmpeg;

use std::{
    fs,
    path::{Path, PathBuf},
};

use ffmpeg::{ivf_frames, ogg_packets, run};

use super::simulation::{Person, Simulation, watch};
use crate::{archive::recording::Manifest, session::media::MediaKind};

/// `seconds` of a black picture and silence; a white flash and a beep of 100 ms begin together at
/// each full second.
fn flashes_and_beeps(dir: &Path, size: &str, seconds: u32) -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
    let (ivf, ogg) = (dir.join("picture.ivf"), dir.join("sound.ogg"));
    let picture = format!("color=c=black:s={size}:r=30:d={seconds}");
    let flash = "drawbox=t=fill:c=white:enable='gte(t,0.5)*lt(mod(t,1),0.1)'";
    run(
        "ffmpeg",
        &[
            "-y",
            "-f",
            "lavfi",
            "-i",
            &picture,
            "-vf",
            flash,
            "-c:v",
            "libvpx",
            "-g",
            "45",
            "-deadline",
            "realtime",
            "-cpu-used",
            "8",
            "-lag-in-frames",
            "0",
            "-auto-alt-ref",
            "0",
            "-b:v",
            "400k",
            ivf.to_str().unwrap(),
        ],
    );
    let beep =
        format!("aevalsrc='0.5*sin(2*PI*1000*t)*gte(t,0.5)*lt(mod(t,1),0.1)':s=48000:d={seconds}");
    run(
        "ffmpeg",
        &[
            "-y",
            "-f",
            "lavfi",
            "-i",
            &beep,
            "-c:a",
            "libopus",
            "-ac",
            "1",
            "-frame_duration",
            "20",
            "-application",
            "voip",
            ogg.to_str().unwrap(),
        ],
    );
    (ivf_frames(&ivf), ogg_packets(&ogg))
}

/// Plays the media as somebody who joins at `from_us`; the picture takes `late_us` longer.
fn send(person: &mut Person, from_us: u64, late_us: u64, media: &(Vec<Vec<u8>>, Vec<Vec<u8>>)) {
    let (frames, packets) = media;
    for (n, packet) in (0..).zip(packets) {
        person.sound(from_us + n * 20_000, packet);
        if n % 250 == 125 {
            person.report(MediaKind::Audio, from_us + n * 20_000);
        }
    }
    let sound = person.sent.len();
    for (n, frame) in (0..).zip(frames) {
        person.picture(from_us + n * 1_000_000 / 30, frame);
        if n % 30 == 15 {
            person.report(MediaKind::Video, from_us + n * 1_000_000 / 30);
        }
    }
    for (at_us, _) in &mut person.sent[sound..] {
        *at_us += late_us;
    }
}

fn file(dir: &Path, manifest: &Manifest) -> PathBuf {
    dir.join(manifest.streams[0].file.as_ref().unwrap())
}

fn probe(path: &Path, arguments: &[&str]) -> Vec<String> {
    let mut all = arguments.to_vec();
    all.extend(["-of", "csv=p=0", path.to_str().unwrap()]);
    let text = run("ffprobe", &all);
    text.lines()
        .map(|line| line.trim_end_matches(',').to_owned())
        .collect()
}

/// When the picture turns white, in seconds of the file.
fn flashes(path: &Path) -> Vec<f64> {
    let graph = format!("movie={},signalstats", path.display());
    let lines = probe(
        Path::new(&graph),
        &[
            "-f",
            "lavfi",
            "-show_entries",
            "frame=pts_time:frame_tags=lavfi.signalstats.YAVG",
        ],
    );
    let mut white = false;
    let mut times = Vec::new();
    for line in lines {
        let (time, light) = line.split_once(',').unwrap();
        let was_white = std::mem::replace(&mut white, light.parse::<f64>().unwrap() > 120.0);
        if white && !was_white {
            times.push(time.parse().unwrap());
        }
    }
    times
}

/// When the beep begins, in seconds of the file.
fn beeps(path: &Path) -> Vec<f64> {
    let start = probe(
        path,
        &["-select_streams", "a", "-show_entries", "stream=start_time"],
    );
    let start: f64 = start[0].parse().unwrap();
    let raw = path.with_extension("s16");
    run(
        "ffmpeg",
        &[
            "-y",
            "-i",
            path.to_str().unwrap(),
            "-vn",
            "-af",
            "aresample=48000:async=1:first_pts=0",
            "-ac",
            "1",
            "-f",
            "s16le",
            raw.to_str().unwrap(),
        ],
    );
    let bytes = fs::read(raw).unwrap();
    let samples = bytes
        .chunks_exact(2)
        .map(|two| i16::from_le_bytes([two[0], two[1]]));
    let (mut times, mut quiet) = (Vec::new(), 0);
    for (n, sample) in samples.enumerate() {
        if sample.unsigned_abs() > 3000 {
            if quiet > 4800 {
                times.push(n as f64 / 48_000.0);
            }
            quiet = 0;
        } else {
            quiet += 1;
        }
    }
    assert!(
        start.abs() < 0.1,
        "first_pts=0 fills or cuts this much: {start}"
    );
    times
}

#[test]
fn a_flash_and_a_beep_made_together_are_played_together() {
    let dir = tempfile::tempdir().unwrap();
    let media = flashes_and_beeps(dir.path(), "320x240", 12);
    for late_us in [0, 150_000] {
        let mut ada = Person::new();
        ada.joins(2000, true, true);
        send(&mut ada, 2_000_000, late_us, &media);
        let mut simulation = Simulation::open();
        simulation.take_all(&[&ada]);
        let (archive, manifest) = simulation.stop(14_500);
        let path = file(archive.path(), &manifest);

        let (flashes, beeps) = (flashes(&path), beeps(&path));

        assert_eq!((flashes.len(), beeps.len()), (11, 11));
        for (flash, beep) in flashes.iter().zip(&beeps) {
            assert!((flash - beep).abs() < 0.02, "{late_us}: {flash} {beep}");
        }
        let second = flashes[0] * 1000.0 + manifest.streams[0].starts_ms as f64;
        assert!(
            (second - 3015.0).abs() < 20.0,
            "the archive's time: {second}"
        );
    }
}

#[test]
fn a_film_is_as_long_as_the_talk_and_decodes_without_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let media = flashes_and_beeps(dir.path(), "320x240", 10);
    let mut ada = Person::new();
    send(&mut ada, 0, 0, &media);
    let mut simulation = Simulation::open();
    simulation.take_all(&[&ada]);
    let (archive, manifest) = simulation.stop(10_500);
    let path = file(archive.path(), &manifest);

    let duration = probe(&path, &["-show_entries", "format=duration"]);
    assert!(
        (duration[0].parse::<f64>().unwrap() - 10.0).abs() < 0.05,
        "{duration:?}"
    );
    let counted = probe(
        &path,
        &[
            "-count_frames",
            "-show_entries",
            "stream=codec_name,nb_read_frames",
        ],
    );
    assert_eq!(counted, ["vp8,300", &format!("opus,{}", media.1.len())]);
    let decode = [
        "-i",
        path.to_str().unwrap(),
        "-fps_mode",
        "passthrough",
        "-f",
        "null",
        "-",
    ];
    run("ffmpeg", &decode);
    let seek = [
        "-ss",
        "7.3",
        "-i",
        path.to_str().unwrap(),
        "-frames:v",
        "1",
        "-f",
        "null",
        "-",
    ];
    run("ffmpeg", &seek);
}

#[test]
fn a_picture_that_changes_its_size_decodes_throughout() {
    let dir = tempfile::tempdir().unwrap();
    let mut frames = Vec::new();
    for size in ["640x480", "320x240", "480x360"] {
        frames.extend(flashes_and_beeps(dir.path(), size, 2).0);
    }
    let mut ada = Person::new();
    send(&mut ada, 0, 0, &(frames, Vec::new()));
    let mut simulation = Simulation::open();
    simulation.take_all(&[&ada]);
    let (archive, manifest) = simulation.stop(6000);
    let path = file(archive.path(), &manifest);

    let sizes = probe(&path, &["-show_entries", "frame=width,height"]);

    assert_eq!(sizes.len(), 180);
    for (at, size) in [
        (0, "640,480"),
        (59, "640,480"),
        (60, "320,240"),
        (179, "480,360"),
    ] {
        assert_eq!(sizes[at], size);
    }
}

#[test]
fn lost_packets_leave_no_broken_picture() {
    let dir = tempfile::tempdir().unwrap();
    let media = flashes_and_beeps(dir.path(), "320x240", 10);
    let mut ada = Person::new();
    send(&mut ada, 0, 0, &media);
    let mut n = 0;
    ada.sent.retain(|_| {
        n += 1;
        n % 37 != 0
    });
    let mut simulation = Simulation::open();
    simulation.take_all(&[&ada]);
    let (archive, manifest) = simulation.stop(10_000);
    let path = file(archive.path(), &manifest);
    let film = watch(&path);
    assert!(film.video.len() > 20 && film.audio.len() > 450);
    let decode = [
        "-i",
        path.to_str().unwrap(),
        "-fps_mode",
        "passthrough",
        "-f",
        "null",
        "-",
    ];
    run("ffmpeg", &decode);
}
