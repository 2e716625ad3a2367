//! Where a track's packets wait for those that are late, and come out in order.

use std::collections::BTreeMap;

use super::{clock::Stamp, journal::Packet};

/// More than eight seconds of the fastest stream; beyond it the oldest go on without waiting.
const MAX_PACKETS: usize = 65_536;
const MAX_BYTES: usize = 64 * 1024 * 1024;

/// Packets by their sequence number.
#[derive(Default)]
pub struct Waiting {
    packets: BTreeMap<u64, (Packet, Stamp)>,
    bytes: usize,
    /// The first sequence number that is not too late.
    next: u64,
}

impl Waiting {
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
