//! When archives' files go: by age if the operator says so, and after the row says deleted or expired.
//!
//! The row changes first, the folder follows. A server that ends between the two finds the folder on its next start
//! by the row's `has_files` and removes it then; removing what is gone already is no error.

use std::{io, path::Path, time::Duration};

use sqlx::SqlitePool;
use tracing::{info, warn};

use super::{
    Archive, ArchiveId,
    download::folder,
    lifecycle::{self, ChangeError},
    store,
};

/// Tries to remove a folder while a composer that is being killed still writes into it.
const REMOVE_TRIES: u32 = 5;
const REMOVE_WAIT: Duration = Duration::from_millis(100);

/// Expires the archives that started longer ago than `keep`; returns those it expired. Their files are still there.
///
/// # Errors
/// When the database does not answer.
pub async fn expire_old(
    db: &SqlitePool,
    keep: Duration,
    now_ms: i64,
) -> Result<Vec<Archive>, sqlx::Error> {
    let before_ms = now_ms.saturating_sub(i64::try_from(keep.as_millis()).unwrap_or(i64::MAX));
    let mut expired = Vec::new();
    loop {
        let ids = store::older_than(db, before_ms).await?;
        if ids.is_empty() {
            return Ok(expired);
        }
        for id in ids {
            match lifecycle::expire(db, id, now_ms).await {
                Ok(archive) => expired.push(archive),
                // Somebody deleted it in the meantime.
                Err(ChangeError::NotFound(_) | ChangeError::Refused { .. }) => {}
                Err(ChangeError::Database(error)) => return Err(error),
            }
        }
    }
}

/// Removes the folders of all deleted and expired archives that still have one.
///
/// # Errors
/// When the database does not answer. A folder that cannot be removed is logged, and tried again another time.
pub async fn clear_all(db: &SqlitePool, archives: &Path) -> Result<(), sqlx::Error> {
    for id in store::to_clear(db).await? {
        clear(db, archives, id).await?;
    }
    Ok(())
}

/// Removes the folder of one archive that is deleted or expired.
///
/// # Errors
/// As [`clear_all`].
pub async fn clear(db: &SqlitePool, archives: &Path, id: ArchiveId) -> Result<(), sqlx::Error> {
    match remove(&folder(archives, id)).await {
        Ok(()) => {
            store::record_cleared(db, id).await?;
            info!(archive.id = %id, "The files of archive `{id}` are removed");
        }
        Err(error) => {
            warn!(archive.id = %id, "The files of archive `{id}` cannot be removed: {error}");
        }
    }
    Ok(())
}

async fn remove(folder: &Path) -> io::Result<()> {
    let mut tries = 1;
    loop {
        match tokio::fs::remove_dir_all(folder).await {
            Ok(()) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) if tries == REMOVE_TRIES => return Err(error),
            Err(_) => tries += 1,
        }
        tokio::time::sleep(REMOVE_WAIT).await;
    }
}
