//! The programs that look at files from outside.

use std::{path::Path, time::Duration};

use crate::ffmpeg::run;

/// Decodes all of a file; a file that is damaged anywhere is a failure.
pub fn decode(file: &Path) {
    let file = file.to_str().unwrap();
    // The sum of what was decoded. What a decoder complains of is a failure.
    let strict = ["-err_detect", "explode", "-i", file, "-f", "md5", "-"];
    run("ffmpeg", &strict);
}

/// How many packets the tracks of `kind` ("audio" or "video") have; 0 if there is none.
pub fn packets(file: &Path, kind: &str) -> usize {
    let asked = ["-count_packets", "-show_entries", "stream=nb_read_packets"];
    let counted = probe(file, kind, &asked);
    let numbers = counted.split(['\n', ',']).map(str::trim);
    numbers.filter_map(|text| text.parse::<usize>().ok()).sum()
}

/// When the last packet of the tracks of `kind` is over.
pub fn ends_at(file: &Path, kind: &str) -> Duration {
    let asked = ["-show_entries", "packet=pts_time,duration_time"];
    let told = probe(file, kind, &asked);
    let last = told.lines().rfind(|line| !line.trim().is_empty()).unwrap();
    let times = last.split(',').map(str::trim);
    let seconds = times.filter_map(|text| text.parse::<f64>().ok()).sum();
    Duration::from_secs_f64(seconds)
}

/// What ffprobe answers of the tracks of `kind`.
fn probe(file: &Path, kind: &str, asked: &[&str]) -> String {
    let (kind, file) = (&kind[..1], file.to_str().unwrap());
    let of = ["-select_streams", kind, "-of", "csv=p=0", file];
    run("ffprobe", &[asked, &of].concat())
}

/// The length a file says it has, seconds.
pub fn seconds(file: &Path) -> f64 {
    let file = file.to_str().unwrap();
    let wanted = ["-show_entries", "format=duration", "-of", "csv=p=0", file];
    run("ffprobe", &wanted).trim().parse().unwrap()
}
