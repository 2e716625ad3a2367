//! The lists of archives that have totals.

use crate::{archive::Status, opentok::SessionId};

/// The archives of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ArchiveFilter {
    /// All archives of a project.
    Project(u32),
    /// The archives of a project with this status.
    Status(u32, Status),
    /// The archives of a session. OpenTok "sessionId".
    Session(u32, SessionId),
}

impl ArchiveFilter {
    /// The list's name in `archive_totals`.
    pub(super) fn name(&self) -> String {
        match self {
            ArchiveFilter::Project(api_key) => api_key.to_string(),
            ArchiveFilter::Status(api_key, status) => format!("{api_key} {status}"),
            ArchiveFilter::Session(api_key, session) => format!("{api_key} {session}"),
        }
    }
}
