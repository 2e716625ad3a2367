//! Keys of applications, made by the program's command line beside a running server.

use std::path::Path;

use parlor::opentok::{Error, ListOptions, OpenTok, Role, SessionOptions};

use super::world::World;
use crate::process::Process;

/// Runs `parlor keys …` and returns its output.
fn keys(data: &Path, words: &[&str]) -> String {
    Process::output_of(&[&["keys", "--data", data.to_str().unwrap()], words].concat())
}

fn key_and_secret(printed: &str) -> (u32, String) {
    let value = |name: &str| {
        let line = printed.lines().find(|line| line.starts_with(name)).unwrap();
        line[name.len()..].to_owned()
    };
    (value("API_KEY=").parse().unwrap(), value("API_SECRET="))
}

fn sdk(world: &World, (key, secret): &(u32, String)) -> OpenTok {
    OpenTok::builder(*key, secret.as_str())
        .api_url(&world.url)
        .build()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_made_used_renewed_and_revoked_while_the_server_runs() {
    let world = World::start().await;
    let data = world.server.app().data.path().to_owned();
    let first = key_and_secret(&keys(&data, &["add", "Shop"]));
    let listed = keys(&data, &["list"]);
    assert_eq!(
        listed,
        format!("{} Shop\n", first.0),
        "no secret, and not the pages'"
    );

    let shop = sdk(&world, &first);
    let session = shop
        .create_session(&SessionOptions::default())
        .await
        .unwrap();
    let _ann = world.join(&session, Role::Publisher).await;
    let archives = shop.archives();
    let archive = archives
        .start(&session.session_id, &Default::default())
        .await
        .unwrap();
    assert_eq!(archive.project_id, first.0);
    // A project sees its own archives only.
    for other in [&world.sdk, &world.other] {
        assert_eq!(
            other
                .archives()
                .all(&ListOptions::default())
                .await
                .unwrap()
                .total,
            0
        );
        let found = other.archives().find(&archive.id).await.unwrap_err();
        assert_eq!(found.status(), Some(404));
        let streams = other.streams(&session.session_id).await.unwrap_err();
        assert_eq!(streams.status(), Some(404));
    }
    let moderator = world.moderator().await;
    let history = moderator.page("/history").await;
    assert!(
        !history.contains(&archive.id),
        "the pages show their own project's"
    );
    let page = moderator.get(&format!("/archives/{}", archive.id)).await;
    assert_eq!(page.status(), 404);

    let second = key_and_secret(&keys(&data, &["renew", &first.0.to_string()]));
    assert_eq!(first.0, second.0);
    let refused = shop.archives().find(&archive.id).await.unwrap_err();
    assert!(matches!(refused, Error::Authentication(_)), "{refused}");
    let renewed = sdk(&world, &second);
    renewed.archives().stop(&archive.id).await.unwrap();
    // A token signed with the old secret is refused.
    let token = session.generate_token(&Default::default()).unwrap();
    assert_eq!(world.refusal(&session.session_id, &token).await, 1004);

    assert!(keys(&data, &["revoke", &first.0.to_string()]).contains("Revoked"));
    let refused = renewed.archives().find(&archive.id).await.unwrap_err();
    assert!(matches!(refused, Error::Authentication(_)), "{refused}");
    assert!(keys(&data, &["list"]).contains("(revoked)"));
    let pages = world.server.app().project.api_key;
    for wrong in [pages, 5] {
        let words = [
            "keys",
            "--data",
            data.to_str().unwrap(),
            "revoke",
            &wrong.to_string(),
        ];
        let (code, told) = Process::fail(&words);
        assert!(code != 0 && told.contains("parlor keys list"), "{told}");
    }
    assert_eq!(world.refusal(&session.session_id, &token).await, 1005);
    world.server.stop().await;
}
