//! The disk is full: before a recording, in the middle of it, for real.

use std::{fs, path::PathBuf, process::Command};

use parlor::archive::ArchiveId;

use crate::{
    client::{Diary, Part, Participant},
    people::{Moderator, Parlor, is_available, is_playable},
    process::{Data, Process, add_moderator},
    tools::{decode, packets},
};

const MIB: u64 = 1024 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn no_recording_begins_on_a_disk_that_is_almost_full() {
    for min_free_mib in [1 << 40, u64::MAX] {
        let parlor = Parlor::with(|config| config.data.min_free_mib = min_free_mib).await;
        let moderator = parlor.moderator().await;
        let (status, problem) = moderator.ask("/archives", &[("room", "main")]).await;
        assert_eq!(status, 507, "{problem}");
        let cause = problem["cause"].as_str().unwrap();
        assert!(cause.starts_with("The disk is almost full ("), "{cause}");
        assert!(
            cause.ends_with("delete archives or free disk space."),
            "{cause}"
        );
        let answer = moderator.post("/archives", &[("room", "main")]).await;
        assert_eq!(answer.status().as_u16(), 507);
        let page = answer.text().await.unwrap();
        assert!(page.contains("The disk is almost full"), "{page}");

        // Nothing is left behind that looks as if it recorded.
        let status = moderator.page("/rooms/main/status").await;
        assert_eq!(status, r#"{"people":[],"recording":null}"#);
        let history = moderator.page("/history").await;
        assert!(history.contains("The disk is almost full ("));
        let answer = moderator.post("/rooms", &[("name", "Kitchen")]).await;
        assert_eq!(answer.status().as_u16(), 303);
        parlor.server.stop().await;
    }
}

/// A file may grow to a size and no further: what a quota does, and works without any privilege.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_before_the_disk_refused_is_kept() {
    let data = Data::with_moderator().await;
    let limit = format!("--fsize={}", 3 * MIB);
    // The signal would end the process where a full disk only gives an error.
    let prefix = ["prlimit", &limit, "env", "--ignore-signal=XFSZ"];
    let server = Process::start_under(&prefix, &data.path(), &["--min-free-mib", "1"]);
    let moderator = Moderator::at(&server.base).await;
    let ada = Participant::join(&moderator, "main", "Ada", Part::Heavy).await;
    let id = moderator.starts_archive("main").await;

    let told = "The recording cannot be written: File too large";
    let page = moderator
        .sees(id, |page| page.contains(told) && is_playable(page))
        .await;
    assert!(!page.contains("The server stopped during"), "{page}");
    let stream = moderator.saves_the_stream(id).await;
    let file = stream.path();
    decode(file);
    assert!(fs::metadata(file).unwrap().len() > 2 * MIB);
    assert!(packets(file, "audio") > 20);
    // The call goes on, and so does the server.
    assert_eq!(ada.closed(), None);
    let status = moderator.page("/rooms/main/status").await;
    assert!(
        status.contains(r#""people":["Ada"],"recording":null"#),
        "{status}"
    );
    ada.leave();
}

/// A disk of its own, in memory.
struct Disk {
    folder: tempfile::TempDir,
}

impl Disk {
    /// `None` where nobody may mount.
    fn mount(mib: u64) -> Option<Disk> {
        let folder = tempfile::tempdir().unwrap();
        let size = format!("size={mib}m");
        let path = folder.path().to_str().unwrap();
        let is_mounted = succeeds(&["mount", "-t", "tmpfs", "-o", &size, "tmpfs", path]);
        is_mounted.then_some(Disk { folder })
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn free(&self) -> u64 {
        let disk = nix::sys::statvfs::statvfs(self.folder.path()).unwrap();
        disk.blocks_available() * disk.fragment_size()
    }

    /// Something else takes all room but `left` bytes.
    fn fill(&self, left: u64) -> PathBuf {
        let file = self.folder.path().join("something-else");
        let size = usize::try_from(self.free() - left).unwrap();
        // Others write, too: the last of it may find no room.
        let filled = fs::write(&file, vec![7; size]);
        assert!(filled.is_ok() || left == 0);
        file
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        succeeds(&["umount", "-l", self.folder.path().to_str().unwrap()]);
    }
}

fn succeeds(words: &[&str]) -> bool {
    #[expect(clippy::disallowed_methods, reason = "mounts the disk of a test")]
    let output = Command::new(words[0]).args(&words[1..]).output();
    output.is_ok_and(|output| output.status.success())
}

/// A small disk, unless the test is to be skipped.
fn small_disk() -> Option<Disk> {
    let disk = Disk::mount(48);
    if disk.is_none() {
        eprintln!("SKIPPED: only root may mount the small disk that this test fills");
    }
    disk
}

/// A server on the disk, and Ada in a room that it has recorded for a while.
struct Recording {
    server: Process,
    moderator: Moderator,
    ada: Participant,
    id: ArchiveId,
}

async fn record_on(disk: &Disk, min_free_mib: &str) -> Recording {
    add_moderator(&disk.data()).await;
    let server = Process::start(&disk.data(), &["--min-free-mib", min_free_mib]);
    let moderator = Moderator::at(&server.base).await;
    let mut ada = Participant::join(&moderator, "main", "Ada", Part::Heavy).await;
    let id = moderator.starts_archive("main").await;
    let before = ada.sent().len();
    ada.until(|diary| diary.sent.len() > before + 80).await;
    Recording {
        server,
        moderator,
        ada,
        id,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_ends_in_order_before_the_disk_is_full() {
    let Some(disk) = small_disk() else { return };
    let Recording {
        server: _server,
        moderator,
        mut ada,
        id,
    } = record_on(&disk, "24").await;

    let something_else = disk.fill(11 * MIB);
    ada.until(is_told_of_the_end).await;
    let told = |page: &str| page.contains("The disk is almost full (") && is_playable(page);
    moderator.sees(id, told).await;
    is_whole(&moderator, id).await;

    let (status, problem) = moderator.ask("/archives", &[("room", "main")]).await;
    assert_eq!(status, 507, "{problem}");
    fs::remove_file(something_else).unwrap();
    let next = moderator.starts_archive("main").await;
    moderator.stops_archive(next).await;
    ada.leave();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_that_was_cut_off_by_a_full_disk_is_there_once_there_is_room() {
    let Some(disk) = small_disk() else { return };
    let Recording {
        server: _server,
        moderator,
        mut ada,
        id,
    } = record_on(&disk, "2").await;

    // Not even the database can write now.
    let something_else = disk.fill(0);
    ada.until(is_told_of_the_end).await;
    assert_eq!(ada.closed(), None);
    let status = moderator.page("/rooms/main/status").await;
    assert!(status.contains(r#""recording":null"#), "{status}");

    // Nothing but room is needed.
    fs::remove_file(something_else).unwrap();
    moderator.sees(id, is_playable).await;
    is_whole(&moderator, id).await;
    ada.leave();
}

#[tokio::test(flavor = "multi_thread")]
async fn deleting_an_archive_needs_no_room_and_makes_some() {
    let Some(disk) = small_disk() else { return };
    let Recording {
        server: _server,
        moderator,
        ada,
        id,
    } = record_on(&disk, "2").await;
    moderator.stops_archive(id).await;
    moderator.sees(id, is_available).await;
    ada.leave();
    disk.fill(0);

    let (status, answer) = moderator.ask(&format!("/archives/{id}/delete"), &[]).await;

    assert_eq!(status, 200, "{answer}");
    assert!(!disk.data().join("archives").join(id.to_string()).exists());
    assert!(disk.free() > 0);
}

fn is_told_of_the_end(diary: &Diary) -> bool {
    diary
        .events
        .iter()
        .any(|event| event["type"] == "archiveStopped")
}

async fn is_whole(moderator: &Moderator, id: ArchiveId) {
    let stream = moderator.saves_the_stream(id).await;
    let file = stream.path();
    decode(file);
    assert!(packets(file, "audio") > 20 && packets(file, "video") > 20);
}
