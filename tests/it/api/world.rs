//! A server for each test, its callers, and the clients in its sessions.

use std::{net::SocketAddr, time::Duration};

use futures_util::{SinkExt, StreamExt};
use parlor::{
    clock,
    config::{Config, Secret},
    opentok::{OpenTok, Role, Session, SessionId, SessionOptions, TokenOptions},
    project::{self, Project},
    server::Server,
    session::StreamId,
};
use reqwest::{Client as Http, Method, RequestBuilder, Response};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{sync::mpsc, time::timeout};
use tokio_tungstenite::{connect_async, tungstenite::Message};

use super::described::Witness;
use crate::{
    client::{Part, Participant},
    peer,
    people::{Moderator, make_account},
};

pub const KEY: u32 = 123_456;
pub const SECRET: &str = "1234567890abcdef1234567890abcdef12345678";
/// Another project of the same server.
pub const OTHER_KEY: u32 = 654_321;
pub const OTHER_SECRET: &str = "abcdef1234567890abcdef1234567890abcdef12";

/// A timeout longer than any step.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct World {
    pub server: Server,
    /// The URL of the witness. It also serves pages, but no sockets.
    pub url: String,
    pub sdk: OpenTok,
    /// The SDK of the other project.
    pub other: OpenTok,
    pub http: Http,
    /// Checks every call of the API.
    pub witness: Witness,
    /// Removed on drop.
    _data: TempDir,
}

impl World {
    pub async fn start() -> World {
        World::with(Config::default()).await
    }

    /// Starts a server with `config` on a free port and an empty data folder.
    pub async fn with(mut config: Config) -> World {
        let data = tempfile::tempdir().unwrap();
        config.network.listen = SocketAddr::from(([127, 0, 0, 1], 0));
        config.data.folder = data.path().join("data");
        config.data.min_free_mib = 16;
        config.keys.api_key = Some(KEY);
        config.keys.api_secret = Some(Secret::from(SECRET.to_owned()));
        let server = Server::start(config).await.unwrap();
        let other = Project {
            api_key: OTHER_KEY,
            api_secret: Secret::from(OTHER_SECRET.to_owned()),
        };
        project::of_pages(server.app().db(), Some(other), clock::now_ms())
            .await
            .unwrap();
        let witness = Witness::before(server.addr()).await;
        let url = witness.url.clone();
        let sdk =
            |key: u32, secret: &str| OpenTok::builder(key, secret).api_url(&url).build().unwrap();
        World {
            sdk: sdk(KEY, SECRET),
            other: sdk(OTHER_KEY, OTHER_SECRET),
            http: http().build().unwrap(),
            server,
            url,
            witness,
            _data: data,
        }
    }

    pub async fn session(&self) -> Session {
        let options = SessionOptions::default();
        self.sdk.create_session(&options).await.unwrap()
    }

    /// Returns a call with the older header, which needs no clock. `path` begins with a slash.
    pub fn call(&self, method: Method, path: &str) -> RequestBuilder {
        self.http
            .request(method, format!("{}{path}", self.url))
            .header("X-TB-PARTNER-AUTH", format!("{KEY}:{SECRET}"))
    }

    /// Sends a call below the project's path with a JSON body.
    pub async fn ask(&self, method: Method, path: &str, body: &Value) -> Response {
        self.call(method, &format!("/v2/project/{KEY}{path}"))
            .json(body)
            .send()
            .await
            .unwrap()
    }

    /// Connects a client that sends audio and video; `data` is its connection data.
    pub async fn publisher(&self, session: &Session, data: &str) -> Participant {
        let options = TokenOptions {
            data: Some(data.to_owned()),
            ..TokenOptions::default()
        };
        let token = session.generate_token(&options).unwrap();
        let pass = json!({ "sessionId": session.session_id, "token": token });
        let base = format!("http://{}", self.server.addr());
        Participant::enter(&base, pass, Part::Publisher).await
    }

    /// Signs a moderator in.
    pub async fn moderator(&self) -> Moderator {
        make_account(self.server.app().db()).await;
        Moderator::at(&format!("http://{}", self.server.addr())).await
    }

    /// Returns the code with which the session refuses a token.
    pub async fn refusal(&self, session: &SessionId, token: &str) -> Value {
        let mut client = self.knock().await;
        let hello = hello(session, token).to_string();
        client.says.send(Message::text(hello)).await.unwrap();
        client.message().await["error"]["code"].clone()
    }

    /// Returns the code with which the server closes a socket that resumes a connection with this key; `None`: it resumes.
    pub async fn resume_refusal(&self, client: &Client, hello: Value, key: &str) -> Option<u16> {
        let (mut socket, _) = connect_async(format!("ws://{}/live", self.server.addr()))
            .await
            .unwrap();
        let mut hello = hello;
        hello["resume"] = json!({ "connectionId": client.id, "key": key, "last": 0 });
        socket.send(Message::text(hello.to_string())).await.unwrap();
        loop {
            match timeout(PATIENCE, socket.next())
                .await
                .unwrap()
                .unwrap()
                .unwrap()
            {
                Message::Text(text) => {
                    let reply: Value = serde_json::from_str(&text).unwrap();
                    if reply["resumed"] == true {
                        return None;
                    }
                    assert!(reply["error"].is_object(), "{reply}");
                }
                Message::Close(frame) => return Some(frame.unwrap().code.into()),
                _ => {}
            }
        }
    }

    async fn knock(&self) -> Client {
        let url = format!("ws://{}/live", self.server.addr());
        let (socket, _) = connect_async(url).await.unwrap();
        let (mut out, mut incoming) = socket.split();
        let (says, mut to_say) = mpsc::channel::<Message>(100);
        let (hears, heard) = mpsc::channel(1_000);
        // The task answers the server's pings. Dropping the client closes the socket.
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    message = incoming.next() => match message {
                        Some(Ok(Message::Text(text))) => {
                            let _ = hears.send(serde_json::from_str(&text).unwrap()).await;
                        }
                        Some(Ok(_)) => {}
                        Some(Err(_)) | None => break,
                    },
                    message = to_say.recv() => match message {
                        Some(message) => { let _ = out.send(message).await; }
                        None => break,
                    },
                }
            }
        });
        Client {
            says,
            heard,
            last_id: 0,
            waiting: Vec::new(),
            id: String::new(),
            key: String::new(),
            connection: Value::Null,
        }
    }

    pub async fn join(&self, session: &Session, role: Role) -> Client {
        let options = TokenOptions {
            role,
            ..TokenOptions::default()
        };
        let token = session.generate_token(&options).unwrap();
        self.enter(&session.session_id, &token).await
    }

    pub async fn enter(&self, session: &SessionId, token: &str) -> Client {
        let mut client = self.knock().await;
        let welcome = client.ask(hello(session, token)).await;
        client.connection = welcome["connection"].clone();
        let id = client.connection["connectionId"].as_str();
        client.id = id.unwrap().to_owned();
        client.key = welcome["key"].as_str().unwrap().to_owned();
        client
    }
}

/// Returns a client without idle connections, because the server may close one just when it is reused.
pub fn http() -> reqwest::ClientBuilder {
    Http::builder().no_proxy().pool_max_idle_per_host(0)
}

/// The first message on a socket.
pub fn hello(session: &SessionId, token: &str) -> Value {
    json!({
        "type": "hello", "id": 1, "versions": [1], "sessionId": session, "token": token,
    })
}

/// Checks that a reply is an error that every SDK can read. Returns its code and message.
pub async fn error(reply: Response, status: u16) -> (i64, String) {
    assert_eq!(reply.status(), status);
    assert_eq!(reply.headers()["content-type"], "application/json");
    let body: Value = serde_json::from_slice(&reply.bytes().await.unwrap()).unwrap();
    let message = body["message"].as_str().unwrap().to_owned();
    assert!(!message.is_empty());
    (body["code"].as_i64().unwrap(), message)
}

/// A client in a session. A task reads its socket.
pub struct Client {
    says: mpsc::Sender<Message>,
    heard: mpsc::Receiver<Value>,
    last_id: u64,
    /// Events that arrived before an awaited reply.
    waiting: Vec<Value>,
    pub id: String,
    /// Resumes the connection from another socket.
    pub key: String,
    /// From the welcome message.
    pub connection: Value,
}

impl Client {
    pub async fn ask(&mut self, mut request: Value) -> Value {
        self.last_id += 1;
        request["id"] = self.last_id.into();
        let text = request.to_string();
        self.says.send(Message::text(text)).await.unwrap();
        loop {
            let message = self.message().await;
            if message["re"] == self.last_id {
                assert!(message["error"].is_null(), "{message}");
                return message;
            }
            self.waiting.push(message);
        }
    }

    /// Waits for the next event of this type, and drops those before it.
    pub async fn event(&mut self, kind: &str) -> Value {
        loop {
            let event = if self.waiting.is_empty() {
                self.message().await
            } else {
                self.waiting.remove(0)
            };
            if event["type"] == kind {
                return event;
            }
        }
    }

    /// Publishes a stream. Others are notified of it, but its media never connect, so no packet arrives.
    pub async fn publish(&mut self, name: &str) -> String {
        let reply = self
            .ask(json!({ "type": "publish", "name": name, "hasAudio": true, "hasVideo": true }))
            .await;
        let id = reply["streamId"].as_str().unwrap().to_owned();
        let offer = peer::Client::new().offer(&[StreamId::parse(&id).unwrap()], &[], 0);
        let mut offer = serde_json::to_value(offer).unwrap();
        offer["type"] = "offer".into();
        self.ask(offer).await;
        id
    }

    pub async fn leave(mut self) {
        self.ask(json!({ "type": "bye" })).await;
    }

    async fn message(&mut self) -> Value {
        let message = timeout(PATIENCE, self.heard.recv()).await.unwrap();
        message.expect("the socket is open")
    }
}
