//! Live sessions: connections, streams, signals, moderation and recording.
//!
//! [`LiveSession`] holds the rules and does no I/O: requests, engine events and the time go in,
//! [`Effect`]s come out. [`Sessions`] holds the live sessions of this process and runs their effects
//! on sockets, media engine, recorder and archives.

mod admission;
mod backlog;
pub mod event;
mod limits;
pub mod live;
pub mod media;
mod monitor;
mod observer;
mod outbox;
pub mod recording;
pub mod refusal;
mod registry;
pub mod request;
mod timers;

pub use crate::common::id::{ConnectionId, StreamId};
pub use admission::{Admission, AdmissionError, Admitted, NewConnection};
pub use event::{
    ArchiveInfo, ConnectionInfo, EndReason, ReplyBody, Rerouting, SessionEvent, StreamInfo,
};
pub use live::{
    Closing, Effect, LiveSession, OutboundMessage, RecordingPhase, SocketId, TrackSelection,
};
pub use monitor::{Monitor, MonitorEvent, MonitorEventKind};
pub use observer::{ClientSignal, Observer};
pub use outbox::Outbox;
pub use refusal::Refusal;
pub use registry::{Attachment, RecordingUpdate, RegistryEvent, SessionCounts, Sessions};
pub use request::{Request, Resume};
