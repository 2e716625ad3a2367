//! How a crowd is told something: a few sockets at a time.
//!
//! Thousands of sockets that wake at once keep both cores busy for a tenth of a second, and whoever rings then
//! waits behind all of them. What everybody is told waits in the outboxes from the start, in its order; only the
//! waking is spread. Who is woken by something else meanwhile hears everything at once.

use std::time::Duration;

use tokio::sync::mpsc;

use super::outbox::Nudge;

/// Sockets that are woken at once.
pub(super) const AT_ONCE: usize = 100;

/// Between two wakings.
const STEP: Duration = Duration::from_millis(5);

/// Wakings for one crowd, at most: all of it is told in less time than is between two deltas of the roster.
const STEPS: usize = 45;

/// Crowds that wait. Beyond this they are woken at once.
const MAX_BATCHES: usize = 16;

/// Sockets for which something waits.
pub(super) type WakeBatch = Vec<Nudge>;

/// To one who wakes, and what he reads.
pub(super) fn channel() -> (mpsc::Sender<WakeBatch>, mpsc::Receiver<WakeBatch>) {
    mpsc::channel(MAX_BATCHES)
}

/// Wakes crowd after crowd, for ever.
pub(super) async fn run(mut batches: mpsc::Receiver<WakeBatch>) {
    while let Some(batch) = batches.recv().await {
        let slice = batch.len().div_ceil(STEPS).max(AT_ONCE);
        for sockets in batch.chunks(slice) {
            sockets.iter().for_each(Nudge::wake);
            tokio::time::sleep(STEP).await;
        }
    }
}
