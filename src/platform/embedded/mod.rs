//! Parlor's own engine as the platform: sessions, tokens and archives of this process.

mod admission;
mod error;
mod recording;

use std::sync::Arc;

use async_trait::async_trait;
use sqlx::SqlitePool;

use super::{
    LocalPresence, Metric, Platform, PlatformError, Recording, SessionCache, Signal, StartArchive,
};
use crate::{
    archive::{
        ArchiveId, Archives, Layout, NewArchive, Reason, Resolution, layout::Arrangement,
        recording::Recorder,
    },
    clock,
    opentok::{NewToken, Role, SessionId, Token},
    project::{self, MediaMode, Project, SessionRecord},
    session::{self, ClientSignal, ConnectionId, Observer, Sessions},
};

/// The embedded platform. Clones are the same platform.
#[derive(Clone)]
pub struct Embedded {
    pub db: SqlitePool,
    /// Whose sessions it makes; it admits to the sessions of every project.
    pub project: Project,
    pub sessions: Sessions,
    /// What it knows of the sessions that people join.
    pub session_cache: SessionCache,
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
        let reason = session::EndReason::ForceDisconnected;
        self.sessions.disconnect_everybody(session, reason);
        for closed in self.sessions.separate(session).iter().chain([session]) {
            project::close_session(&self.db, closed, clock::now_ms()).await?;
            self.session_cache.invalidate(closed);
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

    async fn participants(&self, session: &SessionId) -> Result<Vec<String>, PlatformError> {
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
            // Nobody here can reach a former platform. Its row goes, and what was copied from it.
            Some(archive) if archive.is_remote() => {
                self.archives.delete_remote(id).await?;
            }
            _ => {
                self.archives.delete(id).await?;
            }
        }
        Ok(())
    }

    fn metrics(&self) -> Vec<Metric> {
        let meter = |name, help, value| Metric { name, help, value };
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
impl LocalPresence for Embedded {
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

    fn alias(&self, from: &SessionId, into: &SessionId) {
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
}
