//! The archive sync applies the platform's list of archives to the rows here.
//!
//! While an archive is unfinished, the sync polls the newest entries of the list every few seconds, and queries unfinished
//! archives that are not among them by id. Otherwise it polls every minute. Once an hour it reads the list back to the
//! oldest archive whose file may expire. The sync therefore also finds archives that other clients of the platform start
//! in sessions of this server. It ignores archives of the project's other sessions.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use tracing::{info, warn};

use super::{Inner, error::is_unknown};
use crate::{
    archive::{
        Archive, ArchiveId,
        remote::{self, LocalContext, RemoteArchive},
    },
    opentok::{self, ArchiveList, ListOptions},
    platform::PlatformError,
    project, room,
};

/// Between polls while an archive is unfinished.
const BUSY: Duration = Duration::from_secs(3);
/// Between polls while all archives are finished.
const CALM: Duration = Duration::from_secs(60);
/// Between polls that read the list far back.
const DEEP: Duration = Duration::from_secs(3600);
/// Entries of the list that each poll reads.
const NEWEST: u32 = 50;
/// Entries in a part of the list when it is read far back, and the maximum number of parts.
const PART: u32 = 1000;
const PARTS: u32 = 20;
/// Archives queried by id at each poll; the next poll queries others.
const ONE_BY_ONE: usize = 20;
/// The longest pause between polls while the platform does not answer.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

impl Inner {
    pub(super) async fn sync_archives(&self) {
        let mut last_deep: Option<Instant> = None;
        let mut failures = 0_u32;
        for turn in 0.. {
            let now = self.now();
            let is_deep = last_deep.is_none_or(|last| now.duration_since(last) >= DEEP);
            let pause = match self.poll(is_deep, turn).await {
                Ok(unfinished) => {
                    failures = 0;
                    if is_deep {
                        last_deep = Some(now);
                    }
                    if unfinished > 0 { BUSY } else { CALM }
                }
                Err(PlatformError::Internal(error)) => {
                    warn!(error = format!("{error:#}"), "The archive sync failed");
                    LONGEST_PAUSE
                }
                Err(_) => {
                    failures += 1;
                    let outage = self.cache().outage(now);
                    let asked = outage.map(|(until, _)| until.saturating_duration_since(now));
                    let doubled = BUSY * 2_u32.saturating_pow(failures.min(8));
                    doubled.max(asked.unwrap_or_default()).min(LONGEST_PAUSE)
                }
            };
            // A request ends the pause early, so that a new archive is followed at once; not during an outage.
            if failures > 0 {
                tokio::time::sleep(pause).await;
                continue;
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.sync_requested.notified() => tokio::time::sleep(BUSY / 2).await,
            }
        }
    }

    /// Returns the number of unfinished archives.
    async fn poll(&self, is_deep: bool, turn: usize) -> Result<usize, PlatformError> {
        let listed = if is_deep {
            self.poll_deep(turn).await?
        } else {
            let list = self.list(0, NEWEST).await?;
            self.apply_all(&list).await?
        };
        self.record_success();
        let db = &self.local.db;
        let mut missing = remote::unfinished(db, self.address()).await?;
        missing.retain(|archive| !listed.contains(&archive.id));
        self.refresh_batch(&missing, turn).await?;
        Ok(remote::unfinished(db, self.address()).await?.len())
    }

    /// A part of the platform's list of archives, newest first.
    pub(super) async fn list(&self, offset: u32, count: u32) -> Result<ArchiveList, PlatformError> {
        let options = ListOptions {
            offset: Some(offset),
            count: Some(count),
            session_id: None,
        };
        let listed = self.opentok.archives().all(&options).await;
        listed.map_err(|error| {
            // Every platform has this path, so a server without it is no platform.
            let error = if is_unknown(&error) {
                opentok::Error::Reply("it has no list of archives".to_owned())
            } else {
                error
            };
            self.failed(error, "listing archives", "archive")
        })
    }

    /// Reads the list back to the oldest archive whose file may have expired.
    async fn poll_deep(&self, turn: usize) -> Result<HashSet<ArchiveId>, PlatformError> {
        let mut waiting = remote::not_pulled(&self.local.db, self.address()).await?;
        let oldest_ms = waiting.iter().map(|archive| archive.created_at_ms).min();
        let mut listed = HashSet::new();
        for part in 0..PARTS {
            let list = self.list(part * PART, PART).await?;
            listed.extend(self.apply_all(&list).await?);
            let reached_ms = list.iter().map(|archive| archive.created_at).min();
            let is_enough = oldest_ms.is_none() || reached_ms < oldest_ms;
            if is_enough || list.len() < PART as usize {
                break;
            }
        }
        // An archive that the list does not have was deleted there.
        waiting.retain(|archive| !listed.contains(&archive.id));
        self.refresh_batch(&waiting, turn).await?;
        Ok(listed)
    }

    /// Queries the archives of this turn by id. A failure of one does not stop the others, unless it is an outage: the
    /// platform has just answered the list.
    async fn refresh_batch(&self, missing: &[Archive], turn: usize) -> Result<(), PlatformError> {
        for archive in batch(missing, turn) {
            if let Err(problem) = self.refresh(archive.id).await
                && (matches!(problem, PlatformError::Internal(_))
                    || self.cache().outage(self.now()).is_some())
            {
                return Err(problem);
            }
        }
        Ok(())
    }

    async fn apply_all(&self, list: &ArchiveList) -> Result<HashSet<ArchiveId>, PlatformError> {
        let now_ms = self.now_ms();
        let mut listed = HashSet::new();
        // Oldest first, in the order of their starts.
        for remote in list
            .iter()
            .rev()
            .filter_map(|archive| RemoteArchive::read(archive, now_ms))
        {
            self.apply_one(&remote).await?;
            listed.insert(remote.id);
        }
        Ok(listed)
    }

    async fn apply_one(&self, remote: &RemoteArchive) -> Result<(), PlatformError> {
        let db = &self.local.db;
        if remote::is_known(db, remote.id).await? {
            self.local.archives.apply_remote(remote).await?;
            return Ok(());
        }
        let session = project::find_session(db, &remote.session_id).await?;
        if session.is_none_or(|session| session.platform != self.address()) {
            return Ok(());
        }
        let context = LocalContext {
            api_key: self.local.api_key,
            platform: self.address().to_owned(),
            room: room::name_of(db, &remote.session_id)
                .await?
                .unwrap_or_default(),
            started_by: String::new(),
        };
        info!(archive.id = %remote.id, "Found an archive of the video platform");
        if let Err(error) = self.adopt(remote, &context).await {
            warn!(archive.id = %remote.id, %error, "Saving an archive of the video platform failed");
        }
        Ok(())
    }
}

/// The part of `missing` that is queried at this turn. Consecutive turns cycle through all parts.
fn batch<T>(missing: &[T], turn: usize) -> &[T] {
    let parts = missing.len().div_ceil(ONE_BY_ONE).max(1);
    let mut chunks = missing.chunks(ONE_BY_ONE);
    chunks.nth(turn % parts).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_archive_has_a_turn() {
        let missing: Vec<usize> = (0..ONE_BY_ONE * 2 + 1).collect();
        let asked: HashSet<_> = (7..10).flat_map(|turn| batch(&missing, turn)).collect();
        assert_eq!(asked.len(), missing.len());
        assert_eq!(batch(&missing[..3], 7), [0, 1, 2]);
        assert_eq!(batch::<usize>(&[], 7), [0; 0]);
    }
}
