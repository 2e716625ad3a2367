//! The server SDK against a server with scripted answers, in the formats of OpenTok's REST API.

mod archives;
mod download;
mod errors;
pub mod service;
mod sessions;
mod streams;
mod transport;

use parlor::opentok::{OpenTok, SessionId};

use service::Service;

const KEY: u32 = 123_456;
const SECRET: &str = "1234567890abcdef1234567890abcdef1234567890";
const SESSION: &str = "1_MX4xMjM0NTZ-flNhdCBNYXIgMTUgMTQ6NDI6MjMgUERUIDIwMTR-MC40OTAxMzAyNX4";
const ARCHIVE: &str = "30b3ebf1-ba36-4f5b-8def-6f70d9986fe9";

fn client(service: &Service) -> OpenTok {
    OpenTok::builder(KEY, SECRET)
        .api_url(&service.url)
        .build()
        .unwrap()
}

fn session_id() -> SessionId {
    SessionId::from(SESSION)
}

/// An archive as a server of 2014 writes it, pretty printed.
fn archive_2014(status: &str, name: &str) -> String {
    format!(
        r#"{{
  "createdAt" : 1395183243556,
  "duration" : 0,
  "id" : "{ARCHIVE}",
  "name" : "{name}",
  "partnerId" : 123456,
  "reason" : "",
  "sessionId" : "SESSIONID",
  "size" : 0,
  "status" : "{status}",
  "url" : null
}}"#
    )
}
