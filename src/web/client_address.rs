//! The address of a client, also behind reverse proxies.

use std::net::{IpAddr, SocketAddr};

use actix_web::{HttpRequest, http::header::HeaderMap};

use crate::{app::App, common::trusted_proxies::TrustedProxies};

/// The address of the client that sent the request: the peer's, or the rightmost address in `X-Forwarded-For` or `Forwarded`
/// (RFC 7239) that a trusted proxy wrote. `None`: the connection has no peer address.
pub fn client_address(request: &HttpRequest, app: &App) -> Option<IpAddr> {
    let peer = request.peer_addr()?.ip();
    Some(resolve(
        peer,
        request.headers(),
        &app.config.network.trusted_proxies,
    ))
}

fn resolve(peer: IpAddr, headers: &HeaderMap, trusted: &TrustedProxies) -> IpAddr {
    let peer = peer.to_canonical();
    if !trusted.contains(peer) {
        return peer;
    }
    let list = |name, parse: fn(&str) -> Option<IpAddr>| {
        let values = headers
            .get_all(name)
            .filter_map(|value| value.to_str().ok());
        let items: Vec<_> = values.flat_map(|value| value.split(',')).collect();
        (!items.is_empty()).then(|| rightmost(peer, &items, parse, trusted))
    };
    let legacy = list("x-forwarded-for", parse_address);
    let standard = list("forwarded", parse_forwarded);
    match (legacy, standard) {
        (Some(one), Some(other)) if one == other => one,
        // A proxy writes one of the two, and passes on what a client wrote into the other.
        (Some(_), Some(_)) | (None, None) => peer,
        (Some(one), None) | (None, Some(one)) => one,
    }
}

/// Each proxy appends the address that it saw. Items are read from the right as long as the one who wrote them is trusted.
fn rightmost(
    peer: IpAddr,
    items: &[&str],
    parse: fn(&str) -> Option<IpAddr>,
    trusted: &TrustedProxies,
) -> IpAddr {
    let mut client = peer;
    for item in items.iter().rev() {
        if !trusted.contains(client) {
            break;
        }
        let Some(address) = parse(item.trim()) else {
            break;
        };
        client = address;
    }
    client
}

/// An address, with or without a port and brackets.
fn parse_address(text: &str) -> Option<IpAddr> {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    let address = bare.parse::<IpAddr>().ok();
    let address = address.or_else(|| text.parse::<SocketAddr>().ok().map(|addr| addr.ip()))?;
    Some(address.to_canonical())
}

/// The `for` of one element of `Forwarded`.
fn parse_forwarded(element: &str) -> Option<IpAddr> {
    let mut pairs = element.split(';').filter_map(|pair| pair.split_once('='));
    let (_, node) = pairs.find(|(name, _)| name.trim().eq_ignore_ascii_case("for"))?;
    parse_address(node.trim().trim_matches('"'))
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};

    use super::*;

    fn client(peer: &str, headers: &[(&str, &str)]) -> String {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name: HeaderName = name.parse().unwrap();
            map.append(name, HeaderValue::from_str(value).unwrap());
        }
        let trusted: TrustedProxies = "127.0.0.0/8,::1,10.1.0.0/16".parse().unwrap();
        resolve(peer.parse().unwrap(), &map, &trusted).to_string()
    }

    #[test]
    fn only_what_a_trusted_proxy_wrote_is_believed() {
        for (peer, header, expected) in [
            ("127.0.0.1", "203.0.113.5", "203.0.113.5"),
            // The client wrote the left one.
            ("127.0.0.1", "1.2.3.4, 203.0.113.5", "203.0.113.5"),
            ("127.0.0.1", "1.2.3.4, 203.0.113.5, 10.1.2.3", "203.0.113.5"),
            ("127.0.0.1", "10.1.0.9, 203.0.113.5", "203.0.113.5"),
            ("::ffff:127.0.0.1", "203.0.113.5:4711", "203.0.113.5"),
            ("::1", "[2001:db8::5]:80", "2001:db8::5"),
            ("::1", "2001:db8::5", "2001:db8::5"),
            // No proxy of ours.
            ("203.0.113.9", "1.2.3.4", "203.0.113.9"),
            ("127.0.0.1", "made-up", "127.0.0.1"),
            ("127.0.0.1", "1.2.3.4, unknown", "127.0.0.1"),
            ("127.0.0.1", "", "127.0.0.1"),
        ] {
            assert_eq!(
                client(peer, &[("x-forwarded-for", header)]),
                expected,
                "{header}"
            );
        }
    }

    #[test]
    fn the_standard_header_is_read_alike_and_a_contradiction_is_not_believed() {
        let standard = |value| client("127.0.0.1", &[("forwarded", value)]);
        assert_eq!(standard("for=203.0.113.5;proto=https"), "203.0.113.5");
        assert_eq!(
            standard("for=1.2.3.4, By=x;For=\"[2001:db8::5]:80\""),
            "2001:db8::5"
        );
        assert_eq!(standard("for=_hidden"), "127.0.0.1");
        assert_eq!(standard("proto=https"), "127.0.0.1");
        let lines = [
            ("x-forwarded-for", "1.2.3.4"),
            ("x-forwarded-for", "203.0.113.5"),
        ];
        assert_eq!(client("127.0.0.1", &lines), "203.0.113.5");
        let both = [
            ("x-forwarded-for", "203.0.113.5"),
            ("forwarded", "for=1.2.3.4"),
        ];
        assert_eq!(client("127.0.0.1", &both), "127.0.0.1");
        let both = [
            ("x-forwarded-for", "203.0.113.5"),
            ("forwarded", "for=203.0.113.5"),
        ];
        assert_eq!(client("127.0.0.1", &both), "203.0.113.5");
    }
}
