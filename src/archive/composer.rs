//! What an archive asks of whoever makes one file of its streams. The archive owns these words; `recorder` implements
//! [`Composer`].

use std::path::PathBuf;

use async_trait::async_trait;
use tokio::sync::watch;

use super::{ArchiveId, Layout, Resolution, recording::Manifest};

/// Name of the composed file in its archive's folder.
pub const COMPOSED_FILE: &str = "archive.mp4";
/// Name of the poster in its archive's folder.
pub const POSTER_FILE: &str = "poster.jpg";

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
}

/// What to compose.
#[derive(Clone, Debug)]
pub struct ComposeJob {
    pub archive: ArchiveId,
    /// The archive's folder, where the streams' files are.
    pub folder: PathBuf,
    pub manifest: Manifest,
    pub resolution: Resolution,
    pub layout: Layout,
    pub has_audio: bool,
    pub has_video: bool,
}

/// The composed file.
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
    #[error("making the MP4 was interrupted: {0}")]
    Failed(String),
    #[error("making the MP4 took longer than {minutes} minutes and was given up")]
    TookTooLong { minutes: u64 },
}
