//! Finds archives.

use sqlx::SqlitePool;

use super::row::{ArchiveRow, all, one, rows};
use crate::{
    archive::{Archive, ArchiveId},
    opentok::SessionId,
};

pub(in crate::archive) async fn find(
    db: &SqlitePool,
    id: ArchiveId,
) -> sqlx::Result<Option<Archive>> {
    let id = id.to_string();
    let row = rows!("SELECT", "FROM archives WHERE id = $1", id)
        .fetch_optional(db)
        .await?;
    one(row)
}

pub(in crate::archive) async fn running_of(
    db: &SqlitePool,
    session: &SessionId,
    tag: &str,
) -> sqlx::Result<Option<Archive>> {
    let session = session.as_str();
    let row = rows!(
        "SELECT",
        "FROM archives
         WHERE session_id = $1
           AND multi_archive_tag = $2
           AND status IN ('started', 'paused')",
        session,
        tag,
    )
    .fetch_optional(db)
    .await?;
    one(row)
}

/// Returns the archives of a session that are being recorded, the oldest first.
pub(in crate::archive) async fn running_in(
    db: &SqlitePool,
    session: &SessionId,
) -> sqlx::Result<Vec<Archive>> {
    let session = session.as_str();
    let rows = rows!(
        "SELECT",
        "FROM archives
         WHERE session_id = $1 AND status IN ('started', 'paused')
         ORDER BY seq",
        session,
    )
    .fetch_all(db)
    .await?;
    all(rows)
}

// SQLite uses a partial index only if the query repeats its condition. The next two queries repeat that of
// `archives_unfinished`.

/// Returns the archives that are being recorded, the oldest first.
pub(in crate::archive) async fn running(db: &SqlitePool) -> sqlx::Result<Vec<Archive>> {
    let rows = rows!(
        "SELECT",
        "FROM archives
         WHERE status IN ('started', 'paused') AND status IN ('started', 'paused', 'stopped')
         ORDER BY seq",
    )
    .fetch_all(db)
    .await?;
    all(rows)
}

/// Returns the archives recorded here whose file is not made yet, the oldest first.
pub(in crate::archive) async fn stopped(db: &SqlitePool) -> sqlx::Result<Vec<Archive>> {
    let rows = rows!(
        "SELECT",
        "FROM archives
         WHERE status = 'stopped' AND platform = '' AND status IN ('started', 'paused', 'stopped')
         ORDER BY seq",
    )
    .fetch_all(db)
    .await?;
    all(rows)
}
