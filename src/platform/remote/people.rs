//! Who is in a session there, and hanging up on all of them.

use std::time::{Duration, Instant};

use serde_json::json;
use tracing::warn;

use super::{Inner, problem::is_unknown};
use crate::{opentok::SessionId, platform::PlatformError};

/// Seconds before each try to disconnect those whose session is over; four minutes together. Higher: who hung up while the
/// platform was away goes on talking for less long; lower: fewer tasks wait for a platform that stays away.
const DISCONNECT_AFTER: [u64; 9] = [0, 1, 2, 4, 8, 16, 30, 60, 120];

impl Inner {
    /// Who is there, as pages want it: what was heard a moment ago, or else the platform's answer now.
    pub(super) async fn people(&self, session: &SessionId) -> Result<Vec<String>, PlatformError> {
        let _turn = self.askers.acquire().await;
        // Somebody else may have asked while this one waited.
        let known = self.seen().people(session, Instant::now());
        match known {
            Some(Ok(people)) => return Ok(people),
            Some(Err(trouble)) => return Err(trouble.into()),
            None => {}
        }
        let looked = self.look_around(session).await;
        let now = Instant::now();
        match &looked {
            Ok(people) => self.seen().saw_people(session, people.clone(), now),
            Err(problem) => self.seen().saw_nobody(session, problem, now),
        }
        looked
    }

    /// The ids of those connected.
    pub(super) async fn connected(
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
    async fn look_around(&self, session: &SessionId) -> Result<Vec<String>, PlatformError> {
        let count = self.connected(session).await?.len();
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

    /// Tries for some minutes.
    pub(super) async fn disconnect_everybody(&self, session: &SessionId) {
        for wait in DISCONNECT_AFTER {
            tokio::time::sleep(Duration::from_secs(wait)).await;
            if self.try_to_disconnect(session).await.is_ok() {
                return;
            }
        }
        warn!(session.id = %session, "{} is away for too long: people may still be in a session that is over", self.host);
    }

    async fn try_to_disconnect(&self, session: &SessionId) -> Result<(), PlatformError> {
        let mut tried = Ok(());
        for connection in self.connected(session).await? {
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
