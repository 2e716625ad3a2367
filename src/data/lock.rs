//! The lock of a data folder, which its server holds.

use std::{
    fs::{self, File, TryLockError},
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::Path,
    time::Duration,
};

use anyhow::{Context, bail};

use super::cause::io_error;

/// The file that a server locks.
pub const LOCK_FILE: &str = "parlor.lock";
/// Attempts to lock the folder. A command holds the lock for the milliseconds of a migration.
const ATTEMPTS: u32 = 5;
/// The time between two attempts.
const INTERVAL: Duration = Duration::from_millis(100);

/// Locks the folder for this process.
///
/// # Errors
/// When another process holds the lock; the error names the process.
pub async fn acquire(folder: &Path) -> anyhow::Result<File> {
    for attempt in 1..=ATTEMPTS {
        if let Some(mut lock) = try_acquire(folder)? {
            let host = nix::unistd::gethostname().unwrap_or_default();
            let host = host.to_string_lossy();
            let owner = format!("process {} on {host}", std::process::id());
            lock.set_len(0)
                .and_then(|()| lock.write_all(owner.as_bytes()))
                .map_err(|error| io_error("write", &folder.join(LOCK_FILE), &error))?;
            return Ok(lock);
        }
        if attempt < ATTEMPTS {
            tokio::time::sleep(INTERVAL).await;
        }
    }
    let owner = fs::read_to_string(folder.join(LOCK_FILE)).unwrap_or_default();
    bail!(
        "another Parlor ({owner}) uses the data folder {}: stop it first, or choose another folder with --data FOLDER",
        folder.display()
    )
}

/// Locks the folder if no other process has locked it. The lock ends with the file.
///
/// # Errors
/// When the folder cannot be written, or its file system has no locks.
pub fn try_acquire(folder: &Path) -> anyhow::Result<Option<File>> {
    let file = folder.join(LOCK_FILE);
    let lock = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&file)
        .map_err(|error| io_error("write", &file, &error))?;
    match lock.try_lock() {
        Ok(()) => Ok(Some(lock)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error).with_context(|| {
            format!(
                "cannot lock {}; its file system must support locks (flock)",
                file.display()
            )
        }),
    }
}
