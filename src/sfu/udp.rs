//! Packets in and out of the kernel, many at a time.
//!
//! A frame for one receiver is mostly packets of equal size. The kernel takes such a run as one
//! message (`UDP_SEGMENT`, "GSO") for little more than the price of one packet.

use std::{
    io::{self, IoSlice, IoSliceMut},
    net::SocketAddr,
    os::fd::AsRawFd,
};

use nix::{
    errno::Errno,
    sys::socket::{ControlMessage, MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg, sendmsg},
};
use tracing::{debug, info};

/// Packets taken in by one call.
const BATCH: usize = 64;
/// No packet of a browser is longer: they keep to an MTU of 1,500.
const MAX_PACKET: usize = 2_048;
/// Linux: `UDP_MAX_SEGMENTS`, and the largest datagram.
const MAX_SEGMENTS: usize = 64;
const MAX_MESSAGE: usize = 65_000;

/// A socket of one worker.
#[derive(Debug)]
pub struct Socket {
    pub io: mio::net::UdpSocket,
    /// The address it is bound to, which is the advertised candidate.
    pub address: SocketAddr,
}

/// Room for the packets of one call, reused.
pub struct Inbox {
    buffers: Vec<[u8; MAX_PACKET]>,
    /// Whom they came from, and how long they are.
    packets: Vec<(SocketAddr, usize)>,
    /// One per socket: the kernel writes addresses of the socket's family into it.
    headers: Vec<MultiHeaders<SockaddrStorage>>,
}

impl Inbox {
    pub fn new(sockets: usize) -> Inbox {
        Inbox {
            buffers: vec![[0; MAX_PACKET]; BATCH],
            packets: Vec::with_capacity(BATCH),
            headers: (0..sockets)
                .map(|_| MultiHeaders::preallocate(BATCH, None))
                .collect(),
        }
    }

    /// Makes room for the headers of one more socket.
    pub fn add_socket(&mut self) {
        self.headers.push(MultiHeaders::preallocate(BATCH, None));
    }

    /// Takes in what has arrived; false when there is no more.
    pub fn receive(&mut self, index: usize, socket: &Socket) -> bool {
        self.packets.clear();
        let Some(headers) = self.headers.get_mut(index) else {
            return false;
        };
        let mut slices: Vec<[IoSliceMut<'_>; 1]> = self
            .buffers
            .iter_mut()
            .map(|buffer| [IoSliceMut::new(buffer)])
            .collect();
        let fd = socket.io.as_raw_fd();
        match recvmmsg(fd, headers, slices.iter_mut(), MsgFlags::MSG_DONTWAIT, None) {
            Ok(messages) => {
                for message in messages {
                    let source = message.address.and_then(|address| to_std(&address));
                    // Truncated or not from the internet: of length 0, which nobody takes.
                    let length = match message.flags.contains(MsgFlags::MSG_TRUNC) {
                        true => 0,
                        false => message.bytes,
                    };
                    match source {
                        Some(source) => self.packets.push((source, length)),
                        None => self.packets.push((socket.address, 0)),
                    }
                }
            }
            Err(Errno::EAGAIN) => return false,
            // Reports of packets that could not be delivered; the next call goes on.
            Err(error) => debug!("A socket reports: {error}"),
        }
        true
    }

    /// The packets of the last call.
    pub fn packets(&self) -> impl Iterator<Item = (SocketAddr, &[u8])> {
        self.packets
            .iter()
            .zip(&self.buffers)
            .map(|(&(source, length), buffer)| (source, buffer.get(..length).unwrap_or_default()))
    }

    pub fn is_full(&self) -> bool {
        self.packets.len() == BATCH
    }
}

fn to_std(address: &SockaddrStorage) -> Option<SocketAddr> {
    if let Some(v4) = address.as_sockaddr_in() {
        return Some(SocketAddr::V4((*v4).into()));
    }
    address
        .as_sockaddr_in6()
        .map(|v6| SocketAddr::V6((*v6).into()))
}

/// A packet on its way out.
#[derive(Debug)]
struct Packet {
    socket: usize,
    to: SocketAddr,
    bytes: Vec<u8>,
}

/// The packets of one turn of the loop, sent together at its end.
#[derive(Debug)]
pub struct SendQueue {
    queue: Vec<Packet>,
    /// False once the kernel has refused runs.
    runs: bool,
    pub sent: u64,
    /// The kernel's buffer was full, or there was no way: repaired by retransmission.
    pub dropped: u64,
}

impl SendQueue {
    pub fn new() -> SendQueue {
        SendQueue {
            queue: Vec::new(),
            runs: true,
            sent: 0,
            dropped: 0,
        }
    }

    pub fn push(&mut self, socket: usize, to: SocketAddr, bytes: Vec<u8>) {
        self.queue.push(Packet { socket, to, bytes });
    }

    /// Sends everything.
    pub fn flush(&mut self, sockets: &[Socket]) {
        let queue = std::mem::take(&mut self.queue);
        let mut rest = &queue[..];
        while !rest.is_empty() {
            let length = if self.runs { run(rest) } else { 1 };
            let (now, later) = rest.split_at(length);
            rest = later;
            let Some(socket) = sockets.get(now[0].socket) else {
                continue;
            };
            match send(socket, now) {
                Ok(()) => self.sent += length as u64,
                Err(error) if length > 1 && refuses_runs(error) => {
                    info!("The kernel takes no runs of packets ({error}); sending one by one");
                    self.runs = false;
                    for packet in now {
                        self.one(socket, packet);
                    }
                }
                Err(_) => self.dropped += length as u64,
            }
        }
        self.queue = queue;
        self.queue.clear();
    }

    fn one(&mut self, socket: &Socket, packet: &Packet) {
        match send(socket, std::slice::from_ref(packet)) {
            Ok(()) => self.sent += 1,
            Err(_) => self.dropped += 1,
        }
    }
}

/// How many packets at the head of the queue form a run: same way, same size, but for a shorter one
/// at the end.
fn run(queue: &[Packet]) -> usize {
    let Some(first) = queue.first() else {
        return 0;
    };
    let size = first.bytes.len();
    let mut length = 1;
    for packet in queue.iter().take(MAX_SEGMENTS).skip(1) {
        let fits = (packet.socket, packet.to) == (first.socket, first.to)
            && packet.bytes.len() <= size
            && (length + 1) * size <= MAX_MESSAGE;
        if !fits {
            break;
        }
        length += 1;
        if packet.bytes.len() < size {
            break;
        }
    }
    length
}

fn refuses_runs(error: Errno) -> bool {
    matches!(
        error,
        Errno::EINVAL | Errno::EIO | Errno::EMSGSIZE | Errno::ENOPROTOOPT | Errno::EOPNOTSUPP
    )
}

fn send(socket: &Socket, packets: &[Packet]) -> Result<(), Errno> {
    let Some(first) = packets.first() else {
        return Ok(());
    };
    let to = SockaddrStorage::from(first.to);
    let fd = socket.io.as_raw_fd();
    let flags = MsgFlags::MSG_DONTWAIT;
    if packets.len() == 1 {
        sendmsg(fd, &[IoSlice::new(&first.bytes)], &[], flags, Some(&to))?;
        return Ok(());
    }
    let mut slices = [IoSlice::new(&[]); MAX_SEGMENTS];
    for (slice, packet) in slices.iter_mut().zip(packets) {
        *slice = IoSlice::new(&packet.bytes);
    }
    let size = u16::try_from(first.bytes.len()).map_err(|_| Errno::EMSGSIZE)?;
    let segments = ControlMessage::UdpGsoSegments(&size);
    let slices = slices.get(..packets.len()).unwrap_or_default();
    sendmsg(fd, slices, &[segments], flags, Some(&to))?;
    Ok(())
}

/// Makes a bound socket ready for a worker's loop.
pub fn adopt(socket: std::net::UdpSocket) -> io::Result<Socket> {
    socket.set_nonblocking(true)?;
    Ok(Socket {
        address: socket.local_addr()?,
        io: mio::net::UdpSocket::from_std(socket),
    })
}

#[cfg(test)]
mod tests {
    use std::{net::UdpSocket, time::Duration};

    use super::*;

    fn packet(to: SocketAddr, length: usize) -> Packet {
        Packet {
            socket: 0,
            to,
            bytes: vec![u8::try_from(length % 251).unwrap(); length],
        }
    }

    #[test]
    fn a_run_is_one_way_one_size_and_a_shorter_end() {
        let (a, b): (SocketAddr, SocketAddr) = (
            "127.0.0.1:1".parse().unwrap(),
            "127.0.0.1:2".parse().unwrap(),
        );
        let runs = |packets: &[(SocketAddr, usize)]| {
            let queue: Vec<Packet> = packets.iter().map(|&(to, n)| packet(to, n)).collect();
            run(&queue)
        };
        assert_eq!(runs(&[(a, 100), (a, 100), (a, 50), (a, 50)]), 3);
        assert_eq!(runs(&[(a, 100), (b, 100)]), 1);
        assert_eq!(runs(&[(a, 100), (a, 101)]), 1);
        assert_eq!(runs(&vec![(a, 100); 100]), MAX_SEGMENTS);
        assert_eq!(runs(&vec![(a, 1_200); 100]), MAX_MESSAGE / 1_200);
    }

    #[test]
    fn runs_arrive_as_the_packets_they_were() {
        let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
        receiver
            .set_read_timeout(Some(Duration::from_secs(5)))
            .unwrap();
        let to = receiver.local_addr().unwrap();
        let sockets = [adopt(UdpSocket::bind("127.0.0.1:0").unwrap()).unwrap()];
        for runs in [true, false] {
            let mut send_queue = SendQueue::new();
            send_queue.runs = runs;
            let lengths = [1_100, 1_100, 1_100, 300, 20, 1_200];
            for length in lengths {
                send_queue.push(0, to, packet(to, length).bytes);
            }
            send_queue.flush(&sockets);
            assert_eq!((send_queue.sent, send_queue.dropped), (6, 0));
            let mut buffer = [0; 2_048];
            let received = lengths.map(|_| receiver.recv(&mut buffer).unwrap());
            assert_eq!(received, lengths);
        }
    }

    #[test]
    fn batches_are_taken_in_with_their_senders() {
        let ours = adopt(UdpSocket::bind("127.0.0.1:0").unwrap()).unwrap();
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        for length in 1..=10 {
            sender.send_to(&vec![7; length], ours.address).unwrap();
        }
        let mut inbox = Inbox::new(1);
        assert!(inbox.receive(0, &ours));
        let lengths: Vec<usize> = inbox
            .packets()
            .map(|(from, bytes)| {
                assert_eq!(from, sender.local_addr().unwrap());
                bytes.len()
            })
            .collect();
        assert_eq!(lengths, (1..=10).collect::<Vec<_>>());
        assert!(!inbox.receive(0, &ours));
    }
}
