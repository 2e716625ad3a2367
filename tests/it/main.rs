//! The application as a whole, through real sockets.

#![expect(clippy::disallowed_methods, reason = "tests read the clock")]
#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod access;
mod api;
mod buddies;
mod callbacks;
mod client;
mod clip;
mod compose;
mod credentials;
mod docs;
#[path = "../sdk/driver.rs"]
mod driver;
mod failures;
mod ffmpeg;
mod kill;
mod layering;
mod peer;
mod people;
mod process;
mod remote;
mod sdk;
mod sfu;
mod signaling;
mod tools;
