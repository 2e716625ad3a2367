//! An application's server that hears what is posted to it, and answers as it is told.

use std::{
    collections::VecDeque,
    net::TcpListener,
    sync::{Arc, Mutex},
    time::Duration,
};

use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer,
    dev::ServerHandle,
    http::StatusCode,
    web::{self, Bytes, Data},
};
use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::STANDARD};
use parlor::clock;
use serde_json::Value;
use tokio::{sync::watch, time::timeout};

/// Longer than anything takes, the longest retry included.
const PATIENCE: Duration = Duration::from_secs(60);

/// A request that came.
#[derive(Clone, Debug)]
pub struct Delivery {
    pub path: String,
    pub id: String,
    pub timestamp: String,
    pub signature: String,
    pub kind: String,
    pub raw: String,
    pub body: Value,
    /// It was answered with a status of success.
    pub taken: bool,
}

impl Delivery {
    /// Checks the signature as the README says.
    pub fn is_signed_with(&self, secret: &str) -> bool {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let signed = format!("{}.{}.{}", self.id, self.timestamp, self.raw);
        let signature = STANDARD.encode(hmac::sign(&key, signed.as_bytes()));
        let age = clock::now_s() - self.timestamp.parse::<i64>().unwrap();
        self.signature == format!("v1,{signature}") && (-1..300).contains(&age)
    }

    pub fn event(&self) -> &str {
        self.body["event"].as_str().unwrap()
    }
}

/// What a receiver does instead of taking an event.
#[derive(Clone, Debug)]
pub enum Mood {
    /// Takes it all the same.
    Take,
    Status(u16),
    Redirect(String),
    /// Answers nothing as long as it lives.
    Hang,
    /// Answers with more than anybody wants to read.
    Chatter,
}

pub struct Receiver {
    pub url: String,
    shared: Arc<Shared>,
    heard: watch::Receiver<Vec<Delivery>>,
    handle: ServerHandle,
}

struct Shared {
    moods: Mutex<VecDeque<Mood>>,
    /// The event that it never takes.
    refused: Mutex<Option<&'static str>>,
    heard: watch::Sender<Vec<Delivery>>,
}

impl Receiver {
    pub fn start() -> Receiver {
        Receiver::at(TcpListener::bind("127.0.0.1:0").unwrap())
    }

    /// On a port that somebody has chosen.
    pub fn at(listener: TcpListener) -> Receiver {
        let url = format!("http://{}/events", listener.local_addr().unwrap());
        let (sender, heard) = watch::channel(Vec::new());
        let shared = Arc::new(Shared {
            moods: Mutex::default(),
            refused: Mutex::default(),
            heard: sender,
        });
        let data = Data::from(Arc::clone(&shared));
        let running = HttpServer::new(move || {
            App::new()
                .app_data(data.clone())
                .default_service(web::to(hear))
        })
        .workers(1)
        .disable_signals()
        .listen(listener)
        .unwrap()
        .run();
        let handle = running.handle();
        tokio::spawn(running);
        Receiver {
            url,
            shared,
            heard,
            handle,
        }
    }

    /// What it does with the next requests; those behind are taken.
    pub fn will(&self, moods: impl IntoIterator<Item = Mood>) {
        self.shared.moods.lock().unwrap().extend(moods);
    }

    /// Answers this event with 400, as often as it comes.
    pub fn refuse(&self, event: &'static str) {
        *self.shared.refused.lock().unwrap() = Some(event);
    }

    /// All requests that came, in their order.
    pub fn heard(&self) -> Vec<Delivery> {
        self.heard.borrow().clone()
    }

    pub async fn until(&self, wished: impl FnMut(&Vec<Delivery>) -> bool) -> Vec<Delivery> {
        let mut heard = self.heard.clone();
        match timeout(PATIENCE, heard.wait_for(wished)).await {
            Ok(found) => found.unwrap().clone(),
            Err(_) => panic!("it came nothing else: {:#?}", self.heard()),
        }
    }

    /// Waits until an event of this name was taken.
    pub async fn until_taken(&self, event: &str) -> Vec<Delivery> {
        self.until(|heard| heard.iter().any(|d| d.taken && d.event() == event))
            .await
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        // Sent at once, whether it is awaited or not.
        drop(self.handle.stop(false));
    }
}

async fn hear(request: HttpRequest, body: Bytes, shared: Data<Shared>) -> HttpResponse {
    let header = |name: &str| {
        let value = request.headers().get(name);
        value.map_or_else(String::new, |value| value.to_str().unwrap().to_owned())
    };
    let raw = String::from_utf8(body.to_vec()).unwrap();
    let body: Value = serde_json::from_str(&raw).unwrap_or_default();
    let refused = *shared.refused.lock().unwrap();
    let mood = match refused {
        Some(event) if body["event"] == event => Some(Mood::Status(400)),
        _ => shared.moods.lock().unwrap().pop_front(),
    };
    let delivery = Delivery {
        path: request.uri().to_string(),
        id: header("webhook-id"),
        timestamp: header("webhook-timestamp"),
        signature: header("webhook-signature"),
        kind: header("content-type"),
        body,
        raw,
        taken: matches!(mood, None | Some(Mood::Take | Mood::Chatter)),
    };
    shared.heard.send_modify(|heard| heard.push(delivery));
    match mood {
        None | Some(Mood::Take) => HttpResponse::NoContent().finish(),
        Some(Mood::Status(status)) => {
            HttpResponse::build(StatusCode::from_u16(status).unwrap()).body("no")
        }
        Some(Mood::Redirect(to)) => HttpResponse::TemporaryRedirect()
            .insert_header(("location", to))
            .finish(),
        Some(Mood::Hang) => std::future::pending().await,
        Some(Mood::Chatter) => {
            let endless = futures_util::stream::repeat_with(|| {
                Ok::<_, actix_web::Error>(Bytes::from_static(&[b'x'; 65_536]))
            });
            HttpResponse::Ok().streaming(endless)
        }
    }
}
