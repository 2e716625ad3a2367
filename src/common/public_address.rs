//! The rule which addresses are on the public internet.
//!
//! Requests to URLs that others choose go to these only, because they would otherwise reach the machines behind the server's
//! firewall (server-side request forgery).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether the host of a parsed URL is private by itself: a private address, or a name of this machine. Any other host name has to be
/// resolved.
pub fn is_private_host(host: &str) -> bool {
    // The URL parser has normalized every notation of an IPv4 address.
    match host.trim_matches(['[', ']']).parse::<IpAddr>() {
        Ok(address) => !is_public(address),
        Err(_) => is_local(host),
    }
}

/// Whether a host name means this machine (RFC 6761).
fn is_local(host: &str) -> bool {
    let host = host.trim_end_matches('.');
    host == "localhost" || host.ends_with(".localhost")
}

/// Whether an address is a public unicast address, by IANA's special-purpose address registries.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !matches!(
        (a, b, c),
        (0 | 10 | 127, _, _)            // this network, private, loopback
            | (100, 64..=127, _)        // carriers' NAT
            | (169, 254, _)             // link-local; clouds serve their metadata here
            | (172, 16..=31, _)         // private
            | (192, 0, 0 | 2)           // protocols, documentation
            | (192, 31, 196)            // AS112
            | (192, 52, 193)            // AMT
            | (192, 88, 99)             // 6to4 relays
            | (192, 168, _)             // private
            | (192, 175, 48)            // AS112
            | (198, 18 | 19, _)         // benchmarks
            | (198, 51, 100)            // documentation
            | (203, 0, 113)             // documentation
            | (224.., _, _) // multicast, reserved, broadcast
    )
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    match address.segments() {
        // IPv4 addresses embedded for translation (RFC 6052), which IPv6-only networks use.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            let [a, b] = high.to_be_bytes();
            let [c, d] = low.to_be_bytes();
            is_public_v4(Ipv4Addr::new(a, b, c, d))
        }
        // Protocols (Teredo carries IPv4), documentation, 6to4 (carries IPv4), documentation again.
        [0x2001, 0..=0x01ff, ..]
        | [0x2001, 0x0db8, ..]
        | [0x2002, ..]
        | [0x3fff, 0..=0x0fff, ..] => false,
        // Global unicast. Everything else is local, multicast or an embedded IPv4 address.
        [0x2000..=0x3fff, ..] => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn is_public_text(text: &str) -> bool {
        is_public(text.parse().expect(text))
    }

    #[test]
    fn addresses_of_the_public_internet_are_told_from_all_others() {
        for public in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "169.253.1.1",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.1",
            "192.167.1.1",
            "198.17.1.1",
            "198.20.0.0",
            "223.255.255.255",
            "2606:4700:4700::1111",
            "2001:200::1",
            "2a00:1450:4001::1",
            "64:ff9b::101:101",
        ] {
            assert!(is_public_text(public), "{public}");
        }
        for other in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.7",
            "224.0.0.1",
            "239.1.1.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:1.1.1.1",
            "::ffff:0:1.1.1.1",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::101:101",
            "100::1",
            "2001::1",
            "2001:2::1",
            "2001:20::1",
            "2001:db8::1",
            "2002:7f00:1::1",
            "2002:101:101::1",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!is_public_text(other), "{other}");
        }
    }

    proptest! {
        #[test]
        fn no_disguise_makes_an_address_public(bits: u32) {
            let plain = Ipv4Addr::from_bits(bits);
            let low = u128::from(bits);
            let compatible = Ipv6Addr::from_bits(low);
            let mapped = plain.to_ipv6_mapped();
            let sixtofour = Ipv6Addr::from_bits((0x2002 << 112) | (low << 80) | 1);
            let teredo = Ipv6Addr::from_bits((0x2001 << 112) | u128::from(!bits));
            for disguise in [compatible, mapped, sixtofour, teredo] {
                prop_assert!(!is_public_v6(disguise), "{disguise}");
            }
            let translated = Ipv6Addr::from_bits((0x0064_ff9b << 96) | low);
            prop_assert_eq!(is_public_v6(translated), is_public_v4(plain));
            // What the standard library knows to be private is so here.
            let is_known = plain.is_private() || plain.is_loopback() || plain.is_link_local()
                || plain.is_multicast() || plain.is_broadcast() || plain.is_documentation()
                || plain.is_unspecified();
            prop_assert!(!(is_known && is_public_v4(plain)), "{plain}");
        }
    }
}
