//! Rooms: named places, each with a session of its own.
//!
//! A room's *slug* identifies it in URLs and never changes, so shared links keep working. Its *name* is for people, and
//! moderators can change it.

mod store;

use std::fmt;

use serde::Serialize;
use sqlx::SqlitePool;

use crate::{common::name::Name, opentok::SessionId};

/// The room behind `/host` and `/participant`.
pub const DEFAULT_SLUG: &str = "main";

/// The default room's first name; moderators can change it.
pub const DEFAULT_NAME: &str = "Main room";

/// Maximum number of rooms. More are a mistake or an attack.
const MAX_ROOMS: i64 = 1000;

/// Maximum length of a slug, in characters.
const MAX_SLUG_CHARS: usize = 40;

/// A room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Room {
    pub slug: Slug,
    pub name: Name,
    pub session: SessionId,
}

impl Room {
    pub fn is_default(&self) -> bool {
        self.slug.as_str() == DEFAULT_SLUG
    }
}

/// A room's identifier in URLs: 1–40 lower-case letters and digits, with single hyphens between them.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct Slug(String);

impl Slug {
    /// `None` if `text` is not a slug; then no room has it.
    pub fn parse(text: &str) -> Option<Slug> {
        let is_slug = (1..=MAX_SLUG_CHARS).contains(&text.len())
            && text
                .bytes()
                .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
            && !text.starts_with('-')
            && !text.ends_with('-')
            && !text.contains("--");
        is_slug.then(|| Slug(text.to_owned()))
    }

    /// The slug of the default room.
    pub fn of_default_room() -> Slug {
        Slug(DEFAULT_SLUG.to_owned())
    }

    /// A slug derived from the name of a room. `attempt` counts from 1 and distinguishes rooms of the same name.
    fn derive(name: &Name, attempt: u32) -> Slug {
        let suffix = if attempt == 1 {
            String::new()
        } else {
            format!("-{attempt}")
        };
        let mut slug = String::new();
        for letter in name.as_str().chars().flat_map(char::to_lowercase) {
            if letter.is_ascii_alphanumeric() {
                slug.push(letter);
            } else if !slug.is_empty() && !slug.ends_with('-') {
                slug.push('-');
            }
            if slug.len() + suffix.len() >= MAX_SLUG_CHARS {
                break;
            }
        }
        let stem = match slug.trim_end_matches('-') {
            "" => "room",
            stem => stem,
        };
        Slug(format!("{stem}{suffix}"))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a room was not created, renamed or deleted.
#[derive(Debug, thiserror::Error)]
pub enum RoomError {
    #[error("there is no room {0}")]
    NotFound(Slug),
    #[error("the main room cannot be deleted, because fixed links lead to it")]
    Default,
    #[error("there are already {MAX_ROOMS} rooms; delete one first")]
    TooMany,
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// Creates a room with `session`, which must exist and belong to no other room.
///
/// # Errors
/// [`RoomError::TooMany`], or the database.
pub async fn create(
    db: &SqlitePool,
    name: &Name,
    session: &SessionId,
    now_ms: i64,
) -> Result<Room, RoomError> {
    if store::count(db).await? >= MAX_ROOMS {
        return Err(RoomError::TooMany);
    }
    let attempts = u32::try_from(MAX_ROOMS).unwrap_or(u32::MAX) + 1;
    for attempt in 1..=attempts {
        let room = Room {
            slug: Slug::derive(name, attempt),
            name: name.clone(),
            session: session.clone(),
        };
        if store::add(db, &room, now_ms).await? {
            return Ok(room);
        }
    }
    Err(RoomError::TooMany)
}

/// The default room. If it is missing, it is created with the session of `new_session`.
///
/// Of concurrent calls the first creates the room, and all return it.
///
/// # Errors
/// The error of `new_session`, or the database's.
pub async fn default_room<E: From<sqlx::Error>>(
    db: &SqlitePool,
    new_session: impl Future<Output = Result<SessionId, E>>,
    now_ms: i64,
) -> Result<Room, E> {
    let slug = Slug::of_default_room();
    if let Some(room) = store::find(db, &slug).await? {
        return Ok(room);
    }
    let room = Room {
        slug: slug.clone(),
        name: Name::from_saved(DEFAULT_NAME),
        session: new_session.await?,
    };
    store::add(db, &room, now_ms).await?;
    Ok(store::find(db, &slug).await?.unwrap_or(room))
}

/// # Errors
/// The database query fails.
pub async fn find(db: &SqlitePool, slug: &Slug) -> Result<Option<Room>, sqlx::Error> {
    store::find(db, slug).await
}

/// All rooms: the default one first, then by name.
///
/// # Errors
/// The database query fails.
pub async fn list(db: &SqlitePool) -> Result<Vec<Room>, sqlx::Error> {
    store::list(db).await
}

/// Replaces the session of a room, unless a concurrent call has replaced it. Returns the stored room.
///
/// # Errors
/// The database query fails.
pub async fn change_session(
    db: &SqlitePool,
    room: Room,
    session: &SessionId,
) -> Result<Room, sqlx::Error> {
    store::change_session(db, &room, session).await?;
    Ok(store::find(db, &room.slug).await?.unwrap_or(room))
}

/// The name of the room that has the session.
///
/// # Errors
/// The database query fails.
pub async fn name_of(db: &SqlitePool, session: &SessionId) -> Result<Option<String>, sqlx::Error> {
    store::name_of(db, session).await
}

/// # Errors
/// [`RoomError::NotFound`], or the database.
pub async fn rename(db: &SqlitePool, slug: &Slug, name: &Name) -> Result<(), RoomError> {
    if store::rename(db, slug, name).await? {
        Ok(())
    } else {
        Err(RoomError::NotFound(slug.clone()))
    }
}

/// Deletes the row of a room. Its archives stay. To delete a room that may be in use, call
/// [`Rooms::delete_if_empty`](crate::platform::Rooms::delete_if_empty).
///
/// # Errors
/// [`RoomError::Default`], [`RoomError::NotFound`], or the database.
pub async fn delete(db: &SqlitePool, slug: &Slug) -> Result<(), RoomError> {
    if slug.as_str() == DEFAULT_SLUG {
        return Err(RoomError::Default);
    }
    if store::delete(db, slug).await? {
        Ok(())
    } else {
        Err(RoomError::NotFound(slug.clone()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::project::{self, SessionRecord};

    async fn session(db: &SqlitePool) -> SessionId {
        let project = project::of_pages(db, None, 1).await.unwrap();
        let id = SessionId::generate(project.api_key, "", 1);
        let record = SessionRecord::routed(id, project.api_key);
        project::add_session(db, &record, 1).await.unwrap();
        record.id
    }

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    proptest! {
        #[test]
        fn every_name_gets_a_slug_that_can_be_read_back(text in "\\PC{1,80}", attempt in 1_u32..2000) {
            if let Ok(name) = Name::parse(&text) {
                let slug = Slug::derive(&name, attempt);
                prop_assert_eq!(Slug::parse(slug.as_str()), Some(slug));
            }
        }
    }

    #[test]
    fn a_slug_reads_like_the_name() {
        assert_eq!(
            Slug::derive(&name("Weekly review!"), 1).as_str(),
            "weekly-review"
        );
        assert_eq!(
            Slug::derive(&name("Weekly review!"), 3).as_str(),
            "weekly-review-3"
        );
        assert_eq!(Slug::derive(&name("会議"), 1).as_str(), "room");
    }

    #[test]
    fn a_text_that_could_break_a_url_is_not_a_slug() {
        for text in ["", "Main", "a/b", "..", "-a", "a-", "a--b", "a b", "é"] {
            assert_eq!(Slug::parse(text), None, "{text}");
        }
    }

    #[sqlx::test]
    async fn rooms_of_the_same_name_get_links_of_their_own(db: SqlitePool) {
        let first = create(&db, &name("Review"), &session(&db).await, 1)
            .await
            .unwrap();
        let second = create(&db, &name("Review"), &session(&db).await, 2)
            .await
            .unwrap();
        assert_eq!(first.slug.as_str(), "review");
        assert_eq!(second.slug.as_str(), "review-2");
    }

    #[sqlx::test]
    async fn the_default_room_is_made_once_and_stays(db: SqlitePool) {
        let fresh = async { Ok::<_, sqlx::Error>(session(&db).await) };
        let made = default_room(&db, fresh, 1).await.unwrap();
        let never = async { Err(sqlx::Error::RowNotFound) };
        assert_eq!(default_room(&db, never, 2).await.unwrap(), made);
        let refused = delete(&db, &made.slug).await;
        assert!(matches!(refused, Err(RoomError::Default)));
    }

    #[sqlx::test]
    async fn of_two_concurrent_changes_of_a_rooms_session_the_first_wins(db: SqlitePool) {
        let (old, first, second) = (session(&db).await, session(&db).await, session(&db).await);
        let room = create(&db, &name("Review"), &old, 1).await.unwrap();
        let changed = change_session(&db, room.clone(), &first).await.unwrap();
        assert_eq!(changed.session, first);
        let late = change_session(&db, room, &second).await.unwrap();
        assert_eq!(late, changed);
        assert_eq!(name_of(&db, &first).await.unwrap().unwrap(), "Review");
        assert_eq!(name_of(&db, &old).await.unwrap(), None);
    }

    #[sqlx::test]
    async fn a_renamed_room_keeps_its_link_and_a_deleted_one_is_gone(db: SqlitePool) {
        let room = create(&db, &name("Review"), &session(&db).await, 1)
            .await
            .unwrap();

        rename(&db, &room.slug, &name("Retrospective"))
            .await
            .unwrap();
        let found = find(&db, &room.slug).await.unwrap().unwrap();
        assert_eq!(found.name.as_str(), "Retrospective");

        delete(&db, &room.slug).await.unwrap();
        assert_eq!(find(&db, &room.slug).await.unwrap(), None);
        let again = rename(&db, &room.slug, &name("Third")).await;
        assert!(matches!(again, Err(RoomError::NotFound(_))));
    }
}
