//! Where a track's packets wait for those that are late, and come out in order.

use std::collections::BTreeMap;

use super::{clock_sync::Stamp, journal::Packet};

/// More than eight seconds of the fastest stream; beyond it the oldest go on without waiting.
const MAX_PACKETS: usize = 65_536;
const MAX_BYTES: usize = 64 * 1024 * 1024;

/// Packets by their sequence number.
#[derive(Default)]
pub struct JitterBuffer {
    packets: BTreeMap<u64, (Packet, Stamp)>,
    bytes: usize,
    /// The first sequence number that is not too late.
    next: u64,
}

impl JitterBuffer {
    /// Whether a packet is neither too late nor there already.
    pub fn accepts(&self, sequence: u64) -> bool {
        sequence >= self.next && !self.packets.contains_key(&sequence)
    }

    /// Keeps a packet until its turn.
    pub fn push(&mut self, packet: Packet, stamp: Stamp) {
        self.bytes += packet.payload.len();
        self.packets.insert(packet.sequence, (packet, stamp));
    }

    /// The next packet, if it came no later than `until_us`: what is missing before it will not
    /// come any more.
    pub fn pop(&mut self, until_us: i64) -> Option<(Packet, Stamp)> {
        let first = self.packets.first_entry()?;
        let crowded = self.bytes > MAX_BYTES;
        if first.get().1.arrival_us > until_us && !crowded && self.packets.len() <= MAX_PACKETS {
            return None;
        }
        let (sequence, (packet, stamp)) = self.packets.pop_first()?;
        self.bytes -= packet.payload.len();
        self.next = sequence.saturating_add(1);
        Some((packet, stamp))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{recorder::clock_sync::StreamClock, session::media::MediaKind};

    fn push(waiting: &mut JitterBuffer, sequence: u64, arrival_us: i64) -> bool {
        let accepted = waiting.accepts(sequence);
        if accepted {
            let packet = Packet {
                sequence,
                timestamp: 0,
                marker: true,
                payload: Arc::from(&[0; 1000][..]),
            };
            let stamp = StreamClock::default().arrived(MediaKind::Video, 0, arrival_us);
            waiting.push(packet, stamp);
        }
        accepted
    }

    fn pop_all(waiting: &mut JitterBuffer, until_us: i64) -> Vec<u64> {
        let popped = std::iter::from_fn(|| waiting.pop(until_us));
        popped.map(|(packet, _)| packet.sequence).collect()
    }

    #[test]
    fn packets_come_out_in_order_once_and_not_before_their_time() {
        let mut waiting = JitterBuffer::default();
        for (sequence, arrival_us) in [(7, 0), (9, 10), (8, 20), (11, 30)] {
            assert!(push(&mut waiting, sequence, arrival_us));
        }
        assert!(!push(&mut waiting, 9, 40), "it is there already");
        assert_eq!(pop_all(&mut waiting, 10), [7], "8 still waits, so 9 does");
        assert_eq!(pop_all(&mut waiting, 29), [8, 9]);
        assert!(!push(&mut waiting, 6, 50), "it is too late");
        assert!(push(&mut waiting, 10, 50));
        assert_eq!(pop_all(&mut waiting, i64::MAX), [10, 11]);
    }

    #[test]
    fn a_flood_does_not_wait() {
        let mut waiting = JitterBuffer::default();
        for sequence in 0..80_000 {
            push(&mut waiting, sequence, 0);
            pop_all(&mut waiting, -1);
        }
        assert!(waiting.packets.len() <= MAX_PACKETS && waiting.bytes <= MAX_BYTES);
        assert!(!waiting.packets.contains_key(&0));
    }

    #[test]
    fn the_last_sequence_number_of_all_is_one_too() {
        let mut waiting = JitterBuffer::default();
        assert!(push(&mut waiting, u64::MAX, 0));
        assert_eq!(pop_all(&mut waiting, 0), [u64::MAX]);
    }
}
