//! The archives of another video platform. Their rows mirror what that platform reports.
//!
//! ```text
//! adopt ─▶ started ◀─▶ paused ─▶ stopped ─▶ available (or uploaded, failed) ─▶ expired ─▶ deleted
//! ```
//!
//! Replies, lists and callbacks may arrive late and in any order, so a row never returns to an earlier status, and a deleted
//! archive stays deleted. Once the file is copied, the archive belongs to this server: later changes on the platform do not
//! affect it.

mod report;
mod store;

pub use report::{LocalContext, RemoteArchive};
pub use store::{
    adopt, apply, delete, fail_others, mark_lost, mark_pulled, not_pulled, unfinished,
};

use sqlx::SqlitePool;

use super::ArchiveId;

/// Whether an archive is known here, deleted or not.
///
/// # Errors
/// The database query fails.
pub async fn is_known(db: &SqlitePool, id: ArchiveId) -> Result<bool, sqlx::Error> {
    Ok(super::store::find(db, id).await?.is_some())
}

#[cfg(test)]
mod tests;
