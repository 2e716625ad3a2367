//! The SQL of chats.

use sqlx::SqlitePool;

use super::{ChatEnd, ChatEndReason, ChatRecord};
use crate::{opentok::SessionId, presence::UserId};

/// What is known of a chat, long after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedChat {
    pub inviter: SavedPerson,
    pub invitee: SavedPerson,
    /// Unix time, ms.
    pub started_at_ms: i64,
    /// Unix time, ms; `None` while it goes on.
    pub ended_at_ms: Option<i64>,
}

/// One of the two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedPerson {
    pub id: UserId,
    /// As it was then.
    pub name: String,
}

impl SavedChat {
    /// Whether `user` was one of the two.
    pub fn has(&self, user: UserId) -> bool {
        self.inviter.id == user || self.invitee.id == user
    }
}

/// Keeps a chat that has begun.
///
/// # Errors
/// When the database does not answer, or has a chat of this session.
pub async fn add(db: &SqlitePool, chat: &ChatRecord) -> Result<(), sqlx::Error> {
    let session = chat.session.as_str();
    let (inviter_id, inviter_name) = (chat.inviter.id.to_string(), chat.inviter.name.as_str());
    let (invitee_id, invitee_name) = (chat.invitee.id.to_string(), chat.invitee.name.as_str());
    sqlx::query!(
        "INSERT INTO chats (session_id, inviter_id, inviter_name, invitee_id, invitee_name, started_at_ms)
         VALUES ($1, $2, $3, $4, $5, $6)",
        session,
        inviter_id,
        inviter_name,
        invitee_id,
        invitee_name,
        chat.started_at_ms,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Keeps the end of a chat, unless it had ended. The caller adds and ends one chat in this order.
///
/// # Errors
/// When the database does not answer.
pub async fn end(db: &SqlitePool, end: &ChatEnd) -> Result<(), sqlx::Error> {
    let (session, by) = (end.session.as_str(), end.by.to_string());
    let reason = match end.reason {
        ChatEndReason::Ended => "ended",
        ChatEndReason::Gone => "gone",
        ChatEndReason::NotConnected => "notConnected",
    };
    sqlx::query!(
        "UPDATE chats
         SET ended_at_ms = $2, end_reason = $3, ended_by = $4
         WHERE session_id = $1 AND ended_at_ms IS NULL",
        session,
        end.ended_at_ms,
        reason,
        by,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Ends the chats that went on when the server stopped: to be called once, at its start. Returns their
/// sessions.
///
/// # Errors
/// When the database does not answer.
pub async fn end_interrupted(db: &SqlitePool, now_ms: i64) -> Result<Vec<SessionId>, sqlx::Error> {
    let sessions = sqlx::query_scalar!(
        "UPDATE chats
         SET ended_at_ms = $1, end_reason = 'serverRestarted'
         WHERE ended_at_ms IS NULL
         RETURNING session_id",
        now_ms,
    )
    .fetch_all(db)
    .await?;
    Ok(sessions.into_iter().map(SessionId::from).collect())
}

/// The chat of this session, also when it is long over.
///
/// # Errors
/// When the database does not answer.
pub async fn find(db: &SqlitePool, session: &SessionId) -> Result<Option<SavedChat>, sqlx::Error> {
    let text = session.as_str();
    let row = sqlx::query!(
        "SELECT inviter_id, inviter_name, invitee_id, invitee_name, started_at_ms, ended_at_ms
         FROM chats
         WHERE session_id = $1",
        text,
    )
    .fetch_optional(db)
    .await?;
    Ok(row.and_then(|row| {
        Some(SavedChat {
            inviter: SavedPerson {
                id: UserId::parse(&row.inviter_id)?,
                name: row.inviter_name,
            },
            invitee: SavedPerson {
                id: UserId::parse(&row.invitee_id)?,
                name: row.invitee_name,
            },
            started_at_ms: row.started_at_ms,
            ended_at_ms: row.ended_at_ms,
        })
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{common::name::Name, presence::Person};

    fn person(name: &str) -> Person {
        Person {
            id: UserId::random(),
            name: Name::parse(name).unwrap(),
            number: 1,
        }
    }

    fn chat(session: &str) -> ChatRecord {
        ChatRecord {
            session: SessionId::from(session),
            inviter: person("Ann"),
            invitee: person("דנה 👋"),
            started_at_ms: 1000,
        }
    }

    #[sqlx::test]
    async fn a_chat_is_kept_with_both_names_and_its_end(db: SqlitePool) {
        let chat = chat("2_a");
        add(&db, &chat).await.unwrap();
        let end_of = |ended_at_ms| ChatEnd {
            session: chat.session.clone(),
            ended_at_ms,
            reason: ChatEndReason::Gone,
            by: chat.invitee.id,
        };
        end(&db, &end_of(2000)).await.unwrap();
        end(&db, &end_of(3000)).await.unwrap();

        let kept = find(&db, &chat.session).await.unwrap().unwrap();
        assert_eq!(kept.inviter.name, "Ann");
        assert_eq!(kept.invitee.name, "דנה 👋");
        assert_eq!(
            (kept.started_at_ms, kept.ended_at_ms),
            (1000, Some(2000)),
            "it ends once"
        );
        assert!(kept.has(chat.inviter.id) && kept.has(chat.invitee.id));
        assert!(!kept.has(UserId::random()));
        let unknown = SessionId::from("2_x");
        assert_eq!(find(&db, &unknown).await.unwrap(), None);
    }

    #[sqlx::test]
    async fn a_restart_ends_what_went_on(db: SqlitePool) {
        let (over, open) = (chat("2_over"), chat("2_open"));
        for chat in [&over, &open] {
            add(&db, chat).await.unwrap();
        }
        let ended = ChatEnd {
            session: over.session.clone(),
            ended_at_ms: 2000,
            reason: ChatEndReason::Ended,
            by: over.inviter.id,
        };
        end(&db, &ended).await.unwrap();

        let interrupted = end_interrupted(&db, 5000).await.unwrap();
        assert_eq!(interrupted, std::slice::from_ref(&open.session));
        assert_eq!(end_interrupted(&db, 6000).await.unwrap(), []);
        for (chat, at_ms) in [(over, 2000), (open, 5000)] {
            let kept = find(&db, &chat.session).await.unwrap().unwrap();
            assert_eq!(kept.ended_at_ms, Some(at_ms));
        }
    }
}
