//! What leaves over a WebSocket, in pieces that fit into the buffer of its connection.
//!
//! The server's buffer grows with the longest run of frames that ever waited and does not shrink again; of
//! thousands of idle clients each would keep its own.

use std::{
    cell::RefCell,
    convert::Infallible,
    future::poll_fn,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker, ready},
};

use actix_http::ws::{CloseReason, Codec, Message};
use actix_web::{
    body::{BodySize, MessageBody},
    web::{Bytes, BytesMut},
};
use tokio_util::codec::Encoder;

use super::message;
use crate::session::{Closing, Outbox};

/// Bytes that the buffer of a connection has room for from the start.
const BUFFER: usize = 8 * 1024;

/// Bytes with which the buffer is sent off before more is put into it.
pub const WRITE_BUFFER: usize = BUFFER / 2;

/// Bytes of the head of the response, at most; it is in the buffer before the first piece.
const HEAD: usize = 1024;

/// Bytes that may wait for a client that has pings answered and reads nothing.
const MAX_PONGS: usize = 4 * 1024;

/// What leaves over one socket, and the body that carries it.
pub(super) fn wire() -> (Wire, Pieces) {
    let shared = Rc::new(RefCell::new(Shared::default()));
    let pieces = Pieces {
        shared: Rc::clone(&shared),
        rest: Bytes::new(),
        buffered: HEAD,
    };
    (Wire(shared), pieces)
}

/// The socket's end. Its frames leave first; behind them, what is in the outbox.
pub(super) struct Wire(Rc<RefCell<Shared>>);

/// Why nothing more leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// The network's fault, or the client is gone.
    Lost,
    /// The session closes the socket; all that was in the outbox has left.
    Closing(Closing),
}

#[derive(Default)]
struct Shared {
    frames: BytesMut,
    outbox: Option<Outbox>,
    /// No frame follows those that wait.
    is_over: bool,
    ended: Option<Ended>,
    body: Option<Waker>,
    socket: Option<Waker>,
}

impl Wire {
    pub fn text(&self, text: String) {
        self.send(Message::Text(text.into()));
    }

    pub fn ping(&self) {
        self.send(Message::Ping(Bytes::new()));
    }

    /// Answers a ping, unless many answers wait: only the latest counts (RFC 6455 §5.5.3).
    pub fn pong(&self, bytes: Bytes) {
        if self.0.borrow().frames.len() < MAX_PONGS {
            self.send(Message::Pong(bytes));
        }
    }

    /// The last frame.
    pub fn close(&self, reason: Option<CloseReason>) {
        self.send(Message::Close(reason));
        self.0.borrow_mut().end();
    }

    /// From now on everything in the outbox leaves as it comes.
    pub fn carry(&self, outbox: Outbox) {
        let mut shared = self.0.borrow_mut();
        shared.outbox = Some(outbox);
        shared.wake_body();
    }

    /// Waits until nothing more leaves.
    pub async fn ended(&self) -> Ended {
        poll_fn(|context| {
            let mut shared = self.0.borrow_mut();
            if let Some(ended) = shared.ended {
                return Poll::Ready(ended);
            }
            shared.socket = Some(context.waker().clone());
            Poll::Pending
        })
        .await
    }

    fn send(&self, message: Message) {
        let mut shared = self.0.borrow_mut();
        if !shared.is_over {
            encode(message, &mut shared.frames);
            shared.wake_body();
        }
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.0.borrow_mut().end();
    }
}

impl Shared {
    fn end(&mut self) {
        self.is_over = true;
        self.outbox = None;
        self.wake_body();
    }

    fn wake_body(&mut self) {
        if let Some(body) = self.body.take() {
            body.wake();
        }
    }

    fn tell_socket(&mut self, ended: Ended) {
        self.outbox = None;
        self.ended.get_or_insert(ended);
        if let Some(socket) = self.socket.take() {
            socket.wake();
        }
    }

    /// The next frames; `None` behind the last.
    fn poll_frames(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if self.frames.is_empty() && self.is_over {
            return Poll::Ready(None);
        }
        if self.frames.is_empty()
            && let Some(outbox) = &mut self.outbox
            && let Poll::Ready(next) = outbox.poll_next(context)
        {
            match next {
                Ok(next) => encode(Message::Text(message::text(&next).into()), &mut self.frames),
                Err(closing) => self.tell_socket(Ended::Closing(closing)),
            }
        }
        if self.frames.is_empty() {
            self.body = Some(context.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(Some(std::mem::take(&mut self.frames).freeze()))
    }
}

fn encode(message: Message, frames: &mut BytesMut) {
    Codec::new()
        .encode(message, frames)
        .expect("only fragments can be out of place");
}

/// The frames of one socket, as the body of the response that opened it.
pub(super) struct Pieces {
    shared: Rc<RefCell<Shared>>,
    /// Of the frames, what has not been handed out.
    rest: Bytes,
    /// Bytes that are in the buffer now, unless the client reads too slowly.
    buffered: usize,
}

impl MessageBody for Pieces {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Infallible>>> {
        let this = self.get_mut();
        if this.rest.is_empty() {
            let frames = this.shared.borrow_mut().poll_frames(context);
            if frames.is_pending() {
                this.buffered = 0;
            }
            match ready!(frames) {
                Some(frames) => this.rest = frames,
                None => return Poll::Ready(None),
            }
        }
        let room = BUFFER - this.buffered;
        let piece = this.rest.split_to(room.min(this.rest.len()));
        this.buffered += piece.len();
        if this.buffered >= WRITE_BUFFER {
            this.buffered = 0;
        }
        Poll::Ready(Some(Ok(piece)))
    }
}

impl Drop for Pieces {
    fn drop(&mut self) {
        self.shared.borrow_mut().tell_socket(Ended::Lost);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[actix_web::test]
    async fn no_run_of_frames_outgrows_the_buffer() {
        let (wire, pieces) = wire();
        let mut pieces = Box::pin(pieces);
        let mut sizes = vec![100_000, 10, 9_000, 3, 4_095, 8_192];
        let (mut buffer, mut sent) = (HEAD, 0);
        loop {
            let next = poll_fn(|context| match pieces.as_mut().poll_next(context) {
                Poll::Pending => {
                    buffer = 0;
                    match sizes.pop() {
                        Some(size) => wire.text("7".repeat(size)),
                        None => wire.close(None),
                    }
                    Poll::Pending
                }
                next => next,
            });
            let Some(Ok(piece)) = next.await else { break };
            assert!(!piece.is_empty());
            buffer += piece.len();
            sent += piece.len();
            assert!(buffer <= BUFFER, "{buffer}");
            if buffer >= WRITE_BUFFER {
                buffer = 0;
            }
        }
        let (text, heads) = (
            100_000 + 10 + 9_000 + 3 + 4_095 + 8_192,
            10 + 2 + 4 + 2 + 4 + 4,
        );
        assert_eq!(sent, text + heads + 2);
    }

    #[actix_web::test]
    async fn the_socket_hears_that_its_body_is_gone() {
        let (wire, pieces) = wire();
        drop(pieces);
        assert_eq!(wire.ended().await, Ended::Lost);
    }

    #[actix_web::test]
    async fn who_pings_and_does_not_read_has_few_answers_waiting() {
        let (wire, _pieces) = wire();
        for _ in 0..1_000 {
            wire.pong(Bytes::from_static(&[7; 125]));
        }
        assert!(wire.0.borrow().frames.len() < MAX_PONGS + 200);
    }
}
