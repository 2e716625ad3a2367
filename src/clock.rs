//! The clocks. Only the rim reads them: rules take the time as an argument.

#![expect(
    clippy::disallowed_methods,
    reason = "this is the one reader of the clock"
)]

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// One instant, on both clocks.
///
/// The rim reads it once for each input, so that all that follows from the input has the same time.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// The monotonic clock, for timeouts.
    pub at: Instant,
    /// Unix time in milliseconds, for what people see and what the database stores.
    pub unix_ms: i64,
}

impl Now {
    /// Reads both clocks.
    pub fn read() -> Self {
        Clock::SYSTEM.now()
    }
}

/// Reads Unix time in milliseconds.
pub fn now_ms() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Reads Unix time in seconds.
pub fn now_s() -> i64 {
    now_ms() / 1000
}

/// Reads the monotonic clock.
pub fn instant() -> Instant {
    Instant::now()
}

/// The clocks that a service reads. They are given to it when it is made.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    pub instant: fn() -> Instant,
    /// Unix time in milliseconds.
    pub unix_ms: fn() -> i64,
}

impl Clock {
    /// The clocks of this machine.
    pub const SYSTEM: Clock = Clock {
        instant,
        unix_ms: now_ms,
    };

    /// Reads both clocks.
    pub fn now(&self) -> Now {
        Now {
            at: (self.instant)(),
            unix_ms: (self.unix_ms)(),
        }
    }
}
