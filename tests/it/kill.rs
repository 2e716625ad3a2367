//! `kill -9` while it records: after the next start the archive is there, by itself.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use parlor::{archive::ArchiveId, session::media::MediaKind};
use serde_json::Value;
use tokio::{task::block_in_place, time::timeout};

use crate::{
    client::{Part, Participant, Sent},
    people::{Moderator, PATIENCE, between, is_available, is_playable},
    process::{Data, Process},
    tools::{decode, ends_at, packets, seconds},
};

/// Servers at once.
const LANES: usize = 3;
const KILLS: usize = 20;

/// What a kill may cost at most.
const LOSS: Duration = Duration::from_secs(2);
const PICTURE: Duration = Duration::from_nanos(1_000_000_000 / 30);
const SOUND: Duration = Duration::from_millis(20);
/// How far the recorder writes one track behind another at most: it flushes them one by one.
const FLUSH: Duration = Duration::from_millis(300);

const FLAGS: &[&str] = &["--min-free-mib", "1"];

/// Numbers that come again with the same seed (xorshift64*).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % end
    }

    fn pause(&mut self, from_ms: u64, to_ms: u64) -> Duration {
        Duration::from_millis(from_ms + self.below(to_ms - from_ms))
    }
}

/// Of `PARLOR_SEED`, or of the clock. It is printed: a failed test shows it.
fn seed() -> u64 {
    let seed = std::env::var("PARLOR_SEED").map_or_else(
        |_| u64::try_from(parlor::clock::now_ms()).unwrap() | 1,
        |text| text.parse().unwrap(),
    );
    eprintln!("PARLOR_SEED={seed}");
    seed
}

/// A server that is killed and started again, and its moderator.
struct Lane {
    data: Data,
    server: Process,
    moderator: Moderator,
}

impl Lane {
    async fn open() -> Lane {
        let data = Data::with_moderator().await;
        let server = Process::start(&data.path(), FLAGS);
        let moderator = Moderator::at(&server.base).await;
        Lane {
            data,
            server,
            moderator,
        }
    }

    async fn publisher(&self, name: &str) -> Participant {
        Participant::join(&self.moderator, "main", name, Part::Publisher).await
    }

    /// Waits until sound of so many people is on the disk. Before that a kill may cost all of a stream.
    async fn has_written(&self, id: ArchiveId, people: usize) {
        let folder = self.data.path().join("archives").join(id.to_string());
        let is_sound = |file: &std::fs::DirEntry| {
            file.file_name()
                .to_string_lossy()
                .ends_with(".audio.journal")
                && file.metadata().unwrap().len() > 0
        };
        let written = async {
            loop {
                let files = std::fs::read_dir(&folder).unwrap().map(Result::unwrap);
                if files.filter(is_sound).count() == people {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(PATIENCE, written).await.expect("it is written");
    }

    /// `kill -9`, and the next start. The moment of the kill comes back.
    fn kill(self) -> (Lane, Instant) {
        let Lane {
            data,
            server,
            mut moderator,
        } = self;
        let killed = Instant::now();
        // The other lanes go on meanwhile.
        let server = block_in_place(|| {
            server.kill();
            Process::start(&data.path(), FLAGS)
        });
        moderator.move_to(&server.base);
        let lane = Lane {
            data,
            server,
            moderator,
        };
        (lane, killed)
    }

    /// Looks at every file of an archive. `sent`: what its people have sent meanwhile, in the order in
    /// which they came.
    async fn check(&self, id: ArchiveId, sent: &[Vec<Sent>], span: &Span) -> Duration {
        let streams = self.moderator.streams(id).await;
        assert_eq!(streams.len(), sent.len());
        let folder = tempfile::tempdir().unwrap();
        let mut worst = Duration::ZERO;
        for (stream, sent) in streams.iter().zip(sent) {
            let file = folder.path().join("stream.webm");
            let url = stream["url"].as_str().expect("it has a file");
            self.moderator.saves(url, &file).await;
            worst = worst.max(block_in_place(|| compare(&file, stream, sent, span)));
        }
        worst
    }
}

/// When an archive recorded, as seen from outside.
struct Span {
    /// It began before this, by as much as the answer was on its way.
    begun: Instant,
    ended: Instant,
    /// What may be missing at its end.
    loss: Duration,
}

impl Span {
    /// What was certainly sent while it recorded, but for the last that a kill may cost.
    fn certain(&self, sent: &[Sent], kind: MediaKind) -> usize {
        let until = self.ended.checked_sub(self.loss).unwrap_or(self.begun);
        let from = match kind {
            MediaKind::Audio => self.begun,
            // Nothing can be seen before the key frame that the recorder asks for.
            MediaKind::Video => self.begun + Duration::from_secs(1),
        };
        let certain = |s: &&Sent| s.kind == kind && s.at >= from && s.at < until;
        sent.iter().filter(certain).count()
    }
}

/// Compares a stream's file with what was sent. Returns how much is missing at its end.
fn compare(file: &Path, stream: &Value, sent: &[Sent], span: &Span) -> Duration {
    decode(file);
    for (kind, name) in [(MediaKind::Audio, "audio"), (MediaKind::Video, "video")] {
        let (kept, certain) = (packets(file, name), span.certain(sent, kind));
        assert!(kept >= certain, "{name}: {kept} of {certain}, {stream}");
        let all = sent.iter().filter(|s| s.kind == kind).count();
        assert!(kept <= all, "{name}: {kept} of {all}, {stream}");
    }
    let at = |name: &str| Duration::from_millis(stream[name].as_u64().unwrap());
    let (starts, ends) = (at("startsMs"), at("endsMs"));
    // Without holes: as much sound as there is until its end, which is that of the file but for what a kill lets fall
    // between the writing of two tracks.
    let some = Duration::from_millis(200);
    let heard = SOUND * u32::try_from(packets(file, "audio")).unwrap();
    let length = ends - starts;
    let last_heard = ends_at(file, "audio");
    assert!(heard + some >= last_heard, "{heard:?} of {last_heard:?}");
    assert!(
        last_heard + FLUSH + some >= length,
        "{last_heard:?} of {length:?}"
    );
    let seen = PICTURE * u32::try_from(packets(file, "video")).unwrap();
    assert!(seen <= length + Duration::from_millis(500));
    let said = Duration::from_secs_f64(seconds(file));
    assert!(said.abs_diff(length) < Duration::from_millis(100));

    let last = sent.iter().map(|s| s.at).filter(|at| *at <= span.ended);
    let last = last.max().unwrap();
    let missing = last.saturating_duration_since(span.begun + ends);
    assert!(missing <= LOSS, "{missing:?} are lost, {stream}");
    missing
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_survives_twenty_kills_at_any_moment() {
    let seed = seed();
    let mut lanes = tokio::task::JoinSet::new();
    for number in 0..LANES {
        lanes.spawn(async move {
            let mut dice = Dice(seed.wrapping_mul(number as u64 * 2 + 1) | 1);
            let mut lane = Lane::open().await;
            let mut ids = Vec::new();
            let mut worst = Duration::ZERO;
            for _ in (number..KILLS).step_by(LANES) {
                let lost;
                let id;
                (lane, id, lost) = kill_while_recording(lane, &mut dice).await;
                ids.push(id);
                worst = worst.max(lost);
            }
            // Whatever was composed when the server was killed, is composed.
            let folder = tempfile::tempdir().unwrap();
            for id in ids {
                lane.moderator.sees(id, is_available).await;
                let file = folder.path().join("archive.mp4");
                lane.moderator.downloads(id, &file).await;
                block_in_place(|| decode(&file));
            }
            worst
        });
    }
    let lost = lanes.join_all().await;
    eprintln!("at most lost: {lost:?}");
}

async fn kill_while_recording(lane: Lane, dice: &mut Dice) -> (Lane, ArchiveId, Duration) {
    // Some join before the archive starts, some after.
    let mut people = Vec::new();
    let is_first_here = dice.below(3) > 0;
    if is_first_here {
        people.push(lane.publisher("Ada").await);
    }
    let id = lane.moderator.starts_archive("main").await;
    let begun = Instant::now();
    if !is_first_here || dice.below(3) == 0 {
        people.push(lane.publisher("Bob").await);
    }
    lane.has_written(id, people.len()).await;
    let moment = dice.pause(250, 4_000);
    // The random moment, not a wait for anything.
    tokio::time::sleep(moment).await;

    let (lane, killed) = lane.kill();
    let span = Span {
        begun,
        ended: killed,
        loss: LOSS,
    };
    let mut sent = Vec::new();
    for person in &mut people {
        person.until(|diary| diary.closed.is_some()).await;
        sent.push(person.sent());
    }
    let page = lane.moderator.sees(id, is_playable).await;
    assert!(
        page.contains("The server stopped during this recording."),
        "{page}"
    );
    let lost = lane.check(id, &sent, &span).await;
    (lane, id, lost)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_survives_kills_while_it_is_finished_and_composed() {
    let mut dice = Dice(seed());
    let mut lane = Lane::open().await;
    for finishing in [true, true, false] {
        let mut ada = lane.publisher("Ada").await;
        let asked = Instant::now();
        let id = lane.moderator.starts_archive("main").await;
        let begun = Instant::now();
        tokio::time::sleep(dice.pause(1_000, 3_000)).await;
        let ended = Instant::now();
        lane.moderator.stops_archive(id).await;
        let stopped = Instant::now();
        if finishing {
            tokio::time::sleep(dice.pause(0, 60)).await;
        } else {
            let composes = |page: &str| {
                let percent = page.split_once("Preparing MP4, ").map(|(_, rest)| rest);
                is_available(page) || percent.is_some_and(|rest| !rest.starts_with("0%"))
            };
            lane.moderator.sees(id, composes).await;
        }
        (lane, _) = lane.kill();
        ada.until(|diary| diary.closed.is_some()).await;
        let span = Span {
            begun,
            ended,
            // What was received and not yet written; nothing once it was finished.
            loss: if finishing {
                LOSS
            } else {
                Duration::from_millis(300)
            },
        };
        lane.moderator.sees(id, is_playable).await;
        lane.check(id, &[ada.sent()], &span).await;

        lane.moderator.sees(id, is_available).await;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("archive.mp4");
        lane.moderator.downloads(id, &file).await;
        decode(&file);
        let length = Duration::from_secs_f64(seconds(&file));
        // It began and ended while the server was asked to. Whatever was not yet finished may lack its last.
        let some = Duration::from_millis(200);
        let unwritten = if finishing { FLUSH } else { Duration::ZERO };
        let (least, most) = (ended - begun, stopped - asked);
        assert!(
            length + some + unwritten >= least && length <= most + some,
            "{length:?} of {least:?} to {most:?}"
        );
        let page = lane.moderator.page(&format!("/archives/{id}")).await;
        assert_eq!(between(&page, r#"data-status=""#, '"'), "available");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_individual_archive_survives_a_kill_and_is_packed_by_the_next_start() {
    const KEY: [&str; 4] = ["--api-key", "123456", "--api-secret", "a-secret-of-tests"];
    let flags = [FLAGS, &KEY].concat();
    let data = Data::with_moderator().await;
    let server = Process::start(&data.path(), &flags);
    let mut moderator = Moderator::at(&server.base).await;
    let pass = moderator.pass("main", "Ada").await;
    let session = pass["sessionId"].clone();
    let mut ada = Participant::enter(&server.base, pass, Part::Publisher).await;
    let started = moderator
        .request("POST", "/v2/project/123456/archive")
        .header("X-TB-PARTNER-AUTH", format!("{}:{}", KEY[1], KEY[3]))
        .json(&serde_json::json!({ "sessionId": session, "outputMode": "individual" }));
    let started: Value = started.send().await.unwrap().json().await.unwrap();
    let id = ArchiveId::parse(started["id"].as_str().unwrap()).unwrap();
    let before = ada.sent().len();
    ada.until(|diary| diary.sent.len() > before + 150).await;

    server.kill();
    // As if it had been packing.
    let folder = data.path().join("archives").join(id.to_string());
    std::fs::write(folder.join("archive.zip.part"), b"half of it").unwrap();
    let server = Process::start(&data.path(), &flags);
    moderator.move_to(&server.base);

    let page = moderator.sees(id, is_available).await;
    assert!(page.contains("Available · recovered"), "{page}");
    let file = folder.join("../saved.zip");
    moderator.downloads(id, &file).await;
    let mut zip = zip::ZipArchive::new(std::fs::File::open(&file).unwrap()).unwrap();
    let stream = moderator.streams(id).await.remove(0);
    let name = format!("{}.webm", stream["id"].as_str().unwrap());
    let path = data.path().join("stream.webm");
    let mut webm = std::fs::File::create(&path).unwrap();
    std::io::copy(&mut zip.by_name(&name).unwrap(), &mut webm).unwrap();
    decode(&path);
    assert!(packets(&path, "audio") > 20);
    assert!(!folder.join("archive.zip.part").exists());
}
