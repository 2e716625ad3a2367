//! Who is in a session there, and hanging up on all of them.

use std::time::{Duration, Instant};

use serde_json::json;
use tracing::warn;

use super::{Inner, error::is_unknown};
use crate::{opentok::SessionId, platform::PlatformError};

/// Seconds before each try to disconnect those whose session is over; four minutes together. Higher: who hung up while the
/// platform was away goes on talking for less long; lower: fewer tasks wait for a platform that stays away.
const DISCONNECT_AFTER: [u64; 9] = [0, 1, 2, 4, 8, 16, 30, 60, 120];

impl Inner {
    /// Who is there, as pages want it: what was heard a moment ago, or else the platform's answer now.
    pub(super) async fn participants(
        &self,
        session: &SessionId,
    ) -> Result<Vec<String>, PlatformError> {
        let _turn = self.participant_queries.acquire().await;
        // Somebody else may have asked while this one waited.
        let known = self.cache().participants(session, Instant::now());
        match known {
            Some(Ok(people)) => return Ok(people),
            Some(Err(outage)) => return Err(outage.into()),
            None => {}
        }
        let looked = self.query_participants(session).await;
        let now = Instant::now();
        match &looked {
            Ok(people) => self
                .cache()
                .insert_participants(session, people.clone(), now),
            Err(problem) => self.cache().insert_failure(session, problem, now),
        }
        looked
    }

    /// The ids of those connected.
    pub(super) async fn connection_ids(
        &self,
        session: &SessionId,
    ) -> Result<Vec<String>, PlatformError> {
        match self.opentok.connections(session).await {
            Ok(connections) => {
                self.answered();
                Ok(connections
                    .into_iter()
                    .map(|connection| connection.connection_id)
                    .collect())
            }
            // Some say so of a session that nobody is in; what is no platform says so of everything.
            Err(error) if is_unknown(&error) => {
                self.is_the_platform().await?;
                Ok(Vec::new())
            }
            Err(error) => Err(self.failed(error, "asking who is there", "session")),
        }
    }

    /// Who is there: as many as there are connections, with the names of those who publish.
    async fn query_participants(&self, session: &SessionId) -> Result<Vec<String>, PlatformError> {
        let count = self.connection_ids(session).await?.len();
        if count == 0 {
            return Ok(Vec::new());
        }
        let streams = match self.opentok.streams(session).await {
            Ok(streams) => streams,
            Err(error) if is_unknown(&error) => Vec::new(),
            Err(error) => return Err(self.failed(error, "asking who is there", "session")),
        };
        // Pages publish under the name of the person.
        let mut names = streams
            .into_iter()
            .filter(|stream| stream.video_type != "screen" && !stream.name.is_empty())
            .map(|stream| json!({ "name": stream.name }).to_string());
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
        warn!(session.id = %session, "{} is away for too long: people may still be in a session that is over", self.host);
    }

    async fn try_disconnect_all(&self, session: &SessionId) -> Result<(), PlatformError> {
        let mut tried = Ok(());
        for connection in self.connection_ids(session).await? {
            match self.opentok.force_disconnect(session, &connection).await {
                Ok(()) => {}
                Err(error) if is_unknown(&error) => {}
                Err(error) => {
                    tried = Err(self.failed(error, "disconnecting somebody", "connection"));
                }
            }
        }
        tried
    }
}
