//! The id of an archive.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::session::id;

id! {
    /// A recording of a session. OpenTok archive "id".
    ArchiveId
}
