//! The OpenTok contract: the ids, tokens, roles and objects of OpenTok's server SDKs and pages; and
//! [`OpenTok`], the server SDK that uses it over HTTP.
//!
//! This module depends on no other module of Parlor, so a program can use it as its OpenTok SDK.

mod archive;
mod archive_object;
mod archives;
mod client;
mod credentials;
mod download;
mod error;
mod generate;
mod http;
mod layout;
mod moderation;
mod role;
mod session;
mod session_id;
mod streams;
pub mod token;
mod wire;
mod wire_enum;
mod xml;

pub use archive::Archive;
pub use archive_object::{
    ArchiveEvent, ArchiveObject, ArchiveStatus, ArchiveStream, OutputMode, StreamMode,
};
pub use archives::{ArchiveList, ArchiveOptions, Archives, ListOptions, StreamMedia};
pub use client::{API_URL, OpenTok, OpenTokBuilder, USER_AGENT};
pub use download::Download;
pub use error::{Error, Refusal};
pub use generate::{TokenKind, TokenOptions};
pub use layout::{Layout, LayoutType, MAX_LAYOUT_CLASSES, Resolution, is_layout_class};
pub use moderation::{Project, Signal};
pub use role::{Role, UnknownRole};
pub use session::{ArchiveMode, MediaMode, Session, SessionOptions};
pub use session_id::SessionId;
pub use streams::{Connection, ConnectionState, Stream, StreamClasses};
pub use token::{Claims, NewToken, Token, TokenError};
pub use wire_enum::UnknownWord;
pub(crate) use wire_enum::wire_enum;
