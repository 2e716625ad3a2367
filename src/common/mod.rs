//! Small types and functions that several modules share. This module depends on no other.

pub mod connection_data;
pub mod id;
pub mod json;
pub mod name;
pub mod public_address;
pub mod rate_limit;
pub mod trusted_proxies;
