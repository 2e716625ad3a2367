//! Parlor's own engine as the platform: sessions, tokens and archives of this process.

use std::{sync::Arc, time::Instant};

use anyhow::{Context, anyhow};
use async_trait::async_trait;
use sqlx::SqlitePool;
use tracing::{error, warn};

use super::{
    Doors, Lobby, Meter, Platform, PlatformError, Recording, Signal, StartArchive,
    another_platforms, doors::Door,
};
use crate::{
    archive::{
        Archive, ArchiveId, Archives, Layout, NewArchive, Reason, Resolution, SessionChange,
        Status, StreamMode,
        layout::Arrangement,
        lifecycle::{ChangeError, StartError},
        recording::{self, Recorder},
    },
    clock,
    opentok::{NewToken, Role, SessionId, Token},
    project::{self, MediaMode, Project, SessionRecord},
    session::{
        self, Admission, AdmissionError, Admitted, ArchiveInfo, ClientSignal, ConnectionId,
        Happening, Observer, Phase, Sessions, media::Scope,
    },
};

/// SQLite's code for a disk that is full.
const SQLITE_FULL: &str = "13";

/// The embedded platform. Clones are the same platform.
#[derive(Clone)]
pub struct Embedded {
    pub db: SqlitePool,
    /// Whose sessions it makes; it admits to the sessions of every project.
    pub project: Project,
    pub sessions: Sessions,
    /// What it knows of the sessions that people join.
    pub doors: Doors,
    pub archives: Archives,
    pub recorder: Arc<dyn Recorder>,
    /// Size of the composed file when the pages ask for no other.
    pub resolution: Resolution,
}

#[async_trait]
impl Platform for Embedded {
    fn api_key(&self) -> u32 {
        self.project.api_key
    }

    fn has(&self, session: &SessionRecord) -> bool {
        session.platform.is_empty() && session.api_key == self.project.api_key
    }

    async fn create_session(&self) -> Result<SessionId, PlatformError> {
        self.new_session(MediaMode::Routed).await
    }

    async fn create_chat_session(&self) -> Result<SessionId, PlatformError> {
        self.new_session(MediaMode::Relayed).await
    }

    async fn route(&self, session: &SessionId) -> Result<(), PlatformError> {
        self.sessions.route(session).map_err(|_| {
            PlatformError::Conflict(
                "nobody is in the call yet, so there is nothing to record".to_owned(),
            )
        })
    }

    async fn close_session(&self, session: &SessionId) -> Result<(), PlatformError> {
        let reason = session::Reason::ForceDisconnected;
        self.sessions.disconnect_everybody(session, reason);
        for closed in self.sessions.separate(session).iter().chain([session]) {
            project::close_session(&self.db, closed, clock::now_ms()).await?;
            self.doors.close(closed);
        }
        // Somebody may have been let in meanwhile.
        self.sessions.disconnect_everybody(session, reason);
        Ok(())
    }

    async fn token(
        &self,
        session: &SessionId,
        role: Role,
        data: &str,
    ) -> Result<String, PlatformError> {
        Ok(self.new_token(session, role, data))
    }

    async fn people(&self, session: &SessionId) -> Result<Vec<String>, PlatformError> {
        let people = self.sessions.people(session);
        Ok(people.into_iter().map(|person| person.data).collect())
    }

    async fn connections(&self, session: &SessionId) -> Result<Vec<ConnectionId>, PlatformError> {
        let people = self.sessions.people(session);
        Ok(people
            .into_iter()
            .map(|person| person.connection_id)
            .collect())
    }

    async fn recording(&self, session: &SessionId) -> Result<Option<Recording>, PlatformError> {
        Ok(self.sessions.recording(session).map(|archive| Recording {
            id: archive.id,
            started_at_ms: archive.started_at,
        }))
    }

    async fn start_archive(
        &self,
        session: &SessionId,
        options: StartArchive,
    ) -> Result<ArchiveId, PlatformError> {
        let record = project::find_session(&self.db, session)
            .await?
            .filter(|record| record.platform.is_empty())
            .ok_or(PlatformError::NotFound("session"))?;
        if !self.is_routed(&record) {
            return Err(PlatformError::Conflict(
                "the media of this session go from browser to browser, so the server cannot record them"
                    .to_owned(),
            ));
        }
        let resolution = match options.resolution.as_deref().map(str::parse) {
            None => self.resolution,
            Some(given) => given
                .map_err(|error| PlatformError::BadRequest(format!("the resolution: {error}")))?,
        };
        let new = NewArchive {
            room: options.room,
            name: options.name,
            started_by: options.started_by,
            resolution: Some(resolution),
            layout: Layout {
                screenshare: Some(Arrangement::HorizontalPresentation),
                ..Layout::default()
            },
            ..NewArchive::of(record.api_key, session.clone())
        };
        Ok(self.start(new).await?.id)
    }

    async fn stop_archive(&self, id: ArchiveId) -> Result<(), PlatformError> {
        self.stop(id, Reason::UserInitiated).await?;
        Ok(())
    }

    async fn delete_archive(&self, id: ArchiveId) -> Result<(), PlatformError> {
        match self.archives.find(self.project.api_key, id).await? {
            // What was copied from another platform is this server's own.
            Some(archive) if archive.is_elsewhere() && archive.is_pulled => {
                self.archives.forget(id).await?;
            }
            Some(archive) if archive.is_elsewhere() => return Err(another_platforms(&archive)),
            _ => {
                self.archives.delete(id).await?;
            }
        }
        Ok(())
    }

    fn meters(&self) -> Vec<Meter> {
        let meter = |name, help, value| Meter { name, help, value };
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        let live = self.sessions.counts();
        let media = self.sessions.media_statistics();
        vec![
            meter("sessions", "Live sessions", count(live.sessions)),
            meter("connections", "Clients connected", count(live.connections)),
            meter("streams", "Streams published", count(live.streams)),
            meter(
                "udp_packets_received_total",
                "UDP packets that arrived",
                media.packets_in,
            ),
            meter(
                "udp_packets_unknown_total",
                "UDP packets of nobody known",
                media.packets_unknown,
            ),
            meter(
                "udp_packets_sent_total",
                "UDP packets sent",
                media.packets_out,
            ),
            meter(
                "udp_packets_dropped_total",
                "UDP packets the system did not take",
                media.packets_dropped,
            ),
            meter(
                "rtp_packets_received_total",
                "RTP packets from publishers",
                media.media_in,
            ),
            meter(
                "rtp_packets_forwarded_total",
                "RTP packets to subscribers",
                media.media_forwarded,
            ),
        ]
    }
}

#[async_trait]
impl Lobby for Embedded {
    async fn create_presence_session(&self) -> Result<SessionId, PlatformError> {
        self.new_session(MediaMode::Routed).await
    }

    fn presence_token(&self, session: &SessionId, data: &str) -> String {
        self.new_token(session, Role::Subscriber, data)
    }

    fn observe(&self, observer: Arc<dyn Observer>) {
        self.sessions.observe(observer);
    }

    fn signal(&self, session: &SessionId, signal: Signal) -> Result<(), PlatformError> {
        let Signal {
            from,
            to,
            signal_type,
            data,
        } = signal;
        let (signal_type, data) = (Some(signal_type), Some(data.into()));
        let sent = match from {
            None => self.sessions.signal(session, to, signal_type, data),
            Some(from) => {
                let signal = ClientSignal {
                    from,
                    to,
                    signal_type,
                    data,
                };
                self.sessions.signal_as(session, signal)
            }
        };
        sent.map_err(|refusal| match refusal.code {
            404 => PlatformError::NotFound("connection"),
            _ => PlatformError::BadRequest(refusal.message),
        })
    }

    fn show(&self, session: &SessionId, connection: ConnectionId, is_seen: bool) {
        self.sessions.show(session, connection, is_seen);
    }

    fn unite(&self, from: &SessionId, into: &SessionId) {
        self.sessions.unite(from, into);
    }
}

impl Embedded {
    async fn new_session(&self, media_mode: MediaMode) -> Result<SessionId, PlatformError> {
        let now_ms = clock::now_ms();
        let id = SessionId::generate(self.project.api_key, "", now_ms);
        let record = SessionRecord {
            media_mode,
            ..SessionRecord::routed(id, self.project.api_key)
        };
        project::add_session(&self.db, &record, now_ms).await?;
        Ok(record.id)
    }

    fn new_token(&self, session: &SessionId, role: Role, data: &str) -> String {
        let token = Token {
            api_key: self.project.api_key,
            api_secret: self.project.api_secret.expose(),
        };
        let claims = NewToken {
            session_id: session,
            role,
            data: Some(data),
            expires_at: None,
        };
        let nonce = uuid::Uuid::new_v4().to_string();
        token.generate(&claims, clock::now_s(), &nonce)
    }

    /// The row is there; now the engine and the recorder follow it.
    async fn begin_recording(&self, archive: &Archive) -> Result<(), PlatformError> {
        let (recorder, id) = (Arc::clone(&self.recorder), archive.id);
        let started = tokio::task::spawn_blocking(move || recorder.start(id, Instant::now()))
            .await
            .context("starting the recorder")?;
        let sink = match started {
            Ok(sink) => sink,
            Err(problem) => {
                let problem = problem.to_string();
                self.archives.fail(id, &problem).await?;
                return Err(PlatformError::NoSpace(problem));
            }
        };
        let info = ArchiveInfo {
            id,
            name: archive.name.clone(),
            started_at: archive.created_at_ms,
        };
        let scope = Scope {
            audio: archive.has_audio,
            video: archive.has_video,
            by_hand: archive.stream_mode == StreamMode::Manual,
        };
        self.sessions.record(&archive.session_id, info, sink, scope);
        // Somebody may have stopped it before there was anything to stop.
        let current = self.archives.find(archive.api_key, id).await?;
        if !current.is_some_and(|archive| archive.status.is_running()) {
            self.end_recording(archive);
        }
        Ok(())
    }

    /// Whether the media of a session go through the server, so that they can be recorded: always, or now.
    pub fn is_routed(&self, session: &SessionRecord) -> bool {
        session.media_mode == MediaMode::Routed || self.sessions.is_routed(&session.id)
    }

    /// Begins to record, as `new` says.
    ///
    /// # Errors
    /// [`PlatformError::BadRequest`] when that cannot be, [`PlatformError::Conflict`] when the session is recorded
    /// under the same tag already, [`PlatformError::NoSpace`] when there is no room on the disk.
    pub async fn start(&self, new: NewArchive) -> Result<Archive, PlatformError> {
        let archive = self.archives.start(new).await?;
        self.begin_recording(&archive).await?;
        Ok(archive)
    }

    /// Ends a recording for `reason`.
    ///
    /// # Errors
    /// When it does not record, or the database does not answer.
    pub async fn stop(&self, id: ArchiveId, reason: Reason) -> Result<Archive, PlatformError> {
        let archive = self.archives.stop(id, reason).await?;
        self.end_recording(&archive);
        Ok(archive)
    }

    fn end_recording(&self, archive: &Archive) {
        self.sessions
            .stop_recording(&archive.session_id, archive.id);
        self.recorder.stop(archive.id, Instant::now());
    }

    /// Follows what happens in the sessions.
    pub async fn session_happened(&self, happening: Happening) {
        match happening {
            Happening::Archive(change) => self.archive_changed(change).await,
            Happening::Begun(session) => self.archive_automatically(&session).await,
        }
    }

    /// Starts the archive of a session that is always archived, unless it is being recorded.
    async fn archive_automatically(&self, session: &SessionId) {
        let started = async {
            let Some(record) = project::find_session(&self.db, session).await? else {
                return Ok(());
            };
            let Some(auto) = record.always_archived else {
                return Ok(());
            };
            // Checked when the session was made.
            let resolution = auto.resolution.and_then(|text| text.parse().ok());
            let new = NewArchive {
                name: auto.name,
                resolution,
                ..NewArchive::of(record.api_key, session.clone())
            };
            match self.start(new).await {
                Err(PlatformError::Conflict(_)) => Ok(()),
                outcome => outcome.map(|_| ()),
            }
        };
        if let Err(problem) = started.await {
            error!(session.id = %session, "A session that is always archived is not: {problem}");
        }
    }

    /// Follows what a session means for its archives.
    async fn archive_changed(&self, change: session::ArchiveChange) {
        let followed = match change.phase {
            Phase::Paused => SessionChange::NobodyPublishes,
            Phase::Resumed => SessionChange::SomebodyPublishes,
            Phase::Abandoned => SessionChange::Over(Reason::SessionEnded),
        };
        match self
            .archives
            .session_changed(&change.session, followed)
            .await
        {
            Ok(changed) => {
                for archive in changed
                    .iter()
                    .filter(|archive| !archive.status.is_running())
                {
                    self.end_recording(archive);
                }
            }
            Err(problem) => error!("An archive did not follow its session: {problem}"),
        }
    }

    /// Takes a recorder's report. One that gave up recorded until now as far as its session knows: people are
    /// told that it does not any more.
    pub async fn recorder_reported(&self, event: recording::Event) {
        let gave_up = match &event {
            recording::Event::Failed { archive, .. } => {
                let running = self.archives.running(None).await.unwrap_or_default();
                running.into_iter().find(|running| running.id == *archive)
            }
            recording::Event::Ready { .. } => None,
        };
        // First, since the database may have to wait for room on the disk.
        if let Some(archive) = gave_up {
            self.sessions
                .stop_recording(&archive.session_id, archive.id);
        }
        self.archives.recorder_reported(event).await;
    }

    /// The archives that record now, in this process.
    async fn recorded_here(&self) -> Result<Vec<Archive>, sqlx::Error> {
        let mut running = self.archives.running(None).await?;
        running.retain(|archive| !archive.is_elsewhere());
        Ok(running)
    }

    /// Stops the archives that have run for longer than `longest_ms`.
    pub async fn stop_overlong(&self, longest_ms: i64) {
        let running = match self.recorded_here().await {
            Ok(running) => running,
            Err(problem) => {
                error!("Running archives cannot be listed: {problem}");
                return;
            }
        };
        let now_ms = clock::now_ms();
        for archive in running {
            if now_ms - archive.created_at_ms < longest_ms {
                continue;
            }
            if let Err(problem) = self.stop(archive.id, Reason::MaximumDuration).await {
                warn!(archive.id = %archive.id, "Archive `{}` is not stopped: {problem}", archive.id);
                continue;
            }
            // What is always archived goes on in a new one, as long as somebody is there.
            let session = &archive.session_id;
            if archive.multi_archive_tag.is_empty() && !self.sessions.people(session).is_empty() {
                self.archive_automatically(session).await;
            }
        }
    }

    /// Ends all recordings, as the server is about to stop.
    pub async fn stop_all(&self) {
        for archive in self.recorded_here().await.unwrap_or_default() {
            if let Err(problem) = self.stop(archive.id, Reason::ServerRestarted).await {
                warn!(archive.id = %archive.id, "Archive `{}` is not stopped: {problem}", archive.id);
            }
        }
    }
}

impl Embedded {
    /// An open session, as the database has it.
    async fn door(&self, session: &SessionId) -> Result<Arc<Door>, AdmissionError> {
        let session = project::find_session(&self.db, session)
            .await
            .map_err(unavailable)?
            .filter(|session| !session.is_closed && session.platform.is_empty())
            .ok_or(AdmissionError::InvalidSession)?;
        let project = project::find(&self.db, session.api_key)
            .await
            .map_err(unavailable)?
            .ok_or(AdmissionError::InvalidSession)?;
        Ok(Arc::new(Door { session, project }))
    }
}

fn unavailable(problem: sqlx::Error) -> AdmissionError {
    error!("A token cannot be checked: {problem}");
    AdmissionError::Unavailable
}

#[async_trait]
impl Admission for Embedded {
    async fn admit(
        &self,
        session_id: &SessionId,
        token: &str,
        now_s: i64,
    ) -> Result<Admitted, AdmissionError> {
        let (door, is_first) = match self.doors.find(session_id) {
            Ok(door) => (door, None),
            Err(asked) => (self.door(session_id).await?, Some(asked)),
        };
        let token_of = Token {
            api_key: door.project.api_key,
            api_secret: door.project.api_secret.expose(),
        };
        let claims = token_of.verify(token, session_id, now_s)?;
        let relayed = door.session.media_mode == MediaMode::Relayed;
        if let Some(asked) = is_first {
            project::note_joined(&self.db, session_id, now_s * 1000)
                .await
                .map_err(unavailable)?;
            // Keys of applications are renewed and revoked by another process, and count at once.
            if door.project.api_key == self.project.api_key {
                self.doors.remember(door, asked);
            }
        }
        Ok(Admitted { claims, relayed })
    }
}

impl From<sqlx::Error> for PlatformError {
    fn from(error: sqlx::Error) -> Self {
        let code = error
            .as_database_error()
            .and_then(sqlx::error::DatabaseError::code);
        if code.as_deref() == Some(SQLITE_FULL) {
            return PlatformError::NoSpace(
                "the disk is full: make room on it, and try again".to_owned(),
            );
        }
        PlatformError::Internal(anyhow!(error).context("asking the database"))
    }
}

impl From<StartError> for PlatformError {
    fn from(error: StartError) -> Self {
        match error {
            StartError::AlreadyRecording(archive) if archive.started_by.is_empty() => {
                PlatformError::Conflict("this room is already being recorded".to_owned())
            }
            StartError::AlreadyRecording(archive) => PlatformError::Conflict(format!(
                "this room is already being recorded: {} started it {}",
                archive.started_by,
                ago(clock::now_ms() - archive.created_at_ms),
            )),
            StartError::Database(error) => error.into(),
            other => PlatformError::BadRequest(other.to_string()),
        }
    }
}

impl From<ChangeError> for PlatformError {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::NotFound(_) => PlatformError::NotFound("archive"),
            ChangeError::Refused { from, to } => PlatformError::Conflict(refused(from, to)),
            ChangeError::Database(error) => error.into(),
        }
    }
}

/// Why an archive does not change, for the person who wanted it to.
fn refused(from: Status, to: Status) -> String {
    match (from, to) {
        (Status::Started | Status::Paused, Status::Deleted) => {
            "this archive is still being recorded; stop it first".to_owned()
        }
        (_, Status::Stopped) => "this archive is not being recorded any more".to_owned(),
        (from, to) => format!("an archive that is {from} cannot become {to}"),
    }
}

fn ago(ms: i64) -> String {
    match ms / 60_000 {
        ..=0 => "just now".to_owned(),
        1 => "a minute ago".to_owned(),
        minutes => format!("{minutes} minutes ago"),
    }
}
