//! ffmpeg is missing, or dies: the archive can be watched all the same.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use crate::{
    client::{Part, Participant},
    people::{Moderator, is_available, is_playable, until},
    process::{Data, Process},
    tools::{decode, packets},
};

/// Puts a program that is called ffmpeg into a folder, and the real ffprobe beside it.
fn tool(folder: &Path, script: &str) -> String {
    let file = folder.join("ffmpeg");
    fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    let probe = folder.join("ffprobe");
    fs::write(&probe, "#!/bin/sh\nexec ffprobe \"$@\"\n").unwrap();
    fs::set_permissions(&probe, fs::Permissions::from_mode(0o755)).unwrap();
    file.to_str().unwrap().to_owned()
}

/// Records somebody until there are a few packets.
async fn record(moderator: &Moderator) -> parlor::archive::ArchiveId {
    let mut ada = Participant::join(moderator, "main", "Ada", Part::Publisher).await;
    let id = moderator.starts_archive("main").await;
    let before = ada.sent().len();
    ada.until(|diary| diary.sent.len() > before + 80).await;
    moderator.stops_archive(id).await;
    ada.leave();
    id
}

async fn is_watchable(moderator: &Moderator, id: parlor::archive::ArchiveId) {
    let stream = moderator.saves_the_stream(id).await;
    decode(stream.path());
    assert!(packets(stream.path(), "audio") > 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn when_ffmpeg_is_killed_composing_is_tried_again() {
    let tools = tempfile::tempdir().unwrap();
    let folder = tools.path().to_str().unwrap();
    // The first one dies as if the system had run out of memory, in the middle of its work.
    let script =
        format!("if mkdir {folder}/died 2>/dev/null; then kill -9 $$; fi\nexec ffmpeg \"$@\"");
    let ffmpeg = tool(tools.path(), &script);
    let data = Data::with_moderator().await;
    let server = Process::start(&data.path(), &["--min-free-mib", "1", "--ffmpeg", &ffmpeg]);
    let moderator = Moderator::at(&server.base).await;
    let id = record(&moderator).await;

    let told = "The file to download could not be made: ffmpeg was killed (signal 9).";
    let page = moderator.sees(id, |page| page.contains(told)).await;
    assert!(is_playable(&page) && !is_available(&page));
    is_watchable(&moderator, id).await;

    moderator.sees(id, is_available).await;
    let film = tools.path().join("archive.mp4");
    moderator.downloads(id, &film).await;
    decode(&film);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_ffmpeg_all_but_the_download_works_and_the_page_says_so() {
    let data = Data::with_moderator().await;
    let missing = ["--min-free-mib", "1", "--ffmpeg", "/nowhere/ffmpeg"];
    let server = Process::start(&data.path(), &missing);
    let mut moderator = Moderator::at(&server.base).await;
    let id = record(&moderator).await;

    let told =
        "There is no MP4, because ffmpeg is not installed on the server; ask your administrator.";
    let page = moderator.sees(id, |page| page.contains(told)).await;
    assert!(is_playable(&page));
    is_watchable(&moderator, id).await;
    let answer = moderator.get(&format!("/download/{id}")).await;
    assert_eq!(answer.status().as_u16(), 409);

    server.kill();
    let server = Process::start(&data.path(), &["--min-free-mib", "1"]);
    moderator.move_to(&server.base);
    let page = moderator.sees(id, is_available).await;
    assert!(!page.contains("is not installed"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ffmpeg_ends_with_a_server_that_is_killed() {
    let tools = tempfile::tempdir().unwrap();
    let started = tools.path().join("started");
    let script = format!(
        "echo $$ > {0}.new; mv {0}.new {0}; exec sleep 600",
        started.display()
    );
    let ffmpeg = tool(tools.path(), &script);
    let data = Data::with_moderator().await;
    let server = Process::start(&data.path(), &["--min-free-mib", "1", "--ffmpeg", &ffmpeg]);
    let moderator = Moderator::at(&server.base).await;
    record(&moderator).await;
    until(async || started.exists()).await;
    let pid = fs::read_to_string(&started).unwrap();
    let process = Path::new("/proc").join(pid.trim());
    assert!(process.exists());

    server.kill();

    until(async || {
        // A zombie waits for whoever is to bury it.
        let status = fs::read_to_string(process.join("status")).unwrap_or_default();
        status.is_empty() || status.contains("State:\tZ")
    })
    .await;
}

/// A program that is no ffprobe, and says so without an end.
#[tokio::test(flavor = "multi_thread")]
async fn a_probe_without_end_is_given_up_in_bounded_memory() {
    let tools = tempfile::tempdir().unwrap();
    let probe = tools.path().join("probe");
    fs::write(&probe, "#!/bin/sh\nhead -c 300000000 /dev/zero\n").unwrap();
    fs::set_permissions(&probe, fs::Permissions::from_mode(0o755)).unwrap();
    let data = Data::with_moderator().await;
    let probe = probe.to_str().unwrap();
    let server = Process::start(&data.path(), &["--min-free-mib", "1", "--ffprobe", probe]);
    let moderator = Moderator::at(&server.base).await;
    let id = record(&moderator).await;

    let told = "The file to download could not be made: a file came out unreadable.";
    moderator.sees(id, |page| page.contains(told)).await;

    assert!(
        server.peak_memory_kib() < 200_000,
        "{}",
        server.peak_memory_kib()
    );
}
