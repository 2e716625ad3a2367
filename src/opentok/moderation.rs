//! Moderation by an application's server: signal, mute and disconnect clients of a session.

use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    Error, OpenTok, SessionId,
    http::{Call, Reply},
    wire::{lenient, number},
};

/// A signal to the clients of a session. It has no sender in the session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Signal {
    /// At most 128 bytes; pages listen for `signal:TYPE`. OpenTok "type".
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// At most 8 KiB.
    pub data: String,
}

/// The project, as the server returns it after a mute.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Project {
    #[serde(deserialize_with = "lenient")]
    pub application_id: String,
    /// `ACTIVE` or `SUSPENDED`.
    #[serde(deserialize_with = "lenient")]
    pub status: String,
    #[serde(deserialize_with = "lenient")]
    pub name: String,
    /// `standard` or `enterprise`.
    #[serde(deserialize_with = "lenient")]
    pub environment: String,
    /// Unix time, ms.
    #[serde(deserialize_with = "number")]
    pub created_at: i64,
}

/// All of these may fail with [`Error::Authentication`], [`Error::Refused`], [`Error::Connection`]
/// and [`Error::Reply`], and with [`Error::Argument`] when an id is missing.
impl OpenTok {
    /// Sends a signal to all clients of a session.
    ///
    /// # Errors
    /// [`Error::Refused`] by status: 400 the signal is not valid, 404 no client is connected, 413 it is
    /// too long.
    pub async fn signal(&self, session_id: &SessionId, signal: &Signal) -> Result<(), Error> {
        let path = ["session", session_id.as_str(), "signal"];
        let call = Call::new(Method::POST, path).json(signal);
        let reply = self.http.project(call).await?;
        self.signaled(&reply)
    }

    /// Sends a signal to one connection.
    ///
    /// # Errors
    /// The same as [`signal`](Self::signal); 404 also when the connection is gone.
    pub async fn signal_connection(
        &self,
        session_id: &SessionId,
        connection_id: &str,
        signal: &Signal,
    ) -> Result<(), Error> {
        let session_id = session_id.as_str();
        let path = ["session", session_id, "connection", connection_id, "signal"];
        let call = Call::new(Method::POST, path).json(signal);
        let reply = self.http.project(call).await?;
        self.signaled(&reply)
    }

    /// Disconnects a client from a session.
    ///
    /// # Errors
    /// [`Error::Refused`] 404 when it is not connected.
    pub async fn force_disconnect(
        &self,
        session_id: &SessionId,
        connection_id: &str,
    ) -> Result<(), Error> {
        let path = ["session", session_id.as_str(), "connection", connection_id];
        let reply = self.http.project(Call::new(Method::DELETE, path)).await?;
        if reply.status == 404 && reply.is_second_try {
            return Ok(()); // The first attempt took effect, and its reply was lost.
        }
        self.outcome(&reply, "The client could not be disconnected.")
    }

    /// Mutes the audio of one stream; its publisher can unmute it.
    ///
    /// # Errors
    /// [`Error::Refused`] 404 when there is no such stream.
    pub async fn force_mute_stream(
        &self,
        session_id: &SessionId,
        stream_id: &str,
    ) -> Result<Project, Error> {
        let path = ["session", session_id.as_str(), "stream", stream_id, "mute"];
        let call = Call::new(Method::POST, path).json(&json!({}));
        self.mute(call, "The stream could not be muted.").await
    }

    /// Mutes all streams of a session but the excluded ones, and those published from now on, until
    /// [`disable_force_mute`](Self::disable_force_mute).
    ///
    /// # Errors
    /// [`Error::Refused`] 404 when there is no such session.
    pub async fn force_mute_all(
        &self,
        session_id: &SessionId,
        excluded_streams: &[&str],
    ) -> Result<Project, Error> {
        let body = json!({ "active": true, "excludedStreams": excluded_streams });
        let path = ["session", session_id.as_str(), "mute"];
        let call = Call::new(Method::POST, path).json(&body);
        self.mute(call, "The session could not be muted.").await
    }

    /// Stops muting new streams. Muted streams stay muted.
    ///
    /// # Errors
    /// [`Error::Refused`] 404 when there is no such session.
    pub async fn disable_force_mute(&self, session_id: &SessionId) -> Result<Project, Error> {
        let path = ["session", session_id.as_str(), "mute"];
        let call = Call::new(Method::POST, path).json(&json!({ "active": false }));
        self.mute(call, "The session could not be unmuted.").await
    }

    async fn mute(&self, call: Call<'_>, failure: &str) -> Result<Project, Error> {
        let reply = self.http.project(call).await?;
        self.outcome(&reply, failure)?;
        reply.read()
    }

    fn signaled(&self, reply: &Reply) -> Result<(), Error> {
        let failure = "The signal could not be sent.";
        let cause = match reply.status {
            400 => "The session, the connection, the type or the data is not valid.",
            404 => "No client is connected.",
            413 => "The type is longer than 128 bytes or the data than 8 KiB.",
            _ => return self.outcome(reply, failure),
        };
        Err(Error::Refused(reply.refusal(format!("{failure} {cause}"))))
    }

    /// Checks that the call succeeded; `failure` is the error's sentence.
    pub(super) fn outcome(&self, reply: &Reply, failure: &str) -> Result<(), Error> {
        let cause = match reply.status {
            200..300 => return Ok(()),
            400 => "The request was invalid.".to_owned(),
            401 | 403 => {
                let key = self.api_key();
                let message = format!("{failure} Authentication failed. API Key: {key}");
                return Err(Error::Authentication(reply.refusal(message)));
            }
            404 => "There is no such session, connection or stream.".to_owned(),
            status => format!("Response code: {status}"),
        };
        Err(Error::Refused(reply.refusal(format!("{failure} {cause}"))))
    }
}
