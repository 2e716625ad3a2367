//! From RTP timestamps to the archive's time, for one stream.
//!
//! ```text
//! timestamp / rate ──(sender reports)──▶ publisher's clock ──(fastest arrivals)──▶ archive's time
//! ```
//!
//! Sound and picture count on clocks of their own. What ties them together are the sender reports
//! (RFC 3550 §6.4.1); what ties the publisher to the archive is the shortest way a packet took
//! lately: both tracks use the same one, so lips stay in sync. Without reports each track goes by
//! its own arrivals. All of it follows clocks that drift, over a window of a minute, so it holds for
//! hours; and a correction is spread out, so that nobody hears it.

use std::collections::VecDeque;

use crate::session::media::MediaKind;

/// How long an arrival counts as "lately", and the grain in which that is kept.
const WINDOW_US: i64 = 60_000_000;
const BUCKET_US: i64 = 5_000_000;
/// So many reports vote on the offset between RTP time and the publisher's clock.
const REPORTS: usize = 9;
/// A report that differs by more is a mistake, or the clock was set: two in a row decide.
const ODD_REPORT_US: i64 = 100_000;
/// Tracks whose reports put them farther apart than this are not believed.
const MAX_APART_US: i64 = 2_000_000;
/// After such a silence a correction is applied at once.
const SILENCE_US: i64 = 1_000_000;
/// A late packet after a silence may mean that the RTP clock stood still meanwhile.
const STOOD_STILL_US: i64 = 200_000;
/// RTP time that leaps so far ahead of the arrivals, or falls so far behind, counts anew.
const LEAP_AHEAD_US: i64 = 1_000_000;
const FALL_BEHIND_US: i64 = 5_000_000;
/// Corrections up to this are spread out, one part in [`SPREAD`]; larger ones are leaps.
const MAX_SPREAD_US: i64 = 250_000;
const SPREAD: i64 = 100;
/// No packet was made longer before its arrival than this, nor after it.
const MAX_DELAY_US: i64 = 10_000_000;
const MAX_EARLY_US: i64 = 100_000;

/// The clocks of a stream's two tracks. Times are in microseconds since the archive's start.
#[derive(Default)]
pub struct StreamClock {
    audio: TrackClock,
    video: TrackClock,
}

/// When a packet was made, on its track's clock, and when it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    epoch: u64,
    rtp_us: i64,
    pub arrival_us: i64,
}

impl StreamClock {
    /// Notes the arrival of a packet; packets must be told in the order of their arrival.
    pub fn arrived(&mut self, kind: MediaKind, timestamp: u64, arrival_us: i64) -> Stamp {
        self.track(kind)
            .arrived(rtp_us(kind, timestamp), arrival_us)
    }

    /// Notes a sender report.
    pub fn report(&mut self, kind: MediaKind, ntp: u64, timestamp: u64) {
        let ntp_us = i64::try_from((u128::from(ntp) * 1_000_000) >> 32).unwrap_or(i64::MAX);
        self.track(kind)
            .report(ntp_us.saturating_sub(rtp_us(kind, timestamp)));
    }

    /// The archive's time at which a packet was made. Packets of a track must be placed in the
    /// order of their sequence numbers, some seconds after their arrival: what is learnt meanwhile
    /// places them better.
    pub fn place(&mut self, kind: MediaKind, stamp: Stamp) -> i64 {
        let (own, other) = match kind {
            MediaKind::Audio => (&mut self.audio, &self.video),
            MediaKind::Video => (&mut self.video, &self.audio),
        };
        own.place(other, stamp)
    }

    fn track(&mut self, kind: MediaKind) -> &mut TrackClock {
        match kind {
            MediaKind::Audio => &mut self.audio,
            MediaKind::Video => &mut self.video,
        }
    }
}

fn rtp_us(kind: MediaKind, timestamp: u64) -> i64 {
    let rate = match kind {
        MediaKind::Audio => 48_000,
        MediaKind::Video => 90_000,
    };
    i64::try_from(u128::from(timestamp) * 1_000_000 / rate).unwrap_or(i64::MAX)
}

#[derive(Default)]
struct TrackClock {
    /// Stretches in which RTP time ran evenly; the last one is now. Those before the oldest packet
    /// still to be placed are forgotten.
    epochs: VecDeque<Epoch>,
    last_arrival_us: i64,
    placed: Option<Placed>,
}

/// What was done with the last packet.
#[derive(Clone, Copy)]
struct Placed {
    epoch: u64,
    rtp_us: i64,
    /// Archive's time minus RTP time, as applied; and how far that is from what is right.
    offset_us: i64,
    error_us: i64,
}

struct Epoch {
    number: u64,
    /// The least (arrival - RTP time) of each [`BUCKET_US`], oldest first.
    buckets: VecDeque<(i64, i64)>,
    /// (Publisher's clock - RTP time) of the last reports, and their median.
    reports: VecDeque<i64>,
    reported_us: Option<i64>,
    /// The last report, if it was not believed.
    odd: Option<i64>,
}

impl TrackClock {
    fn arrived(&mut self, rtp_us: i64, arrival_us: i64) -> Stamp {
        let silence_us = arrival_us.saturating_sub(self.last_arrival_us);
        let delay_us = arrival_us.saturating_sub(rtp_us);
        let even = self.epochs.back().is_some_and(|epoch| {
            let late_us = delay_us.saturating_sub(epoch.least_us());
            (-LEAP_AHEAD_US..=FALL_BEHIND_US).contains(&late_us)
                && (silence_us < SILENCE_US || late_us < STOOD_STILL_US)
        });
        if !even {
            let number = self.epochs.back().map_or(0, |epoch| epoch.number + 1);
            self.epochs.push_back(Epoch {
                number,
                buckets: VecDeque::new(),
                reports: VecDeque::new(),
                reported_us: None,
                odd: None,
            });
        }
        self.last_arrival_us = arrival_us;
        let epoch = self.epochs.back_mut().expect("one was just made");
        epoch.record_delay(arrival_us, delay_us);
        Stamp {
            epoch: epoch.number,
            rtp_us,
            arrival_us,
        }
    }

    fn report(&mut self, offset_us: i64) {
        // A report before the first packet says nothing of that packet's clock yet.
        if let Some(epoch) = self.epochs.back_mut() {
            epoch.report(offset_us);
        }
    }

    fn place(&mut self, other: &TrackClock, stamp: Stamp) -> i64 {
        while self.epochs.len() > 1 && self.epochs[0].number < stamp.epoch {
            self.epochs.pop_front();
        }
        let right_us = self.right_offset_us(other);
        let offset_us = match self.placed {
            Some(last) if last.epoch == stamp.epoch => {
                let step_us = stamp.rtp_us.saturating_sub(last.rtp_us);
                let correction_us = right_us.saturating_sub(last.offset_us);
                if step_us > SILENCE_US || correction_us.saturating_abs() > MAX_SPREAD_US {
                    right_us.saturating_add(other.current_error_us(stamp.arrival_us))
                } else {
                    let most_us = step_us.max(0) / SPREAD;
                    last.offset_us
                        .saturating_add(correction_us.clamp(-most_us, most_us))
                }
            }
            _ => right_us.saturating_add(other.current_error_us(stamp.arrival_us)),
        };
        self.placed = Some(Placed {
            epoch: stamp.epoch,
            rtp_us: stamp.rtp_us,
            offset_us,
            error_us: offset_us.saturating_sub(right_us),
        });
        stamp.rtp_us.saturating_add(offset_us).clamp(
            stamp.arrival_us.saturating_sub(MAX_DELAY_US),
            stamp.arrival_us.saturating_add(MAX_EARLY_US),
        )
    }

    /// Archive's time minus RTP time, as well as it is known for the oldest epoch.
    fn right_offset_us(&self, other: &TrackClock) -> i64 {
        let Some(own) = self.epochs.front() else {
            return 0;
        };
        let least_us = own.least_us();
        let known = other
            .epochs
            .back()
            .filter(|_| self.last_arrival_us - other.last_arrival_us < WINDOW_US)
            .and_then(|other| Some((own.reported_us?, other.least_us(), other.reported_us?)));
        let Some((own_reported_us, other_least_us, other_reported_us)) = known else {
            return least_us;
        };
        // The other track's shortest way, were it counted on this track's clock.
        let theirs_us = other_least_us
            .saturating_sub(other_reported_us)
            .saturating_add(own_reported_us);
        if theirs_us.saturating_sub(least_us).saturating_abs() > MAX_APART_US {
            return least_us;
        }
        least_us.min(theirs_us)
    }

    /// What this track has still to correct: the other begins with the same error, so that both
    /// stay together.
    fn current_error_us(&self, now_us: i64) -> i64 {
        match self.placed {
            Some(placed) if now_us - self.last_arrival_us < SILENCE_US => {
                placed.error_us.clamp(-MAX_SPREAD_US, MAX_SPREAD_US)
            }
            _ => 0,
        }
    }
}

impl Epoch {
    fn record_delay(&mut self, arrival_us: i64, delay_us: i64) {
        let bucket = arrival_us.div_euclid(BUCKET_US);
        match self.buckets.back_mut() {
            Some((last, least_us)) if *last >= bucket => *least_us = delay_us.min(*least_us),
            _ => self.buckets.push_back((bucket, delay_us)),
        }
        while self.buckets[0].0 <= bucket - WINDOW_US / BUCKET_US {
            self.buckets.pop_front();
        }
    }

    fn least_us(&self) -> i64 {
        let least = self.buckets.iter().map(|(_, least_us)| *least_us).min();
        least.unwrap_or(0)
    }

    fn report(&mut self, offset_us: i64) {
        let differs = |than: i64| offset_us.saturating_sub(than).saturating_abs() > ODD_REPORT_US;
        if self.reported_us.is_some_and(differs) {
            match self.odd.replace(offset_us) {
                Some(before) if !differs(before) => {
                    self.reports.clear();
                    self.reports.push_back(before);
                }
                _ => return,
            }
        }
        self.odd = None;
        self.reports.push_back(offset_us);
        if self.reports.len() > REPORTS {
            self.reports.pop_front();
        }
        let mut sorted: Vec<_> = self.reports.iter().copied().collect();
        sorted.sort_unstable();
        self.reported_us = sorted.get(sorted.len() / 2).copied();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: i64 = 1_000_000;
    /// How long a packet waits until it is placed.
    const WAIT: i64 = 6 * S;

    /// A publisher whose two media clocks and network can be bent.
    struct Publisher {
        clock: StreamClock,
        waiting: [VecDeque<(i64, Stamp)>; 2],
        /// (made at, archive's time) of what was placed.
        placed: [Vec<(i64, i64)>; 2],
        /// RTP µs = made at * (1 + ppm) + start.
        ppm: [i64; 2],
        start_us: [i64; 2],
        /// What the publisher's clock shows at the archive's start.
        ntp_start_us: i64,
        reports: bool,
        delay_us: [fn(i64) -> i64; 2],
    }

    impl Publisher {
        fn new() -> Publisher {
            Publisher {
                clock: StreamClock::default(),
                waiting: Default::default(),
                placed: Default::default(),
                ppm: [0, 0],
                start_us: [77 * S, 1234 * S],
                ntp_start_us: 3_900_000_000 * S,
                reports: true,
                delay_us: [|_| 20_000, |_| 35_000],
            }
        }

        fn rtp(&self, kind: MediaKind, made_us: i64) -> u64 {
            let k = kind as usize;
            let us = made_us + made_us * self.ppm[k] / S + self.start_us[k];
            let rate = [48_000_i128, 90_000][k];
            u64::try_from(i128::from(us) * rate / i128::from(S)).unwrap()
        }

        fn packet(&mut self, kind: MediaKind, made_us: i64) {
            let arrival_us = made_us + self.delay_us[kind as usize](made_us);
            let rtp = self.rtp(kind, made_us);
            let stamp = self.clock.arrived(kind, rtp, arrival_us);
            self.waiting[kind as usize].push_back((made_us, stamp));
            self.place_until(arrival_us - WAIT);
        }

        fn place_until(&mut self, until_us: i64) {
            for kind in [MediaKind::Audio, MediaKind::Video] {
                let k = kind as usize;
                while let Some(&(made_us, stamp)) = self.waiting[k].front()
                    && stamp.arrival_us <= until_us
                {
                    self.waiting[k].pop_front();
                    let at_us = self.clock.place(kind, stamp);
                    self.placed[k].push((made_us, at_us));
                }
            }
        }

        fn report(&mut self, kind: MediaKind, made_us: i64) {
            if self.reports {
                let ntp_us = u128::try_from(self.ntp_start_us + made_us).unwrap();
                let ntp = u64::try_from((ntp_us << 32) / 1_000_000).unwrap();
                self.clock.report(kind, ntp, self.rtp(kind, made_us));
            }
        }

        /// Sound every 20 ms, pictures every 40 ms, reports as browsers send them.
        fn talk(&mut self, from_us: i64, to_us: i64) {
            for n in (from_us / 20_000)..(to_us / 20_000) {
                let now_us = n * 20_000;
                self.packet(MediaKind::Audio, now_us);
                if n % 2 == 0 {
                    self.packet(MediaKind::Video, now_us);
                }
                if n % 50 == 25 {
                    self.report(MediaKind::Video, now_us);
                }
                if n % 250 == 125 {
                    self.report(MediaKind::Audio, now_us);
                }
            }
        }

        fn finish(&mut self) {
            self.place_until(i64::MAX);
        }

        /// The furthest that sound and picture made at one time came apart.
        fn worst_sync_us(&self) -> i64 {
            let audio: std::collections::HashMap<_, _> = self.placed[0].iter().copied().collect();
            let apart = self.placed[1].iter();
            apart
                .filter_map(|(made, at)| Some((at - audio.get(made)?).abs()))
                .max()
                .unwrap()
        }

        fn worst_error_us(&self, kind: MediaKind) -> i64 {
            let placed = self.placed[kind as usize].iter();
            placed.map(|(made, at)| (at - made).abs()).max().unwrap()
        }
    }

    #[test]
    fn lips_are_in_sync_from_the_first_packet() {
        let mut publisher = Publisher::new();
        publisher.delay_us = [|_| 20_000, |_| 180_000];
        publisher.talk(0, 30 * S);
        publisher.finish();
        assert!(
            publisher.worst_sync_us() < 100,
            "{}",
            publisher.worst_sync_us()
        );
        assert!(publisher.worst_error_us(MediaKind::Video) <= 20_100);
    }

    #[test]
    fn without_reports_the_fastest_packets_decide() {
        let mut publisher = Publisher::new();
        publisher.reports = false;
        publisher.delay_us = [|us| 20_000 + us % 70_000, |us| 30_000 + us % 90_000];
        publisher.talk(0, 30 * S);
        publisher.finish();
        assert!(
            publisher.worst_sync_us() < 20_000,
            "{}",
            publisher.worst_sync_us()
        );
    }

    #[test]
    fn clocks_that_drift_are_followed_for_hours() {
        let mut publisher = Publisher::new();
        publisher.ppm = [90, -60];
        publisher.delay_us = [|us| 20_000 + us % 7_000, |us| 40_000 + us % 50_000];
        publisher.talk(0, 3 * 3600 * S);
        publisher.finish();
        assert!(
            publisher.worst_sync_us() < 8_000,
            "{}",
            publisher.worst_sync_us()
        );
        assert!(publisher.worst_error_us(MediaKind::Audio) < 40_000);
        assert!(publisher.worst_error_us(MediaKind::Video) < 40_000);
        for placed in &publisher.placed {
            assert!(placed.windows(2).all(|two| two[0].1 < two[1].1));
        }
    }

    #[test]
    fn a_slow_network_moves_both_tracks_together_and_unnoticeably() {
        let mut publisher = Publisher::new();
        let slow = |us: i64| {
            if (100 * S..400 * S).contains(&us) {
                170_000
            } else {
                20_000
            }
        };
        publisher.delay_us = [slow, slow];
        publisher.talk(0, 600 * S);
        publisher.finish();
        assert!(
            publisher.worst_sync_us() < 1_000,
            "{}",
            publisher.worst_sync_us()
        );
        for (placed, step_us) in publisher.placed.iter().zip([20_000, 40_000]) {
            let worst = placed
                .windows(2)
                .map(|two| (two[1].1 - two[0].1 - step_us).abs())
                .max();
            assert!(worst.unwrap() <= step_us / 50);
        }
    }

    #[test]
    fn one_wrong_report_changes_nothing() {
        let mut publisher = Publisher::new();
        publisher.talk(0, 20 * S);
        publisher.ntp_start_us += 700_000;
        publisher.report(MediaKind::Video, 20 * S);
        publisher.ntp_start_us -= 700_000;
        publisher.talk(20 * S, 40 * S);
        publisher.finish();
        assert!(publisher.worst_sync_us() < 100);
    }

    #[test]
    fn reports_that_put_sound_and_picture_seconds_apart_are_not_believed() {
        let mut publisher = Publisher::new();
        for n in 0..1000 {
            publisher.packet(MediaKind::Audio, n * 20_000);
            publisher.packet(MediaKind::Video, n * 20_000);
            if n % 50 == 0 {
                publisher.report(MediaKind::Audio, n * 20_000);
                publisher.ntp_start_us += 30 * S;
                publisher.report(MediaKind::Video, n * 20_000);
                publisher.ntp_start_us -= 30 * S;
            }
        }
        publisher.finish();
        assert!(publisher.worst_sync_us() <= 15_000);
    }

    #[test]
    fn an_rtp_clock_that_stood_still_while_muted_goes_on_where_the_archive_is() {
        for pause_us in [3 * S, 300 * S] {
            let mut publisher = Publisher::new();
            publisher.talk(0, 30 * S);
            for n in 0..(pause_us / 40_000) {
                publisher.packet(MediaKind::Video, 30 * S + n * 40_000);
            }
            publisher.start_us[0] -= pause_us;
            publisher.talk(30 * S + pause_us, 90 * S + pause_us);
            publisher.finish();
            assert!(publisher.worst_error_us(MediaKind::Audio) <= 36_000);
            assert!(
                publisher.worst_sync_us() <= 20_000,
                "{}",
                publisher.worst_sync_us()
            );
        }
    }

    #[test]
    fn an_rtp_clock_that_leaps_goes_on_where_the_archive_is() {
        for leap_us in [-70 * S, 40 * S, 100_000 * S] {
            let mut publisher = Publisher::new();
            publisher.talk(0, 30 * S);
            publisher.start_us[1] += leap_us;
            publisher.talk(30 * S, 60 * S);
            publisher.finish();
            assert!(
                publisher.worst_error_us(MediaKind::Video) <= 36_000,
                "{leap_us}"
            );
        }
    }

    proptest::proptest! {
        #[test]
        fn no_clock_is_too_odd(
            packets in proptest::collection::vec(
                (proptest::bool::ANY, proptest::num::u64::ANY, 0..WINDOW_US, proptest::num::u64::ANY),
                1..60,
            ),
        ) {
            let mut clock = StreamClock::default();
            let mut now_us = 0;
            for (audio, timestamp, later_us, ntp) in packets {
                let kind = if audio { MediaKind::Audio } else { MediaKind::Video };
                now_us += later_us;
                let stamp = clock.arrived(kind, timestamp, now_us);
                clock.report(kind, ntp, timestamp / 2);
                let at_us = clock.place(kind, stamp);
                proptest::prop_assert!((now_us - MAX_DELAY_US..=now_us + MAX_EARLY_US).contains(&at_us));
            }
        }
    }

    #[test]
    fn a_picture_that_was_off_for_an_hour_comes_back_in_sync() {
        let mut publisher = Publisher::new();
        publisher.ppm = [80, -40];
        publisher.talk(0, 30 * S);
        for n in (30 * 50)..(3600 * 50) {
            publisher.packet(MediaKind::Audio, n * 20_000);
            if n % 250 == 125 {
                publisher.report(MediaKind::Audio, n * 20_000);
            }
        }
        publisher.talk(3600 * S, 3630 * S);
        publisher.finish();
        assert!(
            publisher.worst_sync_us() < 12_000,
            "{}",
            publisher.worst_sync_us()
        );
    }
}
