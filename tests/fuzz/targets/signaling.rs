//! Messages of the browser protocol, in sessions of three clients. Every request is answered once, and the session survives
//! every message.
//!
//! Each line is a message; its first byte selects the client. In messages, `$c0` to `$c2` are the connections and `$s0` to
//! `$s3` streams of the session. The media engine answers every offer.

#![no_main]

use std::{
    collections::VecDeque,
    future::poll_fn,
    pin::pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
    time::Instant,
};

use libfuzzer_sys::fuzz_target;
use parlor::{
    archive::{
        ArchiveId,
        recording::{RecordError, Recorder, TimelineEvent},
    },
    opentok::{Claims, Role, SessionId},
    session::{
        Attachment, NewConnection, OutboundMessage, Outbox, Refusal, Sessions,
        media::{EngineBusy, EngineCommand, EngineEvent, Media, Sink},
    },
    signaling::message::{self, FirstMessage, Message, Unreadable},
};

const LINES: usize = 64;

fuzz_target!(|input: &[u8]| {
    let engine = Arc::new(Engine::default());
    let (happenings, mut happened) = tokio::sync::mpsc::channel(1024);
    let sessions = Sessions::new(engine.clone(), Arc::new(NoRecorder), happenings);
    let session = SessionId::from("2_session");
    let relayed = input.first().is_some_and(|byte| byte & 1 == 1);
    let mut people = [Role::Moderator, Role::Publisher, Role::Subscriber]
        .map(|role| Some(enter(&sessions, &session, role, relayed)));
    for line in input.split(|byte| *byte == b'\n').take(LINES) {
        let Some((who, text)) = line.split_first() else {
            continue;
        };
        let _ = serde_json::from_slice::<FirstMessage>(text);
        let names = names(&sessions, &session, &people);
        let text = names.iter().fold(
            String::from_utf8_lossy(text).into_owned(),
            |text, (name, id)| text.replace(name, id),
        );
        let place = usize::from(*who) % people.len();
        let Some((attachment, outbox)) = &mut people[place] else {
            continue;
        };
        let asked = match serde_json::from_str::<Message>(&text) {
            Ok(Message { id, request }) => {
                attachment.request(id, request);
                Some(id)
            }
            Err(_) => serde_json::from_str::<Unreadable>(&text)
                .ok()
                .map(|Unreadable { id }| {
                    attachment.refuse(id, Refusal::invalid("unreadable"));
                    id
                }),
        };
        while let Some(event) = engine.next(&session) {
            sessions.media_event(event);
        }
        sessions.tick(parlor::clock::Now::read());
        let heard = drain(outbox);
        if let (Some(id), Ok(replies)) = (asked, &heard) {
            assert_eq!(
                replies.iter().filter(|reply| **reply == id).count(),
                1,
                "{text}"
            );
        }
        if heard.is_err() {
            people[place] = None;
        }
        while happened.try_recv().is_ok() {}
    }
    for (attachment, _) in people.into_iter().flatten() {
        attachment.closed();
    }
    assert!(sessions.people(&session).is_empty());
});

fn enter(
    sessions: &Sessions,
    session: &SessionId,
    role: Role,
    relayed: bool,
) -> (Attachment, Outbox) {
    let claims = Claims {
        api_key: 1,
        session_id: session.clone(),
        role,
        data: String::new(),
        layout_classes: Vec::new(),
        created_at: 0,
        expires_at: i64::MAX,
    };
    let newcomer = NewConnection {
        claims,
        relayed,
        quiet: false,
    };
    let (attachment, mut outbox) = sessions.join(session, &newcomer, 0).unwrap();
    drain(&mut outbox).unwrap();
    (attachment, outbox)
}

type Person = Option<(Attachment, Outbox)>;

fn names(sessions: &Sessions, session: &SessionId, people: &[Person; 3]) -> Vec<(String, String)> {
    let connections = people.iter().enumerate().filter_map(|(at, person)| {
        let (attachment, _) = person.as_ref()?;
        Some((format!("$c{at}"), attachment.connection().to_string()))
    });
    let streams = sessions.streams(session);
    let streams = streams.iter().enumerate();
    connections
        .chain(streams.map(|(at, stream)| (format!("$s{at}"), stream.stream_id.to_string())))
        .collect()
}

/// Serializes all waiting messages. Returns the ids of the requests that they answer.
fn drain(outbox: &mut Outbox) -> Result<Vec<u64>, ()> {
    let mut context = Context::from_waker(Waker::noop());
    let mut replies = Vec::new();
    loop {
        let next = pin!(poll_fn(|context| outbox.poll_next(context)));
        match Future::poll(next, &mut context) {
            Poll::Ready(Ok(message)) => {
                let text = message::text(&message);
                serde_json::from_str::<serde_json::Value>(&text).unwrap();
                if let OutboundMessage::Reply { request, .. } = message {
                    replies.push(request);
                }
            }
            Poll::Ready(Err(_)) => return Err(()),
            Poll::Pending => return Ok(replies),
        }
    }
}

/// A media engine that answers every offer and does nothing else.
#[derive(Default)]
struct Engine(Mutex<VecDeque<EngineCommand>>);

impl Engine {
    fn next(&self, session: &SessionId) -> Option<EngineEvent> {
        loop {
            if let EngineCommand::Offer {
                connection,
                request,
                offer,
            } = self.0.lock().unwrap().pop_front()?
            {
                return Some(EngineEvent::Answered {
                    session: session.clone(),
                    connection,
                    request,
                    generation: offer.generation,
                    sdp: String::new(),
                });
            }
        }
    }
}

impl Media for Engine {
    fn send(&self, _: &SessionId, command: EngineCommand) -> Result<(), EngineBusy> {
        self.0.lock().unwrap().push_back(command);
        Ok(())
    }
}

struct NoRecorder;

impl Recorder for NoRecorder {
    fn start(&self, _: ArchiveId, _: Instant) -> Result<Sink, RecordError> {
        Err(RecordError::DiskFull {
            free_mib: 0,
            needed_mib: 0,
        })
    }

    fn record(&self, _: ArchiveId, _: Instant, _: TimelineEvent) {}

    fn stop(&self, _: ArchiveId, _: Instant) {}
}
