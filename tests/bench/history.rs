//! Measures how long a page of the history takes with 10 archives and with 1,000,000, in each part of the list.
//!
//! Run it with `cargo bench --bench history`. `ROWS=100000` makes it quicker. Deleted rows
//! are between the listed ones, single and in runs of 500. Targets: at most 2 ms for each of the first 100 pages, at most
//! 50 ms for any page.

#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
#![expect(clippy::unwrap_used, reason = "a failed step is a failed benchmark")]
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::time::{Duration, Instant};

use parlor::{
    archive::{
        Status,
        history::{self, ArchiveFilter, Search},
    },
    data::DataFolder,
    opentok::SessionId,
};
use sqlx::SqlitePool;

const API_KEY: u32 = 123_456;
const PER_PAGE: u32 = 5;
/// The number of pages measured in each part of a list.
const PAGES: u64 = 100;
const SEARCHES: usize = 20;

#[tokio::main]
async fn main() {
    let rows: i64 = std::env::var("ROWS").map_or(1_000_000, |rows| rows.parse().unwrap());
    for rows in [10, rows] {
        let began = Instant::now();
        let (_folder, db) = filled(rows).await;
        let total = total(&db, &ArchiveFilter::Project(API_KEY)).await;
        println!(
            "{rows} rows written in {:.1} s, {total} archives listed",
            began.elapsed().as_secs_f64()
        );
        println!(
            "{:<44} {:>8} {:>10} {:>10}",
            "", "pages", "p50 ms", "max ms"
        );
        measure_pages(&db, "project", &ArchiveFilter::Project(API_KEY)).await;
        let available = ArchiveFilter::Status(API_KEY, Status::Available);
        measure_pages(&db, "status available", &available).await;
        let session = ArchiveFilter::Session(API_KEY, SessionId::from("2_7"));
        measure_pages(&db, "one session", &session).await;
        measure_search(&db, "search, matches on the first page", "weekly").await;
        measure_search(&db, "search, no match", "no such name").await;
    }
}

async fn total(db: &SqlitePool, list: &ArchiveFilter) -> u64 {
    let page = history::page(db, list, 1, PER_PAGE).await.unwrap();
    page.total
}

/// Measures the first pages of a list, those around the first and second third and the middle, and the last pages.
async fn measure_pages(db: &SqlitePool, what: &str, list: &ArchiveFilter) {
    let last = total(db, list).await.div_ceil(u64::from(PER_PAGE)).max(1);
    let around = |page: u64| {
        let first = page.saturating_sub(PAGES / 2).max(1);
        first..=(first + PAGES - 1).min(last)
    };
    for (region, pages) in [
        ("first", around(1)),
        ("1/3", around(last / 3)),
        ("middle", around(last / 2)),
        ("2/3", around(last / 3 * 2)),
        ("last", around(last.saturating_sub(PAGES / 2))),
    ] {
        let mut times = Vec::new();
        for number in pages.clone() {
            let began = Instant::now();
            let page = history::page(db, list, number, PER_PAGE).await.unwrap();
            times.push(began.elapsed());
            assert!(
                page.total == 0 || !page.archives.is_empty(),
                "{what} {number}"
            );
        }
        let name = format!(
            "{what}, {region}: page {} to {}",
            pages.start(),
            pages.end()
        );
        print(&name, &mut times);
    }
}

async fn measure_search(db: &SqlitePool, what: &str, text: &str) {
    let search = Search {
        api_key: API_KEY,
        text: text.to_owned(),
        status: None,
        from: None,
    };
    let mut times = Vec::new();
    for _ in 0..SEARCHES {
        let began = Instant::now();
        history::search(db, &search, PER_PAGE).await.unwrap();
        times.push(began.elapsed());
    }
    print(what, &mut times);
}

fn print(what: &str, times: &mut [Duration]) {
    times.sort();
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    println!(
        "{what:<44} {:>8} {:>10.3} {:>10.3}",
        times.len(),
        ms(times[times.len() / 2]),
        ms(times[times.len() - 1])
    );
}

/// Makes a data folder with archives of 1000 sessions.
async fn filled(rows: i64) -> (tempfile::TempDir, SqlitePool) {
    let folder = tempfile::tempdir().unwrap();
    let data = DataFolder::open(folder.path(), false).await.unwrap();
    sqlx::query(
        "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < $1 * 5 / 4)
         INSERT INTO archives (id, api_key, session_id, room, name, status, output_mode, stream_mode, has_audio,
                               has_video, resolution, layout, multi_archive_tag, started_by, created_at_ms,
                               updated_at_ms, duration_ms, size_bytes)
         SELECT printf('%08x-0000-4000-8000-000000000000', n), $2, '2_' || (n % 1000), 'Main room', 'Weekly ' || n,
                CASE WHEN n % 10 = 3 OR n % 4500 BETWEEN 1000 AND 1499 THEN 'deleted' ELSE 'available' END,
                'composed', 'auto', 1, 1, '640x480', '{}', '', 'moderator', n, n, 60000, 1000000
         FROM numbers",
    )
    .bind(rows)
    .bind(API_KEY)
    .execute(&data.db)
    .await
    .unwrap();
    (folder, data.db)
}
