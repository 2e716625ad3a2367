//! What is published in a session.

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::json;

use super::{
    Api,
    auth::Caller,
    body::{Body, object},
    error::ApiError,
};
use crate::{
    opentok::{Stream, StreamClasses},
    session::{StreamId, StreamInfo},
};

/// A session's address.
#[derive(Deserialize)]
pub struct OfSession {
    pub session: String,
}

/// A stream's address.
#[derive(Deserialize)]
pub struct OfStream {
    pub session: String,
    stream: String,
}

impl OfStream {
    /// # Errors
    /// 404: what is no id is no stream's.
    pub fn stream(&self) -> Result<StreamId, ApiError> {
        StreamId::parse(&self.stream).ok_or_else(no_stream)
    }
}

/// `GET /session/{session}/stream`
pub async fn list(
    api: web::Data<Api>,
    caller: Caller,
    at: web::Path<OfSession>,
) -> Result<HttpResponse, ApiError> {
    let session = api.session(&caller, &at.session).await?;
    let streams = api.platform.sessions.streams(&session.id);
    let items: Vec<Stream> = streams.into_iter().map(object_of).collect();
    Ok(HttpResponse::Ok().json(json!({ "count": items.len(), "items": items })))
}

/// `GET /session/{session}/stream/{stream}`
pub async fn find(
    api: web::Data<Api>,
    caller: Caller,
    at: web::Path<OfStream>,
) -> Result<HttpResponse, ApiError> {
    let session = api.session(&caller, &at.session).await?;
    let wanted = at.stream()?;
    let streams = api.platform.sessions.streams(&session.id);
    let stream = streams
        .into_iter()
        .find(|stream| stream.stream_id == wanted)
        .ok_or_else(no_stream)?;
    Ok(HttpResponse::Ok().json(object_of(stream)))
}

/// `PUT /session/{session}/stream`: layout classes, which only custom layouts look at.
pub async fn set_classes(
    api: web::Data<Api>,
    caller: Caller,
    at: web::Path<OfSession>,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    #[derive(Deserialize)]
    struct Items {
        #[serde(rename = "items")]
        _items: Vec<StreamClasses>,
    }

    object::<Items>(body)?;
    api.session(&caller, &at.session).await?;
    Err(ApiError::not_offered(
        "this server has no custom layouts, so streams have no layout classes",
    ))
}

fn no_stream() -> ApiError {
    ApiError::not_found("there is no such stream in the session")
}

fn object_of(stream: StreamInfo) -> Stream {
    Stream {
        id: stream.stream_id.to_string(),
        video_type: stream.video_type.as_str().to_owned(),
        name: stream.name,
        layout_class_list: Vec::new(),
    }
}
