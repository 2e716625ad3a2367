//! What the engine must know of a VP8 packet to pass it on: RFC 7741 §4.2 (the payload descriptor)
//! and RFC 6386 §9.1 (a key frame's size).

use str0m::rtp::Vp8Descriptor;

/// One VP8 packet, looked at once for all its receivers.
#[derive(Clone, Debug)]
pub struct Vp8 {
    /// The first packet of a key frame: decoding may begin here.
    pub starts_key_frame: bool,
    /// Temporal layer; 0 is the base.
    pub temporal_id: u8,
    /// The frame depends on the base layer only, so that a receiver may step up to its layer here.
    pub layer_sync: bool,
    /// 15 or 7 bits.
    pub picture_id: Option<u16>,
    /// The largest number a picture id of this packet's width can hold.
    pub picture_id_mask: u16,
    pub tl0_picture_index: Option<u8>,
    /// Pixels, width and height; a key frame's first packet has them.
    pub size: Option<(u16, u16)>,
    /// Knows where in the payload the numbers stand.
    pub descriptor: Option<Vp8Descriptor>,
}

impl Vp8 {
    /// `None` if the payload is no VP8.
    pub fn parse(payload: &[u8]) -> Option<Vp8> {
        let mut rest = payload.iter().copied();
        let first = rest.next()?;
        let starts_frame = first & 0x10 != 0 && first & 0x07 == 0;
        let mut vp8 = Vp8 {
            starts_key_frame: false,
            temporal_id: 0,
            layer_sync: false,
            picture_id: None,
            picture_id_mask: 0x7f,
            tl0_picture_index: None,
            size: None,
            descriptor: None,
        };
        if first & 0x80 != 0 {
            let extension = rest.next()?;
            if extension & 0x80 != 0 {
                let high = rest.next()?;
                if high & 0x80 == 0 {
                    vp8.picture_id = Some(u16::from(high));
                } else {
                    let low = rest.next()?;
                    vp8.picture_id = Some(u16::from(high & 0x7f) << 8 | u16::from(low));
                    vp8.picture_id_mask = 0x7fff;
                }
            }
            if extension & 0x40 != 0 {
                vp8.tl0_picture_index = Some(rest.next()?);
            }
            if extension & 0x30 != 0 {
                let layer = rest.next()?;
                if extension & 0x20 != 0 {
                    vp8.temporal_id = layer >> 6;
                    vp8.layer_sync = layer & 0x20 != 0;
                }
            }
        }
        if starts_frame {
            let frame: [Option<u8>; 10] = std::array::from_fn(|_| rest.next());
            vp8.starts_key_frame = frame[0].is_some_and(|tag| tag & 0x01 == 0);
            if vp8.starts_key_frame
                && let [
                    ..,
                    Some(0x9d),
                    Some(0x01),
                    Some(0x2a),
                    Some(w0),
                    Some(w1),
                    Some(h0),
                    Some(h1),
                ] = frame
            {
                let width = u16::from_le_bytes([w0, w1]) & 0x3fff;
                let height = u16::from_le_bytes([h0, h1]) & 0x3fff;
                vp8.size = Some((width, height));
            }
        }
        if vp8.picture_id.is_some() || vp8.tl0_picture_index.is_some() {
            vp8.descriptor = Vp8Descriptor::parse(payload).ok();
        }
        Some(vp8)
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A VP8 payload with a 15 bit picture id, as browsers send it.
    pub fn payload(picture_id: u16, tl0: u8, temporal_id: u8, key: bool, first: bool) -> Vec<u8> {
        let [high, low] = (picture_id | 0x8000).to_be_bytes();
        let s = if first { 0x10 } else { 0 };
        let sync = if temporal_id > 0 { 0x20 } else { 0 };
        let mut bytes = vec![0x80 | s, 0xe0, high, low, tl0, temporal_id << 6 | sync];
        if first && key {
            bytes.extend([0x10, 0, 0, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0xe0, 0x01]);
        } else {
            bytes.extend([0x11, 0, 0]);
        }
        bytes
    }

    #[test]
    fn a_key_frame_tells_its_size_and_its_numbers() {
        let vp8 = Vp8::parse(&payload(0x1234, 7, 0, true, true)).unwrap();
        assert!(vp8.starts_key_frame);
        assert_eq!(vp8.picture_id, Some(0x1234));
        assert_eq!(vp8.tl0_picture_index, Some(7));
        assert_eq!(vp8.size, Some((640, 480)));
        assert!(vp8.descriptor.is_some());
    }

    #[test]
    fn a_later_packet_starts_nothing() {
        let vp8 = Vp8::parse(&payload(1, 1, 2, false, false)).unwrap();
        assert!(!vp8.starts_key_frame && vp8.layer_sync);
        assert_eq!((vp8.temporal_id, vp8.size), (2, None));
    }

    #[test]
    fn cut_payloads_are_survived() {
        let whole = payload(0x1234, 7, 1, true, true);
        for end in 0..whole.len() {
            let _ = Vp8::parse(&whole[..end]);
        }
        assert!(Vp8::parse(&[]).is_none());
        assert!(Vp8::parse(&[0x90]).is_none());
    }
}
