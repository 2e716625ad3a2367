//! The recorder: a subscriber that writes what it hears and sees to disk, and forwards nothing.
//!
//! ```text
//! media engine ──Sink──▶ worker (a thread per archive) ──▶ recording ─┬▶ journal   every packet, at once
//! live session ──notes─────▶│                                         └▶ mux       a WebM file per stream,
//!                           └──▶ archive: Ready, Failed                            some seconds behind
//! ```
//!
//! Journals are the truth: whatever happens to the process, [`recover`] makes the same files from
//! them. Files appear by rename, `manifest.json` last.

mod child_process;
mod clock_sync;
pub mod compose;
pub mod ffmpeg;
mod jitter_buffer;
mod journal;
mod mux;
mod opus;
mod recording;
mod vp8;
mod webm;
mod worker;
mod zip_archive;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

pub use recording::{discard_journals, recover};
pub use worker::{Recorder, RecorderConfig};

use crate::archive::ArchiveId;

/// The folder of an archive: its files, its manifest and, while they are needed, its journals.
pub fn archive_dir(data_dir: &Path, archive: ArchiveId) -> PathBuf {
    data_dir.join("archives").join(archive.to_string())
}
