//! Keeping the rows of archives as the platform says they are.
//!
//! While something records, or its file is being made, the newest of the platform's list are read every few seconds, and
//! what is waited for and not among them is asked for by its id. Else they are read every minute, and once an hour the
//! list is read as far back as there are archives whose file may expire. So an archive that somebody else started in one
//! of our sessions is found, too. Archives of the project's other sessions are not ours, and are left out.

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
    clock,
    opentok::{self, ArchiveList, ListOptions},
    platform::PlatformError,
    project, room,
};

/// While there is something to wait for.
const BUSY: Duration = Duration::from_secs(3);
/// While there is nothing.
const CALM: Duration = Duration::from_secs(60);
/// How often the list is read far back.
const DEEP: Duration = Duration::from_secs(3600);
/// Archives that are read each time.
const NEWEST: u32 = 50;
/// Archives in a part of the list that is read far back, and how many parts are read at most.
const PART: u32 = 1000;
const PARTS: u32 = 20;
/// Archives asked for by their id each time; others have their turn the next time.
const ONE_BY_ONE: usize = 20;
/// Between retries while the platform does not answer, at most.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

impl Inner {
    pub(super) async fn sync_archives(&self) {
        let mut last_deep: Option<Instant> = None;
        let mut failures = 0_u32;
        for turn in 0.. {
            let now = Instant::now();
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
                    warn!("Archives do not follow the video platform: {error:#}");
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
            // Whoever has just started an archive does not wait for a calm minute to pass; a platform in trouble is
            // left alone.
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

    /// Returns how many are still waited for.
    async fn poll(&self, is_deep: bool, turn: usize) -> Result<usize, PlatformError> {
        let listed = if is_deep {
            self.poll_deep(turn).await?
        } else {
            let list = self.list(0, NEWEST).await?;
            self.apply_all(&list).await?
        };
        self.answered();
        let db = &self.home.db;
        let mut missing = remote::unfinished(db, &self.address).await?;
        missing.retain(|archive| !listed.contains(&archive.id));
        self.refresh_batch(&missing, turn).await?;
        Ok(remote::unfinished(db, &self.address).await?.len())
    }

    /// A part of the platform's list of archives, the newest first.
    pub(super) async fn list(&self, offset: u32, count: u32) -> Result<ArchiveList, PlatformError> {
        let options = ListOptions {
            offset: Some(offset),
            count: Some(count),
            session_id: None,
        };
        let listed = self.opentok.archives().all(&options).await;
        listed.map_err(|error| {
            // Every platform has this address.
            let error = if is_unknown(&error) {
                opentok::Error::Reply("it has no list of archives".to_owned())
            } else {
                error
            };
            self.failed(error, "asking for the archives", "archive")
        })
    }

    /// Reads the list until it is older than the oldest archive whose file may have expired.
    async fn poll_deep(&self, turn: usize) -> Result<HashSet<ArchiveId>, PlatformError> {
        let mut waiting = remote::not_pulled(&self.home.db, &self.address).await?;
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
        // What is in no list was deleted there.
        waiting.retain(|archive| !listed.contains(&archive.id));
        self.refresh_batch(&waiting, turn).await?;
        Ok(listed)
    }

    /// Asks for those whose turn it is by their ids. The list was there a moment ago: what goes wrong with one archive is
    /// no reason not to ask for the others, unless the platform is in trouble since.
    async fn refresh_batch(&self, missing: &[Archive], turn: usize) -> Result<(), PlatformError> {
        for archive in batch(missing, turn) {
            if let Err(problem) = self.refresh(archive.id).await
                && (matches!(problem, PlatformError::Internal(_))
                    || self.cache().outage(Instant::now()).is_some())
            {
                return Err(problem);
            }
        }
        Ok(())
    }

    async fn apply_all(&self, list: &ArchiveList) -> Result<HashSet<ArchiveId>, PlatformError> {
        let now_ms = clock::now_ms();
        let mut listed = HashSet::new();
        // The oldest first, as they started.
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
        let db = &self.home.db;
        if remote::is_known(db, remote.id).await? {
            self.home.archives.apply_remote(remote).await?;
            return Ok(());
        }
        let session = project::find_session(db, &remote.session_id).await?;
        if session.is_none_or(|session| session.platform != self.address) {
            return Ok(());
        }
        let context = LocalContext {
            api_key: self.home.project.api_key,
            platform: self.address.clone(),
            room: room::name_of(db, &remote.session_id)
                .await?
                .unwrap_or_default(),
            started_by: String::new(),
        };
        info!(archive.id = %remote.id, "Archive `{}` was found at {}", remote.id, self.host);
        if let Err(problem) = self.adopt(remote, &context).await {
            warn!(archive.id = %remote.id, "Archive `{}` is not listed yet: {problem}", remote.id);
        }
        Ok(())
    }
}

/// The part of `missing` that is asked for at this turn; after as many turns as there are parts, all were.
fn batch<T>(missing: &[T], turn: usize) -> &[T] {
    let parts = missing.len().div_ceil(ONE_BY_ONE).max(1);
    let mut chunks = missing.chunks(ONE_BY_ONE);
    chunks.nth(turn % parts).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_has_a_turn() {
        let missing: Vec<usize> = (0..ONE_BY_ONE * 2 + 1).collect();
        let asked: HashSet<_> = (7..10).flat_map(|turn| batch(&missing, turn)).collect();
        assert_eq!(asked.len(), missing.len());
        assert_eq!(batch(&missing[..3], 7), [0, 1, 2]);
        assert_eq!(batch::<usize>(&[], 7), [0; 0]);
    }
}
