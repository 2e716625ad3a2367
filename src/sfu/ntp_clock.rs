//! One clock for all tracks of a publisher, from its RTCP sender reports.
//!
//! ```text
//! RTP time ──(sender report)──▶ publisher's NTP time ──(smallest delay seen)──▶ our clock
//! ```
//!
//! Audio and video go through the same second step, so a receiver that follows our own sender
//! reports plays them in step. Before the first report, a track runs from its first arrival.

use std::time::{Duration, Instant, SystemTime};

/// How long a smallest delay counts.
const WINDOW_US: i64 = 5_000_000;

/// A point in time as microseconds since an origin of our own.
fn micros(origin: Instant, at: Instant) -> i64 {
    i64::try_from(at.saturating_duration_since(origin).as_micros()).unwrap_or(i64::MAX)
}

/// What turns a publisher's NTP time into ours: the smallest arrival minus NTP of the last 5 to 10 s.
#[derive(Debug)]
pub struct Offset {
    origin: Instant,
    smallest: Option<i64>,
    upcoming: i64,
    window_ends: i64,
}

impl Offset {
    /// `origin` lies before every packet.
    pub fn new(origin: Instant) -> Offset {
        Offset {
            origin,
            smallest: None,
            upcoming: i64::MAX,
            window_ends: 0,
        }
    }

    fn record(&mut self, arrival_us: i64, ntp_us: i64) {
        let delay = arrival_us.saturating_sub(ntp_us);
        if arrival_us >= self.window_ends {
            if self.smallest.is_some() {
                self.smallest = Some(self.upcoming.min(delay));
            }
            self.upcoming = i64::MAX;
            self.window_ends = arrival_us + WINDOW_US;
        }
        self.upcoming = self.upcoming.min(delay);
        self.smallest = Some(self.smallest.map_or(delay, |smallest| smallest.min(delay)));
    }
}

/// One encoding's RTP clock.
#[derive(Debug)]
pub struct SourceClock {
    rate: u32,
    /// RTP time and our time of the first packet.
    first: Option<(u64, i64)>,
    /// RTP time and NTP time of the latest report.
    report: Option<(u32, i64)>,
}

impl SourceClock {
    pub fn new(rate: u32) -> SourceClock {
        SourceClock {
            rate,
            first: None,
            report: None,
        }
    }

    /// Takes in a sender report.
    pub fn report(&mut self, offset: &mut Offset, rtp: u32, ntp: SystemTime, arrival: Instant) {
        let since_1970 = ntp
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        let ntp_us = i64::try_from(since_1970.as_micros()).unwrap_or(0);
        offset.record(micros(offset.origin, arrival), ntp_us);
        self.report = Some((rtp, ntp_us));
    }

    /// When a packet of this encoding was captured, by our clock; never in the future.
    pub fn wallclock(&mut self, offset: &mut Offset, time: u64, arrival: Instant) -> Instant {
        let arrival_us = micros(offset.origin, arrival);
        let (first_time, first_us) = *self.first.get_or_insert((time, arrival_us));
        let us = match self.report {
            Some((rtp, ntp_us)) => {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_possible_wrap,
                    reason = "RTP time is compared modulo 2^32"
                )]
                let ticks = (time as u32).wrapping_sub(rtp) as i32;
                let ntp_us = ntp_us.saturating_add(self.scale(i64::from(ticks)));
                // A packet may have been quicker than every report.
                offset.record(arrival_us, ntp_us);
                ntp_us.saturating_add(offset.smallest.unwrap_or(0))
            }
            None => {
                let ticks = i64::try_from(i128::from(time) - i128::from(first_time)).unwrap_or(0);
                first_us.saturating_add(self.scale(ticks))
            }
        };
        let us = u64::try_from(us.min(arrival_us)).unwrap_or(0);
        offset.origin + Duration::from_micros(us)
    }

    fn scale(&self, ticks: i64) -> i64 {
        ticks.saturating_mul(1_000_000) / i64::from(self.rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ntp(ms: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_000 + ms)
    }

    #[test]
    fn sound_and_picture_captured_together_get_the_same_time() {
        let origin = Instant::now();
        let at = |ms| origin + Duration::from_millis(ms);
        let mut offset = Offset::new(origin);
        let (mut audio, mut video) = (SourceClock::new(48_000), SourceClock::new(90_000));
        audio.report(&mut offset, 48_000, ntp(1_000), at(5_030));
        video.report(&mut offset, 900_000, ntp(1_100), at(5_180));
        // Both captured at NTP 2,000 ms; the picture takes 90 ms longer to arrive.
        let heard = audio.wallclock(&mut offset, 96_000, at(6_030));
        let seen = video.wallclock(&mut offset, 900_000 + 81_000, at(6_120));
        assert_eq!(heard, seen);
        assert_eq!(heard, at(6_030));
    }

    #[test]
    fn before_a_report_time_runs_from_the_first_arrival() {
        let origin = Instant::now();
        let mut offset = Offset::new(origin);
        let mut clock = SourceClock::new(90_000);
        let first = origin + Duration::from_secs(1);
        assert_eq!(clock.wallclock(&mut offset, 1 << 40, first), first);
        let late = first + Duration::from_millis(90);
        let second = clock.wallclock(&mut offset, (1 << 40) + 4_500, late);
        assert_eq!(second, first + Duration::from_millis(50));
    }

    #[test]
    fn rtp_time_may_wrap_between_report_and_packet() {
        let origin = Instant::now();
        let mut offset = Offset::new(origin);
        let mut clock = SourceClock::new(90_000);
        let arrival = origin + Duration::from_secs(3);
        clock.report(&mut offset, u32::MAX - 44_999, ntp(0), arrival);
        let time = clock.wallclock(
            &mut offset,
            (7 << 32) + 45_000,
            arrival + Duration::from_secs(1),
        );
        assert_eq!(time, arrival + Duration::from_secs(1));
    }

    #[test]
    fn a_clock_that_drifts_is_followed() {
        let origin = Instant::now();
        let mut offset = Offset::new(origin);
        let mut clock = SourceClock::new(90_000);
        let mut time = origin;
        for second in 0_u64..60 {
            // Our clock gains 1 ms a second on the publisher's.
            let arrival = origin + Duration::from_millis(10_000 + second * 1_001);
            let rtp = u32::try_from(second * 90_000).unwrap();
            clock.report(&mut offset, rtp, ntp(second * 1_000), arrival);
            time = clock.wallclock(&mut offset, second * 90_000, arrival);
        }
        let arrival = origin + Duration::from_millis(10_000 + 59 * 1_001);
        assert!(arrival - time <= Duration::from_millis(11));
    }
}
