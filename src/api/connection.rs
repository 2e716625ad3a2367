//! The connections of a session: list and disconnect.

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::json;

use super::{auth::Caller, error::ApiError, state::Api, stream::SessionPath};
use crate::{
    clock::Now,
    opentok::{Connection, ConnectionState},
    session::ConnectionId,
};

/// The path parameters of a connection.
#[derive(Deserialize)]
pub struct ConnectionPath {
    pub session: String,
    connection: String,
}

impl ConnectionPath {
    /// # Errors
    /// 404: the text is not an id.
    pub fn connection(&self) -> Result<ConnectionId, ApiError> {
        ConnectionId::parse(&self.connection)
            .ok_or_else(|| ApiError::not_found("there is no such connection in the session"))
    }
}

/// `GET /session/{session}/connection`
pub async fn list(
    api: web::Data<Api>,
    caller: Caller,
    at: web::Path<SessionPath>,
) -> Result<HttpResponse, ApiError> {
    let session = api.session(&caller, &at.session).await?;
    let items: Vec<Connection> = api
        .platform
        .sessions
        .people(&session.id)
        .into_iter()
        .map(|person| Connection {
            connection_id: person.connection_id.to_string(),
            connection_state: ConnectionState::Connected,
            created_at: person.creation_time,
        })
        .collect();
    Ok(HttpResponse::Ok().json(json!({
        "count": items.len(),
        "projectId": caller.api_key.to_string(),
        "sessionId": session.id,
        "items": items,
    })))
}

/// `DELETE /session/{session}/connection/{connection}`
pub async fn disconnect(
    api: web::Data<Api>,
    caller: Caller,
    at: web::Path<ConnectionPath>,
) -> Result<HttpResponse, ApiError> {
    let session = api.session(&caller, &at.session).await?;
    let connection = at.connection()?;
    let sessions = &api.platform.sessions;
    let now = Now::read();
    sessions.with(&session.id, now, |live| live.disconnect(connection, now.at))?;
    Ok(HttpResponse::NoContent().finish())
}
