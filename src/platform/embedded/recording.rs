//! Archives of this process. A change of a row starts or stops the recorder, and the recorder's events change the row.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context;
use tracing::{error, warn};

use super::Embedded;
use crate::{
    archive::{
        Archive, ArchiveId, NewArchive, Reason, RunTimes, SessionChange, StreamMode, recording,
    },
    clock,
    opentok::{MediaMode, SessionId},
    platform::PlatformError,
    project::{self, SessionRecord},
    session::{self, ArchiveInfo, RecordingPhase, RegistryEvent, media::Scope},
};

impl Embedded {
    /// Starts the recorder and the engine's forwarding for an archive whose row exists.
    async fn begin_recording(&self, archive: &Archive) -> Result<(), PlatformError> {
        let (recorder, id) = (Arc::clone(&self.recorder), archive.id);
        let started = tokio::task::spawn_blocking(move || recorder.start(id, clock::instant()))
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
        // The archive may have been stopped before the recorder started.
        let current = self.archives.find(archive.api_key, id).await?;
        if !current.is_some_and(|archive| archive.status.is_running()) {
            self.end_recording(archive);
        }
        Ok(())
    }

    /// Whether the media of a session go through the server, always or at the moment. Only then can they be recorded.
    pub fn is_routed(&self, session: &SessionRecord) -> bool {
        session.media_mode == MediaMode::Routed || self.sessions.is_routed(&session.id)
    }

    /// Starts the archive that `new` describes.
    ///
    /// # Errors
    /// [`PlatformError::BadRequest`] when `new` is invalid, [`PlatformError::Conflict`] when an archive with the same tag
    /// records the session, [`PlatformError::NoSpace`] when the disk is full.
    pub async fn start(&self, new: NewArchive) -> Result<Archive, PlatformError> {
        let archive = self.archives.start(new).await?;
        self.begin_recording(&archive).await?;
        Ok(archive)
    }

    /// Stops a recording for `reason`.
    ///
    /// # Errors
    /// When the archive is not recording, or the database does not answer.
    pub async fn stop(&self, id: ArchiveId, reason: Reason) -> Result<Archive, PlatformError> {
        let archive = self.archives.stop(id, reason).await?;
        self.end_recording(&archive);
        Ok(archive)
    }

    fn end_recording(&self, archive: &Archive) {
        self.sessions
            .stop_recording(&archive.session_id, archive.id);
        self.recorder.stop(archive.id, clock::instant());
    }

    /// Applies an event of the live sessions to their archives.
    pub async fn apply_session_event(&self, event: RegistryEvent) {
        match event {
            RegistryEvent::Recording(change) => self.archive_changed(change).await,
            RegistryEvent::FirstStream(session) => self.archive_automatically(&session).await,
        }
    }

    /// Starts the archive of a session with OpenTok's archive mode `always`, unless one is running.
    async fn archive_automatically(&self, session: &SessionId) {
        let started = async {
            let Some(record) = project::find_session(&self.db, session).await? else {
                return Ok(());
            };
            let Some(auto) = record.always_archived else {
                return Ok(());
            };
            let new = NewArchive {
                name: auto.name,
                resolution: auto.resolution,
                ..NewArchive::of(record.api_key, session.clone())
            };
            match self.start(new).await {
                Err(PlatformError::Conflict(_)) => Ok(()),
                outcome => outcome.map(|_| ()),
            }
        };
        if let Err(error) = started.await {
            error!(session.id = %session, %error, "Starting an automatic archive failed");
        }
    }

    /// Applies a session's change to its archive.
    async fn archive_changed(&self, change: session::RecordingUpdate) {
        let followed = match change.phase {
            RecordingPhase::Paused => SessionChange::LastStreamEnded,
            RecordingPhase::Resumed => SessionChange::FirstStreamBegan,
            RecordingPhase::Abandoned => SessionChange::Ended(Reason::SessionEnded),
        };
        match self
            .archives
            .session_changed(change.archive, followed)
            .await
        {
            Ok(Some(archive)) if !archive.status.is_running() => self.end_recording(&archive),
            Ok(_) => {}
            Err(error) => {
                error!(%error, "Updating an archive after a change of its session failed");
            }
        }
    }

    /// Applies an event of a recorder. When a recorder has failed, the session's clients are notified that the recording has
    /// stopped.
    pub async fn apply_recorder_event(&self, event: recording::RecorderEvent) {
        let gave_up = match &event {
            recording::RecorderEvent::Failed { archive, .. } => {
                let running = self.archives.running().await.unwrap_or_default();
                running.into_iter().find(|running| running.id == *archive)
            }
            recording::RecorderEvent::Ready { .. } => None,
        };
        // Notify first: the database may block until the disk has free space.
        if let Some(archive) = gave_up {
            self.sessions
                .stop_recording(&archive.session_id, archive.id);
        }
        self.archives.apply_recorder_event(event).await;
    }

    /// The archives that this process records now.
    async fn recorded_here(&self) -> Result<Vec<Archive>, sqlx::Error> {
        let mut running = self.archives.running().await?;
        running.retain(|archive| !archive.is_remote());
        Ok(running)
    }

    /// Stops the archives that have been recording for `max` or longer.
    pub async fn stop_overlong(&self, times: &mut RunTimes, max: Duration, now: Instant) {
        let running = match self.recorded_here().await {
            Ok(running) => running,
            Err(error) => {
                error!(%error, "Listing the running archives failed");
                return;
            }
        };
        let ids: Vec<_> = running.iter().map(|archive| archive.id).collect();
        let overlong = times.overlong(&ids, max, now);
        for archive in running
            .iter()
            .filter(|archive| overlong.contains(&archive.id))
        {
            if let Err(error) = self.stop(archive.id, Reason::MaximumDuration).await {
                warn!(archive.id = %archive.id, %error, "Stopping an archive at its maximum duration failed");
                continue;
            }
            // A session with archive mode `always` continues in a new archive while it has connections.
            let session = &archive.session_id;
            if archive.multi_archive_tag.is_empty() && !self.sessions.people(session).is_empty() {
                self.archive_automatically(session).await;
            }
        }
    }

    /// Stops all recordings, before the server stops.
    pub async fn stop_all(&self) {
        for archive in self.recorded_here().await.unwrap_or_default() {
            if let Err(error) = self.stop(archive.id, Reason::ServerRestarted).await {
                warn!(archive.id = %archive.id, %error, "Stopping an archive at shutdown failed");
            }
        }
    }
}
