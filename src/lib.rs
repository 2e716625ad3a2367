//! Parlor: video rooms you host yourself.

pub mod archive;
pub mod opentok;
pub mod session;
pub mod sfu;
pub mod signaling;
