//! The one reader of the clock. Rules take the time as an argument; their callers read it here.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Unix time in milliseconds.
pub fn now_ms() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Unix time in seconds.
pub fn now_s() -> i64 {
    now_ms() / 1000
}

/// A monotonic time, to measure how long something takes.
pub fn instant() -> Instant {
    Instant::now()
}

/// The clocks that a service reads, given to it when it is made.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    pub instant: fn() -> Instant,
    /// Unix time, ms.
    pub unix_ms: fn() -> i64,
}

impl Clock {
    /// The clocks of this machine.
    pub const SYSTEM: Clock = Clock {
        instant,
        unix_ms: now_ms,
    };
}
