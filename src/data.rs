//! The data folder: the database, the cookie key and the recordings.
//!
//! ```text
//! data/
//!   parlor.lock       locked by the server that owns the folder; names its process and host
//!   parlor.db         SQLite, with its -wal and -shm
//!   cookie.key        64 random bytes; without it all visitors are signed out
//!   archives/<id>/    one folder per archive
//! ```
//!
//! # One owner
//!
//! A second server would take the first one's running recordings for interrupted ones. So a server locks `parlor.lock` (`flock`)
//! before it reads anything else. The kernel releases the lock when the process ends, however it ends. The lock holds between
//! all processes of one machine, in containers too, and between the clients of an NFS export, since Linux maps `flock` to a lock
//! on the NFS server. It does not hold on an NFS mount with `nolock` or `local_lock=flock`, on file systems without locks
//! (some FUSE ones), and between copies that a program keeps in sync (Dropbox, Syncthing): run one server per folder there.
//!
//! The commands (`parlor moderator`, `parlor keys`) open the folder beside a running server: SQLite orders their
//! statements. They migrate the database only while no server owns the folder.

use std::{
    fs::{self, File, TryLockError},
    io,
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use sqlx::{
    SqlitePool,
    migrate::Migrator,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

/// The schema, inside the binary.
static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

const DATABASE: &str = "parlor.db";

/// Bytes of the key that signs and encrypts cookies.
const COOKIE_KEY_BYTES: usize = 64;

/// The file that a server locks.
const LOCK_FILE: &str = "parlor.lock";
/// Attempts to lock the folder, and to find it migrated, and the time between two of them. A command holds the lock for
/// the milliseconds of a migration; a server that starts migrates for a second at most.
const LOCK_ATTEMPTS: u32 = 5;
const MIGRATION_ATTEMPTS: u32 = 20;
const ATTEMPT_INTERVAL: Duration = Duration::from_millis(100);

/// An open data folder. Only its owner can read it: it holds secrets and recordings.
#[derive(Clone, Debug)]
pub struct DataFolder {
    path: PathBuf,
    pub db: SqlitePool,
    /// `None` for a command, which does not own the folder.
    lock: Option<Arc<File>>,
}

impl DataFolder {
    /// Asks the database for an answer.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn check_database(&self) -> Result<(), sqlx::Error> {
        sqlx::query("SELECT 1").execute(&self.db).await?;
        Ok(())
    }

    /// Opens the folder for a server, which owns it until [`DataFolder::close`] or the end of the process. Creates the folder
    /// and its contents if they do not exist, and migrates the database.
    ///
    /// # Errors
    /// When another server owns the folder, when the folder cannot be written, or when the database is of a newer version.
    pub async fn open(path: &Path) -> anyhow::Result<DataFolder> {
        let path = create_folder(path)?;
        let lock = acquire_lock(&path).await?;
        let db = open_database(&path.join(DATABASE)).await?;
        migrate(&db, &path).await?;
        Ok(DataFolder {
            path,
            db,
            lock: Some(Arc::new(lock)),
        })
    }

    /// Opens the folder for a command, beside a server or without one. Migrates the database only if no server owns the folder.
    ///
    /// # Errors
    /// As [`DataFolder::open`], except that a server may own the folder; it must be of the same version.
    pub async fn open_beside(path: &Path) -> anyhow::Result<DataFolder> {
        let path = create_folder(path)?;
        let db = open_database(&path.join(DATABASE)).await?;
        let mut attempts = 1;
        while !has_current_schema(&db).await {
            if let Some(lock) = try_lock(&path)? {
                migrate(&db, &path).await?;
                lock.unlock()?;
                break;
            }
            ensure!(
                attempts < MIGRATION_ATTEMPTS,
                "the Parlor that uses the data folder {} is of another version: use the same version, or stop it first",
                path.display()
            );
            attempts += 1;
            tokio::time::sleep(ATTEMPT_INTERVAL).await;
        }
        Ok(DataFolder {
            path,
            db,
            lock: None,
        })
    }

    /// Closes the database and gives up the ownership of the folder.
    pub async fn close(&self) {
        self.db.close().await;
        if let Some(lock) = &self.lock {
            // Fails only for a file that is not locked.
            let _ = lock.unlock();
        }
    }

    /// The folder of all recordings.
    pub fn archives(&self) -> PathBuf {
        self.path.join("archives")
    }

    /// The folder itself; also the root from which the recorder finds `archives/`.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The key that signs and encrypts cookies; made on the first start.
    ///
    /// # Errors
    /// When the key's file cannot be read or written, or has been cut short.
    pub fn cookie_key(&self) -> anyhow::Result<Vec<u8>> {
        let file = self.path.join("cookie.key");
        let key = match fs::read(&file) {
            Ok(key) => key,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let mut key = vec![0; COOKIE_KEY_BYTES];
                aws_lc_rs::rand::fill(&mut key)
                    .ok()
                    .context("the system gives no random bytes")?;
                fs::OpenOptions::new()
                    .write(true)
                    .create_new(true)
                    .mode(0o600)
                    .open(&file)
                    .and_then(|mut file| file.write_all(&key))
                    .with_context(|| format!("writing {}", file.display()))?;
                key
            }
            Err(error) => return Err(error).with_context(|| format!("reading {}", file.display())),
        };
        ensure!(
            key.len() == COOKIE_KEY_BYTES,
            "{} is damaged: delete it, and everybody signs in again",
            file.display()
        );
        Ok(key)
    }
}

/// Creates the folder if it does not exist, and returns its absolute path without links, so that all its users lock one file.
fn create_folder(path: &Path) -> anyhow::Result<PathBuf> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path.join("archives"))
        .and_then(|()| fs::canonicalize(path))
        .with_context(|| {
            format!(
                "cannot create the data folder {}; choose another with --data FOLDER",
                path.display()
            )
        })
}

/// Locks the folder for this process.
async fn acquire_lock(path: &Path) -> anyhow::Result<File> {
    for attempt in 1..=LOCK_ATTEMPTS {
        if let Some(mut lock) = try_lock(path)? {
            let host = nix::unistd::gethostname().unwrap_or_default();
            let owner = format!(
                "process {} on {}",
                std::process::id(),
                host.to_string_lossy()
            );
            lock.set_len(0)?;
            lock.write_all(owner.as_bytes())?;
            return Ok(lock);
        }
        if attempt < LOCK_ATTEMPTS {
            tokio::time::sleep(ATTEMPT_INTERVAL).await;
        }
    }
    let owner = fs::read_to_string(path.join(LOCK_FILE)).unwrap_or_default();
    bail!(
        "another Parlor ({owner}) uses the data folder {}: stop it first, or choose another folder with --data FOLDER",
        path.display()
    )
}

/// Locks the folder if no other process has locked it. The lock ends with the file.
fn try_lock(path: &Path) -> anyhow::Result<Option<File>> {
    let file = path.join(LOCK_FILE);
    let lock = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&file)
        .with_context(|| format!("cannot open {}", file.display()))?;
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

/// Whether the newest migration of this version has been applied.
async fn has_current_schema(db: &SqlitePool) -> bool {
    let newest = MIGRATIONS.iter().map(|migration| migration.version).max();
    let applied: Result<Option<i64>, _> =
        sqlx::query_scalar("SELECT MAX(version) FROM _sqlx_migrations WHERE success")
            .fetch_one(db)
            .await;
    // A new database has no such table.
    applied.is_ok_and(|applied| applied == newest)
}

async fn migrate(db: &SqlitePool, path: &Path) -> anyhow::Result<()> {
    MIGRATIONS.run(db).await.with_context(|| {
        format!(
            "the database {} does not fit this version of Parlor",
            path.join(DATABASE).display()
        )
    })
}

async fn open_database(file: &Path) -> anyhow::Result<SqlitePool> {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        // A crash of the process loses nothing; a power cut may lose the last transactions, never the file.
        .synchronous(SqliteSynchronous::Normal)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(10));
    SqlitePoolOptions::new()
        .max_connections(8)
        .connect_with(options)
        .await
        .with_context(|| format!("opening the database {}", file.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[tokio::test]
    async fn a_new_folder_gets_a_database_and_a_lasting_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep").join("data");
        let data = DataFolder::open(&path).await.unwrap();
        let mode: String = sqlx::query_scalar("PRAGMA journal_mode")
            .fetch_one(&data.db)
            .await
            .unwrap();
        assert_eq!(mode, "wal");
        let key = data.cookie_key().unwrap();

        data.close().await;
        let again = DataFolder::open(&path).await.unwrap();

        assert_eq!(again.cookie_key().unwrap(), key);
        for name in ["parlor.db", "cookie.key"] {
            assert!(path.join(name).exists(), "{name}");
        }
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "others may not look inside");
    }

    #[tokio::test]
    async fn a_folder_has_one_owner_and_any_number_of_commands() {
        let folder = tempfile::tempdir().unwrap();
        let owner = DataFolder::open(folder.path()).await.unwrap();

        let refused = DataFolder::open(folder.path()).await.unwrap_err();

        let told = refused.to_string();
        let process = format!("process {} on ", std::process::id());
        assert!(told.contains(&process), "{told}");
        assert!(told.contains("--data FOLDER"), "{told}");
        let command = DataFolder::open_beside(folder.path()).await.unwrap();
        command.check_database().await.unwrap();
        command.close().await;
        let refused = DataFolder::open(folder.path()).await;
        assert!(refused.is_err(), "a command that ends frees nothing");
        owner.close().await;
        DataFolder::open(folder.path()).await.unwrap();
    }

    #[tokio::test]
    async fn a_command_migrates_only_what_no_server_owns() {
        let folder = tempfile::tempdir().unwrap();
        let command = DataFolder::open_beside(folder.path()).await.unwrap();
        assert!(has_current_schema(&command.db).await);
        let owner = DataFolder::open(folder.path()).await.unwrap();
        // As if the server were of the version before.
        sqlx::query("DELETE FROM _sqlx_migrations WHERE version = (SELECT MAX(version) FROM _sqlx_migrations)")
            .execute(&owner.db)
            .await
            .unwrap();

        let refused = DataFolder::open_beside(folder.path()).await.unwrap_err();

        assert!(refused.to_string().contains("another version"), "{refused}");
    }

    #[tokio::test]
    async fn a_damaged_key_is_told_and_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataFolder::open(folder.path()).await.unwrap();
        fs::write(folder.path().join("cookie.key"), b"short").unwrap();

        let error = data.cookie_key().unwrap_err().to_string();

        assert!(error.contains("damaged"), "{error}");
        assert_eq!(
            fs::read(folder.path().join("cookie.key")).unwrap(),
            b"short"
        );
    }

    #[tokio::test]
    async fn a_folder_that_cannot_be_made_is_told_by_name() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = DataFolder::open(&file.path().join("data"))
            .await
            .unwrap_err()
            .to_string();
        assert!(error.contains("--data FOLDER"), "{error}");
    }
}
