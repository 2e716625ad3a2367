//! Parlor's own engine as the platform: sessions, tokens and archives of this process.

mod recording;

use std::sync::Arc;

use async_trait::async_trait;
use sqlx::SqlitePool;

use super::{
    LocalSessions, Platform, PlatformError, PlatformInfo, Recording, StartArchive, delete_local,
    former_platform,
};
use crate::{
    archive::{
        Archive, ArchiveId, Archives, Layout, NewArchive, Reason, Resolution, layout::Arrangement,
        recording::Recorder,
    },
    opentok::{MediaMode, Role, SessionId},
    project,
    session::{ConnectionId, Sessions},
};

/// The embedded platform. Clones share their state.
#[derive(Clone)]
pub struct Embedded {
    pub db: SqlitePool,
    pub sessions: Sessions,
    pub archives: Archives,
    info: Arc<PlatformInfo>,
    local: LocalSessions,
    recorder: Arc<dyn Recorder>,
    /// The resolution of composed files.
    resolution: Resolution,
}

impl Embedded {
    pub fn new(
        local: LocalSessions,
        archives: Archives,
        recorder: Arc<dyn Recorder>,
        resolution: Resolution,
    ) -> Embedded {
        let info = PlatformInfo {
            api_key: local.api_key(),
            ..PlatformInfo::default()
        };
        Embedded {
            db: local.db().clone(),
            sessions: local.sessions().clone(),
            archives,
            info: Arc::new(info),
            local,
            recorder,
            resolution,
        }
    }
}

#[async_trait]
impl Platform for Embedded {
    fn info(&self) -> &PlatformInfo {
        &self.info
    }

    async fn create_session(&self) -> Result<SessionId, PlatformError> {
        self.local.create(MediaMode::Routed).await
    }

    async fn create_chat_session(&self) -> Result<SessionId, PlatformError> {
        self.local.create(MediaMode::Relayed).await
    }

    async fn route(&self, session: &SessionId) -> Result<(), PlatformError> {
        self.sessions.route(session).map_err(|_| {
            PlatformError::Conflict(
                "no one is in the call yet, so there is nothing to record".to_owned(),
            )
        })
    }

    async fn close_session(&self, session: &SessionId) -> Result<(), PlatformError> {
        self.local.close(session).await
    }

    async fn token(
        &self,
        session: &SessionId,
        role: Role,
        data: &str,
    ) -> Result<String, PlatformError> {
        Ok(self.local.token(session, role, data))
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
        let new = NewArchive {
            room: options.room,
            name: options.name,
            started_by: options.started_by,
            resolution: Some(self.resolution),
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
        delete_local(&self.archives, self.info.api_key, id).await
    }

    async fn remote_file_url(&self, archive: &Archive) -> Result<String, PlatformError> {
        Err(former_platform(archive))
    }
}
