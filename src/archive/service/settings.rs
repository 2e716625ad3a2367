//! The settings of the service.

use std::{path::PathBuf, time::Duration};

/// The settings of the service.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Holds one folder per archive.
    pub folder: PathBuf,
    /// The age at which an archive's files are removed; `None`: never.
    pub keep: Option<Duration>,
    /// The number of files composed at once. Each takes a core or more for about a third of its archive's duration.
    pub composers: usize,
    /// The delays before the second, third, … attempt to compose. After the last attempt an archive waits for the next start.
    pub retry_after: Vec<Duration>,
    /// Returns the wall-clock time: Unix time, ms.
    pub now_ms: fn() -> i64,
}

impl Settings {
    /// The defaults: no archive expires, one file is composed at once for every four cores, three attempts.
    pub fn new(folder: PathBuf, now_ms: fn() -> i64) -> Settings {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Settings {
            folder,
            keep: None,
            composers: (cores / 4).max(1),
            retry_after: vec![Duration::from_secs(10), Duration::from_secs(120)],
            now_ms,
        }
    }
}
