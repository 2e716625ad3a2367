//! The port to the composer, which makes one file of an archive's streams: an MP4 with all of them, or a ZIP with one file
//! for each. `recorder` implements [`Composer`].

use std::path::PathBuf;

use async_trait::async_trait;
use tokio::sync::watch;

use super::{ArchiveId, Layout, recording::Manifest};
use crate::opentok::{Resolution, SessionId};

/// Name of the composed file in its archive's folder.
pub const COMPOSED_FILE: &str = "archive.mp4";
/// Name of the ZIP of an individual archive in its folder.
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
    /// Makes [`COMPOSED_FILE`] and, if possible, [`POSTER_FILE`] in the job's folder. Each file appears complete or not at all.
    /// Dropping the future stops the work.
    ///
    /// # Errors
    /// [`ComposeError`]; its variant tells whether a retry may help.
    async fn compose(
        &self,
        job: &ComposeJob,
        percent: &watch::Sender<u8>,
    ) -> Result<Composed, ComposeError>;

    /// Makes [`PACKED_FILE`] in the job's folder: the streams' files as they are, and a manifest. It appears complete
    /// or not at all. Dropping the future stops the work.
    ///
    /// # Errors
    /// The same as [`Composer::compose`].
    async fn pack(
        &self,
        job: &PackJob,
        percent: &watch::Sender<u8>,
    ) -> Result<Composed, ComposeError>;
}

/// The input of [`Composer::compose`].
#[derive(Clone, Debug)]
pub struct ComposeJob {
    pub archive: ArchiveId,
    /// The archive's folder, where the streams' files are.
    pub folder: PathBuf,
    pub manifest: Manifest,
    pub resolution: Resolution,
    /// The layout at the start. The manifest has the changes.
    pub layout: Layout,
    pub quality: Quality,
    pub has_audio: bool,
    pub has_video: bool,
}

/// The input of [`Composer::pack`].
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

/// The result: a composed or a packed file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Composed {
    pub size_bytes: u64,
    pub duration_ms: u64,
    /// Whether there is also a poster.
    pub has_poster: bool,
    /// What the file lacks because it could not be decoded, as the text of a sentence for users; usually empty.
    pub damage: String,
}

/// Why there is no composed file. The archive's page shows the sentence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ComposeError {
    /// A retry is useless until the operator installs the program. Only the log names it.
    #[error(
        "there is no MP4, because ffmpeg is not installed on the server; ask your administrator"
    )]
    ToolMissing { program: String },
    #[error("the file to download could not be made: {0}")]
    Failed(String),
    #[error("the MP4 could not be made within {minutes} minutes")]
    TookTooLong { minutes: u64 },
}
