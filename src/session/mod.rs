//! A live session: connections, streams, signals, moderation, and who is being recorded.
//!
//! [`LiveSession`] holds the rules and does nothing by itself: requests, the media engine's events
//! and the time go in, [`Output`]s come out. [`Sessions`] keeps the live sessions of this process
//! and carries their outputs to sockets, media engine, recorder and archives.

mod admission;
mod backlog;
pub mod event;
mod id;
mod limits;
pub mod live;
pub mod media;
mod monitor;
mod observer;
mod outbox;
mod pace;
pub mod refusal;
mod registry;
pub mod request;

pub use admission::{Admission, AdmissionError, Admitted, Newcomer};
pub use event::{
    ArchiveInfo, ConnectionInfo, EndReason, ReplyBody, Rerouting, SessionEvent, StreamInfo,
};
pub(crate) use id::id;
pub use id::{ConnectionId, StreamId};
pub use live::{Chosen, Closing, LiveSession, Now, Outgoing, Output, Phase, SocketId};
pub use monitor::{Monitor, Occurrence, Report};
pub use observer::{ClientSignal, Observer};
pub use outbox::Outbox;
pub use refusal::Refusal;
pub use registry::{ArchiveChange, Attachment, Counts, Happening, Sessions};
pub use request::{Request, Resume};
