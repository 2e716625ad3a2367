//! What a recorder must know of an Opus packet: how long it sounds (RFC 6716 §3.1).

/// Microseconds of sound in a packet; 0 for one that is empty or malformed.
pub fn duration_us(packet: &[u8]) -> u64 {
    let Some(&toc) = packet.first() else { return 0 };
    let frame_us = match toc >> 3 {
        config @ 0..12 => [10_000, 20_000, 40_000, 60_000][usize::from(config & 3)],
        config @ 12..16 => [10_000, 20_000][usize::from(config & 1)],
        config => [2_500, 5_000, 10_000, 20_000][usize::from(config & 3)],
    };
    let frames = match toc & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => packet.get(1).map_or(0, |count| u64::from(count & 0x3f)),
    };
    let duration_us = frame_us * frames;
    // RFC 6716 §3.2.5 [R5]: 120 ms at most.
    if duration_us <= 120_000 {
        duration_us
    } else {
        0
    }
}

/// The maximum size of one frame, in bytes (RFC 6716 §3.4, rule R2).
const MAX_FRAME: usize = 1275;

/// Whether a packet is well-formed (RFC 6716 §3.4). Decoders refuse others, and some end at the first of them.
pub fn is_well_formed(packet: &[u8]) -> bool {
    has_valid_frames(packet) == Some(true)
}

/// `None`: the packet ends too early.
fn has_valid_frames(packet: &[u8]) -> Option<bool> {
    let (&toc, body) = packet.split_first()?;
    Some(match toc & 3 {
        0 => body.len() <= MAX_FRAME,
        1 => body.len().is_multiple_of(2) && body.len() / 2 <= MAX_FRAME,
        2 => {
            let (first, rest) = frame_length(body)?;
            rest.len().checked_sub(first)? <= MAX_FRAME
        }
        _ => {
            let (&head, mut rest) = body.split_first()?;
            let frames = usize::from(head & 0x3f);
            if frames == 0 || duration_us(packet) == 0 {
                return Some(false);
            }
            if head & 0x40 != 0 {
                let (padding, after) = padding_length(rest)?;
                rest = after.get(..after.len().checked_sub(padding)?)?;
            }
            if head & 0x80 != 0 {
                let mut left = rest;
                let mut taken = 0;
                for _ in 1..frames {
                    let (length, after) = frame_length(left)?;
                    taken += length;
                    left = after;
                }
                left.len().checked_sub(taken)? <= MAX_FRAME
            } else {
                rest.len().is_multiple_of(frames) && rest.len() / frames <= MAX_FRAME
            }
        }
    })
}

/// Reads the length of a frame (RFC 6716 §3.2.1), at most 1,275.
fn frame_length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (&first, rest) = bytes.split_first()?;
    if first < 252 {
        return Some((usize::from(first), rest));
    }
    let (&second, rest) = rest.split_first()?;
    Some((usize::from(first) + 4 * usize::from(second), rest))
}

/// Reads the length of the padding (RFC 6716 §3.2.5).
fn padding_length(mut bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut length = 0;
    loop {
        let (&next, rest) = bytes.split_first()?;
        bytes = rest;
        if next < 255 {
            return Some((length + usize::from(next), bytes));
        }
        length += 254;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_byte_tells_how_long_a_packet_is() {
        assert_eq!(duration_us(&[0x78, 1, 2]), 20_000, "CELT, 20 ms, one frame");
        assert_eq!(
            duration_us(&[0x08]),
            20_000,
            "SILK, 20 ms, nothing but the first byte"
        );
        assert_eq!(duration_us(&[0x18, 0]), 60_000, "SILK, 60 ms");
        assert_eq!(duration_us(&[0x60, 0]), 10_000, "hybrid, 10 ms");
        assert_eq!(duration_us(&[0x81, 0]), 5_000, "CELT, twice 2.5 ms");
        assert_eq!(duration_us(&[0xfb, 3]), 60_000, "CELT, three times 20 ms");
    }

    #[test]
    fn a_malformed_packet_sounds_for_no_time() {
        assert_eq!(duration_us(&[]), 0);
        assert_eq!(duration_us(&[0xfb]), 0);
        assert_eq!(duration_us(&[0xfb, 63]), 0);
    }

    #[test]
    fn only_well_formed_packets_pass() {
        let good: [&[u8]; 9] = [
            &[0x78],
            &[0x78, 1, 2],
            &[0x79, 1, 2],
            &[0x7a, 1, 9, 9],
            &[0x7b, 2, 1, 1],
            // Variable sizes: 1 byte, and what is left.
            &[0x7b, 0x82, 1, 9, 9, 9],
            // Three bytes of padding.
            &[0x7b, 0x41, 3, 9, 0, 0, 0],
            &[0x7b, 0xc2, 1, 1, 9, 9, 0],
            &[0x7b, 1],
        ];
        for packet in good {
            assert!(is_well_formed(packet), "{packet:x?}");
        }
        let bad: [&[u8]; 11] = [
            &[],
            &[0xff, 0xbf],
            &[0x79, 1],
            &[0x7a],
            &[0x7a, 9, 1],
            &[0x7b],
            &[0x7b, 0],
            &[0x7b, 2, 1],
            &[0x7b, 0x82, 200, 9],
            &[0x7b, 0x41, 9, 0],
            &[0x7b, 0x41, 255, 255],
        ];
        for packet in bad {
            assert!(!is_well_formed(packet), "{packet:x?}");
        }
        let mut long = vec![0x78];
        long.resize(1 + MAX_FRAME, 0);
        assert!(is_well_formed(&long));
        long.push(0);
        assert!(!is_well_formed(&long));
    }
}
