//! Files of archives are copied to this server, and are kept.

use std::fs;

use super::world::{Pair, is_recorded};
use crate::people::{is_available, is_playable, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_copied_archive_stays_playable_when_the_platform_has_deleted_it() {
    let mut pair = Pair::with(|config| config.platform.archive_pull = true).await;
    let mut ann = pair.publisher("main", "Ann").await;
    let moderator = pair.web.moderator().await;
    let id = moderator.starts_archive("main").await;
    is_recorded(&mut ann).await;
    moderator.stops_archive(id).await;
    let page = moderator
        .sees(id, |page| page.contains("was copied to this server"))
        .await;
    assert!(is_available(&page) && is_playable(&page));
    let there = pair.sdk().archives().find(&id.to_string()).await.unwrap();
    let folder = pair.web.archives().join(id.to_string());
    let file = fs::read(folder.join("archive.mp4")).unwrap();
    assert_eq!(file.len() as u64, there.size);
    assert_eq!(
        fs::read_dir(&folder).unwrap().count(),
        1,
        "nothing half done is left"
    );

    pair.sdk().archives().delete(&there.id).await.unwrap();
    pair.media.stop().await;
    pair.web.stop().await;
    pair.web.start_again(|_| {}).await;
    let moderator = pair.web.moderator().await;
    let page = moderator.page(&format!("/archives/{id}")).await;
    assert!(is_available(&page) && is_playable(&page));
    let path = format!("/archives/{id}/files/archive.mp4");
    let played = moderator.get(&path).await;
    assert_eq!(played.bytes().await.unwrap(), file);
    let saved = pair.web.archives().join("saved");
    moderator.downloads(id, &saved).await;
    assert_eq!(fs::read(&saved).unwrap(), file);

    // During an outage the platform's file cannot be deleted, so the copy is not deleted either.
    let (status, told) = moderator.ask(&format!("/archives/{id}/delete"), &[]).await;
    assert_eq!(status, 503, "{told}");
    assert!(folder.exists());
    pair.media.start_again(|_| {}).await;
    let (status, told) = moderator.ask(&format!("/archives/{id}/delete"), &[]).await;
    assert_eq!(status, 200, "{told}");
    assert!(!folder.exists());
    drop(ann);
    pair.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn missed_files_are_copied_at_the_next_start_if_there_is_enough_space() {
    let mut pair = Pair::start().await;
    let mut ann = pair.publisher("main", "Ann").await;
    let moderator = pair.web.moderator().await;
    let id = moderator.starts_archive("main").await;
    is_recorded(&mut ann).await;
    moderator.stops_archive(id).await;
    moderator.sees(id, is_available).await;
    pair.web.stop().await;
    let folder = pair.web.archives().join(id.to_string());

    pair.web
        .start_again(|config| {
            config.platform.archive_pull = true;
            config.data.min_free_mib = u64::MAX / 1024 / 1024;
        })
        .await;
    let moderator = pair.web.moderator().await;
    // The file was requested but not written, because the disk would be full.
    until(async || folder.exists()).await;
    let answer = moderator.get(&format!("/download/{id}")).await;
    let url = answer.headers()["location"].to_str().unwrap().to_owned();
    assert!(url.starts_with(&pair.media.base), "{url}");
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);

    pair.web.stop().await;
    pair.web
        .start_again(|config| config.data.min_free_mib = 1)
        .await;
    let moderator = pair.web.moderator().await;
    moderator
        .sees(id, |page| page.contains("was copied to this server"))
        .await;
    drop(ann);
    pair.end().await;
}
