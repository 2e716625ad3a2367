//! A composed archive, decoded: who is seen and heard, and when.

use std::{f64::consts::TAU, fs, path::Path};

use serde_json::Value;

use crate::camera::{BEEP_HZ, Camera, ffmpeg, run};

const WIDTH: usize = 80;
const HEIGHT: usize = 60;
/// Frames a second: the time of a flash is known to half of it.
const RATE: usize = 50;
const SAMPLE_RATE: usize = 8000;

/// A picture of one's own fills at least this share of the film's picture.
const A_TILE: f64 = 0.06;
/// A tone of one's own is at least this loud; 0 to 1.
const A_TONE: f64 = 0.015;
/// An absence that is none: a flash hides the colour, a lost packet the tone. s
const A_GAP: f64 = 0.6;

/// From and to, in seconds from the film's beginning.
pub type Span = (f64, f64);

pub struct Film {
    /// What ffprobe says.
    pub probe: Value,
    frames: Vec<u8>,
    samples: Vec<f64>,
    /// Somebody is still there after a shorter absence, s.
    gap: f64,
}

impl Film {
    /// `paused`: how long the cameras were held up at most, as on a busy machine. s
    pub fn of(file: &Path, paused: f64) -> Film {
        let name = file.to_str().unwrap();
        let show = "-v error -show_format -show_streams -of json";
        let arguments: Vec<&str> = show.split(' ').chain([name]).collect();
        let scale = format!("fps={RATE},scale={WIDTH}:{HEIGHT}:flags=area");
        let picture = "-an -pix_fmt rgb24 -f rawvideo -".split(' ');
        let frames: Vec<&str> = ["-i", name, "-vf", &scale]
            .into_iter()
            .chain(picture)
            .collect();
        let sound = "-vn -ac 1 -ar 8000 -f s16le -".split(' ');
        let samples: Vec<&str> = ["-i", name].into_iter().chain(sound).collect();
        Film {
            probe: serde_json::from_slice(&run("ffprobe", &arguments)).unwrap(),
            frames: ffmpeg(&frames),
            samples: ffmpeg(&samples)
                .chunks_exact(2)
                .map(|bytes| f64::from(i16::from_le_bytes([bytes[0], bytes[1]])) / 32768.0)
                .collect(),
            gap: A_GAP + paused,
        }
    }

    /// Seconds.
    pub fn duration(&self) -> f64 {
        self.probe["format"]["duration"]
            .as_str()
            .unwrap()
            .parse()
            .unwrap()
    }

    /// The codec of its picture or of its sound.
    pub fn codec(&self, kind: &str) -> &str {
        let streams = self.probe["streams"].as_array().unwrap();
        let stream = streams.iter().find(|stream| stream["codec_type"] == kind);
        stream.unwrap()["codec_name"].as_str().unwrap()
    }

    /// When somebody's picture is there.
    pub fn seen(&self, camera: Camera) -> Vec<Span> {
        let there = self.shares(camera.rgb).map(|share| share > A_TILE);
        spans(there, 1.0 / as_f64(RATE), self.gap)
    }

    /// When somebody's tone is there.
    pub fn heard(&self, camera: Camera) -> Vec<Span> {
        let window = SAMPLE_RATE / 20;
        let there = self
            .samples
            .chunks_exact(window)
            .map(|samples| strength(samples, camera.hz) > A_TONE);
        spans(there, 0.05, self.gap)
    }

    /// How many seconds each beep comes after its flash; before it, when negative.
    pub fn lip_sync(&self) -> Vec<f64> {
        let whites: Vec<f64> = self.shares([255, 255, 255]).collect();
        let flashes = rises(&whites, A_TILE, 1.0 / as_f64(RATE));
        let (window, hop) = (SAMPLE_RATE / 50, SAMPLE_RATE / 200);
        let beeps: Vec<f64> = self
            .samples
            .windows(window)
            .step_by(hop)
            .map(|samples| strength(samples, BEEP_HZ))
            .collect();
        // A window is half full of a beep when its middle is at the beep's beginning.
        let half = beeps.iter().copied().fold(0.0, f64::max) / 2.0;
        let beeps = rises(&beeps, half, as_f64(hop) / as_f64(SAMPLE_RATE));
        let middle = as_f64(window) / 2.0 / as_f64(SAMPLE_RATE);
        flashes
            .iter()
            .filter_map(|flash| {
                beeps
                    .iter()
                    .map(|beep| beep + middle - flash)
                    .min_by(|a, b| a.abs().total_cmp(&b.abs()))
            })
            .filter(|offset| offset.abs() < 0.9)
            .collect()
    }

    /// The share of each frame that has somebody's colour.
    pub fn shares_of(&self, camera: Camera) -> Vec<f64> {
        self.shares(camera.rgb).collect()
    }

    /// The share of each frame that has a colour.
    fn shares(&self, colour: [u8; 3]) -> impl Iterator<Item = f64> {
        self.frames
            .chunks_exact(WIDTH * HEIGHT * 3)
            .map(move |frame| {
                let like = |pixel: &&[u8]| {
                    pixel
                        .iter()
                        .zip(colour)
                        .all(|(seen, wanted)| seen.abs_diff(wanted) < 50)
                };
                as_f64(frame.chunks_exact(3).filter(like).count()) / as_f64(WIDTH * HEIGHT)
            })
    }
}

/// The kinds of an MP4's outermost boxes, in order.
pub fn boxes(file: &Path) -> Vec<String> {
    let bytes = fs::read(file).unwrap();
    let mut at = 0;
    let mut kinds = Vec::new();
    while at + 8 <= bytes.len() {
        let size = u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
        kinds.push(String::from_utf8_lossy(&bytes[at + 4..at + 8]).into_owned());
        at += match size {
            0 => break,
            1 => usize::try_from(u64::from_be_bytes(
                bytes[at + 8..at + 16].try_into().unwrap(),
            ))
            .unwrap(),
            size => usize::try_from(size).unwrap(),
        };
    }
    kinds
}

/// The amplitude of one tone.
fn strength(samples: &[f64], hz: u32) -> f64 {
    let (mut re, mut im) = (0.0, 0.0);
    for (n, sample) in samples.iter().enumerate() {
        let angle = TAU * f64::from(hz) * as_f64(n) / as_f64(SAMPLE_RATE);
        re += sample * angle.cos();
        im += sample * angle.sin();
    }
    2.0 * (re * re + im * im).sqrt() / as_f64(samples.len())
}

fn spans(there: impl Iterator<Item = bool>, step: f64, gap: f64) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    for (n, _) in there.enumerate().filter(|(_, there)| *there) {
        let (from, to) = (as_f64(n) * step, as_f64(n + 1) * step);
        match spans.last_mut() {
            Some(last) if from - last.1 < gap => last.1 = to,
            _ => spans.push((from, to)),
        }
    }
    // What is shorter is no presence: a mixed colour at an edge, a click.
    spans.retain(|(from, to)| to - from > 0.3);
    spans
}

/// When something rises above a threshold, after it was below a third of it.
fn rises(values: &[f64], threshold: f64, step: f64) -> Vec<f64> {
    let mut low = true;
    let mut rises = Vec::new();
    for (n, value) in values.iter().enumerate() {
        if low && *value > threshold {
            rises.push(as_f64(n) * step);
            low = false;
        } else if *value < threshold / 3.0 {
            low = true;
        }
    }
    rises
}

fn as_f64(number: usize) -> f64 {
    number as f64
}
