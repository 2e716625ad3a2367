//! The SQL of presence: the session where buddies meet, and what is remembered of them while they are away.

use sqlx::SqlitePool;

use super::{Availability, UserId};
use crate::{common::name::Name, opentok::SessionId};

/// The presence session of a project.
///
/// # Errors
/// When the database does not answer.
pub async fn session(db: &SqlitePool, api_key: u32) -> Result<Option<SessionId>, sqlx::Error> {
    let id = sqlx::query_scalar!(
        "SELECT session_id
         FROM presence_sessions
         WHERE api_key = $1",
        api_key,
    )
    .fetch_optional(db)
    .await?;
    Ok(id.map(SessionId::from))
}

/// Keeps the presence session of a project, unless there is one.
///
/// # Errors
/// When the database does not answer.
pub async fn save_session(
    db: &SqlitePool,
    api_key: u32,
    session: &SessionId,
) -> Result<(), sqlx::Error> {
    let session = session.as_str();
    sqlx::query!(
        "INSERT INTO presence_sessions (api_key, session_id)
         VALUES ($1, $2)
         ON CONFLICT (api_key) DO NOTHING",
        api_key,
        session,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Keeps the name of somebody who comes.
///
/// # Errors
/// When the database does not answer.
pub async fn save_name(
    db: &SqlitePool,
    user: UserId,
    name: &Name,
    now_ms: i64,
) -> Result<(), sqlx::Error> {
    let (user, name) = (user.to_string(), name.as_str());
    sqlx::query!(
        "INSERT INTO buddies (id, name, seen_at_ms)
         VALUES ($1, $2, $3)
         ON CONFLICT (id) DO UPDATE SET name = excluded.name, seen_at_ms = excluded.seen_at_ms",
        user,
        name,
        now_ms,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Keeps what somebody chose to be.
///
/// # Errors
/// When the database does not answer.
pub async fn save_availability(
    db: &SqlitePool,
    user: UserId,
    availability: Availability,
    now_ms: i64,
) -> Result<(), sqlx::Error> {
    let user = user.to_string();
    let availability = word(availability);
    sqlx::query!(
        "UPDATE buddies
         SET availability = $2, seen_at_ms = $3
         WHERE id = $1",
        user,
        availability,
        now_ms,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The name of somebody who was here once.
///
/// # Errors
/// When the database does not answer.
pub async fn name(db: &SqlitePool, user: UserId) -> Result<Option<String>, sqlx::Error> {
    let user = user.to_string();
    sqlx::query_scalar!(
        "SELECT name
         FROM buddies
         WHERE id = $1",
        user,
    )
    .fetch_optional(db)
    .await
}

/// Those who chose not to be available, and were seen after `since_ms`; the latest first, at most `limit`.
///
/// # Errors
/// When the database does not answer.
pub async fn not_available(
    db: &SqlitePool,
    since_ms: i64,
    limit: u32,
) -> Result<Vec<(UserId, Availability)>, sqlx::Error> {
    let rows = sqlx::query!(
        "SELECT id, availability
         FROM buddies
         WHERE availability <> 'available' AND seen_at_ms > $1
         ORDER BY seen_at_ms DESC
         LIMIT $2",
        since_ms,
        limit,
    )
    .fetch_all(db)
    .await?;
    let kept = rows.into_iter().filter_map(|row| {
        let availability = [Availability::DoNotDisturb, Availability::Invisible]
            .into_iter()
            .find(|availability| word(*availability) == row.availability)?;
        Some((UserId::parse(&row.id)?, availability))
    });
    Ok(kept.collect())
}

fn word(availability: Availability) -> &'static str {
    match availability {
        Availability::Available => "available",
        Availability::DoNotDisturb => "doNotDisturb",
        Availability::Invisible => "invisible",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[sqlx::test]
    async fn the_first_presence_session_stays(db: SqlitePool) {
        let project = crate::project::of_pages(&db, None, 1).await.unwrap();
        let key = project.api_key;
        assert_eq!(session(&db, key).await.unwrap(), None);
        for id in ["2_first", "2_second"] {
            save_session(&db, key, &SessionId::from(id)).await.unwrap();
        }
        let kept = session(&db, key).await.unwrap();
        assert_eq!(kept, Some(SessionId::from("2_first")));
    }

    #[sqlx::test]
    async fn what_somebody_chose_is_remembered_with_the_latest_name(db: SqlitePool) {
        let (ann, bob) = (UserId::random(), UserId::random());
        let named = |text| Name::parse(text).unwrap();
        for (user, text) in [(ann, "Ann"), (bob, "Bob"), (ann, "Anna <b>")] {
            save_name(&db, user, &named(text), 10).await.unwrap();
        }
        save_availability(&db, ann, Availability::Invisible, 20)
            .await
            .unwrap();
        assert_eq!(name(&db, ann).await.unwrap().as_deref(), Some("Anna <b>"));
        assert_eq!(name(&db, UserId::random()).await.unwrap(), None);
        assert_eq!(
            not_available(&db, 19, 10).await.unwrap(),
            [(ann, Availability::Invisible)]
        );
        assert_eq!(not_available(&db, 20, 10).await.unwrap(), []);
        save_availability(&db, ann, Availability::Available, 30)
            .await
            .unwrap();
        assert_eq!(not_available(&db, 0, 10).await.unwrap(), []);
    }
}
