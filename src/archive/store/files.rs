//! Finds the archives whose files are to be removed.

use sqlx::SqlitePool;

use super::row::parsed;
use crate::archive::ArchiveId;

/// Returns at most 100 archives that started before `before_ms` and have files here that can expire, the oldest first.
pub(in crate::archive) async fn older_than(
    db: &SqlitePool,
    before_ms: i64,
) -> Result<Vec<ArchiveId>, sqlx::Error> {
    let ids = sqlx::query_scalar!(
        "SELECT id
         FROM archives
         WHERE status IN ('stopped', 'available', 'failed') AND created_at_ms < $1 AND (platform = '' OR pulled = 1)
         ORDER BY created_at_ms
         LIMIT 100",
        before_ms,
    )
    .fetch_all(db)
    .await?;
    ids.iter()
        .map(|id| parsed("id", ArchiveId::parse(id)))
        .collect()
}

/// Returns the deleted and expired archives whose files are not removed yet.
pub(in crate::archive) async fn to_clear(db: &SqlitePool) -> Result<Vec<ArchiveId>, sqlx::Error> {
    let ids = sqlx::query_scalar!(
        "SELECT id
         FROM archives
         WHERE status IN ('deleted', 'expired') AND has_files = 1
         ORDER BY seq",
    )
    .fetch_all(db)
    .await?;
    ids.iter()
        .map(|id| parsed("id", ArchiveId::parse(id)))
        .collect()
}

/// Records that an archive's folder is removed. The names of a deleted archive and its participants are removed too.
pub(in crate::archive) async fn record_cleared(
    db: &SqlitePool,
    id: ArchiveId,
) -> Result<(), sqlx::Error> {
    let id = id.to_string();
    let mut transaction = db.begin().await?;
    sqlx::query!(
        "UPDATE archives
         SET has_files = 0, has_poster = 0,
             name = CASE status WHEN 'deleted' THEN '' ELSE name END,
             people_names = CASE status WHEN 'deleted' THEN '' ELSE people_names END
         WHERE id = $1 AND status IN ('deleted', 'expired')",
        id,
    )
    .execute(&mut *transaction)
    .await?;
    sqlx::query!(
        "DELETE FROM archive_streams
         WHERE archive = (SELECT seq FROM archives WHERE id = $1 AND status = 'deleted')",
        id,
    )
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await
}
