//! Measures the cost of a presence session with many buddies, and the time until an invitation rings:
//! `cargo bench --bench presence`.
//!
//! `parlor` runs in a process of its own, and this process has its WebSocket clients. First the buddies connect, and the
//! server's memory is measured. Then 100 buddies join and 100 leave every second, while others invite one another; the
//! measured time is from the `POST` to the ring at the other's socket. Buddies join and leave as users do: they enter a name,
//! their page connects, and they close the tab.
//!
//! `cargo bench --bench presence -- BUDDIES SECONDS` replaces the defaults 10,000 and 20. The clients run on the same machine
//! and read every frame, so they slow the server down more than remote clients would. The callers have a thread of their
//! own, so their times do not include work for the other clients.

#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
#![expect(clippy::unwrap_used, reason = "a benchmark that fails has no result")]
#![expect(clippy::print_stdout, reason = "the result")]

use std::{
    collections::HashMap,
    fs,
    io::{BufRead, BufReader},
    net::{Ipv4Addr, SocketAddr},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::{SinkExt, StreamExt, stream};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use serde_json::{Value, json};
use tokio::{
    net::{TcpSocket, TcpStream},
    runtime::{Builder, Handle},
    sync::{Notify, oneshot},
    task::JoinHandle,
    time::{MissedTickBehavior, interval, sleep, sleep_until, timeout},
};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{
        Message,
        protocol::{CloseFrame, WebSocketConfig, frame::coding::CloseCode},
    },
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Joins per second, and leaves per second.
const CHURN: u64 = 100;
/// Invitations per second.
const RINGS: u64 = 20;
/// Buddies that invite and are invited, besides the crowd. With fewer, the rate limit would refuse some invitations.
const CALLERS: usize = 160;
/// Joins per second while the crowd assembles: fewer than the roster can publish (about 200).
const ASSEMBLY: u32 = 150;
/// Concurrent joins while the crowd assembles.
const AT_ONCE: usize = 32;
/// The interval between acknowledgements of a client, as in the browser library.
const ACK_EVERY: u64 = 32;
/// Clients per loopback address, which has about 28,000 ports.
const PER_ADDRESS: usize = 20_000;
/// The delay before memory is measured, because the allocator returns free memory only after a while.
const REST: Duration = Duration::from_secs(5);
/// A timeout longer than any step.
const PATIENCE: Duration = Duration::from_secs(120);

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let numbers: Vec<u64> = std::env::args()
        .filter_map(|word| word.parse().ok())
        .collect();
    let buddies = usize::try_from(numbers.first().copied().unwrap_or(10_000)).unwrap();
    let seconds = numbers.get(1).copied().unwrap_or(20);
    raise_file_limit(buddies);
    let server = Server::start();
    let hub = Arc::new(Hub::new(&server).await);
    let elsewhere = thread_of_the_crowd();

    let before = server.memory();
    let began = Instant::now();
    let mut crowd: Vec<Buddy> = stream::iter(0..buddies)
        .map(|at| {
            let turn = Duration::from_secs(1) / ASSEMBLY * u32::try_from(at).unwrap();
            let (hub, elsewhere) = (Arc::clone(&hub), elsewhere.clone());
            async move {
                sleep_until((began + turn).into()).await;
                let joining = async move { Buddy::join(&hub, format!("Buddy {at}")).await };
                elsewhere.spawn(joining).await.unwrap()
            }
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    let took = began.elapsed();
    hub.settled(buddies).await;
    sleep(REST).await;
    let grown = server.memory().saturating_sub(before);
    println!(
        "{buddies} buddies came in {:.1} s: {:.0} a second",
        took.as_secs_f64(),
        per_s(buddies, took)
    );
    println!(
        "memory: {:.1} kB a connection ({} MB more than before)",
        grown as f64 / 1000.0 / buddies as f64,
        grown / 1_000_000
    );

    let callers: Vec<Buddy> = stream::iter(0..CALLERS)
        .map(|at| Buddy::join(&hub, format!("Caller {at}")))
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    hub.settled(buddies + CALLERS).await;

    let frames_before = hub.frames.load(Ordering::Relaxed);
    let cpu_before = server.cpu();
    let began = Instant::now();
    let until = began + Duration::from_secs(seconds);
    let (moves, rings) = tokio::join!(
        churn(&hub, &elsewhere, &mut crowd, until),
        ring(&hub, &callers, until)
    );
    let took = began.elapsed();
    let frames = hub.frames.load(Ordering::Relaxed) - frames_before;
    let people = (buddies + CALLERS) as f64;
    println!(
        "{:.0} joins and {:.0} leaves a second; the server took {:.0} % of a core",
        per_s(moves.0, took),
        per_s(moves.1, took),
        (server.cpu() - cpu_before).as_secs_f64() / took.as_secs_f64() * 100.0
    );
    println!(
        "roster: {:.2} frames a client and second",
        frames as f64 / people / took.as_secs_f64()
    );
    println!(
        "invite to ring: p50 {:.1} ms, p99 {:.1} ms, longest {:.1} ms, of {}",
        ms(&rings, 0.5),
        ms(&rings, 0.99),
        ms(&rings, 1.0),
        rings.len()
    );
    println!("lost on the way: {}", hub.lost.load(Ordering::Relaxed));
}

/// Starts a thread that runs spawned tasks until the program ends.
fn thread_of_the_crowd() -> Handle {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let handle = runtime.handle().clone();
    std::thread::spawn(move || runtime.block_on(std::future::pending::<()>()));
    handle
}

/// Lets `CHURN` buddies join and as many leave each second, the oldest first.
async fn churn(
    hub: &Arc<Hub>,
    elsewhere: &Handle,
    crowd: &mut Vec<Buddy>,
    until: Instant,
) -> (usize, usize) {
    let mut ticks = interval(Duration::from_millis(1000 / CHURN));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut coming = Vec::new();
    let mut left = 0;
    crowd.reverse();
    while Instant::now() < until {
        ticks.tick().await;
        let hub = Arc::clone(hub);
        let name = format!("Newcomer {}", coming.len());
        coming.push(elsewhere.spawn(async move { Buddy::join(&hub, name).await }));
        if let Some(buddy) = crowd.pop() {
            buddy.leave();
            left += 1;
        }
    }
    let mut joined = 0;
    for buddy in coming {
        if buddy.is_finished() {
            joined += 1;
        }
        crowd.push(buddy.await.unwrap());
    }
    (joined, left)
}

/// Lets callers invite one another. Returns the times from the `POST` to the ring.
async fn ring(hub: &Arc<Hub>, callers: &[Buddy], until: Instant) -> Vec<Duration> {
    let mut ticks = interval(Duration::from_millis(1000 / RINGS));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (inviters, invitees) = callers.split_at(callers.len() / 2);
    let mut rings = Vec::new();
    let mut turn = 0;
    while Instant::now() < until {
        ticks.tick().await;
        let (from, to) = (
            &inviters[turn % inviters.len()],
            &invitees[turn % invitees.len()],
        );
        turn += 1;
        let (heard, rang) = oneshot::channel();
        hub.waiting.lock().unwrap().insert(to.id.clone(), heard);
        let began = Instant::now();
        let invite = json!({ "to": to.user, "tab": from.id });
        let sent = from.http.send("POST", "/invitations", &invite);
        let (answer, at) = tokio::join!(sent, timeout(PATIENCE, rang));
        rings.push(at.unwrap().unwrap() - began);
        let id = answer["invitation"].as_str().unwrap();
        let cancel = format!("/invitations/{id}/cancel");
        from.http.send("POST", &cancel, &json!({})).await;
    }
    rings.sort_unstable();
    rings
}

/// The state that all clients share.
struct Hub {
    address: SocketAddr,
    pass: Value,
    clients: AtomicU64,
    /// Roster deltas that arrived at any client.
    frames: AtomicU64,
    /// The largest number of buddies in a delta.
    total: AtomicU64,
    changed: Notify,
    /// Sockets that broke without a leave.
    lost: AtomicU64,
    /// The waiting callers, by the tab that is to ring.
    waiting: Mutex<HashMap<String, oneshot::Sender<Instant>>>,
}

impl Hub {
    async fn new(server: &Server) -> Hub {
        let http = Http::at(server.address);
        Hub {
            address: server.address,
            pass: http.send("GET", "/presence", &Value::Null).await,
            clients: AtomicU64::new(0),
            frames: AtomicU64::new(0),
            total: AtomicU64::new(0),
            changed: Notify::new(),
            lost: AtomicU64::new(0),
            waiting: Mutex::default(),
        }
    }

    /// Waits until all clients know who is still present.
    async fn settled(&self, buddies: usize) {
        let told = async {
            let here = || buddies as u64 - self.lost.load(Ordering::Relaxed);
            while self.total.load(Ordering::Relaxed) < here() {
                self.changed.notified().await;
            }
        };
        timeout(PATIENCE, told).await.unwrap();
    }

    fn hear(&self, tab: &str, text: &str) {
        // There are many deltas, so only their beginning is read.
        if text.contains(r#""signalType":"roster""#) {
            self.frames.fetch_add(1, Ordering::Relaxed);
            let total = text.split_once(r#"\"total\":"#).unwrap().1;
            let total = total.split_once(',').unwrap().0.parse().unwrap();
            if self.total.fetch_max(total, Ordering::Relaxed) < total {
                self.changed.notify_waiters();
                self.changed.notify_one();
            }
        } else if text.contains(r#"\"type\":\"ringing\""#)
            && let Some(heard) = self.waiting.lock().unwrap().remove(tab)
        {
            let _ = heard.send(Instant::now());
        }
    }
}

/// A browser with one tab.
struct Buddy {
    http: Http,
    user: String,
    /// The id of the tab's connection.
    id: String,
    leaves: Arc<AtomicBool>,
    told_to_leave: Arc<Notify>,
    _reader: JoinHandle<()>,
}

impl Buddy {
    async fn join(hub: &Arc<Hub>, name: String) -> Buddy {
        let number = usize::try_from(hub.clients.fetch_add(1, Ordering::Relaxed)).unwrap();
        let mut http = Http::at(hub.address);
        let said = http.says(&json!({ "name": name })).await;
        let mut socket = open(hub.address, number).await;
        let hello = json!({
            "id": 1, "type": "hello", "versions": [1], "quiet": true,
            "sessionId": hub.pass["sessionId"], "token": said["token"],
        });
        socket.send(Message::text(hello.to_string())).await.unwrap();
        let welcome = loop {
            if let Message::Text(text) = socket.next().await.unwrap().unwrap() {
                break serde_json::from_str::<Value>(&text).unwrap();
            }
        };
        let connection = &welcome["connection"];
        let id = connection["connectionId"].as_str().unwrap().to_owned();
        let badge: Value = serde_json::from_str(connection["data"].as_str().unwrap()).unwrap();
        let leaves = Arc::new(AtomicBool::new(false));
        let told_to_leave = Arc::new(Notify::new());
        let reading = read(
            Arc::clone(hub),
            id.clone(),
            socket,
            Arc::clone(&leaves),
            Arc::clone(&told_to_leave),
        );
        Buddy {
            http,
            user: badge["user"].as_str().unwrap().to_owned(),
            id,
            leaves,
            told_to_leave,
            _reader: tokio::spawn(reading),
        }
    }

    /// Closes the tab.
    fn leave(self) {
        self.leaves.store(true, Ordering::Relaxed);
        self.told_to_leave.notify_one();
    }
}

type Socket = WebSocketStream<TcpStream>;

/// Connects from one of many loopback addresses, so that there are enough ports.
async fn open(address: SocketAddr, number: usize) -> Socket {
    let block = u8::try_from(number / PER_ADDRESS).unwrap() + 1;
    let socket = TcpSocket::new_v4().unwrap();
    socket
        .bind((Ipv4Addr::new(127, 0, 0, block), 0).into())
        .unwrap();
    let stream = socket.connect(address).await.unwrap();
    let config = WebSocketConfig::default()
        .read_buffer_size(4096)
        .write_buffer_size(0);
    let url = format!("ws://{address}/live");
    let (socket, _) = client_async_with_config(url, stream, Some(config))
        .await
        .unwrap();
    socket
}

async fn read(
    hub: Arc<Hub>,
    tab: String,
    mut socket: Socket,
    leaves: Arc<AtomicBool>,
    told_to_leave: Arc<Notify>,
) {
    let mut heard = 0_u64;
    loop {
        let message = tokio::select! {
            message = socket.next() => message,
            () = told_to_leave.notified() => {
                let away = CloseFrame { code: CloseCode::Away, reason: "".into() };
                let _ = socket.close(Some(away)).await;
                continue;
            }
        };
        match message {
            Some(Ok(Message::Text(text))) => {
                hub.hear(&tab, &text);
                heard += 1;
                if heard.is_multiple_of(ACK_EVERY) {
                    let last = text
                        .strip_prefix(r#"{"n":"#)
                        .and_then(|rest| rest.split_once(','));
                    if let Some((last, _)) = last {
                        let ack = format!(r#"{{"id":{heard},"type":"ack","last":{last}}}"#);
                        let _ = socket.send(Message::text(ack)).await;
                    }
                }
            }
            Some(Ok(_)) => {}
            Some(Err(_)) | None => {
                if !leaves.load(Ordering::Relaxed) {
                    hub.lost.fetch_add(1, Ordering::Relaxed);
                    hub.changed.notify_one();
                }
                return;
            }
        }
    }
}

/// HTTP with one cookie.
struct Http {
    base: String,
    client: reqwest::Client,
    cookie: String,
}

thread_local! {
    static CLIENT: reqwest::Client = reqwest::Client::builder().timeout(PATIENCE).no_proxy().build().unwrap();
}

impl Http {
    fn at(address: SocketAddr) -> Http {
        Http {
            base: format!("http://{address}"),
            client: CLIENT.with(Clone::clone),
            cookie: String::new(),
        }
    }

    /// Sends `POST /users` and stores the cookie.
    async fn says(&mut self, name: &Value) -> Value {
        let request = self.client.post(format!("{}/users", self.base)).json(name);
        let answer = request.send().await.unwrap();
        assert!(answer.status().is_success(), "/users: {}", answer.status());
        let cookie = answer.headers()["set-cookie"].to_str().unwrap();
        self.cookie = cookie.split(';').next().unwrap().to_owned();
        answer.json().await.unwrap()
    }

    async fn send(&self, method: &str, path: &str, body: &Value) -> Value {
        let method = method.parse().unwrap();
        let request = self.client.request(method, format!("{}{path}", self.base));
        let request = request.header("cookie", &self.cookie).json(body);
        let answer = request.send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        let text = answer.text().await.unwrap();
        serde_json::from_str(&text).unwrap_or_default()
    }
}

/// `parlor` in a process and a folder of its own.
struct Server {
    child: Child,
    address: SocketAddr,
    _data: tempfile::TempDir,
}

impl Server {
    fn start() -> Server {
        let data = tempfile::tempdir().unwrap();
        #[expect(clippy::disallowed_methods, reason = "the program that is measured")]
        let mut child = Command::new(env!("CARGO_BIN_EXE_parlor"))
            .args(["--listen", "127.0.0.1:0", "--log", "warn", "--data"])
            .arg(data.path().join("data"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = lines
            .by_ref()
            .map(Result::unwrap)
            .find_map(|line| {
                let (_, address) = line.split_once("running at http://")?;
                Some(address.trim().parse().unwrap())
            })
            .unwrap();
        // The rest of the output is read, because a full pipe would block the server.
        std::thread::spawn(move || lines.for_each(drop));
        Server {
            child,
            address,
            _data: data,
        }
    }

    /// Memory in use (RSS), in bytes.
    fn memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS:"))
            .unwrap();
        let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        kib * 1024
    }

    /// CPU time of all threads.
    fn cpu(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let fields: Vec<&str> = stat
            .rsplit_once(')')
            .unwrap()
            .1
            .split_whitespace()
            .collect();
        let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
        Duration::from_millis(ticks * 10)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Allows one socket per client here, and in the server, which inherits the limit.
fn raise_file_limit(buddies: usize) {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
    let needed = buddies as u64 + 4_000;
    assert!(
        hard >= needed,
        "{needed} open files are needed, and {hard} are allowed (ulimit -Hn)"
    );
}

fn per_s(count: usize, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}

/// The quantile `part` of sorted times, in milliseconds.
fn ms(times: &[Duration], part: f64) -> f64 {
    let last = times.len().saturating_sub(1);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a place in the list"
    )]
    let at = (last as f64 * part).round() as usize;
    times
        .get(at)
        .map_or(0.0, |time| time.as_secs_f64() * 1000.0)
}
