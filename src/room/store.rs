//! The SQL of rooms.

use sqlx::SqlitePool;

use super::{DEFAULT_SLUG, Room, Slug};
use crate::{common::name::Name, opentok::SessionId};

struct Row {
    slug: String,
    name: String,
    session_id: String,
}

impl From<Row> for Room {
    fn from(row: Row) -> Room {
        Room {
            slug: Slug(row.slug),
            name: Name::from_saved(&row.name),
            session: SessionId::from(row.session_id),
        }
    }
}

pub(super) async fn count(db: &SqlitePool) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(r#"SELECT COUNT(*) AS "count: i64" FROM rooms"#)
        .fetch_one(db)
        .await
}

/// Inserts a room. Returns `false` if another room has the slug.
pub(super) async fn add(db: &SqlitePool, room: &Room, now_ms: i64) -> Result<bool, sqlx::Error> {
    let (slug, name) = (room.slug.as_str(), room.name.as_str());
    let session = room.session.as_str();
    let done = sqlx::query!(
        "INSERT INTO rooms (slug, name, session_id, created_at_ms)
         VALUES ($1, $2, $3, $4)
         ON CONFLICT (slug) DO NOTHING",
        slug,
        name,
        session,
        now_ms,
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

pub(super) async fn find(db: &SqlitePool, slug: &Slug) -> Result<Option<Room>, sqlx::Error> {
    let slug = slug.as_str();
    let row = sqlx::query_as!(
        Row,
        "SELECT slug, name, session_id
         FROM rooms
         WHERE slug = $1",
        slug,
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(Room::from))
}

pub(super) async fn list(db: &SqlitePool) -> Result<Vec<Room>, sqlx::Error> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT slug, name, session_id
         FROM rooms
         ORDER BY slug <> $1, name COLLATE NOCASE, slug",
        DEFAULT_SLUG,
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(Room::from).collect())
}

pub(super) async fn change_session(
    db: &SqlitePool,
    room: &Room,
    session: &SessionId,
) -> Result<(), sqlx::Error> {
    let (slug, before, session) = (room.slug.as_str(), room.session.as_str(), session.as_str());
    sqlx::query!(
        "UPDATE rooms
         SET session_id = $3
         WHERE slug = $1 AND session_id = $2",
        slug,
        before,
        session,
    )
    .execute(db)
    .await?;
    Ok(())
}

pub(super) async fn name_of(
    db: &SqlitePool,
    session: &SessionId,
) -> Result<Option<String>, sqlx::Error> {
    let session = session.as_str();
    sqlx::query_scalar!(
        "SELECT name
         FROM rooms
         WHERE session_id = $1",
        session,
    )
    .fetch_optional(db)
    .await
}

pub(super) async fn rename(db: &SqlitePool, slug: &Slug, name: &Name) -> Result<bool, sqlx::Error> {
    let (slug, name) = (slug.as_str(), name.as_str());
    let done = sqlx::query!("UPDATE rooms SET name = $2 WHERE slug = $1", slug, name)
        .execute(db)
        .await?;
    Ok(done.rows_affected() == 1)
}

pub(super) async fn delete(db: &SqlitePool, slug: &Slug) -> Result<bool, sqlx::Error> {
    let slug = slug.as_str();
    let done = sqlx::query!("DELETE FROM rooms WHERE slug = $1", slug)
        .execute(db)
        .await?;
    Ok(done.rows_affected() == 1)
}
