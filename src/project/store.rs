//! The SQL of projects and of the sessions they own.

use sqlx::SqlitePool;

use super::{NamedProject, Project};
use crate::{
    config::Secret,
    opentok::{MediaMode, Resolution, SessionId},
};

/// A session: a row of the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRecord {
    pub id: SessionId,
    pub api_key: u32,
    /// The URL of the project of the video platform that has it; empty: this server.
    pub platform: String,
    pub media_mode: MediaMode,
    /// No client can join it.
    pub is_closed: bool,
    /// `None`: it is archived on request only.
    pub always_archived: Option<AutoArchive>,
}

impl SessionRecord {
    /// Returns a routed session that is archived on request only.
    pub fn routed(id: SessionId, api_key: u32) -> SessionRecord {
        SessionRecord {
            id,
            api_key,
            platform: String::new(),
            media_mode: MediaMode::Routed,
            is_closed: false,
            always_archived: None,
        }
    }
}

/// The properties of archives that start with a session's first stream. OpenTok "archiveMode" always.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AutoArchive {
    /// OpenTok "archiveName".
    pub name: String,
    /// OpenTok "archiveResolution"; `None`: the server's default.
    pub resolution: Option<Resolution>,
}

pub(super) async fn put(
    db: &SqlitePool,
    project: &Project,
    now_ms: i64,
) -> Result<(), sqlx::Error> {
    let secret = project.api_secret.expose();
    sqlx::query!(
        "INSERT INTO projects (api_key, api_secret, created_at_ms)
         VALUES ($1, $2, $3)
         ON CONFLICT (api_key) DO UPDATE SET api_secret = excluded.api_secret, revoked_at_ms = NULL",
        project.api_key,
        secret,
        now_ms,
    )
    .execute(db)
    .await?;
    Ok(())
}

pub(super) async fn oldest(db: &SqlitePool) -> Result<Option<Project>, sqlx::Error> {
    let row = sqlx::query!(
        r#"SELECT api_key AS "api_key: u32", api_secret
           FROM projects
           WHERE name = '' AND revoked_at_ms IS NULL
           ORDER BY created_at_ms, api_key
           LIMIT 1"#
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(|row| Project {
        api_key: row.api_key,
        api_secret: Secret::from(row.api_secret),
    }))
}

pub(super) async fn find(db: &SqlitePool, api_key: u32) -> Result<Option<Project>, sqlx::Error> {
    let row = sqlx::query!(
        r#"SELECT api_key AS "api_key: u32", api_secret
           FROM projects
           WHERE api_key = $1 AND revoked_at_ms IS NULL"#,
        api_key,
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(|row| Project {
        api_key: row.api_key,
        api_secret: Secret::from(row.api_secret),
    }))
}

/// Returns `false` if the key exists already.
pub(super) async fn add(
    db: &SqlitePool,
    project: &Project,
    name: &str,
    now_ms: i64,
) -> Result<bool, sqlx::Error> {
    let secret = project.api_secret.expose();
    let added = sqlx::query!(
        "INSERT INTO projects (api_key, api_secret, name, created_at_ms)
         VALUES ($1, $2, $3, $4)
         ON CONFLICT (api_key) DO NOTHING",
        project.api_key,
        secret,
        name,
        now_ms,
    )
    .execute(db)
    .await?;
    Ok(added.rows_affected() == 1)
}

/// Inserts a revoked project, unless its key exists.
pub(super) async fn add_remote(
    db: &SqlitePool,
    project: &Project,
    now_ms: i64,
) -> Result<(), sqlx::Error> {
    let secret = project.api_secret.expose();
    sqlx::query!(
        "INSERT INTO projects (api_key, api_secret, created_at_ms, revoked_at_ms)
         VALUES ($1, $2, $3, $3)
         ON CONFLICT (api_key) DO NOTHING",
        project.api_key,
        secret,
        now_ms,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Returns the projects with a name, the oldest first.
pub(super) async fn named(db: &SqlitePool) -> Result<Vec<NamedProject>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"SELECT api_key AS "api_key: u32", name, created_at_ms, revoked_at_ms
           FROM projects
           WHERE name <> ''
           ORDER BY created_at_ms, api_key"#
    )
    .fetch_all(db)
    .await?;
    let project = rows.into_iter().map(|row| NamedProject {
        api_key: row.api_key,
        name: row.name,
        created_at_ms: row.created_at_ms,
        is_revoked: row.revoked_at_ms.is_some(),
    });
    Ok(project.collect())
}

/// Returns `false` if there is no such project with a name, or it is revoked.
pub(super) async fn set_secret(
    db: &SqlitePool,
    api_key: u32,
    secret: &Secret,
) -> Result<bool, sqlx::Error> {
    let secret = secret.expose();
    let changed = sqlx::query!(
        "UPDATE projects
         SET api_secret = $2
         WHERE api_key = $1 AND name <> '' AND revoked_at_ms IS NULL",
        api_key,
        secret,
    )
    .execute(db)
    .await?;
    Ok(changed.rows_affected() == 1)
}

/// Returns the same as [`set_secret`].
pub(super) async fn revoke(
    db: &SqlitePool,
    api_key: u32,
    now_ms: i64,
) -> Result<bool, sqlx::Error> {
    let changed = sqlx::query!(
        "UPDATE projects
         SET revoked_at_ms = $2
         WHERE api_key = $1 AND name <> '' AND revoked_at_ms IS NULL",
        api_key,
        now_ms,
    )
    .execute(db)
    .await?;
    Ok(changed.rows_affected() == 1)
}

/// Inserts a session.
///
/// # Errors
/// The database query fails.
pub async fn add_session(
    db: &SqlitePool,
    session: &SessionRecord,
    now_ms: i64,
) -> Result<(), sqlx::Error> {
    let (id, media_mode) = (session.id.as_str(), session.media_mode.as_str());
    let auto = session.always_archived.clone();
    let archive_mode = if auto.is_some() { "always" } else { "manual" };
    let AutoArchive { name, resolution } = auto.unwrap_or_default();
    let resolution = resolution.map_or("", Resolution::as_str);
    sqlx::query!(
        "INSERT INTO sessions (id, api_key, platform, media_mode, archive_mode, archive_name, archive_resolution,
                               created_at_ms)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        id,
        session.api_key,
        session.platform,
        media_mode,
        archive_mode,
        name,
        resolution,
        now_ms,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Returns the session with this id.
///
/// # Errors
/// The database query fails.
pub async fn find_session(
    db: &SqlitePool,
    id: &SessionId,
) -> Result<Option<SessionRecord>, sqlx::Error> {
    let text = id.as_str();
    let row = sqlx::query!(
        r#"SELECT api_key AS "api_key: u32", platform, media_mode, closed_at_ms, archive_mode, archive_name,
                  archive_resolution
           FROM sessions
           WHERE id = $1"#,
        text,
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(|row| SessionRecord {
        id: id.clone(),
        api_key: row.api_key,
        platform: row.platform,
        media_mode: row.media_mode.parse().unwrap_or_default(),
        always_archived: (row.archive_mode == "always").then(|| AutoArchive {
            name: row.archive_name,
            resolution: row.archive_resolution.parse().ok(),
        }),
        is_closed: row.closed_at_ms.is_some(),
    }))
}

/// Records that a client was admitted to the session. Only the first time is stored.
///
/// # Errors
/// The database query fails.
pub async fn record_joined(
    db: &SqlitePool,
    id: &SessionId,
    now_ms: i64,
) -> Result<(), sqlx::Error> {
    // Most calls only read, so they do not wait for the database's single writer.
    if was_joined(db, id).await? {
        return Ok(());
    }
    let text = id.as_str();
    sqlx::query!(
        "UPDATE sessions
         SET first_joined_at_ms = $1
         WHERE id = $2 AND first_joined_at_ms IS NULL",
        now_ms,
        text,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Closes a session permanently.
///
/// # Errors
/// The database query fails.
pub async fn close_session(
    db: &SqlitePool,
    id: &SessionId,
    now_ms: i64,
) -> Result<(), sqlx::Error> {
    let text = id.as_str();
    sqlx::query!(
        "UPDATE sessions
         SET closed_at_ms = $1
         WHERE id = $2 AND closed_at_ms IS NULL",
        now_ms,
        text,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Whether a client was ever admitted to the session.
///
/// # Errors
/// The database query fails.
pub async fn was_joined(db: &SqlitePool, id: &SessionId) -> Result<bool, sqlx::Error> {
    let text = id.as_str();
    let row = sqlx::query!(
        r#"SELECT first_joined_at_ms IS NOT NULL AS "was_joined!: bool"
           FROM sessions
           WHERE id = $1"#,
        text,
    )
    .fetch_optional(db)
    .await?;
    Ok(row.is_some_and(|row| row.was_joined))
}

/// Returns the time at which the project was created: Unix time, ms.
///
/// # Errors
/// The database query fails.
pub async fn created_at_ms(db: &SqlitePool, api_key: u32) -> Result<Option<i64>, sqlx::Error> {
    let row = sqlx::query!(
        "SELECT created_at_ms
         FROM projects
         WHERE api_key = $1",
        api_key,
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(|row| row.created_at_ms))
}
