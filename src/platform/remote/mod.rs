//! Another server as the platform: the OpenTok cloud, or a second Parlor, used through its REST API.
//!
//! ```text
//! pages ─▶ Remote ─▶ opentok (the SDK) ─▶ its REST API
//!             │ replies                        ▲
//!             ▼                                │ lists, files
//!          archives (rows) ◀── archive_sync, mirror: one task each
//! ```
//!
//! This server generates tokens itself, with the project's secret. Rooms keep their sessions; a room whose session belongs
//! to another platform gets a new session when it is opened ([`crate::room`]). Archives are rows like all others. What the
//! platform reports changes them ([`crate::archive::remote`]): its replies when an archive is started, stopped or deleted,
//! and its list of archives, which is polled every few seconds while an archive is unfinished, and at once when a callback
//! of the platform arrives. Lists of archives are read from the database, so they work while the platform is down.

mod archive_sync;
mod archives;
mod cache;
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
use sqlx::SqlitePool;
use tokio::sync::{Notify, Semaphore};
use tracing::{Instrument, info, info_span};

use self::{
    cache::ReplyCache,
    error::{FailureState, concerns_all, is_unknown, log, platform_error},
};
use super::{
    BrowserAccess, Platform, PlatformError, PlatformInfo, Recording, StartArchive,
    browser_access::host,
};
use crate::{
    archive::{Archive, ArchiveId, Archives, Resolution},
    clock::Clock,
    common::public_address::is_public,
    opentok::{self, OpenTok, Role, SessionId, SessionOptions, TokenKind, TokenOptions},
    project::{self, Project, SessionRecord},
    session::ConnectionId,
};

/// Timeout of a request to the platform.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// Timeout of a connection to it.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Concurrent queries for the participants of rooms. Higher: a page with many rooms loads sooner; lower: the platform is
/// less likely to limit our rate.
const MAX_PARTICIPANT_QUERIES: usize = 8;

/// Where the platform is, and the credentials for it.
#[derive(Clone, Debug)]
pub struct RemoteSettings {
    /// The project there.
    pub project: Project,
    /// Without a slash at the end.
    pub api_url: String,
    /// URL of the browser library.
    pub library: String,
    /// Whether archive files may be downloaded from private addresses. The host of the API may always have one.
    pub allow_private_files: bool,
}

/// The parts of this server that the remote platform uses.
pub struct RemoteParts {
    pub db: SqlitePool,
    pub archives: Archives,
    /// The project of the pages, in whose history archives are listed.
    pub api_key: u32,
    /// The resolution of composed files.
    pub resolution: Resolution,
    pub clock: Clock,
}

/// Another server as the platform. Clones share their state.
#[derive(Clone)]
pub struct Remote(Arc<Inner>);

struct Inner {
    opentok: OpenTok,
    info: PlatformInfo,
    /// For the log.
    host: String,
    local: RemoteParts,
    /// Recent replies of the platform; locked briefly.
    cache: Mutex<ReplyCache>,
    /// The failures that are in the log already; locked briefly.
    failures: Mutex<FailureState>,
    /// Limits the concurrent queries for participants: a page may list hundreds of rooms.
    participant_queries: Semaphore,
    /// Wakes the archive sync before its next poll is due.
    sync_requested: Notify,
}

impl Remote {
    /// Connects nothing yet: the platform may be down.
    ///
    /// # Errors
    /// The settings are invalid, or the database does not answer.
    pub async fn open(settings: RemoteSettings, local: RemoteParts) -> anyhow::Result<Remote> {
        let RemoteSettings {
            project,
            api_url,
            library,
            allow_private_files,
        } = settings;
        let mut opentok = OpenTok::builder(project.api_key, project.api_secret.expose())
            .api_url(&api_url)
            .timeout(REQUEST_TIMEOUT)
            .connect_timeout(CONNECT_TIMEOUT);
        if !allow_private_files {
            opentok = opentok.file_addresses(is_public);
        }
        let opentok = opentok.build()?;
        info!(
            platform.url = opentok.api_url(),
            "Calls and archives are on another video platform"
        );
        project::add_remote(&local.db, project.api_key, (local.clock.unix_ms)()).await?;
        let info = PlatformInfo {
            api_key: project.api_key,
            address: format!("{}/v2/project/{}", opentok.api_url(), project.api_key),
            browser_access: Some(BrowserAccess::new(&api_url, &library)),
        };
        Ok(Remote(Arc::new(Inner {
            opentok,
            info,
            host: host(&api_url).to_owned(),
            local,
            cache: Mutex::default(),
            failures: Mutex::default(),
            participant_queries: Semaphore::new(MAX_PARTICIPANT_QUERIES),
            sync_requested: Notify::new(),
        })))
    }

    /// Applies the platform's reports of archives to their rows, until the task is aborted.
    pub async fn sync_archives(self) {
        let span = info_span!("archive_sync", platform.host = self.0.host);
        self.0.sync_archives().instrument(span).await;
    }

    /// Copies the files of archives into the data folder, until the task is aborted.
    pub async fn mirror_files(self, min_free_bytes: u64) {
        let span = info_span!("archive_mirror", platform.host = self.0.host);
        self.0.mirror_files(min_free_bytes).instrument(span).await;
    }

    /// Polls the platform's archives soon, as its callbacks ask for. Several requests in a row cause one poll.
    pub fn request_sync(&self) {
        self.0.sync_requested.notify_one();
    }

    /// The URL of the platform's API.
    pub fn api_url(&self) -> &str {
        self.0.opentok.api_url()
    }
}

impl Inner {
    fn now(&self) -> Instant {
        (self.local.clock.instant)()
    }

    fn now_ms(&self) -> i64 {
        (self.local.clock.unix_ms)()
    }

    /// The address that rows of the platform's archives and sessions carry.
    fn address(&self) -> &str {
        &self.info.address
    }

    /// The recent replies. A panic during a lock leaves them consistent.
    fn cache(&self) -> MutexGuard<'_, ReplyCache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records a failure, and returns it in the words of pages.
    fn failed(&self, error: opentok::Error, operation: &str, what: &'static str) -> PlatformError {
        self.record_failure(&error, operation);
        let (concerns_all, retry_after) = (
            concerns_all(&error),
            error.refusal().and_then(|no| no.retry_after),
        );
        let error = platform_error(error, what);
        if concerns_all {
            self.cache().set_outage(&error, retry_after, self.now());
        }
        error
    }

    /// Logs a failure if its kind is new.
    fn record_failure(&self, error: &opentok::Error, operation: &str) {
        if self.failures().record_failure(error, self.now()) {
            log(error, &self.host, operation);
        }
    }

    /// Records that a periodic query succeeded, and logs that failures are over.
    fn record_success(&self) {
        if self.failures().record_success(self.now()) {
            info!(platform.host = self.host, "The video platform works again");
        }
    }

    /// The failures. A panic during a lock leaves them consistent.
    fn failures(&self) -> MutexGuard<'_, FailureState> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn new_session(&self) -> Result<SessionId, PlatformError> {
        let options = SessionOptions::default();
        let created = self.opentok.create_session(&options).await;
        let created = created.map_err(|error| {
            // Every platform has this path, so a server without it is no platform.
            let error = if is_unknown(&error) {
                opentok::Error::Reply(error.to_string())
            } else {
                error
            };
            self.failed(error, "creating a session", "session")
        })?;
        self.cache().end_outage();
        let record = SessionRecord {
            platform: self.address().to_owned(),
            ..SessionRecord::routed(created.session_id, self.info.api_key)
        };
        project::add_session(&self.local.db, &record, self.now_ms()).await?;
        Ok(record.id)
    }

    /// An open session of this platform.
    async fn session(&self, id: &SessionId) -> Result<SessionRecord, PlatformError> {
        project::find_session(&self.local.db, id)
            .await?
            .filter(|session| self.info.owns(session) && !session.is_closed)
            .ok_or(PlatformError::NotFound("session"))
    }

    /// Whether a session can have participants: it is an open one of this platform, and a token was generated for it.
    async fn may_have_participants(&self, id: &SessionId) -> Result<bool, PlatformError> {
        if !project::was_joined(&self.local.db, id).await? {
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
    fn info(&self) -> &PlatformInfo {
        &self.0.info
    }

    async fn create_session(&self) -> Result<SessionId, PlatformError> {
        self.0.new_session().await
    }

    /// Routed, so that the call can be recorded: OpenTok cannot change the media mode of a session.
    async fn create_chat_session(&self) -> Result<SessionId, PlatformError> {
        self.0.new_session().await
    }

    async fn route(&self, _: &SessionId) -> Result<(), PlatformError> {
        Ok(())
    }

    /// This server generates no more tokens for the session. A task disconnects its clients as soon as the platform
    /// answers, and gives up after four minutes.
    async fn close_session(&self, session: &SessionId) -> Result<(), PlatformError> {
        let db = &self.0.local.db;
        let record = project::find_session(db, session).await?;
        project::close_session(db, session, self.0.now_ms()).await?;
        if record.is_some_and(|record| self.0.info.owns(&record)) {
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
        project::record_joined(&self.0.local.db, session, self.0.now_ms()).await?;
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
        if !self.0.may_have_participants(session).await? {
            return Ok(Vec::new());
        }
        self.0.participants(session).await
    }

    async fn connections(&self, session: &SessionId) -> Result<Vec<ConnectionId>, PlatformError> {
        if !self.0.may_have_participants(session).await? {
            return Ok(Vec::new());
        }
        // Each chat polls this every second, so an outage is answered from the cache.
        let outage = self.0.cache().outage(self.0.now());
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
        let running = self.0.local.archives.running_in(session).await?;
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
}
