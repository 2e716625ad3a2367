//! The SQL of callbacks: where events go, and the events that wait. Those of archives are put there by triggers (see
//! `migrations/`), in one transaction with what they tell.

use sqlx::SqlitePool;

use super::{Callback, Topic};
use crate::config::Secret;

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

/// A project's callbacks, in the order of their registration.
///
/// # Errors
/// When the database does not answer.
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
                topic: Topic::parse(&row.topic).ok_or_else(|| damaged("topic"))?,
                url: row.url,
                created_at_ms: row.created_at_ms,
            })
        })
        .collect()
}

/// Ends one callback of a project; what waits for it is dropped. `false`: there is none.
///
/// # Errors
/// When the database does not answer.
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

/// Ends all callbacks of a project; what waits for them is dropped.
///
/// # Errors
/// When the database does not answer.
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

/// Drops the oldest events of one topic of a project, so that `most` are left. How many were dropped comes back.
pub(super) async fn trim(
    db: &SqlitePool,
    api_key: u32,
    topic: Topic,
    most: u32,
) -> Result<u64, sqlx::Error> {
    let topic = topic.to_string();
    let newest_too_much = sqlx::query!(
        "SELECT event.callback, event.seq
         FROM callbacks
         JOIN callback_events AS event ON event.callback = callbacks.id
         WHERE callbacks.api_key = $1 AND callbacks.topic = $2
         ORDER BY event.seq DESC
         LIMIT 1 OFFSET $3",
        api_key,
        topic,
        most,
    )
    .fetch_optional(db)
    .await?;
    let Some(newest_too_much) = newest_too_much else {
        return Ok(0);
    };
    let dropped = sqlx::query!(
        "DELETE FROM callback_events
         WHERE callback = $1 AND seq <= $2",
        newest_too_much.callback,
        newest_too_much.seq,
    )
    .execute(db)
    .await?;
    Ok(dropped.rows_affected())
}

/// Whoever takes the events of a project at one url. Of several topics with the same url it is the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Receiver {
    pub api_key: u32,
    pub url: String,
}

/// The receivers for which events wait.
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
    /// The project's, as it is now.
    pub secret: Secret,
    /// The id of the archive whose status changed; `None`: it happened in a session.
    pub archive: Option<String>,
    /// JSON: what is posted, or what of the archive's row had changed.
    pub body: String,
    /// Unix time, ms.
    pub happened_at_ms: i64,
    /// Those that failed.
    pub tries: u32,
    /// Unix time, ms.
    pub due_at_ms: i64,
}

/// The event whose turn it is with a receiver: the oldest that is due, or has failed so seldom that the others wait for it.
pub(super) async fn next(
    db: &SqlitePool,
    receiver: &Receiver,
    holding_tries: u32,
    now_ms: i64,
) -> Result<Option<Waiting>, sqlx::Error> {
    // The index of each callback has its oldest event at its head, however many wait behind it.
    let row = sqlx::query!(
        r#"SELECT event.seq AS "seq!", event.id, project.api_secret, event.archive, event.body,
                  event.created_at_ms, event.tries AS "tries: u32", event.due_at_ms
           FROM callbacks AS callback
           JOIN callback_events AS event
             ON event.seq = (SELECT seq
                             FROM callback_events
                             WHERE callback = callback.id AND (tries < $3 OR due_at_ms <= $4)
                             ORDER BY seq
                             LIMIT 1)
           JOIN projects AS project ON project.api_key = callback.api_key
           WHERE callback.api_key = $1 AND callback.url = $2
           ORDER BY event.seq
           LIMIT 1"#,
        receiver.api_key,
        receiver.url,
        holding_tries,
        now_ms,
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(|row| Waiting {
        seq: row.seq,
        id: row.id,
        secret: Secret::from(row.api_secret),
        archive: row.archive,
        body: row.body,
        happened_at_ms: row.created_at_ms,
        tries: row.tries,
        due_at_ms: row.due_at_ms,
    }))
}

/// When the first of a receiver's events is due; `None`: none waits.
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

/// Notes that a try has failed. One in the event's turn earns an early one (see [`hurry`]); one that was early does not.
pub(super) async fn put_off(
    db: &SqlitePool,
    seq: i64,
    tries: u32,
    due_at_ms: i64,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE callback_events
         SET tries = $2, due_at_ms = $3, early = CASE early WHEN 'given' THEN '' ELSE 'earned' END
         WHERE seq = $1",
        seq,
        tries,
        due_at_ms,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Has those of a receiver's events tried now that have earned it and are due later.
pub(super) async fn hurry(
    db: &SqlitePool,
    receiver: &Receiver,
    now_ms: i64,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE callback_events
         SET due_at_ms = $3, early = 'given'
         WHERE early = 'earned'
           AND due_at_ms > $3
           AND callback IN (SELECT id FROM callbacks WHERE api_key = $1 AND url = $2)",
        receiver.api_key,
        receiver.url,
        now_ms,
    )
    .execute(db)
    .await?;
    Ok(())
}

fn damaged(column: &str) -> sqlx::Error {
    sqlx::Error::Decode(format!("a damaged {column}").into())
}
