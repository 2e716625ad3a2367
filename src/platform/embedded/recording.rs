//! Archives of this process: the engine and the recorder follow their rows, and the rows follow them.

use std::{sync::Arc, time::Instant};

use anyhow::Context;
use tracing::{error, warn};

use super::Embedded;
use crate::{
    archive::{Archive, ArchiveId, NewArchive, Reason, SessionChange, StreamMode, recording},
    clock,
    opentok::SessionId,
    platform::PlatformError,
    project::{self, MediaMode, SessionRecord},
    session::{self, ArchiveInfo, Happening, Phase, media::Scope},
};

impl Embedded {
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
    pub async fn apply_session_event(&self, happening: Happening) {
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

    /// Follows what a session means for an archive.
    async fn archive_changed(&self, change: session::ArchiveChange) {
        let followed = match change.phase {
            Phase::Paused => SessionChange::NobodyPublishes,
            Phase::Resumed => SessionChange::SomebodyPublishes,
            Phase::Abandoned => SessionChange::Over(Reason::SessionEnded),
        };
        match self
            .archives
            .session_changed(change.archive, followed)
            .await
        {
            Ok(Some(archive)) if !archive.status.is_running() => self.end_recording(&archive),
            Ok(_) => {}
            Err(problem) => error!("An archive did not follow its session: {problem}"),
        }
    }

    /// Takes a recorder's report. One that gave up recorded until now as far as its session knows: people are
    /// told that it does not any more.
    pub async fn apply_recorder_event(&self, event: recording::RecorderEvent) {
        let gave_up = match &event {
            recording::RecorderEvent::Failed { archive, .. } => {
                let running = self.archives.running().await.unwrap_or_default();
                running.into_iter().find(|running| running.id == *archive)
            }
            recording::RecorderEvent::Ready { .. } => None,
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
        let mut running = self.archives.running().await?;
        running.retain(|archive| !archive.is_remote());
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
