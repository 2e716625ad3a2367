//! The changes of an archive's status. Each change of an archive recorded here is a function in this file; those of another
//! platform's archives are in `remote/`.
//!
//! ```text
//! started ◀──▶ paused
//!    └────┬──────┘
//!         ▼
//!      stopped ──▶ available ──▶ expired
//!         │  └────────────────────▲  │
//!         ▼                       │  ▼
//!       failed ───────────────────┴ deleted, from all that are not being recorded
//! ```
//!
//! The statuses are OpenTok's: see "Archive object, `status`" in its REST reference. `uploaded` replaces `available` if the
//! file goes to the integrator's own storage. The database decides races: each change names the statuses that it starts
//! from, and the loser is [refused](ChangeError::Refused). The transaction of a change also writes its event to the outbox of callbacks
//! ([`StatusChange::commit_with_event`]).

use sqlx::{SqliteConnection, SqlitePool};
use tracing::{info, instrument, warn};

use super::{
    Archive, ArchiveId, NewArchive, OutputMode, Reason, Resolution, Status,
    composer::Composed,
    recording::Manifest,
    store::{
        self,
        outbox::{self, StatusChange},
    },
};

/// The maximum length of an archive's name, in characters.
pub const MAX_NAME_CHARS: usize = 255;
/// The maximum length of a tag, in characters.
pub const MAX_TAG_CHARS: usize = 128;

/// Why an archive did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("an archive needs audio, video or both")]
    NothingToRecord,
    #[error("only a composed archive has a resolution")]
    ResolutionOfIndividual,
    #[error("the name is {chars} characters long; {MAX_NAME_CHARS} are allowed")]
    NameTooLong { chars: usize },
    #[error("the tag is {chars} characters long; {MAX_TAG_CHARS} are allowed")]
    TagTooLong { chars: usize },
    /// The session is being recorded under the same tag.
    #[error("the session is already being recorded")]
    AlreadyRecording(Box<Archive>),
    /// The database query failed.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// Why an archive's status did not change.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// There is no archive with this id.
    #[error("there is no archive {0}")]
    NotFound(ArchiveId),
    /// The archive's status does not allow this change.
    #[error("an archive that is {from} cannot become {to}")]
    Refused { from: Status, to: Status },
    /// The database query failed.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// Inserts an archive that is being recorded.
///
/// # Errors
/// [`StartError`]. An index of the database ensures that a session is recorded once for each tag.
#[instrument(skip_all, fields(session.id = %new.session_id))]
pub async fn start(
    db: &SqlitePool,
    mut new: NewArchive,
    now_ms: i64,
) -> Result<Archive, StartError> {
    if !new.has_audio && !new.has_video {
        return Err(StartError::NothingToRecord);
    }
    let name_chars = new.name.chars().count();
    if name_chars > MAX_NAME_CHARS {
        return Err(StartError::NameTooLong { chars: name_chars });
    }
    let tag_chars = new.multi_archive_tag.chars().count();
    if tag_chars > MAX_TAG_CHARS {
        return Err(StartError::TagTooLong { chars: tag_chars });
    }
    match (new.output_mode, new.resolution) {
        (OutputMode::Individual, Some(_)) => return Err(StartError::ResolutionOfIndividual),
        (OutputMode::Composed, None) => new.resolution = Some(Resolution::R640X480),
        _ => {}
    }

    let id = ArchiveId::random();
    // Two attempts: the conflicting archive may end between the two statements.
    for _ in 0..2 {
        let mut change = StatusChange::begin(db, id).await?;
        let inserted = store::insert(change.connection(), id, &new, now_ms).await?;
        if let Some(archive) = change.commit_with_event(inserted).await? {
            info!(archive.id = %id, "Archive started");
            return Ok(archive);
        }
        let running = store::running_of(db, &new.session_id, &new.multi_archive_tag).await?;
        if let Some(running) = running {
            return Err(StartError::AlreadyRecording(Box::new(running)));
        }
    }
    Err(StartError::Database(sqlx::Error::RowNotFound))
}

/// Pauses an archive after the last stream ended.
///
/// # Errors
/// [`ChangeError::Refused`] unless the archive is started.
#[instrument(skip_all, fields(archive.id = %id))]
pub async fn pause(db: &SqlitePool, id: ArchiveId, now_ms: i64) -> Result<Archive, ChangeError> {
    change(db, id, Status::Paused, async |db| {
        store::pause(db, id, now_ms).await
    })
    .await
}

/// Resumes an archive after a stream was published again.
///
/// # Errors
/// [`ChangeError::Refused`] unless the archive is paused.
#[instrument(skip_all, fields(archive.id = %id))]
pub async fn resume(db: &SqlitePool, id: ArchiveId, now_ms: i64) -> Result<Archive, ChangeError> {
    change(db, id, Status::Started, async |db| {
        store::resume(db, id, now_ms).await
    })
    .await
}

/// Records that recording is over. [`save_tracks`] adds the streams; until then the duration is estimated by the clock.
///
/// # Errors
/// [`ChangeError::Refused`] unless the archive is started or paused; of two concurrent calls, one is refused.
#[instrument(skip_all, fields(archive.id = %id))]
pub async fn stop(
    db: &SqlitePool,
    id: ArchiveId,
    reason: Reason,
    now_ms: i64,
) -> Result<Archive, ChangeError> {
    change(db, id, Status::Stopped, async |db| {
        store::stop(db, id, reason, "", now_ms).await
    })
    .await
}

/// Records that the recorder failed, for example because of a full disk. [`save_tracks`] adds the part written before.
///
/// # Errors
/// [`ChangeError::Refused`] unless the archive is started, paused or stopped.
#[instrument(skip_all, fields(archive.id = %id))]
pub async fn interrupt(
    db: &SqlitePool,
    id: ArchiveId,
    problem: &str,
    now_ms: i64,
) -> Result<Archive, ChangeError> {
    warn!(error = %problem, "Recording interrupted");
    let reason = Reason::SystemFailure;
    change(db, id, Status::Stopped, async |db| {
        match store::stop(db, id, reason, problem, now_ms).await? {
            // It was stopped before the recorder failed.
            None => store::record_problem(db, id, problem, now_ms).await,
            changed => Ok(changed),
        }
    })
    .await
}

/// Marks all archives that were being recorded when the server was killed as stopped and recovered.
///
/// # Errors
/// The database query fails.
pub async fn stop_abandoned(db: &SqlitePool, now_ms: i64) -> Result<Vec<Archive>, sqlx::Error> {
    let mut transaction = db.begin().await?;
    let archives = store::stop_abandoned(&mut transaction, now_ms).await?;
    for archive in &archives {
        outbox::enqueue(&mut transaction, archive).await?;
    }
    transaction.commit().await?;
    for archive in &archives {
        warn!(archive.id = %archive.id, "Archive was being recorded when the server was killed");
    }
    Ok(archives)
}

/// Saves the streams of a recording that is over. From now on the archive can be watched and composed. A recording without a
/// packet fails.
///
/// A deleted archive stays deleted when its recorder finishes late.
///
/// # Errors
/// [`ChangeError::Refused`] if its tracks are saved already, or if it is deleted or expired.
#[instrument(skip_all, fields(archive.id = %id))]
pub async fn save_tracks(
    db: &SqlitePool,
    id: ArchiveId,
    manifest: &Manifest,
    now_ms: i64,
) -> Result<Archive, ChangeError> {
    let mut change = StatusChange::begin(db, id).await?;
    let changed = store::save_tracks(change.connection(), id, manifest, now_ms).await?;
    let changed = change.commit_with_event(changed).await?;
    let to = changed.as_ref().map_or(Status::Stopped, |a| a.status);
    done(db, id, changed, to).await
}

/// Records that the archive failed.
///
/// # Errors
/// [`ChangeError::Refused`] once there is a file to download.
#[instrument(skip_all, fields(archive.id = %id))]
pub async fn fail(
    db: &SqlitePool,
    id: ArchiveId,
    reason: Reason,
    problem: &str,
    now_ms: i64,
) -> Result<Archive, ChangeError> {
    warn!(error = %problem, "Archive failed");
    change(db, id, Status::Failed, async |db| {
        store::fail(db, id, reason, problem, now_ms).await
    })
    .await
}

/// Records that the file to download, an MP4 or a ZIP, is on disk.
///
/// A deleted archive stays deleted when its composer finishes late.
///
/// # Errors
/// [`ChangeError::Refused`] unless the archive is stopped.
#[instrument(skip_all, fields(archive.id = %id))]
pub async fn make_available(
    db: &SqlitePool,
    id: ArchiveId,
    file: &Composed,
    now_ms: i64,
) -> Result<Archive, ChangeError> {
    let archive = change(db, id, Status::Available, async |db| {
        store::make_available(db, id, file, now_ms).await
    })
    .await?;
    info!(archive.size_bytes = file.size_bytes, "Archive available");
    Ok(archive)
}

/// Marks the archive as expired. Its files are removed after this; its row remains.
///
/// # Errors
/// [`ChangeError::Refused`] during recording, and if it is expired or deleted already.
#[instrument(skip_all, fields(archive.id = %id))]
pub async fn expire(db: &SqlitePool, id: ArchiveId, now_ms: i64) -> Result<Archive, ChangeError> {
    let archive = change(db, id, Status::Expired, async |db| {
        store::expire(db, id, now_ms).await
    })
    .await?;
    info!("Archive expired");
    Ok(archive)
}

/// Marks the archive as deleted, so that it is in no list. Its files are removed after this, never before.
///
/// This is allowed during composing, because composing never ends on a machine without ffmpeg.
///
/// # Errors
/// [`ChangeError::Refused`] during recording, and if it is deleted already.
#[instrument(skip_all, fields(archive.id = %id))]
pub async fn delete(db: &SqlitePool, id: ArchiveId, now_ms: i64) -> Result<Archive, ChangeError> {
    let archive = change(db, id, Status::Deleted, async |db| {
        store::delete(db, id, now_ms).await
    })
    .await?;
    info!("Archive deleted");
    Ok(archive)
}

/// Changes an archive and writes the event of its new status in one transaction. `to` is the status that a refusal names.
async fn change(
    db: &SqlitePool,
    id: ArchiveId,
    to: Status,
    statement: impl AsyncFnOnce(&mut SqliteConnection) -> sqlx::Result<Option<Archive>>,
) -> Result<Archive, ChangeError> {
    let mut change = StatusChange::begin(db, id).await?;
    let changed = statement(change.connection()).await?;
    let changed = change.commit_with_event(changed).await?;
    done(db, id, changed, to).await
}

/// Returns the archive after a change, or the reason why it was not changed.
async fn done(
    db: &SqlitePool,
    id: ArchiveId,
    changed: Option<Archive>,
    to: Status,
) -> Result<Archive, ChangeError> {
    match changed {
        Some(archive) => Ok(archive),
        None => match store::find(db, id).await? {
            Some(archive) => Err(ChangeError::Refused {
                from: archive.status,
                to,
            }),
            None => Err(ChangeError::NotFound(id)),
        },
    }
}

#[cfg(test)]
mod tests;
