//! The messages of the browser protocol. The conversation they make is told in `signaling/mod.rs`;
//! the same definitions for the browser are in `static/js/opentok/messages.js`.
//!
//! What is in them are the session's own words: `session/request.rs` and `session/event.rs`.

use serde::{Deserialize, Serialize};

pub use crate::session::{
    event::{
        ArchiveInfo, ConnectionInfo, EndReason, ReplyBody, SessionEvent, SharedEvent, StreamInfo,
        VideoType, Welcome,
    },
    refusal::Refusal,
    request::{NewStream, Request, Resume, StreamUpdate, SubscriptionUpdate},
};
use crate::{opentok::SessionId, session::OutboundMessage};

/// The first message of every socket.
#[derive(Debug, Deserialize)]
#[serde(
    tag = "type",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum FirstMessage {
    Hello {
        id: u64,
        /// Protocol versions the client speaks; the server speaks 1.
        versions: Vec<u32>,
        session_id: SessionId,
        /// T1 or JWT.
        token: String,
        /// Who comes and goes is not told.
        #[serde(default)]
        quiet: bool,
        /// Takes a lost socket's place.
        resume: Option<Resume>,
    },
}

/// Every further message. `id` numbers requests from 1; every request is answered by one [`Reply`].
#[derive(Debug, Deserialize)]
pub struct Message {
    pub id: u64,
    #[serde(flatten)]
    pub request: Request,
}

/// All that can be read of a message that makes no sense.
#[derive(Debug, Deserialize)]
pub struct Unreadable {
    pub id: u64,
}

/// `{"re":7,…}` is the reply to request 7.
#[derive(Debug, Serialize)]
pub struct Reply<'a> {
    pub re: u64,
    #[serde(flatten)]
    pub outcome: &'a ReplyBody,
}

/// The text of a message to a client.
pub fn text(message: &OutboundMessage) -> String {
    match message {
        OutboundMessage::Reply { request, outcome } => reply_text(*request, outcome),
        OutboundMessage::Event { n, event } => event_text(*n, event),
    }
}

pub fn reply_text(re: u64, outcome: &ReplyBody) -> String {
    serde_json::to_string(&Reply { re, outcome }).expect("a reply has string keys only")
}

/// `{"n":12,…}` is event 12. Counts a connection's events from 1, over all its sockets.
///
/// Everybody's events share one text, so the number is put in front of it.
fn event_text(n: u64, event: &SharedEvent) -> String {
    let fields = event.json.strip_prefix('{').unwrap_or(&event.json);
    format!("{{\"n\":{n},{fields}")
}
