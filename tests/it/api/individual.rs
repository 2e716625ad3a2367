//! Individual archives: a ZIP with one file for each stream.

use std::{
    collections::BTreeSet,
    io::{Cursor, Read},
};

use parlor::{
    archive::{ArchiveId, Status},
    opentok::{ArchiveOptions, ArchiveStatus, OutputMode},
};
use serde_json::Value;
use zip::ZipArchive;

use super::world::{World, error};
use crate::{
    people::{between, is_available, is_playable},
    tools::{decode, packets},
};

fn unpack(zip: &mut ZipArchive<Cursor<Vec<u8>>>, name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    zip.by_name(name).unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn an_individual_archive_is_a_zip_of_what_each_one_sent() {
    let world = World::start().await;
    let moderator = world.moderator().await;
    let session = world.session().await;
    let mut ann = world.publisher(&session, "I am Ann").await;
    let mut bob = world.publisher(&session, r#"{"name":"Bob"}"#).await;
    let options = ArchiveOptions {
        name: Some("talk".to_owned()),
        output_mode: Some(OutputMode::Individual),
        ..ArchiveOptions::default()
    };
    let archives = world.sdk.archives();
    let mut archive = archives.start(&session.session_id, &options).await.unwrap();
    assert_eq!(archive.output_mode, OutputMode::Individual);
    assert_eq!(archive.resolution, None);
    let id = ArchiveId::parse(&archive.id).unwrap();
    for person in [&mut ann, &mut bob] {
        let before = person.sent().len();
        person.until(|diary| diary.sent.len() > before + 150).await;
    }
    archive.stop().await.unwrap();
    assert_eq!((archive.status.as_str(), archive.size), ("stopped", 0));

    // The history lists it; its page plays it and links the ZIP.
    moderator.sees(id, is_playable).await;
    let page = moderator.sees(id, is_available).await;
    assert!(page.contains("Download ZIP"), "{page}");
    assert_eq!(between(&page, r#"data-status=""#, '"'), "available");
    let history = moderator.page("/history").await;
    assert!(history.contains(&format!("/download/{id}")), "{history}");

    archive.refresh().await.unwrap();
    assert_eq!(archive.status, ArchiveStatus::Available);
    let url = archive.url.clone().unwrap();
    assert!(url.contains("/archive.zip?"), "{url}");
    let whole = world.http.get(&url).send().await.unwrap();
    assert_eq!(whole.headers()["content-type"], "application/zip");
    let disposition = whole.headers()["content-disposition"].to_str().unwrap();
    assert!(disposition.ends_with(".zip\""), "{disposition}");
    let bytes = whole.bytes().await.unwrap().to_vec();
    assert_eq!(archive.size, bytes.len() as u64);
    let request = world.http.get(&url).header("accept-encoding", "gzip, br");
    let compressible = request.send().await.unwrap();
    let length = compressible.headers()["content-length"].to_str().unwrap();
    assert_eq!(length, bytes.len().to_string(), "a ZIP goes as it is");
    let part = world.http.get(&url).header("range", "bytes=100-199");
    let part = part.send().await.unwrap();
    assert_eq!(part.status(), 206);
    assert_eq!(&part.bytes().await.unwrap()[..], &bytes[100..200]);

    let mut zip = ZipArchive::new(Cursor::new(bytes)).unwrap();
    let manifest = unpack(&mut zip, &format!("{id}.json"));
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    assert_eq!(manifest["id"], *archive.id);
    assert_eq!(manifest["name"], "talk");
    assert_eq!(manifest["sessionId"], *session.session_id.as_str());
    assert_eq!(manifest["createdAt"], archive.created_at);
    let files = manifest["files"].as_array().unwrap();
    let said: BTreeSet<_> = files
        .iter()
        .map(|file| file["connectionData"].as_str().unwrap())
        .collect();
    assert_eq!(said, BTreeSet::from(["I am Ann", r#"{"name":"Bob"}"#]));
    assert_eq!(zip.len(), 3);
    let folder = tempfile::tempdir().unwrap();
    for file in files {
        let name = file["filename"].as_str().unwrap();
        assert_eq!(name, format!("{}.webm", file["streamId"].as_str().unwrap()));
        assert_eq!(file["videoType"], "camera");
        let (start, stop) = (&file["startTimeOffset"], &file["stopTimeOffset"]);
        assert!(
            start.as_u64().unwrap() + 500 < stop.as_u64().unwrap(),
            "{file}"
        );
        let webm = unpack(&mut zip, name);
        assert_eq!(file["size"], webm.len());
        let path = folder.path().join(name);
        std::fs::write(&path, webm).unwrap();
        decode(&path);
        assert!(packets(&path, "video") > 10 && packets(&path, "audio") > 20);
    }

    archive.delete().await.unwrap();
    assert_eq!(
        archives.find(&archive.id).await.unwrap_err().status(),
        Some(404)
    );
    assert_eq!(world.http.get(&url).send().await.unwrap().status(), 404);
    let folder = world.server.app().data.archives().join(id.to_string());
    assert!(!folder.exists());
    world.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_individual_archive_without_streams_fails() {
    let world = World::start().await;
    let session = world.session().await;
    let _ann = world.join(&session, parlor::opentok::Role::Publisher).await;
    let mut changes = world.server.app().archives.subscribe();
    let body = serde_json::json!({ "sessionId": session.session_id, "outputMode": "individual" });
    let reply = world.ask(reqwest::Method::POST, "/archive", &body).await;
    let started: Value = serde_json::from_str(&reply.text().await.unwrap()).unwrap();
    assert!(started.get("resolution").is_none(), "{started}");
    let path = format!("/archive/{}/stop", started["id"].as_str().unwrap());
    world
        .ask(reqwest::Method::POST, &path, &serde_json::json!({}))
        .await;
    while changes.recv().await.unwrap().archive.status != Status::Failed {}
    let mut wrong = body.clone();
    wrong["layout"] = serde_json::json!({ "type": "pip" });
    error(
        world.ask(reqwest::Method::POST, "/archive", &wrong).await,
        400,
    )
    .await;
    world.server.stop().await;
}
