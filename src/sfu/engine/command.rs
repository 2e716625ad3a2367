//! What a session asks for: offers, subscriptions, muting, recording.

use std::{collections::HashMap, time::Instant};

use super::{Engine, Room};
use crate::{
    opentok::SessionId,
    session::{
        ConnectionId, StreamId,
        media::{EngineCommand, EngineEvent, MediaKind, Offer, SubscriptionSettings},
    },
    sfu::{
        peer::Peer,
        router::{PeerKey, Receiver, Router, StreamKey},
        sdp::MAX_SLOTS,
        tap::Tap,
    },
};

impl Engine {
    /// Carries out a command.
    pub fn command(&mut self, session: &SessionId, command: EngineCommand, now: Instant) {
        let room = match self.by_session.get(session) {
            Some(&room) => room,
            None => self.open(session),
        };
        match command {
            EngineCommand::Offer {
                connection,
                request,
                offer,
            } => self.offer(room, connection, request, &offer, now),
            EngineCommand::Subscribe {
                connection,
                slot,
                stream,
                wanted,
            } => self.subscribe(room, connection, slot, stream, wanted, now),
            EngineCommand::Unsubscribe { connection, slot } => {
                if let Some((room, key)) = self.member(room, connection) {
                    room.router.unsubscribe(key, slot);
                    self.restart(key, slot);
                }
            }
            EngineCommand::SetStream {
                stream,
                audio,
                video,
            } => self.set_stream(room, stream, audio, video),
            EngineCommand::Unpublish { stream } => self.unpublish(room, stream),
            EngineCommand::Close { connection } => self.close(room, connection, now),
            EngineCommand::Record {
                archive,
                sink,
                scope,
            } => self.record(room, Tap::new(archive, sink, scope), now),
            EngineCommand::Choose {
                archive,
                stream,
                audio,
                video,
            } => {
                let taps = self.room(room).map(|room| room.taps.iter_mut());
                if let Some(tap) = taps
                    .into_iter()
                    .flatten()
                    .find(|tap| tap.archive == archive)
                {
                    tap.choose(stream, audio, video);
                }
                self.vacate(room);
            }
            EngineCommand::StopRecording { archive } => {
                if let Some(room) = self.room(room) {
                    room.taps.iter_mut().for_each(Tap::report_dropped);
                    room.taps.retain(|tap| tap.archive != archive);
                }
                self.vacate(room);
            }
        }
    }

    pub(super) fn open(&mut self, session: &SessionId) -> usize {
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
    pub(super) fn vacate(&mut self, index: usize) {
        let empty = |room: &&mut Room| room.connections.is_empty() && room.taps.is_empty();
        if let Some(room) = self.room(index).filter(empty) {
            let session = room.session.clone();
            self.by_session.remove(&session);
            self.rooms[index] = None;
        }
    }

    pub(super) fn offer(
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
            self.apply_track_info(room, key, offer, now);
        }
        let Some(session) = self.room(room).map(|room| room.session.clone()) else {
            return;
        };
        let generation = offer.generation;
        self.events.push_back(match answer {
            Ok(sdp) => EngineEvent::Answered {
                session,
                connection,
                request,
                generation,
                sdp,
            },
            Err(message) => EngineEvent::Refused {
                session,
                connection,
                request,
                generation,
                message,
            },
        });
        self.drive(key, now);
    }

    pub(super) fn apply_track_info(
        &mut self,
        room: usize,
        key: PeerKey,
        offer: &Offer,
        now: Instant,
    ) {
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

    pub(super) fn subscribe(
        &mut self,
        room: usize,
        connection: ConnectionId,
        slot: u16,
        stream: StreamId,
        wanted: SubscriptionSettings,
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
        for kind in [MediaKind::Audio, MediaKind::Video] {
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
    pub(super) fn restart(&mut self, key: PeerKey, slot: u16) {
        if let Some(peer) = self.peer(key) {
            for kind in [MediaKind::Audio, MediaKind::Video] {
                if let Some(forwarder) = peer.forwarder(slot, kind) {
                    forwarder.restart();
                }
            }
        }
    }

    pub(super) fn set_stream(&mut self, room: usize, id: StreamId, audio: bool, video: bool) {
        let Some(Some(room)) = self.rooms.get_mut(room) else {
            return;
        };
        let stream = room.router.set_stream(id, audio, video);
        // Numbers go on where they stopped, so that silence is not taken for loss.
        for (kind, on) in [(MediaKind::Audio, audio), (MediaKind::Video, video)] {
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

    pub(super) fn unpublish(&mut self, room: usize, id: StreamId) {
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

    pub(super) fn close(&mut self, index: usize, connection: ConnectionId, now: Instant) {
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

    pub(super) fn remove(&mut self, index: usize, connection: ConnectionId, key: PeerKey) {
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

    pub(super) fn record(&mut self, index: usize, tap: Tap, now: Instant) {
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
                let video = peer.tracks[track].kind == MediaKind::Video;
                if video && let Some(best) = peer.tracks[track].layers.choose(None) {
                    asked |= peer.request_key_frame(track, best, now);
                }
            }
            if asked {
                self.mark(key);
            }
        }
    }
}
