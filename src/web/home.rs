//! The home page, and the rooms that moderators make, rename and delete there.

use actix_web::{HttpResponse, web};
use askama::Template;
use futures_util::future::try_join_all;
use serde::Deserialize;

use super::{
    change::{Change, Nothing},
    error::PageError,
    room::{find, guest_link, status_of},
    shell::{Section, Shell, clock_time, filters, page, people_count, see_other},
    visitor::{SignedIn, Visitor},
};
use crate::{
    app::App,
    clock::now_ms,
    room::{self, Name, Room},
};

#[derive(Template)]
#[template(path = "home.html")]
struct HomePage {
    shell: Shell,
    /// All rooms, for moderators; nobody else is told which rooms there are.
    rooms: Vec<RoomRow>,
}

struct RoomRow {
    slug: String,
    name: String,
    link: String,
    is_default: bool,
    people: usize,
    recording: Option<Elapsed>,
}

/// How long something has been going on.
struct Elapsed {
    ms: u64,
    clock: String,
}

impl RoomRow {
    fn facts(&self) -> String {
        match self.people {
            0 => "Empty".to_owned(),
            count => people_count(count),
        }
    }
}

/// `GET /`
pub async fn home(app: web::Data<App>, visitor: Visitor) -> Result<HttpResponse, PageError> {
    let shell = visitor.shell(&app, Section::Rooms).await?;
    let rooms = if shell.moderator.is_some() {
        room::default_room(
            app.db(),
            async { Ok::<_, PageError>(app.platform.create_session().await?) },
            now_ms(),
        )
        .await?;
        let rooms = room::list(app.db()).await?;
        try_join_all(rooms.into_iter().map(|room| row(&app, room))).await?
    } else {
        Vec::new()
    };
    page(&HomePage { shell, rooms })
}

async fn row(app: &App, room: Room) -> Result<RoomRow, PageError> {
    let status = status_of(app, &room.session).await?;
    Ok(RoomRow {
        link: guest_link(app, &room.slug),
        is_default: room.is_default(),
        people: status.people.len(),
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
    _: SignedIn,
    Change(form): Change<RoomForm>,
) -> Result<HttpResponse, PageError> {
    let name = Name::parse(&form.name)?;
    let session = app.platform.create_session().await?;
    room::create(app.db(), &name, &session, now_ms()).await?;
    Ok(see_other("/"))
}

/// `POST /rooms/{room}/rename`
pub async fn rename_room(
    app: web::Data<App>,
    _: SignedIn,
    slug: web::Path<String>,
    Change(form): Change<RoomForm>,
) -> Result<HttpResponse, PageError> {
    let name = Name::parse(&form.name)?;
    let room = find(&app, &slug).await?;
    room::rename(app.db(), &room.slug, &name).await?;
    Ok(see_other("/"))
}

/// `POST /rooms/{room}/delete`: only an empty room, so that nobody is left in a call without a door.
pub async fn delete_room(
    app: web::Data<App>,
    _: SignedIn,
    slug: web::Path<String>,
    _: Change<Nothing>,
) -> Result<HttpResponse, PageError> {
    let room = find(&app, &slug).await?;
    let status = status_of(&app, &room.session).await?;
    if status.recording.is_some() {
        return Err(PageError::Conflict(format!(
            "{} is being recorded; stop the archive first",
            room.name
        )));
    }
    if !status.people.is_empty() {
        return Err(PageError::Conflict(format!(
            "{} is not empty: {} inside",
            room.name,
            people_count(status.people.len())
        )));
    }
    room::delete(app.db(), &room.slug).await?;
    Ok(see_other("/"))
}
