//! The application as a whole, through real sockets.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod layering;
//! Parlor from outside: real sockets, real packets.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod peer;
mod sfu;
