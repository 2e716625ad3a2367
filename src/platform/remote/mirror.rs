//! Copying the files of archives into the data folder, before the platform deletes them.
//!
//! One after the other, the oldest first. A file grows under another name, is on the disk for certain before it gets its
//! own, and counts only then: whoever is interrupted begins anew.

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

/// Before the second, third, … try; the last one before all others. A disk may be full for a night, and the platform's
/// file is there for days, so nobody gives up before it is gone.
const WAITS: [Duration; 5] = [
    Duration::from_secs(10),
    Duration::from_secs(60),
    Duration::from_secs(5 * 60),
    Duration::from_secs(30 * 60),
    Duration::from_secs(60 * 60),
];

/// Before the database is asked again for what waits, after it did not answer.
const UNLISTED: Duration = Duration::from_secs(60);

/// How much is written before the room on the disk is looked at again. Bytes.
const LOOK_EVERY: u64 = 64 * 1024 * 1024;

/// Why a file was not copied.
#[derive(Debug, thiserror::Error)]
enum MirrorError {
    #[error(transparent)]
    Platform(#[from] PlatformError),
    #[error("{0}")]
    File(#[from] opentok::Error),
    #[error("the disk is almost full")]
    NoSpace,
    #[error("{came} of {expected} bytes came")]
    Short { came: u64, expected: u64 },
    #[error("writing it: {0}")]
    Disk(#[from] io::Error),
    #[error("the database: {0}")]
    Database(#[from] sqlx::Error),
}

/// What has been tried in vain.
struct Retry {
    count: usize,
    again_at: Instant,
}

impl Retry {
    /// One more, after those before it.
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
        let mut changes = self.home.archives.subscribe();
        let mut retries: HashMap<ArchiveId, Retry> = HashMap::new();
        loop {
            let is_listed = self.mirror_all(&mut retries, min_free_bytes).await;
            let again_at = next_at(is_listed, &retries, Instant::now());
            let wait = async {
                match again_at {
                    Some(at) => tokio::time::sleep_until(at.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::pin!(wait);
            // Until there is another one, or it is time for another try.
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

    /// `false`: the database does not tell what waits.
    async fn mirror_all(
        &self,
        retries: &mut HashMap<ArchiveId, Retry>,
        min_free_bytes: u64,
    ) -> bool {
        let waiting = match remote::not_pulled(&self.home.db, &self.address).await {
            Ok(waiting) => waiting,
            Err(problem) => {
                error!("Archives to copy cannot be listed: {problem}");
                return false;
            }
        };
        retries.retain(|id, _| waiting.iter().any(|archive| archive.id == *id));
        for archive in waiting {
            let id = archive.id;
            let before = retries.get(&id);
            if before.is_some_and(|retries| retries.again_at > Instant::now()) {
                continue;
            }
            let Err(problem) = self.mirror_one(&archive, min_free_bytes).await else {
                retries.remove(&id);
                continue;
            };
            warn!(archive.id = %id, "Archive `{id}` is not copied yet: {problem}");
            let next = Retry::next(retries.get(&id), Instant::now());
            retries.insert(id, next);
        }
        true
    }

    /// Copies one file, if it is still there.
    async fn mirror_one(&self, archive: &Archive, min_free_bytes: u64) -> Result<(), MirrorError> {
        let Some(object) = self.refresh(archive.id).await? else {
            return Ok(());
        };
        let listed_bytes = object.size;
        let Some(url) = url_of(object) else {
            return Ok(());
        };
        let folder = self.home.archives.folder(archive.id);
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
            .home
            .archives
            .mark_pulled(archive.id, came)
            .await?
            .is_some()
        {
            info!(archive.id = %archive.id, archive.size_bytes = came, "Archive `{}` is copied", archive.id);
        }
        Ok(())
    }

    /// Writes what is at `url` into a file, and returns its length once that is on the disk.
    async fn copy(
        &self,
        url: &str,
        listed_bytes: u64,
        part: &Path,
        min_free_bytes: u64,
    ) -> Result<u64, MirrorError> {
        let mut download = self.opentok.download(url).await.inspect_err(|error| {
            self.complain(error, "copying an archive");
        })?;
        let expected = download
            .size()
            .or((listed_bytes > 0).then_some(listed_bytes));
        let has_room = |bytes: u64| -> Result<(), MirrorError> {
            let needed = min_free_bytes.saturating_add(bytes);
            let folder = part.parent().unwrap_or(part);
            if free_bytes(folder)? < needed {
                return Err(MirrorError::NoSpace);
            }
            Ok(())
        };
        has_room(expected.unwrap_or_default())?;
        let mut file = File::create(part).await?;
        let (mut came, mut looked_at) = (0_u64, 0_u64);
        while let Some(chunk) = download.chunk().await? {
            file.write_all(&chunk).await?;
            came += chunk.len() as u64;
            if came - looked_at >= LOOK_EVERY {
                looked_at = came;
                has_room(0)?;
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

/// When something may be copied that could not be before; `None`: nothing waits for a time.
fn next_at(is_listed: bool, retries: &HashMap<ArchiveId, Retry>, now: Instant) -> Option<Instant> {
    if !is_listed {
        return Some(now + UNLISTED);
    }
    retries.values().map(|retries| retries.again_at).min()
}

fn needs_mirroring(archive: &Archive) -> bool {
    archive.is_remote() && archive.status == Status::Available && !archive.is_pulled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_gives_up_while_the_platform_has_the_file() {
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
