//! Sessions that clients have been let into, remembered so that a crowd does not ask the database one by one.
//!
//! Only sessions of the pages' own project: its secret stays what it is while the server runs, so nothing changes but
//! that a session is closed.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{
    opentok::SessionId,
    project::{Project, SessionRecord},
};

/// Sessions. Beyond this all are forgotten, and asked for again as they are joined.
const MAX: usize = 1_000;

/// An open session, and the project whose tokens let people into it.
#[derive(Debug)]
pub(super) struct Door {
    pub session: SessionRecord,
    pub project: Project,
}

/// The open sessions that are known. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Doors(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    doors: HashMap<SessionId, Arc<Door>>,
    /// How many sessions have been closed.
    closed: u64,
}

/// The moment before the database was asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked(u64);

impl Doors {
    /// The session, if it is known to be open.
    pub(super) fn find(&self, session: &SessionId) -> Result<Arc<Door>, Asked> {
        let known = self.lock();
        let door = known.doors.get(session).cloned();
        door.ok_or(Asked(known.closed))
    }

    /// Remembers an open session, unless one was closed since the database was asked: it may be this one.
    pub(super) fn remember(&self, door: Arc<Door>, asked: Asked) {
        let mut known = self.lock();
        if known.closed != asked.0 {
            return;
        }
        if known.doors.len() >= MAX {
            known.doors.clear();
        }
        known.doors.insert(door.session.id.clone(), door);
    }

    /// To be called once the database knows that the session is closed.
    pub(super) fn close(&self, session: &SessionId) {
        let mut known = self.lock();
        known.closed += 1;
        known.doors.remove(session);
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;

    fn door(id: &str) -> Arc<Door> {
        Arc::new(Door {
            session: SessionRecord::routed(SessionId::from(id), 1),
            project: Project {
                api_key: 1,
                api_secret: Secret::from("secret".to_owned()),
            },
        })
    }

    #[test]
    fn a_session_is_known_from_its_first_client_until_it_is_closed() {
        let doors = Doors::default();
        let id = SessionId::from("2_a");
        let asked = doors.find(&id).unwrap_err();
        doors.remember(door("2_a"), asked);
        assert!(doors.find(&id).is_ok());
        doors.close(&id);
        assert!(doors.find(&id).is_err());
    }

    #[test]
    fn a_session_that_is_closed_while_the_database_answers_is_not_remembered() {
        let doors = Doors::default();
        let id = SessionId::from("2_a");
        let asked = doors.find(&id).unwrap_err();
        doors.close(&id);
        doors.remember(door("2_a"), asked);
        assert!(doors.find(&id).is_err());
    }

    #[test]
    fn few_are_remembered() {
        let doors = Doors::default();
        for at in 0..=MAX {
            let id = format!("2_{at}");
            let asked = doors.find(&SessionId::from(&*id)).unwrap_err();
            doors.remember(door(&id), asked);
        }
        assert_eq!(doors.lock().doors.len(), 1);
    }
}
