//! Another server as the platform: the OpenTok cloud, or a second Parlor. Asked by its REST API.
//!
//! ```text
//! pages ─▶ Remote ─▶ opentok (the SDK) ─▶ its REST API
//!             │ replies                        ▲
//!             ▼                                │ lists, files
//!          archives (rows) ◀── following, pulling: one task each
//! ```
//!
//! Tokens are made here, with the project's secret. Rooms keep their sessions; those of another platform are replaced when
//! somebody comes (`web/room.rs`). Archives are rows like all others; what the platform says moves them
//! ([`crate::archive::remote`]): the reply to whoever starts, stops or deletes one, and the list, which is read every
//! few seconds while there is something to wait for, and at once when a callback of the platform comes. Nothing needs
//! the platform to be listed.

mod archive_sync;
mod archives;
mod cache;
mod complaints;
mod error;
mod mirror;
mod participants;
mod presence;

pub use presence::{NullMedia, PresenceAdmission};

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use tokio::sync::{Notify, Semaphore};
use tracing::info;

use self::{
    cache::ReplyCache,
    complaints::Complaints,
    error::{concerns_all, is_unknown, log, platform_error},
};
use super::{
    BrowserAccess, Embedded, Metric, Platform, PlatformError, Recording, StartArchive,
    browser_access::host,
};
use crate::{
    archive::{Archive, ArchiveId},
    clock,
    opentok::{self, OpenTok, Role, SessionId, SessionOptions, TokenKind, TokenOptions},
    project::{self, Project, SessionRecord},
    session::ConnectionId,
};

/// How long anybody waits for the platform.
const PATIENCE: Duration = Duration::from_secs(10);

/// For a connection to it.
const CONNECT: Duration = Duration::from_secs(5);

/// Questions at once about who is in a room. Higher: a page with many rooms is there sooner; lower: the platform is less
/// likely to be asked too often.
const MAX_PARTICIPANT_QUERIES: usize = 8;

/// Where the platform is, and as whom this server speaks to it.
#[derive(Clone, Debug)]
pub struct RemoteSettings {
    /// The project there.
    pub project: Project,
    /// Without a slash at the end.
    pub api_url: String,
    /// Address of the browser library.
    pub library: String,
}

/// Another server as the platform. Clones are the same platform.
#[derive(Clone)]
pub struct Remote(Arc<Inner>);

struct Inner {
    opentok: OpenTok,
    /// The project's address there: what the rows of its sessions and archives say of where they are.
    address: String,
    /// For the log.
    host: String,
    browser_access: BrowserAccess,
    /// This server's own platform: its database and archives, and what is left of it.
    home: Embedded,
    /// What the platform said a moment ago; held for moments.
    cache: Mutex<ReplyCache>,
    /// What the log has been remote; held for moments.
    complaints: Mutex<Complaints>,
    /// For those who ask who is there: a page may list very many rooms.
    participant_queries: Semaphore,
    /// There is something to follow.
    sync_requested: Notify,
}

impl Remote {
    /// Nothing is sent: the platform need not be there yet.
    ///
    /// # Errors
    /// The settings are no good, or the database does not answer.
    pub async fn open(settings: RemoteSettings, home: Embedded) -> anyhow::Result<Remote> {
        let RemoteSettings {
            project,
            api_url,
            library,
        } = settings;
        let opentok = OpenTok::builder(project.api_key, project.api_secret.expose())
            .api_url(&api_url)
            .timeout(PATIENCE)
            .connect_timeout(CONNECT)
            .build()?;
        info!("Calls and archives are on {}", opentok.api_url());
        project::note_elsewhere(&home.db, project.api_key, clock::now_ms()).await?;
        Ok(Remote(Arc::new(Inner {
            address: format!("{}/v2/project/{}", opentok.api_url(), project.api_key),
            host: host(&api_url).to_owned(),
            browser_access: BrowserAccess::new(&api_url, &library),
            opentok,
            home,
            cache: Mutex::default(),
            complaints: Mutex::default(),
            participant_queries: Semaphore::new(MAX_PARTICIPANT_QUERIES),
            sync_requested: Notify::new(),
        })))
    }

    /// Keeps the rows of archives as the platform says they are, for as long as the server runs.
    pub async fn sync_archives(self) {
        self.0.sync_archives().await;
    }

    /// Somebody says that something has happened there, as the platform's callbacks do. It is asked soon, and not more
    /// often for that many say so.
    pub fn request_sync(&self) {
        self.0.sync_requested.notify_one();
    }

    /// Where the platform's API is.
    pub fn api_url(&self) -> &str {
        self.0.opentok.api_url()
    }

    /// What rows of archives and sessions call this platform.
    pub fn address(&self) -> &str {
        &self.0.address
    }

    /// Copies the files of archives into the data folder, for as long as the server runs.
    pub async fn mirror_files(self, min_free_bytes: u64) {
        self.0.mirror_files(min_free_bytes).await;
    }
}

impl Inner {
    /// A look at what the platform said a moment ago. A panic elsewhere leaves it as good as it was.
    fn cache(&self) -> MutexGuard<'_, ReplyCache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a failure, and says it in the words of pages.
    fn failed(&self, error: opentok::Error, doing: &str, what: &'static str) -> PlatformError {
        self.complain(&error, doing);
        let (concerns_all, asked) = (
            concerns_all(&error),
            error.refusal().and_then(|no| no.retry_after),
        );
        let problem = platform_error(error, what);
        if concerns_all {
            self.cache().set_outage(&problem, asked, Instant::now());
        }
        problem
    }

    /// Has the log remote what went wrong, unless it has just been remote.
    fn complain(&self, error: &opentok::Error, doing: &str) {
        if self.complaints().is_news(error, Instant::now()) {
            log(error, &self.host, doing);
        }
    }

    /// The platform has answered a question that is asked again and again.
    fn answered(&self) {
        if self.complaints().are_over(Instant::now()) {
            info!("{} answers as it should again", self.host);
        }
    }

    /// As good as it was after a panic elsewhere, too.
    fn complaints(&self) -> MutexGuard<'_, Complaints> {
        self.complaints
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    async fn new_session(&self) -> Result<SessionId, PlatformError> {
        let options = SessionOptions::default();
        let made = self.opentok.create_session(&options).await;
        let made = made.map_err(|error| {
            // Every platform has this address.
            let error = if is_unknown(&error) {
                opentok::Error::Reply(error.to_string())
            } else {
                error
            };
            self.failed(error, "making a session", "session")
        })?;
        let record = SessionRecord {
            platform: self.address.clone(),
            ..SessionRecord::routed(made.session_id, self.opentok.api_key())
        };
        project::add_session(&self.home.db, &record, clock::now_ms()).await?;
        Ok(record.id)
    }

    /// An open session of this platform.
    async fn session(&self, id: &SessionId) -> Result<SessionRecord, PlatformError> {
        project::find_session(&self.home.db, id)
            .await?
            .filter(|session| session.platform == self.address && !session.is_closed)
            .ok_or(PlatformError::NotFound("session"))
    }

    /// Whether it is of any use to ask who is in a session: it is an open one of this platform, and somebody was given
    /// a token for it.
    async fn may_hold_people(&self, id: &SessionId) -> Result<bool, PlatformError> {
        if !project::was_joined(&self.home.db, id).await? {
            return Ok(false);
        }
        match self.session(id).await {
            Ok(_) => Ok(true),
            Err(PlatformError::NotFound(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

#[async_trait]
impl Platform for Remote {
    fn api_key(&self) -> u32 {
        self.0.opentok.api_key()
    }

    fn has(&self, session: &SessionRecord) -> bool {
        session.platform == self.0.address
    }

    fn deletes(&self, archive: &Archive) -> bool {
        archive.platform == self.0.address || self.0.home.deletes(archive)
    }

    fn browser_access(&self) -> Option<&BrowserAccess> {
        Some(&self.0.browser_access)
    }

    async fn create_session(&self) -> Result<SessionId, PlatformError> {
        self.0.new_session().await
    }

    /// Routed, so that it can be recorded: there is no changing over during the call.
    async fn create_chat_session(&self) -> Result<SessionId, PlatformError> {
        self.0.new_session().await
    }

    async fn route(&self, _: &SessionId) -> Result<(), PlatformError> {
        Ok(())
    }

    /// No token is made for it any more. Whoever is in it is disconnected when the platform can be reached, now or within
    /// four minutes, which is not waited for.
    async fn close_session(&self, session: &SessionId) -> Result<(), PlatformError> {
        let db = &self.0.home.db;
        let record = project::find_session(db, session).await?;
        project::close_session(db, session, clock::now_ms()).await?;
        if record.is_some_and(|record| self.has(&record)) {
            let (inner, session) = (Arc::clone(&self.0), session.clone());
            tokio::spawn(async move { inner.disconnect_all(&session).await });
        }
        Ok(())
    }

    async fn token(
        &self,
        session: &SessionId,
        role: Role,
        data: &str,
    ) -> Result<String, PlatformError> {
        self.0.session(session).await?;
        project::note_joined(&self.0.home.db, session, clock::now_ms()).await?;
        let options = TokenOptions {
            role,
            data: Some(data.to_owned()),
            kind: TokenKind::Jwt,
            ..TokenOptions::default()
        };
        let token = self.0.opentok.generate_token(session, &options);
        token.map_err(|error| platform_error(error, "session"))
    }

    async fn participants(&self, session: &SessionId) -> Result<Vec<String>, PlatformError> {
        if !self.0.may_hold_people(session).await? {
            return Ok(Vec::new());
        }
        self.0.participants(session).await
    }

    async fn connections(&self, session: &SessionId) -> Result<Vec<ConnectionId>, PlatformError> {
        if !self.0.may_hold_people(session).await? {
            return Ok(Vec::new());
        }
        // Asked each second, for each chat.
        let outage = self.0.cache().outage(Instant::now());
        if let Some((_, outage)) = outage {
            return Err(outage.into());
        }
        let connected = self.0.connection_ids(session).await?;
        Ok(connected
            .iter()
            .filter_map(|id| ConnectionId::parse(id))
            .collect())
    }

    async fn recording(&self, session: &SessionId) -> Result<Option<Recording>, PlatformError> {
        let running = self.0.home.archives.running_in(session).await?;
        Ok(running.first().map(|archive| Recording {
            id: archive.id,
            started_at_ms: archive.created_at_ms,
        }))
    }

    async fn start_archive(
        &self,
        session: &SessionId,
        options: StartArchive,
    ) -> Result<ArchiveId, PlatformError> {
        self.0.start(session, options).await
    }

    async fn stop_archive(&self, id: ArchiveId) -> Result<(), PlatformError> {
        self.0.stop(id).await
    }

    async fn delete_archive(&self, id: ArchiveId) -> Result<(), PlatformError> {
        self.0.delete(id).await
    }

    async fn remote_file_url(&self, archive: &Archive) -> Result<String, PlatformError> {
        self.0.file_url(archive).await
    }

    fn metrics(&self) -> Vec<Metric> {
        self.0.home.metrics()
    }
}
