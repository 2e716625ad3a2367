//! The SQL of moderators and of their sign-in links.

use sqlx::SqlitePool;

use super::{AccountError, Moderator, sha256};

/// A row of `moderators`.
pub(super) struct Account {
    pub(super) id: i64,
    pub(super) name: String,
    pub(super) password_hash: String,
}

impl From<Account> for Moderator {
    fn from(account: Account) -> Moderator {
        Moderator {
            id: account.id,
            name: account.name,
            stamp: sha256(&account.password_hash),
        }
    }
}

pub(super) async fn put(
    db: &SqlitePool,
    name: &str,
    password_hash: &str,
    now_ms: i64,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO moderators (name, password_hash, created_at_ms)
         VALUES ($1, $2, $3)
         ON CONFLICT (name) DO UPDATE SET password_hash = excluded.password_hash",
        name,
        password_hash,
        now_ms,
    )
    .execute(db)
    .await?;
    Ok(())
}

pub(super) async fn find(db: &SqlitePool, id: i64) -> Result<Option<Account>, sqlx::Error> {
    sqlx::query_as!(
        Account,
        "SELECT id, name, password_hash
         FROM moderators
         WHERE id = $1",
        id,
    )
    .fetch_optional(db)
    .await
}

pub(super) async fn find_by_name(
    db: &SqlitePool,
    name: &str,
) -> Result<Option<Account>, sqlx::Error> {
    sqlx::query_as!(
        Account,
        "SELECT id, name, password_hash
         FROM moderators
         WHERE name = $1",
        name,
    )
    .fetch_optional(db)
    .await
}

pub(super) async fn list(db: &SqlitePool) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar!("SELECT name FROM moderators ORDER BY name")
        .fetch_all(db)
        .await
}

pub(super) async fn remove(db: &SqlitePool, name: &str) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!("DELETE FROM moderators WHERE name = $1", name)
        .execute(db)
        .await?;
    Ok(done.rows_affected() == 1)
}

pub(super) async fn add_link(
    db: &SqlitePool,
    token_sha256: &str,
    expires_at_ms: i64,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO sign_in_links (token_sha256, expires_at_ms)
         VALUES ($1, $2)",
        token_sha256,
        expires_at_ms,
    )
    .execute(db)
    .await?;
    Ok(())
}

pub(super) async fn link_is_good(
    db: &SqlitePool,
    token_sha256: &str,
    now_ms: i64,
) -> Result<bool, sqlx::Error> {
    let found = sqlx::query_scalar!(
        r#"SELECT 1 AS "one: i64"
           FROM sign_in_links
           WHERE token_sha256 = $1 AND used_at_ms IS NULL AND expires_at_ms > $2"#,
        token_sha256,
        now_ms,
    )
    .fetch_optional(db)
    .await?;
    Ok(found.is_some())
}

/// Uses the link up and makes the account, or does neither.
pub(super) async fn use_link(
    db: &SqlitePool,
    token_sha256: &str,
    name: &str,
    password_hash: &str,
    now_ms: i64,
) -> Result<Moderator, AccountError> {
    let mut change = db.begin().await?;
    let used = sqlx::query!(
        "UPDATE sign_in_links
         SET used_at_ms = $2
         WHERE token_sha256 = $1 AND used_at_ms IS NULL AND expires_at_ms > $2",
        token_sha256,
        now_ms,
    )
    .execute(&mut *change)
    .await?;
    if used.rows_affected() == 0 {
        return Err(AccountError::BadLink);
    }
    let made = sqlx::query!(
        "INSERT INTO moderators (name, password_hash, created_at_ms)
         VALUES ($1, $2, $3)
         ON CONFLICT (name) DO NOTHING",
        name,
        password_hash,
        now_ms,
    )
    .execute(&mut *change)
    .await?;
    if made.rows_affected() == 0 {
        return Err(AccountError::NameTaken(name.to_owned()));
    }
    change.commit().await?;
    Ok(Moderator {
        id: made.last_insert_rowid(),
        name: name.to_owned(),
        stamp: sha256(password_hash),
    })
}
