//! The SQL of the history: totals, pages and searches.

use sqlx::{SqliteConnection, SqlitePool};

use super::filter::ArchiveFilter;
use crate::{
    archive::{
        Archive,
        store::{ArchiveRow, all, number, rows},
    },
    common::id::UserId,
};

/// The totals of a list: its archives, and their size.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Totals {
    pub archives: u64,
    pub size_bytes: u64,
}

/// The totals of the list with this name; triggers keep them (see `migrations/`).
pub(super) async fn totals(db: &mut SqliteConnection, list: &str) -> sqlx::Result<Totals> {
    let row = sqlx::query!(
        "SELECT archives, size_bytes
         FROM archive_totals
         WHERE list = $1",
        list,
    )
    .fetch_optional(db)
    .await?;
    row.map_or(Ok(Totals::default()), |row| {
        Ok(Totals {
            archives: number(row.archives)?,
            size_bytes: number(row.size_bytes)?,
        })
    })
}

/// The end of a list from which a page is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Newest,
    Oldest,
}

/// A query for a page of the archives that `$filter` selects. The inner query steps over an index and does not read the rows
/// that it skips.
macro_rules! page {
    ($filter:literal, $order:literal $(, $argument:expr)*) => {
        rows!(
            "SELECT",
            "FROM archives
             WHERE seq IN (SELECT seq
                           FROM archives
                           WHERE api_key = $1 AND status <> 'deleted' " + $filter + "
                           ORDER BY seq " + $order + "
                           LIMIT $2 OFFSET $3)
             ORDER BY seq DESC"
            $(, $argument)*
        )
    };
}

/// Returns `limit` archives of a list, the newest first, after skipping `skip` at one end of it.
pub(super) async fn page(
    db: &mut SqliteConnection,
    filter: &ArchiveFilter,
    end: End,
    (skip, limit): (i64, i64),
) -> sqlx::Result<Vec<Archive>> {
    let rows = match filter {
        ArchiveFilter::Project(api_key) => match end {
            End::Newest => page!("", "DESC", api_key, limit, skip).fetch_all(db).await,
            End::Oldest => page!("", "ASC", api_key, limit, skip).fetch_all(db).await,
        },
        ArchiveFilter::Status(api_key, status) => {
            let status = status.as_str();
            match end {
                End::Newest => {
                    page!("AND status = $4", "DESC", api_key, limit, skip, status)
                        .fetch_all(db)
                        .await
                }
                End::Oldest => {
                    page!("AND status = $4", "ASC", api_key, limit, skip, status)
                        .fetch_all(db)
                        .await
                }
            }
        }
        ArchiveFilter::Session(api_key, session) => {
            let session = session.as_str();
            match end {
                End::Newest => {
                    page!("AND session_id = $4", "DESC", api_key, limit, skip, session)
                        .fetch_all(db)
                        .await
                }
                End::Oldest => {
                    page!("AND session_id = $4", "ASC", api_key, limit, skip, session)
                        .fetch_all(db)
                        .await
                }
            }
        }
    };
    all(rows?)
}

/// Returns the archives of the chats of a user, the newest first.
pub(super) async fn of_user(
    db: &SqlitePool,
    api_key: u32,
    user: UserId,
    limit: u32,
) -> sqlx::Result<Vec<Archive>> {
    let user = user.to_string();
    let rows = rows!(
        "SELECT",
        "FROM archives
         WHERE seq IN (SELECT archives.seq
                       FROM chats
                       JOIN archives ON archives.api_key = $1
                                    AND archives.session_id = chats.session_id
                                    AND archives.status <> 'deleted'
                       WHERE chats.inviter_id = $2 OR chats.invitee_id = $2
                       ORDER BY archives.seq DESC
                       LIMIT $3)
         ORDER BY seq DESC",
        api_key,
        user,
        limit,
    )
    .fetch_all(db)
    .await?;
    all(rows)
}

/// The parameters of [`search`].
pub(super) struct SearchQuery<'a> {
    pub api_key: u32,
    /// For `LIKE … ESCAPE '\'`; in the name, the room or a person's name.
    pub pattern: &'a str,
    pub status: Option<&'a str>,
    /// The highest `seq` to look at.
    pub from: i64,
    /// The number of archives to look at.
    pub window: i64,
    /// The number of archives to return at most.
    pub limit: i64,
}

/// Returns the archives that match, the newest first.
pub(super) async fn search(db: &SqlitePool, query: &SearchQuery<'_>) -> sqlx::Result<Vec<Archive>> {
    let rows = rows!(
        "SELECT",
        r"FROM (SELECT *
                FROM archives
                WHERE api_key = $1 AND status <> 'deleted' AND seq <= $2
                ORDER BY seq DESC
                LIMIT $3)
          WHERE ($4 IS NULL OR status = $4)
            AND (name LIKE $5 ESCAPE '\' OR room LIKE $5 ESCAPE '\' OR people_names LIKE $5 ESCAPE '\')
          ORDER BY seq DESC
          LIMIT $6",
        query.api_key,
        query.from,
        query.window,
        query.status,
        query.pattern,
        query.limit,
    )
    .fetch_all(db)
    .await?;
    all(rows)
}

/// Returns the `seq` of the archive `window` positions after `from` in a project's list, where the next search begins.
pub(super) async fn after_window(
    db: &SqlitePool,
    api_key: u32,
    from: i64,
    window: i64,
) -> Result<Option<i64>, sqlx::Error> {
    sqlx::query_scalar!(
        "SELECT seq
         FROM archives
         WHERE api_key = $1 AND status <> 'deleted' AND seq <= $2
         ORDER BY seq DESC
         LIMIT 1 OFFSET $3",
        api_key,
        from,
        window,
    )
    .fetch_optional(db)
    .await
}
