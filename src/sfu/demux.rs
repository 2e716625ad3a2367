//! Which peer a packet belongs to: by the address it comes from, and at first by the user name of
//! its STUN binding request (RFC 7983, RFC 8445 §7.2.2).

use std::net::SocketAddr;

use rustc_hash::FxHashMap;
use str0m::ice::StunMessage;

use super::router::PeerKey;

/// Addresses remembered for a peer; a phone that roams has a few.
const ADDRESSES_PER_PEER: usize = 8;

/// What a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    Stun,
    Dtls,
    Rtp,
    Unknown,
}

impl Class {
    /// By the first byte, as RFC 7983 §7 has it.
    pub fn of(packet: &[u8]) -> Class {
        match packet.first() {
            Some(0..=1) if packet.len() >= 20 => Class::Stun,
            Some(20..=63) => Class::Dtls,
            Some(128..=191) if packet.len() >= 12 => Class::Rtp,
            _ => Class::Unknown,
        }
    }
}

#[derive(Debug, Default)]
pub struct Demux {
    by_address: FxHashMap<SocketAddr, PeerKey>,
    by_ufrag: FxHashMap<String, PeerKey>,
    addresses: FxHashMap<PeerKey, Vec<SocketAddr>>,
}

impl Demux {
    /// The peer that `packet` may belong to. The second value: the address is not known yet, and
    /// shall be [`learn`](Demux::learn)ed if the peer answers.
    pub fn find(&self, source: SocketAddr, packet: &[u8]) -> Option<(PeerKey, bool)> {
        let known = self.by_address.get(&source).copied();
        match Class::of(packet) {
            Class::Unknown => None,
            // After a restart, or behind one NAT, an address may have changed hands.
            Class::Stun => match ufrag(packet).and_then(|ufrag| self.by_ufrag.get(ufrag)) {
                Some(&peer) => Some((peer, known != Some(peer))),
                None => known.map(|peer| (peer, false)),
            },
            Class::Dtls | Class::Rtp => known.map(|peer| (peer, false)),
        }
    }

    /// Takes packets from `source` for `peer` from now on. Only for addresses whose STUN request has
    /// passed the integrity check.
    pub fn learn(&mut self, source: SocketAddr, peer: PeerKey) {
        if self.by_address.insert(source, peer) == Some(peer) {
            return;
        }
        let addresses = self.addresses.entry(peer).or_default();
        addresses.push(source);
        if addresses.len() > ADDRESSES_PER_PEER {
            let oldest = addresses.remove(0);
            if self.by_address.get(&oldest) == Some(&peer) {
                self.by_address.remove(&oldest);
            }
        }
    }

    /// Expects STUN requests for `ufrag`, the local user fragment of `peer`, and no longer for `old`.
    pub fn expect(&mut self, old: &str, ufrag: &str, peer: PeerKey) {
        self.by_ufrag.remove(old);
        self.by_ufrag.insert(ufrag.to_owned(), peer);
    }

    /// Forgets a peer.
    pub fn remove(&mut self, ufrag: &str, peer: PeerKey) {
        self.by_ufrag.remove(ufrag);
        for address in self.addresses.remove(&peer).unwrap_or_default() {
            if self.by_address.get(&address) == Some(&peer) {
                self.by_address.remove(&address);
            }
        }
    }
}

/// The receiver's user fragment: requests say `receiver:sender`.
fn ufrag(packet: &[u8]) -> Option<&str> {
    let message = StunMessage::parse(packet).ok()?;
    if !message.is_binding_request() {
        return None;
    }
    Some(message.username()?.split_once(':')?.0)
}

#[cfg(test)]
mod tests {
    use str0m::ice::TransId;

    use super::*;

    fn binding_request(username: &str) -> Vec<u8> {
        let mut buffer = vec![0; 512];
        let message = StunMessage::binding_request(username, TransId::new(), true, 1, 1, false);
        let length = message
            .to_bytes(Some(b"secret"), &mut buffer, |_, _| [0; 20])
            .unwrap();
        buffer.truncate(length);
        buffer
    }

    const DTLS: [u8; 13] = [22; 13];
    const RTP: [u8; 12] = [128; 12];

    fn address(port: u16) -> SocketAddr {
        ([192, 0, 2, 1], port).into()
    }

    #[test]
    fn a_peer_is_found_by_its_name_and_then_by_its_address() {
        let mut demux = Demux::default();
        demux.expect("", "ours", 7);
        let request = binding_request("ours:theirs");
        assert_eq!(demux.find(address(1), &DTLS), None);
        assert_eq!(demux.find(address(1), &request), Some((7, true)));
        demux.learn(address(1), 7);
        assert_eq!(demux.find(address(1), &request), Some((7, false)));
        assert_eq!(demux.find(address(1), &DTLS), Some((7, false)));
        assert_eq!(demux.find(address(1), &RTP), Some((7, false)));
        assert_eq!(demux.find(address(2), &RTP), None);
    }

    #[test]
    fn packets_of_nobody_are_dropped() {
        let mut demux = Demux::default();
        demux.expect("", "ours", 7);
        demux.learn(address(1), 7);
        assert_eq!(demux.find(address(2), &binding_request("other:x")), None);
        assert_eq!(demux.find(address(1), &[]), None);
        assert_eq!(demux.find(address(1), &[0xff; 40]), None);
        assert_eq!(demux.find(address(2), &[0; 40]), None);
    }

    #[test]
    fn an_address_that_changed_hands_follows_the_name() {
        let mut demux = Demux::default();
        demux.expect("", "a", 1);
        demux.expect("", "b", 2);
        demux.learn(address(1), 1);
        assert_eq!(
            demux.find(address(1), &binding_request("b:x")),
            Some((2, true))
        );
        demux.learn(address(1), 2);
        demux.remove("a", 1);
        assert_eq!(demux.find(address(1), &RTP), Some((2, false)));
    }

    #[test]
    fn a_restart_renames_a_peer_and_leaving_forgets_it() {
        let mut demux = Demux::default();
        demux.expect("", "old", 1);
        demux.learn(address(1), 1);
        demux.expect("old", "new", 1);
        assert_eq!(demux.find(address(2), &binding_request("old:x")), None);
        assert_eq!(
            demux.find(address(2), &binding_request("new:x")),
            Some((1, true))
        );
        demux.remove("new", 1);
        assert_eq!(demux.find(address(1), &RTP), None);
        assert_eq!(demux.find(address(2), &binding_request("new:x")), None);
    }

    #[test]
    fn a_peer_has_a_few_addresses_at_most() {
        let mut demux = Demux::default();
        for port in 1..100 {
            demux.learn(address(port), 1);
        }
        assert_eq!(demux.by_address.len(), ADDRESSES_PER_PEER);
        assert_eq!(demux.find(address(99), &RTP), Some((1, false)));
        assert_eq!(demux.find(address(1), &RTP), None);
    }
}
