//! Parlor: video rooms you host yourself.

pub mod app;
pub mod archive;
pub mod clock;
pub mod config;
pub mod data;
pub mod opentok;
pub mod platform;
pub mod project;
pub mod recorder;
pub mod session;
pub mod signaling;
pub mod telemetry;
