//! The status of an archive, and the reason for it. Both are OpenTok's words ("Archive object" in its REST reference), on
//! the wire and in the database.

use crate::opentok::{ArchiveStatus, UnknownWord, wire_enum};

wire_enum! {
    /// OpenTok "status". The transitions are in [`super::lifecycle`].
    Status {
        /// It is being recorded.
        Started = "started",
        /// It is being recorded while no stream is published.
        Paused = "paused",
        /// Recording is over. The file to download is being made.
        Stopped = "stopped",
        /// The file can be downloaded.
        Available = "available",
        /// The file was moved to the integrator's own storage.
        Uploaded = "uploaded",
        /// There is no file and there will be none.
        Failed = "failed",
        /// Its files were deleted because of their age. The row remains.
        Expired = "expired",
        /// It is in no list.
        Deleted = "deleted",
    }
}

impl Status {
    /// Whether the archive is being recorded.
    pub fn is_running(self) -> bool {
        matches!(self, Status::Started | Status::Paused)
    }
}

impl From<Status> for ArchiveStatus {
    fn from(status: Status) -> ArchiveStatus {
        ArchiveStatus::from(status.as_str().to_owned())
    }
}

/// Fails for a status that OpenTok did not have when this was written.
impl TryFrom<&ArchiveStatus> for Status {
    type Error = UnknownWord;

    fn try_from(status: &ArchiveStatus) -> Result<Status, UnknownWord> {
        status.as_str().parse()
    }
}

wire_enum! {
    /// Why an archive stopped or failed. OpenTok "reason".
    Reason {
        UserInitiated = "user initiated",
        SessionEnded = "session ended",
        MaximumDuration = "maximum duration exceeded",
        /// The server stopped or was killed while it recorded.
        ServerRestarted = "server restarted",
        /// The disk was full or not writable.
        SystemFailure = "system failure",
        /// No packet was received while it recorded.
        NobodyPublished = "nobody published",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_is_read_as_it_is_written() {
        for &status in Status::ALL {
            assert_eq!(status.as_str().parse(), Ok(status));
            let written = ArchiveStatus::from(status);
            assert!(!matches!(written, ArchiveStatus::Other(_)), "{status}");
            assert_eq!(Status::try_from(&written), Ok(status));
        }
    }
}
