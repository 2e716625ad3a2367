//! The browser protocol over real sockets, with an engine that is played.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
        mpsc::SyncSender,
    },
    time::{Duration, Instant},
};

use actix_web::{App, HttpServer, dev::ServerHandle};
use async_trait::async_trait;
use futures_util::{SinkExt, StreamExt};
use parlor::{
    archive::{
        ArchiveId,
        recording::{RecordError, Recorder, TimelineEvent},
    },
    clock,
    opentok::{NewToken, Role, SessionId, Token},
    session::{
        Admission, AdmissionError, Admitted, ArchiveInfo, EndReason, RecordingPhase,
        RecordingUpdate, RegistryEvent, SessionCounts, Sessions,
        media::{self, EngineBusy, EngineCommand, Media, Recorded, Scope},
    },
    signaling,
};
use serde_json::{Value, json};
use tokio::{net::TcpStream, sync::mpsc, time::timeout};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{
        Message,
        protocol::frame::{
            Frame,
            coding::{Data, OpCode},
        },
    },
};

const KEY: u32 = 123_456;
const SECRET: &str = "1234567890abcdef1234567890abcdef12345678";

/// Longer than anything takes; whoever waits so long waits in vain.
const PATIENCE: Duration = Duration::from_secs(15);

/// A server with one session.
struct Server {
    url: String,
    handle: ServerHandle,
    sessions: Sessions,
    session: SessionId,
    engine: Arc<Engine>,
    recorder: Arc<Notebook>,
    changes: mpsc::Receiver<RegistryEvent>,
}

/// Answers every offer at once.
struct Engine {
    events: mpsc::Sender<media::EngineEvent>,
    commands: Mutex<Vec<String>>,
    busy: AtomicBool,
}

impl Media for Engine {
    fn send(&self, session: &SessionId, command: EngineCommand) -> Result<(), EngineBusy> {
        if self.busy.load(Ordering::SeqCst) {
            return Err(EngineBusy);
        }
        let word = match &command {
            EngineCommand::Offer { .. } => "offer",
            EngineCommand::Subscribe { .. } => "subscribe",
            EngineCommand::Unsubscribe { .. } => "unsubscribe",
            EngineCommand::SetStream { .. } => "set stream",
            EngineCommand::Unpublish { .. } => "unpublish",
            EngineCommand::Close { .. } => "close",
            EngineCommand::Record { .. } => "record",
            EngineCommand::StopRecording { .. } => "stop recording",
            EngineCommand::Choose { .. } => "choose",
        };
        self.commands.lock().unwrap().push(word.to_owned());
        if let EngineCommand::Offer {
            connection,
            request,
            offer,
        } = command
        {
            let answered = media::EngineEvent::Answered {
                session: session.clone(),
                connection,
                request,
                generation: offer.generation,
                sdp: format!("answer to {}", offer.sdp),
            };
            self.events.try_send(answered).unwrap();
        }
        Ok(())
    }
}

#[derive(Default)]
struct Notebook(Mutex<Vec<TimelineEvent>>);

impl Recorder for Notebook {
    fn start(&self, _: ArchiveId, _: Instant) -> Result<SyncSender<Recorded>, RecordError> {
        unreachable!("sessions do not start recorders")
    }

    fn record(&self, _: ArchiveId, _: Instant, note: TimelineEvent) {
        self.0.lock().unwrap().push(note);
    }

    fn stop(&self, _: ArchiveId, _: Instant) {
        unreachable!("sessions do not stop recorders")
    }
}

/// The session, and whether it is relayed.
struct OneSession(SessionId, bool);

#[async_trait]
impl Admission for OneSession {
    async fn admit(
        &self,
        session_id: &SessionId,
        token: &str,
        now_s: i64,
    ) -> Result<Admitted, AdmissionError> {
        if *session_id != self.0 {
            return Err(AdmissionError::InvalidSession);
        }
        Ok(Admitted {
            claims: project().verify(token, session_id, now_s)?,
            relayed: self.1,
        })
    }
}

fn project() -> Token<'static> {
    Token {
        api_key: KEY,
        api_secret: SECRET,
    }
}

impl Server {
    async fn start() -> Server {
        Server::of(false).await
    }

    async fn relayed() -> Server {
        Server::of(true).await
    }

    async fn of(relayed: bool) -> Server {
        let session = SessionId::generate(KEY, "", clock::now_ms());
        let (events, received) = mpsc::channel(1000);
        let engine = Arc::new(Engine {
            events,
            commands: Mutex::default(),
            busy: AtomicBool::new(false),
        });
        let recorder = Arc::new(Notebook::default());
        let (archive_changes, changes) = mpsc::channel(10);
        let sessions = Sessions::new(engine.clone(), recorder.clone(), archive_changes);
        tokio::spawn(sessions.clone().run(received));

        let admission: Arc<dyn Admission> = Arc::new(OneSession(session.clone(), relayed));
        let for_sockets = sessions.clone();
        let server = HttpServer::new(move || {
            App::new().configure(signaling::routes(for_sockets.clone(), admission.clone()))
        })
        .workers(1)
        .disable_signals()
        .bind(("127.0.0.1", 0))
        .unwrap();
        let url = format!("ws://{}/live", server.addrs()[0]);
        let server = server.run();
        let handle = server.handle();
        tokio::spawn(server);
        Server {
            url,
            handle,
            sessions,
            session,
            engine,
            recorder,
            changes,
        }
    }

    fn token(&self, role: Role, name: &str) -> String {
        let data = json!({ "name": name }).to_string();
        let claims = NewToken {
            session_id: &self.session,
            role,
            data: Some(&data),
            expires_at: None,
        };
        project().generate(&claims, clock::now_s(), name)
    }

    async fn socket(&self) -> Client {
        let (socket, _) = connect_async(&self.url).await.unwrap();
        Client {
            socket,
            last_id: 0,
            waiting: Vec::new(),
            last: 0,
            welcome: Value::Null,
        }
    }

    async fn join(&self, role: Role, name: &str) -> Client {
        let mut client = self.socket().await;
        let hello = self.hello(&self.token(role, name));
        client.welcome = client.ask(hello).await;
        assert_eq!(client.welcome["version"], 1, "{}", client.welcome);
        client
    }

    fn hello(&self, token: &str) -> Value {
        json!({ "type": "hello", "versions": [1], "sessionId": self.session, "token": token })
    }

    fn resuming(&self, client: &Client) -> Value {
        let mut hello = self.hello("");
        hello["resume"] = json!({
            "connectionId": client.id(), "key": client.welcome["key"], "last": client.last,
        });
        hello
    }

    async fn stop(self) {
        self.handle.stop(false).await;
    }
}

/// A client that reads only when a test wants to know something.
struct Client {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    last_id: u64,
    /// Events that came while a reply was waited for.
    waiting: Vec<Value>,
    last: u64,
    welcome: Value,
}

impl Client {
    fn id(&self) -> &str {
        self.welcome["connection"]["connectionId"].as_str().unwrap()
    }

    async fn send(&mut self, mut request: Value) -> u64 {
        self.last_id += 1;
        request["id"] = self.last_id.into();
        self.say(&request.to_string()).await;
        self.last_id
    }

    async fn say(&mut self, text: &str) {
        self.socket.send(Message::text(text)).await.unwrap();
    }

    /// The reply, without its number.
    async fn ask(&mut self, request: Value) -> Value {
        let id = self.send(request).await;
        loop {
            let mut message = self.message().await.expect("a reply, not a close frame");
            if message["re"] == id {
                message.as_object_mut().unwrap().remove("re");
                return message;
            }
            self.waiting.push(message);
        }
    }

    /// The code and the name of the refusal.
    async fn refusal(&mut self, request: Value) -> (u64, String) {
        let reply = self.ask(request).await;
        let error = &reply["error"];
        let code = error["code"].as_u64().unwrap_or_default();
        assert!(!error["message"].as_str().unwrap().is_empty());
        (code, error["name"].as_str().unwrap().to_owned())
    }

    /// The next event, without its number.
    async fn event(&mut self) -> Value {
        let mut event = if self.waiting.is_empty() {
            self.message().await.expect("an event, not a close frame")
        } else {
            self.waiting.remove(0)
        };
        let n = event.as_object_mut().unwrap().remove("n").unwrap();
        assert_eq!(n, self.last + 1);
        self.last += 1;
        event
    }

    /// The code with which the server closes the socket, whatever it says before.
    async fn close_code(&mut self) -> u16 {
        loop {
            if let Err(code) = self.message().await {
                return code;
            }
        }
    }

    async fn message(&mut self) -> Result<Value, u16> {
        loop {
            let frame = timeout(PATIENCE, self.socket.next()).await.unwrap();
            match frame.expect("a close frame comes first").unwrap() {
                Message::Text(text) => return Ok(serde_json::from_str(&text).unwrap()),
                Message::Close(frame) => {
                    let frame = frame.unwrap();
                    assert!(!frame.reason.is_empty());
                    return Err(frame.code.into());
                }
                _ => {}
            }
        }
    }

    async fn publish(&mut self) -> String {
        let publish = json!({ "type": "publish", "hasAudio": true, "hasVideo": true });
        let reply = self.ask(publish).await;
        let stream = reply["streamId"].as_str().unwrap().to_owned();
        let offer = json!({
            "type": "offer", "generation": 1, "sdp": "v=0",
            "tracks": [{ "mid": "0", "streamId": stream, "kind": "audio" }],
        });
        let reply = self.ask(offer).await;
        assert_eq!(reply, json!({ "generation": 1, "sdp": "answer to v=0" }));
        stream
    }
}

fn signal(text: &str) -> Value {
    json!({ "type": "signal", "signalType": "chat", "data": text })
}

#[actix_web::test]
async fn half_an_emoji_in_a_message_becomes_the_replacement_character() {
    let server = Server::start().await;
    let mut ann = server.join(Role::Publisher, "Ann").await;
    let mut bob = server.join(Role::Subscriber, "Bob").await;
    ann.say(r#"{"id":99,"type":"signal","signalType":"chat","data":"Hi \ud83d"}"#)
        .await;
    let received = bob.event().await;
    assert_eq!(received["data"], "Hi \u{fffd}");
    server.stop().await;
}

#[actix_web::test]
async fn who_is_quiet_is_told_of_signals_and_streams_only() {
    let server = Server::start().await;
    let mut ann = server.join(Role::Publisher, "Ann").await;
    let mut quiet = server.socket().await;
    let mut hello = server.hello(&server.token(Role::Subscriber, "Quentin"));
    hello["quiet"] = true.into();
    quiet.welcome = quiet.ask(hello).await;
    assert_eq!(
        quiet.welcome["connections"],
        json!([quiet.welcome["connection"]])
    );
    assert_eq!(ann.event().await["type"], "connectionCreated");

    let bob = server.join(Role::Publisher, "Bob").await;
    drop(bob);
    let stream = ann.publish().await;
    ann.ask(signal("hello")).await;

    let created = quiet.event().await;
    assert_eq!(created["stream"]["streamId"], stream.as_str());
    assert_eq!(created["stream"]["connectionId"], ann.id());
    let heard = quiet.event().await;
    assert_eq!(
        (&heard["data"], &heard["from"]),
        (&json!("hello"), &json!(ann.id()))
    );
    server.stop().await;
}

#[actix_web::test]
async fn two_people_meet_and_talk() {
    let server = Server::start().await;
    let mut ann = server.join(Role::Publisher, "Ann").await;
    let mut bob = server.join(Role::Subscriber, "Bob").await;

    assert_eq!(ann.welcome["role"], "publisher");
    assert_eq!(
        ann.welcome["connections"],
        json!([ann.welcome["connection"]])
    );
    assert_eq!(ann.welcome["connection"]["data"], r#"{"name":"Ann"}"#);
    assert_eq!(
        bob.welcome["connections"],
        json!([ann.welcome["connection"], bob.welcome["connection"]])
    );
    assert_eq!(
        ann.event().await,
        json!({ "type": "connectionCreated", "connection": bob.welcome["connection"] })
    );

    let stream = ann.publish().await;
    let created = bob.event().await;
    assert_eq!(created["type"], "streamCreated");
    assert_eq!(
        created["stream"],
        json!({
            "streamId": stream, "connectionId": ann.id(), "name": "", "hasAudio": true, "hasVideo": true,
            "creationTime": created["stream"]["creationTime"], "videoType": "camera",
            "width": 0, "height": 0, "frameRate": null,
        })
    );
    let offer = json!({
        "type": "offer", "generation": 1, "sdp": "v=0",
        "slots": [{ "slot": 0, "audioMid": "0", "videoMid": "1" }],
    });
    bob.ask(offer).await;
    let subscribe = json!({ "type": "subscribe", "slot": 0, "streamId": stream, "height": 180 });
    assert_eq!(bob.ask(subscribe).await, json!({}));
    assert_eq!(
        *server.engine.commands.lock().unwrap(),
        ["offer", "offer", "subscribe"]
    );

    // Subscribers signal too, and hear their own.
    let mut to_all = signal("hello");
    assert_eq!(bob.ask(to_all.clone()).await, json!({}));
    let heard =
        json!({ "type": "signal", "signalType": "chat", "data": "hello", "from": bob.id() });
    assert_eq!(ann.event().await, heard);
    assert_eq!(bob.event().await, heard);
    to_all["to"] = ann.id().into();
    bob.ask(to_all).await;
    assert_eq!(ann.event().await, heard);

    let counts = SessionCounts {
        sessions: 1,
        connections: 2,
        streams: 1,
    };
    assert_eq!(server.sessions.counts(), counts);
    assert_eq!(server.sessions.people(&server.session).len(), 2);
    assert_eq!(server.sessions.streams(&server.session).len(), 1);

    let change = json!({ "type": "updateStream", "streamId": stream, "hasVideo": false });
    ann.ask(change).await;
    let changed = bob.event().await;
    assert_eq!(changed["type"], "streamChanged");
    assert_eq!(changed["stream"]["hasVideo"], false);

    ann.ask(json!({ "type": "bye" })).await;
    assert_eq!(ann.close_code().await, 1000);
    let reason = "clientDisconnected";
    assert_eq!(
        bob.event().await,
        json!({ "type": "streamDestroyed", "streamId": stream, "reason": reason })
    );
    assert_eq!(
        bob.event().await,
        json!({ "type": "connectionDestroyed", "connectionId": ann.id(), "reason": reason })
    );
    server.stop().await;
}

#[actix_web::test]
async fn a_closed_page_is_gone_at_once() {
    let server = Server::start().await;
    let mut ann = server.join(Role::Publisher, "Ann").await;
    let mut bob = server.join(Role::Publisher, "Bob").await;
    ann.event().await;
    bob.socket
        .close(Some(tokio_tungstenite::tungstenite::protocol::CloseFrame {
            code: 1001.into(),
            reason: "".into(),
        }))
        .await
        .unwrap();
    assert_eq!(ann.event().await["reason"], "clientDisconnected");
    server.stop().await;
}

#[actix_web::test]
async fn a_lost_socket_is_resumed() {
    let server = Server::start().await;
    let mut ann = server.join(Role::Publisher, "Ann").await;
    let mut bob = server.join(Role::Publisher, "Bob").await;
    ann.event().await;
    let resume = server.resuming(&ann);
    drop(ann.socket);
    bob.ask(signal("while you were away")).await;

    ann = Client {
        last: ann.last,
        welcome: ann.welcome,
        ..server.socket().await
    };
    assert_eq!(ann.ask(resume).await, json!({ "resumed": true }));
    assert_eq!(ann.event().await["data"], "while you were away");
    bob.ask(signal("and now")).await;
    assert_eq!(ann.event().await["data"], "and now");

    // Bob heard nothing but his own.
    assert_eq!(bob.event().await["data"], "while you were away");
    assert_eq!(bob.event().await["data"], "and now");
    assert_eq!(server.sessions.counts().connections, 2);
    server.stop().await;
}

#[actix_web::test]
async fn a_socket_that_resumes_replaces_the_other() {
    let server = Server::start().await;
    let mut ann = server.join(Role::Publisher, "Ann").await;
    let mut again = server.socket().await;
    let resumed = again.ask(server.resuming(&ann)).await;
    assert_eq!(resumed, json!({ "resumed": true }));
    assert_eq!(ann.close_code().await, 4009);
    again.ask(signal("still here")).await;
    assert_eq!(again.event().await["data"], "still here");
    server.stop().await;
}

#[actix_web::test]
async fn a_resume_with_a_wrong_key_is_refused() {
    let server = Server::start().await;
    let ann = server.join(Role::Publisher, "Ann").await;
    let mut eve = server.socket().await;
    let mut resume = server.resuming(&ann);
    resume["resume"]["key"] = "guessed".into();
    let refusal = eve.refusal(resume).await;
    assert_eq!(refusal, (4001, "OT_DISCONNECTED".to_owned()));
    assert_eq!(eve.close_code().await, 4003);
    server.stop().await;
}

#[actix_web::test]
async fn who_vanishes_is_gone_within_five_seconds() {
    let server = Server::start().await;
    let mut ann = server.join(Role::Publisher, "Ann").await;
    // Bob's network is gone: the socket is there, and nothing answers.
    let bob = server.join(Role::Publisher, "Bob").await;
    let vanished_at = Instant::now();
    ann.event().await;
    let gone = ann.event().await;
    assert_eq!(gone["reason"], "networkDisconnected");
    assert_eq!(gone["connectionId"], bob.id());
    // And a busy machine: 5 s are measured where time is simulated.
    assert!(vanished_at.elapsed() < Duration::from_secs(10));
    server.stop().await;
}

#[actix_web::test]
async fn who_is_not_let_in_hears_why() {
    let server = Server::start().await;
    let other = SessionId::generate(KEY, "", 0);
    let good = server.token(Role::Publisher, "Ann");
    let mut unknown = server.hello(&good);
    unknown["sessionId"] = json!(other);
    let mut old = server.hello(&good);
    old["versions"] = json!([0]);
    let expected = [
        (server.hello("T1==no"), 1004, "OT_AUTHENTICATION_ERROR"),
        (server.hello(&good[..90]), 1004, "OT_AUTHENTICATION_ERROR"),
        (unknown, 1005, "OT_INVALID_SESSION_ID"),
        (old, 1006, "OT_CONNECT_FAILED"),
        (signal("first"), 1011, "OT_INVALID_PARAMETER"),
    ];
    for (hello, code, name) in expected {
        let mut eve = server.socket().await;
        assert_eq!(eve.refusal(hello).await, (code, name.to_owned()));
        assert_eq!(eve.close_code().await, 4003);
    }
    assert_eq!(server.sessions.counts(), SessionCounts::default());
    server.stop().await;
}

#[actix_web::test]
async fn who_says_nothing_is_sent_away() {
    let server = Server::start().await;
    let mut eve = server.socket().await;
    assert_eq!(eve.close_code().await, 4001);
    server.stop().await;
}

#[actix_web::test]
async fn garbage_is_answered_and_hurts_nobody() {
    let server = Server::start().await;
    let mut ann = server.join(Role::Publisher, "Ann").await;
    let mut bob = server.join(Role::Publisher, "Bob").await;
    ann.event().await;
    for garbage in [
        json!({ "type": "dance" }),
        json!({ "type": "hello", "versions": [1] }),
        json!({ "type": "subscribe", "slot": -1, "streamId": "x" }),
        json!({ "type": "offer", "generation": 1 }),
        json!({}),
    ] {
        let refusal = bob.refusal(garbage).await;
        assert_eq!(refusal, (1011, "OT_INVALID_PARAMETER".to_owned()));
    }
    assert_eq!(
        bob.ask(json!({ "type": "ping", "extra": 1 })).await,
        json!({})
    );

    let too_long = "x".repeat(200 * 1024);
    let closing = [
        (Message::text("no JSON"), 4000),
        (Message::text("[]"), 4000),
        (Message::text(r#"{"id":"one","type":"ping"}"#), 4000),
        (Message::binary(vec![1, 2, 3]), 1003),
        (Message::text(too_long), 1009),
    ];
    for (garbage, code) in closing {
        let mut eve = server.join(Role::Publisher, "Eve").await;
        eve.socket.send(garbage).await.unwrap();
        assert_eq!(eve.close_code().await, code);
    }
    let deep = "[".repeat(100_000);
    let mut eve = server.socket().await;
    eve.say(&deep).await;
    assert_eq!(eve.close_code().await, 4003);

    bob.ask(signal("all is well")).await;
    loop {
        if ann.event().await["data"] == "all is well" {
            break;
        }
    }
    server.stop().await;
}

#[actix_web::test]
async fn a_message_may_come_in_fragments() {
    let server = Server::start().await;
    let mut ann = server.join(Role::Publisher, "Ann").await;
    let text = json!({ "id": 77, "type": "signal", "data": "in pieces" }).to_string();
    let pieces: Vec<&[u8]> = text.as_bytes().chunks(7).collect();
    for (place, piece) in pieces.iter().enumerate() {
        let kind = if place == 0 {
            Data::Text
        } else {
            Data::Continue
        };
        let is_last = place + 1 == pieces.len();
        let frame = Frame::message(piece.to_vec(), OpCode::Data(kind), is_last);
        ann.socket.send(Message::Frame(frame)).await.unwrap();
    }
    assert_eq!(ann.message().await.unwrap(), json!({ "re": 77 }));
    assert_eq!(ann.event().await["data"], "in pieces");
    server.stop().await;
}

#[actix_web::test]
async fn a_flood_ends_the_connection_and_nobody_elses() {
    let server = Server::start().await;
    let mut ann = server.join(Role::Publisher, "Ann").await;
    let mut bob = server.join(Role::Publisher, "Bob").await;
    ann.event().await;
    let mut sent = 0;
    while sent < 5000
        && bob
            .socket
            .send(Message::text(r#"{"id":5,"type":"ping"}"#))
            .await
            .is_ok()
    {
        sent += 1;
    }
    assert_eq!(bob.close_code().await, 4029);
    assert_eq!(ann.event().await["type"], "connectionDestroyed");
    assert_eq!(ann.ask(json!({ "type": "ping" })).await, json!({}));
    server.stop().await;
}

#[actix_web::test]
async fn roles_are_enforced_over_the_wire() {
    let server = Server::start().await;
    let mut moderator = server.join(Role::Moderator, "Mo").await;
    let mut guest = server.join(Role::Publisher, "Guest").await;
    let mut viewer = server.join(Role::Subscriber, "Viewer").await;
    let denied = |code| (code, "OT_PERMISSION_DENIED".to_owned());

    let publish = json!({ "type": "publish", "hasAudio": true, "hasVideo": false });
    assert_eq!(viewer.refusal(publish).await, denied(1500));
    let remove = json!({ "type": "forceDisconnect", "connectionId": guest.id() });
    assert_eq!(viewer.refusal(remove.clone()).await, denied(1520));
    assert_eq!(guest.refusal(remove.clone()).await, denied(1520));
    let mute = json!({ "type": "forceMuteAll" });
    assert_eq!(guest.refusal(mute.clone()).await, denied(1540));

    let stream = guest.publish().await;
    assert_eq!(moderator.ask(mute).await, json!({}));
    let viewer_joined = guest.event().await;
    assert_eq!(viewer_joined["type"], "connectionCreated");
    assert_eq!(
        guest.event().await,
        json!({ "type": "muteForced", "active": true })
    );
    assert_eq!(
        guest.event().await,
        json!({ "type": "streamMuted", "streamId": stream })
    );
    assert_eq!(moderator.ask(remove).await, json!({}));
    assert_eq!(
        guest.event().await,
        json!({ "type": "disconnected", "reason": "forceDisconnected" })
    );
    assert_eq!(guest.close_code().await, 4004);
    server.stop().await;
}

#[actix_web::test]
async fn a_busy_engine_is_asked_again() {
    let server = Server::start().await;
    let mut ann = server.join(Role::Publisher, "Ann").await;
    server.engine.busy.store(true, Ordering::SeqCst);
    let publish = json!({ "type": "publish", "hasAudio": true, "hasVideo": true });
    ann.ask(publish).await;
    let offer = |generation| json!({ "type": "offer", "generation": generation, "sdp": "v=0" });
    let waiting = ann.send(offer(1)).await;
    let (code, _) = ann.refusal(offer(2)).await;
    assert_eq!(code, 2000);
    server.engine.busy.store(false, Ordering::SeqCst);
    let answer = ann.message().await.unwrap();
    assert_eq!(answer["re"], waiting);
    assert_eq!(answer["generation"], 1);
    server.stop().await;
}

#[actix_web::test]
async fn everybody_hears_of_a_recording() {
    let mut server = Server::start().await;
    let mut ann = server.join(Role::Publisher, "Ann").await;
    let stream = ann.publish().await;
    let archive = ArchiveInfo {
        id: ArchiveId::random(),
        name: "talk".to_owned(),
        started_at: 1_700_000_000_000,
    };
    let (sink, _packets) = std::sync::mpsc::sync_channel(1);
    server
        .sessions
        .record(&server.session, archive.clone(), sink, Scope::ALL);
    let shown = json!({ "id": archive.id, "name": "talk", "startedAt": 1_700_000_000_000_i64 });
    assert_eq!(
        ann.event().await,
        json!({ "type": "archiveStarted", "archive": shown })
    );
    let mut late = server.join(Role::Publisher, "Late").await;
    assert_eq!(late.welcome["archives"], json!([shown]));
    let recording = server.sessions.recording(&server.session);
    assert_eq!(recording, Some(archive.clone()));

    ann.ask(json!({ "type": "unpublish", "streamId": stream }))
        .await;
    let paused = RecordingUpdate {
        archive: archive.id,
        phase: RecordingPhase::Paused,
    };
    for expected in [
        RegistryEvent::FirstStream(server.session.clone()),
        RegistryEvent::Recording(paused),
    ] {
        let happening = timeout(PATIENCE, server.changes.recv()).await.unwrap();
        assert_eq!(happening, Some(expected));
    }
    let notes = server.recorder.0.lock().unwrap().clone();
    assert!(matches!(&notes[0], TimelineEvent::StreamCreated { name, .. } if name == "Ann"));
    assert!(matches!(&notes[1], TimelineEvent::StreamDestroyed { .. }));

    assert!(server.sessions.stop_recording(&server.session, archive.id));
    assert!(!server.sessions.stop_recording(&server.session, archive.id));
    assert_eq!(late.event().await["type"], "streamDestroyed");
    assert_eq!(
        late.event().await,
        json!({ "type": "archiveStopped", "archive": shown })
    );
    server.stop().await;
}

#[actix_web::test]
async fn the_server_signals_without_a_sender() {
    let server = Server::start().await;
    let word = Some("news".to_owned());
    let nobody = server
        .sessions
        .signal(&server.session, None, word.clone(), None);
    assert_eq!(nobody.unwrap_err().code, 404);
    let mut ann = server.join(Role::Subscriber, "Ann").await;
    let data = Some(json!({ "seq": 1 }));
    server
        .sessions
        .signal(&server.session, None, word, data)
        .unwrap();
    assert_eq!(
        ann.event().await,
        json!({ "type": "signal", "signalType": "news", "data": { "seq": 1 }, "from": null })
    );
    server.stop().await;
}

#[actix_web::test]
async fn a_server_that_stops_says_goodbye() {
    let server = Server::start().await;
    let mut ann = server.join(Role::Publisher, "Ann").await;
    server.sessions.disconnect_all(EndReason::ServerStopping);
    assert_eq!(
        ann.event().await,
        json!({ "type": "disconnected", "reason": "serverStopping" })
    );
    assert_eq!(ann.close_code().await, 1001);
    let mut late = server.socket().await;
    let hello = server.hello(&server.token(Role::Publisher, "Late"));
    assert_eq!(late.refusal(hello).await.0, 1006);
    assert_eq!(server.sessions.counts(), SessionCounts::default());
    server.stop().await;
}

/// What one side of a pair says to the other.
fn peer(word: &str, to: &Client, stream: &str, more: Value) -> Value {
    let mut request = json!({ "type": word, "to": to.id(), "streamId": stream, "pair": 1 });
    request
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    request
}

fn described(kind: &str, sdp: &str) -> Value {
    json!({ "description": { "type": kind, "sdp": sdp } })
}

/// Ann publishes from her browser, and Bob has heard of it.
async fn ann_publishes_to_bob(server: &Server) -> (Client, Client, String) {
    let mut ann = server.join(Role::Publisher, "Ann").await;
    let mut bob = server.join(Role::Subscriber, "Bob").await;
    assert_eq!(bob.welcome["relayed"], true);
    assert_eq!(ann.event().await["type"], "connectionCreated");
    let publish = json!({ "type": "publish", "hasAudio": true, "hasVideo": true });
    let stream = ann.ask(publish).await["streamId"]
        .as_str()
        .unwrap()
        .to_owned();
    ann.ask(json!({ "type": "peer.open", "streamId": stream }))
        .await;
    assert_eq!(bob.event().await["stream"]["streamId"], stream.as_str());
    (ann, bob, stream)
}

#[actix_web::test]
async fn browsers_agree_on_a_way_of_their_own() {
    let server = Server::relayed().await;
    let (mut ann, mut bob, stream) = ann_publishes_to_bob(&server).await;

    let want = peer("peer.want", &ann, &stream, json!({ "height": 180 }));
    assert_eq!(bob.ask(want).await, json!({}));
    assert_eq!(
        ann.event().await,
        json!({ "type": "peer.want", "from": bob.id(), "streamId": stream, "pair": 1, "height": 180, "restart": false })
    );
    ann.ask(peer("peer.sdp", &bob, &stream, described("offer", "v=0")))
        .await;
    assert_eq!(
        bob.event().await,
        json!({ "type": "peer.sdp", "from": ann.id(), "streamId": stream, "pair": 1,
            "description": { "type": "offer", "sdp": "v=0" } })
    );
    bob.ask(peer("peer.sdp", &ann, &stream, described("answer", "v=1")))
        .await;
    assert_eq!(ann.event().await["description"]["sdp"], "v=1");
    let candidate = json!({ "candidate": "candidate:1", "sdpMid": "0", "sdpMLineIndex": 0, "usernameFragment": "u" });
    ann.ask(peer(
        "peer.ice",
        &bob,
        &stream,
        json!({ "candidates": [candidate] }),
    ))
    .await;
    assert_eq!(bob.event().await["candidates"], json!([candidate]));
    bob.ask(peer("peer.bye", &ann, &stream, json!({}))).await;
    assert_eq!(ann.event().await["type"], "peer.bye");
    assert!(server.engine.commands.lock().unwrap().is_empty());
    server.stop().await;
}

#[actix_web::test]
async fn browsers_reach_nobody_outside_their_session_and_say_nothing_endless() {
    let server = Server::relayed().await;
    let elsewhere = Server::relayed().await;
    let (mut ann, mut bob, stream) = ann_publishes_to_bob(&server).await;
    let (eve, mut mallory, other) = ann_publishes_to_bob(&elsewhere).await;

    // Neither a stream nor somebody of another session can be meant.
    for (to, of) in [(&ann, &stream), (&eve, &stream), (&ann, &other)] {
        let refusal = mallory.refusal(peer("peer.want", to, of, json!({}))).await;
        assert_eq!(refusal, (1501, "OT_STREAM_NOT_FOUND".to_owned()));
    }
    let long = described("offer", &"x".repeat(64 * 1024 + 1));
    let refusal = ann.refusal(peer("peer.sdp", &bob, &stream, long)).await;
    assert_eq!(refusal.0, 1011);
    for nonsense in [
        described("rollback", "v=0"),
        json!({}),
        json!({ "description": 1 }),
    ] {
        let refusal = ann.refusal(peer("peer.sdp", &bob, &stream, nonsense)).await;
        assert_eq!(refusal.0, 1011);
    }
    let candidates = json!({ "candidates": [] });
    // How often she may depends on how fast the server is.
    let refused = async {
        loop {
            for _ in 0..100 {
                ann.send(peer("peer.ice", &bob, &stream, candidates.clone()))
                    .await;
            }
            for _ in 0..100 {
                let reply = ann.message().await.expect("a reply, not a close frame");
                if let Some(code) = reply["error"]["code"].as_u64() {
                    return code;
                }
            }
            // Whoever does not read is gone after some seconds.
            for _ in 0..100 {
                assert_eq!(bob.event().await["type"], "peer.ice");
            }
        }
    };
    assert_eq!(timeout(PATIENCE, refused).await.unwrap(), 429);
    server.stop().await;
    elsewhere.stop().await;
}

#[actix_web::test]
async fn browsers_that_find_no_way_are_routed() {
    let server = Server::relayed().await;
    let (mut ann, mut bob, stream) = ann_publishes_to_bob(&server).await;
    let offer = json!({
        "type": "offer", "generation": 1, "sdp": "v=0",
        "tracks": [{ "mid": "0", "streamId": stream, "kind": "audio" }],
    });
    assert_eq!(ann.refusal(offer.clone()).await.0, 1011);
    assert!(!server.sessions.is_routed(&server.session));

    bob.ask(json!({ "type": "peer.failed", "streamId": stream }))
        .await;

    let routed = json!({ "type": "sessionRouted", "reason": "fallback" });
    assert_eq!(ann.event().await, routed);
    assert_eq!(bob.event().await, routed);
    assert!(server.sessions.is_routed(&server.session));
    // Bob is faster than Ann: he waits for her stream.
    let slots = json!({
        "type": "offer", "generation": 1, "sdp": "v=0",
        "slots": [{ "slot": 0, "audioMid": "0", "videoMid": "1" }],
    });
    bob.ask(slots).await;
    let subscribe = json!({ "type": "subscribe", "slot": 0, "streamId": stream });
    assert_eq!(bob.ask(subscribe).await, json!({}));
    assert_eq!(*server.engine.commands.lock().unwrap(), ["offer"]);
    ann.ask(offer).await;
    assert_eq!(
        *server.engine.commands.lock().unwrap(),
        ["offer", "offer", "subscribe"]
    );
    let late = server.join(Role::Publisher, "Lena").await;
    assert_eq!(late.welcome["relayed"], false);
    server.stop().await;
}

#[actix_web::test]
async fn a_session_that_is_to_be_recorded_is_routed() {
    let server = Server::relayed().await;
    assert_eq!(
        server.sessions.route(&server.session).unwrap_err().code,
        404
    );
    let mut ann = server.join(Role::Publisher, "Ann").await;
    server.sessions.route(&server.session).unwrap();
    server.sessions.route(&server.session).unwrap();
    let routed = json!({ "type": "sessionRouted", "reason": "recording" });
    assert_eq!(ann.event().await, routed);
    ann.ask(signal("nothing before this")).await;
    assert_eq!(ann.event().await["type"], "signal");
    server.stop().await;
}
