//! What an archive asks of whoever makes one file of its streams: an MP4 of everybody together, or a ZIP of each for
//! itself. The archive owns these words; `recorder` implements [`Composer`].

use std::path::PathBuf;

use async_trait::async_trait;
use tokio::sync::watch;

use super::{ArchiveId, Layout, recording::Manifest};
use crate::opentok::{Resolution, SessionId};

/// Name of the composed file in its archive's folder.
pub const COMPOSED_FILE: &str = "archive.mp4";
/// Name of the ZIP of an individual archive, likewise.
pub const PACKED_FILE: &str = "archive.zip";
/// Name of the poster in its archive's folder.
pub const POSTER_FILE: &str = "poster.jpg";

/// The bit rate or the quality of the composed video.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Quality {
    /// The composer's default.
    #[default]
    Usual,
    /// 100,000 to 6,000,000 bit/s. OpenTok "maxBitrate".
    MaxBitrate(u32),
    /// 15 (best quality) to 40 (smallest file). OpenTok "quantizationParameter".
    Quantization(u8),
}

/// Makes one file of an archive's streams.
#[async_trait]
pub trait Composer: Send + Sync {
    /// Makes [`COMPOSED_FILE`], and if it can [`POSTER_FILE`], in the job's folder. Either appears whole or not at all.
    /// Whoever drops the future stops the work.
    ///
    /// # Errors
    /// [`ComposeError`] says whether another try may help.
    async fn compose(
        &self,
        job: &ComposeJob,
        percent: &watch::Sender<u8>,
    ) -> Result<Composed, ComposeError>;

    /// Makes [`PACKED_FILE`] in the job's folder: the streams' files as they are, and a manifest. It appears whole or not
    /// at all. Whoever drops the future stops the work.
    ///
    /// # Errors
    /// As [`Composer::compose`].
    async fn pack(
        &self,
        job: &PackJob,
        percent: &watch::Sender<u8>,
    ) -> Result<Composed, ComposeError>;
}

/// What to compose.
#[derive(Clone, Debug)]
pub struct ComposeJob {
    pub archive: ArchiveId,
    /// The archive's folder, where the streams' files are.
    pub folder: PathBuf,
    pub manifest: Manifest,
    pub resolution: Resolution,
    /// The first; others may follow in the manifest.
    pub layout: Layout,
    pub quality: Quality,
    pub has_audio: bool,
    pub has_video: bool,
}

/// What to pack.
#[derive(Clone, Debug)]
pub struct PackJob {
    pub archive: ArchiveId,
    pub session: SessionId,
    pub name: String,
    /// Unix time, ms.
    pub created_at_ms: i64,
    /// The archive's folder, where the streams' files are.
    pub folder: PathBuf,
    pub manifest: Manifest,
}

/// The composed file, or the packed one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Composed {
    pub size_bytes: u64,
    pub duration_ms: u64,
    /// Whether there is a poster, too.
    pub has_poster: bool,
}

/// Why there is no composed file. The sentences are for people: they stand beside an archive that can be watched.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ComposeError {
    /// Trying again before somebody installs it is of no use.
    #[error(
        "{program} is not installed on the server, so there is no MP4 to download: install it and restart Parlor"
    )]
    ToolMissing { program: String },
    #[error("making the file to download was interrupted: {0}")]
    Failed(String),
    #[error("making the MP4 took longer than {minutes} minutes and was given up")]
    TookTooLong { minutes: u64 },
}
