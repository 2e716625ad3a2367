//! The connections and streams of a session.

use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    Error, OpenTok, SessionId,
    http::Call,
    wire::{lenient, number, text},
};

/// A stream that is published in a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stream {
    pub id: String,
    /// `camera`, `screen` or `custom`.
    #[serde(default, deserialize_with = "lenient")]
    pub video_type: String,
    /// The name that its publisher gave it; may be empty.
    #[serde(default, deserialize_with = "lenient")]
    pub name: String,
    /// The layout classes. `full` in the layout pip and `focus` in the presentations make the stream the large one.
    #[serde(default, deserialize_with = "lenient")]
    pub layout_class_list: Vec<String>,
}

/// The new layout classes of a stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StreamClasses {
    pub id: String,
    pub layout_class_list: Vec<String>,
}

/// A client of a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Connection {
    pub connection_id: String,
    #[serde(default, deserialize_with = "lenient")]
    pub connection_state: ConnectionState,
    /// Unix time, ms. (OpenTok writes it as text.)
    #[serde(default, deserialize_with = "number", serialize_with = "text")]
    pub created_at: i64,
}

/// The state of a client's connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConnectionState {
    Connecting,
    #[default]
    Connected,
}

#[derive(Deserialize)]
struct Page<T> {
    items: Option<Vec<T>>,
}

/// All of these may fail with [`Error::Authentication`], [`Error::Refused`], [`Error::Connection`]
/// and [`Error::Reply`], and with [`Error::Argument`] when an id is missing.
impl OpenTok {
    /// Returns the streams of a session.
    ///
    /// # Errors
    /// [`Error::Refused`] 404 when there is no such session. Some servers also answer so
    /// for a session without clients.
    pub async fn streams(&self, session_id: &SessionId) -> Result<Vec<Stream>, Error> {
        let path = ["session", session_id.as_str(), "stream"];
        let reply = self.http.project(Call::new(Method::GET, path)).await?;
        self.outcome(&reply, "The streams could not be listed.")?;
        Ok(reply.read::<Page<Stream>>()?.items.unwrap_or_default())
    }

    /// Returns a stream.
    ///
    /// # Errors
    /// [`Error::Refused`] 404 when there is no such session or it has no streams, 408 when it has other streams only.
    pub async fn stream(&self, session_id: &SessionId, stream_id: &str) -> Result<Stream, Error> {
        let path = ["session", session_id.as_str(), "stream", stream_id];
        let reply = self.http.project(Call::new(Method::GET, path)).await?;
        self.outcome(&reply, "The stream could not be retrieved.")?;
        reply.read()
    }

    /// Sets the layout classes of streams. Other streams keep theirs.
    ///
    /// # Errors
    /// [`Error::Refused`] 400 when a stream is not in the session.
    pub async fn set_stream_classes(
        &self,
        session_id: &SessionId,
        streams: &[StreamClasses],
    ) -> Result<(), Error> {
        let path = ["session", session_id.as_str(), "stream"];
        let call = Call::new(Method::PUT, path).json(&json!({ "items": streams }));
        let reply = self.http.project(call).await?;
        self.outcome(&reply, "The streams' layout classes could not be set.")
    }

    /// Returns the clients of a session.
    ///
    /// # Errors
    /// [`Error::Refused`] 404 when there is no such session.
    pub async fn connections(&self, session_id: &SessionId) -> Result<Vec<Connection>, Error> {
        let path = ["session", session_id.as_str(), "connection"];
        let reply = self.http.project(Call::new(Method::GET, path)).await?;
        self.outcome(&reply, "The connections could not be listed.")?;
        Ok(reply.read::<Page<Connection>>()?.items.unwrap_or_default())
    }
}
