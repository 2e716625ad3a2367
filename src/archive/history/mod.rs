//! Lists of archives: the newest first, in numbered pages, without deleted archives.
//!
//! `archive_totals` (see `migrations/`) has the number of archives in each list. A page is found by skipping index entries
//! from the nearer end of its list, so the page in the middle costs the most: about 0.05 µs for each archive skipped.

mod store;

use sqlx::SqlitePool;

use super::{
    Archive, ArchiveId, Status,
    recording::RecordedStream,
    store::{self as archives, integer},
};
use crate::opentok::SessionId;
use store::End;

/// The number of archives that one search looks at. Higher: fewer searches until a match is found; lower: a quicker answer.
const SEARCH_WINDOW: i64 = 20_000;

/// The archives that a list has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ArchiveFilter {
    /// All archives of a project.
    Project(u32),
    /// The archives of a project with this status.
    Status(u32, Status),
    /// The archives of a session. OpenTok "sessionId".
    Session(u32, SessionId),
}

impl ArchiveFilter {
    /// The list's name in `archive_totals`.
    fn name(&self) -> String {
        match self {
            ArchiveFilter::Project(api_key) => api_key.to_string(),
            ArchiveFilter::Status(api_key, status) => format!("{api_key} {status}"),
            ArchiveFilter::Session(api_key, session) => format!("{api_key} {session}"),
        }
    }
}

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
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::archive::{
        lifecycle,
        testing::{API_KEY, LATER_MS, STARTED_MS, bring, in_status, new_archive, session},
    };

    /// A change of a list of archives.
    #[derive(Clone, Debug)]
    enum Step {
        /// An archive of one of three sessions starts; its number is `after` above the highest.
        Start { session: usize, after: i64 },
        /// The archive at this place (modulo their number) gets a status.
        Become { place: usize, status: Status },
        /// The row at this place is removed.
        Forget { place: usize },
        /// Its size becomes known.
        Grow { place: usize, size_bytes: i64 },
    }

    fn step() -> impl Strategy<Value = Step> {
        let status = proptest::sample::select(Status::ALL);
        // The numbers have gaps.
        let after = prop_oneof![3 => 1..3_i64, 2 => 100..300_i64, 1 => 10_000..40_000_i64, 1 => Just(3_000_000_i64)];
        prop_oneof![
            6 => (0..3_usize, after).prop_map(|(session, after)| Step::Start { session, after }),
            3 => (any::<usize>(), status).prop_map(|(place, status)| Step::Become { place, status }),
            1 => any::<usize>().prop_map(|place| Step::Forget { place }),
            1 => (any::<usize>(), 0..1000_i64).prop_map(|(place, size_bytes)| Step::Grow { place, size_bytes }),
        ]
    }

    /// An archive in the model: a plain list.
    #[derive(Clone, Debug)]
    struct ModelRow {
        seq: i64,
        session: usize,
        status: Status,
        size_bytes: i64,
    }

    async fn change(db: &SqlitePool, statement: &'static str, seq: i64, value: &str) {
        sqlx::query(statement)
            .bind(seq)
            .bind(value)
            .execute(db)
            .await
            .unwrap();
    }

    async fn apply(db: &SqlitePool, list: &mut Vec<ModelRow>, step: Step) {
        match step {
            Step::Start { session, after } => {
                let seq = list.iter().map(|kept| kept.seq).max().unwrap_or(0) + after;
                // The tag is the number: sessions may have many running ones here.
                sqlx::query(
                    "INSERT INTO archives (seq, id, api_key, session_id, room, name, status, output_mode, stream_mode,
                                           has_audio, has_video, resolution, layout, multi_archive_tag, started_by,
                                           created_at_ms, updated_at_ms)
                     VALUES ($1, $2, $3, $4, '', '', 'started', 'composed', 'auto', 1, 1, '640x480', '{}', $1, '', 0, 0)",
                )
                .bind(seq)
                .bind(ArchiveId::random().to_string())
                .bind(API_KEY)
                .bind(format!("2_{session}"))
                .execute(db)
                .await
                .unwrap();
                list.push(ModelRow {
                    seq,
                    session,
                    status: Status::Started,
                    size_bytes: 0,
                });
            }
            _ if list.is_empty() => {}
            Step::Become { place, status } => {
                let place = place % list.len();
                let kept = &mut list[place];
                if kept.status != Status::Deleted {
                    kept.status = status;
                    let statement = "UPDATE archives SET status = $2 WHERE seq = $1";
                    change(db, statement, kept.seq, status.as_str()).await;
                }
            }
            Step::Forget { place } => {
                let kept = list.remove(place % list.len());
                change(
                    db,
                    "DELETE FROM archives WHERE seq = $1 AND $2 = ''",
                    kept.seq,
                    "",
                )
                .await;
            }
            Step::Grow { place, size_bytes } => {
                let place = place % list.len();
                let kept = &mut list[place];
                kept.size_bytes = size_bytes;
                let statement =
                    "UPDATE archives SET size_bytes = CAST($2 AS INTEGER) WHERE seq = $1";
                change(db, statement, kept.seq, &size_bytes.to_string()).await;
            }
        }
    }

    /// Asserts that every page of `list` has the archives of `all` that match `fits`, the newest first.
    async fn same(
        db: &SqlitePool,
        list: &ArchiveFilter,
        all: &[ModelRow],
        fits: impl Fn(&ModelRow) -> bool,
    ) {
        let mut expected: Vec<&ModelRow> = all
            .iter()
            .filter(|kept| kept.status != Status::Deleted && fits(kept))
            .collect();
        expected.sort_by_key(|kept| -kept.seq);
        let seqs: Vec<i64> = expected.iter().map(|kept| kept.seq).collect();
        let size_bytes: i64 = expected.iter().map(|kept| kept.size_bytes).sum();
        for per_page in [1, 3, 50] {
            let pages = seqs.len().div_ceil(per_page) + 1;
            for number in 1..=pages {
                let got = page(db, list, number as u64, u32::try_from(per_page).unwrap())
                    .await
                    .unwrap();
                let want: Vec<i64> = seqs
                    .iter()
                    .copied()
                    .skip((number - 1) * per_page)
                    .take(per_page)
                    .collect();
                let got_seqs: Vec<i64> = got.archives.iter().map(|archive| archive.seq).collect();
                assert_eq!(got_seqs, want, "page {number} of {list:?}");
                assert_eq!(got.total, seqs.len() as u64, "{list:?}");
                assert_eq!(
                    got.size_bytes,
                    u64::try_from(size_bytes).unwrap(),
                    "{list:?}"
                );
            }
        }
    }

    #[test]
    fn every_page_of_every_list_is_what_the_simplest_list_would_show() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let config = ProptestConfig {
            cases: 24,
            ..ProptestConfig::default()
        };
        proptest!(config, |(steps in proptest::collection::vec(step(), 1..60))| {
            runtime.block_on(async {
                let db = SqlitePool::connect("sqlite::memory:").await.unwrap();
                sqlx::migrate!("./migrations").run(&db).await.unwrap();
                let mut kept = Vec::new();
                for step in steps {
                    apply(&db, &mut kept, step).await;
                }
                same(&db, &ArchiveFilter::Project(API_KEY), &kept, |_| true).await;
                for number in 0..3 {
                    let list = ArchiveFilter::Session(API_KEY, session(&number.to_string()));
                    same(&db, &list, &kept, |kept| kept.session == number).await;
                }
                for status in Status::ALL {
                    let list = ArchiveFilter::Status(API_KEY, *status);
                    same(&db, &list, &kept, |kept| kept.status == *status).await;
                }
                db.close().await;
            });
        });
    }

    #[sqlx::test(migrations = false)]
    async fn the_migration_counts_the_archives_that_are_there(db: SqlitePool) {
        let migrator = sqlx::migrate!("./migrations");
        let (before, after) = migrator
            .iter()
            .partition::<Vec<_>, _>(|migration| migration.version < 20_261_201_000_000);
        assert!(!after.is_empty());
        for migration in before {
            let statements = sqlx::raw_sql(migration.sql.clone());
            statements.execute(&db).await.unwrap();
        }
        fill(&db, 1000).await;
        let changed = [
            "UPDATE archives SET size_bytes = 7",
            "UPDATE archives SET status = 'deleted' WHERE seq % 10 = 0",
            "UPDATE archives SET status = 'failed' WHERE seq % 10 = 1",
        ];
        for statement in changed {
            sqlx::query(statement).execute(&db).await.unwrap();
        }
        for migration in after {
            let statements = sqlx::raw_sql(migration.sql.clone());
            statements.execute(&db).await.unwrap();
        }

        let totals = async |filter: ArchiveFilter| {
            let page = page(&db, &filter, 1, 5).await.unwrap();
            (page.total, page.size_bytes)
        };
        let available = ArchiveFilter::Status(API_KEY, Status::Available);
        let failed = ArchiveFilter::Status(API_KEY, Status::Failed);
        let deleted = ArchiveFilter::Status(API_KEY, Status::Deleted);
        assert_eq!(totals(ArchiveFilter::Project(API_KEY)).await, (900, 6300));
        assert_eq!(totals(available).await, (800, 5600));
        assert_eq!(totals(failed).await, (100, 700));
        assert_eq!(totals(deleted).await, (0, 0));
        for (number, total) in [(1, 10), (10, 0), (99, 10)] {
            let session = ArchiveFilter::Session(API_KEY, session(&number.to_string()));
            assert_eq!(
                totals(session).await,
                (total, total * 7),
                "session {number}"
            );
        }
    }

    #[sqlx::test]
    async fn a_hundred_thousand_archives_with_holes_are_listed_right(db: SqlitePool) {
        fill(&db, 100_000).await;
        // Gaps of 1, 128 and 16,384 rows.
        sqlx::query(
            "UPDATE archives
             SET status = 'deleted'
             WHERE seq % 7 = 0 OR seq BETWEEN 1280 AND 1407 OR seq BETWEEN 49152 AND 65535",
        )
        .execute(&db)
        .await
        .unwrap();
        let expected: Vec<i64> = sqlx::query_scalar(
            "SELECT seq FROM archives WHERE status <> 'deleted' ORDER BY seq DESC",
        )
        .fetch_all(&db)
        .await
        .unwrap();

        let list = ArchiveFilter::Project(API_KEY);
        let pages = expected.len().div_ceil(5) as u64;
        for number in (1..=pages).step_by(997).chain([2, 3, pages - 1, pages]) {
            let page = page(&db, &list, number, 5).await.unwrap();
            let from = usize::try_from(number - 1).unwrap() * 5;
            let want: Vec<i64> = expected.iter().copied().skip(from).take(5).collect();
            let got: Vec<i64> = page.archives.iter().map(|archive| archive.seq).collect();
            assert_eq!(got, want, "page {number}");
            assert_eq!(page.total, expected.len() as u64);
            assert_eq!(page.last(), pages);
        }
    }

    /// `count` archives of a hundred sessions, made by the database itself.
    async fn fill(db: &SqlitePool, count: i64) {
        sqlx::query(
            "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < $1)
             INSERT INTO archives (id, api_key, session_id, room, name, status, output_mode, stream_mode, has_audio,
                                   has_video, resolution, layout, multi_archive_tag, started_by, created_at_ms,
                                   updated_at_ms)
             SELECT printf('%08x-0000-4000-8000-000000000000', n), $2, '2_' || (n % 100), '', '', 'available', 'composed',
                    'auto', 1, 1, '640x480', '{}', '', '', n, n
             FROM numbers",
        )
        .bind(count)
        .bind(API_KEY)
        .execute(db)
        .await
        .unwrap();
    }

    #[sqlx::test]
    async fn the_newest_come_first_and_a_project_sees_only_its_own(db: SqlitePool) {
        let first = in_status(&db, Status::Available).await;
        let second = in_status(&db, Status::Started).await;
        let mut foreign = new_archive();
        foreign.api_key = API_KEY + 1;
        lifecycle::start(&db, foreign, STARTED_MS).await.unwrap();

        let page = page(&db, &ArchiveFilter::Project(API_KEY), 1, 5)
            .await
            .unwrap();

        assert_eq!(page.archives, [second, first.clone()]);
        assert_eq!((page.total, page.last()), (2, 1));
        assert_eq!((page.newer(), page.older()), (None, None));
        assert_eq!(page.size_bytes, 8_000_000);
        let foreign = find(&db, API_KEY + 1, first.id).await.unwrap();
        assert_eq!(foreign, None);
    }

    #[sqlx::test]
    async fn a_deleted_archive_is_in_no_list(db: SqlitePool) {
        let archive = in_status(&db, Status::Deleted).await;
        for list in [
            ArchiveFilter::Project(API_KEY),
            ArchiveFilter::Session(API_KEY, archive.session_id.clone()),
            ArchiveFilter::Status(API_KEY, Status::Deleted),
        ] {
            let page = page(&db, &list, 1, 5).await.unwrap();
            assert_eq!((page.archives.len(), page.total), (0, 0), "{list:?}");
        }
        assert_eq!(find(&db, API_KEY, archive.id).await.unwrap(), None);
    }

    #[sqlx::test]
    async fn an_empty_history_has_one_empty_page(db: SqlitePool) {
        let page = page(&db, &ArchiveFilter::Project(API_KEY), 0, 5)
            .await
            .unwrap();
        assert_eq!((page.number, page.last(), page.archives.len()), (1, 1, 0));
    }

    #[sqlx::test]
    async fn a_page_behind_the_last_is_empty_and_leads_back(db: SqlitePool) {
        in_status(&db, Status::Available).await;
        for number in [2, 20_000, u64::MAX] {
            let page = page(&db, &ArchiveFilter::Project(API_KEY), number, 5)
                .await
                .unwrap();
            assert_eq!((page.archives.len(), page.total), (0, 1));
            assert_eq!((page.newer(), page.older()), (Some(1), None));
        }
    }

    #[sqlx::test]
    async fn a_search_finds_names_rooms_and_people_and_goes_on_where_it_ended(db: SqlitePool) {
        for name in ["Weekly 100%", "weekly review", "Other"] {
            let mut new = new_archive();
            new.name = name.to_owned();
            new.room = format!("{name}'s room");
            let archive = lifecycle::start(&db, new, STARTED_MS).await.unwrap();
            bring(&db, archive, Status::Available).await;
        }
        lifecycle::start(&db, new_archive(), LATER_MS)
            .await
            .unwrap();
        let look = |text: &str, status, from| Search {
            api_key: API_KEY,
            text: text.to_owned(),
            status,
            from,
        };
        let names = |results: &SearchResults| -> Vec<String> {
            results
                .archives
                .iter()
                .map(|archive| archive.name.clone())
                .collect()
        };

        let results = search(&db, &look("WEEKLY", None, None), 5).await.unwrap();
        assert_eq!(names(&results), ["weekly review", "Weekly 100%"]);
        assert_eq!(results.next, None);

        let results = search(&db, &look("weekly", None, None), 1).await.unwrap();
        assert_eq!(names(&results), ["weekly review"]);
        let results = search(&db, &look("weekly", None, results.next), 1)
            .await
            .unwrap();
        assert_eq!(names(&results), ["Weekly 100%"]);
        assert_eq!(results.next, None);

        let results = search(&db, &look("100%", None, None), 5).await.unwrap();
        assert_eq!(names(&results), ["Weekly 100%"]);
        let results = search(&db, &look("0_", None, None), 5).await.unwrap();
        assert_eq!(names(&results), [""; 0]);
        let results = search(&db, &look("bob", None, None), 5).await.unwrap();
        assert_eq!(results.archives.len(), 3);
        let results = search(&db, &look("", Some(Status::Started), None), 5)
            .await
            .unwrap();
        assert_eq!(names(&results), [""]);
    }
}
