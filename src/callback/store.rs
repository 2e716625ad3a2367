//! The SQL of callbacks: where events go, and the events that wait. Those of archives are put there by triggers (see
//! `migrations/`), in one transaction with what they tell.

use sqlx::SqlitePool;

use super::{Callback, Topic};
use crate::{archive::ArchiveId, config::Secret};

/// Registers each topic, or gives it another url. Fewer come back than asked for if there is no such project.
pub(super) async fn register(
    db: &SqlitePool,
    api_key: u32,
    topics: &[Topic],
    url: &str,
    now_ms: i64,
) -> Result<Vec<Callback>, sqlx::Error> {
    let mut transaction = db.begin().await?;
    let mut registered = Vec::new();
    for topic in topics {
        let (id, name) = (uuid::Uuid::new_v4().to_string(), topic.to_string());
        let rows = sqlx::query!(
            r#"INSERT INTO callbacks (id, api_key, topic, url, created_at_ms)
               SELECT $1, api_key, $3, $4, $5
               FROM projects
               WHERE api_key = $2 AND revoked_at_ms IS NULL
               ON CONFLICT (api_key, topic) DO UPDATE SET url = excluded.url
               RETURNING id AS "id!", url AS "url!", created_at_ms AS "created_at_ms!""#,
            id,
            api_key,
            name,
            url,
            now_ms,
        )
        .fetch_all(&mut *transaction)
        .await?;
        registered.extend(rows.into_iter().map(|row| Callback {
            id: row.id,
            topic: *topic,
            url: row.url,
            created_at_ms: row.created_at_ms,
        }));
    }
    transaction.commit().await?;
    Ok(registered)
}

/// A project's, in the order of their registration.
pub(super) async fn list(db: &SqlitePool, api_key: u32) -> Result<Vec<Callback>, sqlx::Error> {
    let rows = sqlx::query!(
        "SELECT id, topic, url, created_at_ms
         FROM callbacks
         WHERE api_key = $1
         ORDER BY created_at_ms, rowid",
        api_key,
    )
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Callback {
                id: row.id,
                topic: Topic::parse(&row.topic).ok_or_else(|| damaged("topic"))?,
                url: row.url,
                created_at_ms: row.created_at_ms,
            })
        })
        .collect()
}

/// `false`: the project has no such callback. What waits for it goes with it.
pub(super) async fn remove(db: &SqlitePool, api_key: u32, id: &str) -> Result<bool, sqlx::Error> {
    let removed = sqlx::query!(
        "DELETE FROM callbacks
         WHERE api_key = $1 AND id = $2",
        api_key,
        id,
    )
    .execute(db)
    .await?;
    Ok(removed.rows_affected() == 1)
}

pub(super) async fn remove_all(db: &SqlitePool, api_key: u32) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "DELETE FROM callbacks
         WHERE api_key = $1",
        api_key,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// An event of a session, to be kept until it is delivered.
pub(super) struct NewEvent<'a> {
    pub callback: &'a str,
    pub api_key: u32,
    /// JSON.
    pub body: String,
    /// Unix time, ms.
    pub happened_at_ms: i64,
}

/// Keeps all of them, in their order, or none. A callback that is gone meanwhile is stepped over.
pub(super) async fn enqueue(db: &SqlitePool, events: &[NewEvent<'_>]) -> Result<(), sqlx::Error> {
    let mut transaction = db.begin().await?;
    for event in events {
        let id = format!("evt_{}", uuid::Uuid::new_v4().simple());
        sqlx::query!(
            "INSERT INTO callback_events (id, callback, api_key, body, created_at_ms, due_at_ms)
             SELECT $1, id, $3, $4, $5, $5
             FROM callbacks
             WHERE id = $2",
            id,
            event.callback,
            event.api_key,
            event.body,
            event.happened_at_ms,
        )
        .execute(&mut *transaction)
        .await?;
    }
    transaction.commit().await
}

/// Drops a project's oldest events, so that `most` are left. How many were dropped comes back.
pub(super) async fn trim(db: &SqlitePool, api_key: u32, most: u32) -> Result<u64, sqlx::Error> {
    let waiting = sqlx::query_scalar!(
        "SELECT COUNT(*)
         FROM callback_events
         WHERE api_key = $1",
        api_key,
    )
    .fetch_one(db)
    .await?;
    if waiting <= i64::from(most) {
        return Ok(0);
    }
    let dropped = sqlx::query!(
        "DELETE FROM callback_events
         WHERE api_key = $1
           AND seq <= (SELECT seq
                       FROM callback_events
                       WHERE api_key = $1
                       ORDER BY seq DESC
                       LIMIT 1 OFFSET $2)",
        api_key,
        most,
    )
    .execute(db)
    .await?;
    Ok(dropped.rows_affected())
}

/// The projects for which events wait.
pub(super) async fn projects(db: &SqlitePool) -> Result<Vec<u32>, sqlx::Error> {
    let keys = sqlx::query_scalar!(
        r#"SELECT DISTINCT api_key AS "api_key: u32"
           FROM callback_events"#
    )
    .fetch_all(db)
    .await?;
    Ok(keys)
}

/// How many events wait, of all projects.
pub(super) async fn count(db: &SqlitePool) -> Result<u64, sqlx::Error> {
    let count = sqlx::query_scalar!("SELECT COUNT(*) FROM callback_events")
        .fetch_one(db)
        .await?;
    Ok(u64::try_from(count).unwrap_or_default())
}

/// An event that waits, and all it takes to deliver it.
pub(super) struct Waiting {
    pub seq: i64,
    /// The same in every try.
    pub id: String,
    pub url: String,
    /// The project's, as it is now.
    pub secret: Secret,
    /// Of the archive whose status changed; `None`: it happened in a session.
    pub archive: Option<ArchiveId>,
    /// JSON: what is posted, or what of the archive's row had changed.
    pub body: String,
    /// Unix time, ms.
    pub happened_at_ms: i64,
    /// Those that failed.
    pub tries: u32,
    /// Unix time, ms.
    pub due_at_ms: i64,
}

/// The event whose turn it is in a project: the oldest that is due, or has failed so seldom that the others wait for it.
pub(super) async fn next(
    db: &SqlitePool,
    api_key: u32,
    holding_tries: u32,
    now_ms: i64,
) -> Result<Option<Waiting>, sqlx::Error> {
    let row = sqlx::query!(
        r#"SELECT event.seq, event.id, callback.url, project.api_secret, event.archive, event.body,
                  event.created_at_ms, event.tries AS "tries: u32", event.due_at_ms
           FROM callback_events AS event
           JOIN callbacks AS callback ON callback.id = event.callback
           JOIN projects AS project ON project.api_key = event.api_key
           WHERE event.api_key = $1 AND (event.tries <= $2 OR event.due_at_ms <= $3)
           ORDER BY event.seq
           LIMIT 1"#,
        api_key,
        holding_tries,
        now_ms,
    )
    .fetch_optional(db)
    .await?;
    row.map(|row| {
        let archive = row.archive.map(|id| ArchiveId::parse(&id));
        Ok(Waiting {
            seq: row.seq,
            id: row.id,
            url: row.url,
            secret: Secret::from(row.api_secret),
            archive: archive
                .map(|id| id.ok_or_else(|| damaged("archive")))
                .transpose()?,
            body: row.body,
            happened_at_ms: row.created_at_ms,
            tries: row.tries,
            due_at_ms: row.due_at_ms,
        })
    })
    .transpose()
}

/// When the first of a project's events is due; `None`: none waits.
pub(super) async fn due_at_ms(db: &SqlitePool, api_key: u32) -> Result<Option<i64>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT MIN(due_at_ms) AS "due_at_ms: i64"
           FROM callback_events
           WHERE api_key = $1"#,
        api_key,
    )
    .fetch_one(db)
    .await
}

/// Forgets an event: it is delivered, or nobody waits for it any more.
pub(super) async fn forget(db: &SqlitePool, seq: i64) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "DELETE FROM callback_events
         WHERE seq = $1",
        seq,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Notes that a try has failed.
pub(super) async fn put_off(
    db: &SqlitePool,
    seq: i64,
    tries: u32,
    due_at_ms: i64,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE callback_events
         SET tries = $2, due_at_ms = $3
         WHERE seq = $1",
        seq,
        tries,
        due_at_ms,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Has a project's events tried now that were put off.
pub(super) async fn hurry(db: &SqlitePool, api_key: u32, now_ms: i64) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE callback_events
         SET due_at_ms = $2
         WHERE api_key = $1 AND due_at_ms > $2",
        api_key,
        now_ms,
    )
    .execute(db)
    .await?;
    Ok(())
}

fn damaged(column: &str) -> sqlx::Error {
    sqlx::Error::Decode(format!("a damaged {column}").into())
}
