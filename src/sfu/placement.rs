//! Which worker has which session: the one with the fewest connections when the session begins, and
//! that one until it is over.

use std::collections::{HashMap, HashSet};

use crate::{
    archive::ArchiveId,
    opentok::SessionId,
    session::{ConnectionId, media::EngineCommand},
};

#[derive(Debug)]
pub struct Placement {
    /// Connections per worker.
    load: Vec<usize>,
    sessions: HashMap<SessionId, Placed>,
}

#[derive(Debug)]
struct Placed {
    worker: usize,
    connections: HashSet<ConnectionId>,
    archives: HashSet<ArchiveId>,
}

/// What a command does to the session's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlacementChange {
    Opens(ConnectionId),
    Closes(ConnectionId),
    Records(ArchiveId),
    StopsRecording(ArchiveId),
    /// Needs the session to be somewhere.
    Stays,
    /// Is moot if the session is nowhere.
    Ends,
}

impl PlacementChange {
    pub fn of(command: &EngineCommand) -> PlacementChange {
        match command {
            EngineCommand::Offer { connection, .. } => PlacementChange::Opens(*connection),
            EngineCommand::Close { connection } => PlacementChange::Closes(*connection),
            EngineCommand::Record { archive, .. } => PlacementChange::Records(*archive),
            EngineCommand::StopRecording { archive } => PlacementChange::StopsRecording(*archive),
            EngineCommand::Subscribe { .. } | EngineCommand::SetStream { .. } => {
                PlacementChange::Stays
            }
            EngineCommand::Unsubscribe { .. }
            | EngineCommand::Unpublish { .. }
            | EngineCommand::Choose { .. } => PlacementChange::Ends,
        }
    }
}

impl Placement {
    pub fn new(workers: usize) -> Placement {
        Placement {
            load: vec![0; workers],
            sessions: HashMap::new(),
        }
    }

    /// The worker that `command` goes to; `None` if it is moot.
    pub fn worker(&self, session: &SessionId, command: &EngineCommand) -> Option<usize> {
        if let Some(placed) = self.sessions.get(session) {
            return Some(placed.worker);
        }
        match PlacementChange::of(command) {
            PlacementChange::Closes(_)
            | PlacementChange::StopsRecording(_)
            | PlacementChange::Ends => None,
            PlacementChange::Opens(_) | PlacementChange::Records(_) | PlacementChange::Stays => {
                let workers = self.load.iter().enumerate();
                workers
                    .min_by_key(|&(_, &load)| load)
                    .map(|(index, _)| index)
            }
        }
    }

    /// Notes a command that was queued for `worker`.
    pub fn record(&mut self, session: &SessionId, worker: usize, change: PlacementChange) {
        let placed = self
            .sessions
            .entry(session.clone())
            .or_insert_with(|| Placed {
                worker,
                connections: HashSet::new(),
                archives: HashSet::new(),
            });
        let load = &mut self.load[placed.worker];
        let ends = match change {
            PlacementChange::Opens(connection) => {
                *load += usize::from(placed.connections.insert(connection));
                false
            }
            PlacementChange::Closes(connection) => {
                *load -= usize::from(placed.connections.remove(&connection));
                true
            }
            PlacementChange::Records(archive) => {
                placed.archives.insert(archive);
                false
            }
            PlacementChange::StopsRecording(archive) => {
                placed.archives.remove(&archive);
                true
            }
            PlacementChange::Stays | PlacementChange::Ends => false,
        };
        // The worker forgets an empty session at the same two commands.
        if ends && placed.connections.is_empty() && placed.archives.is_empty() {
            self.sessions.remove(session);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::media::Scope;

    fn send(placement: &mut Placement, session: &str, command: &EngineCommand) -> Option<usize> {
        let session = SessionId::from(session);
        let worker = placement.worker(&session, command)?;
        placement.record(&session, worker, PlacementChange::of(command));
        Some(worker)
    }

    fn offer(connection: ConnectionId) -> EngineCommand {
        EngineCommand::Offer {
            connection,
            request: 1,
            offer: crate::session::media::Offer {
                generation: 1,
                sdp: String::new(),
                tracks: Vec::new(),
                slots: Vec::new(),
            },
        }
    }

    #[test]
    fn a_session_stays_and_the_next_goes_where_less_is_done() {
        let mut placement = Placement::new(2);
        let (a, b) = (ConnectionId::random(), ConnectionId::random());
        assert_eq!(send(&mut placement, "one", &offer(a)), Some(0));
        assert_eq!(send(&mut placement, "two", &offer(b)), Some(1));
        let c = ConnectionId::random();
        assert_eq!(send(&mut placement, "one", &offer(c)), Some(0));
        assert_eq!(send(&mut placement, "one", &offer(c)), Some(0));
        let d = ConnectionId::random();
        assert_eq!(send(&mut placement, "three", &offer(d)), Some(1));
        assert_eq!(placement.load, [2, 2]);
    }

    #[test]
    fn a_session_that_is_over_is_forgotten() {
        let mut placement = Placement::new(1);
        let a = ConnectionId::random();
        let close = EngineCommand::Close { connection: a };
        assert_eq!(send(&mut placement, "one", &close), None);
        send(&mut placement, "one", &offer(a));
        let archive = ArchiveId::random();
        let (sink, _queue) = std::sync::mpsc::sync_channel(1);
        let record = EngineCommand::Record {
            archive,
            sink,
            scope: Scope::ALL,
        };
        send(&mut placement, "one", &record);
        assert_eq!(send(&mut placement, "one", &close), Some(0));
        assert!(!placement.sessions.is_empty());
        send(
            &mut placement,
            "one",
            &EngineCommand::StopRecording { archive },
        );
        assert!(placement.sessions.is_empty());
        assert_eq!(placement.load, [0]);
    }
}
