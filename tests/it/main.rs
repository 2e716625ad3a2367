//! Parlor from outside: real sockets, real packets.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod peer;
mod sfu;
