//! A session with clients, an engine and recorders that are played: what arrives at them is
//! checked against what they may see.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque},
    time::{Duration, Instant},
};

use super::monitored::Monitored;
use crate::{
    clock::Now,
    common::id::ArchiveId,
    opentok::{Claims, Role, SessionId},
    session::recording::TimelineEvent,
    session::{
        ConnectionId, NewConnection, Refusal, StreamId,
        event::{ArchiveInfo, ReplyBody, SessionEvent, StreamInfo},
        live::{Closing, Effect, LiveSession, OutboundMessage, RecordingPhase, SocketId},
        media::{EngineCommand, MediaKind, Offer, PublishedTrack, Scope, Slot},
        request::{
            Candidate, Description, DescriptionKind, NewStream, PeerLink, PeerSettings, Request,
            Resume,
        },
    },
};

pub const SDP: &str = "v=0";

pub struct World {
    pub live: LiveSession,
    pub now: Now,
    /// Everybody who ever joined, in that order.
    pub clients: Vec<Client>,
    pub engine: Engine,
    pub recorders: HashMap<ArchiveId, HashSet<StreamId>>,
    pub phases: Vec<(ArchiveId, RecordingPhase)>,
    pub monitored: Monitored,
    /// How often the session began.
    pub beginnings: usize,
    /// The session was made for media from browser to browser.
    relayed: bool,
    last_socket: u64,
}

/// What one client knows.
pub struct Client {
    pub role: Role,
    pub quiet: bool,
    /// Media go from browser to browser, as far as it knows.
    pub relayed: bool,
    pub id: ConnectionId,
    pub key: String,
    pub socket: Option<SocketId>,
    /// Why the server closed the latest socket.
    pub closed: Option<Closing>,
    /// Sent and not yet read.
    inbox: VecDeque<OutboundMessage>,
    next_request: u64,
    asked: HashMap<u64, Request>,
    /// What was replied, latest last.
    pub replies: Vec<(u64, ReplyBody)>,
    /// Every event that was read, in order.
    pub events: Vec<SessionEvent>,
    pub last: u64,
    pub generation: u32,
    pub slots: u16,
    pub own: Vec<StreamId>,
    pub people: BTreeSet<ConnectionId>,
    pub streams: BTreeMap<StreamId, StreamInfo>,
    pub archives: BTreeSet<ArchiveId>,
}

/// What the engine holds.
#[derive(Default)]
pub struct Engine {
    pub offers: VecDeque<(ConnectionId, u64, Offer)>,
    pub peers: HashSet<ConnectionId>,
    pub streams: HashMap<StreamId, ConnectionId>,
    pub slots: BTreeMap<(ConnectionId, u16), StreamId>,
    pub audio_off: HashSet<StreamId>,
    pub recording: HashSet<ArchiveId>,
}

impl World {
    pub fn new() -> Self {
        World {
            live: LiveSession::default(),
            now: Now {
                at: Instant::now(),
                unix_ms: 1_700_000_000_000,
            },
            clients: Vec::new(),
            engine: Engine::default(),
            recorders: HashMap::new(),
            phases: Vec::new(),
            monitored: Monitored::default(),
            beginnings: 0,
            relayed: false,
            last_socket: 0,
        }
    }

    pub fn relayed() -> Self {
        World {
            relayed: true,
            ..World::new()
        }
    }

    pub fn pass(&mut self, time: Duration) {
        self.now.at += time;
        self.now.unix_ms += i64::try_from(time.as_millis()).unwrap();
        self.live.tick(self.now);
        self.settle();
    }

    /// Lets somebody in; the number of the client comes back.
    pub fn join(&mut self, role: Role) -> usize {
        self.come(role, false)
    }

    /// Lets somebody in who does not want to know who comes and goes.
    pub fn join_quietly(&mut self, role: Role) -> usize {
        self.come(role, true)
    }

    fn come(&mut self, role: Role, quiet: bool) -> usize {
        let claims = Claims {
            api_key: 1,
            session_id: SessionId::from("s"),
            role,
            data: format!(r#"{{"name":"client {}"}}"#, self.clients.len()),
            layout_classes: Vec::new(),
            created_at: 0,
            expires_at: i64::MAX,
        };
        let newcomer = NewConnection {
            claims,
            relayed: self.relayed,
            quiet,
        };
        let socket = self.socket();
        let key = format!("key of {}", self.clients.len());
        let id = self
            .live
            .join(socket, 1, &newcomer, key.clone(), self.now)
            .unwrap();
        self.clients.push(Client {
            role,
            quiet,
            relayed: false,
            id,
            key,
            socket: Some(socket),
            closed: None,
            inbox: VecDeque::new(),
            next_request: 2,
            asked: HashMap::new(),
            replies: Vec::new(),
            events: Vec::new(),
            last: 0,
            generation: 0,
            slots: 0,
            own: Vec::new(),
            people: BTreeSet::new(),
            streams: BTreeMap::new(),
            archives: BTreeSet::new(),
        });
        self.settle();
        // Whoever has not read the welcome has no key to resume by.
        let who = self.clients.len() - 1;
        self.read(who);
        who
    }

    /// Joins, publishes and has its stream announced.
    pub fn join_and_publish(&mut self, role: Role) -> (usize, StreamId) {
        let who = self.join(role);
        let stream = self.publish(who);
        self.offer(who, 2);
        self.answer();
        (who, stream)
    }

    pub fn publish(&mut self, who: usize) -> StreamId {
        match self.ask(who, Request::Publish(camera())) {
            ReplyBody::Published { stream_id } => stream_id,
            other => panic!("not published: {other:?}"),
        }
    }

    /// Offers all own streams and so many slots.
    pub fn offer(&mut self, who: usize, slots: u16) {
        let client = &mut self.clients[who];
        client.generation += 1;
        client.slots = client.slots.max(slots);
        let tracks = client
            .own
            .iter()
            .flat_map(|stream| [(*stream, MediaKind::Audio), (*stream, MediaKind::Video)])
            .enumerate()
            .map(|(mid, (stream_id, kind))| PublishedTrack {
                mid: mid.to_string(),
                stream_id,
                kind,
            })
            .collect();
        let slots = (0..client.slots)
            .map(|slot| Slot {
                slot,
                audio_mid: format!("a{slot}"),
                video_mid: format!("v{slot}"),
            })
            .collect();
        let offer = Offer {
            generation: client.generation,
            sdp: SDP.to_owned(),
            tracks,
            slots,
        };
        self.send(who, Request::Offer(offer));
    }

    /// The engine answers the oldest offer.
    pub fn answer(&mut self) {
        if let Some((connection, number, offer)) = self.engine.offers.pop_front() {
            self.live.answered(
                connection,
                number,
                offer.generation,
                "v=0".to_owned(),
                self.now,
            );
            self.settle();
        }
    }

    pub fn refuse_offer(&mut self) {
        if let Some((connection, number, offer)) = self.engine.offers.pop_front() {
            for track in offer.tracks {
                // Unless an earlier offer brought it.
                if !self
                    .live
                    .streams()
                    .iter()
                    .any(|s| s.stream_id == track.stream_id)
                {
                    self.engine.streams.remove(&track.stream_id);
                }
            }
            self.live.refused(connection, number, "no".to_owned());
            self.settle();
        }
    }

    /// Asks and reads everything up to the reply.
    pub fn ask(&mut self, who: usize, request: Request) -> ReplyBody {
        let id = self.send(who, request);
        self.read(who);
        self.clients[who]
            .reply(id)
            .expect("every request is replied to")
    }

    pub fn refusal(&mut self, who: usize, request: Request) -> Refusal {
        match self.ask(who, request) {
            ReplyBody::Error { error } => error,
            other => panic!("not refused: {other:?}"),
        }
    }

    pub fn send(&mut self, who: usize, request: Request) -> u64 {
        let client = &mut self.clients[who];
        let id = client.next_request;
        client.next_request += 1;
        if let Some(socket) = client.socket {
            client.asked.insert(id, request.clone());
            self.live.request(client.id, socket, id, request, self.now);
            self.settle();
        }
        id
    }

    /// The socket breaks; what was not read is lost.
    pub fn lose(&mut self, who: usize) {
        let client = &mut self.clients[who];
        client.inbox.clear();
        client.asked.clear();
        if let Some(socket) = client.socket.take() {
            self.live
                .socket_lost(client.id, socket, self.now.at, self.now);
            self.settle();
        }
    }

    pub fn close(&mut self, who: usize) {
        let client = &mut self.clients[who];
        if let Some(socket) = client.socket.take() {
            self.live.socket_closed(client.id, socket, self.now);
            self.settle();
        }
    }

    /// Resumes over a new socket, also while the old one is still there.
    pub fn resume(&mut self, who: usize) -> Result<(), Refusal> {
        let socket = self.socket();
        let client = &mut self.clients[who];
        client.inbox.clear();
        client.asked.clear();
        let resume = Resume {
            connection_id: client.id,
            key: client.key.clone(),
            last: client.last,
        };
        let request = client.next_request;
        client.next_request += 1;
        let resumed = self.live.resume(socket, request, &resume, self.now);
        if resumed.is_ok() {
            client.socket = Some(socket);
        }
        self.settle();
        resumed.map(|_| ())
    }

    /// Carries out what the session wants done.
    pub fn settle(&mut self) {
        for output in self.live.effects() {
            match output {
                Effect::Send { socket, message } => {
                    if let Some(client) = self.by_socket(socket) {
                        client.inbox.push_back(message);
                    }
                }
                Effect::Close { socket, why } => {
                    if let Some(client) = self.by_socket(socket) {
                        client.read_all();
                        client.socket = None;
                        client.closed = Some(why);
                    }
                }
                Effect::Media(command) => self.engine.carry_out(command),
                Effect::Note { archive, note } => self.note(archive, note),
                Effect::FirstStream => self.beginnings += 1,
                Effect::Recording { archive, phase } => self.phases.push((archive, phase)),
                Effect::Joined(_) | Effect::Left { .. } => {}
                Effect::Monitor(kind) => self.monitored.hear(kind),
                Effect::Mediate { .. } => unreachable!("no observer mediates this session"),
            }
        }
    }

    /// A client reads all that was sent to it.
    pub fn read(&mut self, who: usize) {
        self.clients[who].read_all();
    }

    pub fn read_all(&mut self) {
        for client in &mut self.clients {
            client.read_all();
        }
    }

    pub fn is_there(&self, who: usize) -> bool {
        let id = self.clients[who].id;
        self.live.people().iter().any(|c| c.connection_id == id)
    }

    pub fn start_archive(&mut self) -> ArchiveId {
        self.start_archive_of(Scope::ALL)
    }

    pub fn start_archive_of(&mut self, scope: Scope) -> ArchiveId {
        let info = ArchiveInfo {
            id: ArchiveId::random(),
            name: "talk".to_owned(),
            started_at: self.now.unix_ms,
        };
        let id = info.id;
        self.recorders.insert(id, HashSet::new());
        let (sink, _) = std::sync::mpsc::sync_channel(1);
        self.live.start_archive(info, sink, scope, self.now.at);
        self.settle();
        id
    }

    pub fn stop_archive(&mut self, id: ArchiveId) {
        self.live.stop_archive(id);
        self.settle();
        self.recorders.remove(&id);
    }

    fn note(&mut self, archive: ArchiveId, note: TimelineEvent) {
        let streams = self
            .recorders
            .get_mut(&archive)
            .expect("notes are for recordings in progress");
        match note {
            TimelineEvent::StreamCreated { stream, .. } => {
                assert!(streams.insert(stream), "noted twice");
            }
            TimelineEvent::StreamChanged { stream, .. } => assert!(streams.contains(&stream)),
            TimelineEvent::StreamDestroyed { stream } => assert!(streams.remove(&stream)),
            TimelineEvent::StreamChosen { stream, .. }
            | TimelineEvent::StreamClasses { stream, .. } => {
                assert!(streams.contains(&stream));
            }
            TimelineEvent::LayoutChanged { .. } => {}
        }
    }

    fn by_socket(&mut self, socket: SocketId) -> Option<&mut Client> {
        self.clients.iter_mut().find(|c| c.socket == Some(socket))
    }

    fn socket(&mut self) -> SocketId {
        self.last_socket += 1;
        SocketId(self.last_socket)
    }
}

impl Client {
    pub fn reply(&self, id: u64) -> Option<ReplyBody> {
        let (_, outcome) = self.replies.iter().find(|(re, _)| *re == id)?;
        Some(outcome.clone())
    }

    fn read_all(&mut self) {
        while let Some(message) = self.inbox.pop_front() {
            match message {
                OutboundMessage::Reply { request, outcome } => self.read_reply(request, outcome),
                OutboundMessage::Event { n, event } => {
                    assert_eq!(n, self.last + 1, "events are numbered without holes");
                    self.last = n;
                    self.read_event(&event.event);
                    self.events.push(event.event.clone());
                }
            }
        }
    }

    /// Whether it has been told of somebody from whom something comes; the quiet are told of nobody.
    fn knows(&self, other: ConnectionId) -> bool {
        self.quiet || self.people.contains(&other)
    }

    /// Something comes from another browser; `published`: it is about a stream of this client, or of the other.
    fn hear_peer(&self, from: ConnectionId, stream: StreamId, published: Option<bool>) {
        assert!(self.relayed, "browsers talk in a relayed session only");
        assert!(self.knows(from) && from != self.id);
        let own = self.own.contains(&stream);
        let theirs = self
            .streams
            .get(&stream)
            .is_some_and(|s| s.connection_id == from);
        assert!(own || theirs, "both sides know the stream");
        assert!(published.is_none_or(|published| published == own));
        assert!(
            own || may(
                self.role,
                &Request::Subscribe {
                    slot: 0,
                    stream_id: stream,
                    wanted: Default::default()
                }
            )
        );
    }

    fn read_reply(&mut self, id: u64, outcome: ReplyBody) {
        assert!(self.reply(id).is_none(), "one reply to one request");
        if let Some(asked) = self.asked.remove(&id)
            && !matches!(outcome, ReplyBody::Error { .. })
        {
            assert!(may(self.role, &asked), "{} did {asked:?}", self.role);
            if let Request::Unpublish { stream_id, .. } = asked {
                self.own.retain(|own| *own != stream_id);
            }
        }
        match &outcome {
            ReplyBody::Welcome(welcome) => {
                assert_eq!(welcome.connection.connection_id, self.id);
                self.people = welcome
                    .connections
                    .iter()
                    .map(|c| c.connection_id)
                    .collect();
                assert!(self.people.contains(&self.id));
                self.relayed = welcome.relayed;
                assert!(!self.quiet || self.people.len() == 1);
                for stream in &welcome.streams {
                    assert!(self.knows(stream.connection_id));
                    self.streams.insert(stream.stream_id, stream.clone());
                }
                self.archives = welcome.archives.iter().map(|a| a.id).collect();
            }
            ReplyBody::Published { stream_id } => self.own.push(*stream_id),
            _ => {}
        }
        self.replies.push((id, outcome));
    }

    fn read_event(&mut self, event: &SessionEvent) {
        assert!(
            !matches!(self.events.last(), Some(SessionEvent::Disconnected { .. })),
            "nothing comes after the end"
        );
        match event {
            SessionEvent::ConnectionCreated { connection } => {
                assert!(!self.quiet);
                assert!(self.people.insert(connection.connection_id));
            }
            SessionEvent::ConnectionDestroyed { connection_id, .. } => {
                assert!(!self.quiet);
                assert_ne!(*connection_id, self.id);
                assert!(self.people.remove(connection_id));
                let left = |stream: &StreamInfo| stream.connection_id == *connection_id;
                assert!(!self.streams.values().any(left), "streams end first");
            }
            SessionEvent::StreamCreated { stream } => {
                assert!(self.knows(stream.connection_id));
                assert_ne!(stream.connection_id, self.id);
                let before = self.streams.insert(stream.stream_id, stream.clone());
                assert_eq!(before, None);
            }
            SessionEvent::StreamChanged { stream } => {
                assert_ne!(stream.connection_id, self.id);
                let before = self.streams.insert(stream.stream_id, stream.clone());
                assert_ne!(before, None, "unknown streams do not change");
                assert_ne!(before.as_ref(), Some(stream), "a change changes something");
            }
            SessionEvent::StreamDestroyed { stream_id, .. } => {
                let mine = self.own.iter().position(|own| own == stream_id);
                match mine {
                    Some(mine) => drop(self.own.remove(mine)),
                    None => assert!(self.streams.remove(stream_id).is_some()),
                }
            }
            SessionEvent::Signal { from, .. } => {
                assert!(from.is_none_or(|from| self.knows(from)));
            }
            SessionEvent::StreamMuted { stream_id } => assert!(self.own.contains(stream_id)),
            SessionEvent::PeerWant {
                from, stream_id, ..
            } => self.hear_peer(*from, *stream_id, Some(true)),
            SessionEvent::PeerSdp {
                from,
                stream_id,
                description,
                ..
            } => {
                let answers = description.kind == DescriptionKind::Answer;
                self.hear_peer(*from, *stream_id, Some(answers));
            }
            SessionEvent::PeerIce {
                from, stream_id, ..
            }
            | SessionEvent::PeerBye {
                from, stream_id, ..
            } => {
                self.hear_peer(*from, *stream_id, None);
            }
            SessionEvent::SessionRouted { .. } => {
                assert!(self.relayed, "a session is routed once");
                self.relayed = false;
            }
            SessionEvent::ArchiveStarted { archive } => assert!(self.archives.insert(archive.id)),
            SessionEvent::ArchiveStopped { archive } => assert!(self.archives.remove(&archive.id)),
            SessionEvent::MuteForced { .. } | SessionEvent::Disconnected { .. } => {}
        }
    }
}

impl Engine {
    fn carry_out(&mut self, command: EngineCommand) {
        match command {
            EngineCommand::Offer {
                connection,
                request,
                offer,
            } => {
                self.peers.insert(connection);
                for track in &offer.tracks {
                    self.streams.insert(track.stream_id, connection);
                }
                self.offers.push_back((connection, request, offer));
            }
            EngineCommand::Subscribe {
                connection,
                slot,
                stream,
                ..
            } => {
                assert!(self.peers.contains(&connection));
                assert!(self.streams.contains_key(&stream), "no such stream");
                self.slots.insert((connection, slot), stream);
            }
            EngineCommand::Unsubscribe { connection, slot } => {
                assert!(self.slots.remove(&(connection, slot)).is_some());
            }
            EngineCommand::SetStream { stream, audio, .. } => {
                assert!(self.streams.contains_key(&stream));
                if audio {
                    self.audio_off.remove(&stream);
                } else {
                    self.audio_off.insert(stream);
                }
            }
            EngineCommand::Unpublish { stream } => self.forget(stream),
            EngineCommand::Close { connection } => {
                assert!(self.peers.remove(&connection));
                self.offers.retain(|(of, ..)| *of != connection);
                let own: Vec<_> = self
                    .streams
                    .iter()
                    .filter(|(_, of)| **of == connection)
                    .map(|(stream, _)| *stream)
                    .collect();
                for stream in own {
                    self.forget(stream);
                }
                self.slots.retain(|(of, _), _| *of != connection);
            }
            EngineCommand::Record { archive, .. } => assert!(self.recording.insert(archive)),
            EngineCommand::StopRecording { archive } => assert!(self.recording.remove(&archive)),
            EngineCommand::Choose {
                archive, stream, ..
            } => {
                assert!(self.recording.contains(&archive));
                assert!(self.streams.contains_key(&stream), "no such stream");
            }
        }
    }

    fn forget(&mut self, stream: StreamId) {
        self.streams.remove(&stream);
        self.audio_off.remove(&stream);
        self.slots.retain(|_, shown| *shown != stream);
    }
}

/// What a role allows, told once more in other words than in the rules.
fn may(role: Role, request: &Request) -> bool {
    let publishes = matches!(
        role,
        Role::Publisher | Role::PublisherOnly | Role::Moderator
    );
    let receives = matches!(role, Role::Subscriber | Role::Publisher | Role::Moderator);
    match request {
        Request::Publish(_) => publishes,
        Request::Offer(offer) => {
            (offer.tracks.is_empty() || publishes) && (offer.slots.is_empty() || receives)
        }
        Request::Subscribe { .. } | Request::Signal { .. } => receives,
        Request::ForceDisconnect { .. }
        | Request::ForceUnpublish { .. }
        | Request::ForceMute { .. }
        | Request::ForceMuteAll { .. }
        | Request::DisableForceMute => role == Role::Moderator,
        _ => true,
    }
}

pub fn camera() -> NewStream {
    NewStream {
        name: String::new(),
        has_audio: true,
        has_video: true,
        video_type: Default::default(),
        width: 640,
        height: 480,
        frame_rate: Some(30),
    }
}

/// Ends a stream by the page's wish.
pub fn unpublish(stream_id: StreamId) -> Request {
    Request::Unpublish {
        stream_id,
        media_stopped: false,
    }
}

pub fn signal(to: Option<ConnectionId>) -> Request {
    Request::Signal {
        signal_type: Some("chat".to_owned()),
        data: Some("hi".into()),
        to,
    }
}

/// One of the things that browsers say to one another in a relayed session.
pub fn peer(to: ConnectionId, stream_id: StreamId, what: u8) -> Request {
    let pair = PeerLink {
        to,
        stream_id,
        pair: 1,
    };
    let description = |kind| Description {
        kind,
        sdp: SDP.to_owned(),
    };
    match what {
        0 => Request::PeerWant {
            pair,
            want: PeerSettings::default(),
        },
        1 => Request::PeerSdp {
            pair,
            description: description(DescriptionKind::Offer),
        },
        2 => Request::PeerSdp {
            pair,
            description: description(DescriptionKind::Answer),
        },
        3 => Request::PeerIce {
            pair,
            candidates: vec![Candidate {
                candidate: "candidate:1 1 udp 1 192.0.2.1 1 typ host".to_owned(),
                sdp_mid: Some("0".to_owned()),
                sdp_m_line_index: Some(0),
                username_fragment: None,
            }],
        },
        _ => Request::PeerBye { pair },
    }
}
