//! The OpenTok contract: ids, tokens, roles and objects as OpenTok's server SDKs and pages know
//! them.
//!
//! Depends on nothing else of Parlor.

mod archive_object;
mod layout;
mod role;
mod session_id;
pub mod token;
mod wire;

pub use archive_object::{
    ArchiveEvent, ArchiveObject, ArchiveStatus, ArchiveStream, OutputMode, StreamMode,
};
pub use layout::{Layout, LayoutType, Resolution, UnknownResolution};
pub use role::{Role, UnknownRole};
pub use session_id::SessionId;
pub use token::{Claims, NewToken, Token, TokenError};
