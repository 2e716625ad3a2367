//! A session's packets, copied for a recorder.
//!
//! Each track goes through a [`Forwarder`] of its own, like any receiver's, so the recorder sees one
//! unbroken stream of the highest layer. Payloads are shared, not copied.

use std::{
    sync::mpsc::TrySendError,
    time::{Duration, Instant, SystemTime},
};

use rustc_hash::FxHashMap;
use str0m::rtp::RtpPacket;

use super::{
    forward::{Forwarder, Incoming, Verdict},
    router::StreamKey,
};
use crate::{
    archive::ArchiveId,
    session::{
        StreamId,
        media::{MediaKind, Recorded, RecordedPacket, Scope, Sink},
    },
};

/// A recording can be entered at least this often.
const KEY_FRAMES: Duration = Duration::from_secs(5);
/// A packet that was not repaired within this time is lost.
const LOST: Duration = Duration::from_millis(500);
/// Seconds between 1900 and 1970.
const NTP_EPOCH: u64 = 2_208_988_800;

/// One recording's view of its session.
#[derive(Debug)]
pub struct Tap {
    pub archive: ArchiveId,
    sink: Sink,
    scope: Scope,
    /// What is recorded of the streams that were chosen by hand: sound, picture.
    chosen: FxHashMap<StreamId, (bool, bool)>,
    tracks: FxHashMap<(StreamKey, MediaKind), TapTrack>,
    /// The recorder has hung up.
    pub closed: bool,
}

#[derive(Debug)]
struct TapTrack {
    stream: StreamId,
    kind: MediaKind,
    forwarder: Forwarder,
    /// Packets the full queue did not take, not yet reported.
    dropped: u64,
    /// When a key frame came, or was last asked for.
    key_frame: Option<Instant>,
    next_sequence: Option<u64>,
    /// Holes that may still be filled, and since when there are any.
    missing: u64,
    missing_since: Instant,
}

/// The track a packet belongs to.
#[derive(Clone, Copy, Debug)]
pub struct Origin {
    pub key: StreamKey,
    pub stream: StreamId,
    pub kind: MediaKind,
    /// The track's highest active layer.
    pub best_layer: u8,
}

impl Tap {
    pub fn new(archive: ArchiveId, sink: Sink, scope: Scope) -> Tap {
        Tap {
            archive,
            sink,
            scope,
            chosen: FxHashMap::default(),
            tracks: FxHashMap::default(),
            closed: false,
        }
    }

    /// What of a stream is recorded from now on, when streams are chosen by hand.
    pub fn choose(&mut self, stream: StreamId, audio: bool, video: bool) {
        if audio || video {
            self.chosen.insert(stream, (audio, video));
        } else {
            self.chosen.remove(&stream);
        }
        for kind in [MediaKind::Audio, MediaKind::Video] {
            if !self.takes(stream, kind) {
                // What comes after a pause goes on without a hole.
                let tracks = self.tracks.values_mut();
                tracks
                    .filter(|track| track.stream == stream && track.kind == kind)
                    .for_each(|track| track.forwarder.restart());
            }
        }
    }

    fn takes(&self, stream: StreamId, kind: MediaKind) -> bool {
        let (audio, video) = match self.scope.by_hand {
            true => self.chosen.get(&stream).copied().unwrap_or_default(),
            false => (true, true),
        };
        match kind {
            MediaKind::Audio => audio && self.scope.audio,
            MediaKind::Video => video && self.scope.video,
        }
    }

    /// Copies a packet. Gives the layer that shall be asked for a key frame, if any.
    pub fn packet(
        &mut self,
        origin: Origin,
        incoming: &Incoming,
        packet: &RtpPacket,
        now: Instant,
    ) -> Option<u8> {
        if !self.takes(origin.stream, origin.kind) {
            return None;
        }
        let track = self
            .tracks
            .entry((origin.key, origin.kind))
            .or_insert_with(|| TapTrack::new(origin, now));
        track.forwarder.aim(origin.best_layer, u8::MAX);
        let (outgoing, mut ask) = match track.forwarder.forward(incoming) {
            Verdict::Send(outgoing) => (outgoing, None),
            Verdict::SendAndWait(outgoing, layer) => (outgoing, Some(layer)),
            Verdict::Skip => return None,
            Verdict::Wait { layer } => return Some(layer),
        };
        if track.wants_key_frame(incoming, outgoing.sequence, now) {
            ask = Some(incoming.layer);
        }
        let recorded = Recorded::Packet(RecordedPacket {
            stream: track.stream,
            kind: track.kind,
            sequence: outgoing.sequence,
            timestamp: outgoing.time,
            marker: packet.header.marker,
            arrival: now,
            payload: packet.payload.clone(),
        });
        if track.report_dropped(&self.sink) {
            match self.sink.try_send(recorded) {
                Ok(()) => return ask,
                Err(TrySendError::Full(_)) => {}
                Err(TrySendError::Disconnected(_)) => self.closed = true,
            }
        }
        track.dropped += 1;
        ask
    }

    /// Copies a sender report, on the clock of the recorded packets.
    pub fn report(
        &mut self,
        origin: (StreamKey, MediaKind),
        ssrc: u32,
        rtp: u64,
        ntp: SystemTime,
        now: Instant,
    ) {
        let stream = self.tracks.get(&origin).map(|track| track.stream);
        if !stream.is_some_and(|stream| self.takes(stream, origin.1)) {
            return;
        }
        let Some(track) = self.tracks.get_mut(&origin) else {
            return;
        };
        let Some(rtp) = track.forwarder.translate(ssrc, rtp) else {
            return;
        };
        let since_1970 = ntp
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        let fraction = (u64::from(since_1970.subsec_nanos()) << 32) / 1_000_000_000;
        let seconds = since_1970.as_secs().wrapping_add(NTP_EPOCH);
        // A report that finds the queue full is replaced by the next one.
        let _ = self.sink.try_send(Recorded::SenderReport {
            stream: track.stream,
            kind: track.kind,
            ntp: seconds << 32 | fraction,
            rtp,
            arrival: now,
        });
    }

    /// The track falls silent for a while; what comes then goes on without a hole.
    pub fn pause(&mut self, key: StreamKey, kind: MediaKind) {
        if let Some(track) = self.tracks.get_mut(&(key, kind)) {
            track.forwarder.restart();
        }
    }

    /// Forgets a stream.
    pub fn remove(&mut self, key: StreamKey) {
        for kind in [MediaKind::Audio, MediaKind::Video] {
            if let Some(mut track) = self.tracks.remove(&(key, kind)) {
                track.report_dropped(&self.sink);
            }
        }
    }

    /// Reports what was dropped, as far as there is room.
    pub fn report_dropped(&mut self) {
        for track in self.tracks.values_mut() {
            track.report_dropped(&self.sink);
        }
    }
}

impl TapTrack {
    fn new(origin: Origin, now: Instant) -> TapTrack {
        let clock_rate = match origin.kind {
            MediaKind::Audio => 48_000,
            MediaKind::Video => 90_000,
        };
        TapTrack {
            stream: origin.stream,
            kind: origin.kind,
            forwarder: Forwarder::new(clock_rate, 0),
            dropped: 0,
            key_frame: None,
            next_sequence: None,
            missing: 0,
            missing_since: now,
        }
    }

    /// False while there is something to report and no room for it.
    fn report_dropped(&mut self, sink: &Sink) -> bool {
        if self.dropped == 0 {
            return true;
        }
        let reported = sink
            .try_send(Recorded::Dropped {
                stream: self.stream,
                kind: self.kind,
                packets: self.dropped,
            })
            .is_ok();
        if reported {
            self.dropped = 0;
            // The picture is broken until the next key frame.
            self.key_frame = None;
        }
        reported
    }

    fn wants_key_frame(&mut self, incoming: &Incoming, sequence: u64, now: Instant) -> bool {
        let Some(vp8) = &incoming.vp8 else {
            return false;
        };
        let next = self.next_sequence.unwrap_or(sequence);
        if sequence >= next {
            if sequence > next && self.missing == 0 {
                self.missing_since = now;
            }
            self.missing += sequence - next;
            self.next_sequence = Some(sequence + 1);
        } else {
            self.missing = self.missing.saturating_sub(1);
        }
        if vp8.starts_key_frame {
            self.key_frame = Some(now);
            self.missing = 0;
        }
        let since = |then: Instant| now.saturating_duration_since(then);
        let lost = self.missing > 0 && since(self.missing_since) > LOST;
        let due = self.key_frame.is_none_or(|then| since(then) >= KEY_FRAMES);
        if lost || due {
            self.missing = 0;
            self.key_frame = Some(now);
        }
        lost || due
    }
}
