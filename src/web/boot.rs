//! What a page hands to its script: JSON in `<script type="application/json" id="boot">`. `static/js/ui/boot.js` has
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

/// To the script of a room's page.
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
    /// Address of the video platform's library; `None`: it is this server's own, and the page has loaded it.
    pub library: Option<&'a str>,
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

/// The answer to joining.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JoinResponse {
    #[serde(flatten)]
    pub credentials: SessionCredentials,
    pub status: RoomStatus,
}

/// To the script of the buddies' page.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BuddiesBoot<'a> {
    pub csrf: &'a str,
    /// A string of digits.
    pub api_key: String,
    /// The presence session.
    pub session_id: &'a SessionId,
    /// A subscriber's token of the presence session for [`Self::name`]; `None`: the visitor has to enter that name first.
    pub token: Option<String>,
    /// The name to connect under; empty: the page asks for it.
    pub name: &'a str,
    /// Who this visitor is to others; `None` before a name was said.
    pub user: Option<UserId>,
    /// Whom to call once connected.
    pub call: Option<&'a Callee>,
    /// The first page of the roster; `None` before a name was said.
    pub roster: Option<&'a RosterPage>,
    pub is_moderator: bool,
    /// As in [`RoomBoot`]; buddies meet with this server's own in any case.
    pub library: Option<&'a str>,
}

/// Whose link was opened.
#[derive(Serialize)]
pub struct Callee {
    pub id: UserId,
    /// As it was when the buddy was here last.
    pub name: String,
}

/// To the script of an archive's page.
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
    /// `None` when nothing was received of it.
    pub url: Option<String>,
    pub joined_ms: u64,
    pub left_ms: u64,
    /// The archive's time at which the file's time is 0.
    pub starts_ms: u64,
    pub ends_ms: u64,
    pub has_audio: bool,
    pub has_video: bool,
    /// When it was in the archive.
    pub present: Vec<Span>,
    /// When the picture was on.
    pub shown: Vec<Span>,
}
