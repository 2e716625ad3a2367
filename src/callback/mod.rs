//! Callbacks: what happens in a project's sessions and to its archives is posted to the application's own server.
//!
//! ```text
//! live sessions ─▶ bounded queue ─▶ keeper ─┐
//!                                           ├─▶ callback_events ─▶ carrier ─▶ the application's server
//! archives: a trigger, with the status ─────┘        ▲                │
//!                                                    └── later again ─┘ not taken
//! ```
//!
//! What waits is in the database, so neither a restart nor a crash loses it. The event of an archive is written in one
//! transaction with its status. An event of a session is written a moment after it happened (`keeper.rs`), since nothing may hold up a
//! session: a crash loses those of the last moment, together with the sessions themselves. Events of one receiver are delivered one
//! after the other, those of several at once (`carrier.rs`), until a day is over ([`Schedule`]); an event comes twice if the
//! server dies between the answer and its note, and bears the same id then ([`signature`]).

mod address;
mod body;
mod carrier;
mod keeper;
mod post;
mod schedule;
pub mod signature;
mod store;
#[cfg(test)]
mod tests;
mod topic;

use std::sync::{
    Arc, Mutex, Once, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use anyhow::Context;
use sqlx::SqlitePool;
use tokio::{
    sync::{Notify, broadcast, mpsc, watch},
    task::JoinHandle,
};

use self::post::Poster;
pub use self::{
    address::{UrlError, check_url, reached_at},
    schedule::Schedule,
    store::{list, unregister, unregister_all},
    topic::Topic,
};
use crate::{
    archive::ArchiveUpdate,
    archive_object::ObjectWriter,
    session::{Monitor, MonitorEvent},
};

/// Reports of sessions that wait to be written: about a second of the largest crowd. Further ones are dropped, and counted.
const REPORTS: usize = 4_096;

/// Where one kind of event of a project goes. There is one for each kind at most.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Callback {
    /// A UUID.
    pub id: String,
    pub topic: Topic,
    /// Checked by [`check_url`] when it was registered.
    pub url: String,
    /// When it was first registered. Unix time, ms.
    pub created_at_ms: i64,
}

/// Why nothing was registered.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    #[error("there is no key {0}; `parlor keys list` shows those of applications")]
    NoSuchKey(u32),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// Has events of these topics posted to `url`, which was checked. What waits for a topic goes there, too.
///
/// # Errors
/// [`RegisterError::NoSuchKey`] also for one that was revoked.
pub async fn register(
    db: &SqlitePool,
    api_key: u32,
    topics: &[Topic],
    url: &str,
    now_ms: i64,
) -> Result<Vec<Callback>, RegisterError> {
    let registered = store::register(db, api_key, topics, url, now_ms).await?;
    if registered.len() < topics.len() {
        return Err(RegisterError::NoSuchKey(api_key));
    }
    Ok(registered)
}

/// How events are delivered.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Private addresses may be asked, too.
    pub allow_private: bool,
    /// Where receivers reach this server, for the links to archives. `None`: nobody has said; archives come without a link.
    pub base: Option<String>,
    pub schedule: Schedule,
    /// Events of one topic of a project that wait at most; the oldest are dropped. One for each topic, so that a flood of
    /// streams drops no archive's.
    pub most_waiting: u32,
    /// The clock on the wall: Unix time, ms.
    pub now_ms: fn() -> i64,
}

impl Settings {
    /// Ten thousand of a topic may wait, which is less than 30 MB.
    pub fn new(base: Option<String>, now_ms: fn() -> i64) -> Settings {
        Settings {
            allow_private: false,
            base,
            schedule: Schedule::default(),
            most_waiting: 10_000,
            now_ms,
        }
    }
}

/// How it goes, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub delivered: u64,
    /// Tries that failed.
    pub failed: u64,
    /// Events that nobody took for a day.
    pub given_up: u64,
    /// Events for which there was no room, in the queue or in the database.
    pub dropped: u64,
    /// Events that wait now.
    pub waiting: u64,
}

/// What delivers events. Clones are the same handle.
#[derive(Clone)]
pub struct Callbacks(Arc<Inner>);

struct Inner {
    db: SqlitePool,
    settings: Settings,
    objects: ObjectWriter,
    poster: Poster,
    reports: mpsc::Sender<MonitorEvent>,
    counters: Counters,
    /// The operator was told that archives come without links.
    no_links: Once,
    /// There are new events.
    work: Notify,
    closing: watch::Sender<bool>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

#[derive(Default)]
struct Counters {
    delivered: AtomicU64,
    failed: AtomicU64,
    given_up: AtomicU64,
    dropped: AtomicU64,
}

impl Callbacks {
    /// Begins to deliver, with what waits from before. `changes` are those of all archives.
    ///
    /// # Errors
    /// When no request could ever be sent.
    pub fn start(
        db: SqlitePool,
        objects: ObjectWriter,
        changes: broadcast::Receiver<ArchiveUpdate>,
        settings: Settings,
    ) -> anyhow::Result<Callbacks> {
        let (reports, waiting) = mpsc::channel(REPORTS);
        let poster = Poster::new(settings.allow_private).context("preparing callbacks")?;
        let callbacks = Callbacks(Arc::new(Inner {
            db,
            settings,
            objects,
            poster,
            reports,
            counters: Counters::default(),
            no_links: Once::new(),
            work: Notify::new(),
            closing: watch::Sender::new(false),
            tasks: Mutex::default(),
        }));
        let keeper = tokio::spawn(keeper::keep(callbacks.clone(), waiting, changes));
        let carrier = tokio::spawn(carrier::carry(callbacks.clone()));
        callbacks.tasks().extend([keeper, carrier]);
        Ok(callbacks)
    }

    /// Writes down what was reported so far; what waits is delivered after the next start. Tries on their way have a moment to end.
    pub async fn close(&self) {
        self.0.closing.send_replace(true);
        let tasks = std::mem::take(&mut *self.tasks());
        for task in tasks {
            let _ = task.await;
        }
    }

    /// How it goes.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn counts(&self) -> Result<Counts, sqlx::Error> {
        let Counters {
            delivered,
            failed,
            given_up,
            dropped,
        } = &self.0.counters;
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Ok(Counts {
            delivered: read(delivered),
            failed: read(failed),
            given_up: read(given_up),
            dropped: read(dropped),
            waiting: store::count(&self.0.db).await?,
        })
    }

    /// Returns once [`Callbacks::close`] was called.
    async fn closed(&self) {
        let _ = self
            .0
            .closing
            .subscribe()
            .wait_for(|closing| *closing)
            .await;
    }

    fn tasks(&self) -> std::sync::MutexGuard<'_, Vec<JoinHandle<()>>> {
        self.0.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Monitor for Callbacks {
    fn report(&self, report: MonitorEvent) {
        if self.0.reports.try_send(report).is_err() && !*self.0.closing.borrow() {
            count(&self.0.counters.dropped, 1);
        }
    }
}

fn count(counter: &AtomicU64, number: u64) {
    counter.fetch_add(number, Ordering::Relaxed);
}
