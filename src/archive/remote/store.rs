//! The SQL of archives that another platform has.
//!
//! How far a status is counts: 0 started and paused, 1 stopped, 2 available, uploaded and failed, 3 expired, 4 deleted; a
//! row that is deleted here is further than anything the platform may say, so that nothing of it comes back.

use sqlx::SqlitePool;

use super::{LocalContext, RemoteArchive};
use crate::archive::{
    Archive, ArchiveId, Layout, Status,
    store::{ArchiveRow, all, changed, integer, rows},
};

fn how_far(status: Status) -> i64 {
    match status {
        Status::Started | Status::Paused => 0,
        Status::Stopped => 1,
        Status::Available | Status::Uploaded | Status::Failed => 2,
        Status::Expired => 3,
        Status::Deleted => 4,
    }
}

/// Takes in an archive, or completes what is known of one that was taken in already; `None`: another one records the
/// same session, as far as is known here.
///
/// # Errors
/// When the database does not answer.
pub async fn adopt(
    db: &SqlitePool,
    remote: &RemoteArchive,
    context: &LocalContext,
    now_ms: i64,
) -> sqlx::Result<Option<Archive>> {
    let id = remote.id.to_string();
    let session_id = remote.session_id.as_str();
    let status = remote.status.as_str();
    let (output_mode, stream_mode) = (remote.output_mode.as_str(), remote.stream_mode.as_str());
    let resolution = remote
        .resolution
        .map_or("", |resolution| resolution.as_str());
    let layout = Layout::default().to_json();
    let (duration_ms, size_bytes) = (integer(remote.duration_ms), integer(remote.size_bytes));
    let rows = rows!(
        "INSERT INTO archives (id, api_key, session_id, room, name, status, reason, output_mode, stream_mode, has_audio,
                               has_video, resolution, layout, multi_archive_tag, started_by, created_at_ms,
                               updated_at_ms, duration_ms, size_bytes, platform)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)
         ON CONFLICT (id) DO UPDATE
         SET room = CASE archives.room WHEN '' THEN excluded.room ELSE archives.room END,
             started_by = CASE archives.started_by WHEN '' THEN excluded.started_by ELSE archives.started_by END
         ON CONFLICT (session_id, multi_archive_tag) WHERE status IN ('started', 'paused') DO NOTHING
         RETURNING",
        "",
        id,
        context.api_key,
        session_id,
        context.room,
        remote.name,
        status,
        remote.reason,
        output_mode,
        stream_mode,
        remote.has_audio,
        remote.has_video,
        resolution,
        layout,
        remote.multi_archive_tag,
        context.started_by,
        remote.created_at_ms,
        now_ms,
        duration_ms,
        size_bytes,
        context.platform,
    )
    .fetch_all(db)
    .await?;
    changed(rows)
}

/// Lets a row follow; `None`: it is as it should be, is not there, or knows better.
///
/// # Errors
/// When the database does not answer.
pub async fn apply(
    db: &SqlitePool,
    remote: &RemoteArchive,
    now_ms: i64,
) -> sqlx::Result<Option<Archive>> {
    let id = remote.id.to_string();
    let (status, how_far) = (remote.status.as_str(), how_far(remote.status));
    let (duration_ms, size_bytes) = (integer(remote.duration_ms), integer(remote.size_bytes));
    let rows = rows!(
        "UPDATE archives
         SET status = $2, reason = $3, duration_ms = MAX(duration_ms, $4),
             size_bytes = CASE $5 WHEN 0 THEN size_bytes ELSE $5 END, updated_at_ms = $6
         WHERE id = $1
           AND platform <> ''
           AND pulled = 0
           AND (status <> $2 OR reason <> $3 OR duration_ms < $4 OR ($5 <> 0 AND size_bytes <> $5))
           AND CASE status
                   WHEN 'started' THEN 0 WHEN 'paused' THEN 0 WHEN 'stopped' THEN 1 WHEN 'expired' THEN 3
                   WHEN 'deleted' THEN 5 ELSE 2
               END <= $7
         RETURNING",
        "",
        id,
        status,
        remote.reason,
        duration_ms,
        size_bytes,
        now_ms,
        how_far,
    )
    .fetch_all(db)
    .await?;
    changed(rows)
}

/// The platform does not have the archive any more: one that was not finished has failed, another one has expired.
///
/// # Errors
/// When the database does not answer.
pub async fn mark_lost(
    db: &SqlitePool,
    id: ArchiveId,
    now_ms: i64,
) -> sqlx::Result<Option<Archive>> {
    let id = id.to_string();
    let rows = rows!(
        "UPDATE archives
         SET reason = CASE WHEN status IN ('available', 'uploaded') THEN reason
                           ELSE 'the video platform does not have it any more' END,
             status = CASE WHEN status IN ('available', 'uploaded') THEN 'expired' ELSE 'failed' END,
             updated_at_ms = $2
         WHERE id = $1
           AND platform <> ''
           AND pulled = 0
           AND status IN ('started', 'paused', 'stopped', 'available', 'uploaded')
         RETURNING",
        "",
        id,
        now_ms,
    )
    .fetch_all(db)
    .await?;
    changed(rows)
}

/// Nobody hears any more of what platforms other than this one record, or make a file of: it has failed. Returns those.
///
/// # Errors
/// When the database does not answer.
pub async fn fail_others(
    db: &SqlitePool,
    platform: &str,
    now_ms: i64,
) -> sqlx::Result<Vec<Archive>> {
    let rows = rows!(
        "UPDATE archives
         SET status = 'failed', reason = 'this server does not use the video platform any more that made it',
             updated_at_ms = $2
         WHERE platform <> ''
           AND platform <> $1
           AND status IN ('started', 'paused', 'stopped')
         RETURNING",
        "",
        platform,
        now_ms,
    )
    .fetch_all(db)
    .await?;
    all(rows)
}

/// Takes an archive out of every list, once the platform has deleted it; whatever its status is.
///
/// # Errors
/// When the database does not answer.
pub async fn delete(db: &SqlitePool, id: ArchiveId, now_ms: i64) -> sqlx::Result<Option<Archive>> {
    let id = id.to_string();
    let rows = rows!(
        "UPDATE archives
         SET status = 'deleted', updated_at_ms = $2
         WHERE id = $1 AND platform <> '' AND status <> 'deleted'
         RETURNING",
        "",
        id,
        now_ms,
    )
    .fetch_all(db)
    .await?;
    changed(rows)
}

/// The archive's file is in its folder here, with so many bytes, also if the platform's own has expired meanwhile;
/// `None`: nobody wants it any more.
///
/// # Errors
/// When the database does not answer.
pub async fn mark_pulled(
    db: &SqlitePool,
    id: ArchiveId,
    size_bytes: u64,
    now_ms: i64,
) -> sqlx::Result<Option<Archive>> {
    let (id, size_bytes) = (id.to_string(), integer(size_bytes));
    let rows = rows!(
        "UPDATE archives
         SET pulled = 1, status = 'available', size_bytes = $2, updated_at_ms = $3
         WHERE id = $1 AND platform <> '' AND pulled = 0 AND status IN ('available', 'expired')
         RETURNING",
        "",
        id,
        size_bytes,
        now_ms,
    )
    .fetch_all(db)
    .await?;
    changed(rows)
}

/// Those of a platform of which more is to be heard: they record, or their file is being made. The oldest first.
///
/// # Errors
/// When the database does not answer.
pub async fn unfinished(db: &SqlitePool, platform: &str) -> sqlx::Result<Vec<Archive>> {
    let rows = rows!(
        "SELECT",
        "FROM archives
         WHERE platform = $1 AND platform <> '' AND status IN ('started', 'paused', 'stopped')
         ORDER BY seq",
        platform,
    )
    .fetch_all(db)
    .await?;
    all(rows)
}

/// Those of a platform whose file is there and not here, the oldest first: it will be gone some day.
///
/// # Errors
/// When the database does not answer.
pub async fn not_pulled(db: &SqlitePool, platform: &str) -> sqlx::Result<Vec<Archive>> {
    let rows = rows!(
        "SELECT",
        "FROM archives
         WHERE platform = $1 AND platform <> '' AND status = 'available' AND pulled = 0
         ORDER BY seq",
        platform,
    )
    .fetch_all(db)
    .await?;
    all(rows)
}
