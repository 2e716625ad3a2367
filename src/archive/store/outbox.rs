//! The outbox of callbacks: the event of a status is written in the transaction that changes the status.

use sqlx::{Sqlite, SqliteConnection, SqlitePool, Transaction};

use super::row::decode;
use crate::archive::{Archive, ArchiveId, Status, snapshot::StatusSnapshot};

/// A transaction that may change the status of one archive.
pub(in crate::archive) struct StatusChange {
    transaction: Transaction<'static, Sqlite>,
    /// The status before the change; `None`: there is no such archive.
    before: Option<String>,
}

impl StatusChange {
    pub(in crate::archive) async fn begin(
        db: &SqlitePool,
        id: ArchiveId,
    ) -> sqlx::Result<StatusChange> {
        // The first statement reads, so a deferred transaction could fail to become a writer.
        let mut transaction = db.begin_with("BEGIN IMMEDIATE").await?;
        let id = id.to_string();
        let before = sqlx::query_scalar!(
            "SELECT status
             FROM archives
             WHERE id = $1",
            id,
        )
        .fetch_optional(&mut *transaction)
        .await?;
        Ok(StatusChange {
            transaction,
            before,
        })
    }

    /// The connection on which the archive is changed.
    pub(in crate::archive) fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.transaction
    }

    /// Writes the event of a changed status to the outbox, and commits both.
    pub(in crate::archive) async fn commit_with_event(
        mut self,
        changed: Option<Archive>,
    ) -> sqlx::Result<Option<Archive>> {
        if let Some(archive) = &changed
            && self.before.as_deref() != Some(archive.status.as_str())
        {
            enqueue(&mut self.transaction, archive).await?;
        }
        self.transaction.commit().await?;
        Ok(changed)
    }
}

/// Writes the event of an archive's status to the outbox, if the project has a callback for it. There is no event for `deleted`, as
/// in OpenTok: the application itself deletes archives.
pub(in crate::archive) async fn enqueue(
    db: &mut SqliteConnection,
    archive: &Archive,
) -> sqlx::Result<()> {
    if archive.status == Status::Deleted {
        return Ok(());
    }
    let event = format!("evt_{}", uuid::Uuid::new_v4().simple());
    let id = archive.id.to_string();
    let body = serde_json::to_string(&StatusSnapshot::of(archive)).map_err(decode)?;
    sqlx::query!(
        "INSERT INTO callback_events (id, callback, api_key, archive, body, created_at_ms, due_at_ms)
         SELECT $1, id, api_key, $2, $3, $4, $4
         FROM callbacks
         WHERE api_key = $5 AND topic = 'archive status'",
        event,
        id,
        body,
        archive.updated_at_ms,
        archive.api_key,
    )
    .execute(db)
    .await?;
    Ok(())
}
