//! The sockets of a server: TCP for pages and UDP for media, on one port number.

use std::{
    io::ErrorKind,
    net::{SocketAddr, TcpListener},
};

use anyhow::{Context, anyhow, bail};

use crate::{config, sfu};

/// Attempts to find a port that is free for TCP and UDP, when the configuration leaves the choice to the system.
const PORT_ATTEMPTS: usize = 20;

/// Binds the sockets of pages and, if `with_media`, of the media workers.
pub(super) fn bind(
    network: &config::Network,
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
        match sfu::bind(port, workers, &network.public_address) {
            Ok(sockets) => return Ok((listener, Some(sockets))),
            Err(error) if error.kind() == ErrorKind::AddrInUse && attempts > 0 => {}
            Err(error) if error.kind() == ErrorKind::AddrInUse => {
                bail!(in_use("UDP", address, port))
            }
            Err(error) => return Err(error).context("listening for media"),
        }
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
