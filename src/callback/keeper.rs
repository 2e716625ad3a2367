//! Writes the events of live sessions down, and sees to it that not too many wait.

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use tokio::sync::{broadcast, mpsc};
use tracing::{error, warn};

use super::{
    Callback, Callbacks, Topic, body, count,
    store::{self, NewEvent},
};
use crate::{archive::ArchiveUpdate, session::MonitorEvent};

/// Reports that are written in one transaction.
const BATCH: usize = 256;

/// How long reports gather before the next batch is written: a busy server asks the database ten times a second where
/// they go, not at each of them.
const GATHER: Duration = Duration::from_millis(100);

/// How long reports wait when the database could not take them, for instance on a full disk.
const AGAIN_AFTER: Duration = Duration::from_secs(5);

/// Runs until callbacks are closed, and then until nothing is left to be written.
pub async fn keep(
    callbacks: Callbacks,
    mut reports: mpsc::Receiver<MonitorEvent>,
    mut changes: broadcast::Receiver<ArchiveUpdate>,
) {
    let mut batch = Vec::new();
    loop {
        tokio::select! {
            () = callbacks.closed() => break,
            1.. = reports.recv_many(&mut batch, BATCH) => {
                callbacks.keep_batch(&mut batch).await;
            }
            change = changes.recv() => match change {
                Ok(change) => callbacks.trim([(change.archive.api_key, Topic::ArchiveStatus)]).await,
                // The rows are there, whoever missed being told of them.
                Err(broadcast::error::RecvError::Lagged(_)) => callbacks.trim_archives().await,
                Err(broadcast::error::RecvError::Closed) => break,
            },
        }
        callbacks.0.work.notify_one();
        if reports.len() < BATCH {
            let _ = tokio::time::timeout(GATHER, callbacks.closed()).await;
        }
    }
    reports.close();
    while reports.recv_many(&mut batch, BATCH).await > 0 {
        callbacks.keep_batch(&mut batch).await;
    }
}

impl Callbacks {
    /// Writes a batch down, however long that takes, unless the server stops.
    async fn keep_batch(&self, batch: &mut Vec<MonitorEvent>) {
        while let Err(problem) = self.write(batch).await {
            error!("Events of sessions cannot be kept for their callbacks yet: {problem}");
            if tokio::time::timeout(AGAIN_AFTER, self.closed())
                .await
                .is_ok()
            {
                count(&self.0.counters.dropped, batch.len() as u64);
                break;
            }
        }
        batch.clear();
    }

    async fn write(&self, batch: &[MonitorEvent]) -> Result<(), sqlx::Error> {
        let keys: BTreeSet<u32> = batch.iter().filter_map(|r| r.session.api_key()).collect();
        // Registrations are made by other processes, too, and count at once.
        let mut registered = HashMap::new();
        for key in keys {
            for callback in store::list(&self.0.db, key).await? {
                let Callback { id, topic, .. } = callback;
                registered.insert((key, topic), id);
            }
        }
        let mut events = Vec::new();
        let mut lists = BTreeSet::new();
        for report in batch {
            let topic = Topic::of_occurrence(&report.kind);
            if let Some(api_key) = report.session.api_key()
                && let Some(callback) = registered.get(&(api_key, topic))
            {
                lists.insert((api_key, topic));
                events.push(NewEvent {
                    callback,
                    api_key,
                    body: body::of_report(report, api_key),
                    happened_at_ms: report.at_ms,
                });
            }
        }
        if events.is_empty() {
            return Ok(());
        }
        store::enqueue(&self.0.db, &events).await?;
        self.trim(lists).await;
        Ok(())
    }

    /// Drops what is too much of these topics of projects; if that fails, the next event tries it again.
    async fn trim(&self, lists: impl IntoIterator<Item = (u32, Topic)>) {
        for (key, topic) in lists {
            match store::trim(&self.0.db, key, topic, self.0.settings.most_waiting).await {
                Ok(0) => {}
                Ok(dropped) => {
                    count(&self.0.counters.dropped, dropped);
                    warn!(
                        project.key = key,
                        "Too many events `{topic}` wait for the callback of project {key}: the oldest {dropped} are dropped"
                    );
                }
                Err(problem) => error!("Events that wait cannot be counted: {problem}"),
            }
        }
    }

    /// Likewise, of the archives of all projects.
    async fn trim_archives(&self) {
        match store::receivers(&self.0.db).await {
            Ok(receivers) => {
                let keys: BTreeSet<u32> = receivers.iter().map(|to| to.api_key).collect();
                self.trim(keys.into_iter().map(|key| (key, Topic::ArchiveStatus)))
                    .await;
            }
            Err(problem) => error!("Events that wait cannot be counted: {problem}"),
        }
    }
}
