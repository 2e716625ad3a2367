//! What a page hands to its script: JSON in `<script type="application/json" id="boot">`. The same
//! shapes for the browser are in `static/js/ui/boot.js`.

use serde::Serialize;

use crate::{archive::ArchiveId, opentok::SessionId, room::Slug};

/// To the script of a room's page.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RoomBoot<'a> {
    pub csrf: &'a str,
    pub room: &'a Slug,
    pub room_name: &'a str,
    pub is_host: bool,
    /// The name this visitor used last; empty at first.
    pub visitor_name: &'a str,
    /// The link for participants: absolute when the server knows its public address.
    pub guest_link: String,
    pub status: &'a RoomStatus,
}

/// Who is in a room, and whether it is being recorded.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RoomStatus {
    pub people: Vec<String>,
    pub recording: Option<RecordingStatus>,
}

/// A recording in progress.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordingStatus {
    pub id: ArchiveId,
    /// Counted by the server, whose clock may differ from the browser's.
    pub elapsed_ms: u64,
}

/// The answer to joining: what the browser library needs.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Pass {
    /// A string of digits, as OpenTok's pages have it.
    pub api_key: String,
    pub session_id: SessionId,
    pub token: String,
    pub status: RoomStatus,
}
