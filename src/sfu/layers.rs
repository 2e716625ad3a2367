//! The encodings of a published track, and which of them suits a receiver.

use std::time::{Duration, Instant};

use super::{keyframe::Throttle, ntp_clock::SourceClock, vp8::Vp8};

/// A layer is in use while packets come at least this often, and
const ACTIVE: Duration = Duration::from_millis(1_500);
/// while another layer of the same camera does not get so many frames ahead of it.
const AHEAD: u8 = 15;

/// One encoding: the only one of its track, or a simulcast layer.
#[derive(Debug)]
pub struct Layer {
    pub ssrc: u32,
    pub clock: SourceClock,
    pub key_frames: Throttle,
    /// Sequence number and time of the newest packet, extended.
    newest: Option<(u64, u64)>,
    heard: Option<Instant>,
    /// Pixels, of the last key frame.
    size: Option<(u16, u16)>,
    active: bool,
    /// Frames of the other layers since this one's last.
    behind: u8,
}

impl Layer {
    pub fn new(ssrc: u32, clock_rate: u32) -> Layer {
        Layer {
            ssrc,
            clock: SourceClock::new(clock_rate),
            key_frames: Throttle::default(),
            newest: None,
            heard: None,
            size: None,
            active: false,
            behind: 0,
        }
    }

    /// Notes a packet. The first value: no later packet has come before; the second: what suits whom
    /// may have changed.
    pub fn record(
        &mut self,
        now: Instant,
        (sequence, time): (u64, u64),
        vp8: Option<&Vp8>,
    ) -> (bool, bool) {
        let newest = self.newest.is_none_or(|(newest, _)| sequence > newest);
        self.behind = 0;
        if newest {
            self.newest = Some((sequence, time));
        }
        self.heard = Some(now);
        let mut changed = !self.active;
        self.active = true;
        if let Some(size) = vp8.and_then(|vp8| vp8.size)
            && self.size != Some(size)
        {
            self.size = Some(size);
            changed = true;
        }
        (newest, changed)
    }

    /// The extended time nearest to the newest packet's; `None` before the first packet.
    pub fn extend(&self, rtp: u32) -> Option<u64> {
        let (_, time) = self.newest?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_possible_wrap,
            reason = "RTP time is compared modulo 2^32"
        )]
        let distance = rtp.wrapping_sub(time as u32) as i32;
        Some(time.wrapping_add_signed(i64::from(distance)))
    }
}

/// The encodings of one track, from the lowest as far as known: browsers announce them in that
/// order, and the size of the key frames tells for certain.
#[derive(Debug, Default)]
pub struct Layers {
    list: Vec<Option<Layer>>,
}

impl Layers {
    /// The layer at `index`, if it has sent anything.
    pub fn get_mut(&mut self, index: u8) -> Option<&mut Layer> {
        self.list.get_mut(usize::from(index))?.as_mut()
    }

    /// Puts a layer in its place; a layer whose SSRC changed begins anew.
    pub fn insert(&mut self, index: u8, layer: Layer) {
        let index = usize::from(index);
        while self.list.len() <= index {
            self.list.push(None);
        }
        self.list[index] = Some(layer);
    }

    /// Notes that `index` has begun another frame; true if another layer counts as silent now.
    pub fn frame(&mut self, index: u8) -> bool {
        let mut changed = false;
        for (other, layer) in (0_u8..).zip(&mut self.list) {
            let Some(layer) = layer.as_mut().filter(|_| other != index) else {
                continue;
            };
            layer.behind = layer.behind.saturating_add(1);
            if layer.active && layer.behind >= AHEAD {
                layer.active = false;
                changed = true;
            }
        }
        changed
    }

    /// Marks layers that fell silent; true if there are any.
    pub fn sweep(&mut self, now: Instant) -> bool {
        let mut changed = false;
        for layer in self.list.iter_mut().flatten() {
            let silent = layer
                .heard
                .is_none_or(|heard| now.saturating_duration_since(heard) > ACTIVE);
            changed |= layer.active && silent;
            layer.active &= !silent;
        }
        changed
    }

    /// The smallest active layer that is at least `height` pixels high, or else the highest.
    pub fn choose(&self, height: Option<u16>) -> Option<u8> {
        let mut active: Vec<(u16, u8)> = (0_u8..)
            .zip(&self.list)
            .filter_map(|(index, layer)| {
                let layer = layer.as_ref().filter(|layer| layer.active)?;
                Some((layer.size.map_or(0, |(_, height)| height), index))
            })
            .collect();
        if active.iter().any(|&(height, _)| height == 0) {
            // Not all have sent a key frame yet: go by their order.
            return match height {
                Some(_) => active.first().map(|&(_, index)| index),
                None => active.last().map(|&(_, index)| index),
            };
        }
        active.sort_unstable();
        let enough = active
            .iter()
            .find(|&&(has, _)| height.is_some_and(|height| has >= height));
        enough.or(active.last()).map(|&(_, index)| index)
    }
}

/// The temporal layers (0: the base alone) that give about `frame_rate` of a camera's 30 frames a
/// second; browsers send VP8 in three of them, each of which doubles the rate.
pub fn temporal_id(frame_rate: Option<u8>) -> u8 {
    match frame_rate {
        Some(..12) => 0,
        Some(12..24) => 1,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sfu::vp8::tests::payload;

    fn layers(now: Instant, heights: &[u16]) -> Layers {
        let mut layers = Layers::default();
        for (index, &height) in (0_u8..).zip(heights) {
            let mut layer = Layer::new(u32::from(index), 90_000);
            let mut vp8 = Vp8::parse(&payload(1, 1, 0, true, true)).unwrap();
            vp8.size = (height > 0).then_some((height * 4 / 3, height));
            layer.record(now, (1, 0), Some(&vp8));
            layers.insert(index, layer);
        }
        layers
    }

    #[test]
    fn a_receiver_gets_the_smallest_layer_that_fills_its_place() {
        let layers = layers(Instant::now(), &[180, 360, 720]);
        let chosen = [Some(90), Some(180), Some(200), Some(720), Some(1080), None]
            .map(|height| layers.choose(height).unwrap());
        assert_eq!(chosen, [0, 0, 1, 2, 2, 2]);
    }

    #[test]
    fn layers_announced_from_the_highest_are_put_in_order_by_their_size() {
        let layers = layers(Instant::now(), &[720, 360, 180]);
        assert_eq!(layers.choose(Some(100)), Some(2));
        assert_eq!(layers.choose(None), Some(0));
    }

    #[test]
    fn a_layer_that_falls_silent_is_not_chosen() {
        let start = Instant::now();
        let mut layers = layers(start, &[180, 360, 720]);
        let later = start + Duration::from_secs(2);
        for index in [0, 1] {
            layers.get_mut(index).unwrap().record(later, (2, 0), None);
        }
        assert!(layers.sweep(later));
        assert_eq!(layers.choose(None), Some(1));
        assert!(!layers.sweep(later));
        let (newest, changed) = layers.get_mut(2).unwrap().record(later, (2, 0), None);
        assert!(newest && changed);
        assert_eq!(layers.choose(None), Some(2));
    }

    #[test]
    fn a_layer_that_is_left_behind_is_silent_before_its_time() {
        let start = Instant::now();
        let mut layers = layers(start, &[180, 360]);
        let noticed = (1..=20).find(|_| layers.frame(0));
        assert_eq!(noticed, Some(15));
        assert_eq!(layers.choose(None), Some(0));
        layers.get_mut(1).unwrap().record(start, (9, 9), None);
        assert_eq!(layers.choose(None), Some(1));
    }

    #[test]
    fn before_a_key_frame_the_announced_order_counts() {
        let layers = layers(Instant::now(), &[180, 0]);
        assert_eq!(layers.choose(Some(180)), Some(0));
        assert_eq!(layers.choose(None), Some(1));
    }
}
