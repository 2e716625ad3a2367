//! How fast recording is: an hour of four people, given to the recorder as fast as it takes it.
//!
//! `cargo bench --bench recording`; takes a minute and gigabytes of disk, under the current folder.

#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
#![expect(clippy::unwrap_used, reason = "a failed step is a failed benchmark")]
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::{
    fs,
    sync::Arc,
    time::{Duration, Instant},
};

use parlor::{
    archive::{
        ArchiveId,
        recording::{Recorder as _, RecorderEvent},
    },
    recorder::{Recorder, RecorderConfig, archive_dir, recover},
    session::{
        StreamId,
        media::{MediaKind, Recorded, RecordedPacket},
    },
};
use tokio::sync::mpsc::channel;

const PEOPLE: usize = 4;
const LENGTH: Duration = Duration::from_secs(3600);

/// A camera of 1.5 Mbit/s: 30 pictures of 6 packets a second and 50 sounds, a key frame each 5 s.
const PACKETS: usize = 6;
const SIZE: usize = 1_042;
const STEP_MS: u64 = 20;

fn main() {
    let data = tempfile::tempdir_in(".").unwrap();
    let (events, mut heard) = channel(16);
    let recorder = Recorder::new(RecorderConfig::new(data.path()), events);
    let archive = ArchiveId::random();
    let started = Instant::now();
    let sink = recorder.start(archive, started).unwrap();
    let people: Vec<_> = (0..PEOPLE).map(|_| StreamId::random()).collect();

    let frames = [true, false].map(picture);
    let sound: Arc<[u8]> = Arc::from(&[0x78; 80][..]);
    let mut sequences = [0_u64; 2];
    let (mut packets, mut bytes) = (0_u64, 0_usize);
    let length_ms = u64::try_from(LENGTH.as_millis()).unwrap();
    for ms in (0..length_ms).step_by(usize::try_from(STEP_MS).unwrap()) {
        let shows = ms % 100 < 60; // three times in 100 ms
        let parts = &frames[usize::from(!ms.is_multiple_of(5000))];
        let video = parts.iter().take(if shows { PACKETS } else { 0 });
        let video = video.map(|part| (MediaKind::Video, part));
        for (n, (kind, payload)) in video.chain([(MediaKind::Audio, &sound)]).enumerate() {
            for stream in &people {
                packets += 1;
                bytes += payload.len();
                let packet = RecordedPacket {
                    stream: *stream,
                    kind,
                    sequence: sequences[kind as usize],
                    timestamp: ms * if kind == MediaKind::Audio { 48 } else { 90 },
                    marker: n == PACKETS - 1 || kind == MediaKind::Audio,
                    arrival: started + Duration::from_millis(ms),
                    payload: Arc::clone(payload),
                };
                sink.send(Recorded::Packet(packet)).unwrap();
            }
            sequences[kind as usize] += 1;
        }
    }
    let recording = started.elapsed();

    let stopped = Instant::now();
    recorder.stop(archive, started + LENGTH);
    let manifest = match heard.blocking_recv().unwrap() {
        RecorderEvent::Ready { manifest, .. } => manifest,
        RecorderEvent::Failed { reason, .. } => panic!("{reason}"),
    };
    let stop = stopped.elapsed();

    let dir = archive_dir(data.path(), archive);
    for file in fs::read_dir(&dir).unwrap() {
        let path = file.unwrap().path();
        if path.extension() != Some("journal".as_ref()) {
            fs::remove_file(path).unwrap();
        }
    }
    let began = Instant::now();
    assert_eq!(recover(&dir).unwrap(), *manifest);
    let recovery = began.elapsed();

    let megabytes = bytes as f64 / 1e6;
    println!("{PEOPLE} people, {LENGTH:?}: {packets} packets, {megabytes:.0} MB of media");
    println!(
        "recorded in {recording:.1?}: {:.0} times as fast as they talk, {:.2} us a packet",
        LENGTH.as_secs_f64() / recording.as_secs_f64(),
        recording.as_secs_f64() * 1e6 / packets as f64,
    );
    println!("from the stop to whole files: {stop:.1?}");
    println!(
        "from the journals, as after a crash: {recovery:.1?}, {:.0} MB/s",
        megabytes / recovery.as_secs_f64()
    );
}

/// The packets of a VP8 frame (RFC 7741), of which nothing is ever decoded.
fn picture(is_key: bool) -> Vec<Arc<[u8]>> {
    let mut packets = vec![vec![0_u8; SIZE]; PACKETS];
    packets[0][0] = 0x10; // the beginning of a partition
    let tag = if is_key {
        [0x10, 0, 0, 0x9d, 0x01, 0x2a, 0x80, 2, 0xe0, 1] // 640x480
    } else {
        [0x11, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    };
    packets[0][1..=tag.len()].copy_from_slice(&tag);
    packets.into_iter().map(Arc::from).collect()
}
