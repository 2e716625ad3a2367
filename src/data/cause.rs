//! Why a data folder cannot be used: the cause, the path and the remedy.

use std::{io, path::Path};

use anyhow::anyhow;
use sqlx::migrate::MigrateError;

const OTHER_USER: &str = "permission denied: run Parlor as the owner, or give the data folder to Parlor's user with `chown -R`";
const FULL: &str = "the disk is full: free some space";
const READ_ONLY: &str =
    "it is read-only: mount the file system writable, or make the file writable for Parlor's user";

/// An error of the file system.
pub fn io_error(action: &str, path: &Path, error: &io::Error) -> anyhow::Error {
    let cause = match error.kind() {
        io::ErrorKind::PermissionDenied => OTHER_USER.to_owned(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => FULL.to_owned(),
        io::ErrorKind::ReadOnlyFilesystem => READ_ONLY.to_owned(),
        _ => error.to_string(),
    };
    anyhow!("cannot {action} {}: {cause}", path.display())
}

/// An error of the database in `file`.
pub fn database_error(file: &Path, error: &sqlx::Error) -> anyhow::Error {
    let cause = match primary_code(error) {
        Some(5) => "another program has locked it: stop that program".to_owned(),
        Some(8) => READ_ONLY.to_owned(),
        Some(13) => FULL.to_owned(),
        Some(14) => OTHER_USER.to_owned(),
        Some(11 | 26) => {
            "it is damaged, or not a database of Parlor: restore it from a backup".to_owned()
        }
        _ => error.to_string(),
    };
    anyhow!("cannot use the database {}: {cause}", file.display())
}

/// An error of the migration of the database in `file`.
pub fn migration_error(file: &Path, error: &MigrateError) -> anyhow::Error {
    let file_name = file.display();
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
            database_error(file, error)
        }
        MigrateError::VersionMissing(version) => anyhow!(
            "the database {file_name} is of a newer Parlor (schema {version}): use that version or a newer one, or restore a backup"
        ),
        MigrateError::VersionMismatch(version) => anyhow!(
            "the database {file_name} is of another build of Parlor (schema {version} differs): use that build, or restore a backup"
        ),
        other => anyhow!("cannot migrate the database {file_name}: {other}"),
    }
}

/// The primary result code of SQLite (<https://www.sqlite.org/rescode.html>).
fn primary_code(error: &sqlx::Error) -> Option<u32> {
    let code: u32 = error.as_database_error()?.code()?.parse().ok()?;
    Some(code & 0xff)
}
