//! How much the media engine forwards, and how quickly: `cargo bench --bench media`.
//!
//! Synthetic clients in this process send and receive real SRTP over loopback. What counts is the CPU
//! time of the engine's own threads (`sfu-*`), so the clients' work is not in the figures. Most
//! receivers only count their packets; one in twenty decrypts them and measures loss and delay.
//!
//! `cargo bench --bench media -- SECONDS WORD` measures each load for so long (5 by default), and
//! only loads whose name contains WORD, such as "rooms".

#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
#![expect(clippy::unwrap_used, reason = "a benchmark that fails has no result")]
#![expect(clippy::print_stdout, reason = "the result")]

#[path = "../it/peer.rs"]
mod peer;

use std::{
    collections::BTreeSet,
    fs,
    os::fd::AsRawFd,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver as Queue, sync_channel},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use mio::{Events, Interest, Poll, Token, unix::SourceFd};
use parlor::{
    archive::ArchiveId,
    opentok::SessionId,
    session::{
        ConnectionId, StreamId,
        media::{
            EngineCommand, EngineEvent, Media, MediaKind, Recorded, Scope, Statistics,
            SubscriptionSettings,
        },
    },
    sfu::{Sfu, SfuConfig, WorkerSockets},
};
use peer::{Client, certificate, run};
use tokio::sync::mpsc::{Receiver, channel};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A camera of 1.5 Mbit/s: 30 frames a second of 6 packets, and 50 packets of sound.
const FRAME: Duration = Duration::from_micros(33_333);
const PACKETS: u8 = 6;
const SIZE: usize = 1_042;
const SOUND: Duration = Duration::from_millis(20);
/// One receiver in so many decrypts and measures.
const PROBES: usize = 20;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let seconds = arguments.iter().find_map(|argument| argument.parse().ok());
    let time = Duration::from_secs(seconds.unwrap_or(5));
    let is_word = |argument: &&String| argument.parse::<u64>().is_err() && *argument != "--bench";
    let word = arguments.iter().find(is_word);
    println!(
        "{:<26} {:>9} {:>7} {:>12} {:>9} {:>9} {:>7}",
        "load", "packets/s", "CPU", "packets/CPUs", "p50", "p99", "lost"
    );
    let measure = |name: String, rooms, people, audience, record| {
        if word.is_none_or(|word| name.contains(word.as_str())) {
            measure(&name, rooms, people, audience, record, time);
        }
    };
    for receivers in [10, 50, 100, 200, 500] {
        measure(format!("1 to {receivers}"), 1, 1, receivers, false);
    }
    measure("1 to 100, recorded".into(), 1, 1, 100, true);
    for rooms in [5, 10, 20] {
        measure(format!("{rooms} rooms of 4"), rooms, 4, 0, false);
    }
}

/// Sets up `rooms` sessions, each with people who see one another and an audience that sees them,
/// and prints one line.
fn measure(name: &str, rooms: usize, people: usize, audience: usize, record: bool, time: Duration) {
    let mut engine = Engine::new();
    let (mut active, mut light) = (Vec::new(), Vec::new());
    let mut sinks = Vec::new();
    for room in 0..rooms {
        let session = SessionId::from(format!("2_room{room}"));
        let streams: Vec<StreamId> = (0..people).map(|_| StreamId::random()).collect();
        for index in 0..people + audience {
            let own = streams.get(index);
            let others: Vec<StreamId> = streams
                .iter()
                .filter(|&id| Some(id) != own)
                .copied()
                .collect();
            let client = engine.join(&session, own.copied(), &others);
            let probe = match audience {
                0 => room == 0,
                _ => (index - index.min(people)) % PROBES == 0,
            };
            match own.is_some() || probe {
                true => active.push(client),
                false => light.push(client),
            }
        }
        // People of the other rooms only send.
        if audience == 0 && room > 0 {
            let from = active.len() - people;
            active[from..]
                .iter_mut()
                .for_each(|client| client.only_count = true);
        }
        if record {
            let (sink, queue) = sync_channel(8_192);
            let archive = ArchiveId::random();
            let command = EngineCommand::Record {
                archive,
                sink,
                scope: Scope::ALL,
            };
            engine.sfu.send(&session, command).unwrap();
            sinks.push(std::thread::spawn(move || take(&queue)));
        }
    }
    light.iter_mut().for_each(|client| client.only_count = true);

    let stop = Arc::new(AtomicBool::new(false));
    let receiving = swarm("light", light, false, stop.clone());
    let sending = swarm("active", active, true, stop.clone());
    // Everybody's first key frames are over then.
    std::thread::sleep(Duration::from_secs(2));
    let before = Reading::take(&engine.sfu);
    let from = peer::nanos();
    std::thread::sleep(time);
    let to = peer::nanos();
    let after = Reading::take(&engine.sfu);
    stop.store(true, Ordering::Release);
    let active = sending.join().unwrap();
    drop(receiving.join().unwrap());
    engine.sfu.stop();
    sinks.into_iter().for_each(|sink| drop(sink.join()));

    let packets = after.statistics.media_forwarded - before.statistics.media_forwarded;
    let cpu = (after.cpu - before.cpu).as_secs_f64();
    let wall = (after.at - before.at).as_secs_f64();
    let (delays, lost) = judge(&active, from, to);
    let percentile = |share: usize| {
        let delay = delays.get(delays.len() * share / 100);
        format!(
            "{:.2} ms",
            delay.copied().unwrap_or_default().as_secs_f64() * 1e3
        )
    };
    #[expect(clippy::cast_precision_loss, reason = "a figure to read")]
    let packets = packets as f64;
    println!(
        "{name:<26} {:>9.0} {:>5.0} % {:>12.0} {:>9} {:>9} {lost:>5.2} %",
        packets / wall,
        100.0 * cpu / wall,
        packets / cpu,
        percentile(50),
        percentile(99),
    );
}

/// The engine, and its answers.
struct Engine {
    sfu: Sfu,
    events: Receiver<EngineEvent>,
    certificate: str0m::config::DtlsCert,
}

impl Engine {
    fn new() -> Engine {
        let mut bound = parlor::sfu::bind(0, 1, &[], &[]).unwrap();
        for worker in &mut bound {
            worker.sockets.truncate(1);
        }
        let sockets: Vec<WorkerSockets> = bound;
        let (sender, events) = channel(4_096);
        Engine {
            sfu: Sfu::start(SfuConfig::new(sockets), sender).unwrap(),
            events,
            certificate: certificate(),
        }
    }

    fn join(&mut self, session: &SessionId, own: Option<StreamId>, others: &[StreamId]) -> Client {
        let mut client = Client::with_certificate(self.certificate.clone());
        let connection = ConnectionId::random();
        let streams: Vec<StreamId> = own.into_iter().collect();
        let slots = u16::try_from(others.len()).unwrap();
        let offer = client.offer(&streams, &[], slots);
        let command = EngineCommand::Offer {
            connection,
            request: 1,
            offer,
        };
        self.sfu.send(session, command).unwrap();
        let mut answer = None;
        run(&mut [], |_| {
            while let Ok(event) = self.events.try_recv() {
                match event {
                    EngineEvent::Answered {
                        connection: to,
                        sdp,
                        ..
                    } if to == connection => {
                        answer = Some(sdp);
                    }
                    EngineEvent::Refused { message, .. } => panic!("refused: {message}"),
                    _ => {}
                }
            }
            answer.is_some()
        });
        client.accept(&answer.unwrap());
        run(&mut [&mut client], |clients| clients[0].connected);
        for (slot, &stream) in (0..).zip(others) {
            let command = EngineCommand::Subscribe {
                connection,
                slot,
                stream,
                wanted: SubscriptionSettings {
                    audio: true,
                    video: true,
                    height: None,
                    frame_rate: None,
                },
            };
            self.sfu.send(session, command).unwrap();
        }
        client
    }
}

/// Counts what a recorder would write.
fn take(queue: &Queue<Recorded>) -> usize {
    queue.iter().count()
}

/// Drives clients in a thread of their own until told to stop.
fn swarm(
    name: &str,
    mut clients: Vec<Client>,
    sends: bool,
    stop: Arc<AtomicBool>,
) -> JoinHandle<Vec<Client>> {
    let thread = std::thread::Builder::new().name(name.to_owned());
    thread
        .spawn(move || {
            let mut poll = Poll::new().unwrap();
            for (index, client) in clients.iter().enumerate() {
                let fd = client.socket().as_raw_fd();
                let registry = poll.registry();
                let token = Token(index);
                registry
                    .register(&mut SourceFd(&fd), token, Interest::READABLE)
                    .unwrap();
            }
            let start = Instant::now();
            let number = u32::try_from(clients.len().max(1)).unwrap();
            // Cameras do not tick together.
            let mut due: Vec<(Instant, Instant)> = (0..number)
                .map(|index| {
                    (
                        start + FRAME * index / number,
                        start + SOUND * index / number,
                    )
                })
                .collect();
            let mut events = Events::with_capacity(1_024);
            let mut look_around = start;
            while !stop.load(Ordering::Acquire) {
                let mut next = look_around;
                if sends {
                    let times = due.iter().flat_map(|&(frame, sound)| [frame, sound]);
                    next = times.fold(next, Instant::min);
                }
                let wait = next.saturating_duration_since(Instant::now());
                poll.poll(&mut events, Some(wait)).unwrap();
                for event in &events {
                    clients[event.token().0].turn();
                }
                let now = Instant::now();
                if sends {
                    for (client, (frame, sound)) in clients.iter_mut().zip(&mut due) {
                        if now >= *frame {
                            *frame += FRAME;
                            client.send_frame(None, 0, PACKETS, SIZE);
                            client.turn();
                        }
                        if now >= *sound {
                            *sound += SOUND;
                            client.send_audio(80);
                            client.turn();
                        }
                    }
                }
                if now >= look_around {
                    look_around = now + Duration::from_millis(20);
                    for client in &mut clients {
                        client.turn();
                    }
                }
            }
            clients
        })
        .unwrap()
}

/// Delays, in order, of what probes received between two times; and how much they missed, in percent.
fn judge(clients: &[Client], from: u64, to: u64) -> (Vec<Duration>, f64) {
    let (mut delays, mut missed, mut expected) = (Vec::new(), 0, 0);
    for client in clients.iter().filter(|client| !client.only_count) {
        let slots: BTreeSet<u16> = client.arrivals.iter().map(|a| a.slot).collect();
        for slot in slots {
            for kind in [MediaKind::Audio, MediaKind::Video] {
                let arrivals: Vec<_> = client
                    .arrivals
                    .iter()
                    .filter(|a| (a.slot, a.kind) == (slot, kind))
                    .filter(|a| (from..to).contains(&a.sent))
                    .collect();
                delays.extend(arrivals.iter().map(|a| a.delay));
                let numbers: BTreeSet<u64> = arrivals.iter().map(|a| a.sequence).collect();
                if let (Some(first), Some(last)) = (numbers.first(), numbers.last()) {
                    expected += last - first + 1;
                    missed += last - first + 1 - numbers.len() as u64;
                }
            }
        }
    }
    delays.sort_unstable();
    #[expect(clippy::cast_precision_loss, reason = "a figure to read")]
    let share = 100.0 * missed as f64 / expected.max(1) as f64;
    (delays, share)
}

/// The engine's totals at a time.
struct Reading {
    at: Instant,
    cpu: Duration,
    statistics: Statistics,
}

impl Reading {
    fn take(sfu: &Sfu) -> Reading {
        let mut cpu = Duration::ZERO;
        for task in fs::read_dir("/proc/self/task").unwrap() {
            let task = task.unwrap().path();
            let name = fs::read_to_string(task.join("comm")).unwrap_or_default();
            if name.starts_with("sfu-") {
                // The first number: nanoseconds on a CPU.
                let times = fs::read_to_string(task.join("schedstat")).unwrap();
                let nanos = times.split(' ').next().unwrap().parse().unwrap();
                cpu += Duration::from_nanos(nanos);
            }
        }
        Reading {
            at: Instant::now(),
            cpu,
            statistics: sfu.statistics(),
        }
    }
}
