//! Lists of archives: the newest first, in numbered pages, without deleted archives.
//!
//! `archive_totals` (see `migrations/`) has the number of archives in each list. A page is found by skipping index entries
//! from the nearer end of its list, so the page in the middle costs the most: about 0.05 µs for each archive skipped, 25 ms in a
//! list of 1,000,000.

mod filter;
mod store;

pub use filter::ArchiveFilter;

use sqlx::SqlitePool;

use super::{
    Archive, ArchiveId, Status,
    recording::RecordedStream,
    store::{self as archives, integer},
};
use crate::common::id::UserId;
use store::End;

/// The number of archives that one search looks at. Higher: fewer searches until a match is found; lower: a quicker answer.
const SEARCH_WINDOW: i64 = 20_000;

/// A part of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    pub archives: Vec<Archive>,
    /// Counts from 1.
    pub number: u64,
    pub per_page: u32,
    /// The number of archives in the whole list.
    pub total: u64,
    /// The size of all archives in the list.
    pub size_bytes: u64,
}

impl Page {
    /// The number of the last page; 1 when the list is empty.
    pub fn last(&self) -> u64 {
        self.total.div_ceil(u64::from(self.per_page.max(1))).max(1)
    }

    pub fn newer(&self) -> Option<u64> {
        (self.number > 1).then(|| (self.number - 1).min(self.last()))
    }

    pub fn older(&self) -> Option<u64> {
        (self.number < self.last()).then(|| self.number + 1)
    }
}

/// Returns a page of a list, counted from 1. A page after the last is empty.
///
/// # Errors
/// The database query fails.
pub async fn page(
    db: &SqlitePool,
    list: &ArchiveFilter,
    number: u64,
    per_page: u32,
) -> Result<Page, sqlx::Error> {
    let number = number.max(1);
    let offset = (number - 1).saturating_mul(u64::from(per_page));
    let part = part(db, list, offset, per_page).await?;
    Ok(Page {
        number,
        per_page,
        ..part
    })
}

/// Returns `count` archives of a list after the newest `offset` ones, as OpenTok's "offset" and "count" define it.
///
/// # Errors
/// The database query fails.
pub async fn part(
    db: &SqlitePool,
    list: &ArchiveFilter,
    offset: u64,
    count: u32,
) -> Result<Page, sqlx::Error> {
    let mut page = Page {
        archives: Vec::new(),
        number: 1,
        per_page: count,
        total: 0,
        size_bytes: 0,
    };
    // One snapshot, so that the totals belong to the rows.
    let mut snapshot = db.begin().await?;
    let totals = store::totals(&mut snapshot, &list.name()).await?;
    page.total = totals.archives;
    page.size_bytes = totals.size_bytes;
    if offset < page.total && count > 0 {
        let limit = u64::from(count).min(page.total - offset);
        let older = page.total - offset - limit;
        let (end, skip) = if offset <= older {
            (End::Newest, offset)
        } else {
            (End::Oldest, older)
        };
        let range = (integer(skip), integer(limit));
        page.archives = store::page(&mut snapshot, list, end, range).await?;
    }
    snapshot.rollback().await?;
    Ok(page)
}

/// Returns the archive with this id, if it belongs to the project and is not deleted.
///
/// # Errors
/// The database query fails.
pub async fn find(
    db: &SqlitePool,
    api_key: u32,
    id: ArchiveId,
) -> Result<Option<Archive>, sqlx::Error> {
    let found = find_linked(db, id).await?;
    Ok(found.filter(|archive| archive.api_key == api_key))
}

/// Returns the archive with this id in any project, if it is not deleted. A signed link is the permission to read it.
///
/// # Errors
/// The database query fails.
pub async fn find_linked(db: &SqlitePool, id: ArchiveId) -> Result<Option<Archive>, sqlx::Error> {
    let found = archives::find(db, id).await?;
    Ok(found.filter(|archive| archive.status != Status::Deleted))
}

/// Returns the archives of a buddy's chats in a project, the newest first, at most `limit`.
///
/// # Errors
/// The database query fails.
pub async fn of_user(
    db: &SqlitePool,
    api_key: u32,
    user: UserId,
    limit: u32,
) -> Result<Vec<Archive>, sqlx::Error> {
    store::of_user(db, api_key, user, limit).await
}

/// Returns the streams of an archive in the order in which they were created; none until its recording is over.
///
/// # Errors
/// The database query fails.
pub async fn streams(
    db: &SqlitePool,
    archive: &Archive,
) -> Result<Vec<RecordedStream>, sqlx::Error> {
    archives::streams(db, archive).await
}

/// The parameters of a search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Search {
    pub api_key: u32,
    /// A part of the name of the archive, its room or a participant. ASCII letters match in either case.
    pub text: String,
    pub status: Option<Status>,
    /// [`SearchResults::next`] of the previous search; `None` starts with the newest archive.
    pub from: Option<i64>,
}

/// The archives found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchResults {
    /// The newest first.
    pub archives: Vec<Archive>,
    /// Where the next search starts; `None` if all archives were searched.
    pub next: Option<i64>,
}

/// Searches a part of a project's archives, the newest first, until `limit` are found.
///
/// # Errors
/// The database query fails.
pub async fn search(
    db: &SqlitePool,
    search: &Search,
    limit: u32,
) -> Result<SearchResults, sqlx::Error> {
    let from = search.from.unwrap_or(i64::MAX);
    let escaped = search
        .text
        .replace('\\', r"\\")
        .replace('%', r"\%")
        .replace('_', r"\_");
    let query = store::SearchQuery {
        api_key: search.api_key,
        pattern: &format!("%{escaped}%"),
        status: search.status.map(Status::as_str),
        from,
        window: SEARCH_WINDOW,
        limit: i64::from(limit),
    };
    let archives = store::search(db, &query).await?;
    let full = archives.len() as u64 >= u64::from(limit);
    let next = match archives.last() {
        Some(last) if full => store::after_window(db, search.api_key, last.seq - 1, 0).await?,
        _ => store::after_window(db, search.api_key, from, SEARCH_WINDOW).await?,
    };
    Ok(SearchResults { archives, next })
}

#[cfg(test)]
mod tests;
