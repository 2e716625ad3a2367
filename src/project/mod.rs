//! Projects: an API key and its secret, and the sessions that belong to them.

mod store;

use aws_lc_rs::rand;
use sqlx::SqlitePool;

use crate::config::Secret;
pub use store::{
    AutoArchive, MediaMode, SessionRecord, add_session, find_session, made_at_ms, note_joined,
    was_joined,
};

/// Whoever holds key and secret may make sessions and tokens in the project.
#[derive(Clone, Debug)]
pub struct Project {
    /// All digits, below 2^31: server SDKs parse it into a signed integer.
    pub api_key: u32,
    pub api_secret: Secret,
}

/// The project of the pages: the given one, else the oldest, else a new one.
///
/// # Errors
/// When the database does not answer.
pub async fn of_pages(
    db: &SqlitePool,
    given: Option<Project>,
    now_ms: i64,
) -> Result<Project, sqlx::Error> {
    if let Some(given) = given {
        store::put(db, &given, now_ms).await?;
        return Ok(given);
    }
    if let Some(oldest) = store::oldest(db).await? {
        return Ok(oldest);
    }
    let new = generate();
    store::put(db, &new, now_ms).await?;
    Ok(new)
}

/// The project with this key.
///
/// # Errors
/// When the database does not answer.
pub async fn find(db: &SqlitePool, api_key: u32) -> Result<Option<Project>, sqlx::Error> {
    store::find(db, api_key).await
}

fn generate() -> Project {
    let mut random = [0_u8; 24];
    rand::fill(&mut random).expect("the system has random bytes");
    // Eight digits that do not start with 0, as OpenTok's keys look.
    let number = u32::from_be_bytes([random[0], random[1], random[2], random[3]]);
    let api_key = 10_000_000 + number % 90_000_000;
    let api_secret = random[4..]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect::<String>();
    Project {
        api_key,
        api_secret: Secret::from(api_secret),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::opentok::SessionId;

    #[test]
    fn generated_keys_suit_every_sdk() {
        for _ in 0..100 {
            let project = generate();
            assert!((10_000_000..100_000_000).contains(&project.api_key));
            let secret = project.api_secret.expose();
            assert_eq!(secret.len(), 40);
            assert!(secret.bytes().all(|byte| byte.is_ascii_hexdigit()));
        }
    }

    #[sqlx::test]
    async fn the_first_project_stays(db: SqlitePool) {
        let first = of_pages(&db, None, 1).await.unwrap();
        let again = of_pages(&db, None, 2).await.unwrap();
        assert_eq!(first.api_key, again.api_key);
        assert_eq!(first.api_secret, again.api_secret);
    }

    #[sqlx::test]
    async fn a_given_project_wins_and_may_change_its_secret(db: SqlitePool) {
        let given = |secret: &str| {
            Some(Project {
                api_key: 12,
                api_secret: Secret::from(secret.to_owned()),
            })
        };
        of_pages(&db, None, 1).await.unwrap();
        of_pages(&db, given("one"), 2).await.unwrap();
        of_pages(&db, given("two"), 3).await.unwrap();
        let found = find(&db, 12).await.unwrap().unwrap();
        assert_eq!(found.api_secret.expose(), "two");
    }

    #[sqlx::test]
    async fn a_session_was_joined_once_somebody_was_let_in(db: SqlitePool) {
        let project = of_pages(&db, None, 7).await.unwrap();
        let id = SessionId::generate(project.api_key, "", 8);
        let session = SessionRecord::routed(id, project.api_key);
        add_session(&db, &session, 8).await.unwrap();
        assert!(!was_joined(&db, &session.id).await.unwrap());

        for now_ms in [9, 10] {
            note_joined(&db, &session.id, now_ms).await.unwrap();
        }

        assert!(was_joined(&db, &session.id).await.unwrap());
        let unknown = SessionId::from("2_unknown");
        note_joined(&db, &unknown, 9).await.unwrap();
        assert!(!was_joined(&db, &unknown).await.unwrap());
        let made = made_at_ms(&db, project.api_key).await.unwrap();
        assert_eq!(made, Some(7));
    }
}
