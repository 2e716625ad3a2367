//! An archive's page, and what a moderator does with archives: start, stop, delete.

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use serde::Deserialize;
use serde_json::json;
use tracing::info;

use super::{
    archive_view::{Badge, badge, delete_question, explanation, iso_time, plain_time},
    boot::{ArchiveBoot, PlayedStream},
    error::WebError,
    form::{EmptyForm, Form},
    format::is_json,
    headers::with_platform,
    layout::{
        PageLayout, Section, clock_time, filters, initials, page, people_count, see_other, size,
    },
    room::{find as find_room, find_stored as find_stored_room},
    visitor::SignedIn,
};
use crate::{
    app::App,
    archive::{
        Archive, ArchiveId, Status,
        download::{Asset, Links},
        history,
        recording::RecordedStream,
    },
    clock::now_ms,
};

#[derive(Template)]
#[template(path = "archive.html")]
struct ArchivePage<'a> {
    layout: PageLayout,
    archive: &'a Archive,
    title: &'a str,
    badge: Badge,
    /// "MP4"
    file_kind: &'static str,
    explanation: String,
    delete_question: &'static str,
    iso_time: String,
    plain_time: String,
    duration: String,
    size: String,
    people: Vec<Person>,
    people_count: String,
    boot: ArchiveBoot,
}

/// A person in an archive, with their track.
struct Person {
    name: String,
    initials: String,
    /// "0:00 – 52:10 · audio only"
    facts: String,
    /// The file to download; `None` when nothing was recorded.
    file: Option<String>,
}

impl ArchivePage<'_> {
    fn is_running(&self) -> bool {
        self.archive.status.is_running()
    }

    fn has_file(&self) -> bool {
        self.archive.status == Status::Available
    }
}

/// `GET /archives/{id}`
pub async fn show(
    app: web::Data<App>,
    host: SignedIn,
    id: web::Path<String>,
) -> Result<HttpResponse, WebError> {
    let archive = find(&app, &id).await?;
    let streams = history::streams(app.db(), &archive).await?;
    let layout = host.layout(Section::History)?;
    let page = page(&ArchivePage {
        layout,
        title: title(&archive),
        badge: badge(&archive),
        file_kind: archive.output_mode.file_kind(),
        explanation: explanation(&archive),
        delete_question: delete_question(&archive, &*app.platform),
        iso_time: iso_time(archive.created_at_ms),
        plain_time: plain_time(archive.created_at_ms),
        duration: clock_time(archive.duration_ms),
        size: size(archive.size_bytes),
        people_count: people_count(usize::try_from(archive.people).unwrap_or(0)),
        people: streams
            .iter()
            .map(|stream| person(&archive, stream))
            .collect(),
        boot: ArchiveBoot {
            duration_ms: archive.duration_ms,
            streams: streams
                .into_iter()
                .map(|stream| played(&archive, stream))
                .collect(),
        },
        archive: &archive,
    })?;
    with_platform(page, &*app.platform)
}

#[derive(Deserialize)]
pub struct StartForm {
    room: String,
}

/// `POST /archives`: starts to record a room.
pub async fn start(
    app: web::Data<App>,
    host: SignedIn,
    request: HttpRequest,
    Form(form): Form<StartForm>,
) -> Result<HttpResponse, WebError> {
    let room = find_room(&app, &form.room).await?;
    let moderator = host.moderator;
    let started = app.rooms.start_archive(&room.slug, moderator.name);
    let id = started.await?;
    info!(archive.id = %id, moderator.id = moderator.id, "A moderator started an archive");
    if is_json(&request) {
        return Ok(HttpResponse::Created().json(json!({ "id": id })));
    }
    Ok(see_other(&format!("/rooms/{}/host", room.slug)))
}

#[derive(Deserialize)]
pub struct StopForm {
    /// The slug of the room whose host page sent the form; empty if the history did.
    #[serde(default)]
    room: String,
}

/// `POST /archives/{id}/stop`
pub async fn stop(
    app: web::Data<App>,
    host: SignedIn,
    request: HttpRequest,
    id: web::Path<String>,
    Form(form): Form<StopForm>,
) -> Result<HttpResponse, WebError> {
    let archive = find(&app, &id).await?;
    app.platform.stop_archive(archive.id).await?;
    info!(archive.id = %archive.id, moderator.id = host.moderator.id, "A moderator stopped an archive");
    if is_json(&request) {
        return Ok(HttpResponse::Ok().json(json!({ "id": archive.id })));
    }
    if form.room.is_empty() {
        return Ok(see_other(&format!("/archives/{}", archive.id)));
    }
    let room = find_stored_room(&app, &form.room).await?;
    Ok(see_other(&format!("/rooms/{}/host", room.slug)))
}

/// `POST /archives/{id}/delete`
pub async fn delete(
    app: web::Data<App>,
    host: SignedIn,
    request: HttpRequest,
    id: web::Path<String>,
    _: Form<EmptyForm>,
) -> Result<HttpResponse, WebError> {
    let archive = find(&app, &id).await?;
    app.platform.delete_archive(archive.id).await?;
    info!(archive.id = %archive.id, moderator.id = host.moderator.id, "A moderator deleted an archive");
    if is_json(&request) {
        return Ok(HttpResponse::Ok().json(json!({ "id": archive.id })));
    }
    Ok(see_other("/history"))
}

/// The archive with the id from a path.
///
/// # Errors
/// [`WebError::ArchiveNotFound`], or the database.
pub(super) async fn find(app: &App, id: &str) -> Result<Archive, WebError> {
    let id = ArchiveId::parse(id).ok_or(WebError::ArchiveNotFound)?;
    history::find(app.db(), app.project.api_key, id)
        .await?
        .ok_or(WebError::ArchiveNotFound)
}

/// The name under which pages show an archive.
pub(super) fn title(archive: &Archive) -> &str {
    match (archive.name.as_str(), archive.room.as_str()) {
        ("", "") => "Untitled",
        ("", room) => room,
        (name, _) => name,
    }
}

/// Signs the links of this server's archives.
pub(super) fn links(app: &App) -> Links {
    Links::new(app.project.api_secret.expose().as_bytes())
}

/// A signed link to a file of an archive. It works for ten minutes and needs no cookie.
pub(super) fn signed_link(app: &App, archive: ArchiveId, asset: Asset) -> String {
    let query = links(app).query(archive, asset, now_ms());
    format!("/archives/{archive}/files/{asset}?{query}")
}

fn person(archive: &Archive, stream: &RecordedStream) -> Person {
    let name = stream_name(stream);
    let times = format!(
        "{} – {}",
        clock_time(stream.joined_ms),
        clock_time(stream.left_ms)
    );
    let facts = match (&stream.file, stream.has_audio, stream.has_video) {
        (None, _, _) => format!("{times} · nothing recorded"),
        (_, true, false) => format!("{times} · audio only"),
        (_, false, true) => format!("{times} · video only"),
        _ => times,
    };
    Person {
        initials: initials(&name),
        name,
        facts,
        file: stream.file.is_some().then(|| {
            format!(
                "/archives/{}/files/{}?save",
                archive.id,
                Asset::Track(stream.stream)
            )
        }),
    }
}

fn played(archive: &Archive, stream: RecordedStream) -> PlayedStream {
    PlayedStream {
        id: stream.stream,
        name: stream_name(&stream),
        url: stream.file.is_some().then(|| {
            format!(
                "/archives/{}/files/{}",
                archive.id,
                Asset::Track(stream.stream)
            )
        }),
        present: stream.presence(),
        video_type: stream.video_type,
        joined_ms: stream.joined_ms,
        left_ms: stream.left_ms,
        starts_ms: stream.starts_ms,
        ends_ms: stream.ends_ms,
        has_audio: stream.has_audio,
        has_video: stream.has_video,
        shown: stream.shown,
    }
}

fn stream_name(stream: &RecordedStream) -> String {
    if stream.name.is_empty() {
        "Someone".to_owned()
    } else {
        stream.name.clone()
    }
}
