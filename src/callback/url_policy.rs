//! The URLs of webhooks: which ones events may go to.
//!
//! The owner of an API key chooses URLs that this server then requests. Events go to the public internet only, unless the operator
//! allows private addresses: otherwise a key would reach the machines behind the server's firewall (server-side request forgery). A
//! host name proves nothing, so the client checks the resolved addresses (`client.rs`). The same rule says whether receivers reach
//! this server by the address at which it listens.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::Url;

/// The most characters of a URL.
const MAX_URL: usize = 2048;

/// The reason why events cannot go to a URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    #[error(
        "the url of a callback must be an http or https address, as in https://example.org/events"
    )]
    NotWeb,
    #[error("the url of a callback must not have a name and a password in it")]
    Credentials,
    #[error("the url of a callback has at most {MAX_URL} characters")]
    TooLong,
    /// The host, or every address of the host name, is private.
    #[error(
        "{0} is not on the public internet: events go to private addresses only if the operator starts the server with \
         --callback-allow-private"
    )]
    Private(String),
}

/// Checks the URL itself, without resolving its host name.
///
/// # Errors
/// [`UrlError`] has a message for the caller who gave the URL.
pub fn check_url(text: &str, allow_private: bool) -> Result<(), UrlError> {
    if text.chars().count() > MAX_URL {
        return Err(UrlError::TooLong);
    }
    // The parser drops some of these.
    if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(UrlError::NotWeb);
    }
    let url = Url::parse(text).map_err(|_| UrlError::NotWeb)?;
    let host = url.host_str().unwrap_or_default();
    if !["http", "https"].contains(&url.scheme()) || host.is_empty() {
        return Err(UrlError::NotWeb);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(UrlError::Credentials);
    }
    // The parser has normalized every notation of an IPv4 address.
    let literal = host.trim_matches(['[', ']']).parse::<IpAddr>();
    let is_private = match literal {
        Ok(address) => !is_public(address),
        Err(_) => is_local(host),
    };
    if is_private && !allow_private {
        return Err(UrlError::Private(host.to_owned()));
    }
    Ok(())
}

/// Whether a host name means this machine (RFC 6761).
fn is_local(host: &str) -> bool {
    let host = host.trim_end_matches('.');
    host == "localhost" || host.ends_with(".localhost")
}

/// Returns the URL under which receivers reach a server that listens at this address.
///
/// `None`: the address is unspecified (0.0.0.0), or it is private and receivers are on the public internet.
pub fn reached_at(listening: SocketAddr, allow_private: bool) -> Option<String> {
    let ip = listening.ip();
    let is_reached = is_public(ip) || allow_private && !ip.to_canonical().is_unspecified();
    is_reached.then(|| format!("http://{listening}"))
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

    #[test]
    fn an_address_is_a_public_one_of_the_web_without_credentials() {
        for good in [
            "https://example.org/events",
            "http://example.org:8080/a?b=c",
            "https://1.1.1.1/",
            "https://[2606:4700:4700::1111]/",
            "https://b\u{fc}cher.example",
        ] {
            assert_eq!(check_url(good, false), Ok(()), "{good}");
        }
        for (wrong, error) in [
            ("", UrlError::NotWeb),
            ("example.org", UrlError::NotWeb),
            ("ftp://example.org/", UrlError::NotWeb),
            ("file:///etc/passwd", UrlError::NotWeb),
            ("https://", UrlError::NotWeb),
            ("https:// example.org/", UrlError::NotWeb),
            ("https://exam\tple.org/", UrlError::NotWeb),
            ("https://example.org/\n", UrlError::NotWeb),
            ("https://user@example.org/", UrlError::Credentials),
            ("https://:word@example.org/", UrlError::Credentials),
        ] {
            assert_eq!(check_url(wrong, true), Err(error), "{wrong}");
        }
        let long = format!("https://example.org/{}", "x".repeat(MAX_URL));
        assert_eq!(check_url(&long, true), Err(UrlError::TooLong));
    }

    #[test]
    fn links_lead_to_addresses_that_receivers_can_use() {
        for (listening, public, private) in [
            ("0.0.0.0:8080", false, false),
            ("[::]:8080", false, false),
            ("[::ffff:0.0.0.0]:8080", false, false),
            ("127.0.0.1:8080", false, true),
            ("[::1]:8080", false, true),
            ("192.168.1.7:8080", false, true),
            ("9.9.9.9:8080", true, true),
            ("[2606:4700:4700::1111]:8080", true, true),
        ] {
            let address = listening.parse().unwrap();
            for (allow_private, is_reached) in [(false, public), (true, private)] {
                let link = is_reached.then(|| format!("http://{listening}"));
                assert_eq!(reached_at(address, allow_private), link, "{listening}");
            }
        }
    }

    #[test]
    fn private_addresses_are_refused_however_they_are_written() {
        for private in [
            "http://127.0.0.1:8080/",
            "http://127.1/",
            "http://2130706433/",
            "http://0x7f000001/",
            "http://0177.0.0.1/",
            "http://127.0.0.1./",
            "http://0/",
            "http://192.168.1.1/",
            "http://169.254.169.254/latest/meta-data",
            "http://[::1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://[::ffff:8.8.8.8]/",
            "http://[fe80::1]/",
            "http://[fd00::1]/",
            "http://localhost:3000/",
            "http://LOCALHOST/",
            "http://localhost./",
            "http://some.localhost/",
            "http://\u{ff11}27.0.0.1/",
        ] {
            let refused = check_url(private, false);
            assert!(
                matches!(refused, Err(UrlError::Private(_))),
                "{private}: {refused:?}"
            );
            assert_eq!(check_url(private, true), Ok(()), "{private}");
        }
    }
}
