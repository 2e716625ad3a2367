//! Log lines on standard error.
//!
//! A message is a fixed sentence with fields named by noun (`session.id`, `archive.size_bytes`). `info` reports what the
//! service did, `warn` a failure that it handles, `error` a failure that the operator must look at. Tokens, secrets,
//! cookies, SDP and addresses of clients are never logged.

use std::io::IsTerminal;

use anyhow::Context;
use tracing_subscriber::{EnvFilter, filter::LevelFilter};

/// Libraries whose detailed lines contain keys and addresses. A filter must name them to show these lines.
const INDISCREET: &str = "is=warn,str0m=warn";

/// Sends log lines that pass `filter` to standard error, from now on.
///
/// # Errors
/// When `filter` is not a list of `tracing` directives, or logging is already set up.
pub fn init(filter: &str) -> anyhow::Result<()> {
    let mut parsed = EnvFilter::try_new(filter).with_context(|| {
        format!("`{filter}` is not a log filter; use for example `info` or `parlor=debug`")
    })?;
    if parsed.max_level_hint() >= Some(LevelFilter::INFO) {
        // The later of two directives for one target wins.
        parsed = EnvFilter::try_new(format!("{INDISCREET},{filter}"))?;
    }
    tracing_subscriber::fmt()
        .with_env_filter(parsed)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .try_init()
        .map_err(|error| anyhow::anyhow!("logging cannot be set up: {error}"))
}
