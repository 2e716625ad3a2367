//! The media engine (SFU): takes each publisher's packets and passes them on to those who want them.
//!
//! ```text
//!            commands (bounded)                    events (bounded)
//! session ───────────────────▶ worker 0..N ───────────────────────▶ session
//!                              │  thread with its own sockets;
//!                              │  owns whole sessions, shares nothing
//!   UDP ──▶ demux ──▶ peer ──▶ router ──▶ forward ──▶ peer ──▶ UDP
//!                                  └────▶ record ──▶ recorder's queue
//! ```
//!
//! A session lives on one worker. Each worker has a port of its own, so the kernel hands every packet
//! to the thread that needs it, and nothing on a packet's way takes a lock.

mod bind;
mod demux;
mod engine;
mod forward;
mod keyframe;
mod layers;
mod ntp_clock;
mod peer;
mod placement;
mod router;
mod sdp;
mod tap;
mod udp;
mod vp8;
mod worker;

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::Ordering,
        mpsc::{SyncSender, TrySendError, sync_channel},
    },
    thread::JoinHandle,
};

use mio::{Poll, Waker};
use tokio::sync::mpsc::Sender;

pub use bind::{WorkerSockets, bind};
use placement::Placement;
use worker::{Shared, Worker};

use crate::{
    opentok::SessionId,
    session::media::{EngineBusy, EngineCommand, EngineEvent, Media, Statistics},
};

/// Commands that wait for a worker.
const COMMANDS: usize = 1_024;

/// What the engine is started with.
#[derive(Debug)]
pub struct SfuConfig {
    /// One entry per worker; see [`bind()`].
    pub sockets: Vec<WorkerSockets>,
    /// Whether a receiver's packets are encrypted once per turn of the loop. Faster; off only to
    /// look for a fault.
    pub batched: bool,
}

impl SfuConfig {
    pub fn new(sockets: Vec<WorkerSockets>) -> SfuConfig {
        SfuConfig {
            sockets,
            batched: true,
        }
    }
}

/// The running engine. Stops when dropped.
#[derive(Debug)]
pub struct Sfu {
    workers: Vec<Handle>,
    placement: Mutex<Placement>,
}

#[derive(Debug)]
struct Handle {
    commands: SyncSender<(SessionId, EngineCommand)>,
    waker: Waker,
    addresses: Vec<SocketAddr>,
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Sfu {
    /// Starts one thread per worker, named `sfu-0`, `sfu-1`, …; events go to `events`.
    ///
    /// # Errors
    /// When the system gives no sockets, polls or threads.
    pub fn start(config: SfuConfig, events: Sender<EngineEvent>) -> io::Result<Sfu> {
        let crypto = Arc::new(str0m::crypto::from_feature_flags());
        let certificate = crypto
            .dtls_provider
            .generate_certificate()
            .ok_or_else(|| io::Error::other("no certificate can be made"))?;
        let mut workers = Vec::new();
        for (index, bound) in config.sockets.into_iter().enumerate() {
            let sockets: Vec<udp::Socket> = bound
                .sockets
                .into_iter()
                .map(udp::adopt)
                .collect::<io::Result<_>>()?;
            let setting = peer::Setting {
                crypto: crypto.clone(),
                certificate: certificate.clone(),
                addresses: sockets.iter().map(|socket| socket.address).collect(),
                public: bound.public,
            };
            let addresses = setting.addresses.clone();
            let poll = Poll::new()?;
            let waker = Waker::new(poll.registry(), worker::WAKER)?;
            let (commands, queue) = sync_channel(COMMANDS);
            let shared = Arc::new(Shared::default());
            let mut engine = engine::Engine::new(setting, worker::now());
            engine.batched = config.batched;
            let worker = Worker {
                poll,
                sockets,
                engine,
                commands: queue,
                events: events.clone(),
                shared: shared.clone(),
                follows_addresses: bound.follows_addresses,
            };
            let thread = std::thread::Builder::new()
                .name(format!("sfu-{index}"))
                .spawn(move || worker.run())?;
            workers.push(Handle {
                commands,
                waker,
                addresses,
                shared,
                thread: Mutex::new(Some(thread)),
            });
        }
        if workers.is_empty() {
            return Err(io::Error::other("the media engine needs a worker"));
        }
        Ok(Sfu {
            placement: Mutex::new(Placement::new(workers.len())),
            workers,
        })
    }

    /// Closes every peer in order and waits for the threads to end.
    pub fn stop(&self) {
        for worker in &self.workers {
            worker.shared.stop.store(true, Ordering::Release);
            let _ = worker.waker.wake();
        }
        for worker in &self.workers {
            let mut thread = worker.thread.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(thread) = thread.take() {
                let _ = thread.join();
            }
        }
    }

    /// Where media is listened for; what clients are told of.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        let of_all = self.workers.iter().flat_map(|worker| &worker.addresses);
        of_all.copied().collect()
    }
}

impl Media for Sfu {
    fn statistics(&self) -> Statistics {
        let mut sum = Statistics::default();
        for worker in &self.workers {
            let of = &worker.shared.statistics;
            sum.packets_in += of.packets_in.load(Ordering::Relaxed);
            sum.packets_unknown += of.packets_unknown.load(Ordering::Relaxed);
            sum.packets_out += of.packets_out.load(Ordering::Relaxed);
            sum.packets_dropped += of.packets_dropped.load(Ordering::Relaxed);
            sum.media_in += of.media_in.load(Ordering::Relaxed);
            sum.media_forwarded += of.media_forwarded.load(Ordering::Relaxed);
        }
        sum
    }

    fn send(&self, session: &SessionId, command: EngineCommand) -> Result<(), EngineBusy> {
        // Held while queueing, so that a session's commands keep their order.
        let mut placement = self
            .placement
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let Some(index) = placement.worker(session, &command) else {
            // Nothing of a session that is nowhere can be undone.
            return Ok(());
        };
        let change = placement::PlacementChange::of(&command);
        let worker = &self.workers[index];
        match worker.commands.try_send((session.clone(), command)) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => return Err(EngineBusy),
        }
        placement.record(session, index, change);
        if !worker.shared.woken.swap(true, Ordering::AcqRel) {
            let _ = worker.waker.wake();
        }
        Ok(())
    }
}

impl Drop for Sfu {
    fn drop(&mut self) {
        self.stop();
    }
}
