//! What another platform said a moment ago, so that many who ask the same do not all have it asked.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use crate::{archive::ArchiveId, opentok::SessionId, platform::PlatformError};

/// Who is in a room: pages that wait to join ask every few seconds.
const PEOPLE: Duration = Duration::from_secs(1);

/// Addresses of files work for ten minutes at least; a player asks for many parts of one.
const FILE: Duration = Duration::from_secs(120);

/// After a call that was not answered, nobody else waits for an answer to the same question for so long. Higher: a
/// platform that is back is noticed later; lower: each page takes its time to say that there is no answer.
const TROUBLE: Duration = Duration::from_secs(5);

/// A platform that asks to be left alone for longer is asked all the same: pages cannot wait that long.
const LONGEST_TROUBLE: Duration = Duration::from_secs(60);

/// Of each kind. Beyond this, all are forgotten.
const MAX: usize = 1_000;

#[derive(Debug, Default)]
pub(super) struct Seen {
    /// And until when that holds.
    people: HashMap<SessionId, (Instant, Result<Vec<String>, Trouble>)>,
    files: HashMap<ArchiveId, (Instant, String)>,
    /// With everything that it is asked, and until when it is not asked again.
    trouble: Option<(Instant, Trouble)>,
}

/// Why it is of no use to ask: [`PlatformError::Unavailable`] or [`PlatformError::Misconfigured`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    words: String,
    is_misconfigured: bool,
}

impl Trouble {
    /// `None`: it is only about what was asked.
    fn of(problem: &PlatformError) -> Option<Trouble> {
        let (words, is_misconfigured) = match problem {
            PlatformError::Unavailable(words) => (words, false),
            PlatformError::Misconfigured(words) => (words, true),
            _ => return None,
        };
        Some(Trouble {
            words: words.clone(),
            is_misconfigured,
        })
    }
}

impl From<Trouble> for PlatformError {
    fn from(trouble: Trouble) -> PlatformError {
        if trouble.is_misconfigured {
            PlatformError::Misconfigured(trouble.words)
        } else {
            PlatformError::Unavailable(trouble.words)
        }
    }
}

impl Seen {
    /// Who was there a moment ago, or why it is of no use to ask; `None`: somebody has to ask.
    pub(super) fn people(
        &self,
        session: &SessionId,
        now: Instant,
    ) -> Option<Result<Vec<String>, Trouble>> {
        if let Some((until, people)) = self.people.get(session)
            && now < *until
        {
            return Some(people.clone());
        }
        self.trouble(now).map(|(_, trouble)| Err(trouble))
    }

    pub(super) fn saw_people(&mut self, session: &SessionId, people: Vec<String>, now: Instant) {
        self.trouble = None;
        self.keep_people(session, Ok(people), now + PEOPLE);
    }

    /// Nobody could say who is there.
    pub(super) fn saw_nobody(
        &mut self,
        session: &SessionId,
        problem: &PlatformError,
        now: Instant,
    ) {
        if let Some(trouble) = Trouble::of(problem) {
            self.keep_people(session, Err(trouble), now + TROUBLE);
        }
    }

    fn keep_people(
        &mut self,
        session: &SessionId,
        people: Result<Vec<String>, Trouble>,
        until: Instant,
    ) {
        if self.people.len() >= MAX {
            self.people.clear();
        }
        self.people.insert(session.clone(), (until, people));
    }

    pub(super) fn file(&self, archive: ArchiveId, now: Instant) -> Option<String> {
        let (at, url) = self.files.get(&archive)?;
        (now.saturating_duration_since(*at) < FILE).then(|| url.clone())
    }

    pub(super) fn saw_file(&mut self, archive: ArchiveId, url: String, now: Instant) {
        if self.files.len() >= MAX {
            self.files.clear();
        }
        self.files.insert(archive, (now, url));
    }

    /// The platform does not do what anybody asks; `asked`: for how long it wants to be left alone.
    pub(super) fn saw_trouble(
        &mut self,
        problem: &PlatformError,
        asked: Option<Duration>,
        now: Instant,
    ) {
        let pause = asked.unwrap_or(TROUBLE).min(LONGEST_TROUBLE);
        self.trouble = Trouble::of(problem).map(|trouble| (now + pause, trouble));
    }

    /// Why it is of no use to ask anything now, and until when.
    pub(super) fn trouble(&self, now: Instant) -> Option<(Instant, Trouble)> {
        self.trouble.clone().filter(|(until, _)| now < *until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_is_good_for_a_moment() {
        let (mut seen, now) = (Seen::default(), Instant::now());
        let session = SessionId::from("2_a");
        assert_eq!(seen.people(&session, now), None);
        seen.saw_people(&session, vec!["Ann".to_owned()], now);
        let later = now + PEOPLE / 2;
        assert_eq!(
            seen.people(&session, later),
            Some(Ok(vec!["Ann".to_owned()]))
        );
        assert_eq!(seen.people(&session, now + PEOPLE), None);

        let archive = ArchiveId::random();
        seen.saw_file(archive, "https://a/b".to_owned(), now);
        assert!(seen.file(archive, now + FILE / 2).is_some());
        assert!(seen.file(archive, now + FILE).is_none());
    }

    fn gone() -> PlatformError {
        PlatformError::Unavailable("it is gone".to_owned())
    }

    #[test]
    fn a_platform_that_does_not_answer_is_not_asked_by_everybody() {
        let (mut seen, now) = (Seen::default(), Instant::now());
        let session = SessionId::from("2_a");
        seen.saw_trouble(&gone(), None, now);
        let told = Some(Err(Trouble::of(&gone()).unwrap()));
        assert_eq!(seen.people(&session, now + TROUBLE / 2), told);
        assert_eq!(seen.people(&session, now + TROUBLE), None);
        seen.saw_people(&session, Vec::new(), now);
        assert_eq!(seen.people(&SessionId::from("2_b"), now), None);
    }

    #[test]
    fn a_platform_that_asks_for_time_gets_it_within_reason() {
        let now = Instant::now();
        for (asked, given) in [(1, 1), (30, 30), (86_400, 60)] {
            let mut seen = Seen::default();
            seen.saw_trouble(&gone(), Some(Duration::from_secs(asked)), now);
            let (until, _) = seen.trouble(now).unwrap();
            assert_eq!(until - now, Duration::from_secs(given));
            assert_eq!(seen.trouble(until), None);
        }
    }

    #[test]
    fn what_goes_wrong_with_one_room_keeps_nobody_from_asking_about_another() {
        let (mut seen, now) = (Seen::default(), Instant::now());
        let [bad, other] = ["2_a", "2_b"].map(SessionId::from);
        seen.saw_nobody(&bad, &gone(), now);
        assert!(matches!(seen.people(&bad, now), Some(Err(_))));
        assert_eq!(seen.people(&bad, now + TROUBLE), None);
        assert_eq!(seen.people(&other, now), None);
        seen.saw_nobody(&other, &PlatformError::NotFound("session"), now);
        assert_eq!(seen.people(&other, now), None, "that is no trouble");
    }

    #[test]
    fn trouble_keeps_its_kind() {
        let words = "no key".to_owned();
        let trouble = Trouble::of(&PlatformError::Misconfigured(words)).unwrap();
        assert!(matches!(trouble.into(), PlatformError::Misconfigured(_)));
    }

    #[test]
    fn few_are_remembered() {
        let (mut seen, now) = (Seen::default(), Instant::now());
        for at in 0..=MAX {
            seen.saw_people(&SessionId::from(format!("2_{at}")), Vec::new(), now);
            seen.saw_file(ArchiveId::random(), String::new(), now);
        }
        assert_eq!((seen.people.len(), seen.files.len()), (1, 1));
    }
}
