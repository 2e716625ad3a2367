//! Archives that another platform makes: what people do with them, and what it answers.

use std::time::Instant;

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
    clock,
    opentok::{self, ArchiveObject, ArchiveOptions, Layout, LayoutType, SessionId},
    platform::{Platform, PlatformError, StartArchive, not_this_platforms},
};

impl Inner {
    /// Begins to record a session that somebody is in.
    pub(super) async fn start(
        &self,
        session: &SessionId,
        options: StartArchive,
    ) -> Result<ArchiveId, PlatformError> {
        self.session(session).await?;
        let resolution = match options.resolution.as_deref() {
            None => self.home.resolution.as_str(),
            Some(given) => given,
        };
        let wanted =
            ArchiveOptions {
                name: Some(options.name),
                resolution: Some(resolution.parse().map_err(|error| {
                    PlatformError::BadRequest(format!("the resolution: {error}"))
                })?),
                layout: Some(Layout::screenshare(LayoutType::HorizontalPresentation)),
                ..ArchiveOptions::default()
            };
        let started = match self.opentok.archives().start(session, &wanted).await {
            Ok(started) => started.into_object(),
            Err(error) => return Err(self.not_started(session, error).await?),
        };
        let remote = RemoteArchive::read(&started, clock::now_ms()).ok_or_else(|| {
            warn!("{} started an archive that cannot be read", self.host);
            platform_error(opentok::Error::Reply(String::new()), "archive")
        })?;
        let context = LocalContext {
            api_key: self.home.project.api_key,
            platform: self.address.clone(),
            room: options.room,
            started_by: options.started_by,
        };
        // It records there, whether it can be noted here now or not.
        self.sync_requested.notify_one();
        self.adopt(&remote, &context).await?;
        Ok(remote.id)
    }

    /// Ends a recording.
    pub(super) async fn stop(&self, id: ArchiveId) -> Result<(), PlatformError> {
        let archive = self.archive(id).await?;
        let not_recording =
            || PlatformError::Conflict("this archive is not being recorded any more".to_owned());
        if archive.platform != self.address {
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

    /// Deletes an archive there, and then here; one of a former platform only here.
    pub(super) async fn delete(&self, id: ArchiveId) -> Result<(), PlatformError> {
        let archive = self.archive(id).await?;
        if archive.platform != self.address {
            return self.home.delete_archive(id).await;
        }
        if let Err(error) = self.opentok.archives().delete(&id.to_string()).await {
            self.is_deleted(id, error).await?;
        }
        self.home.archives.delete_remote(id).await?;
        Ok(())
    }

    /// Where the file of an available archive is now.
    pub(super) async fn file_url(&self, archive: &Archive) -> Result<String, PlatformError> {
        if archive.platform != self.address {
            return Err(not_this_platforms(archive));
        }
        let now = Instant::now();
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

    /// What the row says; the archive is this platform's.
    async fn archive(&self, id: ArchiveId) -> Result<Archive, PlatformError> {
        let found = self.home.archives.find(self.home.project.api_key, id);
        found.await?.ok_or(PlatformError::NotFound("archive"))
    }

    /// Takes in an archive that the platform has.
    pub(super) async fn adopt(
        &self,
        remote: &RemoteArchive,
        context: &LocalContext,
    ) -> Result<(), PlatformError> {
        let archives = &self.home.archives;
        if archives.adopt(remote, context).await?.is_some() {
            return Ok(());
        }
        // What is in its way has ended, and nobody here has heard of it yet.
        for stale in archives.running_in(&remote.session_id).await? {
            self.refresh(stale.id).await?;
        }
        if archives.adopt(remote, context).await?.is_none() {
            error!(archive.id = %remote.id, "Archive `{}` is not listed: two record one session", remote.id);
        }
        Ok(())
    }

    /// Asks the platform how an archive is, and lets its row follow; `None`: it does not have it any more.
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
                self.home.archives.mark_lost(id).await?;
                Ok(None)
            }
            Err(error) => Err(self.failed(error, "asking for an archive", "archive")),
        }
    }

    /// Whoever knows nothing of an archive, or of a session, may not be the platform at all: then nothing is lost because
    /// of that.
    pub(super) async fn is_the_platform(&self) -> Result<(), PlatformError> {
        self.list(0, 1).await.map(drop)
    }

    /// Lets the row of an archive follow what the platform says.
    async fn apply(&self, object: &ArchiveObject) -> Result<(), PlatformError> {
        if let Some(remote) = RemoteArchive::read(object, clock::now_ms()) {
            self.home.archives.apply_remote(&remote).await?;
        }
        Ok(())
    }

    /// Why nothing was started.
    async fn not_started(
        &self,
        session: &SessionId,
        error: opentok::Error,
    ) -> Result<PlatformError, PlatformError> {
        // It may have been started all the same, by us or by somebody else.
        self.sync_requested.notify_one();
        let conflict = |words: &str| Ok(PlatformError::Conflict(words.to_owned()));
        match (&error, error.status()) {
            (_, Some(409)) => {
                let running = self.home.archives.running_in(session).await?;
                match running.into_iter().next() {
                    Some(running) => Ok(StartError::AlreadyRecording(Box::new(running)).into()),
                    None => conflict("this room is already being recorded"),
                }
            }
            (opentok::Error::Archive(_), Some(400 | 404)) => {
                conflict("nobody is in the call yet, so there is nothing to record: join it first")
            }
            _ => Ok(self.failed(error, "starting an archive", "session")),
        }
    }

    /// Whether the platform has deleted an archive, after it said `error`. It does not delete what is not finished;
    /// and of what it does not know, the cloud says that the credentials are wrong.
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

/// Where the file of an archive can be fetched from, if it is there at all.
pub(super) fn url_of(object: ArchiveObject) -> Option<String> {
    let is_there = object.status.as_str() == Status::Available.as_str();
    object.url.filter(|_| is_there)
}
