//! What another platform said a moment ago, so that many who ask the same do not all have it asked.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use crate::{archive::ArchiveId, opentok::SessionId};

/// Who is in a room: pages that wait to join ask every few seconds.
const PEOPLE: Duration = Duration::from_secs(1);

/// Addresses of files work for ten minutes at least; a player asks for many parts of one.
const FILE: Duration = Duration::from_secs(120);

/// After a call that was not answered, nobody else waits for an answer to the same question for so long. Higher: a
/// platform that is back is noticed later; lower: each page takes its time to say that there is no answer.
const TROUBLE: Duration = Duration::from_secs(5);

/// Of each kind. Beyond this, all are forgotten.
const MAX: usize = 1_000;

#[derive(Debug, Default)]
pub(super) struct Seen {
    people: HashMap<SessionId, (Instant, Vec<String>)>,
    files: HashMap<ArchiveId, (Instant, String)>,
    trouble: Option<(Instant, String)>,
}

impl Seen {
    /// Who was there a moment ago, or why it is of no use to ask; `None`: somebody has to ask.
    pub(super) fn people(
        &self,
        session: &SessionId,
        now: Instant,
    ) -> Option<Result<Vec<String>, String>> {
        let fresh = |at: Instant, age| now.saturating_duration_since(at) < age;
        if let Some((at, people)) = self.people.get(session)
            && fresh(*at, PEOPLE)
        {
            return Some(Ok(people.clone()));
        }
        let (at, words) = self.trouble.as_ref()?;
        fresh(*at, TROUBLE).then(|| Err(words.clone()))
    }

    pub(super) fn saw_people(&mut self, session: &SessionId, people: Vec<String>, now: Instant) {
        self.trouble = None;
        if self.people.len() >= MAX {
            self.people.clear();
        }
        self.people.insert(session.clone(), (now, people));
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

    /// The platform was not there.
    pub(super) fn trouble(&mut self, words: String, now: Instant) {
        self.trouble = Some((now, words));
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

    #[test]
    fn a_platform_that_does_not_answer_is_not_asked_by_everybody() {
        let (mut seen, now) = (Seen::default(), Instant::now());
        let session = SessionId::from("2_a");
        seen.trouble("it is gone".to_owned(), now);
        let told = Some(Err("it is gone".to_owned()));
        assert_eq!(seen.people(&session, now + TROUBLE / 2), told);
        assert_eq!(seen.people(&session, now + TROUBLE), None);
        seen.saw_people(&session, Vec::new(), now);
        assert_eq!(seen.people(&SessionId::from("2_b"), now), None);
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
