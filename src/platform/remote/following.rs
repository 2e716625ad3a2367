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

use super::{Inner, problem::log};
use crate::{
    archive::{
        ArchiveId,
        elsewhere::{self, Adoption, Told},
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
/// Archives asked for by their id each time.
const ONE_BY_ONE: usize = 20;
/// Between tries while the platform does not answer, at most.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// What was found out in one look.
struct Look {
    /// How many are still waited for.
    unfinished: usize,
}

impl Inner {
    pub(super) async fn follow(&self) {
        let mut last_deep: Option<Instant> = None;
        let mut failures = 0_u32;
        loop {
            let now = Instant::now();
            let is_deep = last_deep.is_none_or(|last| now.duration_since(last) >= DEEP);
            let pause = match self.look(is_deep).await {
                Ok(look) => {
                    if failures > 0 {
                        info!("{} answers again", self.host);
                    }
                    failures = 0;
                    if is_deep {
                        last_deep = Some(now);
                    }
                    if look.unfinished > 0 { BUSY } else { CALM }
                }
                Err(Trouble::Platform(error)) => {
                    // Once, and not with every try.
                    if failures == 0 {
                        log(&error, &self.host, "following archives");
                    }
                    failures += 1;
                    let asked = error.refusal().and_then(|no| no.retry_after);
                    let doubled = BUSY * 2_u32.saturating_pow(failures.min(8));
                    doubled.max(asked.unwrap_or_default()).min(LONGEST_PAUSE)
                }
                Err(Trouble::Here(error)) => {
                    warn!("Archives do not follow the video platform: {error}");
                    LONGEST_PAUSE
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
                () = self.attention.notified() => tokio::time::sleep(BUSY / 2).await,
            }
        }
    }

    async fn look(&self, is_deep: bool) -> Result<Look, Trouble> {
        let listed = if is_deep {
            self.read_far_back().await?
        } else {
            let list = self.part(0, NEWEST).await?;
            self.take_all(&list).await?
        };
        let db = &self.home.db;
        let mut missing = elsewhere::unfinished(db, &self.address).await?;
        missing.retain(|archive| !listed.contains(&archive.id));
        for archive in missing.iter().take(ONE_BY_ONE) {
            self.ask_for(archive.id).await?;
        }
        let unfinished = elsewhere::unfinished(db, &self.address).await?.len();
        Ok(Look { unfinished })
    }

    pub(super) async fn part(
        &self,
        offset: u32,
        count: u32,
    ) -> Result<ArchiveList, opentok::Error> {
        let options = ListOptions {
            offset: Some(offset),
            count: Some(count),
            session_id: None,
        };
        self.opentok.archives().all(&options).await
    }

    /// Reads the list until it is older than the oldest archive whose file may have expired.
    async fn read_far_back(&self) -> Result<HashSet<ArchiveId>, Trouble> {
        let waiting = elsewhere::not_pulled(&self.home.db, &self.address).await?;
        let oldest_ms = waiting.iter().map(|archive| archive.created_at_ms).min();
        let mut listed = HashSet::new();
        for part in 0..PARTS {
            let list = self.part(part * PART, PART).await?;
            listed.extend(self.take_all(&list).await?);
            let reached_ms = list.iter().map(|archive| archive.created_at).min();
            let is_enough = oldest_ms.is_none() || reached_ms < oldest_ms;
            if is_enough || list.len() < PART as usize {
                break;
            }
        }
        // What is in no list was deleted there.
        let missing = waiting
            .iter()
            .filter(|archive| !listed.contains(&archive.id));
        for archive in missing.take(ONE_BY_ONE) {
            self.ask_for(archive.id).await?;
        }
        Ok(listed)
    }

    async fn ask_for(&self, id: ArchiveId) -> Result<(), Trouble> {
        match self.opentok.archives().find(&id.to_string()).await {
            Ok(found) => self.take_one(&Told::read(&found, clock::now_ms())).await,
            Err(error) if super::is_unknown(&error) => {
                self.home.archives.give_up(id).await?;
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn take_all(&self, list: &ArchiveList) -> Result<HashSet<ArchiveId>, Trouble> {
        let now_ms = clock::now_ms();
        let mut listed = HashSet::new();
        // The oldest first, as they started.
        for archive in list.iter().rev() {
            let told = Told::read(archive, now_ms);
            listed.extend(told.as_ref().map(|told| told.id));
            self.take_one(&told).await?;
        }
        Ok(listed)
    }

    async fn take_one(&self, told: &Option<Told>) -> Result<(), Trouble> {
        let Some(told) = told else {
            return Ok(());
        };
        let db = &self.home.db;
        if elsewhere::is_known(db, told.id).await? {
            self.home.archives.follow(told).await?;
            return Ok(());
        }
        let session = project::find_session(db, &told.session_id).await?;
        if session.is_none_or(|session| session.platform != self.address) {
            return Ok(());
        }
        let adoption = Adoption {
            api_key: self.home.project.api_key,
            platform: self.address.clone(),
            room: room::name_of(db, &told.session_id)
                .await?
                .unwrap_or_default(),
            started_by: String::new(),
        };
        info!(archive.id = %told.id, "Archive `{}` was found at {}", told.id, self.host);
        match self.adopt(told, &adoption).await {
            Ok(()) => Ok(()),
            Err(problem) => {
                warn!(archive.id = %told.id, "Archive `{}` is not listed yet: {problem}", told.id);
                Ok(())
            }
        }
    }
}

enum Trouble {
    Platform(opentok::Error),
    Here(PlatformError),
}

impl From<opentok::Error> for Trouble {
    fn from(error: opentok::Error) -> Self {
        Trouble::Platform(error)
    }
}

impl From<sqlx::Error> for Trouble {
    fn from(error: sqlx::Error) -> Self {
        Trouble::Here(error.into())
    }
}
