//! The callbacks of a project: the URLs that receive its events (webhooks).

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    auth::Caller,
    error::ApiError,
    request_body::{Body, object},
    state::Api,
};
use crate::{
    callback::{self, Callback, RegisterError, Topic},
    clock,
};

/// The path parameters of a callback.
#[derive(Deserialize)]
pub struct CallbackPath {
    callback: String,
}

/// `GET /callback`
pub async fn list(api: web::Data<Api>, caller: Caller) -> Result<HttpResponse, ApiError> {
    let callbacks = callback::list(&api.platform.db, caller.api_key).await?;
    let callbacks: Vec<Value> = callbacks.iter().map(written).collect();
    Ok(HttpResponse::Ok().json(callbacks))
}

/// `POST /callback`: replaces the URL of an event that is registered already.
pub async fn register(
    api: web::Data<Api>,
    caller: Caller,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Registration {
        group: Option<String>,
        event: Option<String>,
        url: Option<String>,
    }

    let Registration { group, event, url } = object(body)?;
    let group = group.unwrap_or_default();
    let event = event.unwrap_or_default();
    let topic = Topic::of(&group, &event).ok_or_else(|| {
        let all: Vec<String> = Topic::ALL.iter().map(ToString::to_string).collect();
        let all = all.join(", ");
        ApiError::bad_request(format!("group and event must be one of these pairs: {all}"))
    })?;
    let url = url.unwrap_or_default();
    callback::check_url(&url, api.private_callbacks)
        .map_err(|problem| ApiError::bad_request(problem.to_string()))?;
    let db = &api.platform.db;
    match callback::register(db, caller.api_key, &[topic], &url, clock::now_ms()).await {
        Ok(registered) => Ok(HttpResponse::Ok().json(registered.iter().map(written).next())),
        // The key was revoked after the call was authenticated.
        Err(RegisterError::NoSuchKey(_)) => {
            Err(ApiError::forbidden("API key and secret do not match"))
        }
        Err(RegisterError::Database(problem)) => Err(problem.into()),
    }
}

/// `DELETE /callback/{callback}`: queued events are dropped.
pub async fn unregister(
    api: web::Data<Api>,
    caller: Caller,
    at: web::Path<CallbackPath>,
) -> Result<HttpResponse, ApiError> {
    if !callback::unregister(&api.platform.db, caller.api_key, &at.callback).await? {
        return Err(ApiError::not_found(
            "there is no such callback in this project",
        ));
    }
    Ok(HttpResponse::NoContent().finish())
}

fn written(callback: &Callback) -> Value {
    json!({
        "id": callback.id,
        "group": callback.topic.group(),
        "event": callback.topic.event(),
        "url": callback.url,
        "createdAt": callback.created_at_ms,
    })
}
