//! The video platform behind the pages: the operations that pages need, with two implementations.
//!
//! [`Embedded`] is Parlor's own media engine in this process. [`Remote`] is any server that speaks OpenTok's REST API:
//! the OpenTok cloud, or another Parlor. Pages, rooms, roles and history use [`Platform`] and do not depend on which one
//! it is; code that must know matches on [`Backend`]. Presence is never remote: the presence session always belongs to
//! [`LocalSessions`], on this server.

mod browser_access;
mod embedded;
mod error;
mod local;
mod metrics;
mod remote;
mod rooms;
mod session_cache;

pub use browser_access::BrowserAccess;
pub use embedded::Embedded;
pub use error::PlatformError;
pub use local::{LocalPresence, LocalSessions, Signal};
pub use metrics::{Metric, engine_metrics};
pub use remote::{NullMedia, PresenceAdmission, Remote, RemoteParts, RemoteSettings};
pub use rooms::{Rooms, RoomsError};

use std::sync::Arc;

use async_trait::async_trait;

use crate::{
    archive::{Archive, ArchiveId, Archives},
    opentok::{Role, SessionId},
    project::SessionRecord,
    session::ConnectionId,
};

/// What pages ask of a video platform: sessions, tokens, participants and archives.
#[async_trait]
pub trait Platform: Send + Sync {
    /// The facts about the platform that do not change while the server runs.
    fn info(&self) -> &PlatformInfo;

    /// Creates a routed session.
    async fn create_session(&self) -> Result<SessionId, PlatformError>;

    /// Creates the session of a call of two.
    async fn create_chat_session(&self) -> Result<SessionId, PlatformError>;

    /// Routes the media of a session through the server from now on, so that they can be recorded.
    async fn route(&self, session: &SessionId) -> Result<(), PlatformError>;

    /// Closes a session for good: its clients are disconnected, and no client can join it again.
    async fn close_session(&self, session: &SessionId) -> Result<(), PlatformError>;

    /// A token to join `session` with, valid for a day. All participants of the session can read `data`.
    async fn token(
        &self,
        session: &SessionId,
        role: Role,
        data: &str,
    ) -> Result<String, PlatformError>;

    /// The connection data of the session's participants in the order in which they joined, or as much of it as the
    /// platform reports. For display: the answer may be some seconds old.
    async fn participants(&self, session: &SessionId) -> Result<Vec<String>, PlatformError>;

    /// The connections of the session now; never a cached answer.
    async fn connections(&self, session: &SessionId) -> Result<Vec<ConnectionId>, PlatformError>;

    /// The archive that records the session now.
    async fn recording(&self, session: &SessionId) -> Result<Option<Recording>, PlatformError>;

    /// Starts to record the session, also while it has no participants yet.
    async fn start_archive(
        &self,
        session: &SessionId,
        options: StartArchive,
    ) -> Result<ArchiveId, PlatformError>;

    /// Stops a recording.
    async fn stop_archive(&self, id: ArchiveId) -> Result<(), PlatformError>;

    /// Deletes an archive, and its files where they [can be deleted](PlatformInfo::can_delete_files_of).
    async fn delete_archive(&self, id: ArchiveId) -> Result<(), PlatformError>;

    /// A URL of the file of an available archive that this server [does not have](Archive::has_file_here). The URL works
    /// for some minutes.
    async fn remote_file_url(&self, archive: &Archive) -> Result<String, PlatformError>;
}

/// The facts about a platform that do not change while the server runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlatformInfo {
    /// The API key of its sessions. A page needs it to join one.
    pub api_key: u32,
    /// The address that the rows of its sessions and archives carry; empty for this server.
    pub address: String,
    /// What browsers need to reach a platform on another server; `None` for this server.
    pub browser_access: Option<BrowserAccess>,
}

impl PlatformInfo {
    /// Whether calls and archives are on another server.
    ///
    /// Such a platform does not notify a [`LocalPresence`]'s observer of its connections; poll
    /// [`Platform::connections`] instead.
    pub fn is_remote(&self) -> bool {
        self.browser_access.is_some()
    }

    /// Whether a session belongs to this platform and API key, so that clients can join it.
    pub fn owns(&self, session: &SessionRecord) -> bool {
        session.platform == self.address && session.api_key == self.api_key
    }

    /// Whether [`Platform::delete_archive`] deletes the archive's files. Otherwise they are on a former platform, out of
    /// this server's reach, and only the archive's row is deleted.
    pub fn can_delete_files_of(&self, archive: &Archive) -> bool {
        archive
            .platform()
            .is_none_or(|platform| platform == self.address)
    }
}

/// The platform in use, for code that must know which one it is.
#[derive(Clone)]
pub enum Backend {
    Embedded(Embedded),
    Remote(Remote),
}

impl Backend {
    /// The platform, as pages use it.
    pub fn platform(&self) -> Arc<dyn Platform> {
        match self {
            Backend::Embedded(embedded) => Arc::new(embedded.clone()),
            Backend::Remote(remote) => Arc::new(remote.clone()),
        }
    }
}

/// How to record. The composed file shows a shared screen large, above the other streams.
#[derive(Clone, Debug, Default)]
pub struct StartArchive {
    /// Shown in the history.
    pub name: String,
    /// The room's name when the recording starts.
    pub room: String,
    /// The moderator's name.
    pub started_by: String,
}

/// An archive in progress.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    pub id: ArchiveId,
    /// Unix time, ms.
    pub started_at_ms: i64,
}

/// The error for the file of an archive that belongs to a platform not in use.
fn former_platform(archive: &Archive) -> PlatformError {
    PlatformError::Conflict(format!(
        "another video platform has this archive ({}), and this server does not use it now",
        browser_access::host(archive.platform().unwrap_or_default())
    ))
}

/// Deletes an archive of this server with its files, or the row and the copied file of one of a former platform.
async fn delete_local(
    archives: &Archives,
    api_key: u32,
    id: ArchiveId,
) -> Result<(), PlatformError> {
    match archives.find(api_key, id).await? {
        Some(archive) if archive.is_remote() => {
            archives.delete_remote(id).await?;
        }
        _ => {
            archives.delete(id).await?;
        }
    }
    Ok(())
}
