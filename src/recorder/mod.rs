//! The recorder: writes what a session sends to disk, and composes it afterwards.

pub mod compose;
pub mod ffmpeg;
