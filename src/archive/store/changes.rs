//! The changes of an archive's status, as [`lifecycle`](crate::archive::lifecycle) defines them.

use sqlx::{SqliteConnection, SqlitePool};

use super::row::{ArchiveRow, all, changed, integer, rows};
use crate::archive::{Archive, ArchiveId, NewArchive, Quality, Reason, composer::Composed};

/// Inserts an archive; `None`: the session is being recorded under the same tag.
pub(in crate::archive) async fn insert(
    db: &mut SqliteConnection,
    id: ArchiveId,
    new: &NewArchive,
    now_ms: i64,
) -> sqlx::Result<Option<Archive>> {
    let id = id.to_string();
    let session_id = new.session_id.as_str();
    let (output_mode, stream_mode) = (new.output_mode.as_str(), new.stream_mode.as_str());
    let resolution = new.resolution.map_or("", |resolution| resolution.as_str());
    let layout = new.layout.to_json();
    let (max_bitrate, quantization) = match new.quality {
        Quality::Usual => (None, None),
        Quality::MaxBitrate(rate) => (Some(rate), None),
        Quality::Quantization(parameter) => (None, Some(parameter)),
    };
    let rows = rows!(
        "INSERT INTO archives (id, api_key, session_id, room, name, status, output_mode, stream_mode, has_audio,
                               has_video, resolution, layout, multi_archive_tag, started_by, created_at_ms,
                               updated_at_ms, max_bitrate, quantization)
         VALUES ($1, $2, $3, $4, $5, 'started', $6, $7, $8, $9, $10, $11, $12, $13, $14, $14, $15, $16)
         ON CONFLICT (session_id, multi_archive_tag) WHERE status IN ('started', 'paused') DO NOTHING
         RETURNING",
        "",
        id,
        new.api_key,
        session_id,
        new.room,
        new.name,
        output_mode,
        stream_mode,
        new.has_audio,
        new.has_video,
        resolution,
        layout,
        new.multi_archive_tag,
        new.started_by,
        now_ms,
        max_bitrate,
        quantization,
    )
    .fetch_all(db)
    .await?;
    changed(rows)
}

pub(in crate::archive) async fn pause(
    db: &mut SqliteConnection,
    id: ArchiveId,
    now_ms: i64,
) -> sqlx::Result<Option<Archive>> {
    let id = id.to_string();
    let rows = rows!(
        "UPDATE archives
         SET status = 'paused', updated_at_ms = $2
         WHERE id = $1 AND status = 'started'
         RETURNING",
        "",
        id,
        now_ms,
    )
    .fetch_all(db)
    .await?;
    changed(rows)
}

pub(in crate::archive) async fn resume(
    db: &mut SqliteConnection,
    id: ArchiveId,
    now_ms: i64,
) -> sqlx::Result<Option<Archive>> {
    let id = id.to_string();
    let rows = rows!(
        "UPDATE archives
         SET status = 'started', updated_at_ms = $2
         WHERE id = $1 AND status = 'paused'
         RETURNING",
        "",
        id,
        now_ms,
    )
    .fetch_all(db)
    .await?;
    changed(rows)
}

pub(in crate::archive) async fn stop(
    db: &mut SqliteConnection,
    id: ArchiveId,
    reason: Reason,
    problem: &str,
    now_ms: i64,
) -> sqlx::Result<Option<Archive>> {
    let id = id.to_string();
    let reason = reason.as_str();
    let rows = rows!(
        "UPDATE archives
         SET status = 'stopped', reason = $2, problem = $3, updated_at_ms = $4,
             duration_ms = MAX(0, $4 - created_at_ms)
         WHERE id = $1 AND status IN ('started', 'paused')
         RETURNING",
        "",
        id,
        reason,
        problem,
        now_ms,
    )
    .fetch_all(db)
    .await?;
    changed(rows)
}

pub(in crate::archive) async fn stop_abandoned(
    db: &mut SqliteConnection,
    now_ms: i64,
) -> sqlx::Result<Vec<Archive>> {
    let reason = Reason::ServerRestarted.as_str();
    let rows = rows!(
        "UPDATE archives
         SET status = 'stopped', reason = $1, recovered = 1, updated_at_ms = $2
         WHERE status IN ('started', 'paused') AND platform = ''
         RETURNING",
        "",
        reason,
        now_ms,
    )
    .fetch_all(db)
    .await?;
    all(rows)
}

pub(in crate::archive) async fn record_problem(
    db: &mut SqliteConnection,
    id: ArchiveId,
    problem: &str,
    now_ms: i64,
) -> sqlx::Result<Option<Archive>> {
    let id = id.to_string();
    let rows = rows!(
        "UPDATE archives
         SET problem = $2, updated_at_ms = $3
         WHERE id = $1 AND status = 'stopped'
         RETURNING",
        "",
        id,
        problem,
        now_ms,
    )
    .fetch_all(db)
    .await?;
    changed(rows)
}

pub(in crate::archive) async fn fail(
    db: &mut SqliteConnection,
    id: ArchiveId,
    reason: Reason,
    problem: &str,
    now_ms: i64,
) -> sqlx::Result<Option<Archive>> {
    let id = id.to_string();
    let reason = reason.as_str();
    let rows = rows!(
        "UPDATE archives
         SET status = 'failed', reason = $2, problem = $3, updated_at_ms = $4
         WHERE id = $1 AND status IN ('started', 'paused', 'stopped')
         RETURNING",
        "",
        id,
        reason,
        problem,
        now_ms,
    )
    .fetch_all(db)
    .await?;
    changed(rows)
}

pub(in crate::archive) async fn make_available(
    db: &mut SqliteConnection,
    id: ArchiveId,
    file: &Composed,
    now_ms: i64,
) -> sqlx::Result<Option<Archive>> {
    let id = id.to_string();
    let size_bytes = integer(file.size_bytes);
    let duration_ms = integer(file.duration_ms);
    let rows = rows!(
        "UPDATE archives
         SET status = 'available', size_bytes = $2, duration_ms = $3, has_poster = $4, compose_percent = 100,
             compose_problem = '', updated_at_ms = $5,
             problem = problem || CASE WHEN problem = '' OR $6 = '' THEN '' ELSE '; ' END || $6
         WHERE id = $1 AND status = 'stopped'
         RETURNING",
        "",
        id,
        size_bytes,
        duration_ms,
        file.has_poster,
        now_ms,
        file.damage,
    )
    .fetch_all(db)
    .await?;
    changed(rows)
}

/// Records the progress of composing, and its problem if there is one; `None`: the archive is no longer stopped.
pub(in crate::archive) async fn record_composing(
    db: &SqlitePool,
    id: ArchiveId,
    percent: u8,
    problem: &str,
) -> sqlx::Result<Option<Archive>> {
    let id = id.to_string();
    let rows = rows!(
        "UPDATE archives
         SET compose_percent = $2, compose_problem = $3
         WHERE id = $1 AND status = 'stopped'
         RETURNING",
        "",
        id,
        percent,
        problem,
    )
    .fetch_all(db)
    .await?;
    changed(rows)
}

pub(in crate::archive) async fn expire(
    db: &mut SqliteConnection,
    id: ArchiveId,
    now_ms: i64,
) -> sqlx::Result<Option<Archive>> {
    let id = id.to_string();
    let rows = rows!(
        "UPDATE archives
         SET status = 'expired', updated_at_ms = $2
         WHERE id = $1 AND status IN ('stopped', 'available', 'failed')
         RETURNING",
        "",
        id,
        now_ms,
    )
    .fetch_all(db)
    .await?;
    changed(rows)
}

pub(in crate::archive) async fn delete(
    db: &mut SqliteConnection,
    id: ArchiveId,
    now_ms: i64,
) -> sqlx::Result<Option<Archive>> {
    let id = id.to_string();
    let rows = rows!(
        "UPDATE archives
         SET status = 'deleted', updated_at_ms = $2
         WHERE id = $1 AND status IN ('stopped', 'available', 'uploaded', 'failed', 'expired')
         RETURNING",
        "",
        id,
        now_ms,
    )
    .fetch_all(db)
    .await?;
    changed(rows)
}
