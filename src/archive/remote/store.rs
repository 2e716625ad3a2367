//! The SQL of archives that another platform has.
//!
//! Statuses have a rank: 0 started and paused, 1 stopped, 2 available, uploaded and failed, 3 expired, 4 deleted. A row that
//! is deleted here has rank 5, so that no report of the platform restores it.

use sqlx::SqlitePool;

use super::report::{LocalContext, RemoteArchive};
use crate::archive::{
    Archive, ArchiveId, Layout, Status,
    store::{
        ArchiveRow, all, changed, integer,
        outbox::{self, StatusChange},
        rows,
    },
};

fn rank(status: Status) -> i64 {
    match status {
        Status::Started | Status::Paused => 0,
        Status::Stopped => 1,
        Status::Available | Status::Uploaded | Status::Failed => 2,
        Status::Expired => 3,
        Status::Deleted => 4,
    }
}

/// Inserts an archive, or completes the local context of a known one; `None`: another archive records the same session, as
/// far as this server knows.
///
/// # Errors
/// The database query fails.
pub async fn adopt(
    db: &SqlitePool,
    remote: &RemoteArchive,
    context: &LocalContext,
    now_ms: i64,
) -> sqlx::Result<Option<Archive>> {
    let mut change = StatusChange::begin(db, remote.id).await?;
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
    .fetch_all(change.connection())
    .await?;
    change.commit_with_event(changed(rows)?).await
}

/// Applies a report to a row; `None`: there is no such row, it is up to date, or its status has a higher rank.
///
/// # Errors
/// The database query fails.
pub async fn apply(
    db: &SqlitePool,
    remote: &RemoteArchive,
    now_ms: i64,
) -> sqlx::Result<Option<Archive>> {
    let mut change = StatusChange::begin(db, remote.id).await?;
    let id = remote.id.to_string();
    let (status, rank) = (remote.status.as_str(), rank(remote.status));
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
        rank,
    )
    .fetch_all(change.connection())
    .await?;
    change.commit_with_event(changed(rows)?).await
}

/// Records that the platform no longer has the archive. An unfinished archive fails, a finished one expires.
///
/// # Errors
/// The database query fails.
pub async fn mark_lost(
    db: &SqlitePool,
    id: ArchiveId,
    now_ms: i64,
) -> sqlx::Result<Option<Archive>> {
    let mut change = StatusChange::begin(db, id).await?;
    let id = id.to_string();
    let rows = rows!(
        "UPDATE archives
         SET reason = CASE WHEN status IN ('available', 'uploaded') THEN reason
                           ELSE 'the video platform no longer has it' END,
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
    .fetch_all(change.connection())
    .await?;
    change.commit_with_event(changed(rows)?).await
}

/// Fails the unfinished archives of all platforms but this one, because no report of them will arrive. Returns them.
///
/// # Errors
/// The database query fails.
pub async fn fail_others(
    db: &SqlitePool,
    platform: &str,
    now_ms: i64,
) -> sqlx::Result<Vec<Archive>> {
    let mut transaction = db.begin().await?;
    let rows = rows!(
        "UPDATE archives
         SET status = 'failed', reason = 'this server no longer uses the video platform that recorded it',
             updated_at_ms = $2
         WHERE platform <> ''
           AND platform <> $1
           AND status IN ('started', 'paused', 'stopped')
         RETURNING",
        "",
        platform,
        now_ms,
    )
    .fetch_all(&mut *transaction)
    .await?;
    let archives = all(rows)?;
    for archive in &archives {
        outbox::enqueue(&mut transaction, archive).await?;
    }
    transaction.commit().await?;
    Ok(archives)
}

/// Marks an archive as deleted after the platform has deleted it, whatever its status is.
///
/// # Errors
/// The database query fails.
pub async fn delete(db: &SqlitePool, id: ArchiveId, now_ms: i64) -> sqlx::Result<Option<Archive>> {
    let mut change = StatusChange::begin(db, id).await?;
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
    .fetch_all(change.connection())
    .await?;
    change.commit_with_event(changed(rows)?).await
}

/// Records that the archive's file, `size_bytes` long, is in its folder here, also if the platform's own has expired
/// meanwhile; `None`: the archive was deleted.
///
/// # Errors
/// The database query fails.
pub async fn mark_pulled(
    db: &SqlitePool,
    id: ArchiveId,
    size_bytes: u64,
    now_ms: i64,
) -> sqlx::Result<Option<Archive>> {
    let mut change = StatusChange::begin(db, id).await?;
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
    .fetch_all(change.connection())
    .await?;
    change.commit_with_event(changed(rows)?).await
}

/// Returns the archives of a platform that are being recorded or whose file is being made, the oldest first.
///
/// # Errors
/// The database query fails.
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

/// Returns the available archives of a platform whose file is not copied yet, the oldest first: those expire first.
///
/// # Errors
/// The database query fails.
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
