//! Packets from publishers to receivers, and what the receivers want of the publishers: key frames, and
//! the layers that suit them.

use std::time::Instant;

use str0m::{
    media::{KeyframeRequest, SenderFeedback},
    rtp::RtpPacket,
};

use super::{Engine, mark};
use crate::{
    session::media::MediaKind,
    sfu::{
        forward::Verdict,
        layers::temporal_id,
        router::{PeerKey, Receiver, StreamKey},
        tap::Origin,
    },
};

impl Engine {
    /// Passes a packet on to everyone who wants it.
    pub(super) fn forward(&mut self, key: PeerKey, packet: &RtpPacket, now: Instant) {
        self.counters.media_in += 1;
        let Some(Some(publisher)) = self.peers.get_mut(key) else {
            return;
        };
        let index = publisher.room;
        let Some(source) = publisher.source(packet.header.ssrc) else {
            return;
        };
        let Some((incoming, changed)) = publisher.inspect(source, packet, now) else {
            return;
        };
        let Some(track) = publisher.tracks.get(source.track) else {
            return;
        };
        let (stream, id, kind) = (track.stream, track.id, track.kind);
        if kind == MediaKind::Video {
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

    pub(super) fn ask(&mut self, key: PeerKey, track: usize, layers: u8, now: Instant) {
        let Some(peer) = self.peer(key) else {
            return;
        };
        let mut asked = false;
        for layer in 0..8 {
            if layers & bit(layer) != 0 {
                asked |= peer.request_key_frame(track, layer, now);
            }
        }
        if asked {
            self.mark(key);
        }
    }

    /// Asks the publisher of `stream` for a key frame of what its receivers wait for.
    pub(super) fn ask_waiting(&mut self, index: usize, stream: StreamKey, now: Instant) {
        let Some((key, track)) = self.video_track(index, stream) else {
            return;
        };
        let Some(Some(room)) = self.rooms.get(index) else {
            return;
        };
        let receivers = room
            .router
            .stream(stream)
            .map(|s| s.receivers(MediaKind::Video));
        let mut wanted = 0;
        for receiver in receivers.unwrap_or_default() {
            if let Some(Some(peer)) = self.peers.get_mut(receiver.peer)
                && peer.listens(now)
                && let Some(forwarder) = peer.forwarder(receiver.slot, MediaKind::Video)
                && let Some(layer) = forwarder.awaits()
            {
                wanted |= bit(layer);
            }
        }
        self.ask(key, track, wanted, now);
    }

    /// The publisher of a stream, and the number of its video track.
    pub(super) fn video_track(&self, index: usize, stream: StreamKey) -> Option<(PeerKey, usize)> {
        let room = self.rooms.get(index)?.as_ref()?;
        let key = room.router.stream(stream)?.publisher?;
        let tracks = &self.peers.get(key)?.as_ref()?.tracks;
        let track = tracks
            .iter()
            .position(|track| track.stream == stream && track.kind == MediaKind::Video)?;
        Some((key, track))
    }

    pub(super) fn key_frame_wanted(
        &mut self,
        key: PeerKey,
        request: KeyframeRequest,
        now: Instant,
    ) {
        let Some(Some(peer)) = self.peers.get_mut(key) else {
            return;
        };
        let index = peer.room;
        let Some(slot) = peer.slot_of(request.mid) else {
            return;
        };
        let layer = peer
            .forwarder(slot, MediaKind::Video)
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

    pub(super) fn sender_report(&mut self, key: PeerKey, feedback: &SenderFeedback, now: Instant) {
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
    pub(super) fn aim(&mut self, index: usize, stream: StreamKey) {
        let Some((publisher, track)) = self.video_track(index, stream) else {
            return;
        };
        let (Some(Some(room)), Some(Some(publisher))) =
            (self.rooms.get(index), self.peers.get(publisher))
        else {
            return;
        };
        let layers = &publisher.tracks[track].layers;
        let receivers = room
            .router
            .stream(stream)
            .map(|s| s.receivers(MediaKind::Video));
        let chosen: Vec<(Receiver, u8)> = receivers
            .unwrap_or_default()
            .iter()
            .map(|&receiver| (receiver, layers.choose(receiver.wanted.height).unwrap_or(0)))
            .collect();
        for (receiver, layer) in chosen {
            if let Some(peer) = self.peer(receiver.peer)
                && let Some(forwarder) = peer.forwarder(receiver.slot, MediaKind::Video)
            {
                forwarder.aim(layer, temporal_id(receiver.wanted.frame_rate));
            }
        }
    }
}

fn bit(layer: u8) -> u8 {
    1_u8.checked_shl(u32::from(layer)).unwrap_or(0)
}
