//! The error of a platform, with sentences for the users of pages.

use anyhow::anyhow;

use crate::{
    archive::{
        self, Status,
        lifecycle::{ChangeError, StartError},
    },
    clock,
};

/// Why an operation of a platform failed.
#[derive(Debug, thiserror::Error)]
pub enum PlatformError {
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// The present state does not allow it.
    #[error("{0}")]
    Conflict(String),
    #[error("{0}")]
    BadRequest(String),
    /// The disk is full or read-only.
    #[error("{0}")]
    NoSpace(String),
    /// A retry may succeed.
    #[error("{0}")]
    Unavailable(String),
    /// Every attempt fails until the operator corrects the settings.
    #[error("{0}")]
    Misconfigured(String),
    #[error(transparent)]
    Internal(#[from] anyhow::Error),
}

impl From<sqlx::Error> for PlatformError {
    fn from(error: sqlx::Error) -> Self {
        if archive::is_disk_full(&error) {
            return PlatformError::NoSpace(
                "the disk is full: free some space, and try again".to_owned(),
            );
        }
        PlatformError::Internal(anyhow!(error).context("querying the database"))
    }
}

impl From<StartError> for PlatformError {
    fn from(error: StartError) -> Self {
        match error {
            StartError::AlreadyRecording(archive) if archive.started_by.is_empty() => {
                PlatformError::Conflict("this room is already being recorded".to_owned())
            }
            StartError::AlreadyRecording(archive) => PlatformError::Conflict(format!(
                "this room is already being recorded: {} started it {}",
                archive.started_by,
                ago(clock::now_ms() - archive.created_at_ms),
            )),
            StartError::Database(error) => error.into(),
            other => PlatformError::BadRequest(other.to_string()),
        }
    }
}

impl From<ChangeError> for PlatformError {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::NotFound(_) => PlatformError::NotFound("archive"),
            ChangeError::Refused { from, to } => PlatformError::Conflict(refused(from, to)),
            ChangeError::Database(error) => error.into(),
        }
    }
}

/// Why the status of an archive cannot change from `from` to `to`.
fn refused(from: Status, to: Status) -> String {
    match (from, to) {
        (Status::Started | Status::Paused, Status::Deleted) => {
            "this archive is still being recorded; stop it first".to_owned()
        }
        (_, Status::Stopped) => "this archive is no longer being recorded".to_owned(),
        (from, to) => format!("an archive that is {from} cannot become {to}"),
    }
}

fn ago(ms: i64) -> String {
    match ms / 60_000 {
        ..=0 => "just now".to_owned(),
        1 => "a minute ago".to_owned(),
        minutes => format!("{minutes} minutes ago"),
    }
}
