//! A server that is asked to stop does so in order.

use parlor::{
    archive::{ArchiveId, Reason, Status, history},
    data::DataFolder,
    project,
};

use crate::{
    client::{Part, Participant},
    people::{Moderator, is_available, is_playable},
    process::{Data, Process},
    tools::{decode, packets},
};

async fn archive_in(data: &Data, id: ArchiveId) -> parlor::archive::Archive {
    let opened = DataFolder::open_beside(&data.path()).await.unwrap();
    let project = project::of_pages(&opened.db, None, 1).await.unwrap();
    let found = history::find(&opened.db, project.api_key, id).await;
    opened.db.close().await;
    found.unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_asked_to_stop_finishes_its_archives_and_tells_its_people() {
    let data = Data::with_moderator().await;
    let server = Process::start(&data.path(), &["--min-free-mib", "1"]);
    let mut moderator = Moderator::at(&server.base).await;
    let mut ada = Participant::join(&moderator, "main", "Ada", Part::Publisher).await;
    let mut bob = Participant::join(&moderator, "main", "Bob", Part::Viewer).await;
    let id = moderator.starts_archive("main").await;
    let before = ada.sent().len();
    ada.until(|diary| diary.sent.len() > before + 80).await;

    server.ask_to_stop();
    for person in [&mut ada, &mut bob] {
        person.until(|diary| diary.closed.is_some()).await;
        assert_eq!(person.closed(), Some(1001));
        let events = person.events();
        let last = events.last().unwrap();
        assert_eq!(last["type"], "disconnected", "{events:?}");
        assert_eq!(last["reason"], "serverStopping");
    }
    // People heard that the recording ended before they heard that the server does.
    let events = bob.events();
    let kinds: Vec<_> = events.iter().filter_map(|e| e["type"].as_str()).collect();
    assert!(kinds.contains(&"archiveStarted") && kinds.contains(&"archiveStopped"));
    let (status, log) = server.ended();
    assert!(status.success(), "{log}");

    // It was finished by the server that stopped, and not repaired by the next one.
    let archive = archive_in(&data, id).await;
    assert!(matches!(
        archive.status,
        Status::Stopped | Status::Available
    ));
    assert!(archive.has_tracks() && !archive.recovered);
    assert_eq!(archive.reason, Reason::ServerRestarted.as_str());

    let server = Process::start(&data.path(), &["--min-free-mib", "1"]);
    moderator.move_to(&server.base);
    let page = moderator.sees(id, is_playable).await;
    assert!(!page.contains("The server stopped during"), "{page}");
    let stream = moderator.saves_the_stream(id).await;
    let file = stream.path();
    decode(file);
    assert!(packets(file, "audio") > 20 && packets(file, "video") > 10);
    moderator.sees(id, is_available).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_stops_at_once_when_nobody_is_there() {
    let data = Data::empty();
    let server = Process::start(&data.path(), &[]);
    server.ask_to_stop();
    let (status, log) = server.ended();
    assert!(status.success(), "{log}");
    assert!(!log.contains("ERROR") && !log.contains("WARN"), "{log}");
}
