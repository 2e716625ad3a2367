//! The home page, where moderators create, rename and delete rooms.

use actix_web::{HttpResponse, web};
use askama::Template;
use futures_util::future::try_join_all;
use serde::Deserialize;

use super::{
    boot::RoomStatus,
    error::WebError,
    form::{EmptyForm, Form},
    layout::{PageLayout, Section, clock_time, filters, page, people_count, see_other},
    room::{guest_link, status_of},
    visitor::Visitor,
};
use crate::{
    app::App,
    common::name::Name,
    room::{self, Room, Slug},
};

#[derive(Template)]
#[template(path = "home.html")]
struct HomePage {
    layout: PageLayout,
    /// All rooms, for moderators only.
    rooms: Vec<RoomRow>,
    /// Whether calls and archives are on this server.
    is_here: bool,
}

struct RoomRow {
    slug: String,
    name: String,
    link: String,
    is_default: bool,
    people: usize,
    /// Why the number of people is unknown.
    problem: Option<String>,
    recording: Option<Elapsed>,
}

/// The time since something started.
struct Elapsed {
    ms: u64,
    clock: String,
}

impl RoomRow {
    fn facts(&self) -> String {
        if let Some(problem) = &self.problem {
            return format!("Can't tell who's in it: {problem}");
        }
        match self.people {
            0 => "Empty".to_owned(),
            count => people_count(count),
        }
    }
}

/// `GET /`
pub async fn home(app: web::Data<App>, visitor: Visitor) -> Result<HttpResponse, WebError> {
    let layout = visitor.layout(&app, Section::Rooms).await?;
    let rooms = if layout.moderator.is_some() {
        let rooms = app.rooms.list().await?;
        try_join_all(rooms.into_iter().map(|room| row(&app, room))).await?
    } else {
        Vec::new()
    };
    page(&HomePage {
        layout,
        rooms,
        is_here: !app.platform.info().is_remote(),
    })
}

async fn row(app: &App, room: Room) -> Result<RoomRow, WebError> {
    // While the platform is down, moderators still see and rename rooms.
    let (status, problem) = match status_of(app, &room.session).await {
        Ok(status) => (status, None),
        Err(problem @ (WebError::Unavailable(_) | WebError::Misconfigured(_))) => {
            (RoomStatus::default(), Some(problem.to_string()))
        }
        Err(problem) => return Err(problem),
    };
    Ok(RoomRow {
        link: guest_link(app, &room.slug),
        is_default: room.is_default(),
        people: status.people.len(),
        problem,
        recording: status.recording.map(|recording| Elapsed {
            ms: recording.elapsed_ms,
            clock: clock_time(recording.elapsed_ms),
        }),
        slug: room.slug.to_string(),
        name: room.name.to_string(),
    })
}

#[derive(Deserialize)]
pub struct RoomForm {
    name: String,
}

/// `POST /rooms`
pub async fn create_room(
    app: web::Data<App>,
    Form(form): Form<RoomForm>,
) -> Result<HttpResponse, WebError> {
    let name = Name::parse(&form.name)?;
    app.rooms.create(&name).await?;
    Ok(see_other("/"))
}

/// `POST /rooms/{room}/rename`
pub async fn rename_room(
    app: web::Data<App>,
    slug: web::Path<String>,
    Form(form): Form<RoomForm>,
) -> Result<HttpResponse, WebError> {
    let name = Name::parse(&form.name)?;
    let slug = Slug::parse(&slug).ok_or(WebError::RoomNotFound)?;
    room::rename(app.db(), &slug, &name).await?;
    Ok(see_other("/"))
}

/// `POST /rooms/{room}/delete`: deletes an empty room.
pub async fn delete_room(
    app: web::Data<App>,
    slug: web::Path<String>,
    _: Form<EmptyForm>,
) -> Result<HttpResponse, WebError> {
    let slug = Slug::parse(&slug).ok_or(WebError::RoomNotFound)?;
    app.rooms.delete_if_empty(&slug).await?;
    Ok(see_other("/"))
}
