//! The OpenTok contract: ids, tokens and roles as OpenTok's server SDKs and pages know them.
//!
//! Depends on nothing else of Parlor.

mod role;
mod session_id;
pub mod token;

pub use role::{Role, UnknownRole};
pub use session_id::SessionId;
pub use token::{Claims, NewToken, Token, TokenError};
