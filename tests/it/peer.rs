//! A WebRTC client without a browser: str0m over a UDP socket of its own, with synthetic media.
//!
//! A client is driven by [`run`] (many of them in one thread) and speaks to whoever answers its
//! offers: the engine itself, or a server over its signaling. Packets carry the time they were sent
//! at, so whoever receives them can measure.

// Each test binary uses a part of it.
#![allow(
    dead_code,
    reason = "shared by the integration tests and the benchmark"
)]

use std::{
    collections::HashMap,
    io,
    net::{SocketAddr, UdpSocket},
    os::fd::AsFd,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use parlor::session::{
    StreamId,
    media::{MediaKind, Offer, PublishedTrack, Slot},
};
use str0m::{
    Candidate, Event, Input, Output, Rtc, RtcConfig,
    change::{SdpAnswer, SdpPendingOffer},
    config::DtlsCert,
    format::Codec,
    media::{
        Direction, KeyframeRequestKind, MediaKind as RtcMediaKind, Mid, Rid, Simulcast,
        SimulcastLayer,
    },
    net::{Protocol, Receive},
    rtp::{ExtensionValues, RtpPacket, RtpWrite},
};

/// Bytes of the VP8 payload descriptor (RFC 7741 §4.2) as it is sent here.
const VP8_DESCRIPTOR: usize = 6;
/// Payload bytes before the time stamp: VP8 descriptor and frame header.
const VP8_HEADER: usize = 16;
/// Bytes of the time stamp.
const STAMP: usize = 8;

/// Nanoseconds since the first call in this process.
pub fn nanos() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    let since = START.get_or_init(Instant::now).elapsed();
    u64::try_from(since.as_nanos()).unwrap()
}

/// A packet that arrived.
#[derive(Clone, Debug)]
pub struct Arrival {
    pub slot: u16,
    pub kind: MediaKind,
    /// Extended.
    pub sequence: u64,
    pub time: u64,
    pub marker: bool,
    pub payload: Arc<[u8]>,
    /// When it was sent, in [`nanos`], and how long ago that was on arrival.
    pub sent: u64,
    pub delay: Duration,
}

impl Arrival {
    /// VP8: the 15 bit picture id.
    pub fn picture_id(&self) -> u16 {
        u16::from_be_bytes([self.payload[2], self.payload[3]]) & 0x7fff
    }

    /// VP8: the first packet of a key frame.
    pub fn starts_key_frame(&self) -> bool {
        self.kind == MediaKind::Video && self.payload[0] & 0x10 != 0 && self.payload[6] & 1 == 0
    }
}

/// One encoding being sent.
struct Sending {
    mid: Mid,
    rid: Option<Rid>,
    kind: MediaKind,
    sequence: u64,
    time: u32,
    picture: u16,
    tl0: u8,
    key_wanted: bool,
}

pub struct Client {
    pub rtc: Rtc,
    socket: UdpSocket,
    address: SocketAddr,
    timeout: Instant,
    pending: Option<SdpPendingOffer>,
    generation: u32,
    tracks: Vec<PublishedTrack>,
    slots: Vec<Slot>,
    sending: Vec<Sending>,
    by_mid: HashMap<Mid, (u16, MediaKind)>,
    pub connected: bool,
    /// The other side said goodbye.
    pub closed: bool,
    /// Answers nothing and sends nothing: its machine is gone.
    pub vanished: bool,
    pub arrivals: Vec<Arrival>,
    /// Key frames asked for, per stream's layer, in order.
    pub key_frames_asked: Vec<Option<String>>,
    /// Counts media packets without decrypting them, so that many clients fit on one core.
    pub only_count: bool,
    pub counted: u64,
}

impl Client {
    /// A client on a port of its own on 127.0.0.1.
    pub fn new() -> Client {
        Client::with_certificate(certificate())
    }

    /// Certificates take time to make, and many clients may share one.
    pub fn with_certificate(certificate: DtlsCert) -> Client {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_nonblocking(true).unwrap();
        let _ = nix::sys::socket::setsockopt(
            &socket,
            nix::sys::socket::sockopt::RcvBufForce,
            &(4 << 20),
        );
        let address = socket.local_addr().unwrap();
        let now = Instant::now();
        nanos();
        let mut rtc = RtcConfig::new()
            .set_crypto_provider(Arc::new(str0m::crypto::from_feature_flags()))
            .set_dtls_cert(certificate)
            .clear_codecs()
            .enable_opus(true, false)
            .enable_vp8(true)
            .set_rtp_mode(true)
            .build(now);
        rtc.add_local_candidate(Candidate::host(address, "udp").unwrap());
        Client {
            rtc,
            socket,
            address,
            timeout: now,
            pending: None,
            generation: 0,
            tracks: Vec::new(),
            slots: Vec::new(),
            sending: Vec::new(),
            by_mid: HashMap::new(),
            connected: false,
            closed: false,
            vanished: false,
            arrivals: Vec::new(),
            key_frames_asked: Vec::new(),
            only_count: false,
            counted: 0,
        }
    }

    /// Offers to publish `streams` (audio and video; with `layers`, simulcast) and `slots` more
    /// slots to receive on.
    pub fn offer(&mut self, streams: &[StreamId], layers: &[&str], slots: u16) -> Offer {
        let mut changes = self.rtc.sdp_api();
        let mut sending = Vec::new();
        for &stream in streams {
            for kind in [MediaKind::Audio, MediaKind::Video] {
                let simulcast =
                    (kind == MediaKind::Video && !layers.is_empty()).then(|| Simulcast {
                        send: layers.iter().map(|rid| SimulcastLayer::new(rid)).collect(),
                        recv: Vec::new(),
                    });
                let rids: Vec<Option<Rid>> = match &simulcast {
                    Some(_) => layers.iter().map(|&rid| Some(Rid::from(rid))).collect(),
                    None => vec![None],
                };
                let mid = changes.add_media(
                    media_kind(kind),
                    Direction::SendOnly,
                    Some(stream.to_string()),
                    None,
                    simulcast,
                );
                self.tracks.push(PublishedTrack {
                    mid: mid.to_string(),
                    stream_id: stream,
                    kind,
                });
                sending.extend(rids.into_iter().map(|rid| Sending {
                    mid,
                    rid,
                    kind,
                    // High, as those of a call that has lasted for a while.
                    sequence: 40_000,
                    time: 4_294_000_000,
                    picture: 32_700,
                    tl0: 200,
                    key_wanted: true,
                }));
            }
        }
        for _ in 0..slots {
            let slot = u16::try_from(self.slots.len()).unwrap();
            let [audio, video] = [MediaKind::Audio, MediaKind::Video].map(|kind| {
                let mid =
                    changes.add_media(media_kind(kind), Direction::RecvOnly, None, None, None);
                self.by_mid.insert(mid, (slot, kind));
                mid.to_string()
            });
            self.slots.push(Slot {
                slot,
                audio_mid: audio,
                video_mid: video,
            });
        }
        let (offer, pending) = changes.apply().expect("something changes");
        self.sending.extend(sending);
        self.hand_out(offer.to_sdp_string(), pending)
    }

    /// Offers the same again with new ICE credentials.
    pub fn offer_restart(&mut self) -> Offer {
        let mut changes = self.rtc.sdp_api();
        changes.ice_restart(true);
        let (offer, pending) = changes.apply().expect("a restart is a change");
        self.hand_out(offer.to_sdp_string(), pending)
    }

    fn hand_out(&mut self, sdp: String, pending: SdpPendingOffer) -> Offer {
        self.pending = Some(pending);
        self.generation += 1;
        Offer {
            generation: self.generation,
            sdp,
            tracks: self.tracks.clone(),
            slots: self.slots.clone(),
        }
    }

    /// Takes in the answer to the last offer.
    pub fn accept(&mut self, sdp: &str) {
        let answer = SdpAnswer::from_sdp_string(sdp).expect("the answer is SDP");
        let pending = self.pending.take().expect("an offer is pending");
        self.rtc.sdp_api().accept_answer(pending, answer).unwrap();
        self.poll();
    }

    /// To wait for packets.
    pub fn socket(&self) -> &UdpSocket {
        &self.socket
    }

    /// Moves to another port, as a phone does that leaves its network.
    pub fn roam(&mut self) {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_nonblocking(true).unwrap();
        let old = std::mem::replace(&mut self.address, socket.local_addr().unwrap());
        self.socket = socket;
        let old = Candidate::host(old, "udp").unwrap();
        self.rtc.direct_api().invalidate_candidate(&old);
        let new = Candidate::host(self.address, "udp").unwrap();
        self.rtc.add_local_candidate(new);
        self.poll();
    }

    /// Sends one video frame of `packets` packets of `size` bytes on `layer` of every published
    /// stream. A key frame when one is wanted.
    pub fn send_frame(&mut self, layer: Option<&str>, temporal_id: u8, packets: u8, size: usize) {
        let now = Instant::now();
        let layer = layer.map(Rid::from);
        for index in 0..self.sending.len() {
            let sending = &mut self.sending[index];
            if sending.kind != MediaKind::Video || sending.rid != layer {
                continue;
            }
            let key = temporal_id == 0 && std::mem::take(&mut sending.key_wanted);
            sending.time = sending.time.wrapping_add(3_000);
            sending.picture = (sending.picture + 1) & 0x7fff;
            if temporal_id == 0 {
                sending.tl0 = sending.tl0.wrapping_add(1);
            }
            let height = match sending.rid.as_deref() {
                Some("q") => 180,
                Some("h") => 360,
                _ => 720,
            };
            for packet in 0..packets {
                let sending = &mut self.sending[index];
                sending.sequence += 1;
                let head = vp8_head(sending, temporal_id, key, packet == 0, height);
                let (mid, rid) = (sending.mid, sending.rid);
                let (sequence, time) = (sending.sequence, sending.time);
                let payload = stamped(&head, size.max(VP8_HEADER + STAMP));
                let last = packet + 1 == packets;
                self.write(mid, rid, Codec::Vp8, (sequence, time), now, last, payload);
            }
        }
        self.timeout = now;
    }

    /// Sends one 20 ms packet of sound on every published stream.
    pub fn send_audio(&mut self, size: usize) {
        self.send_sound(&stamped(&[], size.max(STAMP)));
    }

    /// Sends a real VP8 frame on every published stream, a thirtieth of a second after the one before.
    pub fn send_picture(&mut self, frame: &[u8]) {
        let now = Instant::now();
        let key = frame[0] & 1 == 0;
        for index in 0..self.sending.len() {
            let sending = &mut self.sending[index];
            if sending.kind != MediaKind::Video {
                continue;
            }
            sending.key_wanted &= !key;
            sending.time = sending.time.wrapping_add(3_000);
            sending.picture = (sending.picture + 1) & 0x7fff;
            sending.tl0 = sending.tl0.wrapping_add(1);
            let pieces: Vec<&[u8]> = frame.chunks(1_100).collect();
            for (place, piece) in pieces.iter().enumerate() {
                let sending = &mut self.sending[index];
                sending.sequence += 1;
                let mut payload = vp8_head(sending, 0, key, place == 0, 240);
                payload.truncate(VP8_DESCRIPTOR);
                payload.extend_from_slice(piece);
                let (mid, rid) = (sending.mid, sending.rid);
                let (sequence, time) = (sending.sequence, sending.time);
                let last = place + 1 == pieces.len();
                self.write(mid, rid, Codec::Vp8, (sequence, time), now, last, payload);
            }
        }
        self.timeout = now;
    }

    /// Sends a real Opus packet of 20 ms on every published stream.
    pub fn send_sound(&mut self, packet: &[u8]) {
        let now = Instant::now();
        for index in 0..self.sending.len() {
            let sending = &mut self.sending[index];
            if sending.kind != MediaKind::Audio {
                continue;
            }
            sending.time = sending.time.wrapping_add(960);
            sending.sequence += 1;
            let (mid, sequence, time) = (sending.mid, sending.sequence, sending.time);
            let payload = packet.to_vec();
            self.write(
                mid,
                None,
                Codec::Opus,
                (sequence, time),
                now,
                false,
                payload,
            );
        }
        self.timeout = now;
    }

    /// Whether a key frame was asked for since the last one.
    pub fn is_key_wanted(&self) -> bool {
        let mut pictures = self.sending.iter().filter(|s| s.kind == MediaKind::Video);
        pictures.any(|sending| sending.key_wanted)
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of one packet")]
    fn write(
        &mut self,
        mid: Mid,
        rid: Option<Rid>,
        codec: Codec,
        (sequence, time): (u64, u32),
        now: Instant,
        marker: bool,
        payload: Vec<u8>,
    ) {
        let params = self.rtc.codec_config().params();
        let pt = params
            .iter()
            .find(|p| p.spec().codec == codec)
            .unwrap()
            .pt();
        let mut direct = self.rtc.direct_api();
        let Some(stream) = direct.stream_tx_by_mid(mid, rid) else {
            return;
        };
        let ext_vals = ExtensionValues {
            audio_level: (codec == Codec::Opus).then_some(-30),
            voice_activity: (codec == Codec::Opus).then_some(true),
            ..ExtensionValues::default()
        };
        stream.write_rtp(
            RtpWrite::new(pt, sequence.into(), time, now, payload)
                .marker(marker)
                .ext_vals(ext_vals)
                .nackable(codec == Codec::Vp8),
        );
    }

    /// Asks for a key frame in a slot, as a decoder does that lost its picture.
    pub fn ask_key_frame(&mut self, slot: u16) {
        let mid = Mid::from(&*self.slots[usize::from(slot)].video_mid);
        let mut direct = self.rtc.direct_api();
        let stream = direct.stream_rx_by_mid(mid, None).expect("video has come");
        stream.request_keyframe(KeyframeRequestKind::Pli);
        self.timeout = Instant::now();
    }

    /// Ends the peer connection in order.
    pub fn close(&mut self) {
        self.rtc.close().unwrap();
        self.poll();
    }

    /// Arrivals in a slot.
    pub fn arrived(&self, slot: u16, kind: MediaKind) -> Vec<Arrival> {
        let mine = |a: &&Arrival| (a.slot, a.kind) == (slot, kind);
        self.arrivals.iter().filter(mine).cloned().collect()
    }

    /// Takes in what has come and does what is due. Gives the time of the next turn.
    pub fn turn(&mut self) -> Instant {
        let mut buffer = [0; 2_048];
        for _ in 0..256 {
            match self.socket.recv_from(&mut buffer) {
                Ok((length, source)) if !self.vanished => self.take_in(source, &buffer[..length]),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => {}
            }
        }
        let now = Instant::now();
        if now >= self.timeout && !self.vanished {
            let _ = self.rtc.handle_input(Input::Timeout(now));
            self.poll();
            // Never spin on a timeout that has passed.
            self.timeout = self.timeout.max(now + Duration::from_millis(1));
        }
        self.timeout
    }

    fn take_in(&mut self, source: SocketAddr, bytes: &[u8]) {
        // RFC 5761: RTP, and not RTCP.
        if self.only_count && matches!(bytes, [128..=191, 96..=127 | 224..=255, ..]) {
            self.counted += 1;
            return;
        }
        let Ok(packet) = Receive::new(Protocol::Udp, source, self.address, bytes) else {
            return;
        };
        let input = Input::Receive(Instant::now(), packet);
        if self.rtc.handle_input(input).is_ok() {
            self.poll();
        }
    }

    fn poll(&mut self) {
        loop {
            match self.rtc.poll_output() {
                Ok(Output::Timeout(at)) => {
                    self.timeout = at;
                    return;
                }
                Ok(Output::Transmit(transmit)) => {
                    let _ = self
                        .socket
                        .send_to(&transmit.contents, transmit.destination);
                }
                Ok(Output::Event(event)) => self.event(event),
                Err(_) => return,
            }
        }
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Connected => self.connected = true,
            Event::Closed => self.closed = true,
            Event::KeyframeRequest(request) => {
                let rid = request.rid.map(|rid| rid.to_string());
                self.key_frames_asked.push(rid);
                for sending in &mut self.sending {
                    sending.key_wanted |= sending.mid == request.mid && sending.rid == request.rid;
                }
            }
            Event::RtpPacket(packet) => self.arrive(&packet),
            _ => {}
        }
    }

    fn arrive(&mut self, packet: &RtpPacket) {
        self.counted += 1;
        let mid = {
            let mut direct = self.rtc.direct_api();
            direct
                .stream_rx(&packet.header.ssrc)
                .map(|stream| stream.mid())
        };
        let Some(&(slot, kind)) = mid.and_then(|mid| self.by_mid.get(&mid)) else {
            return;
        };
        let sent = stamp(kind, &packet.payload);
        self.arrivals.push(Arrival {
            slot,
            kind,
            sequence: *packet.seq_no,
            time: packet.time.numer(),
            marker: packet.header.marker,
            payload: packet.payload.clone(),
            sent,
            delay: Duration::from_nanos(nanos().saturating_sub(sent)),
        });
    }
}

/// A certificate for clients.
pub fn certificate() -> DtlsCert {
    let crypto = str0m::crypto::from_feature_flags();
    crypto.dtls_provider.generate_certificate().unwrap()
}

fn media_kind(kind: MediaKind) -> RtcMediaKind {
    match kind {
        MediaKind::Audio => RtcMediaKind::Audio,
        MediaKind::Video => RtcMediaKind::Video,
    }
}

fn vp8_head(s: &Sending, temporal_id: u8, key: bool, first: bool, height: u16) -> Vec<u8> {
    let [high, low] = (s.picture | 0x8000).to_be_bytes();
    let start = if first { 0x10 } else { 0 };
    let sync = if temporal_id > 0 { 0x20 } else { 0 };
    let mut head = vec![
        0x80 | start,
        0xe0,
        high,
        low,
        s.tl0,
        temporal_id << 6 | sync,
    ];
    let [w0, w1] = (height / 9 * 16).to_le_bytes();
    let [h0, h1] = height.to_le_bytes();
    let interframe = u8::from(!key);
    head.extend([0x10 | interframe, 0, 0, 0x9d, 0x01, 0x2a, w0, w1, h0, h1]);
    head
}

fn stamped(head: &[u8], size: usize) -> Vec<u8> {
    let mut payload = Vec::with_capacity(size);
    payload.extend_from_slice(head);
    payload.extend_from_slice(&nanos().to_be_bytes());
    payload.resize(size, 0xa5);
    payload
}

/// When a payload was made, in [`nanos`]; of no meaning for real pictures and sound.
fn stamp(kind: MediaKind, payload: &[u8]) -> u64 {
    let start = match kind {
        MediaKind::Audio => 0,
        MediaKind::Video => VP8_HEADER,
    };
    let stamp = payload.get(start..).and_then(<[u8]>::first_chunk::<STAMP>);
    stamp.map_or(0, |stamp| u64::from_be_bytes(*stamp))
}

/// Drives clients until `done` says so; panics after 20 s.
pub fn run(clients: &mut [&mut Client], mut done: impl FnMut(&mut [&mut Client]) -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !done(clients) {
        assert!(Instant::now() < deadline, "the clients wait in vain");
        let next = clients.iter_mut().map(|client| client.turn()).min();
        let now = Instant::now();
        // Short enough for whatever `done` looks at besides the sockets.
        let longest = now + Duration::from_millis(5);
        let until = next.unwrap_or(longest).min(longest);
        wait(clients, until.saturating_duration_since(now));
    }
}

/// Returns when a packet has come for any of the clients, or after `timeout`.
pub fn wait(clients: &[&mut Client], timeout: Duration) {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    let mut fds: Vec<PollFd<'_>> = clients
        .iter()
        .map(|client| PollFd::new(client.socket.as_fd(), PollFlags::POLLIN))
        .collect();
    let timeout = PollTimeout::try_from(timeout).unwrap_or(PollTimeout::ZERO);
    let _ = poll(&mut fds, timeout);
}
