//! A recording under simulated time, and people who send into it.

use std::{
    fs,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use super::super::{recording::Recording, vp8};
use crate::{
    archive::recording::{Manifest, TimelineEvent},
    session::{
        ConnectionId, StreamId,
        media::{MediaKind, Recorded, RecordedPacket},
    },
};

/// Something that reaches the recorder; times are in microseconds since the archive's start.
#[derive(Clone, Debug)]
pub enum Arrival {
    Packet {
        kind: MediaKind,
        sequence: u64,
        timestamp: u64,
        marker: bool,
        payload: Arc<[u8]>,
    },
    Report {
        kind: MediaKind,
        ntp: u64,
        rtp: u64,
    },
    Note(TimelineEvent),
}

pub struct Simulation {
    pub dir: tempfile::TempDir,
    started: Instant,
    recording: Recording,
}

impl Simulation {
    pub fn open() -> Simulation {
        let dir = tempfile::tempdir().unwrap();
        let started = Instant::now();
        Simulation {
            recording: Recording::start(dir.path(), started).unwrap(),
            dir,
            started,
        }
    }

    pub fn take(&mut self, at_us: u64, stream: StreamId, arrival: Arrival) {
        let at = self.started + Duration::from_micros(at_us);
        match arrival {
            Arrival::Packet {
                kind,
                sequence,
                timestamp,
                marker,
                payload,
            } => self.recording.record(Recorded::Packet(RecordedPacket {
                stream,
                kind,
                sequence,
                timestamp,
                marker,
                arrival: at,
                payload,
            })),
            Arrival::Report { kind, ntp, rtp } => self.recording.record(Recorded::SenderReport {
                stream,
                kind,
                ntp,
                rtp,
                arrival: at,
            }),
            Arrival::Note(note) => self.recording.record_event(at, note),
        }
        .unwrap();
        self.recording.tick(at).unwrap();
    }

    /// Takes what several people send, in the order of its arrival.
    pub fn take_all(&mut self, people: &[&Person]) {
        let mut all: Vec<_> = people
            .iter()
            .flat_map(|person| {
                person
                    .sent
                    .iter()
                    .map(|(at, sent)| (*at, person.stream, sent))
            })
            .collect();
        all.sort_by_key(|(at_us, ..)| *at_us);
        for (at_us, stream, arrival) in all {
            self.take(at_us, stream, arrival.clone());
        }
    }

    pub fn stop(self, at_ms: u64) -> (tempfile::TempDir, Manifest) {
        let at = self.started + Duration::from_millis(at_ms);
        let manifest = self.recording.finish(at).unwrap();
        (self.dir, manifest)
    }

    /// Leaves the folder as a killed process would.
    pub fn kill(self) -> tempfile::TempDir {
        let copy = tempfile::tempdir().unwrap();
        for file in fs::read_dir(self.dir.path()).unwrap() {
            let file = file.unwrap();
            fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
        }
        copy
    }
}

/// Somebody who publishes one stream, and what of it arrives when.
pub struct Person {
    pub stream: StreamId,
    pub connection: ConnectionId,
    pub sent: Vec<(u64, Arrival)>,
    sequence: [u64; 2],
    picture: u64,
}

/// How long each packet is under way.
const WAY_US: u64 = 15_000;
const RTP_START: u64 = 4_000_000_000;

impl Person {
    pub fn new() -> Person {
        Person {
            stream: StreamId::random(),
            connection: ConnectionId::random(),
            sent: Vec::new(),
            sequence: [60_000, 100],
            picture: 0,
        }
    }

    pub fn joins(&mut self, at_ms: u64, has_audio: bool, has_video: bool) {
        self.note(
            at_ms,
            TimelineEvent::StreamCreated {
                stream: self.stream,
                connection: self.connection,
                name: "Ada".to_owned(),
                connection_data: r#"{"name":"Ada"}"#.to_owned(),
                video_type: "camera".to_owned(),
                has_audio,
                has_video,
                classes: Vec::new(),
            },
        );
    }

    pub fn switches(&mut self, at_ms: u64, has_audio: bool, has_video: bool) {
        let stream = self.stream;
        self.note(
            at_ms,
            TimelineEvent::StreamChanged {
                stream,
                has_audio,
                has_video,
            },
        );
    }

    pub fn leaves(&mut self, at_ms: u64) {
        let stream = self.stream;
        self.note(at_ms, TimelineEvent::StreamDestroyed { stream });
    }

    /// What of it is recorded from then on, chosen by hand.
    pub fn chosen(&mut self, at_ms: u64, has_audio: bool, has_video: bool) {
        let stream = self.stream;
        self.note(
            at_ms,
            TimelineEvent::StreamChosen {
                stream,
                has_audio,
                has_video,
            },
        );
    }

    pub fn note(&mut self, at_ms: u64, note: TimelineEvent) {
        self.sent.push((at_ms * 1000, Arrival::Note(note)));
    }

    /// A packet each 20 ms, and reports each 5 s.
    pub fn talks(&mut self, from_ms: u64, to_ms: u64) {
        for at_ms in (from_ms..to_ms).step_by(20) {
            let fill = u8::try_from(at_ms / 20 % 251).unwrap();
            self.sound(at_ms * 1000, &[&[0x78], &[fill; 60][..]].concat());
            if at_ms % 5000 == 2500 {
                self.report(MediaKind::Audio, at_ms * 1000);
            }
        }
    }

    /// A picture each 40 ms, a key frame each 2 s, and reports each second.
    pub fn shows(&mut self, from_ms: u64, to_ms: u64) {
        for at_ms in (from_ms..to_ms).step_by(40) {
            let key = (at_ms - from_ms).is_multiple_of(2000);
            let fill = u8::try_from(at_ms / 40 % 251).unwrap();
            let frame = vp8::tests::frame(key, 640, 480, if key { 4000 } else { 1500 }, fill);
            self.picture(at_ms * 1000, &frame);
            if at_ms % 1000 == 480 {
                self.report(MediaKind::Video, at_ms * 1000);
            }
        }
    }

    pub fn sound(&mut self, made_us: u64, packet: &[u8]) {
        self.packet(MediaKind::Audio, made_us, true, packet);
    }

    pub fn picture(&mut self, made_us: u64, frame: &[u8]) {
        let id = u16::try_from(self.picture % 0x8000).unwrap();
        self.picture += 1;
        let payloads = vp8::tests::payloads(frame, id, 1200);
        for (n, payload) in payloads.iter().enumerate() {
            self.packet(MediaKind::Video, made_us, n + 1 == payloads.len(), payload);
        }
    }

    fn packet(&mut self, kind: MediaKind, made_us: u64, marker: bool, payload: &[u8]) {
        let sequence = self.sequence[kind as usize];
        self.sequence[kind as usize] += 1;
        let packet = Arrival::Packet {
            kind,
            sequence,
            timestamp: timestamp(kind, made_us),
            marker,
            payload: Arc::from(payload),
        };
        self.sent.push((made_us + WAY_US, packet));
    }

    pub fn report(&mut self, kind: MediaKind, made_us: u64) {
        let ntp = ((u128::from(made_us) + 3_900_000_000_000_000) << 32) / 1_000_000;
        let report = Arrival::Report {
            kind,
            ntp: u64::try_from(ntp).unwrap(),
            rtp: timestamp(kind, made_us),
        };
        self.sent.push((made_us + WAY_US, report));
    }
}

fn timestamp(kind: MediaKind, made_us: u64) -> u64 {
    match kind {
        MediaKind::Audio => RTP_START + made_us * 48 / 1000,
        MediaKind::Video => RTP_START / 2 + made_us * 9 / 100,
    }
}

/// What is in a WebM file.
#[derive(Debug, PartialEq)]
pub struct Film {
    pub duration_ms: f64,
    pub size: Option<(u16, u16)>,
    pub audio: Vec<(u64, Vec<u8>)>,
    /// With whether it is a key frame.
    pub video: Vec<(u64, bool, Vec<u8>)>,
}

/// Reads a file strictly: every size must be known, every cue must lead to a cluster, and times must
/// go up.
pub fn watch(path: &Path) -> Film {
    let bytes = fs::read(path).unwrap();
    let top = elements(&bytes, 0);
    assert_eq!(
        top.iter().map(|e| e.id).collect::<Vec<_>>(),
        [0x1a45_dfa3, 0x1853_8067]
    );
    let segment = &top[1];
    let mut film = Film {
        duration_ms: 0.0,
        size: None,
        audio: Vec::new(),
        video: Vec::new(),
    };
    let (mut tracks, mut clusters, mut cues) = (Vec::new(), Vec::new(), Vec::new());
    let mut last_ms = 0;
    let children = elements(segment.content, 0);
    for element in &children {
        match element.id {
            0x1549_a966 => {
                let duration = find(element, 0x4489).unwrap().content;
                film.duration_ms = f64::from_be_bytes(duration.try_into().unwrap());
            }
            0x1654_ae6b => {
                for entry in elements(element.content, 0).iter().filter(|e| e.id == 0xae) {
                    tracks.push(uint(&find(entry, 0xd7).unwrap()));
                    film.size = film.size.or_else(|| {
                        let video = find(entry, 0xe0)?;
                        let side = |id| u16::try_from(uint(&find(&video, id).unwrap())).unwrap();
                        Some((side(0xb0), side(0xba)))
                    });
                }
            }
            0x1f43_b675 => {
                clusters.push(element.position);
                let cluster_ms = uint(&find(element, 0xe7).unwrap());
                for block in elements(element.content, 0).iter().filter(|e| e.id == 0xa3) {
                    let [track, high, low, flags, data @ ..] = block.content else {
                        panic!("a block without a head")
                    };
                    let ms = cluster_ms + u64::from(u16::from_be_bytes([*high, *low]));
                    assert!(ms - cluster_ms <= 5000 && ms >= last_ms);
                    last_ms = ms;
                    match track {
                        0x81 => film.video.push((ms, flags & 0x80 != 0, data.to_vec())),
                        0x82 => film.audio.push((ms, data.to_vec())),
                        _ => panic!("a block of no track"),
                    }
                }
            }
            0x1c53_bb6b => {
                for point in elements(element.content, 0) {
                    let position = find(&point, 0xb7).unwrap();
                    cues.push((
                        uint(&find(&point, 0xb3).unwrap()),
                        uint(&find(&position, 0xf7).unwrap()),
                        uint(&find(&position, 0xf1).unwrap()) as usize,
                    ));
                }
            }
            _ => {}
        }
    }
    for (_, track, cluster) in &cues {
        assert!(tracks.contains(track) && clusters.contains(cluster));
    }
    let keys: Vec<_> = film.video.iter().filter(|f| f.1).map(|f| f.0).collect();
    let cued: Vec<_> = cues
        .iter()
        .filter(|cue| cue.1 == 1)
        .map(|cue| cue.0)
        .collect();
    assert_eq!(keys, cued, "each key frame can be found");
    for seek in elements(children[0].content, 0)
        .iter()
        .filter(|e| e.id == 0x4dbb)
    {
        let at = uint(&find(seek, 0x53ac).unwrap()) as usize;
        let id = find(seek, 0x53ab).unwrap().content;
        assert_eq!(&segment.content[at..at + 4], id);
    }
    assert_eq!(tracks.contains(&1), !film.video.is_empty());
    assert_eq!(tracks.contains(&2), !film.audio.is_empty());
    assert!(film.audio.windows(2).all(|two| two[0].0 < two[1].0));
    assert!(film.video.windows(2).all(|two| two[0].0 < two[1].0));
    film
}

struct Element<'a> {
    id: u32,
    position: usize,
    content: &'a [u8],
}

fn elements(bytes: &[u8], mut at: usize) -> Vec<Element<'_>> {
    let mut elements = Vec::new();
    while at < bytes.len() {
        let position = at;
        let width = bytes[at].leading_zeros() as usize + 1;
        let id = bytes[at..at + width]
            .iter()
            .fold(0, |id, byte| id << 8 | u32::from(*byte));
        at += width;
        let width = bytes[at].leading_zeros() as usize + 1;
        let size = bytes[at..at + width]
            .iter()
            .fold(0, |size, byte| size << 8 | u64::from(*byte));
        let size = (size & ((1 << (7 * width)) - 1)) as usize;
        at += width;
        elements.push(Element {
            id,
            position,
            content: &bytes[at..at + size],
        });
        at += size;
    }
    elements
}

fn find<'a>(parent: &Element<'a>, id: u32) -> Option<Element<'a>> {
    elements(parent.content, 0).into_iter().find(|e| e.id == id)
}

fn uint(element: &Element<'_>) -> u64 {
    element
        .content
        .iter()
        .fold(0, |value, byte| value << 8 | u64::from(*byte))
}
