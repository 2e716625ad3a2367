//! How the streams of an archive become one picture and one sound: from a manifest to ffmpeg's arguments.
//!
//! ```text
//! streams' files ─┬─▶ sound: each stream at its time, holes filled, mixed ────────────┐
//!                 └─▶ picture: one run per span in which nobody moves, joined later ──┴─▶ archive.mp4
//! ```
//!
//! The picture is cut wherever somebody comes, goes, or switches the camera: within a span every tile has one place and
//! one source, so the graphs need no expressions of time, which ffmpeg refuses beyond a hundred terms. Sound is mixed minute
//! by minute and encoded in one run: AAC cannot be joined without clicks, while filters hold all of a hole in memory at once,
//! 1.6 GB for somebody who was muted for an hour. Both are apart from each other, since a graph of both would
//! hold the sound while it waits for a camera that is off.

use std::{collections::BTreeSet, fmt::Write, path::Path};

use super::vp8::MAX_PIXELS;
use crate::archive::{
    layout::{self, Rect, arrange},
    recording::{Manifest, RecordedStream, Span},
    {Layout, Quality, Resolution},
};

/// Frames per second of the picture.
pub const FRAME_RATE: u64 = 30;

/// Samples per second of the sound; each is two 32-bit numbers, left and right.
pub const SAMPLE_RATE: u64 = 48_000;
pub const SAMPLE_BYTES: u64 = 8;
/// Samples that are mixed in one run: a minute. More: fewer runs; less: less memory, 23 MB for each who is muted throughout.
pub const MIX_SAMPLES: u64 = 60 * SAMPLE_RATE;

/// Samples by which the runs overlap: 20 ms, over which one fades into the next. Timestamps are whole milliseconds, so
/// the two do not meet to the sample, which would click.
pub const FADE_SAMPLES: u64 = SAMPLE_RATE / 50;

/// Opus needs to hear a little of what went before to decode right (RFC 7845 asks for 80 ms).
const OPUS_RUN_UP_US: i64 = 500_000;

const BACKGROUND: &str = "0x0b0f0e";
/// What is behind a picture that does not fill its tile, and behind the figure where there is none.
const TILE: &str = "0x17201e";

/// A span of the picture in which nothing moves. Frames count from the start of the archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    pub from_frame: u64,
    pub to_frame: u64,
    /// In the order in which they are drawn.
    pub tiles: Vec<Tile>,
}

/// One stream's place in a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tile {
    pub place: Rect,
    /// Index into the manifest's streams.
    pub stream: usize,
    /// The archive's time since which its picture is on, ms; `None` while it is off.
    pub shown_since_ms: Option<u64>,
}

impl Segment {
    pub fn frames(&self) -> u64 {
        self.to_frame - self.from_frame
    }
}

/// Frames of an archive of this length.
pub fn frames(duration_ms: u64) -> u64 {
    frame_at(duration_ms).max(1)
}

/// The frame nearest to a time.
fn frame_at(ms: u64) -> u64 {
    (ms * FRAME_RATE + 500) / 1000
}

/// The picture of an archive from its start to its end, without gaps.
pub fn segments(manifest: &Manifest, layout: Layout, resolution: Resolution) -> Vec<Segment> {
    let end = frames(manifest.duration_ms);
    let seen: Vec<Seen<'_>> = manifest
        .streams
        .iter()
        .enumerate()
        .filter(|(_, stream)| stream.file.is_some())
        .map(|(index, stream)| Seen::new(index, stream, end))
        .collect();

    let mut cuts = BTreeSet::from([0, end]);
    let changes = manifest.layouts.iter().map(|change| change.at_ms);
    cuts.extend(changes.map(|at_ms| frame_at(at_ms).min(end)));
    for stream in &seen {
        for (from_frame, to_frame) in &stream.present {
            cuts.extend([*from_frame, *to_frame]);
        }
        let changes = stream.recorded.classes.iter();
        cuts.extend(changes.map(|change| frame_at(change.at_ms).min(end)));
        for span in &stream.recorded.shown {
            let frames = [frame_at(span.from_ms), frame_at(span.to_ms)];
            cuts.extend(frames.map(|f| f.min(end)));
        }
    }

    let cuts: Vec<u64> = cuts.into_iter().collect();
    let mut segments: Vec<Segment> = Vec::new();
    for (&from_frame, &to_frame) in cuts.iter().zip(cuts.iter().skip(1)) {
        let changed = manifest.layouts.iter().rev();
        let layout = changed
            .map(|change| (frame_at(change.at_ms), change.layout))
            .find(|(frame, _)| *frame <= from_frame)
            .map_or(layout, |(_, layout)| layout);
        let tiles = tiles(&seen, from_frame, layout, resolution);
        match segments.last_mut() {
            Some(last) if last.tiles == tiles => last.to_frame = to_frame,
            _ => segments.push(Segment {
                from_frame,
                to_frame,
                tiles,
            }),
        }
    }
    segments
}

/// A stream that has a tile, and the frames in which it has one, `[from, to)`.
struct Seen<'a> {
    index: usize,
    recorded: &'a RecordedStream,
    present: Vec<(u64, u64)>,
}

impl<'a> Seen<'a> {
    fn new(index: usize, recorded: &'a RecordedStream, end: u64) -> Seen<'a> {
        let frames = |span: Span| {
            let from_frame = frame_at(span.from_ms).min(end);
            (from_frame, frame_at(span.to_ms).clamp(from_frame, end))
        };
        Seen {
            index,
            recorded,
            present: recorded.presence().into_iter().map(frames).collect(),
        }
    }

    fn is_present(&self, frame: u64) -> bool {
        let mut spans = self.present.iter();
        spans.any(|(from_frame, to_frame)| (*from_frame..*to_frame).contains(&frame))
    }

    fn classes(&self, frame: u64) -> &'a [String] {
        let mut changes = self.recorded.classes.iter().rev();
        changes
            .find(|change| frame_at(change.at_ms) <= frame)
            .map_or(&[], |change| &change.classes)
    }

    fn shown_since_ms(&self, frame: u64) -> Option<u64> {
        self.recorded
            .shown
            .iter()
            .find(|span| frame_at(span.from_ms) <= frame && frame < frame_at(span.to_ms))
            .map(|span| span.from_ms)
    }
}

fn tiles(seen: &[Seen<'_>], frame: u64, layout: Layout, resolution: Resolution) -> Vec<Tile> {
    let present: Vec<&Seen<'_>> = seen
        .iter()
        .filter(|stream| stream.is_present(frame))
        .collect();
    let streams: Vec<layout::StreamTraits<'_>> = present
        .iter()
        .map(|stream| layout::StreamTraits {
            is_screen: stream.recorded.video_type == "screen",
            classes: stream.classes(frame),
        })
        .collect();
    let mut tiles: Vec<Tile> = present
        .iter()
        .zip(arrange(layout, resolution.size(), &streams))
        .filter_map(|(stream, place)| {
            Some(Tile {
                place: place?,
                stream: stream.index,
                shown_since_ms: stream.shown_since_ms(frame),
            })
        })
        .collect();
    // What is inside another tile is drawn after it.
    tiles.sort_by_key(|tile| std::cmp::Reverse(tile.place.width * tile.place.height));
    tiles
}

/// How the picture is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Film {
    pub resolution: Resolution,
    pub quality: Quality,
}

/// ffmpeg's arguments for one segment's picture, written to `output`. `files` holds the file with the picture of each
/// stream by its index.
pub fn picture_arguments(
    segment: &Segment,
    manifest: &Manifest,
    files: &[Option<&Path>],
    film: Film,
    threads: usize,
    output: &Path,
) -> Vec<String> {
    let mut arguments = common();
    let mut graph = Graph::new(film.resolution);
    let mut inputs = 0;
    for tile in &segment.tiles {
        graph.placeholder(tile.place);
        let stream = manifest.streams.get(tile.stream);
        let file = files.get(tile.stream).copied().flatten();
        let (Some(since_ms), Some(stream), Some(file)) = (tile.shown_since_ms, stream, file) else {
            continue;
        };
        let starts_us = ms_to_us(stream.starts_ms);
        let from_us = frame_to_us(segment.from_frame);
        // From the key frame before, so that the picture is there from the segment's first frame on.
        let seek_us = from_us - starts_us;
        if seek_us > 0 {
            arguments.extend(["-noaccurate_seek", "-ss"].map(str::to_owned));
            arguments.push(seconds(seek_us));
        }
        // Without this a change of the picture's size makes ffmpeg build the whole graph anew.
        arguments.extend(["-reinit_filter", "0", "-threads", "1"].map(str::to_owned));
        arguments.extend([
            "-max_pixels".to_owned(),
            MAX_PIXELS.to_string(),
            "-i".to_owned(),
        ]);
        arguments.push(text(file));
        graph.picture(
            inputs,
            tile.place,
            starts_us - from_us,
            ms_to_us(since_ms) - from_us,
        );
        inputs += 1;
    }
    arguments.push("-filter_complex".to_owned());
    arguments.push(graph.finish());
    let frames = segment.frames().to_string();
    let threads = threads.to_string();
    arguments.extend(
        [
            "-map",
            "[v]",
            "-frames:v",
            &frames,
            "-r",
            "30",
            "-c:v",
            "libx264",
            "-preset",
            "veryfast",
            "-g",
            "60",
            "-pix_fmt",
            "yuv420p",
            "-threads",
            &threads,
        ]
        .map(str::to_owned),
    );
    arguments.extend(match film.quality {
        Quality::Usual => vec!["-crf".to_owned(), "23".to_owned()],
        Quality::Quantization(parameter) => vec!["-crf".to_owned(), parameter.to_string()],
        Quality::MaxBitrate(rate) => {
            let (crf, rate, buffer) = ("23".to_owned(), rate.to_string(), (2 * rate).to_string());
            let mut limited = vec!["-crf".to_owned(), crf];
            limited.extend(["-maxrate".to_owned(), rate, "-bufsize".to_owned(), buffer]);
            limited
        }
    });
    arguments.push(text(output));
    arguments
}

/// Samples of the sound of an archive, to the end of its last frame.
pub fn samples(duration_ms: u64) -> u64 {
    frames(duration_ms) * SAMPLE_RATE / FRAME_RATE
}

/// ffmpeg's arguments to copy the sound of a stream's file into a file of its own, in which any moment is found: files with a
/// picture are indexed by its key frames only.
pub fn extract_arguments(file: &Path, output: &Path) -> Vec<String> {
    let mut arguments = common();
    arguments.extend(["-i".to_owned(), text(file)]);
    arguments.extend(["-map", "0:a:0", "-c", "copy", "-f", "matroska"].map(str::to_owned));
    arguments.push(text(output));
    arguments
}

/// ffmpeg's arguments to mix what was said from `from_sample` on; `None` when nobody was there.
///
/// The mix comes as 32-bit samples on its standard output, [`MIX_SAMPLES`] and [`FADE_SAMPLES`] of them or fewer: the rest is
/// silence. `files` holds the sound of each stream by its index.
pub fn mix_arguments(
    manifest: &Manifest,
    files: &[Option<&Path>],
    from_sample: u64,
) -> Option<Vec<String>> {
    let mut arguments = vec!["-nostdin", "-hide_banner", "-v", "error", "-copyts"];
    let mut inputs: Vec<(String, &Path)> = Vec::new();
    let mut graph = String::new();
    let mut labels = String::new();
    let from_us = samples_to_us(from_sample);
    let length_us = samples_to_us(MIX_SAMPLES + FADE_SAMPLES);
    let length = seconds(length_us);
    for (stream, file) in manifest.streams.iter().zip(files) {
        let starts_us = ms_to_us(stream.starts_ms);
        let is_there =
            starts_us < from_us + samples_to_us(MIX_SAMPLES) && ms_to_us(stream.ends_ms) > from_us;
        let Some(file) = file.filter(|_| is_there) else {
            continue;
        };
        let n = inputs.len();
        inputs.push((seconds((from_us - starts_us - OPUS_RUN_UP_US).max(0)), file));
        // `async` fills the holes of silence that was not sent; without it all that follows would come too early.
        let _ = write!(
            graph,
            "[{n}:a:0]asetpts=PTS+({})/TB,atrim=start=0:end={length},\
             aresample=48000:async=1:min_hard_comp=0.05:first_pts=0,\
             aformat=sample_fmts=flt:channel_layouts=stereo[a{n}];",
            seconds(starts_us - from_us)
        );
        let _ = write!(labels, "[a{n}]");
    }
    if inputs.is_empty() {
        return None;
    }
    // A voice is not turned down when another joins.
    let _ = write!(
        graph,
        "{labels}amix=inputs={}:normalize=0:duration=longest:dropout_transition=0,atrim=end_sample={}[a]",
        inputs.len(),
        MIX_SAMPLES + FADE_SAMPLES
    );
    let inputs: Vec<(String, String)> = inputs
        .into_iter()
        .map(|(seek, file)| (seek, text(file)))
        .collect();
    for (seek, file) in &inputs {
        arguments.extend(["-ss", seek, "-i", file]);
    }
    arguments.extend([
        "-filter_complex",
        &graph,
        "-map",
        "[a]",
        "-f",
        "f32le",
        "-c:a",
    ]);
    arguments.extend(["pcm_f32le", "pipe:1"]);
    Some(arguments.into_iter().map(str::to_owned).collect())
}

/// ffmpeg's arguments to encode the mixed samples from its standard input. Many voices at once do not clip.
pub fn sound_arguments(output: &Path) -> Vec<String> {
    let input = "-hide_banner -y -v error -f f32le -ar 48000 -ac 2 -i pipe:0";
    let codec = "-af alimiter=limit=0.95:level=0 -c:a aac -b:a 128k";
    input
        .split(' ')
        .chain(codec.split(' '))
        .map(str::to_owned)
        .chain([text(output)])
        .collect()
}

/// Fades the end of one run into the beginning of the next, sample by sample.
pub fn fade(ending: &[u8], beginning: &mut [u8]) {
    let count = ending.len().min(beginning.len()) / 4;
    let (ending, _) = ending.as_chunks::<4>();
    let (beginning, _) = beginning.as_chunks_mut::<4>();
    for (index, (old, new)) in ending.iter().zip(beginning).enumerate() {
        #[expect(clippy::cast_precision_loss, reason = "both count a few thousand")]
        let share = index as f32 / count as f32;
        let mixed = f32::from_le_bytes(*old) * (1.0 - share) + f32::from_le_bytes(*new) * share;
        *new = mixed.to_le_bytes();
    }
}

/// The list that ffmpeg's concat demuxer reads, of files beside it. Their names are our own.
pub fn concat_list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.fold("ffconcat version 1.0\n".to_owned(), |mut list, name| {
        let _ = writeln!(list, "file '{name}'");
        list
    })
}

/// ffmpeg's arguments to join the pieces into a file that plays while it is being fetched.
pub fn join_arguments(
    picture_list: Option<&Path>,
    sound: Option<&Path>,
    output: &Path,
) -> Vec<String> {
    let mut arguments = common();
    let mut maps = Vec::new();
    if let Some(list) = picture_list {
        arguments.extend(["-f", "concat", "-safe", "0", "-i"].map(str::to_owned));
        arguments.push(text(list));
        maps.push("0:v:0");
    }
    if let Some(sound) = sound {
        arguments.push("-i".to_owned());
        arguments.push(text(sound));
        maps.push(if maps.is_empty() { "0:a:0" } else { "1:a:0" });
    }
    for map in maps {
        arguments.extend(["-map", map].map(str::to_owned));
    }
    arguments.extend(["-c", "copy", "-movflags", "+faststart", "-f", "mp4"].map(str::to_owned));
    arguments.push(text(output));
    arguments
}

/// ffmpeg's arguments for a small JPEG of the frame at `at_ms`.
pub fn poster_arguments(video: &Path, at_ms: u64, output: &Path) -> Vec<String> {
    let mut arguments = common();
    let at = seconds(ms_to_us(at_ms));
    arguments.extend(["-ss", &at, "-i"].map(str::to_owned));
    arguments.push(text(video));
    let scale = "scale=w=480:h=480:force_original_aspect_ratio=decrease";
    arguments
        .extend(["-frames:v", "1", "-vf", scale, "-q:v", "4", "-f", "mjpeg"].map(str::to_owned));
    arguments.push(text(output));
    arguments
}

/// Timestamps stay as the recorder wrote them, whatever the first one in a file is.
fn common() -> Vec<String> {
    [
        "-nostdin",
        "-hide_banner",
        "-y",
        "-v",
        "error",
        "-progress",
        "pipe:1",
        "-copyts",
        "-filter_complex_threads",
        "1",
    ]
    .map(str::to_owned)
    .to_vec()
}

/// A filter graph that draws tile after tile.
struct Graph {
    text: String,
    /// Counts what has been drawn; `[b<n>]` is the picture so far.
    layers: usize,
}

impl Graph {
    fn new(resolution: Resolution) -> Graph {
        Graph {
            text: format!("color=c={BACKGROUND}:s={resolution}:r={FRAME_RATE},format=yuv420p[b0]"),
            layers: 0,
        }
    }

    /// A figure on an empty tile: seen until a picture is drawn over it.
    fn placeholder(&mut self, place: Rect) {
        let Rect { width, height, .. } = place;
        let n = self.layers;
        let side = (width.min(height) * 2 / 5).max(8) & !1;
        // A head and shoulders in a disc, of one frame that stays.
        let (radius, centre) = (side / 2, side / 2);
        let disc = format!("lte(hypot(X-{centre},Y-{centre}),{radius})");
        let head = format!(
            "lte(hypot(X-{centre},Y-{}),{})",
            side * 2 / 5,
            side * 17 / 100
        );
        let shoulders = format!(
            "lte(hypot((X-{centre})/1.25,Y-{}),{})",
            side * 19 / 20,
            side * 3 / 10
        );
        let figure = format!("{disc}*({head}+{shoulders})");
        let _ = write!(
            self.text,
            ";color=c={TILE}:s={width}x{height}:r={FRAME_RATE}:d=0.03,format=yuv420p[t{n}]\
             ;color=c=black:s={side}x{side}:r={FRAME_RATE}:d=0.03,format=rgba,\
             geq=r='if({figure},156,46)':g='if({figure},196,82)':b='if({figure},184,72)':a='255*{disc}'[g{n}]\
             ;[t{n}][g{n}]overlay=x={}:y={}[p{n}]",
            ((width - side) / 2) & !1,
            ((height - side) / 2) & !1,
        );
        self.layer(&format!("[p{n}]"), place);
    }

    /// A stream's picture in its tile, letterboxed: `offset_us` is added to its times, and of the result only what is not
    /// before `since_us` is shown.
    fn picture(&mut self, input: usize, place: Rect, offset_us: i64, since_us: i64) {
        let Rect { width, height, .. } = place;
        let n = self.layers;
        let (offset, since) = (seconds(offset_us), seconds(since_us));
        let _ = write!(
            self.text,
            ";[{input}:v:0]scale=w={width}:h={height}:eval=frame:force_original_aspect_ratio=decrease:\
             force_divisible_by=2:flags=bilinear,pad=w={width}:h={height}:x=-1:y=-1:eval=frame:color={TILE},setsar=1,\
             format=yuv420p,setpts=PTS+({offset})/TB,select='gte(t,{since})'[s{n}]"
        );
        self.layer(&format!("[s{n}]"), place);
    }

    fn layer(&mut self, source: &str, place: Rect) {
        let (below, above) = (self.layers, self.layers + 1);
        let _ = write!(
            self.text,
            ";[b{below}]{source}overlay=x={}:y={}:eof_action=repeat[b{above}]",
            place.x, place.y
        );
        self.layers = above;
    }

    fn finish(mut self) -> String {
        let _ = write!(self.text, ";[b{}]null[v]", self.layers);
        self.text
    }
}

fn frame_to_us(frame: u64) -> i64 {
    i64::try_from(frame * 1_000_000 / FRAME_RATE).unwrap_or(i64::MAX)
}

fn samples_to_us(samples: u64) -> i64 {
    i64::try_from(samples * 1_000_000 / SAMPLE_RATE).unwrap_or(i64::MAX)
}

fn ms_to_us(ms: u64) -> i64 {
    i64::try_from(ms.saturating_mul(1000)).unwrap_or(i64::MAX)
}

/// Microseconds as ffmpeg reads seconds.
fn seconds(us: i64) -> String {
    let sign = if us < 0 { "-" } else { "" };
    let us = us.unsigned_abs();
    format!("{sign}{}.{:06}", us / 1_000_000, us % 1_000_000)
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        archive::{
            layout::Arrangement,
            recording::{ClassChange, LayoutChange},
        },
        session::{ConnectionId, StreamId},
    };

    const WHOLE: Rect = Rect {
        x: 0,
        y: 0,
        width: 640,
        height: 480,
    };

    fn stream() -> RecordedStream {
        RecordedStream {
            stream: StreamId::random(),
            connection: ConnectionId::random(),
            connection_data: String::new(),
            name: String::new(),
            video_type: "camera".to_owned(),
            joined_ms: 0,
            left_ms: 10_000,
            file: Some("x.webm".to_owned()),
            starts_ms: 0,
            ends_ms: 10_000,
            size_bytes: 1,
            has_audio: true,
            has_video: true,
            present: Vec::new(),
            classes: Vec::new(),
            shown: vec![Span {
                from_ms: 0,
                to_ms: 10_000,
            }],
        }
    }

    fn segments_of(manifest: &Manifest) -> Vec<Segment> {
        let pip = Layout {
            arrangement: Arrangement::Pip,
            screenshare: None,
        };
        segments(manifest, pip, Resolution::R640X480)
    }

    #[test]
    fn the_layout_changes_when_it_was_changed_and_the_classes_too() {
        let (mut ann, bob) = (stream(), stream());
        let at = |at_ms, classes: &[&str]| ClassChange {
            at_ms,
            classes: classes.iter().map(|&class| class.to_owned()).collect(),
        };
        // Whoever is full is large in the picture of pip; without a class the first is.
        ann.classes = vec![at(0, &["small"]), at(8_000, &["full"])];
        let mut manifest = Manifest {
            duration_ms: 10_000,
            layouts: vec![LayoutChange {
                at_ms: 5_000,
                layout: Layout::default(),
            }],
            streams: vec![bob, ann],
        };
        let cuts = |manifest: &Manifest| -> Vec<(u64, u64, usize)> {
            let large = |segment: &Segment| segment.tiles[0].stream;
            segments_of(manifest)
                .iter()
                .map(|segment| (segment.from_frame, segment.to_frame, large(segment)))
                .collect()
        };
        // A grid does not know classes.
        assert_eq!(cuts(&manifest), [(0, 150, 0), (150, 300, 0)]);
        let places: Vec<Rect> = segments_of(&manifest)
            .iter()
            .map(|segment| segment.tiles[0].place)
            .collect();
        assert_eq!((places[0], places[1].width), (WHOLE, 320));
        manifest.layouts[0].at_ms = 9_000;
        assert_eq!(cuts(&manifest), [(0, 240, 0), (240, 270, 1), (270, 300, 0)]);
        manifest.layouts[0].at_ms = 99_000;
        assert_eq!(cuts(&manifest), [(0, 240, 0), (240, 300, 1)]);
    }

    #[test]
    fn a_stream_that_was_taken_out_leaves_its_place_to_the_others() {
        let (ann, mut bob) = (stream(), stream());
        let span = |from_ms, to_ms| Span { from_ms, to_ms };
        bob.present = vec![span(1_000, 3_000), span(6_000, 99_000)];
        let manifest = Manifest {
            duration_ms: 10_000,
            layouts: Vec::new(),
            streams: vec![ann, bob],
        };
        let seen: Vec<(u64, usize)> = segments_of(&manifest)
            .iter()
            .map(|segment| (segment.from_frame, segment.tiles.len()))
            .collect();
        assert_eq!(seen, [(0, 1), (30, 2), (90, 1), (180, 2)]);
    }
}
