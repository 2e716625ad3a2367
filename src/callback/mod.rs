//! Callbacks (webhooks): delivers the events of a project's sessions and archives to the application's server by HTTP POST.
//!
//! ```text
//! live sessions ─▶ bounded queue ─▶ outbox writer ─┐
//!                                                  ├─▶ callback_events ─▶ dispatcher ─▶ client ─▶ the application's server
//! archives: lifecycle, with the status ────────────┘        ▲                │
//!                                                           └─ retry later ──┘
//! ```
//!
//! Waiting events are rows of the database (a transactional outbox), so they survive restarts and crashes. The event of an archive
//! is written in the transaction that changes its status. The events of sessions are written within 100 ms (`outbox.rs`), because a
//! session never waits for the database; a crash loses the events of these 100 ms. The dispatcher delivers the events of one URL one
//! after another, and serves several URLs at once (`dispatcher.rs`). It retries an event for a day ([`Schedule`]). Delivery is
//! at least once: if the server dies between the response and the deletion of the row, the event is delivered again with the same id
//! ([`signature`]).

mod client;
mod dispatcher;
mod outbox;
mod payload;
mod schedule;
pub mod signature;
mod store;
#[cfg(test)]
mod tests;
mod topic;
mod url_policy;

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

use self::client::Client;
pub use self::{
    schedule::Schedule,
    store::{list, unregister, unregister_all},
    topic::Topic,
    url_policy::{UrlError, check_url, reached_at},
};
use crate::{
    archive::ArchiveUpdate,
    archive_object::ObjectWriter,
    session::{Monitor, MonitorEvent},
};

/// Session events that wait for the outbox writer: about a second of the largest load. Further events are dropped and counted.
const QUEUE_CAPACITY: usize = 4_096;

/// A registration: the URL that receives one topic of a project. A topic has at most one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Callback {
    /// A UUID.
    pub id: String,
    pub topic: Topic,
    /// Valid by [`check_url`] when it was registered.
    pub url: String,
    /// The time of the first registration. Unix time, ms.
    pub created_at_ms: i64,
}

/// The reason why nothing was registered.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    #[error("there is no key {0}; `parlor keys list` shows the keys of applications")]
    NoSuchKey(u32),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// Registers `url`, which [`check_url`] has accepted, for these topics. Events that wait for a topic go to the new URL too.
///
/// # Errors
/// [`RegisterError::NoSuchKey`] also for a revoked key.
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

/// The settings of delivery.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Whether events may go to private addresses.
    pub allow_private: bool,
    /// The URL under which receivers reach this server, for links to archives. `None`: unknown; archives come without a link.
    pub public_url: Option<String>,
    pub schedule: Schedule,
    /// The most events of one topic of a project that wait. Beyond it the oldest are dropped. The limit is per topic, so that a
    /// flood of stream events drops no archive event.
    pub max_waiting: u32,
    /// The wall clock: Unix time, ms.
    pub now_ms: fn() -> i64,
}

impl Settings {
    /// Returns the default settings: 10,000 events of a topic may wait, which is less than 30 MB.
    pub fn new(public_url: Option<String>, now_ms: fn() -> i64) -> Settings {
        Settings {
            allow_private: false,
            public_url,
            schedule: Schedule::default(),
            max_waiting: 10_000,
            now_ms,
        }
    }
}

/// Counts since the start of the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeliveryCounts {
    pub delivered: u64,
    /// Delivery attempts that failed.
    pub failed: u64,
    /// Events that were not delivered within a day.
    pub given_up: u64,
    /// Events dropped because the queue or the outbox was full.
    pub dropped: u64,
    /// Events that wait for delivery now.
    pub waiting: u64,
}

/// A handle on the outbox writer and the dispatcher. Clones share both.
#[derive(Clone)]
pub struct Callbacks(Arc<Inner>);

struct Inner {
    db: SqlitePool,
    settings: Settings,
    objects: ObjectWriter,
    client: Client,
    events: mpsc::Sender<MonitorEvent>,
    counters: Counters,
    /// Limits the warning about archives without links to one.
    no_links_warning: Once,
    /// Wakes the dispatcher after new events were written.
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
    /// Starts the outbox writer and the dispatcher, which begins with the events of earlier runs. `updates` come from all archives.
    ///
    /// # Errors
    /// Fails if the HTTP client cannot be built.
    pub fn start(
        db: SqlitePool,
        objects: ObjectWriter,
        updates: broadcast::Receiver<ArchiveUpdate>,
        settings: Settings,
    ) -> anyhow::Result<Callbacks> {
        let (events, events_rx) = mpsc::channel(QUEUE_CAPACITY);
        let client =
            Client::new(settings.allow_private).context("building the HTTP client of callbacks")?;
        let callbacks = Callbacks(Arc::new(Inner {
            db,
            settings,
            objects,
            client,
            events,
            counters: Counters::default(),
            no_links_warning: Once::new(),
            work: Notify::new(),
            closing: watch::Sender::new(false),
            tasks: Mutex::default(),
        }));
        let writer = tokio::spawn(outbox::run(callbacks.clone(), events_rx, updates));
        let dispatcher = tokio::spawn(dispatcher::run(callbacks.clone()));
        callbacks.tasks().extend([writer, dispatcher]);
        Ok(callbacks)
    }

    /// Saves the queued events, and gives requests in flight 2 s to end. Waiting events are delivered after the next start.
    pub async fn close(&self) {
        self.0.closing.send_replace(true);
        let tasks = std::mem::take(&mut *self.tasks());
        for task in tasks {
            let _ = task.await;
        }
    }

    /// Returns the counts.
    ///
    /// # Errors
    /// Fails if the database does not answer.
    pub async fn counts(&self) -> Result<DeliveryCounts, sqlx::Error> {
        let Counters {
            delivered,
            failed,
            given_up,
            dropped,
        } = &self.0.counters;
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Ok(DeliveryCounts {
            delivered: read(delivered),
            failed: read(failed),
            given_up: read(given_up),
            dropped: read(dropped),
            waiting: store::count(&self.0.db).await?,
        })
    }

    /// Completes once [`Callbacks::close`] is called.
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
    fn report(&self, event: MonitorEvent) {
        if self.0.events.try_send(event).is_err() && !*self.0.closing.borrow() {
            count(&self.0.counters.dropped, 1);
        }
    }
}

fn count(counter: &AtomicU64, number: u64) {
    counter.fetch_add(number, Ordering::Relaxed);
}
