//! A data folder has one owner: a second server on it is refused, and changes nothing.

use std::{os::unix::fs::symlink, path::Path, thread, time::Duration};

use crate::{
    client::{Part, Participant},
    people::{Moderator, is_playable},
    process::{Data, Process},
    tools::ends_at,
};

const FLAGS: &[&str] = &["--min-free-mib", "1"];

/// The media that may be missing at both ends of the recording: the requests that start and stop it take their time.
const LOSS: Duration = Duration::from_secs(2);

/// The error of a second server on the folder.
fn refused(data: &Path) -> String {
    let data = data.to_str().unwrap();
    let (code, complaint) = Process::fail(&["--listen", "127.0.0.1:0", "--data", data]);
    assert_eq!(code, 1, "{complaint}");
    assert!(
        complaint.contains("another Parlor (process "),
        "{complaint}"
    );
    assert!(complaint.contains("--data FOLDER"), "{complaint}");
    complaint
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_server_is_refused_and_the_recording_stays_whole() {
    let data = Data::with_moderator().await;
    let server = Process::start(&data.path(), FLAGS);
    let moderator = Moderator::at(&server.base).await;
    let mut ada = Participant::join(&moderator, "main", "Ada", Part::Publisher).await;
    let id = moderator.starts_archive("main").await;
    let before = ada.sent().len();
    ada.until(|diary| diary.sent.len() > before + 200).await;

    refused(&data.path());
    // By another path to the same folder.
    let elsewhere = tempfile::tempdir().unwrap();
    let link = elsewhere.path().join("link");
    symlink(data.path(), &link).unwrap();
    refused(&link);

    let between = ada.sent().len();
    ada.until(|diary| diary.sent.len() > between + 200).await;
    moderator.stops_archive(id).await;
    moderator.sees(id, is_playable).await;
    let film = moderator.saves_the_stream(id).await;
    let sent = ada.sent();
    let recorded = sent.last().unwrap().at - sent[before].at;
    let missing = recorded.saturating_sub(ends_at(film.path(), "v"));
    assert!(missing < LOSS, "{missing:?} of {recorded:?} are missing");
}

#[test]
fn of_twenty_servers_at_once_one_runs() {
    let data = Data::empty();
    let folder = data.path();
    let path = folder.to_str().unwrap();
    let starts: Vec<_> = (0..20)
        .map(|_| {
            let arguments = ["--listen", "127.0.0.1:0", "--data", path].map(str::to_owned);
            thread::spawn(move || {
                let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
                Process::runs_or_fails(&arguments)
            })
        })
        .collect();
    // All servers are up or refused before the first one ends.
    let ends: Vec<_> = starts
        .into_iter()
        .map(|start| start.join().unwrap())
        .collect();
    let running = ends.iter().filter(|end| end.is_ok()).count();
    assert_eq!(running, 1);
    for complaint in ends.iter().filter_map(|end| end.as_ref().err()) {
        assert!(complaint.contains("another Parlor"), "{complaint}");
    }
    drop(ends);
    Process::start(&folder, &[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_run_beside_a_server() {
    let data = Data::with_moderator().await;
    let server = Process::start(&data.path(), FLAGS);
    let folder = data.path();
    let folder = folder.to_str().unwrap();

    let moderators = Process::output_of(&["--data", folder, "moderator", "list"]);
    let key = Process::output_of(&["--data", folder, "keys", "add", "application"]);

    assert!(moderators.contains("Moni"), "{moderators}");
    assert!(key.contains("API_SECRET="), "{key}");
    Moderator::at(&server.base).await;
    server.kill();
    // The kernel has released the lock of the killed process.
    Process::start(&data.path(), FLAGS);
}

#[test]
fn a_container_with_the_same_volume_is_refused() {
    let data = Data::empty();
    let _server = Process::start(&data.path(), FLAGS);
    // A mount namespace of its own, as a container has; without the right to make one there is nothing to show.
    let Some(complaint) = Process::fail_in_namespace(&data.path()) else {
        eprintln!("not shown: this user may not make namespaces");
        return;
    };
    assert!(complaint.contains("another Parlor"), "{complaint}");
}
