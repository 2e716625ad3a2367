//! What leaves over a WebSocket, in pieces that fit into the buffer of its connection.
//!
//! The server's buffer grows with the longest run of frames that ever waited and does not shrink again; of
//! thousands of idle clients each would keep its own.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use actix_web::{
    body::{BodySize, BoxBody, MessageBody},
    web::Bytes,
};

/// Bytes that the buffer of a connection has room for from the start.
const BUFFER: usize = 8 * 1024;

/// Bytes with which the buffer is sent off before more is put into it.
pub const WRITE_BUFFER: usize = BUFFER / 2;

/// Bytes of the head of the response, at most; it is in the buffer before the first piece.
const HEAD: usize = 1024;

/// The frames of one socket.
pub(super) struct Pieces {
    frames: BoxBody,
    /// Of a chunk, what has not been handed out.
    rest: Bytes,
    /// Bytes that are in the buffer now, unless the client reads too slowly.
    buffered: usize,
}

impl Pieces {
    pub fn new(frames: BoxBody) -> Self {
        Pieces {
            frames,
            rest: Bytes::new(),
            buffered: HEAD,
        }
    }
}

impl MessageBody for Pieces {
    type Error = Box<dyn std::error::Error>;

    fn size(&self) -> BodySize {
        self.frames.size()
    }

    fn poll_next(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let this = self.get_mut();
        if this.rest.is_empty() {
            let frames = Pin::new(&mut this.frames).poll_next(context);
            if frames.is_pending() {
                this.buffered = 0;
            }
            match ready!(frames) {
                Some(Ok(frames)) => this.rest = frames,
                end => return Poll::Ready(end),
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

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, future::poll_fn};

    use super::*;

    /// Chunks, and a pause behind each.
    struct Chunks(Vec<usize>, bool);

    impl MessageBody for Chunks {
        type Error = Infallible;

        fn size(&self) -> BodySize {
            BodySize::Stream
        }

        fn poll_next(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
        ) -> Poll<Option<Result<Bytes, Infallible>>> {
            self.1 = !self.1;
            if self.1 {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            let next = self.0.pop();
            Poll::Ready(next.map(|size| Ok(vec![7; size].into())))
        }
    }

    #[actix_web::test]
    async fn no_run_of_frames_outgrows_the_buffer() {
        let sizes = vec![100_000, 10, 9_000, 3, 4_095, 8_192];
        let total: usize = sizes.iter().sum();
        let mut pieces = Box::pin(Pieces::new(BoxBody::new(Chunks(sizes, false))));
        let (mut buffer, mut sent) = (HEAD, 0);
        loop {
            let next = poll_fn(|context| {
                let next = pieces.as_mut().poll_next(context);
                if next.is_pending() {
                    buffer = 0;
                }
                next
            });
            let Some(piece) = next.await else { break };
            let piece = piece.unwrap();
            assert!(!piece.is_empty());
            buffer += piece.len();
            sent += piece.len();
            assert!(buffer <= BUFFER, "{buffer}");
            if buffer >= WRITE_BUFFER {
                buffer = 0;
            }
        }
        assert_eq!(sent, total);
    }
}
