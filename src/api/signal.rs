//! Signals from an application's server. They have no sender in the session, so no client can forge one.

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::Value;

use super::{
    auth::Caller,
    connection::ConnectionPath,
    error::{ApiError, code},
    request_body::{Body, object},
    state::Api,
    stream::SessionPath,
};
use crate::{opentok::SessionId, session::ConnectionId};

/// The characters allowed in a signal's type.
const MAX_TYPE: usize = 128;

#[derive(Default, Deserialize)]
#[serde(default)]
struct Signal {
    #[serde(rename = "type")]
    signal_type: Option<String>,
    data: Option<String>,
}

/// `POST /session/{session}/signal`
pub async fn to_all(
    api: web::Data<Api>,
    caller: Caller,
    at: web::Path<SessionPath>,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    let signal = read(body)?;
    let session = api.session(&caller, &at.session).await?;
    send(&api, &session.id, None, signal)
}

/// `POST /session/{session}/connection/{connection}/signal`
pub async fn to_one(
    api: web::Data<Api>,
    caller: Caller,
    at: web::Path<ConnectionPath>,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    let signal = read(body)?;
    let session = api.session(&caller, &at.session).await?;
    let to = at.connection()?;
    send(&api, &session.id, Some(to), signal)
}

fn read(body: Body) -> Result<Signal, ApiError> {
    let mut signal: Signal = object(body)?;
    if signal.data.is_none() {
        return Err(ApiError::bad_request("a signal needs data").with_code(code::NO_SIGNAL_DATA));
    }
    // Some SDKs send an empty type instead of none.
    signal.signal_type = signal.signal_type.filter(|word| !word.is_empty());
    if (signal.signal_type.as_ref()).is_some_and(|word| word.chars().count() > MAX_TYPE) {
        return Err(ApiError::new(
            actix_web::http::StatusCode::PAYLOAD_TOO_LARGE,
            format!("a signal's type has at most {MAX_TYPE} characters"),
        ));
    }
    Ok(signal)
}

fn send(
    api: &Api,
    session: &SessionId,
    to: Option<ConnectionId>,
    signal: Signal,
) -> Result<HttpResponse, ApiError> {
    let sessions = &api.platform.sessions;
    if sessions.people(session).is_empty() {
        return Err(ApiError::not_found(
            "Not found. No clients are actively connected to the OpenTok session.",
        ));
    }
    let data = signal.data.map(Value::String);
    sessions.signal(session, to, signal.signal_type, data)?;
    Ok(HttpResponse::NoContent().finish())
}
