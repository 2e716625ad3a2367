//! VP8 frames out of RTP payloads (RFC 7741).
//!
//! A frame is what lies between two markers and bears one timestamp. Where a packet is missing, the
//! frame is given up, and so is every frame up to the next key frame: they would be drawn from a
//! picture that nobody has.

use super::journal::Packet;

/// A sender that never ends its frame is not listened to any longer.
const MAX_FRAME: usize = 8 * 1024 * 1024;

/// The maximum size of a picture, in pixels: more than a screen of 5120x2880 has. A decoder takes about 12 bytes for each, so a key frame of
/// a few bytes could claim gigabytes.
pub const MAX_PIXELS: u32 = 4096 * 4096;

/// One whole frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub data: Vec<u8>,
    /// Width and height in pixels, if this is a key frame.
    pub key: Option<(u16, u16)>,
}

/// Puts the packets of one track together, in the order of their sequence numbers.
#[derive(Default)]
pub struct Depacketizer {
    /// The sequence number that follows the last packet.
    expected: Option<u64>,
    /// The timestamp of the frame that has begun.
    begun: Option<u64>,
    data: Vec<u8>,
    /// Whether the frame before was written, so that the next may build on it.
    intact: bool,
}

impl Depacketizer {
    pub fn push(&mut self, packet: &Packet) -> Option<Frame> {
        if self.expected != Some(packet.sequence) {
            self.give_up();
        }
        self.expected = packet.sequence.checked_add(1);
        if packet.payload.is_empty() {
            return None; // padding, which probes for bandwidth
        }
        let Some((first, part)) = strip_descriptor(&packet.payload) else {
            self.give_up();
            return None;
        };
        match self.begun {
            Some(timestamp) if timestamp == packet.timestamp && !first => {}
            None if first => {
                self.begun = Some(packet.timestamp);
                self.data.clear();
            }
            None if !self.intact => return None, // what is left of a frame given up
            _ => {
                self.give_up();
                if !first {
                    return None;
                }
                self.begun = Some(packet.timestamp);
            }
        }
        if self.data.len() + part.len() > MAX_FRAME {
            self.give_up();
            return None;
        }
        self.data.extend_from_slice(part);
        if !packet.marker {
            return None;
        }

        self.begun = None;
        let data = std::mem::take(&mut self.data);
        let key = key_frame_size(&data);
        if key.is_none() && (!self.intact || is_key_frame(&data)) {
            self.intact = false;
            return None;
        }
        self.intact = true;
        Some(Frame { data, key })
    }

    fn give_up(&mut self) {
        self.begun = None;
        self.data.clear();
        self.intact = false;
    }
}

/// Whether a frame begins here, and what follows the payload descriptor (RFC 7741 §4.2).
fn strip_descriptor(payload: &[u8]) -> Option<(bool, &[u8])> {
    let (&head, mut rest) = payload.split_first()?;
    let first = head & 0x10 != 0 && head & 0x07 == 0;
    if head & 0x80 != 0 {
        let (&extensions, after) = rest.split_first()?;
        rest = after;
        if extensions & 0x80 != 0 {
            let (&picture_id, after) = rest.split_first()?;
            rest = if picture_id & 0x80 != 0 {
                after.get(1..)?
            } else {
                after
            };
        }
        if extensions & 0x40 != 0 {
            rest = rest.get(1..)?;
        }
        if extensions & 0x30 != 0 {
            rest = rest.get(1..)?;
        }
    }
    (!rest.is_empty()).then_some((first, rest))
}

fn is_key_frame(data: &[u8]) -> bool {
    data.first().is_some_and(|tag| tag & 1 == 0)
}

/// RFC 6386 §9.1: frame tag, start code, then width and height with their scale.
fn key_frame_size(data: &[u8]) -> Option<(u16, u16)> {
    if !is_key_frame(data) || data.get(3..6)? != [0x9d, 0x01, 0x2a] {
        return None;
    }
    let size = |at: usize| Some(u16::from_le_bytes([*data.get(at)?, *data.get(at + 1)?]) & 0x3fff);
    match (size(6)?, size(8)?) {
        (0, _) | (_, 0) => None,
        (width, height) if u32::from(width) * u32::from(height) > MAX_PIXELS => None,
        size => Some(size),
    }
}

#[cfg(test)]
pub mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;

    /// A frame that a depacketizer takes for real; the rest of it is `fill`.
    pub fn frame(key: bool, width: u16, height: u16, length: usize, fill: u8) -> Vec<u8> {
        let mut data = if key {
            let mut data = vec![0x10, 0, 0, 0x9d, 0x01, 0x2a];
            data.extend(width.to_le_bytes());
            data.extend(height.to_le_bytes());
            data
        } else {
            vec![0x11, 0, 0]
        };
        data.resize(length.max(data.len()), fill);
        data
    }

    /// Cuts a frame into payloads of at most `mtu` bytes, as libwebrtc does.
    pub fn payloads(frame: &[u8], picture_id: u16, mtu: usize) -> Vec<Vec<u8>> {
        let [high, low] = (picture_id | 0x8000).to_be_bytes();
        frame
            .chunks(mtu - 4)
            .enumerate()
            .map(|(n, part)| {
                let start = if n == 0 { 0x10 } else { 0 };
                [&[0x80 | start, 0x80, high, low], part].concat()
            })
            .collect()
    }

    pub fn packets(frames: &[Vec<u8>], mtu: usize) -> Vec<Packet> {
        let mut packets = Vec::new();
        for (n, frame) in frames.iter().enumerate() {
            let parts = payloads(frame, u16::try_from(n % 0x8000).unwrap(), mtu);
            for (part, payload) in parts.iter().enumerate() {
                packets.push(Packet {
                    sequence: packets.len() as u64,
                    timestamp: n as u64 * 3000,
                    marker: part + 1 == parts.len(),
                    payload: Arc::from(&payload[..]),
                });
            }
        }
        packets
    }

    fn read(packets: &[Packet]) -> Vec<Vec<u8>> {
        let mut depacketizer = Depacketizer::default();
        packets
            .iter()
            .filter_map(|packet| depacketizer.push(packet))
            .map(|frame| frame.data)
            .collect()
    }

    fn frames() -> Vec<Vec<u8>> {
        (0..12_u8)
            .map(|n| frame(n % 4 == 0, 640, 480, 100 + usize::from(n) * 37, n))
            .collect()
    }

    #[test]
    fn frames_come_out_as_they_went_in() {
        let frames = frames();
        assert_eq!(read(&packets(&frames, 120)), frames);
    }

    #[test]
    fn a_key_frame_tells_its_size() {
        let packets = packets(&[frame(true, 1280, 720, 50, 0)], 1200);
        let frame = Depacketizer::default().push(&packets[0]).unwrap();
        assert_eq!(frame.key, Some((1280, 720)));
    }

    #[test]
    fn a_picture_beyond_all_screens_is_not_taken() {
        for (width, height, is_taken) in [(5120, 2880, true), (16383, 16383, false), (0, 9, false)]
        {
            let packets = packets(&[frame(true, width, height, 50, 0)], 1200);
            let frame = Depacketizer::default().push(&packets[0]);
            assert_eq!(frame.is_some(), is_taken, "{width}x{height}");
        }
    }

    #[test]
    fn nothing_is_shown_before_the_first_key_frame() {
        let frames = frames();
        assert_eq!(read(&packets(&frames[1..], 120)), frames[4..]);
    }

    #[test]
    fn padding_breaks_nothing() {
        let frames = frames();
        let mut packets = packets(&frames, 120);
        for packet in packets.iter_mut().skip(10) {
            packet.sequence += 1;
        }
        packets.insert(
            10,
            Packet {
                sequence: 10,
                timestamp: packets[9].timestamp,
                marker: false,
                payload: Arc::from(&[][..]),
            },
        );
        assert_eq!(read(&packets), frames);
    }

    #[test]
    fn every_optional_field_of_the_descriptor_is_stepped_over() {
        for (descriptor, first) in [
            (&[0x10][..], true),
            (&[0x00], false),
            (&[0x11], false),
            (&[0x90, 0x00], true),
            (&[0x90, 0x80, 0x12], true),
            (&[0x90, 0x80, 0x92, 0x34], true),
            (&[0x90, 0xc0, 0x92, 0x34, 1], true),
            (&[0x90, 0xf0, 0x92, 0x34, 1, 2], true),
            (&[0x90, 0x20, 2], true),
            (&[0x90, 0x10, 2], true),
        ] {
            let payload = [descriptor, b"vp8"].concat();
            assert_eq!(strip_descriptor(&payload), Some((first, &b"vp8"[..])));
            assert_eq!(strip_descriptor(descriptor), None);
        }
    }

    proptest! {
        #[test]
        fn a_lost_packet_costs_the_frames_up_to_the_next_key_frame_and_no_more(
            lost in any::<prop::sample::Index>(),
        ) {
            let frames = frames();
            let mut packets = packets(&frames, 120);
            let lost = packets.remove(lost.index(packets.len()));
            let first = (lost.timestamp / 3000) as usize;
            let next_key = first.next_multiple_of(4).max(if first.is_multiple_of(4) { first + 4 } else { 0 });
            let kept: Vec<_> = frames.iter().enumerate()
                .filter(|(n, _)| *n < first || *n >= next_key)
                .map(|(_, frame)| frame.clone())
                .collect();
            prop_assert_eq!(read(&packets), kept);
        }

        #[test]
        fn no_payload_is_too_odd(
            packets in prop::collection::vec(
                (0_u64..40, 0_u64..4, any::<bool>(), prop::collection::vec(any::<u8>(), 0..20)), 0..40),
        ) {
            let mut depacketizer = Depacketizer::default();
            for (sequence, timestamp, marker, payload) in packets {
                depacketizer.push(&Packet { sequence, timestamp, marker, payload: payload.into() });
            }
        }
    }
}
