//! The SQL of the history: totals, pages and searches.

use sqlx::{SqliteConnection, SqlitePool};

use crate::{
    archive::{
        Archive,
        store::{ArchiveRow, all, number, rows},
    },
    opentok::SessionId,
};

/// How many archives a list has, and their size in bytes.
pub(super) async fn totals(
    db: &mut SqliteConnection,
    list: &str,
) -> Result<Option<ListTotals>, sqlx::Error> {
    let row = sqlx::query!(
        "SELECT id, archives, size_bytes
         FROM archive_lists
         WHERE name = $1",
        list,
    )
    .fetch_optional(db)
    .await?;
    row.map(|row| {
        Ok(ListTotals {
            list: row.id,
            archives: number(row.archives)?,
            size_bytes: number(row.size_bytes)?,
        })
    })
    .transpose()
}

pub(super) struct ListTotals {
    /// Stands for the list in the table `archive_lists`.
    pub list: i64,
    pub archives: u64,
    pub size_bytes: u64,
}

/// Of the buckets of `level` from `first` to `last`, the one with the archive that has `skip` newer ones among them; and
/// how many are in the buckets before it.
pub(super) async fn bucket(
    db: &mut SqliteConnection,
    list: i64,
    level: u32,
    (first, last): (i64, i64),
    skip: i64,
) -> Result<(i64, i64), sqlx::Error> {
    let row = sqlx::query!(
        r#"SELECT bucket, newer AS "newer!: i64"
           FROM (SELECT bucket, archives, SUM(archives) OVER (ORDER BY bucket DESC) - archives AS newer
                 FROM archive_counts
                 WHERE list = $1 AND level = $2 AND bucket BETWEEN $3 AND $4)
           WHERE newer <= $5 AND $5 < newer + archives"#,
        list,
        level,
        first,
        last,
        skip,
    )
    .fetch_one(db)
    .await?;
    Ok((row.bucket, row.newer))
}

/// Archives of a project that started no later than `from`, the newest first.
pub(super) async fn page_of_project(
    db: &mut SqliteConnection,
    api_key: u32,
    from: i64,
    (skip, limit): (i64, i64),
) -> sqlx::Result<Vec<Archive>> {
    let rows = rows!(
        "SELECT",
        "FROM archives
         WHERE api_key = $1 AND status <> 'deleted' AND seq <= $2
         ORDER BY seq DESC
         LIMIT $4 OFFSET $3",
        api_key,
        from,
        skip,
        limit,
    )
    .fetch_all(db)
    .await?;
    all(rows)
}

/// Likewise, of one session.
pub(super) async fn page_of_session(
    db: &mut SqliteConnection,
    api_key: u32,
    session: &SessionId,
    from: i64,
    (skip, limit): (i64, i64),
) -> sqlx::Result<Vec<Archive>> {
    let session = session.as_str();
    let rows = rows!(
        "SELECT",
        "FROM archives
         WHERE api_key = $1 AND session_id = $2 AND status <> 'deleted' AND seq <= $3
         ORDER BY seq DESC
         LIMIT $5 OFFSET $4",
        api_key,
        session,
        from,
        skip,
        limit,
    )
    .fetch_all(db)
    .await?;
    all(rows)
}

/// Likewise, of one status.
pub(super) async fn page_of_status(
    db: &mut SqliteConnection,
    api_key: u32,
    status: &str,
    from: i64,
    (skip, limit): (i64, i64),
) -> sqlx::Result<Vec<Archive>> {
    let rows = rows!(
        "SELECT",
        "FROM archives
         WHERE api_key = $1 AND status = $2 AND status <> 'deleted' AND seq <= $3
         ORDER BY seq DESC
         LIMIT $5 OFFSET $4",
        api_key,
        status,
        from,
        skip,
        limit,
    )
    .fetch_all(db)
    .await?;
    all(rows)
}

/// What [`search`] looks for.
pub(super) struct SearchQuery<'a> {
    pub api_key: u32,
    /// For `LIKE … ESCAPE '\'`; in the name, the room or a person's name.
    pub pattern: &'a str,
    pub status: Option<&'a str>,
    /// Of the newest `window` that started no later than `from`, `limit` at most.
    pub from: i64,
    pub window: i64,
    pub limit: i64,
}

/// The archives that fit, the newest first.
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

/// The archive that stands `window` behind `from` in a project's list: where a search goes on.
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
