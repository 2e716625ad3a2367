//! The SQL of webhooks: registrations, and the outbox of waiting events. The rows of archive events are written in the transaction that
//! changes the archive (`archive/store/outbox.rs`).

use sqlx::SqlitePool;

use super::{Callback, Topic};
use crate::config::Secret;

/// Registers each topic, or changes its URL. Returns an empty list if the project does not exist or is revoked.
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

/// Lists the callbacks of a project in the order of their registration.
///
/// # Errors
/// Fails if the database does not answer.
pub async fn list(db: &SqlitePool, api_key: u32) -> Result<Vec<Callback>, sqlx::Error> {
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
                topic: Topic::parse(&row.topic).ok_or_else(|| malformed("topic"))?,
                url: row.url,
                created_at_ms: row.created_at_ms,
            })
        })
        .collect()
}

/// Removes a callback of a project and its waiting events. Returns `false` if it does not exist.
///
/// # Errors
/// Fails if the database does not answer.
pub async fn unregister(db: &SqlitePool, api_key: u32, id: &str) -> Result<bool, sqlx::Error> {
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

/// Removes all callbacks of a project and their waiting events.
///
/// # Errors
/// Fails if the database does not answer.
pub async fn unregister_all(db: &SqlitePool, api_key: u32) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "DELETE FROM callbacks
         WHERE api_key = $1",
        api_key,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// A session event for the outbox.
pub(super) struct NewEvent<'a> {
    pub callback: &'a str,
    pub api_key: u32,
    /// JSON.
    pub body: String,
    /// Unix time, ms.
    pub occurred_at_ms: i64,
}

/// Adds all events in their order, or none. Skips the events of callbacks that no longer exist.
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
            event.occurred_at_ms,
        )
        .execute(&mut *transaction)
        .await?;
    }
    transaction.commit().await
}

/// Drops the oldest events of one topic of a project until `max` are left. Returns the number of dropped events.
pub(super) async fn trim(
    db: &SqlitePool,
    api_key: u32,
    topic: Topic,
    max: u32,
) -> Result<u64, sqlx::Error> {
    let topic = topic.to_string();
    let newest_excess = sqlx::query!(
        "SELECT event.callback, event.seq
         FROM callbacks
         JOIN callback_events AS event ON event.callback = callbacks.id
         WHERE callbacks.api_key = $1 AND callbacks.topic = $2
         ORDER BY event.seq DESC
         LIMIT 1 OFFSET $3",
        api_key,
        topic,
        max,
    )
    .fetch_optional(db)
    .await?;
    let Some(newest_excess) = newest_excess else {
        return Ok(0);
    };
    let dropped = sqlx::query!(
        "DELETE FROM callback_events
         WHERE callback = $1 AND seq <= $2",
        newest_excess.callback,
        newest_excess.seq,
    )
    .execute(db)
    .await?;
    Ok(dropped.rows_affected())
}

/// One URL of a project, which may receive several topics.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Receiver {
    pub api_key: u32,
    pub url: String,
}

/// Lists the receivers that have waiting events.
pub(super) async fn receivers(db: &SqlitePool) -> Result<Vec<Receiver>, sqlx::Error> {
    sqlx::query_as!(
        Receiver,
        r#"SELECT DISTINCT api_key AS "api_key: u32", url
           FROM callbacks
           WHERE EXISTS (SELECT 1 FROM callback_events WHERE callback = callbacks.id)"#
    )
    .fetch_all(db)
    .await
}

/// Counts the waiting events of all projects.
pub(super) async fn count(db: &SqlitePool) -> Result<u64, sqlx::Error> {
    let count = sqlx::query_scalar!("SELECT COUNT(*) FROM callback_events")
        .fetch_one(db)
        .await?;
    Ok(u64::try_from(count).unwrap_or_default())
}

/// A waiting event with everything that its delivery needs.
pub(super) struct WaitingEvent {
    pub seq: i64,
    /// The same in every attempt.
    pub id: String,
    /// The current secret of the project.
    pub secret: Secret,
    /// The id of the archive whose status changed; `None`: a session event.
    pub archive: Option<String>,
    /// JSON: the payload of a session event, or the changed columns of an archive.
    pub body: String,
    /// Unix time, ms.
    pub occurred_at_ms: i64,
    /// Failed attempts.
    pub attempts: u32,
    /// Unix time, ms.
    pub due_at_ms: i64,
}

/// Returns the next event of a receiver: the oldest that is due or still blocks the later ones.
pub(super) async fn next(
    db: &SqlitePool,
    receiver: &Receiver,
    blocking_attempts: u32,
    now_ms: i64,
) -> Result<Option<WaitingEvent>, sqlx::Error> {
    // The index of a callback begins with its oldest event, so the length of the queue costs nothing.
    let row = sqlx::query!(
        r#"SELECT event.seq AS "seq!", event.id, project.api_secret, event.archive, event.body,
                  event.created_at_ms, event.attempts AS "attempts: u32", event.due_at_ms
           FROM callbacks AS callback
           JOIN callback_events AS event
             ON event.seq = (SELECT seq
                             FROM callback_events
                             WHERE callback = callback.id AND (attempts < $3 OR due_at_ms <= $4)
                             ORDER BY seq
                             LIMIT 1)
           JOIN projects AS project ON project.api_key = callback.api_key
           WHERE callback.api_key = $1 AND callback.url = $2
           ORDER BY event.seq
           LIMIT 1"#,
        receiver.api_key,
        receiver.url,
        blocking_attempts,
        now_ms,
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(|row| WaitingEvent {
        seq: row.seq,
        id: row.id,
        secret: Secret::from(row.api_secret),
        archive: row.archive,
        body: row.body,
        occurred_at_ms: row.created_at_ms,
        attempts: row.attempts,
        due_at_ms: row.due_at_ms,
    }))
}

/// Returns the earliest due time of a receiver's events; `None`: none waits.
pub(super) async fn due_at_ms(
    db: &SqlitePool,
    receiver: &Receiver,
) -> Result<Option<i64>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT MIN(due_at_ms) AS "due_at_ms: i64"
           FROM callback_events
           WHERE callback IN (SELECT id FROM callbacks WHERE api_key = $1 AND url = $2)"#,
        receiver.api_key,
        receiver.url,
    )
    .fetch_one(db)
    .await
}

/// Deletes an event that was delivered or given up.
pub(super) async fn delete(db: &SqlitePool, seq: i64) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "DELETE FROM callback_events
         WHERE seq = $1",
        seq,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Saves a failed attempt.
pub(super) async fn retry_later(
    db: &SqlitePool,
    seq: i64,
    attempts: u32,
    due_at_ms: i64,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE callback_events
         SET attempts = $2, due_at_ms = $3
         WHERE seq = $1",
        seq,
        attempts,
        due_at_ms,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Makes the waiting events of a receiver due now, except those that have failed `max_attempts` times.
pub(super) async fn retry_now(
    db: &SqlitePool,
    receiver: &Receiver,
    max_attempts: u32,
    now_ms: i64,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE callback_events
         SET due_at_ms = $3
         WHERE due_at_ms > $3
           AND attempts > 0
           AND attempts < $4
           AND callback IN (SELECT id FROM callbacks WHERE api_key = $1 AND url = $2)",
        receiver.api_key,
        receiver.url,
        now_ms,
        max_attempts,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Deletes the events of a receiver that happened before this time. Returns their number.
pub(super) async fn delete_before(
    db: &SqlitePool,
    receiver: &Receiver,
    before_ms: i64,
) -> Result<u64, sqlx::Error> {
    let deleted = sqlx::query!(
        "DELETE FROM callback_events
         WHERE created_at_ms < $3
           AND callback IN (SELECT id FROM callbacks WHERE api_key = $1 AND url = $2)",
        receiver.api_key,
        receiver.url,
        before_ms,
    )
    .execute(db)
    .await?;
    Ok(deleted.rows_affected())
}

fn malformed(column: &str) -> sqlx::Error {
    sqlx::Error::Decode(format!("a malformed {column}").into())
}
