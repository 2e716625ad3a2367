//! Parlor as people meet it: its pages in Debian's Chromium, with fake cameras and microphones.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod call;
mod chromium;
mod world;
