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

mod cause;
mod database;
mod lock;

use std::{
    fs::{self, File, Permissions},
    io,
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, anyhow, ensure};
use sqlx::SqlitePool;
use tracing::warn;

use self::{cause::io_error, database::DATABASE, lock::LOCK_FILE};

/// Bytes of the key that signs and encrypts cookies.
const COOKIE_KEY_BYTES: usize = 64;

const COOKIE_KEY: &str = "cookie.key";
const ARCHIVES: &str = "archives";

/// Attempts of a command to find the database migrated, and the time between two. A server that starts migrates for a second at most.
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
    /// and its contents if they do not exist, and migrates the database. `new_database`: create the database even if there are
    /// archives without one.
    ///
    /// # Errors
    /// When another server owns the folder, when the folder cannot be written, when the database is of a newer version, or when it
    /// is missing.
    pub async fn open(path: &Path, new_database: bool) -> anyhow::Result<DataFolder> {
        let path = create_folder(path)?;
        let lock = lock::acquire(&path).await?;
        let db = open_database(&path, new_database).await?;
        database::migrate(&db, &path.join(DATABASE)).await?;
        restrict_permissions(&path);
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
        let db = open_database(&path, false).await?;
        let mut attempts = 1;
        while !database::has_current_schema(&db).await {
            if let Some(lock) = lock::try_acquire(&path)? {
                database::migrate(&db, &path.join(DATABASE)).await?;
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
        self.path.join(ARCHIVES)
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
        let file = self.path.join(COOKIE_KEY);
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
        .create(path.join(ARCHIVES))
        .and_then(|()| fs::canonicalize(path))
        .map_err(|error| {
            let error = io_error("create the data folder", path, &error);
            anyhow!("{error}; or choose another folder with --data FOLDER")
        })
}

/// Opens the database. An empty one in a folder with archives is refused: it would hide them.
async fn open_database(path: &Path, new_database: bool) -> anyhow::Result<SqlitePool> {
    let file = path.join(DATABASE);
    let is_empty = fs::metadata(&file).map_or(true, |file| file.len() == 0);
    if is_empty && !new_database {
        let archives = path.join(ARCHIVES);
        let archives = fs::read_dir(&archives)
            .map_err(|error| io_error("read", &archives, &error))?
            .count();
        ensure!(
            archives == 0,
            "the database {} is missing or empty, but there are {archives} archives: restore it from a backup, or start once with \
             --new-database; the files of the archives stay, but the history does not show them",
            file.display()
        );
    }
    database::open(&file).await
}

/// Makes secrets and recordings unreadable for other users, whatever the permissions of the folder are.
fn restrict_permissions(path: &Path) {
    let wal = format!("{DATABASE}-wal");
    let shm = format!("{DATABASE}-shm");
    let files = [DATABASE, &wal, &shm, COOKIE_KEY, LOCK_FILE].map(|name| (name, 0o600));
    for (name, mode) in files.into_iter().chain([(ARCHIVES, 0o700)]) {
        let path = path.join(name);
        let is_open = fs::metadata(&path).is_ok_and(|file| file.permissions().mode() & 0o077 != 0);
        if !is_open {
            continue;
        }
        match fs::set_permissions(&path, Permissions::from_mode(mode)) {
            Ok(()) => warn!(path = %path.display(), "Other users could read this; restricted it"),
            Err(error) => warn!(path = %path.display(), %error, "Other users can read this"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[tokio::test]
    async fn a_new_folder_gets_a_database_and_a_lasting_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep").join("data");
        let data = DataFolder::open(&path, false).await.unwrap();
        let mode: String = sqlx::query_scalar("PRAGMA journal_mode")
            .fetch_one(&data.db)
            .await
            .unwrap();
        assert_eq!(mode, "wal");
        let key = data.cookie_key().unwrap();

        data.close().await;
        let again = DataFolder::open(&path, false).await.unwrap();

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
        let owner = DataFolder::open(folder.path(), false).await.unwrap();

        let refused = DataFolder::open(folder.path(), false).await.unwrap_err();

        let told = refused.to_string();
        let process = format!("process {} on ", std::process::id());
        assert!(told.contains(&process), "{told}");
        assert!(told.contains("--data FOLDER"), "{told}");
        let command = DataFolder::open_beside(folder.path()).await.unwrap();
        command.check_database().await.unwrap();
        command.close().await;
        let refused = DataFolder::open(folder.path(), false).await;
        assert!(refused.is_err(), "a command that ends frees nothing");
        owner.close().await;
        DataFolder::open(folder.path(), false).await.unwrap();
    }

    #[tokio::test]
    async fn a_command_migrates_only_what_no_server_owns() {
        let folder = tempfile::tempdir().unwrap();
        let command = DataFolder::open_beside(folder.path()).await.unwrap();
        assert!(database::has_current_schema(&command.db).await);
        let owner = DataFolder::open(folder.path(), false).await.unwrap();
        // As if the server were of the version before.
        sqlx::query("DELETE FROM _sqlx_migrations WHERE version = (SELECT MAX(version) FROM _sqlx_migrations)")
            .execute(&owner.db)
            .await
            .unwrap();

        let refused = DataFolder::open_beside(folder.path()).await.unwrap_err();

        assert!(refused.to_string().contains("another version"), "{refused}");
    }

    #[tokio::test]
    async fn secrets_are_unreadable_for_others_in_any_folder() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
        DataFolder::open(path, false).await.unwrap().close().await;
        // As a copy or an older version left them.
        for name in [DATABASE, ARCHIVES] {
            fs::set_permissions(path.join(name), Permissions::from_mode(0o755)).unwrap();
        }

        let data = DataFolder::open(path, false).await.unwrap();
        data.cookie_key().unwrap();

        for entry in fs::read_dir(path).unwrap() {
            let entry = entry.unwrap();
            let mode = entry.metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "{:?} has {mode:o}", entry.file_name());
        }
    }

    #[tokio::test]
    async fn archives_without_a_database_are_not_hidden_by_an_empty_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        DataFolder::open(path, false).await.unwrap().close().await;
        fs::create_dir(path.join(ARCHIVES).join("one")).unwrap();
        DataFolder::open(path, false).await.unwrap().close().await;
        for damage in [
            |file: &Path| fs::remove_file(file),
            |file: &Path| fs::write(file, ""),
        ] {
            for name in fs::read_dir(path).unwrap() {
                let name = name.unwrap().file_name().into_string().unwrap();
                if name.starts_with(DATABASE) {
                    damage(&path.join(name)).unwrap();
                }
            }

            let refused = DataFolder::open(path, false).await.unwrap_err().to_string();

            assert!(refused.contains("there are 1 archives"), "{refused}");
            assert!(refused.contains("--new-database"), "{refused}");
            assert!(DataFolder::open_beside(path).await.is_err());
        }
        DataFolder::open(path, true).await.unwrap();
    }

    #[tokio::test]
    async fn a_database_that_cannot_be_used_names_cause_path_and_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let data = DataFolder::open(path, false).await.unwrap();
        sqlx::query("INSERT INTO _sqlx_migrations SELECT 99990101000000, '', CURRENT_TIMESTAMP, TRUE, '', 0")
            .execute(&data.db)
            .await
            .unwrap();
        data.close().await;
        let refused = DataFolder::open(path, false).await.unwrap_err();
        assert!(
            format!("{refused:#}").contains("of a newer Parlor"),
            "{refused:#}"
        );

        fs::write(
            path.join(DATABASE),
            "this is not a database, but it is long enough",
        )
        .unwrap();
        let refused = DataFolder::open(path, false).await.unwrap_err();
        let told = format!("{refused:#}");
        assert!(told.contains("parlor.db: it is damaged"), "{told}");
        assert!(told.contains("restore it from a backup"), "{told}");
    }

    #[tokio::test]
    async fn a_damaged_key_is_told_and_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataFolder::open(folder.path(), false).await.unwrap();
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
        let error = DataFolder::open(&file.path().join("data"), false)
            .await
            .unwrap_err();
        let error = format!("{error:#}");
        assert!(error.contains("--data FOLDER"), "{error}");
    }
}
