//! Projects: an API key and its secret, and the sessions that belong to them.
//!
//! The pages have one, without a name; applications have theirs, which are made by `parlor keys`. What is changed by another
//! process counts at once: whoever is let in is looked up each time.

mod store;

use aws_lc_rs::rand;
use sqlx::SqlitePool;

use crate::config::Secret;
pub use store::{
    AutoArchive, SessionRecord, add_session, close_session, find_session, made_at_ms, note_joined,
    was_joined,
};

/// Whoever holds key and secret may make sessions and tokens in the project.
#[derive(Clone, Debug)]
pub struct Project {
    /// All digits, below 2^31: server SDKs parse it into a signed integer.
    pub api_key: u32,
    pub api_secret: Secret,
}

/// A project that somebody made for an application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedProject {
    pub api_key: u32,
    pub name: String,
    /// Unix time, ms.
    pub created_at_ms: i64,
    /// Nobody is let in any more.
    pub is_revoked: bool,
}

/// Why a project is not made or changed.
#[derive(Debug, thiserror::Error)]
pub enum ProjectError {
    #[error("a project's name has 1 to {MAX_NAME} characters, all of them printable")]
    BadName,
    #[error(
        "there is no key {0} that could be changed; `parlor keys list` shows them, and the pages' own is set with \
         --api-key and --api-secret"
    )]
    NoSuchKey(u32),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// Characters of a project's name.
const MAX_NAME: usize = 100;

/// The project of the pages: the given one, else the oldest that has no name, else a new one.
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

/// Notes that sessions of a project on another video platform are kept here. Its secret is not, and nobody is let in by
/// its key.
///
/// # Errors
/// When the database does not answer.
pub async fn note_elsewhere(db: &SqlitePool, api_key: u32, now_ms: i64) -> Result<(), sqlx::Error> {
    let api_secret = generate().api_secret;
    let project = Project {
        api_key,
        api_secret,
    };
    store::put_elsewhere(db, &project, now_ms).await
}

/// Makes a project for an application.
///
/// # Errors
/// [`ProjectError::BadName`], or the database.
pub async fn add(db: &SqlitePool, name: &str, now_ms: i64) -> Result<Project, ProjectError> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > MAX_NAME || name.chars().any(char::is_control) {
        return Err(ProjectError::BadName);
    }
    loop {
        let project = generate();
        if store::add(db, &project, name, now_ms).await? {
            return Ok(project);
        }
    }
}

/// The projects of applications, the oldest first; the revoked ones among them.
///
/// # Errors
/// When the database does not answer.
pub async fn list(db: &SqlitePool) -> Result<Vec<NamedProject>, sqlx::Error> {
    store::named(db).await
}

/// Gives a project another secret. The one before lets nobody in any more.
///
/// # Errors
/// [`ProjectError::NoSuchKey`], or the database.
pub async fn renew(db: &SqlitePool, api_key: u32) -> Result<Project, ProjectError> {
    let api_secret = generate().api_secret;
    if !store::set_secret(db, api_key, &api_secret).await? {
        return Err(ProjectError::NoSuchKey(api_key));
    }
    Ok(Project {
        api_key,
        api_secret,
    })
}

/// Lets nobody in any more by this key. Whoever is in a session stays, and so does what was recorded.
///
/// # Errors
/// [`ProjectError::NoSuchKey`], or the database.
pub async fn revoke(db: &SqlitePool, api_key: u32, now_ms: i64) -> Result<(), ProjectError> {
    if !store::revoke(db, api_key, now_ms).await? {
        return Err(ProjectError::NoSuchKey(api_key));
    }
    Ok(())
}

/// The project with this key, unless it is revoked.
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
    async fn a_project_elsewhere_lets_nobody_in_here_and_takes_nothing_from_one_that_does(
        db: SqlitePool,
    ) {
        note_elsewhere(&db, 12, 1).await.unwrap();
        assert!(find(&db, 12).await.unwrap().is_none());
        let pages = of_pages(&db, None, 2).await.unwrap();
        assert_ne!(pages.api_key, 12);

        note_elsewhere(&db, pages.api_key, 3).await.unwrap();
        let found = find(&db, pages.api_key).await.unwrap().unwrap();
        assert_eq!(found.api_secret, pages.api_secret);
        assert_eq!(list(&db).await.unwrap(), Vec::new());
    }

    #[sqlx::test]
    async fn an_applications_project_is_never_the_pages(db: SqlitePool) {
        let shop = add(&db, " Shop ", 1).await.unwrap();
        let pages = of_pages(&db, None, 2).await.unwrap();
        assert_ne!(shop.api_key, pages.api_key);
        assert_eq!(of_pages(&db, None, 3).await.unwrap().api_key, pages.api_key);
        let listed = list(&db).await.unwrap();
        assert_eq!(listed.len(), 1);
        assert_eq!(
            (listed[0].api_key, listed[0].name.as_str()),
            (shop.api_key, "Shop")
        );
        for key in [pages.api_key, 5] {
            assert!(matches!(
                renew(&db, key).await,
                Err(ProjectError::NoSuchKey(_))
            ));
            assert!(matches!(
                revoke(&db, key, 4).await,
                Err(ProjectError::NoSuchKey(_))
            ));
        }
        for name in ["", "  ", "two\nlines", &"n".repeat(101)] {
            assert!(matches!(
                add(&db, name, 5).await,
                Err(ProjectError::BadName)
            ));
        }
    }

    #[sqlx::test]
    async fn a_renewed_secret_replaces_the_old_and_a_revoked_key_is_not_found(db: SqlitePool) {
        let first = add(&db, "Shop", 1).await.unwrap();
        let second = renew(&db, first.api_key).await.unwrap();
        assert_ne!(first.api_secret, second.api_secret);
        let found = find(&db, first.api_key).await.unwrap().unwrap();
        assert_eq!(found.api_secret, second.api_secret);

        revoke(&db, first.api_key, 2).await.unwrap();
        assert!(find(&db, first.api_key).await.unwrap().is_none());
        assert!(list(&db).await.unwrap()[0].is_revoked);
        for outcome in [
            renew(&db, first.api_key).await.err(),
            revoke(&db, first.api_key, 3).await.err(),
        ] {
            assert!(matches!(outcome, Some(ProjectError::NoSuchKey(_))));
        }
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
