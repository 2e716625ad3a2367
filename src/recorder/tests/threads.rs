//! The recorder as its users meet it: threads, a real clock, a real disk.

use std::{
    fs,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::mpsc::{Receiver, channel};

use super::{
    super::{Recorder, RecorderConfig, archive_dir},
    simulation::{Person, watch},
};
use crate::{
    archive::{
        ArchiveId,
        recording::{Manifest, RecordError, Recorder as _, RecorderEvent, TimelineEvent},
    },
    session::{
        ConnectionId, StreamId,
        media::{MediaKind, Recorded, RecordedPacket, Sink},
    },
};

fn recorder(data_dir: &Path) -> (Recorder, Receiver<RecorderEvent>) {
    let (events, heard) = channel(16);
    let config = RecorderConfig {
        data_dir: data_dir.to_owned(),
        min_free_bytes: 1,
    };
    (Recorder::new(config, events), heard)
}

fn sound(sink: &Sink, stream: StreamId, sequence: u64) {
    let packet = RecordedPacket {
        stream,
        kind: MediaKind::Audio,
        sequence,
        timestamp: sequence * 960,
        marker: true,
        arrival: Instant::now(),
        payload: Arc::from(&[0x78, 1, 2, 3][..]),
    };
    sink.send(Recorded::Packet(packet)).unwrap();
}

fn created(stream: StreamId) -> TimelineEvent {
    TimelineEvent::StreamCreated {
        stream,
        connection: ConnectionId::random(),
        name: "Ada".to_owned(),
        connection_data: r#"{"name":"Ada"}"#.to_owned(),
        video_type: "camera".to_owned(),
        has_audio: true,
        has_video: true,
        classes: Vec::new(),
    }
}

/// A start after which all that is sent here at once can have been made.
fn a_while_ago() -> Instant {
    Instant::now().checked_sub(Duration::from_secs(20)).unwrap()
}

fn ready(heard: &mut Receiver<RecorderEvent>) -> (ArchiveId, Arc<Manifest>) {
    match heard.blocking_recv().unwrap() {
        RecorderEvent::Ready { archive, manifest } => (archive, manifest),
        RecorderEvent::Failed { reason, .. } => panic!("{reason}"),
    }
}

#[test]
fn a_stopped_archive_holds_all_that_was_sent_before_the_stop() {
    let data = tempfile::tempdir().unwrap();
    let (recorder, mut heard) = recorder(data.path());
    let (archive, stream) = (ArchiveId::random(), StreamId::random());
    let sink = recorder.start(archive, a_while_ago()).unwrap();
    recorder.record(archive, Instant::now(), created(stream));
    for sequence in 0..500 {
        sound(&sink, stream, sequence);
    }
    drop(sink);
    recorder.stop(archive, Instant::now());
    recorder.stop(archive, Instant::now());
    recorder.record(archive, Instant::now(), created(StreamId::random()));

    let (ready, manifest) = ready(&mut heard);

    assert_eq!(ready, archive);
    let [stream] = &manifest.streams[..] else {
        panic!()
    };
    assert_eq!(stream.name, "Ada");
    let dir = archive_dir(data.path(), archive);
    let film = watch(&dir.join(stream.file.as_ref().unwrap()));
    assert_eq!(film.audio.len(), 500);
    let kept: Manifest =
        serde_json::from_slice(&fs::read(dir.join("manifest.json")).unwrap()).unwrap();
    assert_eq!(kept, *manifest);
}

#[test]
fn an_almost_full_disk_refuses_to_record_and_says_so() {
    let data = tempfile::tempdir().unwrap();
    let (events, _heard) = channel(1);
    let recorder = Recorder::new(
        RecorderConfig {
            data_dir: data.path().to_owned(),
            min_free_bytes: u64::MAX,
        },
        events,
    );
    let refused = recorder.start(ArchiveId::random(), Instant::now()).err();
    assert!(matches!(refused, Some(RecordError::DiskFull { .. })));
    assert_eq!(fs::read_dir(data.path()).unwrap().count(), 0);
}

#[test]
fn a_folder_that_cannot_be_made_refuses_to_record() {
    let data = tempfile::tempdir().unwrap();
    fs::write(data.path().join("archives"), b"in the way").unwrap();
    let (recorder, _heard) = recorder(data.path());
    let refused = recorder.start(ArchiveId::random(), Instant::now()).err();
    assert!(matches!(refused, Some(RecordError::Io(_))));
}

#[test]
fn a_disk_that_fails_ends_one_archive_early_and_no_other() {
    let data = tempfile::tempdir().unwrap();
    let (recorder, mut heard) = recorder(data.path());
    let [failing, sound_one] = [ArchiveId::random(), ArchiveId::random()];
    let [good, bad] = [StreamId::random(), StreamId::random()];
    let failing_sink = recorder.start(failing, a_while_ago()).unwrap();
    let sound_sink = recorder.start(sound_one, a_while_ago()).unwrap();
    let dir = archive_dir(data.path(), failing);
    fs::create_dir(dir.join(format!("{bad}.audio.journal"))).unwrap();

    for sequence in 0..50 {
        sound(&failing_sink, good, sequence);
        sound(&sound_sink, good, sequence);
    }
    sound(&failing_sink, bad, 0);

    let Some(RecorderEvent::Failed { archive, reason }) = heard.blocking_recv() else {
        panic!()
    };
    assert_eq!(archive, failing);
    assert!(
        reason.starts_with("the recording cannot be written"),
        "{reason}"
    );
    fs::remove_dir(dir.join(format!("{bad}.audio.journal"))).unwrap();
    let (archive, manifest) = ready(&mut heard);
    assert_eq!(archive, failing);
    assert_eq!(
        watch(&dir.join(manifest.streams[0].file.as_ref().unwrap()))
            .audio
            .len(),
        50
    );

    sound(&sound_sink, good, 50);
    recorder.stop(sound_one, Instant::now());
    let (archive, manifest) = ready(&mut heard);
    assert_eq!(archive, sound_one);
    let dir = archive_dir(data.path(), sound_one);
    assert_eq!(
        watch(&dir.join(manifest.streams[0].file.as_ref().unwrap()))
            .audio
            .len(),
        51
    );
}

#[test]
fn a_thousand_mutes_are_not_too_many() {
    let data = tempfile::tempdir().unwrap();
    let (recorder, mut heard) = recorder(data.path());
    let archive = ArchiveId::random();
    let _sink = recorder.start(archive, Instant::now()).unwrap();
    let people: Vec<_> = (0..20).map(|_| Person::new().stream).collect();
    for stream in &people {
        recorder.record(archive, Instant::now(), created(*stream));
    }
    for n in 0..5000 {
        let note = TimelineEvent::StreamChanged {
            stream: people[n % 20],
            has_audio: n % 40 < 20,
            has_video: true,
        };
        recorder.record(archive, Instant::now(), note);
    }
    recorder.stop(archive, Instant::now());
    assert_eq!(ready(&mut heard).1.streams.len(), 20);
}
