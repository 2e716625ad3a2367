//! Archives: recordings of sessions.

mod id;
pub mod recording;

pub use id::ArchiveId;
