//! The video platform behind the pages: what they need of it, whoever provides it.
//!
//! `embedded` is Parlor's own media engine in this process; `remote` is any server that speaks OpenTok's REST API: the
//! OpenTok cloud, or another Parlor. Pages, rooms, roles and history do not know which platform they stand on. Who is
//! here and who rings is never a platform's business: the presence session stays in the [`LocalPresence`], on this server.

mod browser_access;
mod embedded;
mod remote;
mod session_cache;

pub use browser_access::BrowserAccess;
pub use embedded::Embedded;
pub use remote::{NullMedia, PresenceAdmission, Remote, RemoteSettings};
pub use session_cache::SessionCache;

use std::sync::Arc;

use async_trait::async_trait;

use crate::{
    archive::{Archive, ArchiveId},
    opentok::{Role, SessionId},
    project::SessionRecord,
    session::{ConnectionId, Observer},
};

/// What calls and archives ask of a video platform.
#[async_trait]
pub trait Platform: Send + Sync {
    /// The API key of its sessions, which pages need to join one.
    fn api_key(&self) -> u32;

    /// Whether a session is one of this platform's and this key's, so that people can be let in.
    fn has(&self, session: &SessionRecord) -> bool;

    /// Whether an archive's file goes for good with [`Platform::delete_archive`]. Else it is another platform's, which
    /// nobody here can reach, and is only forgotten.
    fn deletes(&self, archive: &Archive) -> bool {
        !archive.is_remote()
    }

    /// What browsers need of a platform that is not this server; `None`: it is.
    ///
    /// Such a platform does not tell a [`LocalPresence`]'s observer who comes and goes: [`Platform::connections`] is to be asked.
    fn browser_access(&self) -> Option<&BrowserAccess> {
        None
    }

    /// Makes a routed session.
    async fn create_session(&self) -> Result<SessionId, PlatformError>;

    /// Makes the session of a call of two.
    async fn create_chat_session(&self) -> Result<SessionId, PlatformError>;

    /// Has the media of a session go through the server from now on, so that they can be recorded.
    async fn route(&self, session: &SessionId) -> Result<(), PlatformError>;

    /// Ends a session for good: nobody is let in any more, and whoever is in it is disconnected.
    async fn close_session(&self, session: &SessionId) -> Result<(), PlatformError>;

    /// A token to join `session` with, good for a day. `data` is shown to everybody in the session.
    async fn token(
        &self,
        session: &SessionId,
        role: Role,
        data: &str,
    ) -> Result<String, PlatformError>;

    /// Who is in the session, in the order in which they came: their connection data, or as much of it as the
    /// platform tells. For pages to show: it may be a moment old.
    async fn participants(&self, session: &SessionId) -> Result<Vec<String>, PlatformError>;

    /// The connections of the session now, never as they were a moment ago.
    async fn connections(&self, session: &SessionId) -> Result<Vec<ConnectionId>, PlatformError>;

    /// The archive that records the session now.
    async fn recording(&self, session: &SessionId) -> Result<Option<Recording>, PlatformError>;

    /// Begins to record the session, also while nobody is in it yet.
    async fn start_archive(
        &self,
        session: &SessionId,
        options: StartArchive,
    ) -> Result<ArchiveId, PlatformError>;

    /// Ends a recording.
    async fn stop_archive(&self, id: ArchiveId) -> Result<(), PlatformError>;

    /// Deletes an archive and its files, where [they can be reached](Platform::deletes).
    async fn delete_archive(&self, id: ArchiveId) -> Result<(), PlatformError>;

    /// Where the file of an available archive is that is not [here](Archive::has_file_here); an address that works for
    /// some minutes.
    async fn remote_file_url(&self, archive: &Archive) -> Result<String, PlatformError> {
        Err(not_this_platforms(archive))
    }

    /// What the platform counts, for `/metrics`.
    fn metrics(&self) -> Vec<Metric> {
        Vec::new()
    }
}

/// What buddies ask of this server's own live sessions: the presence session is one of them, wherever calls are.
#[async_trait]
pub trait LocalPresence: Send + Sync {
    /// Makes a session for buddies to meet in.
    async fn create_presence_session(&self) -> Result<SessionId, PlatformError>;

    /// A token to join the presence session and publish nothing in it, good for a day. `data` is shown to everybody
    /// who sees its holder.
    fn presence_token(&self, session: &SessionId, data: &str) -> String;

    /// Has somebody follow who comes and goes in all sessions, and stand between the clients where it
    /// judges. To be called once, before anybody is let in.
    fn observe(&self, observer: Arc<dyn Observer>);

    /// Signals in a session.
    ///
    /// # Errors
    /// [`PlatformError::NotFound`] when there is nobody to receive it.
    fn signal(&self, session: &SessionId, signal: Signal) -> Result<(), PlatformError>;

    /// Shows a connection to the others in a session that is judged, or hides it as if it had left.
    fn show(&self, session: &SessionId, connection: ConnectionId, is_seen: bool);

    /// Whoever joins `from` with a token of it joins `into`, until that one is closed; for clients that cannot be
    /// told where to go.
    fn alias(&self, from: &SessionId, into: &SessionId);
}

/// A signal of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signal {
    /// In whose name; `None`: the server's own, which no client can forge.
    pub from: Option<ConnectionId>,
    /// `None`: everybody.
    pub to: Option<ConnectionId>,
    pub signal_type: String,
    /// At most 8192 bytes as JSON.
    pub data: String,
}

/// One number of `/metrics`, in Prometheus' words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// Without the prefix `parlor_`; counters end in `_total`.
    pub name: &'static str,
    pub help: &'static str,
    pub value: u64,
}

/// How to record. Whoever shares a screen has it large in the composed file, above the others.
#[derive(Clone, Debug, Default)]
pub struct StartArchive {
    /// Shown in the history.
    pub name: String,
    /// The room's name at this moment.
    pub room: String,
    /// The moderator's name.
    pub started_by: String,
    /// Size of the composed file, as in `640x480`; `None`: the configured one.
    pub resolution: Option<String>,
}

/// An archive in progress.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    pub id: ArchiveId,
    /// Unix time, ms.
    pub started_at_ms: i64,
}

/// Why a platform did not do what it was asked. The sentences are for the person at the page.
#[derive(Debug, thiserror::Error)]
pub enum PlatformError {
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// It is not in a state in which this can be done.
    #[error("{0}")]
    Conflict(String),
    #[error("{0}")]
    BadRequest(String),
    /// The disk is full or cannot be written.
    #[error("{0}")]
    NoSpace(String),
    /// Another try in a moment may work.
    #[error("{0}")]
    Unavailable(String),
    /// Nothing works until whoever runs this server has changed its settings.
    #[error("{0}")]
    Misconfigured(String),
    #[error(transparent)]
    Internal(#[from] anyhow::Error),
}

/// An archive is of a platform on which this server does not stand now.
fn not_this_platforms(archive: &Archive) -> PlatformError {
    PlatformError::Conflict(format!(
        "another video platform has this archive ({}), and this server does not use it now",
        browser_access::host(&archive.platform)
    ))
}
