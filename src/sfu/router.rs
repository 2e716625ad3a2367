//! Who receives whose track.
//!
//! Pure data of one session. A subscription may come before its stream's tracks and outlives their
//! renegotiation; it ends with the stream, the slot's next subscription or either peer.

use rustc_hash::FxHashMap;

use crate::session::{
    StreamId,
    media::{MediaKind, SubscriptionSettings},
};

/// A peer's place in its worker.
pub type PeerKey = usize;
/// A stream's place in its session's router.
pub type StreamKey = usize;

/// A slot that shows a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receiver {
    pub peer: PeerKey,
    pub slot: u16,
    pub wanted: SubscriptionSettings,
}

impl Receiver {
    pub fn wants(&self, kind: MediaKind) -> bool {
        match kind {
            MediaKind::Audio => self.wanted.audio,
            MediaKind::Video => self.wanted.video,
        }
    }
}

/// A stream and its receivers.
#[derive(Debug)]
pub struct RoutedStream {
    pub id: StreamId,
    /// `None` until an offer has brought a track of it.
    pub publisher: Option<PeerKey>,
    audio_on: bool,
    video_on: bool,
    receivers: Vec<Receiver>,
    /// Those of `receivers` that want sound, and those that want the picture.
    audio: Vec<Receiver>,
    video: Vec<Receiver>,
}

impl RoutedStream {
    /// Whether packets of this medium are passed on.
    pub fn is_on(&self, kind: MediaKind) -> bool {
        match kind {
            MediaKind::Audio => self.audio_on,
            MediaKind::Video => self.video_on,
        }
    }

    /// Those who get the packets of a medium.
    pub fn receivers(&self, kind: MediaKind) -> &[Receiver] {
        match kind {
            MediaKind::Audio => &self.audio,
            MediaKind::Video => &self.video,
        }
    }

    fn index(&mut self) {
        let wanting = |kind| {
            let wants = self.receivers.iter().filter(|r| r.wants(kind));
            wants.copied().collect()
        };
        (self.audio, self.video) = (wanting(MediaKind::Audio), wanting(MediaKind::Video));
    }
}

#[derive(Debug, Default)]
pub struct Router {
    /// Places are not reused while a session lives: an old key never names a new stream.
    streams: Vec<Option<RoutedStream>>,
    by_id: FxHashMap<StreamId, StreamKey>,
    by_slot: FxHashMap<(PeerKey, u16), StreamKey>,
}

impl Router {
    pub fn stream(&self, key: StreamKey) -> Option<&RoutedStream> {
        self.streams.get(key)?.as_ref()
    }

    pub fn key(&self, id: StreamId) -> Option<StreamKey> {
        self.by_id.get(&id).copied()
    }

    fn stream_mut(&mut self, key: StreamKey) -> Option<&mut RoutedStream> {
        self.streams.get_mut(key)?.as_mut()
    }

    fn key_or_new(&mut self, id: StreamId) -> StreamKey {
        *self.by_id.entry(id).or_insert_with(|| {
            self.streams.push(Some(RoutedStream {
                id,
                publisher: None,
                audio_on: true,
                video_on: true,
                receivers: Vec::new(),
                audio: Vec::new(),
                video: Vec::new(),
            }));
            self.streams.len() - 1
        })
    }

    /// Notes that `peer` publishes `id`; `None` if another peer does.
    pub fn publish(&mut self, peer: PeerKey, id: StreamId) -> Option<StreamKey> {
        let key = self.key_or_new(id);
        let stream = self.stream_mut(key)?;
        if stream.publisher.is_some_and(|publisher| publisher != peer) {
            return None;
        }
        stream.publisher = Some(peer);
        Some(key)
    }

    /// Ends a stream; gives the slots that are free now.
    pub fn unpublish(&mut self, id: StreamId) -> Vec<Receiver> {
        let Some(key) = self.by_id.remove(&id) else {
            return Vec::new();
        };
        let stream = self.streams.get_mut(key).and_then(Option::take);
        let receivers = stream.map(|stream| stream.receivers).unwrap_or_default();
        for receiver in &receivers {
            self.by_slot.remove(&(receiver.peer, receiver.slot));
        }
        receivers
    }

    /// Shows a stream in a slot. True if the slot showed another stream or none before.
    pub fn subscribe(&mut self, receiver: Receiver, id: StreamId) -> (StreamKey, bool) {
        let key = self.key_or_new(id);
        let before = self.by_slot.insert((receiver.peer, receiver.slot), key);
        if let Some(before) = before {
            self.remove_slot(before, receiver.peer, receiver.slot);
        }
        if let Some(stream) = self.stream_mut(key) {
            stream.receivers.push(receiver);
            stream.index();
        }
        (key, before != Some(key))
    }

    /// Frees a slot.
    pub fn unsubscribe(&mut self, peer: PeerKey, slot: u16) {
        if let Some(key) = self.by_slot.remove(&(peer, slot)) {
            self.remove_slot(key, peer, slot);
        }
    }

    /// What a slot shows.
    pub fn shown(&self, peer: PeerKey, slot: u16) -> Option<StreamKey> {
        self.by_slot.get(&(peer, slot)).copied()
    }

    /// What all slots of a peer show.
    pub fn shown_by(&self, peer: PeerKey) -> Vec<StreamKey> {
        let slots = self.by_slot.iter().filter(|((owner, _), _)| *owner == peer);
        slots.map(|(_, &key)| key).collect()
    }

    /// What a slot wants.
    pub fn receiver(&self, peer: PeerKey, slot: u16) -> Option<Receiver> {
        let stream = self.stream(self.shown(peer, slot)?)?;
        let mut receivers = stream.receivers.iter();
        receivers
            .find(|r| (r.peer, r.slot) == (peer, slot))
            .copied()
    }

    fn remove_slot(&mut self, key: StreamKey, peer: PeerKey, slot: u16) {
        if let Some(stream) = self.stream_mut(key) {
            stream
                .receivers
                .retain(|r| (r.peer, r.slot) != (peer, slot));
            stream.index();
        }
    }

    /// Switches the media of a stream; it may be one that is not published yet.
    pub fn set_stream(&mut self, id: StreamId, audio: bool, video: bool) -> StreamKey {
        let key = self.key_or_new(id);
        if let Some(stream) = self.stream_mut(key) {
            (stream.audio_on, stream.video_on) = (audio, video);
        }
        key
    }

    /// Forgets a peer: its slots are freed and its streams end. Gives the slots of others that are
    /// free now.
    pub fn remove(&mut self, peer: PeerKey) -> Vec<Receiver> {
        self.by_slot.retain(|&(owner, _), _| owner != peer);
        let mut ended = Vec::new();
        for stream in self.streams.iter_mut().flatten() {
            stream.receivers.retain(|r| r.peer != peer);
            stream.index();
            if stream.publisher == Some(peer) {
                ended.push(stream.id);
            }
        }
        ended
            .into_iter()
            .flat_map(|id| self.unpublish(id))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: SubscriptionSettings = SubscriptionSettings {
        audio: true,
        video: true,
        height: None,
        frame_rate: None,
    };

    fn receiver(peer: PeerKey, slot: u16) -> Receiver {
        Receiver {
            peer,
            slot,
            wanted: BOTH,
        }
    }

    #[test]
    fn a_subscription_may_come_before_the_stream() {
        let (mut router, id) = (Router::default(), StreamId::random());
        let (key, _) = router.subscribe(receiver(2, 0), id);
        assert_eq!(router.publish(1, id), Some(key));
        let stream = router.stream(key).unwrap();
        assert_eq!(stream.receivers(MediaKind::Video), [receiver(2, 0)]);
    }

    #[test]
    fn a_slot_shows_one_stream_at_a_time() {
        let mut router = Router::default();
        let (a, b) = (StreamId::random(), StreamId::random());
        let (first, new) = router.subscribe(receiver(2, 0), a);
        assert!(new);
        let (second, new) = router.subscribe(receiver(2, 0), b);
        assert!(new);
        assert!(
            router
                .stream(first)
                .unwrap()
                .receivers(MediaKind::Audio)
                .is_empty()
        );
        assert_eq!(
            router
                .stream(second)
                .unwrap()
                .receivers(MediaKind::Audio)
                .len(),
            1
        );
        let (_, new) = router.subscribe(receiver(2, 0), b);
        assert!(!new);
        assert_eq!(
            router
                .stream(second)
                .unwrap()
                .receivers(MediaKind::Audio)
                .len(),
            1
        );
        router.unsubscribe(2, 0);
        assert!(
            router
                .stream(second)
                .unwrap()
                .receivers(MediaKind::Audio)
                .is_empty()
        );
    }

    #[test]
    fn only_those_who_want_a_medium_get_it() {
        let (mut router, id) = (Router::default(), StreamId::random());
        let mut sound = receiver(2, 0);
        sound.wanted.video = false;
        let (key, _) = router.subscribe(sound, id);
        let stream = router.stream(key).unwrap();
        assert_eq!(stream.receivers(MediaKind::Audio), [sound]);
        assert!(stream.receivers(MediaKind::Video).is_empty());
    }

    #[test]
    fn nobody_takes_over_the_stream_of_another() {
        let (mut router, id) = (Router::default(), StreamId::random());
        assert!(router.publish(1, id).is_some());
        assert!(router.publish(2, id).is_none());
    }

    #[test]
    fn a_peer_that_leaves_takes_its_streams_and_slots_along() {
        let mut router = Router::default();
        let (a, b) = (StreamId::random(), StreamId::random());
        router.publish(1, a);
        router.publish(2, b);
        router.subscribe(receiver(2, 0), a);
        router.subscribe(receiver(1, 0), b);
        assert_eq!(router.remove(1), [receiver(2, 0)]);
        assert!(router.key(a).is_none());
        let key = router.key(b).unwrap();
        assert!(
            router
                .stream(key)
                .unwrap()
                .receivers(MediaKind::Video)
                .is_empty()
        );
        assert_eq!(router.shown(2, 0), None);
    }

    #[test]
    fn a_stream_muted_before_it_is_published_stays_muted() {
        let (mut router, id) = (Router::default(), StreamId::random());
        router.set_stream(id, false, true);
        let key = router.publish(1, id).unwrap();
        assert!(!router.stream(key).unwrap().is_on(MediaKind::Audio));
        assert!(router.stream(key).unwrap().is_on(MediaKind::Video));
    }
}
