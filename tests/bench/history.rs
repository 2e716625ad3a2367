//! How long a page of the history takes with ten archives and with a million, at the front and at the back.
//!
//! `cargo bench --bench history`; `ROWS=100000` makes it quicker. Every fifth archive is deleted, in runs and alone.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed benchmark")]
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::time::{Duration, Instant};

use parlor::{
    archive::history::{self, ArchiveFilter},
    data::DataFolder,
    opentok::SessionId,
};
use sqlx::SqlitePool;

const API_KEY: u32 = 123_456;
const PER_PAGE: u32 = 5;
const ROUNDS: usize = 500;

#[tokio::main]
async fn main() {
    let rows: i64 = std::env::var("ROWS").map_or(1_000_000, |rows| rows.parse().unwrap());
    let few = filled(10).await;
    let began = Instant::now();
    let many = filled(rows).await;
    println!(
        "{rows} archives written in {:.1} s",
        began.elapsed().as_secs_f64()
    );

    let list = ArchiveFilter::Project(API_KEY);
    let total = history::page(&many.1, &list, 1, PER_PAGE)
        .await
        .unwrap()
        .total;
    let last = total.div_ceil(u64::from(PER_PAGE));
    let session = ArchiveFilter::Session(API_KEY, SessionId::from("2_7"));
    let session_last = history::page(&many.1, &session, 1, PER_PAGE)
        .await
        .unwrap()
        .last();

    let cases = [
        ("10 archives, page 1".to_owned(), &few.1, &list, 1),
        (format!("{total} archives, page 1"), &many.1, &list, 1),
        (
            format!("{total} archives, page {}", last / 2),
            &many.1,
            &list,
            last / 2,
        ),
        (
            format!("{total} archives, page {last}"),
            &many.1,
            &list,
            last,
        ),
        (
            "one session of them, page 1".to_owned(),
            &many.1,
            &session,
            1,
        ),
        (
            format!("one session of them, page {session_last}"),
            &many.1,
            &session,
            session_last,
        ),
    ];
    // In turns, so that whatever else the machine does falls on all alike.
    let mut times = vec![Vec::new(); cases.len()];
    for _ in 0..ROUNDS {
        for ((what, db, list, number), times) in cases.iter().zip(&mut times) {
            let began = Instant::now();
            let page = history::page(db, list, *number, PER_PAGE).await.unwrap();
            times.push(began.elapsed());
            assert!(!page.archives.is_empty(), "{what}");
        }
    }
    let medians: Vec<Duration> = times
        .iter_mut()
        .map(|times| {
            times.sort();
            times[ROUNDS / 2]
        })
        .collect();
    for ((what, ..), median) in cases.iter().zip(&medians) {
        let ratio = median.as_secs_f64() / medians[0].as_secs_f64();
        println!(
            "{what:<42} {:>9.1} µs   {ratio:.2} ×",
            median.as_secs_f64() * 1e6
        );
    }
}

/// A data folder with so many archives of a thousand sessions.
async fn filled(rows: i64) -> (tempfile::TempDir, SqlitePool) {
    let folder = tempfile::tempdir().unwrap();
    let data = DataFolder::open(folder.path()).await.unwrap();
    sqlx::query(
        "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < $1)
         INSERT INTO archives (id, api_key, session_id, room, name, status, output_mode, stream_mode, has_audio,
                               has_video, resolution, layout, multi_archive_tag, started_by, created_at_ms,
                               updated_at_ms, duration_ms, size_bytes)
         SELECT printf('%08x-0000-4000-8000-000000000000', n), $2, '2_' || (n % 1000), 'Main room', 'Weekly ' || n,
                CASE WHEN n % 10 = 3 OR n % 5000 BETWEEN 1000 AND 1499 THEN 'deleted' ELSE 'available' END,
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
