//! The SQL of archives. Every change of status names the statuses that it starts from, so that one of two concurrent changes
//! wins.

mod changes;
mod files;
mod find;
pub(super) mod outbox;
mod row;
mod tracks;

pub(super) use changes::{
    delete, expire, fail, insert, make_available, pause, record_composing, record_problem, resume,
    stop, stop_abandoned,
};
pub(super) use files::{older_than, record_cleared, to_clear};
pub(super) use find::{find, running, running_in, running_of, stopped};
pub(super) use row::{ArchiveRow, all, changed, integer, number, rows};
pub(super) use tracks::{manifest, save_tracks, streams};

/// SQLite's result code for a full disk, `SQLITE_FULL`.
const SQLITE_FULL: &str = "13";

/// Whether the database has no space to write.
pub fn is_disk_full(error: &sqlx::Error) -> bool {
    let code = error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code);
    code.as_deref() == Some(SQLITE_FULL)
}
