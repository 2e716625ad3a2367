//! The server itself stands still: a suspended machine, a disk that hangs.

use std::time::Duration;

use crate::{
    client::{Part, Participant},
    people::Visitor,
    process::{Data, Process},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stood_still_takes_nobody_for_gone() {
    let data = Data::empty();
    let server = Process::start(&data.path(), &[]);
    let anonymous = Visitor::at(&server.base);
    let ada = Participant::join(&anonymous, "main", "Ada", Part::Publisher).await;
    let mut bob = Participant::join(&anonymous, "main", "Bob", Part::Viewer).await;

    server.stand_still();
    // The standstill itself: longer than a client may be silent.
    tokio::time::sleep(Duration::from_secs(4)).await;
    server.go_on();

    // Far longer than it takes to give up a socket, and to give up a connection without one.
    let seen = bob.received();
    bob.until(|diary| diary.received > seen + 500).await;
    for person in [&ada, &bob] {
        assert_eq!(person.closed(), None);
        let gone = |event: &&serde_json::Value| {
            event["type"] == "connectionDestroyed" || event["type"] == "streamDestroyed"
        };
        let events = person.events();
        assert_eq!(events.iter().find(gone), None, "{events:?}");
    }
}
