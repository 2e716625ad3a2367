//! A worker's thread: the only place of the media engine that reads the clock and touches sockets.
//!
//! One turn: wait; carry out commands; take in packets; do what is due; let the peers that were
//! written to encrypt; send everything.

#![expect(
    clippy::disallowed_methods,
    reason = "this thread is the rim that reads the clock for the engine"
)]

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::Receiver,
    },
    time::{Duration, Instant},
};

use mio::{Events, Interest, Poll, Token};
use tokio::sync::mpsc::{Sender, error::TrySendError};
use tracing::{debug, info, warn};

use super::{
    bind::{bind_socket, local_addresses},
    engine::Engine,
    udp::{self, Inbox, Socket},
};
use crate::{
    opentok::SessionId,
    session::media::{EngineCommand, EngineEvent},
};

pub const WAKER: Token = Token(usize::MAX);
/// Commands carried out in one turn.
const COMMANDS: usize = 64;
/// Calls for packets on one socket in one turn.
const BATCHES: usize = 4;
/// How long the rest of a frame is waited for. The packets of a burst come within microseconds, and
/// what comes later is for the next turn.
const GATHER: Duration = Duration::from_micros(150);
/// Peers whose packets are encrypted before they are sent.
const PEERS: usize = 8;
/// The time between two looks for new addresses of this machine. One look takes about 0.1 ms.
const ADDRESS_INTERVAL: Duration = Duration::from_secs(5);
/// The maximum number of sockets of a worker.
const MAX_SOCKETS: usize = 32;
/// Events kept while nobody takes them; more are dropped.
const EVENTS: usize = 4_096;

/// What a worker and its handle share.
#[derive(Debug, Default)]
pub struct Shared {
    pub stop: AtomicBool,
    /// A wake-up is on its way.
    pub woken: AtomicBool,
    pub statistics: WorkerStatistics,
}

/// Totals since the start.
#[derive(Debug, Default)]
pub struct WorkerStatistics {
    pub packets_in: AtomicU64,
    pub packets_unknown: AtomicU64,
    pub packets_out: AtomicU64,
    pub packets_dropped: AtomicU64,
    /// RTP packets from publishers.
    pub media_in: AtomicU64,
    /// RTP packets to receivers.
    pub media_forwarded: AtomicU64,
}

pub struct Worker {
    pub poll: Poll,
    pub sockets: Vec<Socket>,
    pub engine: Engine,
    pub commands: Receiver<(SessionId, EngineCommand)>,
    pub events: Sender<EngineEvent>,
    pub shared: Arc<Shared>,
    /// Whether addresses that this machine gets later are bound, too.
    pub follows_addresses: bool,
}

/// The time at which a worker starts.
pub(super) fn now() -> Instant {
    Instant::now()
}

impl Worker {
    /// Runs until the handle says stop.
    pub fn run(mut self) {
        if let Err(error) = self.turns() {
            tracing::error!("A media worker ends: {error}");
        }
        self.engine.stop(Instant::now());
        self.engine.send_queue.flush(&self.sockets);
    }

    fn turns(&mut self) -> io::Result<()> {
        for (index, socket) in self.sockets.iter_mut().enumerate() {
            let registry = self.poll.registry();
            registry.register(&mut socket.io, Token(index), Interest::READABLE)?;
        }
        let mut inbox = Inbox::new(self.sockets.len());
        let mut ready = vec![true; self.sockets.len()];
        let mut more_commands = false;
        let mut wakeups = Events::with_capacity(64);
        let mut addresses_due = Instant::now() + ADDRESS_INTERVAL;
        while !self.shared.stop.load(Ordering::Acquire) {
            let wait = match more_commands || ready.contains(&true) {
                true => Duration::ZERO,
                false => self.until_timeout(),
            };
            match self.poll.poll(&mut wakeups, Some(wait)) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                other => other?,
            }
            for wakeup in &wakeups {
                if let Some(ready) = ready.get_mut(wakeup.token().0) {
                    *ready = true;
                }
            }
            let now = Instant::now();
            more_commands = self.carry_out_commands(now);
            self.receive_all(&mut inbox, &mut ready, now);
            let mut now = now;
            if self.engine.expects_more() {
                std::thread::sleep(GATHER);
                now = Instant::now();
                ready.fill(true);
                self.receive_all(&mut inbox, &mut ready, now);
            }
            if self.follows_addresses && now >= addresses_due {
                addresses_due = now + ADDRESS_INTERVAL;
                self.follow_addresses(&mut inbox, &mut ready);
            }
            self.engine.expire(now);
            while self.engine.drain(now, PEERS) {
                self.engine.send_queue.flush(&self.sockets);
            }
            self.engine.send_queue.flush(&self.sockets);
            self.hand_out_events();
            self.publish_statistics();
        }
        Ok(())
    }

    /// Binds a socket on each address that this machine got since the last look.
    fn follow_addresses(&mut self, inbox: &mut Inbox, ready: &mut Vec<bool>) {
        let present = local_addresses();
        let bound = self.engine.addresses().to_vec();
        let Some(port) = bound.first().map(SocketAddr::port) else {
            return;
        };
        let is_bound = |ip: &IpAddr| bound.iter().any(|address| address.ip() == *ip);
        for ip in present.iter().filter(|ip| !is_bound(ip)) {
            // The socket of an address that is gone makes room.
            let gone = |(_, address): &(usize, &SocketAddr)| !present.contains(&address.ip());
            let index = self.engine.addresses().iter().enumerate().find(gone);
            let index = index.map_or(self.sockets.len(), |(index, _)| index);
            if index >= MAX_SOCKETS {
                return;
            }
            let address = SocketAddr::new(*ip, port);
            match self.bind(index, address) {
                Ok(()) => info!(media.address = %address, "Media listen on a new address"),
                Err(error) => {
                    debug!(media.address = %address, %error, "Binding a new address failed");
                    continue;
                }
            }
            if index == ready.len() {
                inbox.add_socket();
                ready.push(true);
            } else {
                ready[index] = true;
            }
        }
    }

    fn bind(&mut self, index: usize, address: SocketAddr) -> io::Result<()> {
        let mut socket = udp::adopt(bind_socket(address)?)?;
        let registry = self.poll.registry();
        registry.register(&mut socket.io, Token(index), Interest::READABLE)?;
        match self.sockets.get_mut(index) {
            Some(former) => {
                let _ = registry.deregister(&mut former.io);
                *former = socket;
            }
            None => self.sockets.push(socket),
        }
        self.engine.set_address(index, address);
        Ok(())
    }

    fn until_timeout(&self) -> Duration {
        let at = self.engine.next_timeout();
        at.saturating_duration_since(Instant::now())
    }

    /// True if there may be more.
    fn carry_out_commands(&mut self, now: Instant) -> bool {
        // First, so that a command queued from now on wakes the loop again.
        self.shared.woken.store(false, Ordering::Release);
        for _ in 0..COMMANDS {
            match self.commands.try_recv() {
                Ok((session, command)) => self.engine.command(&session, command, now),
                Err(_) => return false,
            }
        }
        true
    }

    fn receive_all(&mut self, inbox: &mut Inbox, ready: &mut [bool], now: Instant) {
        for (index, ready) in ready.iter_mut().enumerate() {
            if *ready {
                *ready = self.receive(inbox, index, now);
            }
        }
    }

    /// True if there may be more.
    fn receive(&mut self, inbox: &mut Inbox, index: usize, now: Instant) -> bool {
        let Some(socket) = self.sockets.get(index) else {
            return false;
        };
        for _ in 0..BATCHES {
            if !inbox.receive(index, socket) {
                return false;
            }
            for (source, bytes) in inbox.packets() {
                self.engine.receive(index, source, bytes, now);
            }
            if !inbox.is_full() {
                // Less than asked for: the socket is empty, and the poll tells of more.
                return false;
            }
        }
        true
    }

    fn hand_out_events(&mut self) {
        while let Some(event) = self.engine.events.pop_front() {
            match self.events.try_send(event) {
                Ok(()) => {}
                Err(TrySendError::Full(event)) => {
                    self.engine.events.push_front(event);
                    break;
                }
                Err(TrySendError::Closed(_)) => self.engine.events.clear(),
            }
        }
        let surplus = self.engine.events.len().saturating_sub(EVENTS);
        if surplus > 0 {
            warn!("Nobody takes the media engine's events; {surplus} are dropped");
            self.engine.events.drain(..surplus);
        }
    }

    fn publish_statistics(&self) {
        let (counters, send_queue) = (&self.engine.counters, &self.engine.send_queue);
        let to = &self.shared.statistics;
        for (total, now) in [
            (&to.packets_in, counters.packets_in),
            (&to.packets_unknown, counters.packets_unknown),
            (&to.packets_out, send_queue.sent),
            (&to.packets_dropped, send_queue.dropped),
            (&to.media_in, counters.media_in),
            (&to.media_forwarded, counters.media_forwarded),
        ] {
            total.store(now, Ordering::Relaxed);
        }
    }
}
