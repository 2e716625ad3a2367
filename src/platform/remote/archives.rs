//! Operations on the platform's archives: start, stop, delete, and the URL of a file.

use tracing::{error, warn};

use super::{
    Inner,
    error::{is_unknown, platform_error},
};
use crate::{
    archive::{
        Archive, ArchiveId, Status,
        lifecycle::StartError,
        remote::{LocalContext, RemoteArchive},
    },
    opentok::{self, ArchiveObject, ArchiveOptions, Layout, LayoutType, SessionId},
    platform::{PlatformError, StartArchive, delete_local, former_platform},
};

impl Inner {
    /// Starts to record a session. The platform refuses while the session has no connection.
    pub(super) async fn start(
        &self,
        session: &SessionId,
        options: StartArchive,
    ) -> Result<ArchiveId, PlatformError> {
        self.session(session).await?;
        let wanted = ArchiveOptions {
            name: Some(options.name),
            resolution: Some(self.local.resolution),
            layout: Some(Layout::screenshare(LayoutType::HorizontalPresentation)),
            ..ArchiveOptions::default()
        };
        let started = match self.opentok.archives().start(session, &wanted).await {
            Ok(started) => started.into_object(),
            Err(error) => return Err(self.not_started(session, error).await?),
        };
        let remote = RemoteArchive::read(&started, self.now_ms()).ok_or_else(|| {
            warn!(
                platform.host = self.host,
                "The reply to an archive's start is invalid"
            );
            platform_error(opentok::Error::Reply(String::new()), "archive")
        })?;
        let context = LocalContext {
            api_key: self.local.api_key,
            platform: self.address().to_owned(),
            room: options.room,
            started_by: options.started_by,
        };
        // The platform records even if saving the row fails; then the sync finds the archive.
        self.sync_requested.notify_one();
        self.adopt(&remote, &context).await?;
        Ok(remote.id)
    }

    /// Stops a recording.
    pub(super) async fn stop(&self, id: ArchiveId) -> Result<(), PlatformError> {
        let archive = self.archive(id).await?;
        let not_recording =
            || PlatformError::Conflict("this archive is no longer being recorded".to_owned());
        if archive.platform() != Some(self.address()) {
            return Err(not_recording());
        }
        self.sync_requested.notify_one();
        match self.opentok.archives().stop(&id.to_string()).await {
            Ok(stopped) => self.apply(&stopped).await,
            Err(error) if matches!(error.status(), Some(404 | 409)) => {
                self.refresh(id).await?;
                Err(not_recording())
            }
            Err(error) => Err(self.failed(error, "stopping an archive", "archive")),
        }
    }

    /// Deletes an archive on the platform, then its row. Of a former platform's archive only the row is deleted.
    pub(super) async fn delete(&self, id: ArchiveId) -> Result<(), PlatformError> {
        let archive = self.archive(id).await?;
        if archive.platform() != Some(self.address()) {
            return delete_local(&self.local.archives, self.local.api_key, id).await;
        }
        if let Err(error) = self.opentok.archives().delete(&id.to_string()).await {
            self.is_deleted(id, error).await?;
        }
        self.local.archives.delete_remote(id).await?;
        Ok(())
    }

    /// The present URL of an available archive's file.
    pub(super) async fn file_url(&self, archive: &Archive) -> Result<String, PlatformError> {
        if archive.platform() != Some(self.address()) {
            return Err(former_platform(archive));
        }
        let now = self.now();
        if let Some(url) = self.cache().file_url(archive.id, now) {
            return Ok(url);
        }
        let gone = || {
            PlatformError::Conflict(
                "the video platform has deleted the file of this archive".to_owned(),
            )
        };
        let object = self.refresh(archive.id).await?.ok_or_else(gone)?;
        let url = url_of(object).ok_or_else(gone)?;
        if !url.starts_with("https://") && !url.starts_with("http://") {
            return Err(platform_error(
                opentok::Error::Reply(String::new()),
                "archive",
            ));
        }
        self.cache().insert_file_url(archive.id, url.clone(), now);
        Ok(url)
    }

    /// The row of an archive.
    async fn archive(&self, id: ArchiveId) -> Result<Archive, PlatformError> {
        let found = self.local.archives.find(self.local.api_key, id);
        found.await?.ok_or(PlatformError::NotFound("archive"))
    }

    /// Saves an archive that the platform has.
    pub(super) async fn adopt(
        &self,
        remote: &RemoteArchive,
        context: &LocalContext,
    ) -> Result<(), PlatformError> {
        let archives = &self.local.archives;
        if archives.adopt(remote, context).await?.is_some() {
            return Ok(());
        }
        // Another archive of the session still counts as running here, though the platform has stopped it.
        for stale in archives.running_in(&remote.session_id).await? {
            self.refresh(stale.id).await?;
        }
        if archives.adopt(remote, context).await?.is_none() {
            error!(archive.id = %remote.id, "An archive is not listed: its session has another running archive");
        }
        Ok(())
    }

    /// Queries the platform for an archive and applies the reply to its row. `None`: the platform no longer has it.
    pub(super) async fn refresh(
        &self,
        id: ArchiveId,
    ) -> Result<Option<ArchiveObject>, PlatformError> {
        match self.opentok.archives().find(&id.to_string()).await {
            Ok(found) => {
                let object = found.into_object();
                self.apply(&object).await?;
                Ok(Some(object))
            }
            Err(error) if is_unknown(&error) => {
                self.is_the_platform().await?;
                self.local.archives.mark_lost(id).await?;
                Ok(None)
            }
            Err(error) => Err(self.failed(error, "querying an archive", "archive")),
        }
    }

    /// Succeeds if the server answers as a video platform does. A server that does not know an archive or a session may be
    /// no platform at all; then its answer says nothing about them.
    pub(super) async fn is_the_platform(&self) -> Result<(), PlatformError> {
        self.list(0, 1).await.map(drop)
    }

    /// Applies the platform's report of an archive to its row.
    async fn apply(&self, object: &ArchiveObject) -> Result<(), PlatformError> {
        if let Some(remote) = RemoteArchive::read(object, self.now_ms()) {
            self.local.archives.apply_remote(&remote).await?;
        }
        Ok(())
    }

    /// The reason why an archive was not started.
    async fn not_started(
        &self,
        session: &SessionId,
        error: opentok::Error,
    ) -> Result<PlatformError, PlatformError> {
        // The archive may run all the same: the reply may be lost, or another client may have started one.
        self.sync_requested.notify_one();
        let conflict = |words: &str| Ok(PlatformError::Conflict(words.to_owned()));
        match (&error, error.status()) {
            (_, Some(409)) => {
                let running = self.local.archives.running_in(session).await?;
                match running.into_iter().next() {
                    Some(running) => Ok(StartError::AlreadyRecording(Box::new(running)).into()),
                    None => conflict("this room is already being recorded"),
                }
            }
            (opentok::Error::Archive(_), Some(400 | 404)) => {
                conflict("no one is in the call yet, so there is nothing to record; join it first")
            }
            _ => Ok(self.failed(error, "starting an archive", "session")),
        }
    }

    /// Succeeds if the platform no longer has an archive, after it refused to delete it with `error`. Platforms do not
    /// delete unfinished archives, and the cloud answers that the credentials are wrong for an archive it does not have.
    async fn is_deleted(&self, id: ArchiveId, error: opentok::Error) -> Result<(), PlatformError> {
        if is_unknown(&error) {
            return self.is_the_platform().await;
        }
        if !matches!(error.status(), Some(403 | 409)) {
            return Err(self.failed(error, "deleting an archive", "archive"));
        }
        match self.refresh(id).await? {
            None => Ok(()),
            Some(object) => match object.status.as_str() {
                "deleted" | "expired" | "failed" => Ok(()),
                _ if error.status() == Some(403) => {
                    Err(self.failed(error, "deleting an archive", "archive"))
                }
                "started" | "paused" => Err(PlatformError::Conflict(
                    "this archive is still being recorded; stop it first".to_owned(),
                )),
                _ => Err(PlatformError::Conflict(
                    "the video platform is still making the file of this archive; delete it when that is done"
                        .to_owned(),
                )),
            },
        }
    }
}

/// The URL of an archive's file, if the platform has it.
pub(super) fn url_of(object: ArchiveObject) -> Option<String> {
    let is_there = object.status.as_str() == Status::Available.as_str();
    object.url.filter(|_| is_there)
}
