//! A live session: connections, streams, signals.

mod id;
pub mod media;

pub(crate) use id::id;
pub use id::{ConnectionId, StreamId};
