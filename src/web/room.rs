//! The page of a room, for hosts and participants: before the call, the call, and its end.

use actix_web::{HttpResponse, web};
use askama::Template;
use serde::Deserialize;

use super::{
    boot::{JoinResponse, RecordingStatus, RoomBoot, RoomStatus, SessionCredentials},
    error::WebError,
    form::Form,
    headers::with_platform,
    layout::{PageLayout, Section, filters, no_store, page},
    visitor::{SignedIn, Visitor},
};
use crate::{
    app::App,
    clock::now_ms,
    common::{connection_data::ConnectionData, name::Name},
    opentok::{Role, SessionId},
    room::{self, Room, Slug},
};

#[derive(Template)]
#[template(path = "room.html")]
struct RoomPage<'a> {
    layout: &'a PageLayout,
    name: &'a str,
    slug: &'a Slug,
    is_host: bool,
    is_recording: bool,
    /// "3 people are here: Ada, Bob and Eve."
    inside: String,
    visitor_name: &'a str,
    boot: RoomBoot<'a>,
}

/// `GET /participant`
pub async fn participant(app: web::Data<App>, visitor: Visitor) -> Result<HttpResponse, WebError> {
    show_participant_page(&app, &visitor, room::DEFAULT_SLUG).await
}

/// `GET /rooms/{room}`
pub async fn guest(
    app: web::Data<App>,
    visitor: Visitor,
    slug: web::Path<String>,
) -> Result<HttpResponse, WebError> {
    show_participant_page(&app, &visitor, &slug).await
}

/// `GET /host`
pub async fn default_host(app: web::Data<App>, host: SignedIn) -> Result<HttpResponse, WebError> {
    show_host_page(&app, &host, room::DEFAULT_SLUG).await
}

/// `GET /rooms/{room}/host`
pub async fn host(
    app: web::Data<App>,
    host: SignedIn,
    slug: web::Path<String>,
) -> Result<HttpResponse, WebError> {
    show_host_page(&app, &host, &slug).await
}

/// `GET /rooms/{room}/status`: the people in the room, for a page that has not joined yet.
pub async fn status(
    app: web::Data<App>,
    slug: web::Path<String>,
) -> Result<HttpResponse, WebError> {
    let room = find(&app, &slug).await?;
    Ok(HttpResponse::Ok().json(status_of(&app, &room.session).await?))
}

#[derive(Deserialize)]
pub struct JoinForm {
    name: String,
}

/// `POST /rooms/{room}/join`: a publisher's token, also for moderators.
pub async fn join(
    app: web::Data<App>,
    visitor: Visitor,
    slug: web::Path<String>,
    Form(form): Form<JoinForm>,
) -> Result<HttpResponse, WebError> {
    let name = Name::parse(&form.name)?;
    let (room, credentials) = credentials(&app, &slug, Role::Publisher, Some(&name)).await?;
    visitor.remember_name(&name)?;
    join_response(&app, &room, credentials).await
}

/// `POST /rooms/{room}/host/join`: a moderator's token.
pub async fn join_as_host(
    app: web::Data<App>,
    host: SignedIn,
    slug: web::Path<String>,
    Form(form): Form<JoinForm>,
) -> Result<HttpResponse, WebError> {
    let name = Name::parse(&form.name)?;
    let (room, credentials) = credentials(&app, &slug, Role::Moderator, Some(&name)).await?;
    host.visitor.remember_name(&name)?;
    join_response(&app, &room, credentials).await
}

async fn join_response(
    app: &App,
    room: &Room,
    credentials: SessionCredentials,
) -> Result<HttpResponse, WebError> {
    let status = status_of(app, &room.session).await?;
    Ok(no_store().json(JoinResponse {
        credentials,
        status,
    }))
}

/// A room, and a token for its session. Without a name the holder is a "Guest".
async fn credentials(
    app: &App,
    slug: &str,
    role: Role,
    name: Option<&Name>,
) -> Result<(Room, SessionCredentials), WebError> {
    let slug = Slug::parse(slug).ok_or(WebError::RoomNotFound)?;
    let data = ConnectionData {
        host: role == Role::Moderator,
        ..ConnectionData::named(name.map_or("Guest", Name::as_str))
    };
    let (room, token) = app.rooms.join(&slug, role, &data.to_json()).await?;
    let credentials = SessionCredentials {
        api_key: app.platform.info().api_key.to_string(),
        session_id: room.session.clone(),
        token,
    };
    Ok((room, credentials))
}

async fn show_participant_page(
    app: &App,
    visitor: &Visitor,
    slug: &str,
) -> Result<HttpResponse, WebError> {
    let name = visitor.name();
    let admission = credentials(app, slug, Role::Publisher, name.as_ref()).await?;
    let layout = visitor.layout(app, Section::Rooms).await?;
    show(app, visitor, &layout, admission, name, false).await
}

async fn show_host_page(app: &App, host: &SignedIn, slug: &str) -> Result<HttpResponse, WebError> {
    // A host who has not joined a room yet has the account's name.
    let name = host.visitor.name();
    let name = name.or_else(|| Name::parse(&host.moderator.name).ok());
    let admission = credentials(app, slug, Role::Moderator, name.as_ref()).await?;
    let layout = host.layout(Section::Rooms)?;
    show(app, &host.visitor, &layout, admission, name, true).await
}

async fn show(
    app: &App,
    visitor: &Visitor,
    layout: &PageLayout,
    (room, credentials): (Room, SessionCredentials),
    name: Option<Name>,
    is_host: bool,
) -> Result<HttpResponse, WebError> {
    if let Some(name) = visitor.name() {
        // A visitor who joins with the page's token sends no form, so the cookie is renewed here.
        visitor.remember_name(&name)?;
    }
    let status = status_of(app, &room.session).await?;
    let visitor_name = name.as_ref().map_or("", Name::as_str);
    let library = app
        .platform
        .info()
        .browser_access
        .as_ref()
        .map(|access| &*access.library);
    let page = page(&RoomPage {
        layout,
        name: room.name.as_str(),
        slug: &room.slug,
        is_host,
        is_recording: status.recording.is_some(),
        inside: people_sentence(&status.people),
        visitor_name,
        boot: RoomBoot {
            credentials,
            csrf: &layout.csrf,
            room: &room.slug,
            room_name: room.name.as_str(),
            is_host,
            visitor_name,
            guest_link: guest_link(app, &room.slug),
            status: &status,
            library,
        },
    })?;
    with_platform(page, &*app.platform)
}

/// The room of a URL, with a session that clients can join.
///
/// # Errors
/// [`WebError::RoomNotFound`], the platform, or the database. The default room is created when it is missing.
pub(super) async fn find(app: &App, slug: &str) -> Result<Room, WebError> {
    let slug = Slug::parse(slug).ok_or(WebError::RoomNotFound)?;
    Ok(app.rooms.open(&slug).await?)
}

/// The room of a URL, as it is stored.
///
/// # Errors
/// [`WebError::RoomNotFound`], or the database.
pub(super) async fn find_stored(app: &App, slug: &str) -> Result<Room, WebError> {
    let slug = Slug::parse(slug).ok_or(WebError::RoomNotFound)?;
    room::find(app.db(), &slug)
        .await?
        .ok_or(WebError::RoomNotFound)
}

pub(super) async fn default_room(app: &App) -> Result<Room, WebError> {
    find(app, room::DEFAULT_SLUG).await
}

/// The people in a session now, and its recording.
pub(super) async fn status_of(app: &App, session: &SessionId) -> Result<RoomStatus, WebError> {
    let people = app.platform.participants(session).await?;
    let recording = app.platform.recording(session).await?;
    let now_ms = now_ms();
    Ok(RoomStatus {
        people: people.iter().map(|data| name_from(data)).collect(),
        recording: recording.map(|recording| RecordingStatus {
            id: recording.id,
            elapsed_ms: u64::try_from(now_ms - recording.started_at_ms).unwrap_or(0),
        }),
    })
}

/// The link for participants.
pub(super) fn guest_link(app: &App, slug: &Slug) -> String {
    let base = app.config.network.public_url.as_deref().unwrap_or_default();
    format!("{base}/rooms/{slug}")
}

/// The name in connection data. Other applications may have written any text there.
fn name_from(data: &str) -> String {
    ConnectionData::parse(data)
        .and_then(|data| Name::parse(&data.name).ok())
        .map_or_else(|| "Someone".to_owned(), |name| name.to_string())
}

/// A sentence about the people in a room. `static/js/ui/room-occupancy.js` has the same sentences.
fn people_sentence(people: &[String]) -> String {
    match people {
        [] => "No one's here yet.".to_owned(),
        [one] => format!("{one} is here."),
        [one, two] => format!("{one} and {two} are here."),
        [one, two, three] => format!("3 people are here: {one}, {two} and {three}."),
        [one, two, rest @ ..] => format!(
            "{} people are here: {one}, {two} and {} more.",
            people.len(),
            rest.len()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prejoin_says_who_is_inside() {
        let names = |names: &[&str]| {
            let names: Vec<_> = names.iter().map(ToString::to_string).collect();
            people_sentence(&names)
        };
        assert_eq!(names(&[]), "No one's here yet.");
        assert_eq!(names(&["Ada"]), "Ada is here.");
        assert_eq!(names(&["Ada", "Bob"]), "Ada and Bob are here.");
        assert_eq!(names(&["A", "B", "C"]), "3 people are here: A, B and C.");
        assert_eq!(
            names(&["A", "B", "C", "D"]),
            "4 people are here: A, B and 2 more."
        );
    }

    #[test]
    fn connection_data_of_foreign_pages_is_no_name() {
        assert_eq!(name_from(r#"{"name":"Ada"}"#), "Ada");
        for data in ["", "Ada", "{}", r#"{"name":7}"#, r#"{"name":""}"#] {
            assert_eq!(name_from(data), "Someone", "{data}");
        }
    }
}
