//! The other server is unreachable, slow, overloaded, or rejects the key: the pages say so, and the history still works.

use parlor::{
    archive::{
        ArchiveId,
        remote::{LocalContext, RemoteArchive},
    },
    config::Secret,
    opentok::ArchiveObject,
};
use tokio::net::TcpListener;

use super::{
    proxy::pair_with_proxy,
    world::{KEY, Pair, Tier, on_platform, pages_on, problem},
};
use crate::{
    people::{Moderator, nobodys_port, until},
    sdk::service::{Answer, Service, reply, typed},
};

/// Checks the sentences for a guest and a moderator, and that everything that needs no platform works.
async fn says(web: &Tier, cause: &str) {
    let guest = web.anonymous();
    let (status, page) = problem(&guest, "/participant").await;
    assert_eq!(status, 503, "{page}");
    assert!(page.contains(cause), "{page}");
    let (status, reply) = guest.ask("/rooms/main/join", &[("name", "Ann")]).await;
    assert_eq!(status, 503, "{reply}");
    assert!(reply["cause"].as_str().unwrap().contains(cause), "{reply}");
    assert!(!reply["remedy"].as_str().unwrap().is_empty());

    let moderator = web.moderator().await;
    let id = an_archive(web).await;
    let history = moderator.page("/history").await;
    assert!(history.contains("Weekly review"), "{history}");
    moderator.page(&format!("/archives/{id}")).await;
    let (status, page) = problem(&moderator, &format!("/download/{id}")).await;
    assert_eq!(status, 503, "{page}");
    assert!(page.contains(cause), "{page}");
    moderator.page("/").await;
    moderator.page("/buddies").await;
    delete_is_refused(&moderator, id, cause).await;
}

async fn delete_is_refused(moderator: &Moderator, id: ArchiveId, cause: &str) {
    let (status, reply) = moderator.ask(&format!("/archives/{id}/delete"), &[]).await;
    assert_eq!(status, 503, "{reply}");
    assert!(reply["cause"].as_str().unwrap().contains(cause), "{reply}");
    moderator.page(&format!("/archives/{id}")).await;
}

/// An archive that the platform had when it was last asked.
async fn an_archive(web: &Tier) -> ArchiveId {
    let app = web.server().app();
    let object = ArchiveObject {
        id: ArchiveId::random().to_string(),
        status: "available".to_owned().into(),
        name: Some("Weekly review".to_owned()),
        session_id: "2_elsewhere".into(),
        created_at: 1_763_779_200_000,
        ..ArchiveObject::default()
    };
    let remote = RemoteArchive::read(&object, 0).unwrap();
    let url = &app.config.platform.opentok_api_url;
    let context = LocalContext {
        api_key: app.project.api_key,
        platform: format!("{url}/v2/project/{KEY}"),
        ..LocalContext::default()
    };
    app.archives
        .adopt(&remote, &context)
        .await
        .unwrap()
        .unwrap();
    remote.id
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreachable_platform_is_reported() {
    let (_reserved, address) = nobodys_port();
    let url = format!("http://{address}");
    let mut web = pages_on(&url).await;
    says(&web, "ideo platform cannot be reached").await;
    web.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_platform_that_says_nothing_is_waited_for_ten_seconds_and_not_longer() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let silent = tokio::spawn(async move {
        let mut open = Vec::new();
        loop {
            open.push(listener.accept().await.unwrap());
        }
    });
    let mut web = pages_on(&url).await;
    says(&web, "ideo platform did not answer within 10 seconds").await;
    web.stop().await;
    silent.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejected_secret_is_reported_to_users_and_logged_for_the_operator() {
    let media = Tier::start(super::world::with_key).await;
    let mut web = Tier::start(|config| {
        on_platform(config, &media.base);
        config.keys.api_secret = Some(Secret::from("anothersecret".to_owned()));
    })
    .await;
    let cause = "ideo platform does not accept this server";
    says(&web, cause).await;
    let (_, page) = problem(&web.anonymous(), "/participant").await;
    assert!(page.contains("Please tell the administrator"), "{page}");
    web.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rate_limit_of_the_platform_is_reported() {
    let busy = Service::start((0..100).map(|_| reply(429, r#"{"message":"slow down"}"#))).await;
    let mut web = pages_on(&busy.url).await;
    says(&web, "ideo platform receives too many requests").await;
    web.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_platform_that_asks_for_time_is_left_alone_by_pages_that_wait() {
    let (pair, proxy) = pair_with_proxy().await;
    let guest = pair.web.anonymous();
    guest.pass("main", "Ann").await;
    proxy.answers(|_| {
        Some(Answer::Reply {
            status: 429,
            headers: vec![("Retry-After", "30".to_owned())],
            body: "{}".to_owned(),
        })
    });
    until(async || guest.asks("/rooms/main/status").await.0 == 503).await;
    let asked = proxy.count("/connection ");
    for _ in 0..10 {
        let (status, page) = problem(&guest, "/rooms/main/status").await;
        assert_eq!(status, 503, "{page}");
        assert!(page.contains("too many requests"), "{page}");
    }
    assert_eq!(proxy.count("/connection "), asked);
    pair.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_of_the_platform_is_reported() {
    let ill = Service::start((0..100).map(|_| reply(500, "{}"))).await;
    let mut web = pages_on(&ill.url).await;
    says(&web, "ideo platform has a problem (it answered 500)").await;
    web.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_no_platform_is_reported() {
    let cause = "is not a video platform";
    let page = "<html>It works!</html>";
    let other = Service::start((0..100).map(|_| typed(200, "text/html", page))).await;
    let mut web = pages_on(&other.url).await;
    let (status, page) = problem(&web.anonymous(), "/participant").await;
    assert_eq!(status, 503, "{page}");
    assert!(page.contains(cause), "{page}");
    web.stop().await;

    // An answer of an unrelated server loses no archive.
    let page = "<html>There is no such page.</html>";
    let other = Service::start((0..100).map(|_| typed(404, "text/html", page))).await;
    let mut web = pages_on(&other.url).await;
    let moderator = web.moderator().await;
    let id = an_archive(&web).await;
    let (status, page) = problem(&moderator, &format!("/download/{id}")).await;
    assert_eq!(status, 503, "{page}");
    assert!(page.contains(cause), "{page}");
    delete_is_refused(&moderator, id, cause).await;
    let page = moderator.page(&format!("/archives/{id}")).await;
    assert!(page.contains("Available"), "{page}");
    web.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_is_reported_and_ends() {
    let mut pair = Pair::start().await;
    let moderator = pair.web.moderator().await;
    moderator.post("/rooms", &[("name", "Review")]).await;
    moderator.pass("review", "Moni").await;
    pair.media.stop().await;
    // Replies are cached for some seconds.
    until(async || {
        let (status, page) = problem(&moderator, "/rooms/review").await;
        assert!(status != 503 || page.contains("The video platform cannot be reached."));
        status == 503
    })
    .await;
    let home = moderator.page("/").await;
    assert!(home.contains("Can&#39;t tell who&#39;s in it"), "{home}");
    let renamed = moderator.post("/rooms/review/rename", &[("name", "Demo")]);
    assert_eq!(renamed.await.status(), 303);
    pair.media.start_again(|_| {}).await;
    until(async || {
        let (status, page) = problem(&moderator, "/rooms/review").await;
        assert!(status != 200 || page.contains("Demo"));
        status == 200
    })
    .await;
    pair.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_without_a_key_is_refused_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = parlor::config::Config::default();
    config.network.listen.set_port(0);
    config.data.folder = folder.path().join("data");
    on_platform(&mut config, "http://127.0.0.1:9");
    config.keys.api_key = None;
    config.keys.api_secret = None;
    let error = parlor::server::Server::start(config).await.err().unwrap();
    let words = error.to_string();
    assert!(words.contains("needs API_KEY and API_SECRET"), "{words}");
}
