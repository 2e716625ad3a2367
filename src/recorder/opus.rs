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
}
