//! The streams of a session.

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header::USER_AGENT},
    web,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    auth::Caller,
    error::ApiError,
    request_body::{Body, object},
    state::Api,
};
use crate::{
    clock::Now,
    opentok::{MAX_LAYOUT_CLASSES, SessionId, Stream, StreamClasses, is_layout_class},
    session::LiveSession,
    session::StreamId,
};

/// The path parameters of a session.
#[derive(Deserialize)]
pub struct SessionPath {
    pub session: String,
}

/// The path parameters of a stream.
#[derive(Deserialize)]
pub struct StreamPath {
    pub session: String,
    stream: String,
}

impl StreamPath {
    /// # Errors
    /// 404: the text is not an id.
    pub fn stream(&self) -> Result<StreamId, ApiError> {
        StreamId::parse(&self.stream).ok_or_else(no_stream)
    }
}

/// `GET /session/{session}/stream`
pub async fn list(
    api: web::Data<Api>,
    caller: Caller,
    at: web::Path<SessionPath>,
) -> Result<HttpResponse, ApiError> {
    let session = api.session(&caller, &at.session).await?;
    Ok(HttpResponse::Ok().json(listed(&api, &session.id)))
}

/// `GET /session/{session}/stream/{stream}`
pub async fn find(
    api: web::Data<Api>,
    caller: Caller,
    at: web::Path<StreamPath>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let session = api.session(&caller, &at.session).await?;
    let stream = found(&api, &session.id, &at.stream)?;
    let mut reply = HttpResponse::Ok();
    if parses_twice(&request) {
        reply.content_type("text/json");
    }
    Ok(reply.json(stream))
}

/// `PUT /session/{session}/stream/{stream}`: sets the layout classes of one stream.
pub async fn update(
    api: web::Data<Api>,
    caller: Caller,
    at: web::Path<StreamPath>,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Properties {
        layout_class_list: Vec<String>,
    }

    let Properties {
        layout_class_list: classes,
    } = object(body)?;
    let session = api.session(&caller, &at.session).await?;
    check_classes(&classes)?;
    let stream = found(&api, &session.id, &at.stream)?;
    if let Some(id) = StreamId::parse(&stream.id) {
        let sessions = &api.platform.sessions;
        sessions
            .with(&session.id, Now::read(), |live| {
                live.set_layout_classes(vec![(id, classes)])
            })
            .map_err(|_| unknown_stream())?;
    }
    Ok(HttpResponse::Ok().json(found(&api, &session.id, &at.stream)?))
}

/// Returns a stream of the session.
///
/// # Errors
/// 404: the session has no streams. 408: it has streams, but not this one. Both are OpenTok's statuses; its SDKs tell callers
/// that 408 means an invalid stream id.
fn found(api: &Api, session: &SessionId, id: &str) -> Result<Stream, ApiError> {
    let streams = objects(api, session);
    if streams.is_empty() {
        return Err(ApiError::not_found("the session has no streams"));
    }
    let id = StreamId::parse(id).map(|id| id.to_string());
    streams
        .into_iter()
        .find(|stream| Some(&stream.id) == id.as_ref())
        .ok_or_else(unknown_stream)
}

fn unknown_stream() -> ApiError {
    ApiError::new(
        StatusCode::REQUEST_TIMEOUT,
        "there is no such stream in the session",
    )
}

/// Whether the caller is OpenTok's SDK for Node. Its getStream parses a body again that its transport has parsed already: it
/// fails with `application/json`, and works with a type that its transport does not know.
fn parses_twice(request: &HttpRequest) -> bool {
    let agent = request.headers().get(USER_AGENT);
    agent.is_some_and(|agent| agent.as_bytes().starts_with(b"OpenTok-Node-SDK/"))
}

/// `PUT /session/{session}/stream`: sets the layout classes of all named streams or of none. Other streams keep theirs.
pub async fn set_classes(
    api: web::Data<Api>,
    caller: Caller,
    at: web::Path<SessionPath>,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    #[derive(Deserialize)]
    struct Items {
        items: Vec<StreamClasses>,
    }

    let Items { items } = object(body)?;
    let session = api.session(&caller, &at.session).await?;
    let mut changes = Vec::new();
    for StreamClasses {
        id,
        layout_class_list: classes,
    } in items
    {
        check_classes(&classes)?;
        changes.push((StreamId::parse(&id).ok_or_else(no_such_stream)?, classes));
    }
    let sessions = &api.platform.sessions;
    sessions
        .with(&session.id, Now::read(), |live| {
            live.set_layout_classes(changes)
        })
        .map_err(|_| no_such_stream())?;
    Ok(HttpResponse::Ok().json(listed(&api, &session.id)))
}

fn check_classes(classes: &[String]) -> Result<(), ApiError> {
    if classes.len() > MAX_LAYOUT_CLASSES || !classes.iter().all(|name| is_layout_class(name)) {
        return Err(ApiError::bad_request(format!(
            "a stream has at most {MAX_LAYOUT_CLASSES} layout classes, each of 1 to 64 letters, digits, hyphens and \
             underscores"
        )));
    }
    Ok(())
}

/// The error for a stream in the body: 400, because the URL is right.
fn no_such_stream() -> ApiError {
    ApiError::bad_request("one of the streams is not in the session; none was changed")
}

pub fn no_stream() -> ApiError {
    ApiError::not_found("there is no such stream in the session")
}

fn listed(api: &Api, session: &SessionId) -> Value {
    let items = objects(api, session);
    json!({ "count": items.len(), "items": items })
}

fn objects(api: &Api, session: &SessionId) -> Vec<Stream> {
    let sessions = &api.platform.sessions;
    let mut classes = sessions
        .read(session, LiveSession::layout_classes)
        .unwrap_or_default();
    let streams = sessions.streams(session).into_iter();
    streams
        .map(|stream| Stream {
            id: stream.stream_id.to_string(),
            video_type: stream.video_type.as_str().to_owned(),
            name: stream.name,
            layout_class_list: classes.remove(&stream.stream_id).unwrap_or_default(),
        })
        .collect()
}
