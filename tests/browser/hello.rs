//! OpenTok's first sample.

use crate::{chromium::Chromium, world::World};

#[tokio::test]
async fn hello_world_in_two_tabs_is_a_group_chat() {
    let world = World::start().await;
    let chromium = Chromium::start().await;
    let one = chromium.somebody().await;
    let two = chromium.somebody().await;
    for tab in [&one, &two] {
        tab.goto(&format!("{}/hello", world.base)).await;
    }
    for tab in [&one, &two] {
        tab.until("test.moves(document.querySelector('#publisher video'))")
            .await;
        tab.until("document.querySelectorAll('#subscribers .OT_subscriber').length == 1 && test.moves(document.querySelector('#subscribers video'))")
            .await;
        tab.until(
            "await (async () => {
               const { sessionId } = document.querySelector('#hello').dataset
               const stream = OT.initSession(sessionId).streams.find(s => s.connection.connectionId != OT.initSession(sessionId).connection.connectionId)
               const [subscriber] = OT.initSession(sessionId).getSubscribersForStream(stream)
               const report = await subscriber.getRtcStatsReport()
               return [...report.values()].some(s => s.type == 'inbound-rtp' && s.kind == 'audio' && s.totalAudioEnergy > 0.001)
             })()",
        )
        .await;
        assert!(
            !tab.eval::<bool>("document.querySelector('#problem').checkVisibility()")
                .await
        );
    }

    two.close().await;
    one.until("document.querySelectorAll('#subscribers .OT_subscriber').length == 0")
        .await;
    world.end([chromium]).await;
}
