//! A cache of the sessions that clients have joined, so that a crowd that joins does not query the database one by one.
//!
//! It holds sessions of the pages' own project only. That project's secret does not change while the server runs, so a
//! session's closing is the only change to follow.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{
    opentok::SessionId,
    project::{Project, SessionRecord},
};

/// Sessions. A full cache is emptied, and fills again as sessions are joined.
const MAX: usize = 1_000;

/// An open session, and the project whose tokens let people into it.
#[derive(Debug)]
pub(super) struct OpenSession {
    pub session: SessionRecord,
    pub project: Project,
}

/// The open sessions that are known. Clones share their entries.
#[derive(Clone, Debug, Default)]
pub struct SessionCache(Arc<Mutex<Entries>>);

#[derive(Debug, Default)]
struct Entries {
    sessions: HashMap<SessionId, Arc<OpenSession>>,
    /// The number of sessions closed so far.
    generation: u64,
}

/// The cache as it was before a query; a session closed since then makes the query's answer stale.
#[derive(Clone, Copy, Debug)]
pub(super) struct Generation(u64);

impl SessionCache {
    /// The session, if it is known to be open. Otherwise the generation to [insert](SessionCache::insert) it with.
    pub(super) fn get(&self, session: &SessionId) -> Result<Arc<OpenSession>, Generation> {
        let entries = self.lock();
        let open = entries.sessions.get(session).cloned();
        open.ok_or(Generation(entries.generation))
    }

    /// Saves an open session, unless a session was closed since `generation`: it may be this one.
    pub(super) fn insert(&self, open: Arc<OpenSession>, generation: Generation) {
        let mut entries = self.lock();
        if entries.generation != generation.0 {
            return;
        }
        if entries.sessions.len() >= MAX {
            entries.sessions.clear();
        }
        entries.sessions.insert(open.session.id.clone(), open);
    }

    /// Removes a session. Call this once the database knows that the session is closed.
    pub(super) fn invalidate(&self, session: &SessionId) {
        let mut entries = self.lock();
        entries.generation += 1;
        entries.sessions.remove(session);
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;

    fn open(id: &str) -> Arc<OpenSession> {
        Arc::new(OpenSession {
            session: SessionRecord::routed(SessionId::from(id), 1),
            project: Project {
                api_key: 1,
                api_secret: Secret::from("secret".to_owned()),
            },
        })
    }

    #[test]
    fn a_session_is_known_from_its_first_client_until_it_is_closed() {
        let cache = SessionCache::default();
        let id = SessionId::from("2_a");
        let generation = cache.get(&id).unwrap_err();
        cache.insert(open("2_a"), generation);
        assert!(cache.get(&id).is_ok());
        cache.invalidate(&id);
        assert!(cache.get(&id).is_err());
    }

    #[test]
    fn a_session_that_is_closed_while_the_database_answers_is_not_remembered() {
        let cache = SessionCache::default();
        let id = SessionId::from("2_a");
        let generation = cache.get(&id).unwrap_err();
        cache.invalidate(&id);
        cache.insert(open("2_a"), generation);
        assert!(cache.get(&id).is_err());
    }

    #[test]
    fn few_are_remembered() {
        let cache = SessionCache::default();
        for at in 0..=MAX {
            let id = format!("2_{at}");
            let generation = cache.get(&SessionId::from(&*id)).unwrap_err();
            cache.insert(open(&id), generation);
        }
        assert_eq!(cache.lock().sessions.len(), 1);
    }
}
