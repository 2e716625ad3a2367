//! WebM files: Matroska (RFC 9559) with one VP8 and one Opus track, either of which may stay empty.
//!
//! ```text
//! EBML header
//! Segment
//!   SeekHead    filled in at the end
//!   Info        its duration filled in at the end
//!   Tracks      the width and height filled in at the end; a track without a frame becomes a Void
//!   Cluster*    written whole: at most 5 s, and begun anew at each key frame
//!   Cues        each key frame, and each cluster's first sound
//! ```

use std::{
    fs::File,
    io::{self, Write},
    os::unix::fs::FileExt,
    path::Path,
};

const CLUSTER_MS: u64 = 5_000;
const CLUSTER_BYTES: usize = 8 * 1024 * 1024;
const VIDEO: u8 = 1;
const AUDIO: u8 = 2;
/// 312 samples: the delay of an Opus encoder as browsers set it up.
const PRE_SKIP: u16 = 312;
const CODEC_DELAY_NS: u64 = 6_500_000;
const SEEK_PRE_ROLL_NS: u64 = 80_000_000;
const SEEK_HEAD_BYTES: usize = 96;
/// Id, length and value of an EBML float.
const DURATION_BYTES: usize = 11;

/// One frame of a track.
pub enum Block<'a> {
    /// An Opus packet.
    Audio(&'a [u8]),
    /// A VP8 frame; width and height in pixels if it is a key frame.
    Video(&'a [u8], Option<(u16, u16)>),
}

/// Writes one file. Until [`WebmWriter::finish`], what is there plays but does not seek.
pub struct WebmWriter {
    file: File,
    /// Length of the file.
    position: u64,
    layout: Layout,
    cluster: Vec<u8>,
    cluster_ms: u64,
    cues: Vec<Cue>,
    last_ms: [Option<u64>; 2],
    /// The largest picture.
    size: Option<(u16, u16)>,
}

/// Where the parts are that are filled in at the end.
struct Layout {
    /// First byte of the segment's content, from which positions count.
    segment: u64,
    seek_head: u64,
    info: u64,
    duration: u64,
    tracks: u64,
    video: (u64, usize),
    video_size: u64,
    audio: (u64, usize),
}

struct Cue {
    ms: u64,
    track: u8,
    cluster: u64,
}

impl WebmWriter {
    /// Begins a file, in place of one that is there.
    ///
    /// # Errors
    /// The disk's.
    pub fn create(path: &Path) -> io::Result<WebmWriter> {
        let mut file = File::create(path)?;
        let (header, layout) = header();
        file.write_all(&header)?;
        Ok(WebmWriter {
            file,
            position: u64_len(&header),
            layout,
            cluster: Vec::new(),
            cluster_ms: 0,
            cues: Vec::new(),
            last_ms: [None; 2],
            size: None,
        })
    }

    /// Appends a frame. Times of a file never go back, and those of a track always go on: a frame
    /// that is late is put where the file is.
    ///
    /// # Errors
    /// The disk's.
    pub fn write(&mut self, ms: u64, block: &Block<'_>) -> io::Result<()> {
        let (track, data, key) = match block {
            Block::Audio(data) => (AUDIO, data, true),
            Block::Video(data, size) => (VIDEO, data, size.is_some()),
        };
        let last = self.last_ms.iter().flatten().max().copied();
        let own = self.last_ms[usize::from(track - 1)].map_or(0, |ms| ms + 1);
        let ms = ms.max(last.unwrap_or(0)).max(own);
        self.last_ms[usize::from(track - 1)] = Some(ms);

        if let Block::Video(_, Some(size)) = block {
            let area = |(width, height): (u16, u16)| u32::from(width) * u32::from(height);
            if self.size.is_none_or(|largest| area(*size) > area(largest)) {
                self.size = Some(*size);
            }
        }
        let key_frame = track == VIDEO && key;
        let full = ms - self.cluster_ms >= CLUSTER_MS || self.cluster.len() >= CLUSTER_BYTES;
        if self.cluster.is_empty() || full || key_frame {
            self.end_cluster()?;
            self.cluster_ms = ms;
            put_uint(&mut self.cluster, &[0xe7], ms);
        }
        let first = |cue: &&Cue| cue.cluster == self.position && cue.track == track;
        if key_frame || track == AUDIO && !self.cues.iter().rev().take(2).any(|cue| first(&cue)) {
            self.cues.push(Cue {
                ms,
                track,
                cluster: self.position,
            });
        }

        self.cluster.push(0xa3);
        put_size(&mut self.cluster, data.len() + 4);
        self.cluster.push(0x80 | track);
        let offset = u16::try_from(ms - self.cluster_ms).expect("a cluster lasts 5 s");
        self.cluster.extend(offset.to_be_bytes());
        self.cluster.push(if key { 0x80 } else { 0 });
        self.cluster.extend_from_slice(data);
        Ok(())
    }

    fn end_cluster(&mut self) -> io::Result<()> {
        if self.cluster.is_empty() {
            return Ok(());
        }
        let mut head = vec![0x1f, 0x43, 0xb6, 0x75];
        put_size(&mut head, self.cluster.len());
        self.append(&head)?;
        let cluster = std::mem::take(&mut self.cluster);
        self.append(&cluster)?;
        self.cluster = cluster;
        self.cluster.clear();
        Ok(())
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.position += u64_len(bytes);
        Ok(())
    }

    /// Completes the file, and tells its size in bytes.
    ///
    /// # Errors
    /// The disk's.
    pub fn finish(mut self, duration_ms: u64) -> io::Result<u64> {
        self.end_cluster()?;
        let cues = self.position;
        let bytes = self.cues();
        self.append(&bytes)?;

        let layout = &self.layout;
        let mut seek_head = Vec::new();
        for (id, position) in [
            (&[0x15, 0x49, 0xa9, 0x66], layout.info),
            (&[0x16, 0x54, 0xae, 0x6b], layout.tracks),
            (&[0x1c, 0x53, 0xbb, 0x6b], cues),
        ] {
            let mut seek = Vec::new();
            put(&mut seek, &[0x53, 0xab], id);
            put_uint(&mut seek, &[0x53, 0xac], position - layout.segment);
            put(&mut seek_head, &[0x4d, 0xbb], &seek);
        }
        let mut bytes = Vec::new();
        put(&mut bytes, &[0x11, 0x4d, 0x9b, 0x74], &seek_head);
        let rest = void(SEEK_HEAD_BYTES - bytes.len());
        bytes.extend(rest);
        self.file.write_all_at(&bytes, layout.seek_head)?;

        #[expect(clippy::cast_precision_loss, reason = "2^53 ms are 285,000 years")]
        let duration = put_float(duration_ms as f64);
        self.file.write_all_at(&duration, layout.duration)?;
        for (track, (position, length)) in [(VIDEO, layout.video), (AUDIO, layout.audio)] {
            if self.last_ms[usize::from(track - 1)].is_none() {
                self.file.write_all_at(&void(length), position)?;
            }
        }
        if let Some(size) = self.size {
            self.file
                .write_all_at(&video_size(size), layout.video_size)?;
        }
        let segment = (self.position - layout.segment) | 1 << 56;
        self.file
            .write_all_at(&segment.to_be_bytes(), layout.segment - 8)?;
        Ok(self.position)
    }

    fn cues(&self) -> Vec<u8> {
        let mut points = Vec::new();
        for cue in &self.cues {
            let mut position = Vec::new();
            put_uint(&mut position, &[0xf7], cue.track.into());
            put_uint(&mut position, &[0xf1], cue.cluster - self.layout.segment);
            let mut point = Vec::new();
            put_uint(&mut point, &[0xb3], cue.ms);
            put(&mut point, &[0xb7], &position);
            put(&mut points, &[0xbb], &point);
        }
        let mut cues = Vec::new();
        put(&mut cues, &[0x1c, 0x53, 0xbb, 0x6b], &points);
        cues
    }
}

fn header() -> (Vec<u8>, Layout) {
    let mut file = Vec::new();
    let mut ebml = Vec::new();
    put_uint(&mut ebml, &[0x42, 0x86], 1); // version
    put_uint(&mut ebml, &[0x42, 0xf7], 1); // read version
    put_uint(&mut ebml, &[0x42, 0xf2], 4); // longest id
    put_uint(&mut ebml, &[0x42, 0xf3], 8); // longest size
    put(&mut ebml, &[0x42, 0x82], b"webm");
    put_uint(&mut ebml, &[0x42, 0x87], 4);
    put_uint(&mut ebml, &[0x42, 0x85], 2);
    put(&mut file, &[0x1a, 0x45, 0xdf, 0xa3], &ebml);
    file.extend([0x18, 0x53, 0x80, 0x67]);
    file.extend(u64::to_be_bytes(0x01ff_ffff_ffff_ffff)); // until the size is known
    let segment = u64_len(&file);

    let seek_head = u64_len(&file);
    file.extend(void(SEEK_HEAD_BYTES));

    let info = u64_len(&file);
    let mut content = Vec::new();
    put_uint(&mut content, &[0x2a, 0xd7, 0xb1], 1_000_000); // ticks of 1 ms
    put(&mut content, &[0x4d, 0x80], b"Parlor");
    put(&mut content, &[0x57, 0x41], b"Parlor");
    content.extend(void(DURATION_BYTES));
    put(&mut file, &[0x15, 0x49, 0xa9, 0x66], &content);
    let duration = u64_len(&file) - DURATION_BYTES as u64;

    let tracks = u64_len(&file);
    let (video, audio) = (video_entry(), audio_entry());
    put(
        &mut file,
        &[0x16, 0x54, 0xae, 0x6b],
        &[&video[..], &audio].concat(),
    );
    let audio_at = u64_len(&file) - u64_len(&audio);
    let layout = Layout {
        segment,
        seek_head,
        info,
        duration,
        tracks,
        video: (audio_at - u64_len(&video), video.len()),
        video_size: audio_at - u64_len(&video_size((0, 0))),
        audio: (audio_at, audio.len()),
    };
    (file, layout)
}

fn video_entry() -> Vec<u8> {
    let mut entry = track_entry(VIDEO, 1, b"V_VP8");
    put(&mut entry, &[0xe0], &video_size((0, 0))); // last, so that it can be found again
    let mut whole = Vec::new();
    put(&mut whole, &[0xae], &entry);
    whole
}

fn video_size((width, height): (u16, u16)) -> Vec<u8> {
    let mut size = Vec::new();
    put(&mut size, &[0xb0], &width.to_be_bytes());
    put(&mut size, &[0xba], &height.to_be_bytes());
    size
}

fn audio_entry() -> Vec<u8> {
    let mut entry = track_entry(AUDIO, 2, b"A_OPUS");
    // RFC 7845 §5.1: version 1, two channels, 48 kHz, no gain, mapping family 0.
    let mut head = b"OpusHead\x01\x02".to_vec();
    head.extend(PRE_SKIP.to_le_bytes());
    head.extend(48_000_u32.to_le_bytes());
    head.extend([0, 0, 0]);
    put(&mut entry, &[0x63, 0xa2], &head);
    put_uint(&mut entry, &[0x56, 0xaa], CODEC_DELAY_NS);
    put_uint(&mut entry, &[0x56, 0xbb], SEEK_PRE_ROLL_NS);
    let mut audio = Vec::new();
    put(&mut audio, &[0xb5], &48_000_f64.to_be_bytes());
    put_uint(&mut audio, &[0x9f], 2);
    put(&mut entry, &[0xe1], &audio);
    let mut whole = Vec::new();
    put(&mut whole, &[0xae], &entry);
    whole
}

fn track_entry(number: u8, kind: u64, codec: &[u8]) -> Vec<u8> {
    let mut entry = Vec::new();
    put_uint(&mut entry, &[0xd7], number.into());
    put_uint(&mut entry, &[0x73, 0xc5], number.into());
    put_uint(&mut entry, &[0x83], kind);
    put_uint(&mut entry, &[0x9c], 0); // no lacing
    put(&mut entry, &[0x22, 0xb5, 0x9c], b"und");
    put(&mut entry, &[0x86], codec);
    entry
}

/// An element that says nothing, `length` bytes long with its head.
fn void(length: usize) -> Vec<u8> {
    let mut bytes = vec![0xec];
    // Its size takes one byte, or eight where the rest is too long for that.
    match length - 2 {
        rest @ ..=126 => put_size(&mut bytes, rest),
        rest => bytes.extend(((rest as u64 - 7) | 1 << 56).to_be_bytes()),
    }
    bytes.resize(length, 0);
    bytes
}

fn put(out: &mut Vec<u8>, id: &[u8], content: &[u8]) {
    out.extend_from_slice(id);
    put_size(out, content.len());
    out.extend_from_slice(content);
}

fn put_uint(out: &mut Vec<u8>, id: &[u8], value: u64) {
    let bytes = value.to_be_bytes();
    let zeroes = bytes.iter().take(7).take_while(|byte| **byte == 0).count();
    put(out, id, &bytes[zeroes..]);
}

fn put_float(duration: f64) -> Vec<u8> {
    let mut bytes = Vec::new();
    put(&mut bytes, &[0x44, 0x89], &duration.to_be_bytes());
    bytes
}

/// An EBML variable-length size, as short as it can be.
fn put_size(out: &mut Vec<u8>, size: usize) {
    let size = size as u64;
    let width = (1..8)
        .find(|width| size < (1 << (7 * width)) - 1)
        .unwrap_or(8);
    let marked = size | 1 << (7 * width);
    out.extend_from_slice(&marked.to_be_bytes()[8 - width..]);
}

fn u64_len(bytes: &[u8]) -> u64 {
    bytes.len() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorder::tests::simulation::watch;

    const KEY: Block<'_> = Block::Video(b"key", Some((640, 480)));

    fn file(
        blocks: &[(u64, Block<'_>)],
        duration_ms: u64,
    ) -> crate::recorder::tests::simulation::Film {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("film.webm");
        let mut writer = WebmWriter::create(&path).unwrap();
        for (ms, block) in blocks {
            writer.write(*ms, block).unwrap();
        }
        let size = writer.finish(duration_ms).unwrap();
        assert_eq!(size, std::fs::metadata(&path).unwrap().len());
        watch(&path)
    }

    #[test]
    fn what_is_written_can_be_read() {
        let film = file(
            &[
                (0, Block::Audio(b"a")),
                (0, KEY),
                (20, Block::Audio(b"b")),
                (33, Block::Video(b"more", None)),
                (90_000, Block::Audio(b"c")),
            ],
            90_020,
        );
        assert_eq!(film.audio.len(), 3);
        assert_eq!(film.audio[2], (90_000, b"c".to_vec()));
        assert_eq!(film.video[1], (33, false, b"more".to_vec()));
        assert_eq!((film.size, film.duration_ms), (Some((640, 480)), 90_020.0));
    }

    #[test]
    fn a_file_of_nothing_is_a_file() {
        let film = file(&[], 0);
        assert_eq!((film.audio.len(), film.video.len()), (0, 0));
    }

    #[test]
    fn frames_that_are_late_are_put_where_the_file_is() {
        let late = [
            (100, KEY),
            (40, Block::Audio(b"a")),
            (30, Block::Audio(b"b")),
        ];
        let film = file(&late, 200);
        let times: Vec<_> = film.audio.iter().map(|(ms, _)| *ms).collect();
        assert_eq!(times, [100, 101]);
    }

    #[test]
    fn sizes_are_as_short_as_they_can_be() {
        for (size, bytes) in [
            (0, &[0x80][..]),
            (126, &[0xfe]),
            (127, &[0x40, 0x7f]),
            (16_382, &[0x7f, 0xfe]),
            (16_383, &[0x20, 0x3f, 0xff]),
            (2_097_151, &[0x10, 0x1f, 0xff, 0xff]),
        ] {
            let mut out = Vec::new();
            put_size(&mut out, size);
            assert_eq!(out, bytes, "{size}");
        }
        for length in 2..200 {
            assert_eq!(void(length).len(), length);
        }
    }
}
