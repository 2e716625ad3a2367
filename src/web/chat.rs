//! Calls between two buddies: tokens, hanging up, recordings. Pages of the presence kit call `POST /chats` and
//! `GET /chats`, too.

use actix_web::{HttpResponse, web};
use askama::Template;
use serde::Deserialize;

use super::{
    archive::title,
    archive_view::{Badge, badge, explanation, iso_time, plain_time},
    boot::SessionCredentials,
    buddies::{connection_data, require_embedded_calls},
    download::redirect_to_file,
    error::WebError,
    json::{EmptyJson, Json},
    layout::{PageLayout, Section, clock_time, filters, no_store, page, size},
    visitor::{Buddy, Visitor},
};
use crate::{
    app::App,
    archive::{Archive, ArchiveId, Status},
    invitation::RecordingAction,
    opentok::{Role, SessionId},
    session::ConnectionId,
};

/// Maximum number of recordings on a visitor's page.
const MAX_RECORDINGS: u32 = 100;

/// `POST /chats`: a session for an invitation.
pub async fn create(
    app: web::Data<App>,
    buddy: Buddy,
    _: EmptyJson,
) -> Result<HttpResponse, WebError> {
    require_embedded_calls(&app)?;
    let session = app.buddies.reserve_session(buddy.user).await?;
    credentials(&app, &buddy, &session).await
}

#[derive(Deserialize)]
pub struct ChatQuery {
    #[serde(rename = "sessionId", default)]
    session_id: String,
}

/// `GET /chats?sessionId=`: a token for one of the two people in a call.
pub async fn join(
    app: web::Data<App>,
    buddy: Buddy,
    web::Query(query): web::Query<ChatQuery>,
) -> Result<HttpResponse, WebError> {
    let session = SessionId::from(query.session_id);
    app.buddies.may_join(&session, buddy.user)?;
    credentials(&app, &buddy, &session).await
}

async fn credentials(
    app: &App,
    buddy: &Buddy,
    session: &SessionId,
) -> Result<HttpResponse, WebError> {
    let data = connection_data(&buddy.name, buddy.user);
    let token = app.platform.token(session, Role::Publisher, &data).await?;
    Ok(no_store().json(SessionCredentials {
        api_key: app.platform.info().api_key.to_string(),
        session_id: session.clone(),
        token,
    }))
}

#[derive(Deserialize)]
pub struct ConnectedRequest {
    /// The connection to the call's session.
    connection: ConnectionId,
}

/// `POST /chats/{session}/connection`: a page reports that it is connected. On another platform the server does not see it.
pub async fn connected(
    app: web::Data<App>,
    buddy: Buddy,
    session: web::Path<String>,
    Json(connected): Json<ConnectedRequest>,
) -> Result<HttpResponse, WebError> {
    let session = SessionId::from(session.into_inner());
    let connected = app
        .buddies
        .connected(&session, buddy.user, connected.connection);
    connected.await?;
    Ok(HttpResponse::NoContent().finish())
}

/// `POST /chats/{session}/end`
pub async fn end(
    app: web::Data<App>,
    buddy: Buddy,
    session: web::Path<String>,
    _: EmptyJson,
) -> Result<HttpResponse, WebError> {
    let session = SessionId::from(session.into_inner());
    app.buddies.end_chat(&session, buddy.user)?;
    Ok(HttpResponse::NoContent().finish())
}

#[derive(Deserialize)]
pub struct RecordingRequest {
    action: RecordingAction,
}

/// `POST /chats/{session}/recording`
pub async fn record(
    app: web::Data<App>,
    buddy: Buddy,
    session: web::Path<String>,
    Json(record): Json<RecordingRequest>,
) -> Result<HttpResponse, WebError> {
    let session = SessionId::from(session.into_inner());
    app.buddies.recording(&session, buddy.user, record.action)?;
    Ok(HttpResponse::NoContent().finish())
}

#[derive(Template)]
#[template(path = "recordings.html")]
struct RecordingsPage {
    layout: PageLayout,
    recordings: Vec<RecordingRow>,
}

/// A recording of a call, ready to show.
struct RecordingRow {
    id: ArchiveId,
    title: String,
    badge: Badge,
    iso_time: String,
    plain_time: String,
    duration: String,
    size: String,
    explanation: String,
    /// Whether there is a file to play and to download.
    is_available: bool,
}

/// `GET /buddies/recordings`: the recordings of the visitor's calls.
pub async fn recordings(app: web::Data<App>, visitor: Visitor) -> Result<HttpResponse, WebError> {
    let layout = visitor.layout(&app, Section::Buddies).await?;
    let archives = match visitor.buddy() {
        Some(buddy) => app.buddies.recordings(buddy.user, MAX_RECORDINGS).await?,
        None => Vec::new(),
    };
    page(&RecordingsPage {
        layout,
        recordings: archives.iter().map(recording_row).collect(),
    })
}

fn recording_row(archive: &Archive) -> RecordingRow {
    RecordingRow {
        id: archive.id,
        title: title(archive).to_owned(),
        badge: badge(archive),
        iso_time: iso_time(archive.created_at_ms),
        plain_time: plain_time(archive.created_at_ms),
        duration: clock_time(archive.duration_ms),
        size: size(archive.size_bytes),
        explanation: explanation(archive),
        is_available: archive.status == Status::Available,
    }
}

/// `GET /buddies/recordings/{id}`: redirects the two people in the call to a link that expires.
pub async fn recording(
    app: web::Data<App>,
    visitor: Visitor,
    id: web::Path<String>,
) -> Result<HttpResponse, WebError> {
    let buddy = visitor.buddy().ok_or(WebError::RecordingNotFound)?;
    let id = ArchiveId::parse(&id).ok_or(WebError::RecordingNotFound)?;
    let archive = app.buddies.find_recording(buddy.user, id).await?;
    let archive = archive.ok_or(WebError::RecordingNotFound)?;
    if archive.status != Status::Available {
        return Err(WebError::Conflict(
            "the file is not ready yet; the list of recordings shows its status".to_owned(),
        ));
    }
    redirect_to_file(&app, &archive).await
}
