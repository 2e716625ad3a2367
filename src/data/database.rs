//! The database file: opened, checked and migrated.

use std::{fs, io, os::unix::fs::OpenOptionsExt, path::Path, time::Duration};

use sqlx::{
    SqlitePool,
    migrate::Migrator,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use super::cause::{database_error, io_error, migration_error};

pub const DATABASE: &str = "parlor.db";

/// The schema, inside the binary.
static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// Opens the database, and creates an empty one if there is none.
///
/// # Errors
/// When the file cannot be read or written, or is not a database.
pub async fn open(file: &Path) -> anyhow::Result<SqlitePool> {
    create(file).map_err(|error| io_error("write", file, &error))?;
    let options = SqliteConnectOptions::new()
        .filename(file)
        .journal_mode(SqliteJournalMode::Wal)
        // A crash of the process loses nothing; a power cut may lose the last transactions, never the file.
        .synchronous(SqliteSynchronous::Normal)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(10));
    SqlitePoolOptions::new()
        .max_connections(8)
        .connect_with(options)
        .await
        .map_err(|error| database_error(file, &error))
}

/// Creates an empty file that only its owner can read. SQLite gives `-wal` and `-shm` the same permissions.
fn create(file: &Path) -> io::Result<()> {
    let created = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file);
    match created {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// Applies the migrations that are missing, and checks that the database can be written.
///
/// # Errors
/// When the database is of a newer version, or cannot be written.
pub async fn migrate(db: &SqlitePool, file: &Path) -> anyhow::Result<()> {
    MIGRATIONS
        .run(db)
        .await
        .map_err(|error| migration_error(file, &error))?;
    // Deletes nothing, but SQLite refuses it for a file that is read-only.
    sqlx::query("DELETE FROM _sqlx_migrations WHERE version < 0")
        .execute(db)
        .await
        .map_err(|error| database_error(file, &error))?;
    Ok(())
}

/// Whether the newest migration of this version has been applied.
pub async fn has_current_schema(db: &SqlitePool) -> bool {
    let newest = MIGRATIONS.iter().map(|migration| migration.version).max();
    let applied: Result<Option<i64>, _> =
        sqlx::query_scalar("SELECT MAX(version) FROM _sqlx_migrations WHERE success")
            .fetch_one(db)
            .await;
    // A new database has no such table.
    applied.is_ok_and(|applied| applied == newest)
}
