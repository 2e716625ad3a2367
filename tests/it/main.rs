//! The application as a whole, through real sockets.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod api;
mod compose;
mod layering;
mod peer;
mod sdk;
mod sfu;
mod signaling;
