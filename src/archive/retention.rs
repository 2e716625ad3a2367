//! Removes the files of deleted and of expired archives.
//!
//! The row changes first, then the folder is removed. After a crash between the two, the next start finds the folder by the
//! row's `has_files` and removes it. Removing a folder that does not exist is no error.

use std::{io, path::Path, time::Duration};

use sqlx::SqlitePool;
use tracing::{info, warn};

use super::{
    Archive, ArchiveId,
    download::folder,
    lifecycle::{self, ChangeError},
    store,
};

/// The number of attempts to remove a folder into which a composer still writes while it is being killed.
const REMOVE_TRIES: u32 = 5;
const REMOVE_WAIT: Duration = Duration::from_millis(100);

/// Expires the archives that started longer ago than `keep`, and returns them. Their files remain.
///
/// # Errors
/// The database query fails.
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
                // It was deleted in the meantime.
                Err(ChangeError::NotFound(_) | ChangeError::Refused { .. }) => {}
                Err(ChangeError::Database(error)) => return Err(error),
            }
        }
    }
}

/// Removes the folders of all deleted and expired archives that still have one.
///
/// # Errors
/// The database query fails. A folder that cannot be removed is logged and retried later.
pub async fn clear_all(db: &SqlitePool, archives: &Path) -> Result<(), sqlx::Error> {
    for id in store::to_clear(db).await? {
        clear(db, archives, id).await?;
    }
    Ok(())
}

/// Removes the folder of one archive that is deleted or expired.
///
/// # Errors
/// The same as [`clear_all`].
pub async fn clear(db: &SqlitePool, archives: &Path, id: ArchiveId) -> Result<(), sqlx::Error> {
    match remove(&folder(archives, id)).await {
        Ok(()) => {
            store::record_cleared(db, id).await?;
            info!(archive.id = %id, "Archive files removed");
        }
        Err(error) => {
            warn!(archive.id = %id, error = %error, "Removing archive files failed");
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
