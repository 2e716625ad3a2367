//! Every page, at a desk and on a phone, by day and by night.

use crate::{
    camera::RED,
    chromium::Chromium,
    world::{World, record},
};

#[tokio::test]
async fn every_page_fits_a_phone_and_loads_nothing_that_it_may_not() {
    let world = World::start().await;
    let chromium = Chromium::start().await;
    let host = world.host(&chromium, "Hanna", RED).await;
    record(&host, 1000).await;
    let desk = chromium.another_tab(&host).await;
    desk.goto(&format!("{}/history", world.base)).await;
    // Until then its page would load itself again.
    desk.until("document.querySelector('table.archives').innerText.includes('Available')")
        .await;
    let archive: String = desk
        .eval("document.querySelector('tr[data-item-id]').dataset.itemId")
        .await;
    let archive = format!("/archives/{archive}");
    for (width, height, scheme) in [(1280, 800, "light"), (390, 844, "dark")] {
        desk.resize(width, height).await;
        desk.prefers(scheme).await;
        for path in [
            "/",
            "/host",
            "/participant",
            "/hello",
            "/history",
            "/buddies",
            "/buddies/recordings",
            &archive,
            "/sign-in?link=none",
            "/rooms/none",
        ] {
            desk.goto(&format!("{}{path}", world.base)).await;
            desk.until("document.readyState == 'complete'").await;
            let (found, violations): (i64, Vec<String>) = desk
                .eval("[document.documentElement.scrollWidth, test.violations]")
                .await;
            assert!(found <= width, "{path} is {found} px wide at {width} px");
            assert_eq!(violations, [""; 0], "{path}");
        }
    }
    // And the call itself.
    host.resize(390, 844).await;
    host.until("document.documentElement.scrollWidth <= 390 && document.querySelector('#leave').getBoundingClientRect().right <= 390")
        .await;
    let violations: Vec<String> = host.eval("test.violations").await;
    assert_eq!(violations, [""; 0]);
    world.end([chromium]).await;
}
