//! How fast recording is. Run by hand:
//! `cargo test --release --lib recorder::tests::measure -- --ignored --nocapture`

use std::{
    fs,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    super::{recording::Recording, vp8},
    again,
};
use crate::session::{
    StreamId,
    media::{Kind, Recorded, RecordedPacket},
};

const PEOPLE: usize = 4;
const HOURS: u64 = 1;

/// People at 1.5 Mbit/s: 30 pictures of 6 packets and 50 sounds a second, a key frame each 5 s.
#[test]
#[ignore = "takes a minute, and gigabytes of disk"]
fn an_hour_of_four_people() {
    let dir = tempfile::tempdir_in(".").unwrap();
    let started = Instant::now();
    let mut recording = Recording::start(dir.path(), started).unwrap();
    let people: Vec<_> = (0..PEOPLE).map(|_| StreamId::random()).collect();
    let frames = [true, false].map(|key| {
        let frame = vp8::tests::frame(key, 640, 480, 6 * 1042, 7);
        let payloads = vp8::tests::payloads(&frame, 1, 1046);
        payloads
            .into_iter()
            .map(Arc::from)
            .collect::<Vec<Arc<[u8]>>>()
    });
    let sound: Arc<[u8]> = Arc::from(&[0x78; 80][..]);
    let mut sequences = [0_u64; 2];
    let (mut packets, mut bytes) = (0_u64, 0_u64);
    let clock = Instant::now();
    for ms in (0..HOURS * 3_600_000).step_by(20) {
        let arrival = started + Duration::from_millis(ms);
        let picture = ms % 100 < 60; // three times in 100 ms
        let parts = &frames[usize::from(ms % 5000 != 0)];
        let video = parts.iter().take(if picture { 6 } else { 0 });
        let all = video
            .map(|part| (Kind::Video, part))
            .chain([(Kind::Audio, &sound)]);
        for (n, (kind, payload)) in all.enumerate() {
            for stream in &people {
                packets += 1;
                bytes += payload.len() as u64;
                let packet = RecordedPacket {
                    stream: *stream,
                    kind,
                    sequence: sequences[kind as usize],
                    timestamp: ms * if kind == Kind::Audio { 48 } else { 90 },
                    marker: n == 5 || kind == Kind::Audio,
                    arrival,
                    payload: Arc::clone(payload),
                };
                recording.take(Recorded::Packet(packet)).unwrap();
            }
            sequences[kind as usize] += 1;
        }
        recording.tick(arrival).unwrap();
    }
    let live = clock.elapsed();
    let clock = Instant::now();
    let end = started + Duration::from_secs(HOURS * 3600);
    let manifest = recording.finish(end).unwrap();
    let finish = clock.elapsed();
    let clock = Instant::now();
    assert_eq!(again(dir.path()), manifest);
    let remux = clock.elapsed();

    let megabytes = bytes as f64 / 1e6;
    let on_disk: u64 = fs::read_dir(dir.path())
        .unwrap()
        .map(|file| file.unwrap().metadata().unwrap().len())
        .sum();
    let films: u64 = manifest
        .streams
        .iter()
        .map(|stream| stream.size_bytes)
        .sum();
    eprintln!(
        "{packets} packets, {megabytes:.0} MB of media; journals {:.0} MB, films {:.0} MB\n\
         recording: {live:.1?}, {:.2} us a packet, {:.0} MB/s\n\
         stop to manifest: {finish:.1?}\n\
         from the journals: {remux:.1?}, {:.0} MB/s",
        (on_disk - films) as f64 / 1e6,
        films as f64 / 1e6,
        live.as_secs_f64() * 1e6 / packets as f64,
        megabytes / live.as_secs_f64(),
        megabytes / remux.as_secs_f64(),
    );
}
