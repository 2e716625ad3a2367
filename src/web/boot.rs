//! The data that a page passes to its script: JSON in `<script type="application/json" id="boot">`. `static/js/ui/boot.js` has
//! the same shapes for the browser.
//!
//! As in OpenTok's samples, the pages of a room and of the buddies carry `apiKey`, `sessionId` and `token`. The token is
//! for the name that the visitor used last. The script connects with it while it is new; for another name it asks for
//! another token. The role depends on the page: only a signed-in moderator gets a moderator's token, on a host page.

use serde::Serialize;

use crate::{
    archive::{ArchiveId, recording::Span},
    opentok::SessionId,
    presence::{RosterPage, UserId},
    room::Slug,
    session::StreamId,
};

/// What the browser library needs to connect to a session.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionCredentials {
    /// A string of digits, as OpenTok's pages have it.
    pub api_key: String,
    pub session_id: SessionId,
    pub token: String,
}

/// The data for the script of a room's page.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RoomBoot<'a> {
    /// For [`Self::visitor_name`].
    #[serde(flatten)]
    pub credentials: SessionCredentials,
    pub csrf: &'a str,
    pub room: &'a Slug,
    pub room_name: &'a str,
    pub is_host: bool,
    /// The name this visitor used last; empty at first.
    pub visitor_name: &'a str,
    /// The link for participants: absolute when the server knows its public address.
    pub guest_link: String,
    pub status: &'a RoomStatus,
    /// URL of the video platform's library; `None` if the library is this server's own, which the page has loaded.
    pub library: Option<&'a str>,
}

/// The people in a room, and its recording.
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
    /// Measured by the server, whose clock may differ from the browser's.
    pub elapsed_ms: u64,
}

/// The response to a request to join.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JoinResponse {
    #[serde(flatten)]
    pub credentials: SessionCredentials,
    pub status: RoomStatus,
}

/// The data for the script of the Buddies page.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BuddiesBoot<'a> {
    pub csrf: &'a str,
    /// A string of digits.
    pub api_key: String,
    /// The presence session.
    pub session_id: &'a SessionId,
    /// A subscriber's token of the presence session for [`Self::name`]; `None` if the visitor has to enter that name first.
    pub token: Option<String>,
    /// The name to connect under; empty if the page asks for it.
    pub name: &'a str,
    /// The visitor's user id; `None` until the visitor has entered a name.
    pub user: Option<UserId>,
    /// The buddy to call once connected.
    pub call: Option<&'a Callee>,
    /// The first page of the roster; `None` until the visitor has entered a name.
    pub roster: Option<&'a RosterPage>,
    pub is_moderator: bool,
    /// As in [`RoomBoot::library`]. The presence session always uses this server's own library.
    pub library: Option<&'a str>,
}

/// The buddy whose link the visitor opened.
#[derive(Serialize)]
pub struct Callee {
    pub id: UserId,
    /// The buddy's latest name.
    pub name: String,
}

/// The data for the script of an archive's page.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ArchiveBoot {
    pub duration_ms: u64,
    pub streams: Vec<PlayedStream>,
}

/// One stream of an archive. All times count from the archive's start, in ms.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlayedStream {
    pub id: StreamId,
    pub name: String,
    /// "camera", "screen" or "custom".
    pub video_type: String,
    /// URL of the track; `None` if nothing was recorded.
    pub url: Option<String>,
    pub joined_ms: u64,
    pub left_ms: u64,
    /// The archive's time at which the track starts.
    pub starts_ms: u64,
    pub ends_ms: u64,
    pub has_audio: bool,
    pub has_video: bool,
    /// The spans in which the archive includes the stream.
    pub present: Vec<Span>,
    /// The spans in which the video was on.
    pub shown: Vec<Span>,
}
