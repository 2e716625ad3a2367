//! The sockets of a server: TCP for pages and UDP for media, on one port number.

use std::{
    io::ErrorKind,
    net::{IpAddr, SocketAddr, TcpListener},
};

use anyhow::{Context, anyhow, bail};

use crate::{config, sfu};

/// Attempts to find a port that is free for TCP and UDP, when the configuration leaves the choice to the system.
const PORT_ATTEMPTS: usize = 20;

/// Binds the sockets of pages and, if `with_media`, of the media workers.
pub(super) fn bind(
    network: &config::NetworkConfig,
    with_media: bool,
) -> anyhow::Result<(TcpListener, Option<Vec<sfu::WorkerSockets>>)> {
    let workers = media_workers(network.media_workers)?;
    let address = network.listen;
    let mut attempts = if address.port() == 0 {
        PORT_ATTEMPTS
    } else {
        1
    };
    loop {
        attempts -= 1;
        let listener = TcpListener::bind(address).map_err(|error| match error.kind() {
            ErrorKind::AddrInUse => in_use("TCP", address, address.port()),
            _ => anyhow!("listening on {address}: {error}"),
        })?;
        if !with_media {
            return Ok((listener, None));
        }
        let port = listener.local_addr()?.port();
        match sfu::bind(
            port,
            workers,
            &media_addresses(network),
            &network.public_address,
        ) {
            Ok(sockets) => return Ok((listener, Some(sockets))),
            Err(error) if error.kind() == ErrorKind::AddrInUse && attempts > 0 => {}
            Err(error) if error.kind() == ErrorKind::AddrInUse => {
                bail!(in_use("UDP", address, port))
            }
            Err(error) => return Err(error).context("listening for media"),
        }
    }
}

/// The local addresses of media; none: all of them. Behind a proxy on this machine only pages are on the loopback: media come
/// from elsewhere without the proxy.
fn media_addresses(network: &config::NetworkConfig) -> Vec<IpAddr> {
    let listen = network.listen.ip();
    let behind_proxy = listen.is_loopback() && network.public_url.is_some();
    if !network.media_address.is_empty() {
        network.media_address.clone()
    } else if listen.is_unspecified() || behind_proxy {
        Vec::new()
    } else {
        vec![listen]
    }
}

/// The number of media workers; the default leaves one core of four or more to pages and recordings.
fn media_workers(configured: usize) -> anyhow::Result<u16> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let workers = match configured {
        0 if cores < 4 => 1,
        0 => cores - 1,
        given => given,
    };
    u16::try_from(workers).context("--media-workers is too large")
}

fn in_use(protocol: &str, address: SocketAddr, port: u16) -> anyhow::Error {
    anyhow!(
        "port {port} is in use ({protocol}): stop the other program, or choose another port with --listen {}:{}",
        address.ip(),
        port.wrapping_add(1).max(1024)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn media_follow_the_listening_address() {
        for (listen, public_url, given, expected) in [
            ("127.0.0.1:8080", None, "", "127.0.0.1"),
            ("192.0.2.1:8080", None, "", "192.0.2.1"),
            (
                "192.0.2.1:8080",
                Some("https://meet.example"),
                "",
                "192.0.2.1",
            ),
            ("0.0.0.0:8080", None, "", ""),
            ("[::]:8080", None, "", ""),
            ("127.0.0.1:8080", Some("https://meet.example"), "", ""),
            ("0.0.0.0:8080", None, "192.0.2.7", "192.0.2.7"),
        ] {
            let mut network = Config::default().network;
            network.listen = listen.parse().unwrap();
            network.public_url = public_url.map(str::to_owned);
            network.media_address = given.parse().into_iter().collect();
            let expected: Vec<IpAddr> = expected.parse().into_iter().collect();
            assert_eq!(
                media_addresses(&network),
                expected,
                "{listen} {public_url:?}"
            );
        }
    }
}
