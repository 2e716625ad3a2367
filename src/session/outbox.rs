//! What waits to be sent to one socket.
//!
//! The session fills it without waiting, the socket empties it as fast as its client reads. It is
//! bounded: a client that falls too far behind loses its socket and may resume.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicUsize, Ordering},
};

use tokio::sync::mpsc;

use super::{
    backlog,
    live::{Closing, Outgoing},
};

/// Messages. Higher: slower clients keep their socket through a storm; lower: less memory.
const MAX_MESSAGES: usize = 1000;
const MAX_BYTES: usize = 1024 * 1024;

/// An outbox for a client that connects anew.
pub(super) fn outbox() -> (OutboxSender, Outbox) {
    bounded(MAX_MESSAGES, MAX_BYTES)
}

/// An outbox for a client that resumes: with room for all that it may have missed.
pub(super) fn resumed_outbox() -> (OutboxSender, Outbox) {
    bounded(
        MAX_MESSAGES + backlog::MAX_EVENTS,
        MAX_BYTES + 2 * backlog::MAX_BYTES,
    )
}

fn bounded(max_messages: usize, max_bytes: usize) -> (OutboxSender, Outbox) {
    let (sender, messages) = mpsc::channel(max_messages);
    let shared = Arc::new(Shared::default());
    (
        OutboxSender {
            messages: sender,
            max_bytes,
            shared: Arc::clone(&shared),
        },
        Outbox { messages, shared },
    )
}

#[derive(Default)]
struct Shared {
    /// Added to by the session, taken from by the socket.
    bytes: AtomicUsize,
    /// Set once, by the session.
    closing: OnceLock<Closing>,
}

/// The session's end.
pub(super) struct OutboxSender {
    messages: mpsc::Sender<Outgoing>,
    max_bytes: usize,
    shared: Arc<Shared>,
}

impl OutboxSender {
    /// `false` when the client is too far behind.
    pub fn send(&self, message: Outgoing) -> bool {
        let size = size(&message);
        let before = self.shared.bytes.fetch_add(size, Ordering::Relaxed);
        before + size <= self.max_bytes && self.messages.try_send(message).is_ok()
    }

    /// Closes the socket behind all that waits, or at once if there is too much of it.
    pub fn close(self, why: Closing) {
        // Set only here, and `self` is gone then.
        let _ = self.shared.closing.set(why);
    }
}

/// The socket's end.
pub struct Outbox {
    messages: mpsc::Receiver<Outgoing>,
    shared: Arc<Shared>,
}

impl Outbox {
    /// The next message; an error means to close the socket.
    ///
    /// Nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Result<Outgoing, Closing> {
        if let Some(Closing::Overflow) = self.shared.closing.get() {
            return Err(Closing::Overflow);
        }
        match self.messages.recv().await {
            Some(message) => {
                let size = size(&message);
                self.shared.bytes.fetch_sub(size, Ordering::Relaxed);
                Ok(message)
            }
            None => Err(self
                .shared
                .closing
                .get()
                .copied()
                .unwrap_or(Closing::Replaced)),
        }
    }
}

fn size(message: &Outgoing) -> usize {
    match message {
        Outgoing::Reply { outcome, .. } => outcome.size(),
        Outgoing::Event { event, .. } => event.json.len() + 16,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::event::{Event, Outcome, SharedEvent};

    fn reply() -> Outgoing {
        Outgoing::Reply {
            request: 1,
            outcome: Outcome::Done {},
        }
    }

    #[tokio::test]
    async fn what_waits_is_sent_before_the_socket_is_closed() {
        let (sender, mut outbox) = outbox();
        assert!(sender.send(reply()));
        sender.close(Closing::Left);
        assert!(outbox.next().await.is_ok());
        assert_eq!(outbox.next().await.unwrap_err(), Closing::Left);
    }

    #[tokio::test]
    async fn a_client_that_does_not_read_is_cut_off() {
        let (sender, mut outbox) = outbox();
        let sent = (0..5000).take_while(|_| sender.send(reply())).count();
        assert_eq!(sent, MAX_MESSAGES);
        sender.close(Closing::Overflow);
        assert_eq!(outbox.next().await.unwrap_err(), Closing::Overflow);
    }

    #[tokio::test]
    async fn a_client_that_reads_may_receive_any_amount() {
        let (sender, mut outbox) = outbox();
        let event = Arc::new(SharedEvent::new(Event::Signal {
            signal_type: None,
            data: Some("x".repeat(8000).into()),
            from: None,
        }));
        for n in 0..1000 {
            let event = Arc::clone(&event);
            assert!(sender.send(Outgoing::Event { n, event }));
            outbox.next().await.unwrap();
        }
        let size = event.json.len() + 16;
        let event = |n| Outgoing::Event {
            n,
            event: Arc::clone(&event),
        };
        let sent = (0..1000).take_while(|n| sender.send(event(*n))).count();
        assert_eq!(sent, MAX_BYTES / size);
    }
}
