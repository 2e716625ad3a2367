//! Tests of [`super`].

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
            let statement = "UPDATE archives SET size_bytes = CAST($2 AS INTEGER) WHERE seq = $1";
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
    let expected: Vec<i64> =
        sqlx::query_scalar("SELECT seq FROM archives WHERE status <> 'deleted' ORDER BY seq DESC")
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

#[sqlx::test]
async fn a_user_has_the_archives_of_both_kinds_of_calls_newest_first(db: SqlitePool) {
    let (ann, bob, eve) = (UserId::random(), UserId::random(), UserId::random());
    let mut archives = Vec::new();
    for (from, to, status) in [
        (ann, bob, Status::Available),
        (bob, ann, Status::Failed),
        (bob, eve, Status::Available),
        (ann, eve, Status::Deleted),
    ] {
        let archive = in_status(&db, status).await;
        sqlx::query(
            "INSERT INTO chats (session_id, inviter_id, inviter_name, invitee_id, invitee_name, started_at_ms)
             VALUES ($1, $2, 'A', $3, 'B', 0)",
        )
        .bind(archive.session_id.as_str())
        .bind(from.to_string())
        .bind(to.to_string())
        .execute(&db)
        .await
        .unwrap();
        archives.push(archive.id);
    }
    let of = async |user, limit| {
        let found = of_user(&db, API_KEY, user, limit).await.unwrap();
        found.iter().map(|archive| archive.id).collect::<Vec<_>>()
    };
    assert_eq!(of(ann, 10).await, [archives[1], archives[0]]);
    assert_eq!(of(ann, 1).await, [archives[1]]);
    assert_eq!(of(eve, 10).await, [archives[2]]);
    assert_eq!(of_user(&db, API_KEY + 1, ann, 10).await.unwrap(), []);
}
