//! The data folder: the database, the key of the cookies, the recordings.
//!
//! ```text
//! data/
//!   parlor.db         SQLite, with its -wal and -shm
//!   cookie.key        64 random bytes; without it everybody is signed out
//!   archives/<id>/    one folder an archive
//! ```

use std::{
    fs, io,
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, ensure};
use sqlx::{
    SqlitePool,
    migrate::Migrator,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

/// The schema, inside the binary.
static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// Bytes of the key that signs and encrypts cookies.
const COOKIE_KEY_BYTES: usize = 64;

/// An open data folder. Only its owner can read it: it holds secrets and recordings.
#[derive(Clone, Debug)]
pub struct DataFolder {
    path: PathBuf,
    pub db: SqlitePool,
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

    /// Opens the folder, making it and what belongs into it when missing.
    ///
    /// # Errors
    /// When the folder cannot be written, or the database is not one of this version of Parlor.
    pub async fn open(path: &Path) -> anyhow::Result<DataFolder> {
        let archives = path.join("archives");
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&archives)
            .with_context(|| {
                format!(
                    "the data folder {} cannot be made; choose another with --data FOLDER",
                    path.display()
                )
            })?;
        let path = fs::canonicalize(path)?;
        let db = open_database(&path.join("parlor.db")).await?;
        Ok(DataFolder { path, db })
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

async fn open_database(file: &Path) -> anyhow::Result<SqlitePool> {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        // A crash of the process loses nothing; a power cut may lose the last transactions, never the file.
        .synchronous(SqliteSynchronous::Normal)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(10));
    let db = SqlitePoolOptions::new()
        .max_connections(8)
        .connect_with(options)
        .await
        .with_context(|| format!("opening the database {}", file.display()))?;
    MIGRATIONS.run(&db).await.with_context(|| {
        format!(
            "the database {} does not fit this version of Parlor",
            file.display()
        )
    })?;
    Ok(db)
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

        let again = DataFolder::open(&path).await.unwrap();

        assert_eq!(again.cookie_key().unwrap(), key);
        for name in ["parlor.db", "cookie.key"] {
            assert!(path.join(name).exists(), "{name}");
        }
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "others may not look inside");
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
