//! Archives of a platform that this server no longer uses.

use parlor::{
    archive::{
        Archive, ArchiveId, Status, history,
        remote::{LocalContext, RemoteArchive},
    },
    config::{KeyConfig, PlatformKind},
    opentok::ArchiveObject,
};

use super::world::{KEY, Tier, pages_on};

/// The URL of the platform's project, before it moved.
const FORMER: &str = "http://media.example/v2/project/61000001";

/// Inserts an archive with the status that the platform last reported.
pub async fn an_archive(web: &Tier, platform: &str, status: &str) -> ArchiveId {
    let app = web.server().app();
    let id = ArchiveId::random();
    let object = ArchiveObject {
        id: id.to_string(),
        status: status.to_owned().into(),
        session_id: format!("2_{status}_{}", platform.len()).as_str().into(),
        created_at: 1_763_779_200_000,
        ..ArchiveObject::default()
    };
    let context = LocalContext {
        api_key: app.project.api_key,
        platform: platform.to_owned(),
        ..LocalContext::default()
    };
    let remote = RemoteArchive::read(&object, 0).unwrap();
    app.archives
        .adopt(&remote, &context)
        .await
        .unwrap()
        .unwrap();
    id
}

async fn row(web: &Tier, id: ArchiveId) -> Archive {
    let app = web.server().app();
    let found = history::find(app.db(), app.project.api_key, id).await;
    found.unwrap().unwrap()
}

/// Checks that all of `ids` are finished, and deletes them from the history.
async fn are_over_and_can_go(web: &Tier, ids: &[ArchiveId]) {
    let moderator = web.moderator().await;
    for id in ids {
        assert!(row(web, *id).await.is_deletable(), "{id}");
        let page = moderator.page(&format!("/archives/{id}")).await;
        assert!(
            page.contains("This removes the recording from this server only"),
            "{page}"
        );
        let (status, remote) = moderator.ask(&format!("/archives/{id}/delete"), &[]).await;
        assert_eq!(status, 200, "{remote}");
        let gone = moderator.get(&format!("/archives/{id}")).await;
        assert_eq!(gone.status(), 404);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unfinished_archives_of_a_former_platform_fail_and_all_can_be_deleted() {
    // No server listens at this address.
    let mut web = pages_on("http://127.0.0.1:9").await;
    let mut former = Vec::new();
    for status in ["started", "stopped", "available"] {
        former.push(an_archive(&web, FORMER, status).await);
    }
    let present = format!("http://127.0.0.1:9/v2/project/{KEY}");
    let own = an_archive(&web, &present, "started").await;
    web.stop().await;
    web.start_again(|_| {}).await;
    assert_eq!(row(&web, own).await.status, Status::Started);
    let failed = row(&web, former[0]).await;
    assert_eq!(failed.status, Status::Failed);
    assert!(failed.reason.contains("no longer uses the video platform"));
    let moderator = web.moderator().await;
    let history = moderator.page("/history").await;
    assert_eq!(
        history
            .matches("This removes the recording from this server only")
            .count(),
        3
    );
    are_over_and_can_go(&web, &former).await;

    // Back to this server's own engine.
    let paused = an_archive(&web, &present, "paused").await;
    web.stop().await;
    web.start_again(|config| {
        config.platform.kind = PlatformKind::Embedded;
        config.keys = KeyConfig::none();
    })
    .await;
    are_over_and_can_go(&web, &[own, paused]).await;
    web.stop().await;
}
