//! The outbox writer: saves the events of live sessions as outbox rows, and bounds how many rows wait.

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use tokio::sync::{broadcast, mpsc};
use tracing::{error, warn};

use super::{
    Callback, Callbacks, Topic, count, payload,
    store::{self, NewEvent},
};
use crate::{archive::ArchiveUpdate, session::MonitorEvent};

/// Events per transaction.
const MAX_BATCH: usize = 256;

/// The delay between two batches. It bounds the database reads of a busy server to ten lookups of registrations per second.
const BATCH_DELAY: Duration = Duration::from_millis(100);

/// The delay before a batch is saved again after the database failed, for instance on a full disk.
const DATABASE_RETRY_DELAY: Duration = Duration::from_secs(5);

/// Runs until [`Callbacks::close`], then saves the events that are still queued.
pub async fn run(
    callbacks: Callbacks,
    mut events: mpsc::Receiver<MonitorEvent>,
    mut updates: broadcast::Receiver<ArchiveUpdate>,
) {
    let mut batch = Vec::new();
    loop {
        tokio::select! {
            () = callbacks.closed() => break,
            1.. = events.recv_many(&mut batch, MAX_BATCH) => {
                callbacks.save_batch(&mut batch).await;
            }
            update = updates.recv() => match update {
                Ok(update) => callbacks.trim([(update.archive.api_key, Topic::ArchiveStatus)]).await,
                // The missed updates have their rows already.
                Err(broadcast::error::RecvError::Lagged(_)) => callbacks.trim_archives().await,
                Err(broadcast::error::RecvError::Closed) => break,
            },
        }
        callbacks.0.work.notify_one();
        if events.len() < MAX_BATCH {
            let _ = tokio::time::timeout(BATCH_DELAY, callbacks.closed()).await;
        }
    }
    events.close();
    while events.recv_many(&mut batch, MAX_BATCH).await > 0 {
        callbacks.save_batch(&mut batch).await;
    }
}

impl Callbacks {
    /// Saves a batch, and retries until the database takes it or the server stops.
    async fn save_batch(&self, batch: &mut Vec<MonitorEvent>) {
        while let Err(error) = self.save(batch).await {
            error!(%error, events = batch.len(), "Saving callback events failed");
            if tokio::time::timeout(DATABASE_RETRY_DELAY, self.closed())
                .await
                .is_ok()
            {
                count(&self.0.counters.dropped, batch.len() as u64);
                break;
            }
        }
        batch.clear();
    }

    async fn save(&self, batch: &[MonitorEvent]) -> Result<(), sqlx::Error> {
        let keys: BTreeSet<u32> = batch.iter().filter_map(|e| e.session.api_key()).collect();
        // Other processes register callbacks too, and these take effect at once.
        let mut registered = HashMap::new();
        for key in keys {
            for callback in store::list(&self.0.db, key).await? {
                let Callback { id, topic, .. } = callback;
                registered.insert((key, topic), id);
            }
        }
        let mut events = Vec::new();
        let mut topics = BTreeSet::new();
        for event in batch {
            let topic = Topic::of_event(&event.kind);
            if let Some(api_key) = event.session.api_key()
                && let Some(callback) = registered.get(&(api_key, topic))
            {
                topics.insert((api_key, topic));
                events.push(NewEvent {
                    callback,
                    api_key,
                    body: payload::of_event(event, api_key),
                    occurred_at_ms: event.at_ms,
                });
            }
        }
        if events.is_empty() {
            return Ok(());
        }
        store::enqueue(&self.0.db, &events).await?;
        self.trim(topics).await;
        Ok(())
    }

    /// Drops the oldest events beyond the limit of each topic. After a failure the next event of the topic trims again.
    async fn trim(&self, topics: impl IntoIterator<Item = (u32, Topic)>) {
        for (key, topic) in topics {
            match store::trim(&self.0.db, key, topic, self.0.settings.max_waiting).await {
                Ok(0) => {}
                Ok(dropped) => {
                    count(&self.0.counters.dropped, dropped);
                    warn!(
                        project.key = key,
                        %topic,
                        dropped,
                        "Too many callback events wait; the oldest were dropped"
                    );
                }
                Err(error) => error!(%error, "Trimming callback events failed"),
            }
        }
    }

    /// Trims the archive events of all projects.
    async fn trim_archives(&self) {
        match store::receivers(&self.0.db).await {
            Ok(receivers) => {
                let keys: BTreeSet<u32> = receivers.iter().map(|to| to.api_key).collect();
                self.trim(keys.into_iter().map(|key| (key, Topic::ArchiveStatus)))
                    .await;
            }
            Err(error) => error!(%error, "Trimming callback events failed"),
        }
    }
}
