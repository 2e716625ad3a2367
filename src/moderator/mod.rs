//! Moderators: the accounts that may record and moderate.
//!
//! The server prints a one-time sign-in link that creates the first account. The command line creates further ones. Passwords are
//! stored as argon2id hashes, links as SHA-256.

mod sign_in_guard;
mod store;

use std::time::Instant;

use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use aws_lc_rs::{digest, rand};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sqlx::SqlitePool;
use tokio::sync::Semaphore;

use crate::common::name::{Name, NameError, fold};

pub use sign_in_guard::{KnownDevice, SignInClient, SignInGuard, SignInRefused};

/// The minimum length of a password, in characters.
pub const SHORTEST_PASSWORD: usize = 8;

/// The maximum length of a password: hashing a longer one only costs time. Bytes.
const LONGEST_PASSWORD: usize = 1024;

/// How long a sign-in link is valid. ms.
const LINK_LIFETIME_MS: i64 = 60 * 60 * 1000;

/// The passwords that are hashed at the same time: each takes 19 MiB and a core.
static HASHING: Semaphore = Semaphore::const_new(2);

/// A moderator's account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moderator {
    pub id: i64,
    pub name: String,
    /// Changes with the password, so that a new password signs out everywhere.
    pub stamp: String,
}

/// The reason why an account was not created or changed, or not signed in.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    #[error(transparent)]
    Name(#[from] NameError),
    #[error("the password must have at least {SHORTEST_PASSWORD} characters")]
    BadPassword,
    #[error("the name {0} is taken")]
    NameTaken(String),
    #[error("this link was already used or has expired")]
    BadLink,
    #[error(transparent)]
    SignInRefused(#[from] SignInRefused),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    Internal(#[from] anyhow::Error),
}

/// Adds an account, or gives an existing one a new password.
///
/// # Errors
/// [`AccountError::Name`], [`AccountError::BadPassword`], or the database.
pub async fn put(
    db: &SqlitePool,
    name: &str,
    password: &str,
    now_ms: i64,
) -> Result<(), AccountError> {
    let name = Name::parse(name)?;
    let hash = hash(checked_password(password)?).await?;
    store::put(db, name.as_str(), &hash, now_ms).await?;
    Ok(())
}

/// Returns the account of this name and password; `None` if one of them is wrong. An attempt counts in `guard`.
///
/// An unknown name takes as long as a wrong password, so that the response does not reveal which names exist.
///
/// # Errors
/// [`AccountError::SignInRefused`], or a failure of the database or of the hashing thread.
pub async fn sign_in(
    db: &SqlitePool,
    guard: &SignInGuard,
    name: &str,
    password: &str,
    client: SignInClient,
    now: Instant,
) -> Result<Option<Moderator>, AccountError> {
    if password.len() > LONGEST_PASSWORD {
        return Ok(None);
    }
    let name = account_name(name);
    let found = store::find_by_name(db, &name).await?;
    let kept = found.as_ref().map(|account| account.password_hash.clone());
    let found = found.map(Moderator::from);
    let account = match &found {
        Some(account) => account.stamp.clone(),
        None => fold(&name.chars().take(100).collect::<String>()),
    };
    let client = client.for_account(found.as_ref().map(|account| account.id));
    let attempt = guard.begin(&account, &client, now)?;
    let password = password.to_owned();
    let is_right = on_hashing_thread(move || match kept {
        Some(kept) => verify(&password, &kept),
        None => {
            drop(Argon2::default().hash_password(password.as_bytes()));
            false
        }
    })
    .await?;
    if is_right {
        attempt.succeeded();
    }
    Ok(found.filter(|_| is_right))
}

/// # Errors
/// Fails if the database does not answer.
pub async fn find(db: &SqlitePool, id: i64) -> Result<Option<Moderator>, sqlx::Error> {
    Ok(store::find(db, id).await?.map(Moderator::from))
}

/// The names of all moderators.
///
/// # Errors
/// Fails if the database does not answer.
pub async fn list(db: &SqlitePool) -> Result<Vec<String>, sqlx::Error> {
    store::list(db).await
}

/// Removes an account, which signs it out everywhere. False if there is none of this name.
///
/// # Errors
/// Fails if the database does not answer.
pub async fn remove(db: &SqlitePool, name: &str) -> Result<bool, sqlx::Error> {
    store::remove(db, &account_name(name)).await
}

/// Creates a one-time link that is valid for an hour. Returns the part after `/sign-in?link=`.
///
/// # Errors
/// Fails if the database does not answer.
pub async fn make_link(db: &SqlitePool, now_ms: i64) -> Result<String, sqlx::Error> {
    let mut random = [0_u8; 24];
    rand::fill(&mut random).expect("the system has random bytes");
    let link = URL_SAFE_NO_PAD.encode(random);
    store::add_link(db, &sha256(&link), now_ms + LINK_LIFETIME_MS).await?;
    Ok(link)
}

/// Whether this link can still create an account.
///
/// # Errors
/// Fails if the database does not answer.
pub async fn link_is_good(db: &SqlitePool, link: &str, now_ms: i64) -> Result<bool, sqlx::Error> {
    store::link_is_good(db, &sha256(link), now_ms).await
}

/// Creates an account with a link, and uses the link up. A refused name or password does not use it up.
///
/// # Errors
/// [`AccountError::BadLink`] also if another request used the link first.
pub async fn use_link(
    db: &SqlitePool,
    link: &str,
    name: &str,
    password: &str,
    now_ms: i64,
) -> Result<Moderator, AccountError> {
    let link = sha256(link);
    if !store::link_is_good(db, &link, now_ms).await? {
        return Err(AccountError::BadLink);
    }
    let name = Name::parse(name)?;
    let hash = hash(checked_password(password)?).await?;
    store::use_link(db, &link, name.as_str(), &hash, now_ms).await
}

/// The name under which an account is stored. The text as it is when it is no name today: accounts of earlier versions
/// had longer ones.
fn account_name(text: &str) -> String {
    Name::parse(text).map_or_else(|_| text.trim().to_owned(), |name| name.to_string())
}

fn checked_password(password: &str) -> Result<&str, AccountError> {
    let is_good =
        password.chars().count() >= SHORTEST_PASSWORD && password.len() <= LONGEST_PASSWORD;
    is_good.then_some(password).ok_or(AccountError::BadPassword)
}

/// Argon2id with the library's parameters (19 MiB, 2 passes).
async fn hash(password: &str) -> Result<String, AccountError> {
    let password = password.to_owned();
    let hash = on_hashing_thread(move || Argon2::default().hash_password(password.as_bytes()));
    let hash = hash.await?;
    Ok(hash
        .map_err(|error| anyhow::anyhow!("hashing a password: {error}"))?
        .to_string())
}

/// Hashes off the event loop, in one of the few places. The place is free when the thread has finished, also for a request that was
/// dropped meanwhile.
async fn on_hashing_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, AccountError> {
    let permit = HASHING.acquire().await.map_err(anyhow::Error::from)?;
    let done = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        work()
    });
    Ok(done.await.map_err(anyhow::Error::from)?)
}

fn verify(password: &str, kept: &str) -> bool {
    PasswordHash::new(kept).is_ok_and(|kept| {
        Argon2::default()
            .verify_password(password.as_bytes(), &kept)
            .is_ok()
    })
}

fn sha256(text: &str) -> String {
    let digest = digest::digest(&digest::SHA256, text.as_bytes());
    URL_SAFE_NO_PAD.encode(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWORD: &str = "correct horse";

    async fn check(
        db: &SqlitePool,
        name: &str,
        password: &str,
    ) -> Result<Option<Moderator>, AccountError> {
        let (guard, now) = (SignInGuard::default(), crate::clock::instant());
        sign_in(db, &guard, name, password, SignInClient::default(), now).await
    }

    #[sqlx::test]
    async fn of_guesses_at_once_only_the_first_are_checked_and_a_new_password_ends_the_wait(
        db: SqlitePool,
    ) {
        put(&db, "ada", PASSWORD, 1).await.unwrap();
        let (guard, now) = (SignInGuard::default(), crate::clock::instant());
        let attempt = async |password: &str| {
            sign_in(&db, &guard, "ada", password, SignInClient::default(), now).await
        };
        let guesses = (0..199).map(|_| attempt("wrong horse"));
        let outcomes = futures_util::future::join_all(guesses).await;
        let is_refused =
            |outcome: &Result<_, _>| matches!(outcome, Err(AccountError::SignInRefused(_)));
        assert!(
            outcomes
                .iter()
                .filter(|outcome| !is_refused(outcome))
                .count()
                <= 8
        );
        while !is_refused(&attempt("wrong horse").await) {}
        assert!(is_refused(&attempt(PASSWORD).await));

        put(&db, "ada", "another horse", 2).await.unwrap();
        assert!(attempt("another horse").await.unwrap().is_some());
    }

    #[sqlx::test]
    async fn only_the_right_password_opens_an_account(db: SqlitePool) {
        put(&db, "ada", PASSWORD, 1).await.unwrap();
        assert_eq!(
            check(&db, "Ada", PASSWORD).await.unwrap().unwrap().name,
            "ada"
        );
        assert_eq!(check(&db, "ada", "wrong horse").await.unwrap(), None);
        assert_eq!(check(&db, "bob", PASSWORD).await.unwrap(), None);
    }

    #[sqlx::test]
    async fn the_password_itself_is_not_kept(db: SqlitePool) {
        put(&db, "ada", PASSWORD, 1).await.unwrap();
        let kept = store::find_by_name(&db, "ada").await.unwrap().unwrap();
        assert!(
            kept.password_hash.starts_with("$argon2id$"),
            "{}",
            kept.password_hash
        );
    }

    #[sqlx::test]
    async fn a_new_password_changes_the_stamp(db: SqlitePool) {
        put(&db, "ada", PASSWORD, 1).await.unwrap();
        let before = check(&db, "ada", PASSWORD).await.unwrap().unwrap();
        put(&db, "ada", "another horse", 2).await.unwrap();
        let after = find(&db, before.id).await.unwrap().unwrap();
        assert_eq!(before.id, after.id);
        assert_ne!(before.stamp, after.stamp);
    }

    #[sqlx::test]
    async fn a_link_makes_one_account(db: SqlitePool) {
        let link = make_link(&db, 0).await.unwrap();
        assert!(link_is_good(&db, &link, 1).await.unwrap());

        let weak = use_link(&db, &link, "ada", "short", 1).await;
        assert!(matches!(weak, Err(AccountError::BadPassword)));
        let made = use_link(&db, &link, "ada", PASSWORD, 1).await.unwrap();
        assert_eq!(made.name, "ada");

        let again = use_link(&db, &link, "eve", PASSWORD, 2).await;
        assert!(matches!(again, Err(AccountError::BadLink)));
    }

    #[sqlx::test]
    async fn a_link_never_takes_over_an_account(db: SqlitePool) {
        put(&db, "ada", PASSWORD, 1).await.unwrap();
        let link = make_link(&db, 0).await.unwrap();
        let taken = use_link(&db, &link, "ADA", "another horse", 1).await;
        assert!(matches!(taken, Err(AccountError::NameTaken(_))));
        assert!(
            link_is_good(&db, &link, 1).await.unwrap(),
            "the link survives"
        );
    }

    #[sqlx::test]
    async fn a_link_expires(db: SqlitePool) {
        let link = make_link(&db, 0).await.unwrap();
        assert!(!link_is_good(&db, &link, LINK_LIFETIME_MS).await.unwrap());
        assert!(!link_is_good(&db, "guessed", 1).await.unwrap());
    }

    #[sqlx::test]
    async fn an_account_is_found_however_its_name_was_typed(db: SqlitePool) {
        put(&db, "Jose\u{301}", PASSWORD, 1).await.unwrap();
        for typed in ["Jos\u{e9}", "JOSe\u{301}", " \u{200b}jos\u{e9} "] {
            let found = check(&db, typed, PASSWORD).await.unwrap();
            assert_eq!(found.unwrap().name, "Jos\u{e9}", "{typed:?}");
        }
        for nothing in ["\u{200b}", "a\nb", "a\u{202e}b"] {
            let refused = put(&db, nothing, PASSWORD, 1).await;
            assert!(matches!(refused, Err(AccountError::Name(_))), "{nothing:?}");
        }
        assert!(remove(&db, "Jose\u{301}").await.unwrap());
    }

    #[sqlx::test]
    async fn a_removed_account_is_gone(db: SqlitePool) {
        put(&db, "ada", PASSWORD, 1).await.unwrap();
        assert_eq!(list(&db).await.unwrap(), ["ada"]);
        assert!(remove(&db, "ada").await.unwrap());
        assert!(!remove(&db, "ada").await.unwrap());
    }
}
