//! The text messages that arrive on a WebSocket, within bounds.

use std::{future::poll_fn, pin::Pin};

use actix_http::ws::{CloseReason, Codec, Frame, Item, ProtocolError};
use actix_web::web::{Bytes, BytesMut, Payload};
use futures_util::Stream;
use tokio_util::codec::Decoder;

/// Bytes of a message. An offer is the largest: 64 KiB of SDP, escaped.
const MAX_MESSAGE: usize = 128 * 1024;

/// Something arrived.
pub enum Arrival {
    Text(String),
    /// To be answered with a pong of the same bytes.
    Ping(Bytes),
    Pong,
    /// The client closes the socket.
    Close(Option<CloseReason>),
}

/// Nothing sensible can arrive any more.
#[derive(Debug, PartialEq, Eq)]
pub enum Broken {
    /// The network's fault, or the client is gone.
    Lost,
    TooLong,
    Binary,
    /// Not what RFC 6455 asks for.
    Malformed,
}

pub struct Frames {
    payload: Payload,
    codec: Codec,
    /// What has arrived of the next frames.
    bytes: BytesMut,
    /// The fragments so far of a message that comes in several frames.
    partial: Option<Vec<u8>>,
}

impl Frames {
    pub fn new(payload: Payload) -> Self {
        Frames {
            payload,
            codec: Codec::new().max_size(MAX_MESSAGE),
            bytes: BytesMut::new(),
            partial: None,
        }
    }

    /// Nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Result<Arrival, Broken> {
        loop {
            match self.frame().await? {
                Frame::Text(text) => return string(text.into()).map(Arrival::Text),
                Frame::Ping(bytes) => return Ok(Arrival::Ping(bytes)),
                Frame::Pong(_) => return Ok(Arrival::Pong),
                Frame::Close(reason) => return Ok(Arrival::Close(reason)),
                Frame::Binary(_) => return Err(Broken::Binary),
                Frame::Continuation(item) => {
                    if let Some(text) = self.join(item)? {
                        return Ok(Arrival::Text(text));
                    }
                }
            }
        }
    }

    async fn frame(&mut self) -> Result<Frame, Broken> {
        loop {
            let frame = self
                .codec
                .decode(&mut self.bytes)
                .map_err(|problem| match problem {
                    ProtocolError::Overflow => Broken::TooLong,
                    _ => Broken::Malformed,
                })?;
            if let Some(frame) = frame {
                return Ok(frame);
            }
            let more = poll_fn(|context| Pin::new(&mut self.payload).poll_next(context)).await;
            let Some(Ok(more)) = more else {
                return Err(Broken::Lost);
            };
            if self.bytes.is_empty() {
                // Of thousands of idle clients none keeps room for what it said once.
                self.bytes = BytesMut::from(more);
            } else {
                self.bytes.extend_from_slice(&more);
            }
        }
    }

    /// Adds a fragment; a text if it was the last.
    fn join(&mut self, item: Item) -> Result<Option<String>, Broken> {
        let (fragment, is_last) = match item {
            Item::FirstText(fragment) => {
                if self.partial.replace(Vec::new()).is_some() {
                    return Err(Broken::Malformed);
                }
                (fragment, false)
            }
            Item::FirstBinary(_) => return Err(Broken::Binary),
            Item::Continue(fragment) => (fragment, false),
            Item::Last(fragment) => (fragment, true),
        };
        let partial = self.partial.as_mut().ok_or(Broken::Malformed)?;
        if partial.len() + fragment.len() > MAX_MESSAGE {
            return Err(Broken::TooLong);
        }
        partial.extend_from_slice(&fragment);
        if !is_last {
            return Ok(None);
        }
        string(self.partial.take().unwrap_or_default()).map(Some)
    }
}

fn string(bytes: Vec<u8>) -> Result<String, Broken> {
    String::from_utf8(bytes).map_err(|_| Broken::Malformed)
}
