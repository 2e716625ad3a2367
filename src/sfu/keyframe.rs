//! How often a publisher is asked for a key frame, however many receivers want one.

use std::time::{Duration, Instant};

/// One layer's requests.
///
/// Whoever still waits asks again with every packet that passes it by, so a request that got lost
/// needs no timer.
#[derive(Debug, Default)]
pub struct Throttle {
    asked: Option<Instant>,
}

impl Throttle {
    /// At most two requests a second: a key frame is as large as ten others.
    pub const INTERVAL: Duration = Duration::from_millis(500);

    /// Whether to ask now.
    pub fn ask(&mut self, now: Instant) -> bool {
        let due = self
            .asked
            .is_none_or(|asked| now.saturating_duration_since(asked) >= Self::INTERVAL);
        if due {
            self.asked = Some(now);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_request_goes_out_at_once_and_a_storm_is_held_back() {
        let start = Instant::now();
        let mut throttle = Throttle::default();
        let asked: Vec<u64> = (0..1_200)
            .step_by(10)
            .filter(|&ms| throttle.ask(start + Duration::from_millis(ms)))
            .collect();
        assert_eq!(asked, [0, 500, 1_000]);
    }
}
