//! A worker's sessions, peers and packets. No sockets and no clock: packets, commands and `now` go
//! in, packets ([`SendQueue`]) and events come out.
//!
//! A packet's way: [`Engine::receive`] finds its peer and hands it to the peer's Rtc, which decrypts
//! it; `media.rs` rewrites it for each receiver's Rtc; at the end of the turn [`Engine::drain`] lets
//! each Rtc that was written to encrypt its packets in one go.

mod command;
mod media;

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap, VecDeque},
    net::SocketAddr,
    time::{Duration, Instant},
};

use str0m::{
    Event as RtcEvent, Input, Output,
    net::{Protocol, Receive, Transmit},
};

use super::{
    demux::{Class, Demux},
    peer::{Peer, Setting},
    router::{PeerKey, Router},
    tap::Tap,
    udp::SendQueue,
};
use crate::{
    opentok::SessionId,
    session::{ConnectionId, media::EngineEvent},
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
    pub send_queue: SendQueue,
    pub events: VecDeque<EngineEvent>,
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
            send_queue: SendQueue::new(),
            events: VecDeque::new(),
            counters: Counters::default(),
        }
    }

    /// The addresses of the sockets, by their index.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.setting.addresses
    }

    /// Advertises the address of a new socket to peers that connect from now on. `index` is the socket's: that of a former
    /// socket, or the next one.
    pub fn set_address(&mut self, index: usize, address: SocketAddr) {
        match self.setting.addresses.get_mut(index) {
            Some(former) => *former = address,
            None => self.setting.addresses.push(address),
        }
    }

    /// When [`expire`](Engine::expire) has something to do.
    pub fn next_timeout(&self) -> Instant {
        let first = self.timers.peek().map(|Reverse((at, _))| *at);
        first.map_or(self.next_tick, |at| at.min(self.next_tick))
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
            self.record_activity(key, silent, now);
        }
        if !self.batched {
            self.drain(now, usize::MAX);
        }
    }

    fn record_activity(&mut self, key: PeerKey, was_silent: bool, now: Instant) {
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
            self.events.push_back(EngineEvent::Alive {
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
            self.send_queue
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
            self.events.push_back(EngineEvent::Closed {
                session: room.session.clone(),
                connection: peer.connection,
            });
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
