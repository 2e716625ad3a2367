//! The mirror copies the files of archives into the data folder before the platform deletes them.
//!
//! It copies one file at a time, oldest first. A file is written under a temporary name, synced to the disk, then renamed,
//! and only then recorded in the database. An interrupted copy starts again from the beginning.

use std::{
    collections::HashMap,
    io,
    path::Path,
    time::{Duration, Instant},
};

use tokio::{
    fs::{self, File},
    io::AsyncWriteExt,
    sync::broadcast::error::RecvError,
};
use tracing::{error, info, warn};

use super::{Inner, archives::url_of};
use crate::{
    archive::{Archive, ArchiveId, Status, disk::free_bytes, download::Asset, remote},
    opentok,
    platform::PlatformError,
};

/// Backoff before the second, third, … attempt; the last value applies to all further ones. Retries go on until the
/// platform's file is gone, because a disk may be full for a night while the file stays for days.
const WAITS: [Duration; 5] = [
    Duration::from_secs(10),
    Duration::from_secs(60),
    Duration::from_secs(5 * 60),
    Duration::from_secs(30 * 60),
    Duration::from_secs(60 * 60),
];

/// Pause before the next query for files to copy, after the database did not answer.
const UNLISTED: Duration = Duration::from_secs(60);

/// Bytes written between two checks of the free space on the disk.
const SPACE_CHECK_INTERVAL: u64 = 64 * 1024 * 1024;

/// Why a file was not copied.
#[derive(Debug, thiserror::Error)]
enum MirrorError {
    #[error(transparent)]
    Platform(#[from] PlatformError),
    #[error("{0}")]
    File(#[from] opentok::Error),
    #[error("the disk is almost full")]
    NoSpace,
    #[error("received {came} of {expected} bytes")]
    Short { came: u64, expected: u64 },
    #[error("writing the file: {0}")]
    Disk(#[from] io::Error),
    #[error("the database: {0}")]
    Database(#[from] sqlx::Error),
}

/// The failed attempts at one file.
struct Retry {
    count: usize,
    again_at: Instant,
}

impl Retry {
    /// The state after another failed attempt at `now`.
    fn next(before: Option<&Retry>, now: Instant) -> Retry {
        let count = before.map_or(0, |retries| retries.count);
        Retry {
            count: count + 1,
            again_at: now + WAITS[count.min(WAITS.len() - 1)],
        }
    }
}

impl Inner {
    pub(super) async fn mirror_files(&self, min_free_bytes: u64) {
        let mut changes = self.local.archives.subscribe();
        let mut retries: HashMap<ArchiveId, Retry> = HashMap::new();
        loop {
            let is_listed = self.mirror_all(&mut retries, min_free_bytes).await;
            let again_at = next_at(is_listed, &retries, self.now());
            let wait = async {
                match again_at {
                    Some(at) => tokio::time::sleep_until(at.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::pin!(wait);
            // Waits for another file to copy, or for the next retry.
            loop {
                tokio::select! {
                    () = &mut wait => break,
                    change = changes.recv() => match change {
                        Ok(change) if needs_mirroring(&change.archive) => break,
                        Ok(_) => {}
                        Err(RecvError::Lagged(_)) => break,
                        Err(RecvError::Closed) => return,
                    },
                }
            }
        }
    }

    /// Returns `false` if the database does not answer.
    async fn mirror_all(
        &self,
        retries: &mut HashMap<ArchiveId, Retry>,
        min_free_bytes: u64,
    ) -> bool {
        let waiting = match remote::not_pulled(&self.local.db, self.address()).await {
            Ok(waiting) => waiting,
            Err(error) => {
                error!(%error, "Listing the archives to copy failed");
                return false;
            }
        };
        retries.retain(|id, _| waiting.iter().any(|archive| archive.id == *id));
        for archive in waiting {
            let id = archive.id;
            let before = retries.get(&id);
            if before.is_some_and(|retries| retries.again_at > self.now()) {
                continue;
            }
            let Err(error) = self.mirror_one(&archive, min_free_bytes).await else {
                retries.remove(&id);
                continue;
            };
            warn!(archive.id = %id, %error, "Copying an archive failed; retrying later");
            let next = Retry::next(retries.get(&id), self.now());
            retries.insert(id, next);
        }
        true
    }

    /// Copies one file, if the platform still has it.
    async fn mirror_one(&self, archive: &Archive, min_free_bytes: u64) -> Result<(), MirrorError> {
        let Some(object) = self.refresh(archive.id).await? else {
            return Ok(());
        };
        let listed_bytes = object.size;
        let Some(url) = url_of(object) else {
            return Ok(());
        };
        let folder = self.local.archives.folder(archive.id);
        fs::create_dir_all(&folder).await?;
        let name = Asset::whole(archive.output_mode).to_string();
        let part = folder.join(format!("{name}.part"));
        let copied = self.copy(&url, listed_bytes, &part, min_free_bytes).await;
        let came = match copied {
            Ok(came) => came,
            Err(problem) => {
                let _ = fs::remove_file(&part).await;
                return Err(problem);
            }
        };
        fs::rename(&part, folder.join(&name)).await?;
        File::open(&folder).await?.sync_all().await?;
        if self
            .local
            .archives
            .mark_pulled(archive.id, came)
            .await?
            .is_some()
        {
            info!(archive.id = %archive.id, archive.size_bytes = came, "Copied an archive");
        }
        Ok(())
    }

    /// Downloads `url` into a file, and returns its length once the file is synced to the disk.
    async fn copy(
        &self,
        url: &str,
        listed_bytes: u64,
        part: &Path,
        min_free_bytes: u64,
    ) -> Result<u64, MirrorError> {
        let mut download = self.opentok.download(url).await.inspect_err(|error| {
            self.record_failure(error, "copying an archive");
        })?;
        let expected = download
            .size()
            .or((listed_bytes > 0).then_some(listed_bytes));
        let check_space = |bytes: u64| -> Result<(), MirrorError> {
            let needed = min_free_bytes.saturating_add(bytes);
            let folder = part.parent().unwrap_or(part);
            if free_bytes(folder)? < needed {
                return Err(MirrorError::NoSpace);
            }
            Ok(())
        };
        check_space(expected.unwrap_or_default())?;
        let mut file = File::create(part).await?;
        let (mut came, mut checked_at) = (0_u64, 0_u64);
        while let Some(chunk) = download.chunk().await? {
            file.write_all(&chunk).await?;
            came += chunk.len() as u64;
            if came - checked_at >= SPACE_CHECK_INTERVAL {
                checked_at = came;
                check_space(0)?;
            }
        }
        file.flush().await?;
        file.sync_all().await?;
        match expected {
            Some(expected) if expected != came => Err(MirrorError::Short { came, expected }),
            _ => Ok(came),
        }
    }
}

/// The time of the next retry; `None` if no retry is due.
fn next_at(is_listed: bool, retries: &HashMap<ArchiveId, Retry>, now: Instant) -> Option<Instant> {
    if !is_listed {
        return Some(now + UNLISTED);
    }
    retries.values().map(|retries| retries.again_at).min()
}

fn needs_mirroring(archive: &Archive) -> bool {
    archive.is_remote() && archive.status == Status::Available && !archive.is_pulled()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_go_on_while_the_platform_has_the_file() {
        let now = Instant::now();
        let mut retries = Retry::next(None, now);
        assert_eq!(retries.again_at, now + Duration::from_secs(10));
        let mut waits = Vec::new();
        // A weekend.
        for _ in 0..50 {
            retries = Retry::next(Some(&retries), now);
            waits.push(retries.again_at - now);
        }
        assert!(waits.is_sorted());
        assert_eq!(waits[4..], [Duration::from_secs(60 * 60); 46]);
    }

    #[test]
    fn a_database_that_does_not_answer_is_asked_again_and_not_at_once() {
        let now = Instant::now();
        let later = now + Duration::from_secs(600);
        let overdue = Retry {
            count: 1,
            again_at: now,
        };
        let none = HashMap::new();
        let one = HashMap::from([(ArchiveId::random(), overdue)]);
        assert_eq!(next_at(true, &none, later), None);
        assert_eq!(next_at(true, &one, later), Some(now));
        for retries in [none, one] {
            assert_eq!(next_at(false, &retries, later), Some(later + UNLISTED));
        }
    }
}
