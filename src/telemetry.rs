//! What Parlor says of itself while it runs: log lines on standard error.
//!
//! Messages read alone and carry fields named by noun (`session.id`, `archive.size_bytes`).
//! `info` is what the service did, `warn` what it coped with, `error` what somebody must look at.
//! Tokens, secrets, cookies, SDP and people's addresses are never logged.

use std::io::IsTerminal;

use anyhow::Context;
use tracing_subscriber::{EnvFilter, filter::LevelFilter};

/// Libraries that write keys and addresses into their details: these are shown only to whoever asks for them by name.
const INDISCREET: &str = "is=warn,str0m=warn";

/// Sends log lines that pass `filter` to standard error, from now on.
///
/// # Errors
/// When `filter` is no list of `tracing` directives, or logging was set up before.
pub fn init(filter: &str) -> anyhow::Result<()> {
    let mut parsed = EnvFilter::try_new(filter)
        .with_context(|| format!("`{filter}` is no log filter; try `info` or `parlor=debug`"))?;
    if parsed.max_level_hint() >= Some(LevelFilter::INFO) {
        // Of two that name the same, the later counts.
        parsed = EnvFilter::try_new(format!("{INDISCREET},{filter}"))?;
    }
    tracing_subscriber::fmt()
        .with_env_filter(parsed)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .try_init()
        .map_err(|error| anyhow::anyhow!("logging cannot be set up: {error}"))
}
