//! How long somebody who went away is waited for.
//!
//! A reload looks like a closed tab: the browser says goodbye in both cases. But the reload asks for the
//! page again, mostly even before it says goodbye; so whoever is expected back is waited for longer.

use std::time::{Duration, Instant};

/// After an orderly goodbye. With the coalescing of the roster a closed tab is gone within 2 s.
const CLOSED_GRACE: Duration = Duration::from_millis(1500);

/// After the loss of a connection. A lost network is to be noticed within 6 s, so that it is gone within 10 s.
const LOST_GRACE: Duration = Duration::from_secs(4);

/// For somebody whose page is on its way, or may be: a reload on a slow machine may take that long.
pub(super) const RELOAD_GRACE: Duration = Duration::from_secs(10);

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DisconnectReason {
    /// The client said goodbye: the tab was closed, left for another page, or is being reloaded.
    Closed,
    /// The client fell silent: its network or its machine is gone.
    Lost,
    /// Another platform does not list the connection any more, and does not say why: its page may be reloading.
    Unlisted,
}

/// Somebody is away, and may be back in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GracePeriod {
    since: Instant,
    until: Instant,
}

impl GracePeriod {
    /// Begins to wait for somebody who left.
    pub fn begin(reason: DisconnectReason, expected_back: bool, now: Instant) -> GracePeriod {
        let grace = match (expected_back, reason) {
            (true, _) => RELOAD_GRACE,
            (false, DisconnectReason::Closed) => CLOSED_GRACE,
            (false, DisconnectReason::Lost) => LOST_GRACE,
            (false, DisconnectReason::Unlisted) => RELOAD_GRACE,
        };
        GracePeriod {
            since: now,
            until: now + grace,
        }
    }

    /// Begins to wait for somebody who is to come within `patience`.
    pub fn for_first_connection(grace: Duration, now: Instant) -> GracePeriod {
        GracePeriod {
            since: now,
            until: now + grace,
        }
    }

    /// Waits longer, since the page is on its way.
    pub fn expect_back(&mut self) {
        self.until = self.until.max(self.since + RELOAD_GRACE);
    }

    /// When waiting ends.
    pub fn until(&self) -> Instant {
        self.until
    }
}
