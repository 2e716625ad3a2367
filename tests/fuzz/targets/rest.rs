//! Bodies of the REST API, through the handlers of a real server. Every body is answered, never with 500, and a refusal is
//! JSON with a sentence.
//!
//! The first byte selects the call, the rest is its body. In bodies and paths, `$S` is a session with a publisher, `$E` one
//! that no client has ever joined, `$R` a relayed one, `$C` the publisher's connection, `$T` its stream and `$A` an archive
//! that records it.

#![no_main]

use std::{
    cell::{OnceCell, RefCell},
    future::poll_fn,
    net::SocketAddr,
    pin::Pin,
    rc::Rc,
};

use actix_http::Request;
use actix_web::{
    App,
    body::{BoxBody, to_bytes},
    dev::{Service, ServiceResponse},
    http::{Method, StatusCode},
    rt::{System, SystemRunner},
    test::{TestRequest, init_service},
    web,
};
use libfuzzer_sys::fuzz_target;
use parlor::{
    api::{self, Api},
    archive::{ArchiveId, NewArchive, Reason, StreamMode, download::Links, history::ArchiveFilter},
    archive_object::ObjectWriter,
    config::{Config, Secret},
    opentok::{Claims, Role, SessionId},
    platform::Platform,
    server::Server,
    session::{
        Attachment, NewConnection, OutboundMessage, Request as Asked, StreamId, event::ReplyBody,
    },
};
use serde_json::Value;

const KEY: u32 = 123_456;
const SECRET: &str = "1234567890abcdef1234567890abcdef12345678";

const CALLS: [(&str, &str); 16] = [
    ("POST", "/session/create"),
    ("POST", "/v2/project/123456/archive"),
    ("POST", "/v2/project/123456/archive/$A"),
    ("POST", "/v2/project/123456/archive/$A/stop"),
    ("PUT", "/v2/project/123456/archive/$A/layout"),
    ("PATCH", "/v2/project/123456/archive/$A/streams"),
    ("POST", "/v2/project/123456/session/$S/signal"),
    ("POST", "/v2/project/123456/session/$S/connection/$C/signal"),
    ("POST", "/v2/project/123456/session/$S/mute"),
    ("POST", "/v2/project/123456/session/$S/stream/$T/mute"),
    ("PUT", "/v2/project/123456/session/$S/stream"),
    ("POST", "/v2/partner/123456/session/$E/signal"),
    ("POST", "/v2/partner/123456/session/$R/mute"),
    ("GET", "/v2/project/123456/archive?"),
    ("GET", "/v2/project/123456/session/"),
    ("DELETE", "/v2/project/123456/session/$S/connection/"),
];

thread_local! {
    /// Kept until the process ends. The fuzzer exits without cleaning up.
    static WORLD: OnceCell<&'static World> = const { OnceCell::new() };
}

fuzz_target!(|input: &[u8]| {
    let Some((call, body)) = input.split_first() else {
        return;
    };
    WORLD.with(|world| {
        world
            .get_or_init(|| Box::leak(Box::new(World::start())))
            .call(CALLS[usize::from(*call) % CALLS.len()], body)
    });
});

type Answer = Pin<Box<dyn Future<Output = ServiceResponse<BoxBody>>>>;

struct World {
    system: SystemRunner,
    /// The handlers.
    service: Box<dyn Fn(Request) -> Answer>,
    server: Server,
    publisher: RefCell<Option<Rc<Publisher>>>,
    /// A session that no client has joined, and a relayed one.
    others: [SessionId; 2],
}

/// A publisher in a session of its own.
struct Publisher {
    session: SessionId,
    present: Attachment,
    stream: StreamId,
}

impl World {
    fn start() -> World {
        let data = std::env::temp_dir().join("parlor-fuzz-rest");
        let _ = std::fs::remove_dir_all(&data);
        let mut config = Config::default();
        config.network.listen = SocketAddr::from(([127, 0, 0, 1], 0));
        config.data.folder = data;
        config.keys.api_key = Some(KEY);
        config.keys.api_secret = Some(Secret::from(SECRET.to_owned()));
        let system = System::new();
        let (server, others, service) = system.block_on(async {
            let server = Server::start(config).await.unwrap();
            let platform = server.embedded().unwrap();
            let others = [
                platform.create_session().await.unwrap(),
                platform.create_chat_session().await.unwrap(),
            ];
            let objects = ObjectWriter {
                links: Links::new(SECRET.as_bytes()),
                sessions: platform.sessions.clone(),
            };
            let api = Api::new(server.app(), platform.clone(), objects);
            let service =
                init_service(App::new().configure(api::routes(web::Data::new(api)))).await;
            (server, others, Rc::new(service))
        });
        let service = move |request| -> Answer {
            let service = Rc::clone(&service);
            Box::pin(async move { service.call(request).await.unwrap().map_into_boxed_body() })
        };
        World {
            system,
            service: Box::new(service),
            server,
            publisher: RefCell::default(),
            others,
        }
    }

    fn call(&self, (method, path): (&str, &str), body: &[u8]) {
        self.system.block_on(async {
            let publisher = self.publisher().await;
            let archive = match path {
                // A running archive would refuse the next one.
                "/v2/project/123456/archive" => {
                    self.end_archives().await;
                    None
                }
                path if path.contains("$A") => Some(self.archive(&publisher.session).await),
                _ => None,
            };
            let names = self.names(&publisher, archive);
            let named = |text: &str| {
                names
                    .iter()
                    .fold(text.to_owned(), |text, (name, id)| text.replace(name, id))
            };
            let body = named(&String::from_utf8_lossy(body));
            let mut path = named(path);
            let mut body = body.into_bytes();
            if path.ends_with(['?', '/']) {
                let rest = std::mem::take(&mut body);
                path.extend(
                    rest.iter()
                        .filter(|byte| byte.is_ascii_graphic() && **byte != b'#')
                        .map(|byte| char::from(*byte)),
                );
                if path.parse::<actix_web::http::Uri>().is_err() {
                    return;
                }
            }
            let request = TestRequest::with_uri(&path)
                .method(method.parse::<Method>().unwrap())
                .insert_header(("X-TB-PARTNER-AUTH", format!("{KEY}:{SECRET}")))
                .insert_header(("Content-Type", "application/json"))
                .set_payload(body)
                .to_request();
            check((self.service)(request).await).await;
        });
    }

    /// Returns the archive that records the publisher's session.
    async fn archive(&self, session: &SessionId) -> ArchiveId {
        let archives = &self.server.app().archives;
        let running = archives.running_in(session).await.unwrap();
        if let Some(archive) = running.first() {
            return archive.id;
        }
        self.end_archives().await;
        let chosen_by_hand = NewArchive {
            stream_mode: StreamMode::Manual,
            ..NewArchive::of(KEY, session.clone())
        };
        let started = self.server.embedded().unwrap().start(chosen_by_hand).await;
        started.unwrap().id
    }

    /// Stops and deletes the archives, so that a long run has no long history.
    async fn end_archives(&self) {
        let (platform, archives) = (self.server.embedded().unwrap(), &self.server.app().archives);
        for archive in archives.running().await.unwrap() {
            platform
                .stop(archive.id, Reason::UserInitiated)
                .await
                .unwrap();
        }
        let page = archives
            .page(&ArchiveFilter::Project(KEY), 1, 100)
            .await
            .unwrap();
        for archive in page.archives {
            // An unfinished archive is deleted the next time.
            let _ = platform.delete_archive(archive.id).await;
        }
    }

    /// Returns a publisher, in a new session each time. In a session that was recorded, a stream would wait for media, and
    /// none arrive here.
    async fn publisher(&self) -> Rc<Publisher> {
        let sessions = self.server.sessions();
        let publisher = self.publisher.take();
        let publisher = publisher.filter(|old| !sessions.streams(&old.session).is_empty());
        let publisher = match publisher {
            Some(publisher) => publisher,
            None => Rc::new(self.enter().await),
        };
        self.publisher.replace(Some(Rc::clone(&publisher)));
        publisher
    }

    fn names(
        &self,
        publisher: &Publisher,
        archive: Option<ArchiveId>,
    ) -> [(&'static str, String); 6] {
        let [empty, relayed] = &self.others;
        [
            ("$S", publisher.session.to_string()),
            ("$E", empty.to_string()),
            ("$R", relayed.to_string()),
            ("$C", publisher.present.connection().to_string()),
            ("$T", publisher.stream.to_string()),
            ("$A", archive.map(|id| id.to_string()).unwrap_or_default()),
        ]
    }

    async fn enter(&self) -> Publisher {
        let session = self
            .server
            .embedded()
            .unwrap()
            .create_session()
            .await
            .unwrap();
        let claims = Claims {
            api_key: KEY,
            session_id: session.clone(),
            role: Role::Moderator,
            data: String::new(),
            layout_classes: Vec::new(),
            created_at: 0,
            expires_at: i64::MAX,
        };
        let newcomer = NewConnection {
            claims,
            // The publisher of a relayed stream reports when the stream exists; no engine has to answer.
            relayed: true,
            quiet: false,
        };
        let sessions = self.server.sessions();
        let (present, mut outbox) = sessions.join(&session, &newcomer, 1).unwrap();
        let publish = r#"{"type":"publish","name":"","hasAudio":true,"hasVideo":true,"videoType":"camera","width":640,"height":480}"#;
        present.request(2, serde_json::from_str::<Asked>(publish).unwrap());
        let stream = loop {
            let heard = poll_fn(|context| outbox.poll_next(context)).await.unwrap();
            if let OutboundMessage::Reply {
                outcome: ReplyBody::Published { stream_id },
                ..
            } = heard
            {
                break stream_id;
            }
        };
        present.request(3, Asked::PeerOpen { stream_id: stream });
        actix_web::rt::spawn(async move {
            while poll_fn(|context| outbox.poll_next(context)).await.is_ok() {}
        });
        assert_eq!(sessions.streams(&session).len(), 1);
        Publisher {
            session,
            present,
            stream,
        }
    }
}

async fn check(response: ServiceResponse<BoxBody>) {
    let status = response.status();
    let is_json = response
        .headers()
        .get("content-type")
        .is_some_and(|kind| kind == "application/json");
    let body = to_bytes(response.into_body()).await.unwrap();
    assert_ne!(status, StatusCode::INTERNAL_SERVER_ERROR, "{body:?}");
    if !status.is_success() {
        assert!(is_json, "{status}: {body:?}");
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert!(
            body["message"]
                .as_str()
                .is_some_and(|message| !message.is_empty()),
            "{body}"
        );
    }
    if status == StatusCode::NO_CONTENT {
        assert!(body.is_empty());
    }
}
