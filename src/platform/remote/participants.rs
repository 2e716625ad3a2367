//! The participants of the platform's sessions, and how to disconnect them.

use std::time::Duration;

use tracing::warn;

use super::{Inner, error::is_unknown};
use crate::{common::connection_data::ConnectionData, opentok::SessionId, platform::PlatformError};

/// Backoff before each attempt to disconnect the clients of a closed session, in seconds; four minutes in total. Longer:
/// fewer calls outlive a platform's outage; shorter: fewer tasks wait for a platform that stays down.
const DISCONNECT_AFTER: [u64; 9] = [0, 1, 2, 4, 8, 16, 30, 60, 120];

impl Inner {
    /// The connection data of the participants, from the cache or from the platform.
    pub(super) async fn participants(
        &self,
        session: &SessionId,
    ) -> Result<Vec<String>, PlatformError> {
        let _turn = self.participant_queries.acquire().await;
        // Another query may have filled the cache meanwhile.
        let known = self.cache().participants(session, self.now());
        match known {
            Some(Ok(people)) => return Ok(people),
            Some(Err(outage)) => return Err(outage.into()),
            None => {}
        }
        let queried = self.query_participants(session).await;
        let now = self.now();
        match &queried {
            Ok(people) => self
                .cache()
                .insert_participants(session, people.clone(), now),
            Err(problem) => self.cache().insert_failure(session, problem, now),
        }
        queried
    }

    /// The ids of the connections now.
    pub(super) async fn connection_ids(
        &self,
        session: &SessionId,
    ) -> Result<Vec<String>, PlatformError> {
        match self.opentok.connections(session).await {
            Ok(connections) => {
                self.record_success();
                Ok(connections
                    .into_iter()
                    .map(|connection| connection.connection_id)
                    .collect())
            }
            // A platform may answer 404 for a session without connections; a server that is no platform always does.
            Err(error) if is_unknown(&error) => {
                self.is_the_platform().await?;
                Ok(Vec::new())
            }
            Err(error) => Err(self.failed(error, "listing participants", "session")),
        }
    }

    /// One entry for each connection; those that publish have their name.
    async fn query_participants(&self, session: &SessionId) -> Result<Vec<String>, PlatformError> {
        let count = self.connection_ids(session).await?.len();
        if count == 0 {
            return Ok(Vec::new());
        }
        let streams = match self.opentok.streams(session).await {
            Ok(streams) => streams,
            Err(error) if is_unknown(&error) => Vec::new(),
            Err(error) => return Err(self.failed(error, "listing participants", "session")),
        };
        // Pages publish streams under the person's name.
        let mut names = streams
            .into_iter()
            .filter(|stream| stream.video_type != "screen" && !stream.name.is_empty())
            .map(|stream| ConnectionData::named(stream.name).to_json());
        Ok((0..count)
            .map(|_| names.next().unwrap_or_default())
            .collect())
    }

    /// Disconnects all clients; retries for four minutes.
    pub(super) async fn disconnect_all(&self, session: &SessionId) {
        for wait in DISCONNECT_AFTER {
            tokio::time::sleep(Duration::from_secs(wait)).await;
            if self.try_disconnect_all(session).await.is_ok() {
                return;
            }
        }
        warn!(session.id = %session, platform.host = self.host, "Disconnecting the clients of a closed session failed; gave up");
    }

    async fn try_disconnect_all(&self, session: &SessionId) -> Result<(), PlatformError> {
        let mut tried = Ok(());
        for connection in self.connection_ids(session).await? {
            match self.opentok.force_disconnect(session, &connection).await {
                Ok(()) => {}
                Err(error) if is_unknown(&error) => {}
                Err(error) => {
                    tried = Err(self.failed(error, "disconnecting a client", "connection"));
                }
            }
        }
        tried
    }
}
