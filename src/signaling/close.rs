//! The codes with which the server closes a WebSocket, and what the client may do then.

use crate::session::{Closing, EndReason};

/// A code of RFC 6455 §7.4 and a sentence of at most 123 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Close {
    pub code: u16,
    pub why: &'static str,
}

pub const GOODBYE: Close = Close {
    code: 1000,
    why: "goodbye",
};
pub const STOPPING: Close = Close {
    code: 1001,
    why: "the server is stopping",
};
pub const MALFORMED: Close = Close {
    code: 1002,
    why: "this is not the WebSocket protocol",
};
pub const BINARY: Close = Close {
    code: 1003,
    why: "messages are text",
};
pub const TOO_LONG: Close = Close {
    code: 1009,
    why: "a message has at most 128 KiB",
};
pub const UNREADABLE: Close = Close {
    code: 4000,
    why: "a message is a JSON object with a numeric id",
};
pub const NO_HELLO: Close = Close {
    code: 4001,
    why: "the first message has to arrive within 5 seconds",
};
pub const NOT_ADMITTED: Close = Close {
    code: 4003,
    why: "the reply says why nobody is let in",
};
pub const ENDED: Close = Close {
    code: 4004,
    why: "the connection was ended; the last event says why",
};
pub const OVERFLOW: Close = Close {
    code: 4008,
    why: "the client reads too slowly; it may resume",
};
pub const REPLACED: Close = Close {
    code: 4009,
    why: "another socket has taken the connection over",
};
pub const FLOOD: Close = Close {
    code: 4029,
    why: "too many messages; the connection was ended",
};

impl From<Closing> for Close {
    fn from(closing: Closing) -> Self {
        match closing {
            Closing::Left => GOODBYE,
            Closing::Ended(EndReason::ServerStopping) => STOPPING,
            Closing::Ended(_) => ENDED,
            Closing::Replaced => REPLACED,
            Closing::Flood => FLOOD,
            Closing::Overflow => OVERFLOW,
        }
    }
}
