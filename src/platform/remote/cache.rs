//! Recent replies of another platform, so that concurrent visitors cause one request and not many.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use crate::{archive::ArchiveId, opentok::SessionId, platform::PlatformError};

/// For the participants of a room: pages that wait to join poll every few seconds.
const PARTICIPANTS_TTL: Duration = Duration::from_secs(1);

/// For the URL of a file. It works for at least ten minutes, and a player requests many parts of one file.
const FILE_URL_TTL: Duration = Duration::from_secs(120);

/// For a failure: how long its request is not repeated. Higher: a recovery is noticed later; lower: more pages wait for a
/// timeout.
const OUTAGE_TTL: Duration = Duration::from_secs(5);

/// The longest `Retry-After` that is honored: pages cannot wait longer.
const MAX_OUTAGE_TTL: Duration = Duration::from_secs(60);

/// Entries of each kind. A full map is emptied.
const MAX: usize = 1_000;

#[derive(Debug, Default)]
pub(super) struct ReplyCache {
    /// With the time at which each expires.
    participants: HashMap<SessionId, (Instant, Result<Vec<String>, Outage>)>,
    files: HashMap<ArchiveId, (Instant, String)>,
    /// An outage that concerns all requests, and the time of the next attempt.
    outage: Option<(Instant, Outage)>,
}

/// Why a request is pointless now: [`PlatformError::Unavailable`] or [`PlatformError::Misconfigured`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Outage {
    words: String,
    is_misconfigured: bool,
}

impl Outage {
    /// `None` if the error concerns one request only.
    fn of(problem: &PlatformError) -> Option<Outage> {
        let (words, is_misconfigured) = match problem {
            PlatformError::Unavailable(words) => (words, false),
            PlatformError::Misconfigured(words) => (words, true),
            _ => return None,
        };
        Some(Outage {
            words: words.clone(),
            is_misconfigured,
        })
    }
}

impl From<Outage> for PlatformError {
    fn from(outage: Outage) -> PlatformError {
        if outage.is_misconfigured {
            PlatformError::Misconfigured(outage.words)
        } else {
            PlatformError::Unavailable(outage.words)
        }
    }
}

impl ReplyCache {
    /// The cached participants, or the cached failure; `None` on a cache miss.
    pub(super) fn participants(
        &self,
        session: &SessionId,
        now: Instant,
    ) -> Option<Result<Vec<String>, Outage>> {
        if let Some((until, participants)) = self.participants.get(session)
            && now < *until
        {
            return Some(participants.clone());
        }
        self.outage(now).map(|(_, outage)| Err(outage))
    }

    pub(super) fn insert_participants(
        &mut self,
        session: &SessionId,
        participants: Vec<String>,
        now: Instant,
    ) {
        self.outage = None;
        self.insert(session, Ok(participants), now + PARTICIPANTS_TTL);
    }

    /// Saves that the participants could not be queried.
    pub(super) fn insert_failure(
        &mut self,
        session: &SessionId,
        problem: &PlatformError,
        now: Instant,
    ) {
        if let Some(outage) = Outage::of(problem) {
            self.insert(session, Err(outage), now + OUTAGE_TTL);
        }
    }

    fn insert(
        &mut self,
        session: &SessionId,
        participants: Result<Vec<String>, Outage>,
        until: Instant,
    ) {
        if self.participants.len() >= MAX {
            self.participants.clear();
        }
        self.participants
            .insert(session.clone(), (until, participants));
    }

    pub(super) fn file_url(&self, archive: ArchiveId, now: Instant) -> Option<String> {
        let (at, url) = self.files.get(&archive)?;
        (now.saturating_duration_since(*at) < FILE_URL_TTL).then(|| url.clone())
    }

    pub(super) fn insert_file_url(&mut self, archive: ArchiveId, url: String, now: Instant) {
        if self.files.len() >= MAX {
            self.files.clear();
        }
        self.files.insert(archive, (now, url));
    }

    /// Saves an outage that concerns all requests. `retry_after` is the pause that the platform asks for.
    pub(super) fn set_outage(
        &mut self,
        problem: &PlatformError,
        retry_after: Option<Duration>,
        now: Instant,
    ) {
        let pause = retry_after.unwrap_or(OUTAGE_TTL).min(MAX_OUTAGE_TTL);
        self.outage = Outage::of(problem).map(|outage| (now + pause, outage));
    }

    /// Ends the outage after a success.
    pub(super) fn end_outage(&mut self) {
        self.outage = None;
    }

    /// The present outage, and the time of the next attempt.
    pub(super) fn outage(&self, now: Instant) -> Option<(Instant, Outage)> {
        self.outage.clone().filter(|(until, _)| now < *until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_cached_for_its_ttl() {
        let (mut cache, now) = (ReplyCache::default(), Instant::now());
        let session = SessionId::from("2_a");
        assert_eq!(cache.participants(&session, now), None);
        cache.insert_participants(&session, vec!["Ann".to_owned()], now);
        let later = now + PARTICIPANTS_TTL / 2;
        assert_eq!(
            cache.participants(&session, later),
            Some(Ok(vec!["Ann".to_owned()]))
        );
        assert_eq!(cache.participants(&session, now + PARTICIPANTS_TTL), None);

        let archive = ArchiveId::random();
        cache.insert_file_url(archive, "https://a/b".to_owned(), now);
        assert!(cache.file_url(archive, now + FILE_URL_TTL / 2).is_some());
        assert!(cache.file_url(archive, now + FILE_URL_TTL).is_none());
    }

    fn gone() -> PlatformError {
        PlatformError::Unavailable("it is gone".to_owned())
    }

    #[test]
    fn a_platform_that_does_not_answer_is_not_queried_by_every_page() {
        let (mut cache, now) = (ReplyCache::default(), Instant::now());
        let session = SessionId::from("2_a");
        cache.set_outage(&gone(), None, now);
        let told = Some(Err(Outage::of(&gone()).unwrap()));
        assert_eq!(cache.participants(&session, now + OUTAGE_TTL / 2), told);
        assert_eq!(cache.participants(&session, now + OUTAGE_TTL), None);
        cache.insert_participants(&session, Vec::new(), now);
        assert_eq!(cache.participants(&SessionId::from("2_b"), now), None);
    }

    #[test]
    fn a_platform_that_asks_for_time_gets_it_within_reason() {
        let now = Instant::now();
        for (asked, given) in [(1, 1), (30, 30), (86_400, 60)] {
            let mut cache = ReplyCache::default();
            cache.set_outage(&gone(), Some(Duration::from_secs(asked)), now);
            let (until, _) = cache.outage(now).unwrap();
            assert_eq!(until - now, Duration::from_secs(given));
            assert_eq!(cache.outage(until), None);
        }
    }

    #[test]
    fn a_failure_of_one_room_does_not_concern_another() {
        let (mut cache, now) = (ReplyCache::default(), Instant::now());
        let [bad, other] = ["2_a", "2_b"].map(SessionId::from);
        cache.insert_failure(&bad, &gone(), now);
        assert!(matches!(cache.participants(&bad, now), Some(Err(_))));
        assert_eq!(cache.participants(&bad, now + OUTAGE_TTL), None);
        assert_eq!(cache.participants(&other, now), None);
        cache.insert_failure(&other, &PlatformError::NotFound("session"), now);
        assert_eq!(cache.participants(&other, now), None, "that is no outage");
    }

    #[test]
    fn an_outage_keeps_its_kind() {
        let words = "no key".to_owned();
        let outage = Outage::of(&PlatformError::Misconfigured(words)).unwrap();
        assert!(matches!(outage.into(), PlatformError::Misconfigured(_)));
    }

    #[test]
    fn the_cache_is_bounded() {
        let (mut cache, now) = (ReplyCache::default(), Instant::now());
        for at in 0..=MAX {
            cache.insert_participants(&SessionId::from(format!("2_{at}")), Vec::new(), now);
            cache.insert_file_url(ArchiveId::random(), String::new(), now);
        }
        assert_eq!((cache.participants.len(), cache.files.len()), (1, 1));
    }
}
