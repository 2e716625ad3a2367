//! Somebody in a call: joins through the room's form, speaks the browser protocol, and sends and
//! receives real media, on a thread of its own.

use std::{
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use parlor::session::{StreamId, media::MediaKind};
use serde_json::{Value, json};
use tokio::{sync::watch, time::timeout};
use tokio_tungstenite::tungstenite::{
    self, Message, WebSocket, client::IntoClientRequest, connect, stream::MaybeTlsStream,
};

use crate::{
    clip::Clip,
    peer::{Client, wait},
    people::{PATIENCE, Visitor},
};

const PICTURE: Duration = Duration::from_nanos(1_000_000_000 / 30);
const SOUND: Duration = Duration::from_millis(20);

/// What somebody comes for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Sends picture and sound.
    Publisher,
    /// Sends picture and sound, with far more bits than they are worth.
    Heavy,
    /// Receives the first stream there is.
    Viewer,
}

/// What has happened so far.
#[derive(Default)]
pub struct Diary {
    pub connected: bool,
    pub sent: Vec<Sent>,
    /// Packets received.
    pub received: usize,
    /// Events of the session, in order.
    pub events: Vec<Value>,
    /// The code with which the server closed the socket; 0 if it broke.
    pub closed: Option<u16>,
    /// What nobody else is to know.
    pub secrets: Vec<String>,
}

/// A picture or a packet of sound that was sent.
#[derive(Clone, Copy, Debug)]
pub struct Sent {
    pub kind: MediaKind,
    pub at: Instant,
}

pub struct Participant {
    diary: watch::Receiver<Diary>,
    leaves: Arc<AtomicBool>,
    thread: Option<JoinHandle<Client>>,
}

impl Participant {
    /// Joins a room, and returns once media flow.
    pub async fn join(visitor: &Visitor, room: &str, name: &str, part: Part) -> Participant {
        let pass = visitor.pass(room, name).await;
        Participant::enter(visitor.base(), pass, part).await
    }

    /// Enters a session with the `sessionId` and the `token` of a pass, and returns once media flow.
    pub async fn enter(base: &str, pass: Value, part: Part) -> Participant {
        let url = format!("ws{}/live", base.strip_prefix("http").unwrap());
        let (sender, mut diary) = watch::channel(Diary::default());
        let leaves = Arc::new(AtomicBool::new(false));
        let told_to_leave = Arc::clone(&leaves);
        let thread = thread::spawn(move || {
            let clip = match part {
                Part::Heavy => Clip::heavy(),
                Part::Publisher | Part::Viewer => Clip::usual(),
            };
            let call = Call::begin(&url, &pass, part, sender);
            call.run(clip, &told_to_leave)
        });
        let flows = diary.wait_for(|diary| diary.connected && diary.has_media(part));
        timeout(PATIENCE, flows).await.unwrap().unwrap();
        Participant {
            diary,
            leaves,
            thread: Some(thread),
        }
    }

    /// Waits for something to stand in the diary.
    pub async fn until(&mut self, wished: impl FnMut(&Diary) -> bool) {
        let found = timeout(PATIENCE, self.diary.wait_for(wished)).await;
        drop(found.unwrap().unwrap());
    }

    pub fn sent(&self) -> Vec<Sent> {
        self.diary.borrow().sent.clone()
    }

    pub fn events(&self) -> Vec<Value> {
        self.diary.borrow().events.clone()
    }

    pub fn secrets(&self) -> Vec<String> {
        self.diary.borrow().secrets.clone()
    }

    /// Packets received.
    pub fn received(&self) -> usize {
        self.diary.borrow().received
    }

    /// Waits for something new in the diary, but not for long.
    pub async fn turn(&mut self, longest: Duration) {
        let _ = timeout(longest, self.diary.changed()).await;
    }

    pub fn closed(&self) -> Option<u16> {
        self.diary.borrow().closed
    }

    /// Leaves, and gives back what was received.
    pub fn leave(mut self) -> Client {
        self.leaves.store(true, Ordering::SeqCst);
        self.thread.take().unwrap().join().unwrap()
    }
}

impl Drop for Participant {
    fn drop(&mut self) {
        self.leaves.store(true, Ordering::SeqCst);
    }
}

impl Diary {
    fn has_media(&self, part: Part) -> bool {
        match part {
            Part::Publisher | Part::Heavy => self.sent.len() > 5,
            Part::Viewer => self.received > 5,
        }
    }
}

type Socket = WebSocket<MaybeTlsStream<TcpStream>>;

struct Call {
    socket: Socket,
    last_id: u64,
    peer: Client,
    part: Part,
    /// Whether the slot is taken.
    watches: bool,
    diary: watch::Sender<Diary>,
}

impl Call {
    /// Hello, publish, offer.
    fn begin(url: &str, pass: &Value, part: Part, diary: watch::Sender<Diary>) -> Call {
        let (socket, _) = connect(url.into_client_request().unwrap()).unwrap();
        let mut call = Call {
            socket,
            last_id: 0,
            peer: Client::new(),
            part,
            watches: false,
            diary,
        };
        call.tcp().set_read_timeout(Some(PATIENCE)).unwrap();
        let welcome = call.ask(json!({
            "type": "hello", "versions": [1],
            "sessionId": pass["sessionId"], "token": pass["token"],
        }));
        assert_eq!(welcome["version"], 1, "{welcome}");
        let streams: Vec<StreamId> = match part {
            Part::Publisher | Part::Heavy => {
                let publish = json!({
                    "type": "publish", "hasAudio": true, "hasVideo": true,
                    "videoType": "camera", "width": 320, "height": 240,
                });
                let published = call.ask(publish);
                vec![serde_json::from_value(published["streamId"].clone()).unwrap()]
            }
            Part::Viewer => Vec::new(),
        };
        let slots = u16::from(part == Part::Viewer);
        let offer = call.peer.offer(&streams, &[], slots);
        let mut offer = serde_json::to_value(offer).unwrap();
        offer["type"] = "offer".into();
        let answer = call.ask(offer.clone());
        call.peer.accept(answer["sdp"].as_str().expect("an answer"));
        call.diary.send_modify(|diary| {
            let told = [&welcome["key"], &pass["token"]];
            let told = told.map(|secret| secret.as_str().unwrap().to_owned());
            diary.secrets.extend(told);
            for sdp in [&offer, &answer].map(|message| message["sdp"].as_str().unwrap()) {
                let passwords = sdp
                    .lines()
                    .filter_map(|line| line.strip_prefix("a=ice-pwd:"));
                diary.secrets.extend(passwords.map(ToOwned::to_owned));
            }
        });
        call.tcp().set_nonblocking(true).unwrap();
        if let Some(first) = welcome["streams"].as_array().unwrap().first() {
            call.watch(first["streamId"].clone());
        }
        call
    }

    fn tcp(&self) -> &TcpStream {
        match self.socket.get_ref() {
            MaybeTlsStream::Plain(tcp) => tcp,
            _ => unreachable!("there is no TLS here"),
        }
    }

    fn send(&mut self, mut request: Value) -> u64 {
        self.last_id += 1;
        request["id"] = self.last_id.into();
        // A server that is gone is noticed when reading.
        let _ = self.socket.send(Message::text(request.to_string()));
        self.last_id
    }

    /// Only while the socket blocks.
    fn ask(&mut self, request: Value) -> Value {
        let id = self.send(request);
        loop {
            if let Message::Text(text) = self.socket.read().unwrap() {
                let message: Value = serde_json::from_str(&text).unwrap();
                if message["re"] == id {
                    assert_eq!(message["error"], Value::Null);
                    return message;
                }
                self.hear(message);
            }
        }
    }

    fn hear(&mut self, message: Value) {
        assert_eq!(message["error"], Value::Null, "{message}");
        if message["type"] == "streamCreated" {
            self.watch(message["stream"]["streamId"].clone());
        }
        if message["type"].is_string() {
            self.diary.send_modify(|diary| diary.events.push(message));
        }
    }

    fn watch(&mut self, stream: Value) {
        if self.part == Part::Viewer && !self.watches {
            self.watches = true;
            self.send(json!({ "type": "subscribe", "slot": 0, "streamId": stream }));
        }
    }

    /// Sends and receives until it is told to leave, or the server is gone.
    fn run(mut self, clip: &Clip, leaves: &AtomicBool) -> Client {
        let begun = Instant::now();
        let (mut next_picture, mut next_sound) = (begun, begun);
        let (mut picture, mut sound) = (0, 0);
        while !leaves.load(Ordering::SeqCst) {
            if self.peer.connected && self.part != Part::Viewer {
                let now = Instant::now();
                if !self.diary.borrow().connected {
                    (next_picture, next_sound) = (now, now);
                }
                let mut sent = Vec::new();
                while next_sound <= now {
                    self.peer
                        .send_sound(&clip.sounds[sound % clip.sounds.len()]);
                    sent.push(MediaKind::Audio);
                    sound += 1;
                    next_sound += SOUND;
                }
                while next_picture <= now {
                    picture %= clip.pictures.len();
                    if self.peer.is_key_wanted() {
                        picture = 0;
                    }
                    self.peer.send_picture(&clip.pictures[picture]);
                    sent.push(MediaKind::Video);
                    picture += 1;
                    next_picture += PICTURE;
                }
                self.note_sent(&sent, now);
            }
            self.note_received();
            let due = self.peer.turn().min(next_picture).min(next_sound);
            let longest = Duration::from_millis(5);
            let pause = due.saturating_duration_since(Instant::now()).min(longest);
            wait(&[&mut self.peer], pause.max(Duration::from_millis(1)));
            if let Some(code) = self.read() {
                self.diary.send_modify(|diary| diary.closed = Some(code));
                return self.peer;
            }
        }
        self.send(json!({ "type": "bye" }));
        self.peer.close();
        self.peer
    }

    fn note_sent(&self, sent: &[MediaKind], at: Instant) {
        self.diary.send_if_modified(|diary| {
            let is_new = !sent.is_empty() || !diary.connected;
            diary.connected = true;
            diary
                .sent
                .extend(sent.iter().map(|&kind| Sent { kind, at }));
            is_new
        });
    }

    fn note_received(&self) {
        let (received, connected) = (self.peer.arrivals.len(), self.peer.connected);
        self.diary.send_if_modified(|diary| {
            let is_new = (diary.received, diary.connected) != (received, connected);
            (diary.received, diary.connected) = (received, connected);
            is_new
        });
    }

    /// Hears all that has come. The code of the close once the socket has ended.
    fn read(&mut self) -> Option<u16> {
        loop {
            match self.socket.read() {
                Ok(Message::Text(text)) => self.hear(serde_json::from_str(&text).unwrap()),
                Ok(Message::Close(frame)) => {
                    return Some(frame.map_or(1005, |frame| frame.code.into()));
                }
                Ok(_) => {}
                Err(tungstenite::Error::Io(error))
                    if error.kind() == std::io::ErrorKind::WouldBlock =>
                {
                    // Pongs are sent here.
                    let _ = self.socket.flush();
                    return None;
                }
                Err(_) => return Some(0),
            }
        }
    }
}
