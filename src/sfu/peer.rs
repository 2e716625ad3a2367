//! One client's peer connection: its Rtc, the tracks it publishes, the slots it receives on.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::{Duration, Instant},
};

use std::net::SocketAddr;

use rustc_hash::FxHashMap;
use str0m::{
    Candidate, Input, Output, Rtc, RtcConfig,
    change::SdpOffer,
    config::{CryptoProvider, DtlsCert},
    format::Codec,
    media::{KeyframeRequestKind, MediaKind as RtcMediaKind, Mid, Pt, Rids},
    rtp::{ExtensionValues, RtpPacket, RtpWrite, Ssrc},
};

use super::{
    forward::{Forwarder, Incoming, Outgoing},
    layers::{Layer, Layers},
    ntp_clock::Offset,
    router::StreamKey,
    sdp,
    vp8::Vp8,
};
use crate::session::{
    ConnectionId, StreamId,
    media::{self, MediaKind},
};

/// Video packets kept for retransmission, per slot: half a second at 4 Mbit/s, more at less.
const KEPT_PACKETS: usize = 512;
/// Nothing is sent to a peer that has been silent for so long.
const SILENT: Duration = Duration::from_secs(6);

/// What all peers of a worker have in common.
#[derive(Debug)]
pub struct Setting {
    pub crypto: Arc<CryptoProvider>,
    pub certificate: DtlsCert,
    /// Those of the worker's sockets.
    pub addresses: Vec<SocketAddr>,
    /// Advertised in addition.
    pub public: Vec<SocketAddr>,
}

/// The Rtc is beyond use: it panicked, or failed for good.
#[derive(Debug)]
pub struct Broken;

pub struct Peer {
    pub connection: ConnectionId,
    /// The session's place in the worker.
    pub room: usize,
    pub tracks: Vec<Track>,
    slots: Vec<Option<Slot>>,
    /// Where the loop's timer stands for this peer, and where it should.
    pub scheduled: Option<Instant>,
    pub timeout: Instant,
    /// Has been written to in this turn.
    pub dirty: bool,
    /// DTLS is done: packets sent now arrive.
    pub connected: bool,
    /// The end of this peer connection has been reported.
    pub closed: bool,
    pub heard: Option<Instant>,
    pub reported_alive: Option<Instant>,
    /// The local ICE user fragment that the worker expects packets for.
    pub ufrag: String,
    rtc: Rtc,
    fingerprint: Option<String>,
    sources: FxHashMap<u32, Source>,
    offset: Offset,
}

/// A track the client publishes.
#[derive(Debug)]
pub struct Track {
    pub mid: Mid,
    pub stream: StreamKey,
    pub id: StreamId,
    pub kind: MediaKind,
    pub layers: Layers,
}

/// Which track, and which layer of it, an SSRC carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    pub track: usize,
    pub layer: u8,
}

/// A pair of m-lines the client receives on.
#[derive(Debug)]
struct Slot {
    audio: Lane,
    video: Lane,
}

/// One m-line of a slot.
#[derive(Debug)]
struct Lane {
    mid: Mid,
    /// `None` while the m-line is not negotiated.
    sending: Option<(Ssrc, Pt)>,
    forwarder: Forwarder,
}

impl Lane {
    fn new(clock_rate: u32) -> Lane {
        Lane {
            mid: Mid::from(""),
            sending: None,
            forwarder: Forwarder::new(clock_rate, random_start()),
        }
    }
}

/// RTP asks for unpredictable first numbers (RFC 3550 §5.1).
fn random_start() -> u16 {
    let mut bytes = [0; 2];
    aws_lc_rs::rand::fill(&mut bytes).expect("the system has random bytes");
    u16::from_le_bytes(bytes) & 0x7fff
}

fn clock_rate(kind: MediaKind) -> u32 {
    match kind {
        MediaKind::Audio => 48_000,
        MediaKind::Video => 90_000,
    }
}

impl Peer {
    pub fn new(setting: &Setting, connection: ConnectionId, room: usize, now: Instant) -> Peer {
        Peer {
            connection,
            room,
            tracks: Vec::new(),
            slots: Vec::new(),
            scheduled: None,
            timeout: now,
            dirty: false,
            connected: false,
            closed: false,
            heard: None,
            reported_alive: None,
            ufrag: String::new(),
            rtc: rtc(setting, now),
            fingerprint: None,
            sources: FxHashMap::default(),
            offset: Offset::new(now),
        }
    }

    /// Takes in the client's offer and gives the answer. A client that brings another certificate
    /// has made its peer connection anew; so does the engine.
    ///
    /// # Errors
    /// A sentence for the client's developer.
    pub fn answer(
        &mut self,
        setting: &Setting,
        offer: &media::Offer,
        now: Instant,
    ) -> Result<String, String> {
        sdp::check(offer)?;
        let fingerprint = sdp::fingerprint(&offer.sdp).map(str::to_owned);
        let renewed = self.fingerprint.is_some() && self.fingerprint != fingerprint;
        if renewed || !self.rtc.is_alive() {
            self.renew(setting, now);
        }
        let parsed = SdpOffer::from_sdp_string(&sdp::without_feedback_on_slots(&offer.sdp))
            .map_err(|error| format!("the SDP cannot be parsed: {error}"))?;
        let answer = self
            .guarded(|rtc| rtc.sdp_api().accept_offer(parsed))
            .map_err(|Broken| "the offer cannot be processed".to_owned())?
            .map_err(|error| format!("the offer cannot be answered: {error}"))?;
        self.fingerprint = fingerprint;
        Ok(sdp::finish(
            &answer.to_sdp_string(),
            &offer.slots,
            &setting.public,
        ))
    }

    fn renew(&mut self, setting: &Setting, now: Instant) {
        self.rtc = rtc(setting, now);
        (self.connected, self.closed) = (false, false);
        self.sources.clear();
        for track in &mut self.tracks {
            track.layers = Layers::default();
        }
        for slot in self.slots.iter_mut().flatten() {
            *slot = Slot {
                audio: Lane::new(clock_rate(MediaKind::Audio)),
                video: Lane::new(clock_rate(MediaKind::Video)),
            };
        }
    }

    /// The local user fragment in force; changes with an ICE restart.
    pub fn local_ufrag(&mut self) -> String {
        self.rtc.direct_api().local_ice_credentials().ufrag
    }

    /// Notes which m-line carries which track.
    pub fn set_track(&mut self, mid: &str, stream: StreamKey, id: StreamId, kind: MediaKind) {
        let mid = Mid::from(mid);
        self.tracks
            .retain(|track| track.mid == mid || (track.id, track.kind) != (id, kind));
        match self.tracks.iter_mut().find(|track| track.mid == mid) {
            Some(track) if track.id == id && track.kind == kind => return,
            Some(track) => {
                *track = Track {
                    mid,
                    stream,
                    id,
                    kind,
                    layers: Layers::default(),
                };
            }
            None => self.tracks.push(Track {
                mid,
                stream,
                id,
                kind,
                layers: Layers::default(),
            }),
        }
        self.sources.clear();
    }

    /// Forgets the tracks of a stream.
    pub fn remove_stream(&mut self, stream: StreamKey) {
        self.tracks.retain(|track| track.stream != stream);
        self.sources.clear();
    }

    /// Forgets tracks whose m-line is gone.
    pub fn remove_stopped_tracks(&mut self) {
        let rtc = &self.rtc;
        self.tracks
            .retain(|track| rtc.media(track.mid).is_some_and(|media| !media.disabled()));
        self.sources.clear();
    }

    /// Notes which m-lines form a slot.
    pub fn set_slot(&mut self, slot: &media::Slot) {
        let index = usize::from(slot.slot);
        if self.slots.len() <= index {
            self.slots.resize_with(index + 1, || None);
        }
        let entry = self.slots[index].get_or_insert_with(|| Slot {
            audio: Lane::new(clock_rate(MediaKind::Audio)),
            video: Lane::new(clock_rate(MediaKind::Video)),
        });
        for (lane, mid, kind) in [
            (&mut entry.audio, &slot.audio_mid, RtcMediaKind::Audio),
            (&mut entry.video, &slot.video_mid, RtcMediaKind::Video),
        ] {
            lane.mid = Mid::from(&**mid);
            let before = lane.sending.map(|(ssrc, _)| ssrc);
            lane.sending = sending(&mut self.rtc, lane.mid, kind);
            let after = lane.sending.map(|(ssrc, _)| ssrc);
            if before.is_some() && before != after {
                // Another m-line has an SSRC and numbers of its own.
                let rate = lane.forwarder.clock_rate();
                lane.forwarder = Forwarder::new(rate, random_start());
            }
        }
    }

    fn lane(&mut self, slot: u16, kind: MediaKind) -> Option<&mut Lane> {
        let slot = self.slots.get_mut(usize::from(slot))?.as_mut()?;
        Some(match kind {
            MediaKind::Audio => &mut slot.audio,
            MediaKind::Video => &mut slot.video,
        })
    }

    pub fn forwarder(&mut self, slot: u16, kind: MediaKind) -> Option<&mut Forwarder> {
        Some(&mut self.lane(slot, kind)?.forwarder)
    }

    /// The next packet of every slot begins anew.
    pub fn restart_slots(&mut self) {
        for slot in self.slots.iter_mut().flatten() {
            slot.audio.forwarder.restart();
            slot.video.forwarder.restart();
        }
    }

    /// The slot that `mid` belongs to.
    pub fn slot_of(&self, mid: Mid) -> Option<u16> {
        let index = self.slots.iter().position(|slot| {
            slot.as_ref()
                .is_some_and(|slot| slot.audio.mid == mid || slot.video.mid == mid)
        })?;
        u16::try_from(index).ok()
    }

    /// Whether packets for this peer would arrive.
    pub fn listens(&self, now: Instant) -> bool {
        let since = |heard| now.saturating_duration_since(heard);
        self.connected && self.heard.is_some_and(|heard| since(heard) < SILENT)
    }

    /// Passes a packet on to the client, in the slot's numbers.
    pub fn write(
        &mut self,
        slot: u16,
        kind: MediaKind,
        outgoing: Outgoing,
        incoming: &Incoming,
        packet: &RtpPacket,
    ) {
        let Some((ssrc, pt)) = self.lane(slot, kind).and_then(|lane| lane.sending) else {
            return;
        };
        let mut direct = self.rtc.direct_api();
        let Some(stream) = direct.stream_tx(&ssrc) else {
            return;
        };
        #[expect(clippy::cast_possible_truncation, reason = "RTP time is modulo 2^32")]
        let time = outgoing.time as u32;
        let sequence = outgoing.sequence.into();
        let payload = packet.payload.clone();
        let write = RtpWrite::new(pt, sequence, time, incoming.wallclock, payload)
            .marker(packet.header.marker);
        let Some(vp8) = &incoming.vp8 else {
            stream.write_rtp(write.ext_vals(ExtensionValues {
                audio_level: packet.header.ext_vals.audio_level,
                voice_activity: packet.header.ext_vals.voice_activity,
                ..ExtensionValues::default()
            }));
            return;
        };
        let mut write = write.nackable(true);
        if let Some(descriptor) = &vp8.descriptor {
            let mut patch = descriptor.patch();
            if let Some(id) = outgoing.picture_id {
                patch = patch.picture_id(id);
            }
            if let Some(index) = outgoing.tl0_picture_index {
                patch = patch.tl0_pic_idx(index);
            }
            if let Ok(patch) = patch.build() {
                write = write.vp8_patch(patch);
            }
        }
        stream.write_rtp(write);
    }

    /// Which track and layer a packet's SSRC carries; `None` for those of no published track.
    pub fn source(&mut self, ssrc: Ssrc) -> Option<Source> {
        if let Some(&source) = self.sources.get(&ssrc) {
            return Some(source);
        }
        // Packets name their m-line and layer at first only, and the Rtc remembers.
        let (mid, rid) = {
            let mut direct = self.rtc.direct_api();
            let stream = direct.stream_rx(&ssrc)?;
            (stream.mid(), stream.rid())
        };
        let track = self.tracks.iter().position(|track| track.mid == mid)?;
        let layer = match (rid, self.rtc.media(mid)?.rids_rx()) {
            (Some(rid), Rids::Specific(rids)) => {
                let layer = rids.iter().position(|&known| known == rid)?;
                u8::try_from(layer)
                    .ok()
                    .filter(|&n| usize::from(n) < sdp::MAX_LAYERS)?
            }
            _ => 0,
        };
        let source = Source { track, layer };
        let track = self.tracks.get_mut(track)?;
        let known = track
            .layers
            .get_mut(layer)
            .is_some_and(|known| known.ssrc == *ssrc);
        if !known {
            let new = Layer::new(*ssrc, clock_rate(track.kind));
            track.layers.insert(layer, new);
        }
        self.sources.insert(*ssrc, source);
        Some(source)
    }

    /// Looks at a packet once for all its receivers. The second value: the track's layers changed.
    pub fn inspect(
        &mut self,
        source: Source,
        packet: &RtpPacket,
        now: Instant,
    ) -> Option<(Incoming, bool)> {
        let track = self.tracks.get_mut(source.track)?;
        let layer = track.layers.get_mut(source.layer)?;
        let vp8 = match track.kind {
            MediaKind::Audio => None,
            MediaKind::Video => Some(Vp8::parse(&packet.payload)?),
        };
        let (sequence, time) = (*packet.seq_no, packet.time.numer());
        let (newest, mut changed) = layer.record(now, (sequence, time), vp8.as_ref());
        let wallclock = layer.clock.wallclock(&mut self.offset, time, now);
        if newest && packet.header.marker && track.kind == MediaKind::Video {
            changed |= track.layers.frame(source.layer);
        }
        let incoming = Incoming {
            ssrc: *packet.header.ssrc,
            layer: source.layer,
            sequence,
            time,
            newest,
            wallclock,
            vp8,
        };
        Some((incoming, changed))
    }

    /// Takes in a sender report.
    pub fn report(&mut self, info: &str0m::rtp::rtcp::SenderInfo, now: Instant) -> Option<Source> {
        let source = self.source(info.ssrc)?;
        let layer = self
            .tracks
            .get_mut(source.track)?
            .layers
            .get_mut(source.layer)?;
        #[expect(clippy::cast_possible_truncation, reason = "RTP time is modulo 2^32")]
        let rtp = info.rtp_time.numer() as u32;
        layer
            .clock
            .report(&mut self.offset, rtp, info.ntp_time, now);
        Some(source)
    }

    /// Asks the client for a key frame, unless it was asked just now. True if something is to be sent.
    pub fn request_key_frame(&mut self, track: usize, layer: u8, now: Instant) -> bool {
        let Some(layer) = self
            .tracks
            .get_mut(track)
            .and_then(|track| track.layers.get_mut(layer))
        else {
            return false;
        };
        if !layer.key_frames.ask(now) {
            return false;
        }
        let ssrc = Ssrc::from(layer.ssrc);
        let mut direct = self.rtc.direct_api();
        let Some(stream) = direct.stream_rx(&ssrc) else {
            return false;
        };
        stream.request_keyframe(KeyframeRequestKind::Pli);
        true
    }

    /// Hands a packet or the time to the Rtc.
    pub fn input(&mut self, input: Input<'_>) -> Result<(), Broken> {
        match self.guarded(|rtc| rtc.handle_input(input))? {
            Ok(()) => Ok(()),
            // A packet that makes no sense must not end a call.
            Err(error) if self.rtc.is_alive() => {
                tracing::debug!("A peer refuses a packet: {error}");
                Ok(())
            }
            Err(_) => Err(Broken),
        }
    }

    /// The Rtc's next output.
    pub fn poll(&mut self) -> Result<Output, Broken> {
        self.guarded(Rtc::poll_output)?.map_err(|error| {
            tracing::debug!("A peer fails: {error}");
            Broken
        })
    }

    /// Nothing comes out of this Rtc any more, until the client offers anew.
    pub fn give_up(&mut self) {
        self.rtc.disconnect();
    }

    /// Tells the client that this is the end.
    pub fn close(&mut self) -> Result<(), Broken> {
        self.guarded(Rtc::close)?.map_err(|_| Broken)
    }

    /// After a panic the Rtc may be in any state; it is never touched again.
    fn guarded<T>(&mut self, work: impl FnOnce(&mut Rtc) -> T) -> Result<T, Broken> {
        let rtc = &mut self.rtc;
        let result = catch_unwind(AssertUnwindSafe(|| work(&mut *rtc)));
        result.map_err(|_| {
            rtc.disconnect();
            tracing::error!("A peer connection panicked and is closed");
            Broken
        })
    }
}

fn rtc(setting: &Setting, now: Instant) -> Rtc {
    let mut rtc = RtcConfig::new()
        .set_crypto_provider(setting.crypto.clone())
        .set_dtls_cert(setting.certificate.clone())
        .clear_codecs()
        .enable_opus(true, false)
        .enable_vp8(true)
        .set_extension_map(sdp::extensions())
        .set_rtp_mode(true)
        .set_ice_lite(true)
        .set_send_buffer_video(KEPT_PACKETS)
        .build(now);
    for &address in &setting.addresses {
        if let Ok(candidate) = Candidate::host(address, "udp") {
            rtc.add_local_candidate(candidate);
        }
    }
    rtc
}

/// What an m-line is sent with: the payload type is the client's choice.
fn sending(rtc: &mut Rtc, mid: Mid, kind: RtcMediaKind) -> Option<(Ssrc, Pt)> {
    let codec = match kind {
        RtcMediaKind::Audio => Codec::Opus,
        RtcMediaKind::Video => Codec::Vp8,
    };
    let media = rtc.media(mid)?;
    if media.kind() != kind || media.disabled() || !media.direction().is_sending() {
        return None;
    }
    let payloads = media.remote_pts();
    let pt = rtc
        .codec_config()
        .params()
        .iter()
        .find(|params| params.spec().codec == codec && payloads.contains(&params.pt()))?
        .pt();
    let ssrc = rtc.direct_api().stream_tx_by_mid(mid, None)?.ssrc();
    Some((ssrc, pt))
}
