//! Muting, as by a moderator in the session. Publishers can unmute themselves.

use actix_web::{HttpResponse, web};
use serde::Deserialize;

use super::{
    auth::Caller,
    error::ApiError,
    request_body::{Body, object, truth},
    state::Api,
    stream::{SessionPath, StreamPath},
};
use crate::{clock::Now, opentok::Project, project, session::StreamId};

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct MuteAll {
    #[serde(deserialize_with = "truth")]
    active: Option<bool>,
    #[serde(alias = "excludedStreamIds")]
    excluded_streams: Option<Vec<String>>,
}

/// `POST /session/{session}/stream/{stream}/mute`
pub async fn one(
    api: web::Data<Api>,
    caller: Caller,
    at: web::Path<StreamPath>,
) -> Result<HttpResponse, ApiError> {
    let session = api.session(&caller, &at.session).await?;
    let stream = at.stream()?;
    let sessions = &api.platform.sessions;
    sessions.with(&session.id, Now::read(), |live| live.mute_stream(stream))?;
    project_reply(&api, caller).await
}

/// `POST /session/{session}/mute`: `active` mutes all present and future streams; otherwise future streams are not muted.
pub async fn all(
    api: web::Data<Api>,
    caller: Caller,
    at: web::Path<SessionPath>,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    let wanted: MuteAll = object(body)?;
    let is_active = wanted
        .active
        .ok_or_else(|| ApiError::bad_request("active is missing: true or false"))?;
    let session = api.session(&caller, &at.session).await?;
    let sessions = &api.platform.sessions;
    if is_active {
        // A text that is not an id excludes no stream.
        let excluded = wanted.excluded_streams.unwrap_or_default();
        let excluded: Vec<_> = excluded
            .iter()
            .filter_map(|id| StreamId::parse(id))
            .collect();
        sessions.mute_all(&session.id, &excluded)?;
    } else {
        sessions.disable_force_mute(&session.id)?;
    }
    project_reply(&api, caller).await
}

/// OpenTok's reply after a mute: the project, not the muted streams.
async fn project_reply(api: &Api, caller: Caller) -> Result<HttpResponse, ApiError> {
    let created_at = project::created_at_ms(&api.platform.db, caller.api_key).await?;
    Ok(HttpResponse::Ok().json(Project {
        application_id: String::new(),
        status: "ACTIVE".to_owned(),
        name: String::new(),
        environment: "standard".to_owned(),
        created_at: created_at.unwrap_or_default(),
    }))
}
