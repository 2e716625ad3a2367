//! Projects: an API key and its secret, and the sessions that belong to them.
//!
//! The pages have a project without a name. Each application has a project of its own, which `parlor keys` creates. A change
//! by another process takes effect immediately, because each call and each token looks its project up.

mod store;

use aws_lc_rs::rand;
use sqlx::SqlitePool;

use crate::config::Secret;
pub use store::{
    AutoArchive, SessionRecord, add_session, close_session, created_at_ms, find_session,
    record_joined, was_joined,
};

/// The credentials of a project. Their holder may create sessions and tokens in it.
#[derive(Clone, Debug)]
pub struct Project {
    /// Less than 2^31, because server SDKs parse it as a signed integer.
    pub api_key: u32,
    pub api_secret: Secret,
}

/// The project of an application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedProject {
    pub api_key: u32,
    pub name: String,
    /// Unix time, ms.
    pub created_at_ms: i64,
    /// The key and its tokens are refused.
    pub is_revoked: bool,
}

/// Why a project is not created or changed.
#[derive(Debug, thiserror::Error)]
pub enum ProjectError {
    #[error("a project's name has 1 to {MAX_NAME} characters, all of them printable")]
    BadName,
    #[error(
        "there is no active key {0}; `parlor keys list` shows the keys, and --api-key and --api-secret set the key of the \
         pages"
    )]
    NoSuchKey(u32),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// The maximum length of a project's name, in characters.
const MAX_NAME: usize = 100;

/// Returns the project of the pages: the given one, else the oldest without a name, else a new one.
///
/// # Errors
/// The database query fails.
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

/// Adds a project of another video platform, so that its sessions can be stored. Its secret is not stored, and its key is
/// refused here.
///
/// # Errors
/// The database query fails.
pub async fn add_remote(db: &SqlitePool, api_key: u32, now_ms: i64) -> Result<(), sqlx::Error> {
    let api_secret = generate().api_secret;
    let project = Project {
        api_key,
        api_secret,
    };
    store::add_remote(db, &project, now_ms).await
}

/// Creates a project for an application.
///
/// # Errors
/// [`ProjectError::BadName`], or the database query fails.
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

/// Returns the projects of applications, also revoked ones, the oldest first.
///
/// # Errors
/// The database query fails.
pub async fn list(db: &SqlitePool) -> Result<Vec<NamedProject>, sqlx::Error> {
    store::named(db).await
}

/// Gives a project a new secret. The old secret stops working immediately.
///
/// # Errors
/// [`ProjectError::NoSuchKey`], or the database query fails.
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

/// Revokes a key. Connected clients stay connected, and archives are kept.
///
/// # Errors
/// [`ProjectError::NoSuchKey`], or the database query fails.
pub async fn revoke(db: &SqlitePool, api_key: u32, now_ms: i64) -> Result<(), ProjectError> {
    if !store::revoke(db, api_key, now_ms).await? {
        return Err(ProjectError::NoSuchKey(api_key));
    }
    Ok(())
}

/// Returns the project with this key, unless it is revoked.
///
/// # Errors
/// The database query fails.
pub async fn find(db: &SqlitePool, api_key: u32) -> Result<Option<Project>, sqlx::Error> {
    store::find(db, api_key).await
}

fn generate() -> Project {
    let mut random = [0_u8; 24];
    rand::fill(&mut random).expect("the system has random bytes");
    // Eight digits, the first not 0, like OpenTok's keys.
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
    async fn a_given_project_has_precedence_and_may_change_its_secret(db: SqlitePool) {
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
    async fn a_remote_project_is_refused_and_changes_no_local_project(db: SqlitePool) {
        add_remote(&db, 12, 1).await.unwrap();
        assert!(find(&db, 12).await.unwrap().is_none());
        let pages = of_pages(&db, None, 2).await.unwrap();
        assert_ne!(pages.api_key, 12);

        add_remote(&db, pages.api_key, 3).await.unwrap();
        let found = find(&db, pages.api_key).await.unwrap().unwrap();
        assert_eq!(found.api_secret, pages.api_secret);
        assert_eq!(list(&db).await.unwrap(), Vec::new());
    }

    #[sqlx::test]
    async fn the_project_of_an_application_is_never_that_of_the_pages(db: SqlitePool) {
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
    async fn a_session_was_joined_once_a_client_was_admitted(db: SqlitePool) {
        let project = of_pages(&db, None, 7).await.unwrap();
        let id = SessionId::generate(project.api_key, "", 8);
        let session = SessionRecord::routed(id, project.api_key);
        add_session(&db, &session, 8).await.unwrap();
        assert!(!was_joined(&db, &session.id).await.unwrap());

        for now_ms in [9, 10] {
            record_joined(&db, &session.id, now_ms).await.unwrap();
        }

        assert!(was_joined(&db, &session.id).await.unwrap());
        let unknown = SessionId::from("2_unknown");
        record_joined(&db, &unknown, 9).await.unwrap();
        assert!(!was_joined(&db, &unknown).await.unwrap());
        let created = created_at_ms(&db, project.api_key).await.unwrap();
        assert_eq!(created, Some(7));
    }
}
