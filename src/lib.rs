//! Parlor: video rooms you host yourself.

pub mod archive;
pub mod opentok;
pub mod recorder;
pub mod session;
pub mod signaling;
