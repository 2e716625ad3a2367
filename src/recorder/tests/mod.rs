//! Whole recordings: people come, talk, go; disks fail; processes die.

#![expect(
    clippy::cast_possible_truncation,
    reason = "a failed step is a failed test"
)]

mod real_media;
pub mod simulation;
mod threads;

use std::{collections::BTreeMap, fs, path::Path};

use proptest::prelude::*;
use simulation::{Arrival, Film, Person, Simulation, watch};

use super::{discard_journals, recover};
use crate::archive::{
    Layout,
    layout::Arrangement,
    recording::{ClassChange, LayoutChange, Manifest, RecordedStream, Span, TimelineEvent},
};

/// The only stream's entry, and its film.
fn only(dir: &Path, manifest: &Manifest) -> (RecordedStream, Film) {
    let [stream] = &manifest.streams[..] else {
        panic!("{} streams", manifest.streams.len())
    };
    let film = watch(&dir.join(stream.file.as_ref().unwrap()));
    (stream.clone(), film)
}

/// Every file of a folder but the journals.
fn results(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = fs::read_dir(dir).unwrap().map(|file| file.unwrap());
    files
        .map(|file| {
            (
                file.file_name().into_string().unwrap(),
                fs::read(file.path()).unwrap(),
            )
        })
        .filter(|(name, _)| !name.ends_with(".journal"))
        .collect()
}

/// Forgets everything but the journals and makes it anew from them.
fn again(dir: &Path) -> Manifest {
    for file in fs::read_dir(dir).unwrap() {
        let path = file.unwrap().path();
        if path.extension() != Some("journal".as_ref()) {
            fs::remove_file(path).unwrap();
        }
    }
    recover(dir).unwrap()
}

#[test]
fn a_talk_is_recorded_whole_with_its_times() {
    let mut ada = Person::new();
    ada.joins(1000, true, true);
    ada.talks(1200, 20_000);
    ada.shows(1240, 20_000);
    ada.leaves(20_100);
    let mut simulation = Simulation::open();
    simulation.take_all(&[&ada]);
    let (dir, manifest) = simulation.stop(25_000);

    assert_eq!(manifest.duration_ms, 25_000);
    let (stream, film) = only(dir.path(), &manifest);
    assert_eq!((stream.joined_ms, stream.left_ms), (1000, 20_100));
    assert_eq!((stream.starts_ms, stream.ends_ms), (1215, 20_015));
    assert_eq!(
        stream.shown,
        [Span {
            from_ms: 1255,
            to_ms: 20_100
        }]
    );
    assert_eq!(stream.name, "Ada");
    assert!(stream.has_audio && stream.has_video);
    let file = dir.path().join(stream.file.unwrap());
    assert_eq!(stream.size_bytes, fs::metadata(file).unwrap().len());
    assert_eq!(film.audio.len(), (20_000 - 1200) / 20);
    assert_eq!(film.video.len(), (20_000 - 1240) / 40);
    assert_eq!((film.audio[0].0, film.video[0].0), (0, 40));
    assert_eq!(film.size, Some((640, 480)));
    assert!((film.duration_ms - 18_800.0).abs() < 1.0);
    assert!(film.audio.windows(2).all(|two| two[1].0 - two[0].0 == 20));
}

#[test]
fn what_was_chosen_and_arranged_by_hand_is_the_same_from_the_journals() {
    let layout = Layout {
        arrangement: Arrangement::Pip,
        screenshare: None,
    };
    let classes = vec!["full".to_owned()];
    let mut ada = Person::new();
    ada.joins(1000, true, true);
    ada.chosen(1000, true, true);
    ada.talks(1200, 8_000);
    ada.shows(1240, 8_000);
    ada.chosen(8_000, false, false);
    ada.note(9_000, TimelineEvent::LayoutChanged { layout });
    ada.chosen(15_000, true, false);
    ada.talks(15_000, 20_000);
    let stream = ada.stream;
    let classified = TimelineEvent::StreamClasses {
        stream,
        classes: classes.clone(),
    };
    ada.note(16_000, classified);
    let mut simulation = Simulation::open();
    simulation.take_all(&[&ada]);
    let (dir, manifest) = simulation.stop(21_000);

    let span = |from_ms, to_ms| Span { from_ms, to_ms };
    let (recorded, film) = only(dir.path(), &manifest);
    assert_eq!(recorded.present, [span(1_000, 8_000), span(15_000, 21_000)]);
    assert_eq!(recorded.shown, [span(1_255, 8_000)]);
    let at_ms = 16_000;
    assert_eq!(recorded.classes, [ClassChange { at_ms, classes }]);
    let at_ms = 9_000;
    assert_eq!(manifest.layouts, [LayoutChange { at_ms, layout }]);
    assert_eq!(film.audio.len(), (8_000 - 1_200 + 5_000) / 20);
    assert_eq!(again(dir.path()), manifest);
}

#[test]
fn muted_from_the_start_and_heard_later_seen_later_still() {
    let mut ada = Person::new();
    ada.joins(0, false, false);
    ada.switches(10_000, true, false);
    ada.talks(10_000, 40_000);
    ada.switches(30_000, true, true);
    ada.shows(30_040, 35_000);
    ada.switches(35_000, true, false);
    let mut simulation = Simulation::open();
    simulation.take_all(&[&ada]);
    let (dir, manifest) = simulation.stop(41_000);

    let (stream, film) = only(dir.path(), &manifest);
    assert_eq!((stream.joined_ms, stream.starts_ms), (0, 10_015));
    assert_eq!(
        stream.shown,
        [Span {
            from_ms: 30_055,
            to_ms: 35_000
        }]
    );
    assert_eq!(film.audio.len(), 1500);
    assert_eq!(film.video[0].0, 20_040);
}

#[test]
fn what_was_made_before_the_archive_began_is_not_squeezed_into_its_beginning() {
    let mut ada = Person::new();
    ada.joins(0, true, false);
    ada.talks(0, 10_000);
    // The archive begins 190 ms into her talk; the network holds up what she said until 10 ms later.
    for (at_us, _) in &mut ada.sent {
        *at_us = (*at_us).max(200_000) - 190_000;
    }
    let mut simulation = Simulation::open();
    simulation.take_all(&[&ada]);
    let (dir, manifest) = simulation.stop(10_000);

    let (stream, film) = only(dir.path(), &manifest);
    assert!(stream.starts_ms < 20, "{}", stream.starts_ms);
    assert!(film.audio.windows(2).all(|two| two[1].0 - two[0].0 == 20));
    assert_eq!(film.audio.len(), 500 - 9);
}

#[test]
fn sound_alone_and_pictures_alone_are_films_too() {
    let mut ada = Person::new();
    ada.joins(0, true, false);
    ada.talks(0, 12_000);
    let mut bob = Person::new();
    bob.joins(3000, false, true);
    bob.shows(3000, 9000);
    bob.leaves(9000);
    let mut simulation = Simulation::open();
    simulation.take_all(&[&ada, &bob]);
    let (dir, manifest) = simulation.stop(12_000);

    let [ada, bob] = &manifest.streams[..] else {
        panic!()
    };
    assert!(ada.has_audio && !ada.has_video && !bob.has_audio && bob.has_video);
    assert_eq!(ada.shown, []);
    assert_eq!(
        (bob.joined_ms, bob.left_ms, bob.starts_ms),
        (3000, 9000, 3015)
    );
    let film = watch(&dir.path().join(ada.file.as_ref().unwrap()));
    assert_eq!((film.audio.len(), film.video.len()), (600, 0));
    let film = watch(&dir.path().join(bob.file.as_ref().unwrap()));
    assert_eq!((film.audio.len(), film.video.len()), (0, 150));
}

#[test]
fn who_never_sends_anything_is_listed_without_a_file() {
    let mut ada = Person::new();
    ada.joins(500, true, true);
    let mut simulation = Simulation::open();
    simulation.take_all(&[&ada]);
    let (dir, manifest) = simulation.stop(9000);
    let [stream] = &manifest.streams[..] else {
        panic!()
    };
    assert_eq!((stream.joined_ms, stream.left_ms), (500, 9000));
    assert_eq!((&stream.file, stream.size_bytes), (&None, 0));
    assert_eq!(results(dir.path()).len(), 1, "nothing but the manifest");
}

#[test]
fn an_archive_of_nothing_is_complete() {
    let (dir, manifest) = Simulation::open().stop(3000);
    assert_eq!(
        manifest,
        Manifest {
            duration_ms: 3000,
            layouts: Vec::new(),
            streams: vec![]
        }
    );
    assert_eq!(recover(dir.path()).unwrap(), manifest);
}

#[test]
fn a_long_silence_stays_as_long_as_it_was() {
    let mut ada = Person::new();
    ada.joins(0, true, false);
    ada.talks(0, 2000);
    ada.talks(602_000, 604_000);
    let mut simulation = Simulation::open();
    simulation.take_all(&[&ada]);
    let (dir, manifest) = simulation.stop(604_000);
    let (_, film) = only(dir.path(), &manifest);
    assert_eq!(film.audio[100].0, 602_000);
}

#[test]
fn the_film_of_somebody_who_left_is_complete_before_the_archive_is() {
    let mut ada = Person::new();
    ada.joins(0, true, true);
    ada.talks(0, 5000);
    ada.shows(0, 5000);
    ada.leaves(5000);
    let mut bob = Person::new();
    bob.joins(0, true, false);
    bob.talks(0, 20_000);
    let mut simulation = Simulation::open();
    simulation.take_all(&[&ada, &bob]);

    let film = watch(&simulation.dir.path().join(format!("{}.webm", ada.stream)));

    assert_eq!((film.audio.len(), film.video.len()), (250, 125));
    let (dir, manifest) = simulation.stop(20_000);
    assert_eq!(manifest.streams.len(), 2);
    let before = results(dir.path());
    assert_eq!(again(dir.path()), manifest);
    assert!(before == results(dir.path()));
}

#[test]
fn a_picture_that_grows_and_shrinks_is_one_film() {
    let mut ada = Person::new();
    for n in 0..300_u64 {
        let (width, height) = [(320, 180), (1280, 720), (640, 360)][n as usize / 100];
        let frame = super::vp8::tests::frame(n % 100 == 0, width, height, 900, n as u8);
        ada.picture(n * 40_000, &frame);
    }
    let mut simulation = Simulation::open();
    simulation.take_all(&[&ada]);
    let (dir, manifest) = simulation.stop(12_000);
    let (stream, film) = only(dir.path(), &manifest);
    assert_eq!(film.video.len(), 300);
    assert_eq!(film.size, Some((1280, 720)));
    assert_eq!(stream.name, "", "nobody told who this was");
}

#[test]
fn what_was_killed_is_recovered_as_often_as_one_likes() {
    let mut ada = Person::new();
    ada.joins(0, true, true);
    ada.talks(0, 30_000);
    ada.shows(0, 30_000);
    let mut simulation = Simulation::open();
    simulation.take_all(&[&ada]);
    let dir = simulation.kill();

    let manifest = recover(dir.path()).unwrap();

    assert!(
        (29_500..30_100).contains(&manifest.duration_ms),
        "at most the last flush is lost"
    );
    let (stream, film) = only(dir.path(), &manifest);
    assert!(film.audio.len() > 1475 && film.video.len() > 737);
    assert_eq!(stream.left_ms, manifest.duration_ms);
    let first = results(dir.path());
    assert_eq!(recover(dir.path()).unwrap(), manifest);
    assert_eq!(again(dir.path()), manifest);
    assert!(first == results(dir.path()));

    fs::write(dir.path().join(stream.file.as_ref().unwrap()), b"damaged").unwrap();
    assert_eq!(recover(dir.path()).unwrap(), manifest);
    assert!(
        first == results(dir.path()),
        "a file that is not whole is made anew"
    );
}

/// Somebody who talks for three seconds, in a recording that is killed.
fn killed_talk() -> (Person, tempfile::TempDir) {
    let mut ada = Person::new();
    ada.joins(0, true, false);
    ada.talks(0, 3000);
    let mut simulation = Simulation::open();
    simulation.take_all(&[&ada]);
    let killed = simulation.kill();
    (ada, killed)
}

#[test]
fn journals_go_only_when_the_films_are_in_place() {
    let (_, killed) = killed_talk();
    discard_journals(killed.path()).unwrap();
    let manifest = recover(killed.path()).unwrap();
    assert!(manifest.streams[0].has_audio, "the journals were kept");

    discard_journals(killed.path()).unwrap();

    assert_eq!(fs::read_dir(killed.path()).unwrap().count(), 2);
    assert_eq!(recover(killed.path()).unwrap(), manifest);
    discard_journals(killed.path()).unwrap();
}

#[test]
fn journals_that_grew_after_the_files_were_made_are_kept_and_read_again() {
    let (ada, killed) = killed_talk();
    let journal = killed.path().join(format!("{}.audio.journal", ada.stream));
    let whole = fs::read(&journal).unwrap();
    // As if it had been recovered in the middle of the recording.
    fs::write(&journal, &whole[..whole.len() / 2]).unwrap();
    let early = recover(killed.path()).unwrap();
    fs::write(&journal, &whole).unwrap();

    discard_journals(killed.path()).unwrap();
    let manifest = recover(killed.path()).unwrap();

    assert!(manifest.duration_ms > early.duration_ms + 1000, "{early:?}");
    let (_, film) = only(killed.path(), &manifest);
    assert!(film.audio.len() > 135, "at most the last flush is lost");
    discard_journals(killed.path()).unwrap();
    assert!(!journal.exists(), "the files hold all of it now");
}

#[test]
fn missing_journals_cost_only_what_they_held() {
    let mut ada = Person::new();
    ada.joins(0, true, true);
    ada.talks(0, 5000);
    ada.shows(0, 5000);
    let mut simulation = Simulation::open();
    simulation.take_all(&[&ada]);
    let (dir, _) = simulation.stop(5000);
    fs::remove_file(dir.path().join("notes.journal")).unwrap();
    fs::remove_file(dir.path().join(format!("{}.video.journal", ada.stream))).unwrap();

    let manifest = again(dir.path());

    let (stream, film) = only(dir.path(), &manifest);
    assert_eq!((film.audio.len(), film.video.len()), (250, 0));
    assert_eq!((stream.name.as_str(), manifest.duration_ms), ("", 4995));
    assert!(recover(&dir.path().join("nowhere")).is_err());
}

/// What a network does to packets: a random few are lost, late, or come twice.
#[derive(Clone, Debug)]
struct Network {
    seed: Vec<(u8, u32)>,
}

impl Network {
    fn spoil(&self, person: &mut Person) {
        let mut out = Vec::new();
        for (n, (at_us, arrival)) in person.sent.drain(..).enumerate() {
            let (fate, delay_us) = self.seed[n % self.seed.len()];
            match (fate, &arrival) {
                (_, Arrival::Note(_)) => out.push((at_us, arrival)),
                (0, _) => {}
                (1, _) => {
                    out.push((at_us, arrival.clone()));
                    out.push((at_us + u64::from(delay_us), arrival));
                }
                (2..4, _) => out.push((at_us + u64::from(delay_us), arrival)),
                _ => out.push((at_us, arrival)),
            }
        }
        person.sent = out;
    }
}

fn network() -> impl Strategy<Value = Network> {
    prop::collection::vec((0_u8..40, 0_u32..4_000_000), 50..400).prop_map(|seed| Network { seed })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn a_bad_network_costs_what_it_lost_and_live_and_later_agree(network in network()) {
        let mut ada = Person::new();
        ada.joins(0, true, true);
        ada.talks(40, 14_000);
        ada.shows(200, 14_000);
        ada.leaves(14_000);
        let mut bob = Person::new();
        bob.joins(4000, true, true);
        bob.talks(4040, 28_000);
        bob.shows(4080, 28_000);
        network.spoil(&mut ada);
        network.spoil(&mut bob);
        let sounds: std::collections::BTreeSet<u64> = bob.sent.iter().filter_map(|(_, sent)| match sent {
            Arrival::Packet { kind: crate::session::media::MediaKind::Audio, sequence, .. } => Some(*sequence),
            _ => None,
        }).collect();
        let mut simulation = Simulation::open();
        simulation.take_all(&[&ada, &bob]);
        let (dir, manifest) = simulation.stop(32_500);

        prop_assert_eq!(manifest.duration_ms, 32_500);
        for stream in &manifest.streams {
            let film = watch(&dir.path().join(stream.file.as_ref().unwrap()));
            if stream.stream == bob.stream {
                prop_assert_eq!(film.audio.len(), sounds.len(), "sound is lost only by the network");
            }
            prop_assert!(stream.ends_ms <= 32_500 && stream.starts_ms < 9000);
        }
        let live = results(dir.path());
        prop_assert_eq!(again(dir.path()), manifest);
        prop_assert!(live == results(dir.path()), "live and later differ");
    }

    #[test]
    fn journals_cut_anywhere_keep_what_lies_before_the_cut(
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 3),
        garbage in prop::collection::vec(any::<u8>(), 0..50),
    ) {
        let mut ada = Person::new();
        ada.joins(0, true, true);
        ada.talks(0, 12_000);
        ada.shows(0, 12_000);
        let mut simulation = Simulation::open();
        simulation.take_all(&[&ada]);
        let (dir, manifest) = simulation.stop(12_000);
        let (_, whole) = only(dir.path(), &manifest);
        let mut left = Vec::new();
        for (cut, name) in cuts.iter().zip([
            "notes.journal".to_owned(),
            format!("{}.audio.journal", ada.stream),
            format!("{}.video.journal", ada.stream),
        ]) {
            let path = dir.path().join(name);
            let mut bytes = fs::read(&path).unwrap();
            let cut = cut.index(bytes.len() + 1);
            left.push(cut as f64 / bytes.len() as f64);
            bytes.truncate(cut);
            bytes.extend(&garbage);
            fs::write(path, bytes).unwrap();
        }

        let manifest = again(dir.path());

        if let Some(file) = manifest.streams.first().and_then(|stream| stream.file.as_ref()) {
            let film = watch(&dir.path().join(file));
            prop_assert!(film.audio.len() as f64 > whole.audio.len() as f64 * left[1] - 6.0);
            prop_assert!(film.video.len() as f64 > whole.video.len() as f64 * left[2] - 6.0);
            for (cut, whole) in film.audio.iter().zip(&whole.audio) {
                prop_assert_eq!(&cut.1, &whole.1);
            }
            for (cut, whole) in film.video.iter().zip(&whole.video) {
                prop_assert_eq!(&cut.2, &whole.2);
            }
        }
    }
}
