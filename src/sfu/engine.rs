//! A worker's sessions, peers and packets. No sockets and no clock: packets, commands and `now` go
//! in, packets ([`Outbox`]) and events come out.
//!
//! A packet's way: [`Engine::receive`] finds its peer and hands it to the peer's Rtc, which decrypts
//! it; `forward` rewrites it for each receiver's Rtc; at the end of the turn [`Engine::drain`] lets
//! each Rtc that was written to encrypt its packets in one go.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap, VecDeque},
    net::SocketAddr,
    time::{Duration, Instant},
};

use str0m::{
    Event as RtcEvent, Input, Output,
    media::{KeyframeRequest, SenderFeedback},
    net::{Protocol, Receive, Transmit},
    rtp::RtpPacket,
};

use super::{
    demux::{Class, Demux},
    forward::Verdict,
    layers::temporal_id,
    peer::{Peer, Setting},
    record::{Origin, Tap},
    router::{PeerKey, Receiver, Router, StreamKey},
    sdp::MAX_SLOTS,
    udp::Outbox,
};
use crate::{
    opentok::SessionId,
    session::{
        ConnectionId, StreamId,
        media::{Command, Event, Kind, Offer, Wanted},
    },
};

/// Layers are looked over, and recorders told of drops, this often.
const TICK: Duration = Duration::from_millis(500);
const ALIVE: Duration = Duration::from_secs(1);
/// Receivers for whom a frame is gathered.
const MANY: usize = 4;
/// An Rtc is not driven again sooner, whatever it asks for.
const SHORTEST_TIMEOUT: Duration = Duration::from_millis(1);

pub struct Engine {
    setting: Setting,
    peers: Vec<Option<Box<Peer>>>,
    free: Vec<PeerKey>,
    rooms: Vec<Option<Room>>,
    by_session: HashMap<SessionId, usize>,
    demux: Demux,
    /// Peers written to in this turn.
    dirty: Vec<PeerKey>,
    /// The latest video packet was not the last of its frame.
    frame_is_open: bool,
    timers: BinaryHeap<Reverse<(Instant, PeerKey)>>,
    next_tick: Instant,
    /// Whether an Rtc is drained once per turn, or after every write as str0m's documentation asks.
    pub batched: bool,
    pub outbox: Outbox,
    pub events: VecDeque<Event>,
    pub counters: Counters,
}

/// What an operator may want to know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    pub packets_in: u64,
    /// Of nobody we know, or of no known kind.
    pub packets_unknown: u64,
    pub media_in: u64,
    pub media_forwarded: u64,
}

/// A session with peers or recorders.
struct Room {
    session: SessionId,
    router: Router,
    connections: HashMap<ConnectionId, PeerKey>,
    taps: Vec<Tap>,
}

impl Engine {
    pub fn new(setting: Setting, now: Instant) -> Engine {
        Engine {
            setting,
            peers: Vec::new(),
            free: Vec::new(),
            rooms: Vec::new(),
            by_session: HashMap::new(),
            demux: Demux::default(),
            dirty: Vec::new(),
            frame_is_open: false,
            timers: BinaryHeap::new(),
            next_tick: now + TICK,
            batched: true,
            outbox: Outbox::new(),
            events: VecDeque::new(),
            counters: Counters::default(),
        }
    }

    /// When [`expire`](Engine::expire) has something to do.
    pub fn next_timeout(&self) -> Instant {
        let first = self.timers.peek().map(|Reverse((at, _))| *at);
        first.map_or(self.next_tick, |at| at.min(self.next_tick))
    }

    /// Carries out a command.
    pub fn command(&mut self, session: &SessionId, command: Command, now: Instant) {
        let room = match self.by_session.get(session) {
            Some(&room) => room,
            None => self.open(session),
        };
        match command {
            Command::Offer {
                connection,
                request,
                offer,
            } => self.offer(room, connection, request, &offer, now),
            Command::Subscribe {
                connection,
                slot,
                stream,
                wanted,
            } => self.subscribe(room, connection, slot, stream, wanted, now),
            Command::Unsubscribe { connection, slot } => {
                if let Some((room, key)) = self.member(room, connection) {
                    room.router.unsubscribe(key, slot);
                    self.restart(key, slot);
                }
            }
            Command::SetStream {
                stream,
                audio,
                video,
            } => self.set_stream(room, stream, audio, video),
            Command::Unpublish { stream } => self.unpublish(room, stream),
            Command::Close { connection } => self.close(room, connection, now),
            Command::Record { archive, sink } => self.record(room, Tap::new(archive, sink), now),
            Command::StopRecording { archive } => {
                if let Some(room) = self.room(room) {
                    room.taps.iter_mut().for_each(Tap::report_dropped);
                    room.taps.retain(|tap| tap.archive != archive);
                }
                self.vacate(room);
            }
        }
    }

    fn open(&mut self, session: &SessionId) -> usize {
        let room = Room {
            session: session.clone(),
            router: Router::default(),
            connections: HashMap::new(),
            taps: Vec::new(),
        };
        let place = self.rooms.iter().position(Option::is_none);
        let index = place.unwrap_or_else(|| {
            self.rooms.push(None);
            self.rooms.len() - 1
        });
        self.rooms[index] = Some(room);
        self.by_session.insert(session.clone(), index);
        index
    }

    /// Forgets a session nobody is in.
    fn vacate(&mut self, index: usize) {
        let empty = |room: &&mut Room| room.connections.is_empty() && room.taps.is_empty();
        if let Some(room) = self.room(index).filter(empty) {
            let session = room.session.clone();
            self.by_session.remove(&session);
            self.rooms[index] = None;
        }
    }

    fn room(&mut self, index: usize) -> Option<&mut Room> {
        self.rooms.get_mut(index)?.as_mut()
    }

    fn member(&mut self, room: usize, connection: ConnectionId) -> Option<(&mut Room, PeerKey)> {
        let room = self.room(room)?;
        let key = *room.connections.get(&connection)?;
        Some((room, key))
    }

    fn peer(&mut self, key: PeerKey) -> Option<&mut Peer> {
        self.peers.get_mut(key)?.as_deref_mut()
    }

    fn offer(
        &mut self,
        room: usize,
        connection: ConnectionId,
        request: u64,
        offer: &Offer,
        now: Instant,
    ) {
        let known = self.member(room, connection).map(|(_, key)| key);
        let key = match known {
            Some(key) => key,
            None => {
                let peer = Box::new(Peer::new(&self.setting, connection, room, now));
                let key = self.free.pop().unwrap_or_else(|| {
                    self.peers.push(None);
                    self.peers.len() - 1
                });
                self.peers[key] = Some(peer);
                if let Some(room) = self.room(room) {
                    room.connections.insert(connection, key);
                }
                key
            }
        };
        let Some(Some(peer)) = self.peers.get_mut(key) else {
            return;
        };
        let answer = peer.answer(&self.setting, offer, now);
        let ufrag = peer.local_ufrag();
        self.demux.expect(&peer.ufrag, &ufrag, key);
        peer.ufrag = ufrag;
        if answer.is_ok() {
            self.take_in_tracks(room, key, offer, now);
        }
        let Some(session) = self.room(room).map(|room| room.session.clone()) else {
            return;
        };
        let generation = offer.generation;
        self.events.push_back(match answer {
            Ok(sdp) => Event::Answered {
                session,
                connection,
                request,
                generation,
                sdp,
            },
            Err(message) => Event::Refused {
                session,
                connection,
                request,
                generation,
                message,
            },
        });
        self.drive(key, now);
    }

    fn take_in_tracks(&mut self, room: usize, key: PeerKey, offer: &Offer, now: Instant) {
        let (Some(Some(room)), Some(Some(peer))) =
            (self.rooms.get_mut(room), self.peers.get_mut(key))
        else {
            return;
        };
        for track in &offer.tracks {
            // A stream of another connection stays where it is.
            if let Some(stream) = room.router.publish(key, track.stream_id) {
                peer.set_track(&track.mid, stream, track.stream_id, track.kind);
            }
        }
        peer.remove_stopped_tracks();
        for slot in &offer.slots {
            peer.set_slot(slot);
        }
        // What was subscribed to before its slot was there begins with a key frame.
        let shown: Vec<StreamKey> = offer
            .slots
            .iter()
            .filter_map(|slot| room.router.shown(key, slot.slot))
            .collect();
        let index = peer.room;
        for stream in shown {
            self.aim(index, stream);
            self.ask_waiting(index, stream, now);
        }
    }

    fn subscribe(
        &mut self,
        room: usize,
        connection: ConnectionId,
        slot: u16,
        stream: StreamId,
        wanted: Wanted,
        now: Instant,
    ) {
        if slot >= MAX_SLOTS {
            return;
        }
        let index = room;
        let Some((room, key)) = self.member(room, connection) else {
            return;
        };
        let receiver = Receiver {
            peer: key,
            slot,
            wanted,
        };
        let before = room.router.receiver(key, slot);
        let (stream, new) = room.router.subscribe(receiver, stream);
        let Some(peer) = self.peer(key) else {
            return;
        };
        for kind in [Kind::Audio, Kind::Video] {
            let was = before.is_some_and(|before| before.wants(kind));
            if let Some(forwarder) = peer.forwarder(slot, kind)
                && (new || !was)
            {
                forwarder.restart();
            }
        }
        self.aim(index, stream);
        self.ask_waiting(index, stream, now);
    }

    /// The slot's next packet begins anew.
    fn restart(&mut self, key: PeerKey, slot: u16) {
        if let Some(peer) = self.peer(key) {
            for kind in [Kind::Audio, Kind::Video] {
                if let Some(forwarder) = peer.forwarder(slot, kind) {
                    forwarder.restart();
                }
            }
        }
    }

    fn set_stream(&mut self, room: usize, id: StreamId, audio: bool, video: bool) {
        let Some(Some(room)) = self.rooms.get_mut(room) else {
            return;
        };
        let stream = room.router.set_stream(id, audio, video);
        // Numbers go on where they stopped, so that silence is not taken for loss.
        for (kind, on) in [(Kind::Audio, audio), (Kind::Video, video)] {
            if on {
                continue;
            }
            for tap in &mut room.taps {
                tap.pause(stream, kind);
            }
            let receivers = room.router.stream(stream).map(|s| s.receivers(kind));
            for receiver in receivers.unwrap_or_default() {
                if let Some(Some(peer)) = self.peers.get_mut(receiver.peer)
                    && let Some(forwarder) = peer.forwarder(receiver.slot, kind)
                {
                    forwarder.restart();
                }
            }
        }
    }

    fn unpublish(&mut self, room: usize, id: StreamId) {
        let Some(Some(room)) = self.rooms.get_mut(room) else {
            return;
        };
        let Some(stream) = room.router.key(id) else {
            return;
        };
        let publisher = room.router.stream(stream).and_then(|s| s.publisher);
        for tap in &mut room.taps {
            tap.remove(stream);
        }
        let freed = room.router.unpublish(id);
        if let Some(peer) = publisher.and_then(|key| self.peer(key)) {
            peer.remove_stream(stream);
        }
        for receiver in freed {
            self.restart(receiver.peer, receiver.slot);
        }
    }

    fn close(&mut self, index: usize, connection: ConnectionId, now: Instant) {
        if let Some((_, key)) = self.member(index, connection) {
            if let Some(peer) = self.peer(key)
                && peer.close().is_ok()
            {
                self.drive(key, now);
            }
            self.remove(index, connection, key);
        }
        self.vacate(index);
    }

    fn remove(&mut self, index: usize, connection: ConnectionId, key: PeerKey) {
        let Some(peer) = self.peers.get_mut(key).and_then(Option::take) else {
            return;
        };
        self.free.push(key);
        self.demux.remove(&peer.ufrag, key);
        let Some(Some(room)) = self.rooms.get_mut(index) else {
            return;
        };
        room.connections.remove(&connection);
        for track in &peer.tracks {
            for tap in &mut room.taps {
                tap.remove(track.stream);
            }
        }
        for receiver in room.router.remove(key) {
            self.restart(receiver.peer, receiver.slot);
        }
    }

    fn record(&mut self, index: usize, tap: Tap, now: Instant) {
        let Some(room) = self.room(index) else {
            return;
        };
        room.taps.push(tap);
        let publishers: Vec<PeerKey> = room.connections.values().copied().collect();
        for key in publishers {
            let Some(peer) = self.peer(key) else {
                continue;
            };
            let mut asked = false;
            for track in 0..peer.tracks.len() {
                let video = peer.tracks[track].kind == Kind::Video;
                if video && let Some(best) = peer.tracks[track].layers.choose(None) {
                    asked |= peer.ask_key_frame(track, best, now);
                }
            }
            if asked {
                self.mark(key);
            }
        }
    }

    /// Closes every peer in order.
    pub fn stop(&mut self, now: Instant) {
        for key in 0..self.peers.len() {
            if let Some(peer) = self.peer(key)
                && peer.close().is_ok()
            {
                self.drive(key, now);
            }
        }
    }

    /// Takes in a packet.
    pub fn receive(&mut self, socket: usize, source: SocketAddr, bytes: &[u8], now: Instant) {
        self.counters.packets_in += 1;
        let Some((key, learn)) = self.demux.find(source, bytes) else {
            self.counters.packets_unknown += 1;
            return;
        };
        let (Some(&destination), Some(Some(peer))) =
            (self.setting.addresses.get(socket), self.peers.get_mut(key))
        else {
            return;
        };
        let Ok(packet) = Receive::new(Protocol::Udp, source, destination, bytes) else {
            self.counters.packets_unknown += 1;
            return;
        };
        let silent = !peer.listens(now);
        if peer.input(Input::Receive(now, packet)).is_err() {
            return self.fail(key);
        }
        let answered = self.poll(key, now, Some(source));
        if learn && answered {
            self.demux.learn(source, key);
        }
        if answered || Class::of(bytes) != Class::Stun {
            self.heard(key, silent, now);
        }
        if !self.batched {
            self.drain(now, usize::MAX);
        }
    }

    fn heard(&mut self, key: PeerKey, was_silent: bool, now: Instant) {
        let Some(Some(peer)) = self.peers.get_mut(key) else {
            return;
        };
        peer.heard = Some(now);
        if was_silent {
            // Packets were held back: the numbers go on without a hole.
            peer.restart_slots();
        }
        let due = peer
            .reported_alive
            .is_none_or(|reported| now.saturating_duration_since(reported) >= ALIVE);
        if due && let Some(Some(room)) = self.rooms.get(peer.room) {
            peer.reported_alive = Some(now);
            self.events.push_back(Event::Alive {
                session: room.session.clone(),
                connection: peer.connection,
            });
        }
    }

    /// Does what the time has come for.
    pub fn expire(&mut self, now: Instant) {
        while let Some(&Reverse((at, key))) = self.timers.peek()
            && at <= now
        {
            self.timers.pop();
            let Some(Some(peer)) = self.peers.get_mut(key) else {
                continue;
            };
            // An earlier time was set meanwhile: that entry counts.
            if peer.scheduled != Some(at) {
                continue;
            }
            peer.scheduled = None;
            if peer.timeout <= now {
                self.drive(key, now);
            } else {
                let timeout = peer.timeout;
                self.schedule(key, timeout);
            }
        }
        if now >= self.next_tick {
            self.next_tick = now + TICK;
            self.tick(now);
        }
    }

    fn tick(&mut self, now: Instant) {
        let mut changed = Vec::new();
        for peer in self.peers.iter_mut().flatten() {
            let room = peer.room;
            for track in &mut peer.tracks {
                if track.layers.sweep(now) {
                    changed.push((room, track.stream));
                }
            }
        }
        for (room, stream) in changed {
            self.aim(room, stream);
        }
        for room in self.rooms.iter_mut().flatten() {
            room.taps.iter_mut().for_each(Tap::report_dropped);
            room.taps.retain(|tap| !tap.closed);
        }
    }

    /// Whether it pays to wait a moment: the rest of a frame that many receive is on its way, and costs
    /// each of them less in one run.
    pub fn expects_more(&self) -> bool {
        self.frame_is_open && self.dirty.len() >= MANY
    }

    /// Lets peers that were written to in this turn encrypt, `at_most` so many; true if there are more.
    /// What comes out shall be sent before the next ones' turn: nobody waits for everybody.
    pub fn drain(&mut self, now: Instant, at_most: usize) -> bool {
        for _ in 0..at_most {
            let Some(key) = self.dirty.pop() else {
                return false;
            };
            if let Some(peer) = self.peer(key) {
                peer.dirty = false;
                self.drive(key, now);
            }
        }
        true
    }

    fn mark(&mut self, key: PeerKey) {
        mark(&mut self.peers, &mut self.dirty, key);
    }

    fn drive(&mut self, key: PeerKey, now: Instant) {
        let Some(peer) = self.peer(key) else {
            return;
        };
        if peer.input(Input::Timeout(now)).is_err() {
            return self.fail(key);
        }
        self.poll(key, now, None);
    }

    /// Takes everything out of a peer's Rtc. True if something goes to `watched`.
    fn poll(&mut self, key: PeerKey, now: Instant, watched: Option<SocketAddr>) -> bool {
        let mut seen = false;
        loop {
            let Some(Some(peer)) = self.peers.get_mut(key) else {
                return seen;
            };
            match peer.poll() {
                Ok(Output::Timeout(at)) => {
                    let at = at.max(now + SHORTEST_TIMEOUT);
                    peer.timeout = at;
                    self.schedule(key, at);
                    return seen;
                }
                Ok(Output::Transmit(transmit)) => {
                    seen |= watched == Some(transmit.destination);
                    self.transmit(transmit);
                }
                Ok(Output::Event(RtcEvent::RtpPacket(packet))) => self.forward(key, &packet, now),
                Ok(Output::Event(event)) => self.event(key, event, now),
                Err(_) => {
                    self.fail(key);
                    return seen;
                }
            }
        }
    }

    fn schedule(&mut self, key: PeerKey, at: Instant) {
        let Some(Some(peer)) = self.peers.get_mut(key) else {
            return;
        };
        if peer.scheduled.is_none_or(|scheduled| at < scheduled) {
            peer.scheduled = Some(at);
            self.timers.push(Reverse((at, key)));
        }
    }

    fn transmit(&mut self, transmit: Transmit) {
        let source = transmit.source;
        let socket = self.setting.addresses.iter().position(|&a| a == source);
        if let Some(socket) = socket {
            self.outbox
                .push(socket, transmit.destination, transmit.contents.into());
        }
    }

    fn event(&mut self, key: PeerKey, event: RtcEvent, now: Instant) {
        match event {
            RtcEvent::KeyframeRequest(request) => self.key_frame_wanted(key, request, now),
            RtcEvent::SenderFeedback(feedback) => self.sender_report(key, &feedback, now),
            RtcEvent::Connected => self.connected(key, now),
            RtcEvent::Closed => self.closed(key),
            _ => {}
        }
    }

    /// Packets arrive from now on: the first key frames are asked for at once.
    fn connected(&mut self, key: PeerKey, now: Instant) {
        let Some(Some(peer)) = self.peers.get_mut(key) else {
            return;
        };
        peer.connected = true;
        peer.heard = Some(now);
        let index = peer.room;
        let Some(Some(room)) = self.rooms.get(index) else {
            return;
        };
        for stream in room.router.shown_by(key) {
            self.ask_waiting(index, stream, now);
        }
    }

    /// The peer is of no use any more. Its streams and slots stay until the session closes it, or its
    /// client makes a new peer connection.
    fn fail(&mut self, key: PeerKey) {
        if let Some(peer) = self.peer(key) {
            peer.give_up();
        }
        self.closed(key);
    }

    fn closed(&mut self, key: PeerKey) {
        let Some(Some(peer)) = self.peers.get_mut(key) else {
            return;
        };
        if std::mem::replace(&mut peer.closed, true) {
            return;
        }
        peer.connected = false;
        if let Some(Some(room)) = self.rooms.get(peer.room) {
            self.events.push_back(Event::Closed {
                session: room.session.clone(),
                connection: peer.connection,
            });
        }
    }

    /// Passes a packet on to everyone who wants it.
    fn forward(&mut self, key: PeerKey, packet: &RtpPacket, now: Instant) {
        self.counters.media_in += 1;
        let Some(Some(publisher)) = self.peers.get_mut(key) else {
            return;
        };
        let index = publisher.room;
        let Some(source) = publisher.source(packet.header.ssrc) else {
            return;
        };
        let Some((incoming, changed)) = publisher.look(source, packet, now) else {
            return;
        };
        let Some(track) = publisher.tracks.get(source.track) else {
            return;
        };
        let (stream, id, kind) = (track.stream, track.id, track.kind);
        if kind == Kind::Video {
            self.frame_is_open = !packet.header.marker;
        }
        let taps = self.rooms.get(index).and_then(Option::as_ref);
        let best_layer = match taps.is_some_and(|room| !room.taps.is_empty()) {
            true => track.layers.choose(None).unwrap_or(0),
            false => 0,
        };
        if changed {
            self.aim(index, stream);
        }
        let Engine {
            rooms,
            peers,
            dirty,
            counters,
            ..
        } = self;
        let Some(Some(room)) = rooms.get_mut(index) else {
            return;
        };
        let Some(routed) = room.router.stream(stream).filter(|s| s.is_on(kind)) else {
            return;
        };
        // Layers to ask for a key frame, one bit each.
        let mut wanted = 0_u8;
        for receiver in routed.receivers(kind) {
            let Some(Some(peer)) = peers.get_mut(receiver.peer) else {
                continue;
            };
            if !peer.listens(now) {
                continue;
            }
            let Some(forwarder) = peer.forwarder(receiver.slot, kind) else {
                continue;
            };
            let outgoing = match forwarder.forward(&incoming) {
                Verdict::Send(outgoing) => outgoing,
                Verdict::SendAndWait(outgoing, layer) => {
                    wanted |= bit(layer);
                    outgoing
                }
                Verdict::Skip => continue,
                Verdict::Wait { layer } => {
                    wanted |= bit(layer);
                    continue;
                }
            };
            peer.write(receiver.slot, kind, outgoing, &incoming, packet);
            counters.media_forwarded += 1;
            mark(peers, dirty, receiver.peer);
        }
        for tap in &mut room.taps {
            let origin = Origin {
                key: stream,
                stream: id,
                kind,
                best_layer,
            };
            if let Some(layer) = tap.packet(origin, &incoming, packet, now) {
                wanted |= bit(layer);
            }
        }
        if wanted != 0 {
            self.ask(key, source.track, wanted, now);
        }
    }

    fn ask(&mut self, key: PeerKey, track: usize, layers: u8, now: Instant) {
        let Some(peer) = self.peer(key) else {
            return;
        };
        let mut asked = false;
        for layer in 0..8 {
            if layers & bit(layer) != 0 {
                asked |= peer.ask_key_frame(track, layer, now);
            }
        }
        if asked {
            self.mark(key);
        }
    }

    /// Asks the publisher of `stream` for a key frame of what its receivers wait for.
    fn ask_waiting(&mut self, index: usize, stream: StreamKey, now: Instant) {
        let Some((key, track)) = self.video_track(index, stream) else {
            return;
        };
        let Some(Some(room)) = self.rooms.get(index) else {
            return;
        };
        let receivers = room.router.stream(stream).map(|s| s.receivers(Kind::Video));
        let mut wanted = 0;
        for receiver in receivers.unwrap_or_default() {
            if let Some(Some(peer)) = self.peers.get_mut(receiver.peer)
                && peer.listens(now)
                && let Some(forwarder) = peer.forwarder(receiver.slot, Kind::Video)
                && let Some(layer) = forwarder.awaits()
            {
                wanted |= bit(layer);
            }
        }
        self.ask(key, track, wanted, now);
    }

    /// The publisher of a stream, and the number of its video track.
    fn video_track(&self, index: usize, stream: StreamKey) -> Option<(PeerKey, usize)> {
        let room = self.rooms.get(index)?.as_ref()?;
        let key = room.router.stream(stream)?.publisher?;
        let tracks = &self.peers.get(key)?.as_ref()?.tracks;
        let track = tracks
            .iter()
            .position(|track| track.stream == stream && track.kind == Kind::Video)?;
        Some((key, track))
    }

    fn key_frame_wanted(&mut self, key: PeerKey, request: KeyframeRequest, now: Instant) {
        let Some(Some(peer)) = self.peers.get_mut(key) else {
            return;
        };
        let index = peer.room;
        let Some(slot) = peer.slot_of(request.mid) else {
            return;
        };
        let layer = peer
            .forwarder(slot, Kind::Video)
            .and_then(|forwarder| forwarder.layer());
        let Some(Some(room)) = self.rooms.get(index) else {
            return;
        };
        let Some(stream) = room.router.shown(key, slot) else {
            return;
        };
        match (layer, self.video_track(index, stream)) {
            (Some(layer), Some((publisher, track))) => self.ask(publisher, track, bit(layer), now),
            _ => self.ask_waiting(index, stream, now),
        }
    }

    fn sender_report(&mut self, key: PeerKey, feedback: &SenderFeedback, now: Instant) {
        let Some(Some(peer)) = self.peers.get_mut(key) else {
            return;
        };
        let info = &feedback.sender_info;
        let Some(source) = peer.report(info, now) else {
            return;
        };
        let Some(track) = peer.tracks.get_mut(source.track) else {
            return;
        };
        let origin = (track.stream, track.kind);
        let Some(Some(room)) = self.rooms.get_mut(peer.room) else {
            return;
        };
        if room.taps.is_empty() {
            return;
        }
        #[expect(clippy::cast_possible_truncation, reason = "RTP time is modulo 2^32")]
        let rtp = info.rtp_time.numer() as u32;
        let rtp = track
            .layers
            .get_mut(source.layer)
            .and_then(|layer| layer.extend(rtp));
        if let Some(rtp) = rtp {
            for tap in &mut room.taps {
                tap.report(origin, *info.ssrc, rtp, info.ntp_time, now);
            }
        }
    }

    /// Chooses the layers of a stream's receivers anew.
    fn aim(&mut self, index: usize, stream: StreamKey) {
        let Some((publisher, track)) = self.video_track(index, stream) else {
            return;
        };
        let (Some(Some(room)), Some(Some(publisher))) =
            (self.rooms.get(index), self.peers.get(publisher))
        else {
            return;
        };
        let layers = &publisher.tracks[track].layers;
        let receivers = room.router.stream(stream).map(|s| s.receivers(Kind::Video));
        let chosen: Vec<(Receiver, u8)> = receivers
            .unwrap_or_default()
            .iter()
            .map(|&receiver| (receiver, layers.choose(receiver.wanted.height).unwrap_or(0)))
            .collect();
        for (receiver, layer) in chosen {
            if let Some(peer) = self.peer(receiver.peer)
                && let Some(forwarder) = peer.forwarder(receiver.slot, Kind::Video)
            {
                forwarder.aim(layer, temporal_id(receiver.wanted.frame_rate));
            }
        }
    }
}

fn mark(peers: &mut [Option<Box<Peer>>], dirty: &mut Vec<PeerKey>, key: PeerKey) {
    if let Some(Some(peer)) = peers.get_mut(key)
        && !peer.dirty
    {
        peer.dirty = true;
        dirty.push(key);
    }
}

fn bit(layer: u8) -> u8 {
    1_u8.checked_shl(u32::from(layer)).unwrap_or(0)
}
