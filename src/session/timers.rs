//! Wakes the sockets of a large session in batches.
//!
//! Thousands of sockets that wake at once occupy two cores for about 100 ms and delay every other request. So an
//! event for everyone is queued in all outboxes at once and in order, but the sockets are woken in batches. A
//! socket that wakes for another reason sends everything that is queued.

use std::time::Duration;

use tokio::sync::mpsc;

use super::outbox::Nudge;

/// Sockets in one step.
pub(super) const AT_ONCE: usize = 100;

/// Time between two steps.
const STEP: Duration = Duration::from_millis(5);

/// Steps of one batch at most, so that a batch ends before the next delta of the roster.
const STEPS: usize = 45;

/// Batches that wait. Further batches are woken at once.
const MAX_BATCHES: usize = 16;

/// Sockets with queued messages.
pub(super) type WakeBatch = Vec<Nudge>;

/// The queue of batches.
pub(super) fn channel() -> (mpsc::Sender<WakeBatch>, mpsc::Receiver<WakeBatch>) {
    mpsc::channel(MAX_BATCHES)
}

/// Wakes batch after batch until the sender is gone.
pub(super) async fn run(mut batches: mpsc::Receiver<WakeBatch>) {
    while let Some(batch) = batches.recv().await {
        let slice = batch.len().div_ceil(STEPS).max(AT_ONCE);
        for sockets in batch.chunks(slice) {
            sockets.iter().for_each(Nudge::wake);
            tokio::time::sleep(STEP).await;
        }
    }
}
