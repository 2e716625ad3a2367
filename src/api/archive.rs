//! Archives: start, stop, find, list, set the layout, select the streams, delete.

use std::future::Future;

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::json;

use super::{
    auth::Caller,
    error::{ApiError, code},
    request_body::{Body, object, truth},
    start_archive::{StartRequest, supported},
    state::Api,
    stream::no_stream,
};
use crate::{
    archive::{Archive, ArchiveId, Reason, Status, history, history::ArchiveFilter},
    clock::{self, Now},
    opentok::{Layout, OutputMode, SessionId, StreamMode},
    platform::PlatformError,
    project,
    session::{StreamId, TrackSelection},
};

/// The default number of archives in a list.
const DEFAULT_COUNT: u32 = 50;
/// The maximum number of archives in a list.
const MAX_COUNT: u32 = 1000;

/// The path parameters of an archive.
#[derive(Deserialize)]
pub struct ArchivePath {
    archive: String,
}

/// `POST /archive`. The order of the checks is OpenTok's: the body, the session, its media mode, its connections, a running
/// archive.
pub async fn start(
    api: web::Data<Api>,
    caller: Caller,
    request: HttpRequest,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    let new = object::<StartRequest>(body)?.checked(caller.api_key)?;
    let session = api.session(&caller, new.session_id.as_str()).await?;
    if !api.platform.is_routed(&session) {
        return Err(ApiError::conflict(
            "only routed sessions can be archived; this one is relayed",
        )
        .with_code(code::NOT_ROUTED));
    }
    if api.platform.sessions.people(&session.id).is_empty() {
        return Err(
            if project::was_joined(&api.platform.db, &session.id).await? {
                ApiError::bad_request("no client is connected to the session")
            } else {
                ApiError::not_found("no client has ever connected to the session")
            },
        );
    }
    let platform = api.platform.clone();
    let archive = run_detached(async move { platform.start(new).await }).await?;
    Ok(reply(&api, &request, &archive))
}

/// `POST /archive/{archive}/stop`
pub async fn stop(
    api: web::Data<Api>,
    caller: Caller,
    request: HttpRequest,
    at: web::Path<ArchivePath>,
) -> Result<HttpResponse, ApiError> {
    let id = find_archive(&api, &caller, &at).await?.id;
    let platform = api.platform.clone();
    let stopping = async move { platform.stop(id, Reason::UserInitiated).await };
    let archive = run_detached(stopping).await?;
    Ok(reply(&api, &request, &archive))
}

/// `POST /archive/{archive}`: the older way to stop, `{"action":"stop"}`.
pub async fn act(
    api: web::Data<Api>,
    caller: Caller,
    request: HttpRequest,
    at: web::Path<ArchivePath>,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct ActionRequest {
        action: Option<String>,
    }

    let ActionRequest { action } = object(body)?;
    if action.as_deref() != Some("stop") {
        return Err(ApiError::bad_request("action must be stop"));
    }
    stop(api, caller, request, at).await
}

/// `GET /archive/{archive}`
pub async fn find(
    api: web::Data<Api>,
    caller: Caller,
    request: HttpRequest,
    at: web::Path<ArchivePath>,
) -> Result<HttpResponse, ApiError> {
    let archive = find_archive(&api, &caller, &at).await?;
    Ok(reply(&api, &request, &archive))
}

/// `GET /archive?offset&count&sessionId`: the newest first. `count` in the reply is the number of all archives in the list.
pub async fn list(
    api: web::Data<Api>,
    caller: Caller,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let range = ListRange::of_query(request.query_string())?;
    let list = match range.session {
        Some(session) => ArchiveFilter::Session(caller.api_key, session),
        None => ArchiveFilter::Project(caller.api_key),
    };
    let page = history::part(&api.platform.db, &list, range.offset, range.count).await?;
    let base = base_url(&api, &request);
    let items: Vec<_> = page
        .archives
        .iter()
        .map(|archive| api.objects.write(archive, Some(&base), clock::now_ms()))
        .collect();
    Ok(HttpResponse::Ok().json(json!({ "count": page.total, "items": items })))
}

/// `DELETE /archive/{archive}`
pub async fn delete(
    api: web::Data<Api>,
    caller: Caller,
    at: web::Path<ArchivePath>,
) -> Result<HttpResponse, ApiError> {
    let archive = find_archive(&api, &caller, &at).await?;
    // An archive whose file cannot be made stays in this status and may be deleted.
    let is_in_the_making =
        archive.status == Status::Stopped && archive.composing.problem().is_none();
    if archive.status.is_running() || is_in_the_making {
        return Err(ApiError::conflict(format!(
            "an archive that is {} cannot be deleted yet",
            archive.status
        )));
    }
    api.platform
        .archives
        .delete(archive.id)
        .await
        .map_err(PlatformError::from)?;
    Ok(HttpResponse::NoContent().finish())
}

/// `PUT /archive/{archive}/layout`: the layout from now on.
pub async fn set_layout(
    api: web::Data<Api>,
    caller: Caller,
    request: HttpRequest,
    at: web::Path<ArchivePath>,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    let layout = supported(&object::<Layout>(body)?)?;
    let archive = find_archive(&api, &caller, &at).await?;
    if archive.output_mode == OutputMode::Individual {
        return Err(ApiError::bad_request(
            "only a composed archive has a layout",
        ));
    }
    check_recording(&archive)?;
    let sessions = &api.platform.sessions;
    sessions.with(&archive.session_id, Now::read(), |live| {
        live.set_layout(archive.id, layout)
    })?;
    Ok(reply(&api, &request, &archive))
}

/// `PATCH /archive/{archive}/streams`: adds a stream to an archive with manual stream mode, or removes it.
pub async fn choose_streams(
    api: web::Data<Api>,
    caller: Caller,
    at: web::Path<ArchivePath>,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "camelCase", default)]
    struct StreamChange {
        add_stream: Option<String>,
        remove_stream: Option<String>,
        #[serde(deserialize_with = "truth")]
        has_audio: Option<bool>,
        #[serde(deserialize_with = "truth")]
        has_video: Option<bool>,
    }

    let change: StreamChange = object(body)?;
    let (stream, chosen) = match (change.add_stream, change.remove_stream) {
        (Some(stream), None) => {
            let audio = change.has_audio.unwrap_or(true);
            let video = change.has_video.unwrap_or(true);
            (stream, Some(TrackSelection { audio, video }))
        }
        (None, Some(stream)) => (stream, None),
        _ => {
            return Err(ApiError::bad_request(
                "either addStream or removeStream is needed",
            ));
        }
    };
    if chosen.is_some_and(|chosen| !chosen.audio && !chosen.video) {
        return Err(ApiError::bad_request(
            "a stream that is added needs audio, video or both; to remove a stream, send removeStream",
        ));
    }
    let archive = find_archive(&api, &caller, &at).await?;
    if archive.stream_mode == StreamMode::Auto {
        return Err(ApiError::wrong_method(
            "the streams of this archive are not chosen by hand: its streamMode is auto",
        ));
    }
    check_recording(&archive)?;
    let stream = StreamId::parse(&stream).ok_or_else(no_stream)?;
    let sessions = &api.platform.sessions;
    let now = Now::read();
    sessions.with(&archive.session_id, now, |live| {
        live.choose_stream(archive.id, stream, chosen, now.at)
    })?;
    Ok(HttpResponse::NoContent().finish())
}

fn check_recording(archive: &Archive) -> Result<(), ApiError> {
    if archive.status.is_running() {
        return Ok(());
    }
    Err(ApiError::conflict(format!(
        "the archive is no longer being recorded: it is {}",
        archive.status
    )))
}

/// The part of the list to return.
#[derive(Debug, PartialEq, Eq)]
struct ListRange {
    offset: u64,
    count: u32,
    session: Option<SessionId>,
}

impl ListRange {
    fn of_query(query: &str) -> Result<ListRange, ApiError> {
        let mut range = ListRange {
            offset: 0,
            count: DEFAULT_COUNT,
            session: None,
        };
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if value.is_empty() {
                continue;
            }
            match &*name {
                "offset" => {
                    range.offset = value
                        .parse()
                        .map_err(|_| ApiError::bad_request("offset must be a number, 0 or more"))?;
                }
                "count" => {
                    range.count = value
                        .parse()
                        .ok()
                        .filter(|count| *count <= MAX_COUNT)
                        .ok_or_else(|| {
                            ApiError::bad_request(format!("count must be 0 to {MAX_COUNT}"))
                        })?;
                }
                "sessionId" => range.session = Some(SessionId::from(&*value)),
                _ => {}
            }
        }
        Ok(range)
    }
}

/// Returns an archive of the caller's project.
async fn find_archive(api: &Api, caller: &Caller, at: &ArchivePath) -> Result<Archive, ApiError> {
    let no_archive = || ApiError::not_found("there is no such archive in this project");
    let id = ArchiveId::parse(&at.archive).ok_or_else(no_archive)?;
    let found = api.platform.archives.find(caller.api_key, id).await?;
    found.ok_or_else(no_archive)
}

fn reply(api: &Api, request: &HttpRequest, archive: &Archive) -> HttpResponse {
    let base = base_url(api, request);
    HttpResponse::Ok().json(api.objects.write(archive, Some(&base), clock::now_ms()))
}

/// Returns the URL at which the caller, and browsers that it passes links to, reach this server.
fn base_url(api: &Api, request: &HttpRequest) -> String {
    api.public_url.clone().unwrap_or_else(|| {
        let reached = request.connection_info();
        format!("{}://{}", reached.scheme(), reached.host())
    })
}

/// Runs a change to its end even if the caller disconnects, so that row, engine and recorder agree.
async fn run_detached(
    change: impl Future<Output = Result<Archive, PlatformError>> + Send + 'static,
) -> Result<Archive, ApiError> {
    let changed = tokio::spawn(change).await;
    Ok(changed.map_err(|problem| ApiError::internal(&problem))??)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_read_as_sdks_write_it() {
        let read = |query| ListRange::of_query(query).unwrap();
        let all = read("");
        assert_eq!((all.offset, all.count, all.session), (0, 50, None));
        assert_eq!(read("offset=&count=&sessionId=&more=1").count, 50);
        let some = read("offset=3&count=1000&sessionId=2_x");
        assert_eq!((some.offset, some.count), (3, 1000));
        assert_eq!(some.session, Some(SessionId::from("2_x")));
        for query in [
            "offset=-1",
            "offset=x",
            "count=1001",
            "count=-1",
            "count=1.5",
            "count=x",
        ] {
            assert!(ListRange::of_query(query).is_err(), "{query}");
        }
    }
}
