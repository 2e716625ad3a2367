//! From the records of an archive to one WebM file per stream.
//!
//! ```text
//! record ─▶ wait 6 s for late packets ─▶ place in time ─▶ frames ─▶ wait 2 s for the other track ─▶ WebM
//! ```
//!
//! A [`Muxer`] is told each record as it is written, and knows no clock but theirs: the same records
//! give the same files, live or from the journals after a crash.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    clock_sync::StreamClock,
    jitter_buffer::JitterBuffer,
    journal::{Entry, Item, Packet, Record},
    opus, vp8,
    webm::{self, Block},
};
use crate::{
    archive::recording::{
        ClassChange, LayoutChange, Manifest, RecordedStream, Span, TimelineEvent,
    },
    session::{ConnectionId, StreamId, media::MediaKind},
};

/// How long a packet waits for those before it, and for the reports that place it in time. Browsers
/// report on their sound every 5 s.
const PACKET_WAIT_US: i64 = 6_000_000;
/// How long a frame waits for frames of the other track that belong before it; counted, like
/// [`PACKET_WAIT_US`], from its own time.
const FRAME_WAIT_US: i64 = 8_000_000;
/// After a stream's end its last packets may still be under way.
pub const LINGER_US: u64 = 10_000_000;
/// How long the last picture stays, if there was one only.
const LAST_FRAME_US: i64 = 33_000;
const MAX_LAST_FRAME_US: i64 = 100_000;

/// What the name of a file ends in that is not whole.
const PART: &str = ".webm.part";

/// Turns records into files, each written to `<stream>.webm.part` and renamed when it is whole.
pub struct Muxer {
    dir: PathBuf,
    now_us: u64,
    layouts: Vec<LayoutChange>,
    /// Streams in the order in which they appeared.
    streams: Vec<StreamMux>,
    places: HashMap<StreamId, usize>,
    /// When streams that were destroyed are to be completed.
    closing: VecDeque<(u64, StreamId)>,
}

impl Muxer {
    /// A muxer for the archive whose folder is `dir`.
    pub fn new(dir: &Path) -> Muxer {
        Muxer {
            dir: dir.to_owned(),
            now_us: 0,
            layouts: Vec::new(),
            streams: Vec::new(),
            places: HashMap::new(),
            closing: VecDeque::new(),
        }
    }

    /// # Errors
    /// The disk's. The muxer is then of no more use; the journals are.
    pub fn push(&mut self, record: &Record) -> io::Result<()> {
        self.now_us = self.now_us.max(record.at_us);
        while let Some(&(at_us, stream)) = self.closing.front()
            && at_us <= self.now_us
        {
            self.closing.pop_front();
            let now_us = self.now_us;
            self.stream(stream, now_us).complete(now_us)?;
        }
        match &record.entry {
            Entry::Track { stream, kind, item } => {
                let now_us = signed(self.now_us);
                let stream = self.stream(*stream, record.at_us);
                stream.take(*kind, item, signed(record.at_us));
                stream.advance(now_us - PACKET_WAIT_US, now_us - FRAME_WAIT_US)
            }
            Entry::Note(note) => {
                self.apply_event(record.at_us, note);
                Ok(())
            }
            Entry::End => Ok(()),
        }
    }

    fn apply_event(&mut self, at_us: u64, note: &TimelineEvent) {
        match note {
            TimelineEvent::StreamCreated {
                stream,
                connection,
                connection_data,
                name,
                video_type,
                has_video,
                classes,
                ..
            } => {
                let stream = self.stream(*stream, at_us);
                stream.about = Some(About {
                    connection: *connection,
                    connection_data: connection_data.clone(),
                    name: name.clone(),
                    video_type: video_type.clone(),
                });
                stream.sends_picture = *has_video;
                stream.show(at_us);
                if !classes.is_empty() {
                    stream.classify(at_us, classes);
                }
            }
            TimelineEvent::StreamChanged {
                stream, has_video, ..
            } => {
                let stream = self.stream(*stream, at_us);
                stream.sends_picture = *has_video;
                stream.show(at_us);
            }
            TimelineEvent::StreamChosen {
                stream,
                has_audio,
                has_video,
            } => {
                let stream = self.stream(*stream, at_us);
                stream.takes_picture = *has_video;
                stream.show(at_us);
                stream.choose(at_us, *has_audio || *has_video);
            }
            TimelineEvent::StreamClasses { stream, classes } => {
                self.stream(*stream, at_us).classify(at_us, classes);
            }
            TimelineEvent::LayoutChanged { layout } => self.layouts.push(LayoutChange {
                at_ms: at_us / 1000,
                layout: *layout,
            }),
            TimelineEvent::StreamDestroyed { stream } => {
                let id = *stream;
                let stream = self.stream(id, at_us);
                if stream.left_us.is_none() {
                    stream.sends_picture = false;
                    stream.show(at_us);
                    stream.left_us = Some(at_us);
                    self.closing.push_back((at_us + LINGER_US, id));
                }
            }
        }
    }

    fn stream(&mut self, id: StreamId, at_us: u64) -> &mut StreamMux {
        let place = *self.places.entry(id).or_insert_with(|| {
            self.streams.push(StreamMux::new(&self.dir, id, at_us));
            self.streams.len() - 1
        });
        &mut self.streams[place]
    }

    /// Completes every file. Without a length the archive ends with its last record.
    ///
    /// # Errors
    /// The disk's.
    pub fn finish(mut self, duration_us: Option<u64>) -> io::Result<Manifest> {
        let duration_us = duration_us.unwrap_or(self.now_us);
        let mut streams = Vec::new();
        for stream in &mut self.streams {
            stream.complete(duration_us)?;
            streams.extend(stream.done.take());
        }
        Ok(Manifest {
            duration_ms: duration_us / 1000,
            layouts: self.layouts,
            streams,
        })
    }
}

/// What a note told of a stream.
struct About {
    connection: ConnectionId,
    connection_data: String,
    name: String,
    video_type: String,
}

struct StreamMux {
    id: StreamId,
    dir: PathBuf,
    about: Option<About>,
    joined_us: u64,
    left_us: Option<u64>,
    /// Whether its publisher sends a picture, and whether the archive takes it.
    sends_picture: bool,
    takes_picture: bool,
    /// When it was chosen by hand, if streams are.
    chosen: Vec<(u64, Option<u64>)>,
    classes: Vec<ClassChange>,
    /// When the picture was on, and the first frame of each time.
    pictures: Vec<Picture>,

    clock: StreamClock,
    audio: JitterBuffer,
    video: JitterBuffer,
    depacketizer: vp8::Depacketizer,
    /// Frames to be written, by their time; sound before picture.
    frames: BTreeMap<(i64, MediaKind), Frame>,
    queued_us: [i64; 2],

    file: Option<Output>,
    done: Option<RecordedStream>,
}

struct Picture {
    from_us: u64,
    to_us: Option<u64>,
    first_frame_us: Option<u64>,
}

enum Frame {
    Audio(Arc<[u8]>),
    Video(vp8::Frame),
}

/// The file that is being written.
struct Output {
    writer: webm::WebmWriter,
    /// The archive's time at which the file's is 0.
    starts_ms: u64,
    ends_us: i64,
    last_picture_us: Option<i64>,
    has_audio: bool,
    has_video: bool,
}

impl StreamMux {
    fn new(dir: &Path, id: StreamId, joined_us: u64) -> StreamMux {
        StreamMux {
            id,
            dir: dir.to_owned(),
            about: None,
            joined_us,
            left_us: None,
            sends_picture: false,
            takes_picture: true,
            chosen: Vec::new(),
            classes: Vec::new(),
            pictures: Vec::new(),
            clock: StreamClock::default(),
            audio: JitterBuffer::default(),
            video: JitterBuffer::default(),
            depacketizer: vp8::Depacketizer::default(),
            frames: BTreeMap::new(),
            queued_us: [-1; 2],
            file: None,
            done: None,
        }
    }

    fn show(&mut self, at_us: u64) {
        let on = self.sends_picture && self.takes_picture;
        let is_on = self.pictures.last_mut().filter(|last| last.to_us.is_none());
        match (is_on, on) {
            (Some(last), false) => last.to_us = Some(at_us),
            (None, true) => self.pictures.push(Picture {
                from_us: at_us,
                to_us: None,
                first_frame_us: None,
            }),
            _ => {}
        }
    }

    fn choose(&mut self, at_us: u64, is_chosen: bool) {
        let open = self.chosen.last_mut().filter(|(_, to)| to.is_none());
        match (open, is_chosen) {
            (Some((_, to_us)), false) => *to_us = Some(at_us),
            (None, true) => self.chosen.push((at_us, None)),
            _ => {}
        }
    }

    fn classify(&mut self, at_us: u64, classes: &[String]) {
        self.classes.push(ClassChange {
            at_ms: at_us / 1000,
            classes: classes.to_vec(),
        });
    }

    fn take(&mut self, kind: MediaKind, item: &Item, arrival_us: i64) {
        if self.done.is_some() {
            return;
        }
        let waiting = match kind {
            MediaKind::Audio => &mut self.audio,
            MediaKind::Video => &mut self.video,
        };
        match item {
            Item::Packet(packet) if waiting.accepts(packet.sequence) => {
                let stamp = self.clock.arrived(kind, packet.timestamp, arrival_us);
                waiting.push(packet.clone(), stamp);
            }
            Item::Report { ntp, rtp } => self.clock.report(kind, *ntp, *rtp),
            Item::Packet(_) | Item::Dropped { .. } => {}
        }
    }

    /// Goes on with the packets that came, and the frames that were made, until those moments.
    fn advance(&mut self, packets_until_us: i64, frames_until_us: i64) -> io::Result<()> {
        if self.done.is_some() {
            return Ok(());
        }
        while let Some((packet, stamp)) = self.audio.pop(packets_until_us) {
            let at_us = self.clock.place(MediaKind::Audio, stamp);
            // What was made before the archive began was only under way when it did.
            if at_us >= 0 && opus::is_well_formed(&packet.payload) {
                self.queue(at_us, MediaKind::Audio, Frame::Audio(packet.payload));
            }
        }
        while let Some((packet, stamp)) = self.video.pop(packets_until_us) {
            let at_us = self.clock.place(MediaKind::Video, stamp);
            if let Some(frame) = self.unpack(&packet) {
                self.queue(at_us, MediaKind::Video, frame);
            }
        }
        while let Some(frame) = self.frames.first_entry()
            && frame.key().0 <= frames_until_us
        {
            let ((at_us, _), frame) = frame.remove_entry();
            self.write(at_us, &frame)?;
        }
        Ok(())
    }

    fn unpack(&mut self, packet: &Packet) -> Option<Frame> {
        self.depacketizer.push(packet).map(Frame::Video)
    }

    /// Frames of a track keep their order, whatever became of their times.
    fn queue(&mut self, at_us: i64, kind: MediaKind, frame: Frame) {
        let queued_us = &mut self.queued_us[kind as usize];
        *queued_us = at_us.max(*queued_us + 1);
        self.frames.insert((*queued_us, kind), frame);
    }

    fn write(&mut self, at_us: i64, frame: &Frame) -> io::Result<()> {
        let at_ms = nearest_ms(at_us);
        let output = match &mut self.file {
            Some(output) => output,
            None => self.file.insert(Output {
                writer: webm::WebmWriter::create(&self.dir.join(part_name(self.id)))?,
                starts_ms: at_ms,
                ends_us: at_us,
                last_picture_us: None,
                has_audio: false,
                has_video: false,
            }),
        };
        let file_ms = at_ms.saturating_sub(output.starts_ms);
        let lasts_us = match frame {
            Frame::Audio(packet) => {
                output.has_audio = true;
                output.writer.write(file_ms, &Block::Audio(packet))?;
                signed(opus::duration_us(packet))
            }
            Frame::Video(frame) => {
                output.has_video = true;
                let block = Block::Video(&frame.data, frame.key);
                output.writer.write(file_ms, &block)?;
                let last_us = output.last_picture_us.replace(at_us);
                last_us.map_or(LAST_FRAME_US, |last_us| {
                    (at_us - last_us).min(MAX_LAST_FRAME_US)
                })
            }
        };
        output.ends_us = output.ends_us.max(at_us + lasts_us);
        if let Frame::Video(_) = frame {
            self.record_picture(u64::try_from(at_us).unwrap_or(0));
        }
        Ok(())
    }

    fn record_picture(&mut self, at_us: u64) {
        let on = self
            .pictures
            .iter_mut()
            .rev()
            .take_while(|picture| picture.to_us.is_none_or(|to_us| at_us < to_us))
            .find(|picture| picture.from_us <= at_us);
        if let Some(picture) = on {
            picture.first_frame_us.get_or_insert(at_us);
        }
    }

    /// Writes what still waits and completes the file; the archive is at `now_us`.
    fn complete(&mut self, now_us: u64) -> io::Result<()> {
        if self.done.is_some() {
            return Ok(());
        }
        self.advance(i64::MAX, i64::MAX)?;
        let left_us = self.left_us.unwrap_or(now_us).max(self.joined_us);
        let about = self.about.take().unwrap_or_else(|| About {
            connection: ConnectionId::parse("00000000-0000-0000-0000-000000000000")
                .expect("this is a UUID"),
            connection_data: String::new(),
            name: String::new(),
            video_type: "camera".to_owned(),
        });
        let mut done = RecordedStream {
            stream: self.id,
            connection: about.connection,
            connection_data: about.connection_data,
            name: about.name,
            video_type: about.video_type,
            joined_ms: self.joined_us / 1000,
            left_ms: left_us / 1000,
            file: None,
            starts_ms: self.joined_us / 1000,
            ends_ms: self.joined_us / 1000,
            size_bytes: 0,
            has_audio: false,
            has_video: false,
            shown: self.shown(left_us),
            present: self.present(left_us),
            classes: std::mem::take(&mut self.classes),
        };
        if let Some(output) = self.file.take() {
            let ends_ms = nearest_ms(output.ends_us);
            done.starts_ms = output.starts_ms;
            done.ends_ms = ends_ms.max(output.starts_ms);
            done.has_audio = output.has_audio;
            done.has_video = output.has_video;
            done.size_bytes = output.writer.finish(done.ends_ms - done.starts_ms)?;
            let name = file_name(self.id);
            fs::rename(self.dir.join(part_name(self.id)), self.dir.join(&name))?;
            done.file = Some(name);
        }
        self.done = Some(done);
        Ok(())
    }

    fn present(&self, left_us: u64) -> Vec<Span> {
        let spans = self.chosen.iter().map(|(from_us, to_us)| Span {
            from_ms: from_us / 1000,
            to_ms: to_us.unwrap_or(left_us).min(left_us) / 1000,
        });
        spans.filter(|span| span.from_ms < span.to_ms).collect()
    }

    fn shown(&self, left_us: u64) -> Vec<Span> {
        self.pictures
            .iter()
            .filter_map(|picture| {
                let span = Span {
                    from_ms: nearest_ms(signed(picture.first_frame_us?)),
                    to_ms: picture.to_us.unwrap_or(left_us) / 1000,
                };
                (span.from_ms < span.to_ms).then_some(span)
            })
            .collect()
    }
}

/// The name of a stream's finished file.
pub fn file_name(stream: StreamId) -> String {
    format!("{stream}.webm")
}

fn part_name(stream: StreamId) -> String {
    format!("{stream}{PART}")
}

/// Deletes the files that are not whole.
///
/// # Errors
/// The disk's.
pub fn discard_parts(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().ends_with(PART) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// The frames' own rounding: the tracks' clocks tick between milliseconds.
fn nearest_ms(us: i64) -> u64 {
    u64::try_from(us.saturating_add(500) / 1000).unwrap_or(0)
}

fn signed(us: u64) -> i64 {
    i64::try_from(us).unwrap_or(i64::MAX)
}
