//! Sessions of a process, with an engine and a recorder that only remember.

use super::*;
use crate::{
    opentok::{Claims, Role},
    session::recording::{RecordError, TimelineEvent},
    session::{
        ReplyBody,
        media::{EngineBusy, Offer},
    },
};

/// An engine that can be too busy.
#[derive(Default)]
struct Engine {
    commands: Mutex<Vec<EngineCommand>>,
    busy: AtomicBool,
}

impl Media for Engine {
    fn send(&self, _: &SessionId, command: EngineCommand) -> Result<(), EngineBusy> {
        if self.busy.load(Ordering::Relaxed) {
            return Err(EngineBusy);
        }
        lock(&self.commands).push(command);
        Ok(())
    }
}

struct Deaf;

impl Recorder for Deaf {
    fn start(&self, _: ArchiveId, _: Instant) -> Result<Sink, RecordError> {
        Ok(std::sync::mpsc::sync_channel(1).0)
    }
    fn record(&self, _: ArchiveId, _: Instant, _: TimelineEvent) {}
    fn stop(&self, _: ArchiveId, _: Instant) {}
}

fn sessions() -> (Sessions, Arc<Engine>, mpsc::Receiver<RegistryEvent>) {
    let engine = Arc::new(Engine::default());
    let (changes, received) = mpsc::channel(1);
    let sessions = Sessions::new(engine.clone(), Arc::new(Deaf), changes);
    (sessions, engine, received)
}

fn id() -> SessionId {
    SessionId::from("a session")
}

async fn join(sessions: &Sessions) -> (Attachment, Outbox, String) {
    let claims = Claims {
        api_key: 1,
        session_id: id(),
        role: Role::Publisher,
        data: String::new(),
        layout_classes: Vec::new(),
        created_at: 0,
        expires_at: 0,
    };
    let newcomer = NewConnection {
        claims,
        relayed: false,
        quiet: false,
    };
    let (attachment, mut outbox) = sessions.join(&id(), &newcomer, 1).unwrap();
    let Ok(OutboundMessage::Reply {
        outcome: ReplyBody::Welcome(welcome),
        ..
    }) = outbox.next().await
    else {
        panic!("the welcome comes first");
    };
    (attachment, outbox, welcome.key)
}

fn later(seconds: u64) -> Now {
    let now = Now::read();
    Now {
        at: now.at + Duration::from_secs(seconds),
        ..now
    }
}

#[tokio::test]
async fn a_session_is_forgotten_when_the_last_has_left() {
    let (sessions, _, _changes) = sessions();
    let (ann, _outbox, _) = join(&sessions).await;
    let (bob, ..) = join(&sessions).await;
    assert_eq!(sessions.counts().connections, 2);
    ann.closed();
    drop(bob);
    // A dropped attachment is a broken socket, which may be resumed.
    assert_eq!(sessions.counts().connections, 1);
    sessions.tick(later(5));
    assert_eq!(sessions.counts(), SessionCounts::default());
    assert!(lock(&sessions.0.alarms).is_empty());
}

#[tokio::test]
async fn who_reads_too_slowly_loses_the_socket_and_may_resume() {
    let (sessions, _, _changes) = sessions();
    let (ann, mut outbox, key) = join(&sessions).await;
    for _ in 0..1200 {
        sessions.signal(&id(), None, None, None).unwrap();
    }
    assert_eq!(outbox.next().await.unwrap_err(), Closing::Overflow);
    let resume = Resume {
        connection_id: ann.connection(),
        key,
        last: 0,
    };
    let (_ann, mut outbox) = sessions.resume(&id(), &resume, 2).unwrap();
    assert!(matches!(
        outbox.next().await,
        Ok(OutboundMessage::Reply { .. })
    ));
    for expected in 1..=1200 {
        let next = outbox.next().await;
        assert!(matches!(next, Ok(OutboundMessage::Event { n, .. }) if n == expected));
    }
}

#[tokio::test]
async fn what_the_engine_has_no_room_for_waits_and_keeps_its_order() {
    let (sessions, engine, _changes) = sessions();
    let (ann, mut outbox, _) = join(&sessions).await;
    let offer = |generation| {
        Request::Offer(Offer {
            generation,
            sdp: String::new(),
            tracks: Vec::new(),
            slots: Vec::new(),
        })
    };
    engine.busy.store(true, Ordering::Relaxed);
    ann.request(2, offer(1));
    ann.request(3, offer(2));
    let refused = outbox.next().await;
    assert!(matches!(
        refused,
        Ok(OutboundMessage::Reply {
            request: 3,
            outcome: ReplyBody::Error { .. }
        })
    ));
    ann.closed();
    assert_eq!(sessions.counts().connections, 0);
    sessions.tick(later(1));
    assert!(lock(&engine.commands).is_empty());

    engine.busy.store(false, Ordering::Relaxed);
    sessions.tick(later(2));
    assert!(matches!(
        lock(&engine.commands)[..],
        [EngineCommand::Offer { .. }, EngineCommand::Close { .. }]
    ));
    assert_eq!(sessions.counts(), SessionCounts::default());
}

#[tokio::test]
async fn an_archive_hears_the_latest_when_it_listens_again() {
    let (sessions, _, mut changes) = sessions();
    let archive = |name: &str| ArchiveInfo {
        id: ArchiveId::random(),
        name: name.to_owned(),
        started_at: 0,
    };
    let (first, second) = (archive("first"), archive("second"));
    for info in [&first, &second] {
        let (sink, _) = std::sync::mpsc::sync_channel(1);
        sessions.record(&id(), info.clone(), sink, Scope::ALL);
    }
    assert_eq!(sessions.recording(&id()), Some(first.clone()));
    // Nobody comes; the channel has room for one change.
    sessions.tick(later(61));
    let abandoned = |archive: &ArchiveInfo| {
        RegistryEvent::Recording(RecordingUpdate {
            archive: archive.id,
            phase: RecordingPhase::Abandoned,
        })
    };
    assert_eq!(changes.recv().await.unwrap(), abandoned(&first));
    sessions.tick(later(62));
    assert_eq!(changes.recv().await.unwrap(), abandoned(&second));
}

#[tokio::test]
async fn nobody_joins_a_server_that_stops() {
    let (sessions, _, _changes) = sessions();
    let (_ann, mut outbox, _) = join(&sessions).await;
    sessions.disconnect_all(EndReason::ServerStopping);
    assert!(matches!(
        outbox.next().await,
        Ok(OutboundMessage::Event { .. })
    ));
    let closing = outbox.next().await.unwrap_err();
    assert_eq!(closing, Closing::Ended(EndReason::ServerStopping));
    assert_eq!(sessions.counts(), SessionCounts::default());
}
