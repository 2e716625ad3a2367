//! What somebody knows of a session who hears the reports alone.

use std::collections::BTreeMap;

use crate::session::{ConnectionId, ConnectionInfo, LiveSession, MonitorEventKind, StreamId};

#[derive(Default)]
pub struct Monitored {
    is_live: bool,
    connections: BTreeMap<ConnectionId, ConnectionInfo>,
    streams: BTreeMap<StreamId, ConnectionId>,
}

impl Monitored {
    /// What does not fit to what was told before is a mistake.
    pub fn hear(&mut self, kind: MonitorEventKind) {
        match kind {
            MonitorEventKind::SessionCreated => {
                assert!(self.connections.is_empty());
                assert!(!std::mem::replace(&mut self.is_live, true));
            }
            MonitorEventKind::SessionDestroyed => {
                assert!(self.connections.is_empty());
                assert!(std::mem::replace(&mut self.is_live, false));
            }
            MonitorEventKind::ConnectionCreated(connection) => {
                assert!(self.is_live);
                let id = connection.connection_id;
                assert!(self.connections.insert(id, connection).is_none());
            }
            MonitorEventKind::ConnectionDestroyed { connection, .. } => {
                let id = connection.connection_id;
                assert!(!self.streams.values().any(|publisher| *publisher == id));
                assert_eq!(self.connections.remove(&id), Some(connection));
            }
            MonitorEventKind::StreamCreated { stream, connection } => {
                assert_eq!(
                    self.connections.get(&stream.connection_id),
                    Some(&connection)
                );
                let before = self.streams.insert(stream.stream_id, stream.connection_id);
                assert!(before.is_none());
            }
            MonitorEventKind::StreamDestroyed {
                stream, connection, ..
            } => {
                assert_eq!(connection.connection_id, stream.connection_id);
                let publisher = self.streams.remove(&stream.stream_id);
                assert_eq!(publisher, Some(stream.connection_id));
            }
        }
    }

    /// What was told is what is there.
    pub fn check(&self, live: &LiveSession) {
        assert_eq!(self.is_live, live.connection_count() > 0);
        let people = live.people().into_iter();
        let people: BTreeMap<_, _> = people.map(|info| (info.connection_id, info)).collect();
        assert_eq!(self.connections, people);
        let streams = live.streams().into_iter();
        let streams: BTreeMap<_, _> = streams
            .map(|stream| (stream.stream_id, stream.connection_id))
            .collect();
        assert_eq!(self.streams, streams);
    }
}
