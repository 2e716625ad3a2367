//! What waits to be sent to one socket.
//!
//! The session fills it without waiting, the socket empties it as fast as its client reads. It is
//! bounded: a client that falls too far behind loses its socket and may resume.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use super::{
    backlog,
    live::{Closing, OutboundMessage},
};

/// Messages. Higher: slower clients keep their socket through a storm; lower: less memory.
const MAX_MESSAGES: usize = 1000;
const MAX_BYTES: usize = 1024 * 1024;

/// Places that an empty queue keeps for the next messages. Of thousands of clients most are idle.
const KEPT: usize = 4;

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
    let shared = Arc::new(Shared::default());
    (
        OutboxSender {
            max_messages,
            max_bytes,
            shared: Arc::clone(&shared),
        },
        Outbox(shared),
    )
}

#[derive(Default)]
struct Shared(Mutex<Queue>);

#[derive(Default)]
struct Queue {
    messages: VecDeque<OutboundMessage>,
    bytes: usize,
    /// Why nothing more comes.
    closing: Option<Closing>,
    /// The socket is gone.
    deaf: bool,
    /// Whom to wake when something was put in, or nothing will be any more.
    waiting: Option<Waker>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self) {
        let waiting = self.lock().waiting.take();
        if let Some(waiting) = waiting {
            waiting.wake();
        }
    }
}

/// The session's end.
pub(super) struct OutboxSender {
    max_messages: usize,
    max_bytes: usize,
    shared: Arc<Shared>,
}

impl OutboxSender {
    /// `false` when the client is too far behind, or gone.
    pub fn send(&self, message: OutboundMessage) -> bool {
        let fits = self.put(message);
        if fits {
            self.shared.wake();
        }
        fits
    }

    /// As [`OutboxSender::send`], but the socket goes on sleeping until it is nudged, or has another reason to wake.
    pub fn put(&self, message: OutboundMessage) -> bool {
        let size = size(&message);
        let mut queue = self.shared.lock();
        let fits = queue.messages.len() < self.max_messages && queue.bytes + size <= self.max_bytes;
        if !fits || queue.deaf {
            return false;
        }
        queue.bytes += size;
        queue.messages.push_back(message);
        true
    }

    /// What wakes the socket.
    pub fn nudge(&self) -> Nudge {
        Nudge(Arc::clone(&self.shared))
    }

    /// Closes the socket behind all that waits, or at once if there is too much of it.
    pub fn close(self, why: Closing) {
        self.shared.lock().closing = Some(why);
    }
}

impl Drop for OutboxSender {
    fn drop(&mut self) {
        let mut queue = self.shared.lock();
        queue.closing.get_or_insert(Closing::Replaced);
        drop(queue);
        self.shared.wake();
    }
}

/// Wakes a socket for which something waits.
pub(super) struct Nudge(Arc<Shared>);

impl Nudge {
    pub fn wake(&self) {
        if !self.0.lock().messages.is_empty() {
            self.0.wake();
        }
    }
}

/// The socket's end.
pub struct Outbox(Arc<Shared>);

impl Outbox {
    /// The next message; an error means to close the socket. The latest who polls is woken.
    pub fn poll_next(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<OutboundMessage, Closing>> {
        let mut queue = self.0.lock();
        let Some(next) = queue.take() else {
            queue.waiting = Some(context.waker().clone());
            return Poll::Pending;
        };
        Poll::Ready(next)
    }

    #[cfg(test)]
    pub async fn next(&mut self) -> Result<OutboundMessage, Closing> {
        std::future::poll_fn(|context| self.poll_next(context)).await
    }
}

impl Queue {
    /// `None` when there is nothing at the moment.
    fn take(&mut self) -> Option<Result<OutboundMessage, Closing>> {
        if self.closing == Some(Closing::Overflow) {
            return Some(Err(Closing::Overflow));
        }
        let Some(message) = self.messages.pop_front() else {
            return self.closing.map(Err);
        };
        self.bytes -= size(&message);
        if self.messages.is_empty() && self.messages.capacity() > KEPT {
            self.messages = VecDeque::new();
        }
        Some(Ok(message))
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        let mut queue = self.0.lock();
        queue.deaf = true;
        queue.messages = VecDeque::new();
    }
}

fn size(message: &OutboundMessage) -> usize {
    match message {
        OutboundMessage::Reply { outcome, .. } => outcome.size(),
        OutboundMessage::Event { event, .. } => event.json.len() + 16,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::event::{ReplyBody, SessionEvent, SharedEvent};

    fn reply() -> OutboundMessage {
        OutboundMessage::Reply {
            request: 1,
            outcome: ReplyBody::Done {},
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
    async fn an_idle_client_costs_no_room_for_messages() {
        let (sender, mut outbox) = outbox();
        for _ in 0..100 {
            assert!(sender.send(reply()));
        }
        for _ in 0..100 {
            outbox.next().await.unwrap();
        }
        assert!(outbox.0.lock().messages.capacity() <= KEPT);
        assert_eq!(outbox.0.lock().bytes, 0);
    }

    #[tokio::test]
    async fn a_message_wakes_who_waits_for_it() {
        let (sender, mut outbox) = outbox();
        let waiting = tokio::spawn(async move { outbox.next().await.is_ok() });
        tokio::task::yield_now().await;
        assert!(sender.send(reply()));
        assert!(waiting.await.unwrap());
    }

    #[tokio::test]
    async fn what_waits_for_a_nudge_keeps_its_place() {
        let (sender, mut outbox) = outbox();
        let waiting = tokio::spawn(async move {
            let mut sizes = Vec::new();
            while let Ok(message) = outbox.next().await {
                sizes.push(size(&message));
            }
            sizes
        });
        tokio::task::yield_now().await;
        let event = Arc::new(SharedEvent::new(SessionEvent::MuteForced { active: true }));
        let size_of_event = event.json.len() + 16;
        assert!(sender.put(OutboundMessage::Event { n: 1, event }));
        sender.nudge().wake();
        tokio::task::yield_now().await;
        assert_eq!(sender.shared.lock().bytes, 0, "nudged");
        let event = Arc::new(SharedEvent::new(SessionEvent::MuteForced { active: true }));
        assert!(sender.put(OutboundMessage::Event { n: 2, event }));
        tokio::task::yield_now().await;
        assert_eq!(sender.shared.lock().bytes, size_of_event, "asleep");
        assert!(sender.send(reply()));
        sender.close(Closing::Left);
        assert_eq!(waiting.await.unwrap(), [size_of_event, size_of_event, 256]);
    }

    #[test]
    fn nothing_is_kept_for_a_socket_that_is_gone() {
        let (sender, outbox) = outbox();
        drop(outbox);
        assert!(!sender.send(reply()));
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
        let event = Arc::new(SharedEvent::new(SessionEvent::Signal {
            signal_type: None,
            data: Some("x".repeat(8000).into()),
            from: None,
        }));
        for n in 0..1000 {
            let event = Arc::clone(&event);
            assert!(sender.send(OutboundMessage::Event { n, event }));
            outbox.next().await.unwrap();
        }
        let size = event.json.len() + 16;
        let event = |n| OutboundMessage::Event {
            n,
            event: Arc::clone(&event),
        };
        let sent = (0..1000).take_while(|n| sender.send(event(*n))).count();
        assert_eq!(sent, MAX_BYTES / size);
    }
}
