//! Frequent queries do not take longer with a long history than with a short one.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use sqlx::{
    SqlitePool,
    sqlite::{SqliteConnectOptions, SqlitePoolOptions},
};

use super::{
    Archive, Status, remote, store,
    testing::{self, STARTED_MS},
};

const PLATFORM: &str = "https://video.example/v2/project/77";

/// The number of finished archives. Every second one is of another platform.
const DONE: u64 = 3_000;

/// The number of steps that a query may take. SQLite reports at least one step for each row that it reads.
const MOST_STEPS: u64 = DONE / 10;

/// A pool of one connection, and a counter of its steps.
async fn counted(
    options: SqlitePoolOptions,
    file: SqliteConnectOptions,
) -> (SqlitePool, Arc<AtomicU64>) {
    let db = options.max_connections(1).connect_with(file).await.unwrap();
    let steps = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&steps);
    let mut connection = db.acquire().await.unwrap();
    let mut handle = connection.lock_handle().await.unwrap();
    handle.set_progress_handler(1, move || {
        count.fetch_add(1, Ordering::Relaxed);
        true
    });
    drop(handle);
    drop(connection);
    (db, steps)
}

async fn fill(db: &SqlitePool) {
    sqlx::query(
        "INSERT INTO archives (id, api_key, session_id, room, name, status, output_mode, stream_mode, has_audio, has_video,
                               resolution, layout, multi_archive_tag, started_by, created_at_ms, updated_at_ms, platform,
                               pulled)
         WITH RECURSIVE numbers (number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM numbers WHERE number < $1)
         SELECT 'done ' || number, $2, 'a session', '', '', 'available', 'composed', 'auto', 1, 1, '640x480', '{}', '', '',
                $3, $3, CASE number % 2 WHEN 0 THEN '' ELSE $4 END, number % 2
         FROM numbers",
    )
    .bind(i64::try_from(DONE).unwrap())
    .bind(testing::API_KEY)
    .bind(STARTED_MS)
    .bind(PLATFORM)
    .execute(db)
    .await
    .unwrap();
}

/// An archive of another platform whose file may be copied.
async fn adopted(db: &SqlitePool) -> Archive {
    let archive = testing::in_status(db, Status::Available).await;
    sqlx::query("UPDATE archives SET platform = $1 WHERE seq = $2")
        .bind(PLATFORM)
        .bind(archive.seq)
        .execute(db)
        .await
        .unwrap();
    archive
}

#[sqlx::test]
async fn frequent_queries_do_not_read_the_history(
    options: SqlitePoolOptions,
    file: SqliteConnectOptions,
) {
    let (db, steps) = counted(options, file).await;
    fill(&db).await;
    let started = testing::in_status(&db, Status::Started).await;
    let stopped = testing::in_status(&db, Status::Stopped).await;
    let waits = adopted(&db).await;
    let session = &started.session_id;

    let mut took = Vec::new();
    let mut check = |what: &'static str, found: Vec<Archive>, wanted: &[&Archive]| {
        let seqs = |archives: &mut dyn Iterator<Item = i64>| archives.collect::<Vec<_>>();
        assert_eq!(
            seqs(&mut found.iter().map(|archive| archive.seq)),
            seqs(&mut wanted.iter().map(|archive| archive.seq)),
            "{what}"
        );
        took.push((what, steps.swap(0, Ordering::Relaxed)));
    };
    check("all that is there", vec![], &[]);
    check("running", store::running(&db).await.unwrap(), &[&started]);
    let found = store::running_in(&db, session).await.unwrap();
    check("running in a session", found, &[&started]);
    let found = store::running_of(&db, session, "").await.unwrap();
    check(
        "running by its tag",
        found.into_iter().collect(),
        &[&started],
    );
    check("stopped", store::stopped(&db).await.unwrap(), &[&stopped]);
    let found = remote::not_pulled(&db, PLATFORM).await.unwrap();
    check("not pulled", found, &[&waits]);
    let found = remote::unfinished(&db, PLATFORM).await.unwrap();
    check("unfinished remote", found, &[]);
    assert_eq!(store::to_clear(&db).await.unwrap(), []);
    check("to clear", vec![], &[]);
    assert_eq!(store::older_than(&db, STARTED_MS).await.unwrap(), []);
    check("too old", vec![], &[]);

    let (_, before) = took.remove(0);
    assert!(before > DONE, "nothing is counted");
    for (what, steps) in took {
        assert!(steps < MOST_STEPS, "{what}: {steps} steps");
    }
}
