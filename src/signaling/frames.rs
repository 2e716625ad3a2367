//! The text messages that arrive on a WebSocket, within bounds.

use actix_ws::{CloseReason, Item, Message, MessageStream, ProtocolError};

/// Bytes of a message. An offer is the largest: 64 KiB of SDP, escaped.
const MAX_MESSAGE: usize = 128 * 1024;

/// Something arrived.
pub enum Arrival {
    Text(String),
    /// To be answered with a pong of the same bytes.
    Ping(Vec<u8>),
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
    stream: MessageStream,
    /// The fragments so far of a message that comes in several frames.
    partial: Option<Vec<u8>>,
}

impl Frames {
    pub fn new(stream: MessageStream) -> Self {
        Frames {
            stream: stream.max_frame_size(MAX_MESSAGE),
            partial: None,
        }
    }

    /// Nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Result<Arrival, Broken> {
        loop {
            let message = match self.stream.recv().await {
                Some(Ok(message)) => message,
                Some(Err(ProtocolError::Overflow)) => return Err(Broken::TooLong),
                Some(Err(ProtocolError::Io(_))) | None => return Err(Broken::Lost),
                Some(Err(_)) => return Err(Broken::Malformed),
            };
            match message {
                Message::Text(text) => return Ok(Arrival::Text(text.into())),
                Message::Ping(bytes) => return Ok(Arrival::Ping(bytes.to_vec())),
                Message::Pong(_) => return Ok(Arrival::Pong),
                Message::Close(reason) => return Ok(Arrival::Close(reason)),
                Message::Binary(_) | Message::Continuation(Item::FirstBinary(_)) => {
                    return Err(Broken::Binary);
                }
                Message::Continuation(item) => {
                    if let Some(text) = self.join(item)? {
                        return Ok(Arrival::Text(text));
                    }
                }
                Message::Nop => {}
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
        let text = self.partial.take().unwrap_or_default();
        String::from_utf8(text)
            .map(Some)
            .map_err(|_| Broken::Malformed)
    }
}
