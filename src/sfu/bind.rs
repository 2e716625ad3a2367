//! The machine's addresses, and a UDP socket on each.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket},
};

use tracing::warn;

/// Kernel buffer of each socket, bytes. A burst of key frames fits.
const SOCKET_BUFFER: usize = 8 * 1024 * 1024;

/// The sockets of one worker, and what it advertises.
#[derive(Debug, Default)]
pub struct WorkerSockets {
    /// Bound to one address each (never to "any"): a reply must leave from where the request came.
    pub sockets: Vec<UdpSocket>,
    /// Addresses a router in front of this machine maps to it, one to one.
    pub public: Vec<SocketAddr>,
    /// Whether addresses that this machine gets later are bound, too (Wi-Fi, DHCP, VPN).
    pub follows_addresses: bool,
}

/// Binds sockets for `workers` workers on each of `addresses`: worker `i` on `port + i` (with port 0: on any). No addresses: 127.0.0.1 and
/// every address of this machine that peers can reach.
///
/// `public_addresses`, of routers that pass packets on to this machine, are advertised as well.
///
/// # Errors
/// When a port is in use, or no address can be bound at all.
pub fn bind(
    port: u16,
    workers: u16,
    addresses: &[IpAddr],
    public_addresses: &[IpAddr],
) -> io::Result<Vec<WorkerSockets>> {
    let follows_addresses = addresses.is_empty();
    let addresses = match addresses {
        [] => local_addresses(),
        given => given.to_vec(),
    };
    (0..workers.max(1))
        .map(|worker| {
            let port = match port {
                0 => 0,
                _ => port.checked_add(worker).ok_or_else(|| {
                    io::Error::new(io::ErrorKind::InvalidInput, "there is no port above 65535")
                })?,
            };
            let mut bound = bind_worker(port, &addresses, public_addresses)?;
            bound.follows_addresses = follows_addresses;
            Ok(bound)
        })
        .collect()
}

fn bind_worker(
    port: u16,
    addresses: &[IpAddr],
    public_addresses: &[IpAddr],
) -> io::Result<WorkerSockets> {
    let mut bound = WorkerSockets::default();
    let mut chosen = port;
    for &address in addresses {
        match bind_socket(SocketAddr::new(address, chosen)) {
            Ok(socket) => {
                chosen = socket.local_addr()?.port();
                bound.sockets.push(socket);
            }
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => return Err(error),
            // An interface may be going down, or IPv6 be half configured.
            Err(error) => warn!("Media does not listen on one of the addresses: {error}"),
        }
    }
    if bound.sockets.is_empty() {
        return Err(io::Error::new(
            io::ErrorKind::AddrNotAvailable,
            "no local address can be bound for media",
        ));
    }
    bound.public = public_addresses
        .iter()
        .map(|address| SocketAddr::new(*address, chosen))
        .collect();
    Ok(bound)
}

/// Binds a socket with large buffers.
pub(super) fn bind_socket(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind(address)?;
    enlarge(&socket);
    Ok(socket)
}

/// 127.0.0.1 and every address of this machine that peers can reach.
pub(super) fn local_addresses() -> Vec<IpAddr> {
    let mut addresses = vec![IpAddr::V4(Ipv4Addr::LOCALHOST)];
    let interfaces = if_addrs::get_if_addrs().unwrap_or_else(|error| {
        warn!("The machine's addresses cannot be listed: {error}");
        Vec::new()
    });
    for interface in interfaces {
        let address = interface.ip();
        let reachable = match address {
            IpAddr::V4(v4) => !v4.is_link_local(),
            IpAddr::V6(v6) => !v6.is_unicast_link_local(),
        };
        if reachable && !address.is_loopback() && !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    addresses
}

/// As large as the system allows (`net.core.rmem_max`).
fn enlarge(socket: &UdpSocket) {
    use nix::sys::socket::{setsockopt, sockopt};
    let _ = setsockopt(socket, sockopt::RcvBuf, &SOCKET_BUFFER);
    let _ = setsockopt(socket, sockopt::SndBuf, &SOCKET_BUFFER);
    let _ = setsockopt(socket, sockopt::RcvBufForce, &SOCKET_BUFFER);
    let _ = setsockopt(socket, sockopt::SndBufForce, &SOCKET_BUFFER);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_worker_has_a_port_of_its_own_on_every_address() {
        let workers = bind(0, 2, &[], &["203.0.113.9".parse().unwrap()]).unwrap();
        let ports: Vec<u16> = workers
            .iter()
            .map(|worker| {
                let mut ports = worker
                    .sockets
                    .iter()
                    .map(|s| s.local_addr().unwrap().port());
                let first = ports.next().unwrap();
                assert!(ports.all(|port| port == first));
                assert_eq!(worker.public, [SocketAddr::from(([203, 0, 113, 9], first))]);
                first
            })
            .collect();
        assert_ne!(ports[0], ports[1]);
    }

    #[test]
    fn only_the_given_addresses_are_bound() {
        let addresses = ["127.0.0.1", "127.0.0.2"].map(|text| text.parse().unwrap());

        let workers = bind(0, 2, &addresses, &[]).unwrap();

        for worker in workers {
            let bound = worker.sockets.iter();
            let bound: Vec<_> = bound.map(|s| s.local_addr().unwrap().ip()).collect();
            assert_eq!(bound, addresses);
        }
    }

    #[test]
    fn a_port_in_use_is_an_error() {
        let first = bind(0, 1, &[], &[]).unwrap();
        let port = first[0].sockets[0].local_addr().unwrap().port();
        let error = bind(port, 1, &[], &[]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }
}
