//! The pages carry `apiKey`, `sessionId` and `token`: who comes back under the same name connects without another request.

use crate::{
    buddies::is_connected,
    camera::RED,
    chromium::{Chromium, Tab},
    world::{World, in_call},
};

/// The requests for a token since the page was loaded.
async fn token_requests(tab: &Tab) -> Vec<String> {
    tab.eval(
        "performance.getEntriesByType('resource').map(entry => new URL(entry.name).pathname)
           .filter(path => path.endsWith('/join') || path == '/users')",
    )
    .await
}

#[tokio::test]
async fn a_room_is_joined_with_the_pages_token_under_the_remembered_name() {
    let world = World::start().await;
    let chromium = Chromium::start().await;
    for (tab, path, request) in [
        (
            world.moderator(&chromium).await,
            "/host",
            "/rooms/main/host/join",
        ),
        (
            chromium.somebody().await,
            "/participant",
            "/rooms/main/join",
        ),
    ] {
        let join = async |name: Option<&str>| {
            tab.goto(&format!("{}{path}", world.base)).await;
            if let Some(name) = name {
                tab.types("#name", name).await;
            }
            tab.click("#join").await;
            in_call(&tab).await;
            token_requests(&tab).await
        };
        assert_eq!(join(Some("Ann")).await, [request]);
        assert_eq!(join(None).await, Vec::<String>::new(), "{path}");
        assert_eq!(join(Some("Bea")).await, [request]);
        tab.close().await;
    }
    world.end([chromium]).await;
}

#[tokio::test]
async fn the_buddies_page_connects_with_its_token_under_the_remembered_name() {
    let world = World::start().await;
    let chromium = Chromium::start().await;
    let tab = world.buddy(&chromium, "Ann", RED).await;
    assert_eq!(token_requests(&tab).await, ["/users"]);

    tab.goto(&format!("{}/buddies", world.base)).await;
    is_connected(&tab).await;
    assert_eq!(token_requests(&tab).await, Vec::<String>::new());

    tab.click("#rename").await;
    tab.types("#name", "Bea").await;
    tab.click("#enter").await;
    tab.sees("You are Bea").await;
    assert_eq!(token_requests(&tab).await, ["/users"]);
    tab.close().await;
    world.end([chromium]).await;
}
