//! Archives: recordings of sessions.
//!
//! The row in the database is the truth about an archive. [`lifecycle`] changes its status, [`history`] lists archives, and
//! [`Archives`] is the service: it notifies subscribers of every change and has each recording composed.
//!
//! ```text
//! archives/<id>/          one folder for each archive
//!   <stream>.webm         one for each stream, written by the recorder
//!   archive.mp4           all streams together, made by the composer; or
//!   archive.zip           the streams' files and a manifest, if the archive is individual
//!   poster.jpg            a frame of the video
//! ```

pub mod composer;
pub mod disk;
pub mod download;
pub mod history;
pub mod layout;
pub mod lifecycle;
mod model;
#[cfg(test)]
mod query_cost;
pub mod recording;
pub mod remote;
pub mod retention;
mod run_time;
mod service;
pub mod snapshot;
mod status;
mod store;
#[cfg(test)]
pub(crate) mod testing;

pub use crate::common::id::ArchiveId;
pub use composer::Quality;
pub use layout::Layout;
pub use model::{Archive, Composing, NewArchive, Origin};
pub use run_time::RunTimes;
pub use service::{ArchiveUpdate, Archives, Recover, SessionChange, Settings};
pub use status::{Reason, Status};
pub use store::is_disk_full;

/// OpenTok's enums describe an archive.
pub use crate::opentok::{OutputMode, Resolution, StreamMode};
