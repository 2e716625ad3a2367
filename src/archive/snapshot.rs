//! An archive at the moment of a change of status. A callback that is delivered late still reports that moment.

use serde::{Deserialize, Serialize};
use sqlx::SqlitePool;

use super::{Archive, ArchiveId, Status, store};

/// The fields of an archive that change with its status, as the outbox of callbacks stores them.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StatusSnapshot {
    status: Status,
    reason: String,
    updated_at_ms: i64,
    duration_ms: u64,
    size_bytes: u64,
}

impl StatusSnapshot {
    pub(super) fn of(archive: &Archive) -> StatusSnapshot {
        StatusSnapshot {
            status: archive.status,
            reason: archive.reason.clone(),
            updated_at_ms: archive.updated_at_ms,
            duration_ms: archive.duration_ms,
            size_bytes: archive.size_bytes,
        }
    }
}

/// Returns an archive as it was when its status changed; `None`: there is no such archive.
///
/// # Errors
/// The database query fails.
pub async fn find_as_of(
    db: &SqlitePool,
    id: ArchiveId,
    snapshot: StatusSnapshot,
) -> Result<Option<Archive>, sqlx::Error> {
    let archive = store::find(db, id).await?;
    Ok(archive.map(|archive| Archive {
        status: snapshot.status,
        reason: snapshot.reason,
        updated_at_ms: snapshot.updated_at_ms,
        duration_ms: snapshot.duration_ms,
        size_bytes: snapshot.size_bytes,
        ..archive
    }))
}
