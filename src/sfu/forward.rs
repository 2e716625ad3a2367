//! Packets rewritten for one receiver: sequence number, timestamp, VP8 picture id.
//!
//! A receive slot shows one stream after the other, and of a simulcast stream one layer after the
//! other, as one unbroken RTP stream: numbers go on where they stopped, decoding can always begin,
//! and a temporal layer that is left out leaves no hole. Works in extended numbers; the first
//! sequence number is below 32,768, since SRTP receivers take a new stream's rollover counter for 0.

use std::{collections::VecDeque, time::Instant};

use super::vp8::Vp8;

/// Skipped packets that are remembered, so that a late packet finds its number.
const REMEMBERED_SKIPS: usize = 512;
/// A jump further than this is a new beginning, not a loss.
const LARGEST_GAP: u64 = 1_000;

/// A packet from a publisher, looked at once for all receivers.
#[derive(Clone, Debug)]
pub struct Incoming {
    /// Tells the publisher's encodings apart.
    pub ssrc: u32,
    /// Simulcast layer, from the lowest.
    pub layer: u8,
    /// Extended.
    pub sequence: u64,
    /// Extended, in units of the clock rate.
    pub time: u64,
    /// No later packet of this layer has arrived yet.
    pub newest: bool,
    /// When it was captured, on a clock that all tracks of all publishers share.
    pub wallclock: Instant,
    /// `None` for audio.
    pub vp8: Option<Vp8>,
}

/// The numbers of a packet as its receiver gets them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outgoing {
    pub sequence: u64,
    pub time: u64,
    pub picture_id: Option<u16>,
    pub tl0_picture_index: Option<u8>,
}

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Send(Outgoing),
    /// Not for this receiver.
    Skip,
    /// Not for this receiver, who waits for a key frame of the layer.
    Wait {
        layer: u8,
    },
    /// For this receiver, who waits for a key frame of a better layer.
    SendAndWait(Outgoing, u8),
}

/// One receiver's view of one track.
#[derive(Debug)]
pub struct Forwarder {
    clock_rate: u32,
    next_sequence: u64,
    next_picture_id: u16,
    next_tl0_picture_index: u8,
    /// Time and wallclock of the latest packet sent.
    last: Option<(u64, Instant)>,
    target_layer: u8,
    target_temporal_id: u8,
    current: Option<Current>,
}

/// What is being forwarded, and by how much its numbers are moved.
#[derive(Debug)]
struct Current {
    ssrc: u32,
    layer: u8,
    first: u64,
    newest: u64,
    /// Added to the publisher's numbers (wrapping).
    sequence_offset: u64,
    time_offset: u64,
    picture_id_offset: u16,
    tl0_offset: u8,
    max_temporal_id: u8,
    /// Time of the newest frame, and whether it is left out.
    frame: (u64, bool),
    skipped: VecDeque<Skip>,
}

#[derive(Debug)]
struct Skip {
    sequence: u64,
    /// The first packet of its frame.
    frame: bool,
}

impl Forwarder {
    /// `first_sequence` must be below 32,768.
    pub fn new(clock_rate: u32, first_sequence: u16) -> Forwarder {
        Forwarder {
            clock_rate,
            next_sequence: u64::from(first_sequence & 0x7fff),
            next_picture_id: 0,
            next_tl0_picture_index: 0,
            last: None,
            target_layer: u8::MAX,
            target_temporal_id: u8::MAX,
            current: None,
        }
    }

    /// Forgets what is being forwarded; the next packet (of a video: key frame) begins anew, and the
    /// receiver sees no break.
    pub fn restart(&mut self) {
        self.current = None;
    }

    /// The layers to work towards: spatial from the next key frame on, temporal from the next frame
    /// that allows it.
    pub fn aim(&mut self, layer: u8, temporal_id: u8) {
        self.target_layer = layer;
        self.target_temporal_id = temporal_id;
    }

    /// The layer that is waited for, if any.
    pub fn awaits(&self) -> Option<u8> {
        match &self.current {
            Some(current) if current.layer == self.target_layer => None,
            _ => Some(self.target_layer),
        }
    }

    /// The layer that is being forwarded.
    pub fn layer(&self) -> Option<u8> {
        self.current.as_ref().map(|current| current.layer)
    }

    pub fn clock_rate(&self) -> u32 {
        self.clock_rate
    }

    /// `time` of a packet of the current source, as the receiver would see it.
    pub fn translate(&self, ssrc: u32, time: u64) -> Option<u64> {
        let current = self.current.as_ref().filter(|c| c.ssrc == ssrc)?;
        Some(time.wrapping_add(current.time_offset))
    }

    /// Decides about a packet, and gives it its numbers.
    pub fn forward(&mut self, packet: &Incoming) -> Verdict {
        let same = self.current.as_ref().is_some_and(|current| {
            current.ssrc == packet.ssrc && packet.sequence <= current.newest + LARGEST_GAP
        });
        if same {
            let Some(outgoing) = self.proceed(packet) else {
                return Verdict::Skip;
            };
            return match self.awaits() {
                Some(layer) if packet.vp8.is_some() => Verdict::SendAndWait(outgoing, layer),
                _ => Verdict::Send(outgoing),
            };
        }
        if self.may_begin(packet) {
            return Verdict::Send(self.begin(packet));
        }
        match self.current {
            // The source in use goes on meanwhile, and asks for what is awaited.
            Some(ref current) if current.layer != packet.layer => Verdict::Skip,
            Some(_) => Verdict::Wait {
                layer: packet.layer,
            },
            None => Verdict::Wait {
                layer: self.target_layer,
            },
        }
    }

    /// A receiver that has nothing takes any layer's key frame; later only the one aimed at. A key
    /// frame that comes late has lost its tail, which passed before.
    fn may_begin(&self, packet: &Incoming) -> bool {
        let Some(vp8) = &packet.vp8 else {
            return packet.newest;
        };
        if !vp8.starts_key_frame || !packet.newest {
            return false;
        }
        self.current.as_ref().is_none_or(|current| {
            packet.layer == self.target_layer || packet.layer == current.layer
        })
    }

    fn begin(&mut self, packet: &Incoming) -> Outgoing {
        let time = match self.last {
            None => packet.time & 0xffff_ffff,
            Some((time, wallclock)) => {
                let elapsed = packet.wallclock.saturating_duration_since(wallclock);
                let ticks = elapsed.as_micros() * u128::from(self.clock_rate) / 1_000_000;
                let least = u64::from(self.clock_rate / 50);
                time + u64::try_from(ticks).unwrap_or(least).max(least)
            }
        };
        let picture_id = packet.vp8.as_ref().and_then(|vp8| vp8.picture_id);
        let tl0 = packet.vp8.as_ref().and_then(|vp8| vp8.tl0_picture_index);
        self.current = Some(Current {
            ssrc: packet.ssrc,
            layer: packet.layer,
            first: packet.sequence,
            newest: packet.sequence,
            sequence_offset: self.next_sequence.wrapping_sub(packet.sequence),
            time_offset: time.wrapping_sub(packet.time),
            picture_id_offset: self.next_picture_id.wrapping_sub(picture_id.unwrap_or(0)),
            tl0_offset: self.next_tl0_picture_index.wrapping_sub(tl0.unwrap_or(0)),
            max_temporal_id: self.target_temporal_id,
            frame: (packet.time, false),
            skipped: VecDeque::new(),
        });
        self.number(packet, 0, 0)
    }

    fn proceed(&mut self, packet: &Incoming) -> Option<Outgoing> {
        let target = self.target_temporal_id;
        let current = self.current.as_mut()?;
        let temporal_id = packet.vp8.as_ref().map_or(0, |vp8| vp8.temporal_id);
        if packet.sequence <= current.newest {
            return self.late(packet, temporal_id);
        }
        current.newest = packet.sequence;

        // All packets of a frame share its fate.
        let starts_frame = packet.time != current.frame.0;
        if starts_frame {
            if let Some(vp8) = &packet.vp8 {
                let step = temporal_id == current.max_temporal_id.saturating_add(1);
                if vp8.starts_key_frame || target < current.max_temporal_id {
                    current.max_temporal_id = target;
                } else if step && vp8.layer_sync && temporal_id <= target {
                    current.max_temporal_id = temporal_id;
                }
            }
            current.frame = (packet.time, temporal_id > current.max_temporal_id);
        }
        if current.frame.1 {
            current.sequence_offset = current.sequence_offset.wrapping_sub(1);
            if starts_frame {
                current.picture_id_offset = current.picture_id_offset.wrapping_sub(1);
            }
            if current.skipped.len() == REMEMBERED_SKIPS {
                current.skipped.pop_front();
            }
            current.skipped.push_back(Skip {
                sequence: packet.sequence,
                frame: starts_frame,
            });
            return None;
        }
        Some(self.number(packet, 0, 0))
    }

    /// A packet behind a newer one moves as its neighbours moved: without the skips that came since.
    fn late(&mut self, packet: &Incoming, temporal_id: u8) -> Option<Outgoing> {
        let current = self.current.as_ref()?;
        let forgotten = current.skipped.len() == REMEMBERED_SKIPS
            && current
                .skipped
                .front()
                .is_some_and(|skip| packet.sequence <= skip.sequence);
        if packet.sequence < current.first || temporal_id > current.max_temporal_id || forgotten {
            return None;
        }
        let (mut packets, mut frames) = (0, 0);
        for skip in current.skipped.iter().rev() {
            if skip.sequence < packet.sequence {
                break;
            }
            if skip.sequence == packet.sequence {
                return None;
            }
            packets += 1;
            frames += u16::from(skip.frame);
        }
        Some(self.number(packet, packets, frames))
    }

    fn number(&mut self, packet: &Incoming, packets_back: u64, frames_back: u16) -> Outgoing {
        let current = self.current.as_ref().expect("a source was begun");
        let sequence = packet
            .sequence
            .wrapping_add(current.sequence_offset)
            .wrapping_add(packets_back);
        let time = packet.time.wrapping_add(current.time_offset);
        let vp8 = packet.vp8.as_ref();
        let picture_id = vp8.and_then(|vp8| {
            let offset = current.picture_id_offset.wrapping_add(frames_back);
            Some(vp8.picture_id?.wrapping_add(offset) & vp8.picture_id_mask)
        });
        let tl0_picture_index =
            vp8.and_then(|vp8| Some(vp8.tl0_picture_index?.wrapping_add(current.tl0_offset)));

        if sequence >= self.next_sequence {
            self.next_sequence = sequence + 1;
            if let Some(id) = picture_id {
                self.next_picture_id = id.wrapping_add(1);
            }
            if let Some(index) = tl0_picture_index {
                self.next_tl0_picture_index = index.wrapping_add(1);
            }
        }
        if self.last.is_none_or(|(latest, _)| time >= latest) {
            self.last = Some((time, packet.wallclock));
        }
        Outgoing {
            sequence,
            time,
            picture_id,
            tl0_picture_index,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::sfu::vp8::tests::payload;

    const FRAME: u64 = 3_000;

    struct Source {
        ssrc: u32,
        layer: u8,
        sequence: u64,
        time: u64,
        picture: u16,
        tl0: u8,
        start: Instant,
        frames: u32,
    }

    impl Source {
        fn new(layer: u8, start: Instant) -> Source {
            Source {
                ssrc: 100 + u32::from(layer),
                layer,
                sequence: 70_000 + u64::from(layer) * 1_000,
                time: 5_000_000_000 + u64::from(layer) * 77_777,
                picture: 30_000,
                tl0: 250,
                start,
                frames: 0,
            }
        }

        /// The packets of the next frame.
        fn frame(&mut self, temporal_id: u8, key: bool, packets: u64) -> Vec<Incoming> {
            self.frames += 1;
            self.time += FRAME;
            self.picture = self.picture.wrapping_add(1) & 0x7fff;
            if temporal_id == 0 {
                self.tl0 = self.tl0.wrapping_add(1);
            }
            let wallclock = self.start + Duration::from_micros(33_333) * self.frames;
            (0..packets)
                .map(|i| {
                    self.sequence += 1;
                    let bytes = payload(self.picture, self.tl0, temporal_id, key, i == 0);
                    Incoming {
                        ssrc: self.ssrc,
                        layer: self.layer,
                        sequence: self.sequence,
                        time: self.time,
                        newest: true,
                        wallclock,
                        vp8: Vp8::parse(&bytes),
                    }
                })
                .collect()
        }
    }

    fn video() -> Forwarder {
        let mut forwarder = Forwarder::new(90_000, 1_000);
        forwarder.aim(0, 2);
        forwarder
    }

    fn sent(verdict: Verdict) -> Option<Outgoing> {
        match verdict {
            Verdict::Send(outgoing) | Verdict::SendAndWait(outgoing, _) => Some(outgoing),
            Verdict::Skip | Verdict::Wait { .. } => None,
        }
    }

    #[test]
    fn a_late_joiner_gets_small_numbers_from_the_first_key_frame_on() {
        let mut source = Source::new(0, Instant::now());
        let mut forwarder = video();
        for packet in source.frame(0, false, 3) {
            assert_eq!(forwarder.forward(&packet), Verdict::Wait { layer: 0 });
        }
        let sequences: Vec<u64> = source
            .frame(0, true, 3)
            .iter()
            .map(|packet| sent(forwarder.forward(packet)).unwrap().sequence)
            .collect();
        assert_eq!(sequences, [1_000, 1_001, 1_002]);
    }

    #[test]
    fn a_late_key_frame_does_not_begin() {
        let mut source = Source::new(0, Instant::now());
        let mut forwarder = video();
        let mut packet = source.frame(0, true, 1).remove(0);
        packet.newest = false;
        assert_eq!(forwarder.forward(&packet), Verdict::Wait { layer: 0 });
    }

    #[test]
    fn loss_stays_a_hole_and_reordering_stays_an_order() {
        let mut source = Source::new(0, Instant::now());
        let mut forwarder = video();
        let packets = source.frame(0, true, 5);
        let order = [0, 3, 1, 4];
        let sequences: Vec<u64> = order
            .iter()
            .map(|&i| sent(forwarder.forward(&packets[i])).unwrap().sequence)
            .collect();
        assert_eq!(sequences, [1_000, 1_003, 1_001, 1_004]);
    }

    #[test]
    fn a_temporal_layer_left_out_leaves_no_hole() {
        let mut source = Source::new(0, Instant::now());
        let mut forwarder = video();
        forwarder.aim(0, 0);
        let mut out = Vec::new();
        for frame in 0..12 {
            let temporal_id = [0, 2, 1, 2][frame % 4];
            for packet in source.frame(temporal_id, frame == 0, 2) {
                out.extend(sent(forwarder.forward(&packet)));
            }
        }
        let sequences: Vec<u64> = out.iter().map(|o| o.sequence).collect();
        assert_eq!(sequences, (1_000..1_006).collect::<Vec<_>>());
        let pictures: Vec<u16> = out.iter().filter_map(|o| o.picture_id).collect();
        assert_eq!(pictures, [0, 0, 1, 1, 2, 2]);
        let tl0: Vec<u8> = out.iter().filter_map(|o| o.tl0_picture_index).collect();
        assert_eq!(tl0, [0, 0, 1, 1, 2, 2]);
        assert_eq!(out[2].time - out[0].time, 4 * FRAME);
    }

    #[test]
    fn a_late_packet_before_a_skipped_frame_keeps_its_place() {
        let mut source = Source::new(0, Instant::now());
        let mut forwarder = video();
        forwarder.aim(0, 0);
        let key = source.frame(0, true, 2);
        let skipped = source.frame(2, false, 3);
        let base = source.frame(0, false, 1);
        sent(forwarder.forward(&key[0])).unwrap();
        for packet in &skipped {
            assert_eq!(forwarder.forward(packet), Verdict::Skip);
        }
        let after = sent(forwarder.forward(&base[0])).unwrap();
        let late = sent(forwarder.forward(&key[1])).unwrap();
        assert_eq!((late.sequence, after.sequence), (1_001, 1_002));
        assert_eq!((late.picture_id, after.picture_id), (Some(0), Some(1)));
        assert_eq!(forwarder.forward(&skipped[1]), Verdict::Skip);
    }

    #[test]
    fn temporal_layers_come_back_one_by_one_where_the_stream_allows_it() {
        let mut source = Source::new(0, Instant::now());
        let mut forwarder = video();
        forwarder.aim(0, 0);
        let begin = source.frame(0, true, 1);
        sent(forwarder.forward(&begin[0])).unwrap();
        forwarder.aim(0, 2);
        let passed: Vec<bool> = [2, 1, 2, 0]
            .iter()
            .map(|&temporal_id| {
                let packet = source.frame(temporal_id, false, 1).remove(0);
                sent(forwarder.forward(&packet)).is_some()
            })
            .collect();
        assert_eq!(passed, [false, true, true, true]);
    }

    #[test]
    fn a_layer_is_switched_at_a_key_frame_only_and_nobody_sees_it() {
        let start = Instant::now();
        let (mut low, mut high) = (Source::new(0, start), Source::new(1, start));
        let mut forwarder = video();
        let first = sent(forwarder.forward(&low.frame(0, true, 1)[0])).unwrap();
        high.frame(0, false, 1);
        forwarder.aim(1, 2);

        let low_packet = low.frame(0, false, 1).remove(0);
        let Verdict::SendAndWait(second, 1) = forwarder.forward(&low_packet) else {
            panic!("the low layer goes on and the high one is awaited");
        };
        let high_packet = high.frame(0, false, 1).remove(0);
        assert_eq!(forwarder.forward(&high_packet), Verdict::Skip);

        low.frame(0, false, 1);
        let third = sent(forwarder.forward(&high.frame(0, true, 1)[0])).unwrap();
        assert_eq!(
            [second.sequence, third.sequence],
            [first.sequence + 1, first.sequence + 2]
        );
        assert!(
            third.time.abs_diff(second.time + FRAME) < 5,
            "a frame later"
        );
        assert_eq!(
            third.picture_id,
            second.picture_id.map(|id| id.wrapping_add(1))
        );
        let low_packet = low.frame(0, false, 1).remove(0);
        assert_eq!(forwarder.forward(&low_packet), Verdict::Skip);
    }

    #[test]
    fn another_stream_in_the_same_slot_goes_on_in_time_and_number() {
        let start = Instant::now();
        let mut first = Source::new(0, start);
        let mut forwarder = video();
        let last = sent(forwarder.forward(&first.frame(0, true, 1)[0])).unwrap();
        forwarder.restart();
        let mut second = Source::new(0, start + Duration::from_secs(2));
        second.ssrc = 999;
        second.sequence = 3;
        second.time = 17;
        let next = sent(forwarder.forward(&second.frame(0, true, 1)[0])).unwrap();
        assert_eq!(next.sequence, last.sequence + 1);
        assert!((next.time - last.time).abs_diff(180_000) < 5, "two seconds");
    }

    #[test]
    fn audio_begins_at_once_and_survives_a_new_ssrc() {
        let mut forwarder = Forwarder::new(48_000, 5);
        let start = Instant::now();
        let packet = |ssrc, sequence, time, ms| Incoming {
            ssrc,
            layer: 0,
            sequence,
            time,
            newest: true,
            wallclock: start + Duration::from_millis(ms),
            vp8: None,
        };
        forwarder.aim(0, 0);
        let a = sent(forwarder.forward(&packet(1, 900_000, 960, 0))).unwrap();
        let b = sent(forwarder.forward(&packet(1, 900_001, 1_920, 20))).unwrap();
        let c = sent(forwarder.forward(&packet(2, 7, 123_456, 60))).unwrap();
        assert_eq!([a.sequence, b.sequence, c.sequence], [5, 6, 7]);
        assert_eq!(b.time - a.time, 960);
        assert_eq!(c.time - b.time, 1_920);
    }
}
