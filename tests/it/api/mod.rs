//! The REST API of a running server: through our own SDK, and with plain requests where headers and bytes matter.

mod always;
mod archives;
mod auth;
mod choosing;
pub mod described;
mod description;
mod individual;
mod keys;
mod official;
mod people;
mod proofs;
mod sessions;
pub mod world;
