//! Who shows which stream in which slot.

use super::LiveSession;
use crate::session::{
    ConnectionId, Refusal, StreamId,
    event::ReplyBody,
    media::{EngineCommand, SubscriptionSettings},
    refusal::code,
    request::SubscriptionUpdate,
};

/// A stream in a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Subscription {
    pub stream: StreamId,
    wanted: SubscriptionSettings,
}

impl Subscription {
    pub fn command(&self, connection: ConnectionId, slot: u16) -> EngineCommand {
        EngineCommand::Subscribe {
            connection,
            slot,
            stream: self.stream,
            wanted: self.wanted,
        }
    }
}

impl LiveSession {
    pub(super) fn subscribe(
        &mut self,
        from: ConnectionId,
        slot: u16,
        stream: StreamId,
        wanted: SubscriptionUpdate,
    ) -> Result<ReplyBody, Refusal> {
        self.check_routed()?;
        let there = self.streams.get(&stream).is_some_and(|s| s.announced);
        let subscriber = self.connected(from)?;
        if !subscriber.role.may_subscribe() {
            return Err(Refusal::permission(
                code::UNABLE_TO_SUBSCRIBE,
                "the token's role does not allow subscribing",
            ));
        }
        if !there {
            return Err(Refusal::no_stream(code::UNABLE_TO_SUBSCRIBE));
        }
        let Some(place) = subscriber.slots.get_mut(&slot) else {
            return Err(no_slot(slot));
        };
        let everything = SubscriptionSettings {
            audio: true,
            video: true,
            height: None,
            frame_rate: None,
        };
        let subscription = Subscription {
            stream,
            wanted: updated(everything, wanted),
        };
        let replaced = place.replace(subscription);
        if self.is_carried(stream) {
            self.media(subscription.command(from, slot));
        } else if replaced.is_some_and(|replaced| self.is_carried(replaced.stream)) {
            let connection = from;
            self.media(EngineCommand::Unsubscribe { connection, slot });
        }
        Ok(ReplyBody::Done {})
    }

    pub(super) fn update_subscription(
        &mut self,
        from: ConnectionId,
        slot: u16,
        wanted: SubscriptionUpdate,
    ) -> Result<ReplyBody, Refusal> {
        let subscriber = self.connected(from)?;
        let Some(subscription) = subscriber.slots.get_mut(&slot).and_then(Option::as_mut) else {
            return Err(Refusal::no_stream(code::UNABLE_TO_SUBSCRIBE));
        };
        let after = updated(subscription.wanted, wanted);
        if after != subscription.wanted {
            subscription.wanted = after;
            let (stream, command) = (subscription.stream, subscription.command(from, slot));
            if self.is_carried(stream) {
                self.media(command);
            }
        }
        Ok(ReplyBody::Done {})
    }

    pub(super) fn unsubscribe(
        &mut self,
        from: ConnectionId,
        slot: u16,
    ) -> Result<ReplyBody, Refusal> {
        let subscriber = self.connected(from)?;
        let Some(place) = subscriber.slots.get_mut(&slot) else {
            return Err(no_slot(slot));
        };
        // Free already when the stream has just ended.
        let freed = place.take();
        if freed.is_some_and(|freed| self.is_carried(freed.stream)) {
            self.media(EngineCommand::Unsubscribe {
                connection: from,
                slot,
            });
        }
        Ok(ReplyBody::Done {})
    }
}

impl LiveSession {
    /// Whether the engine knows a stream; else whoever wants it has to wait.
    pub(super) fn is_carried(&self, stream: StreamId) -> bool {
        self.streams
            .get(&stream)
            .is_some_and(|stream| stream.carried)
    }
}

fn updated(before: SubscriptionSettings, update: SubscriptionUpdate) -> SubscriptionSettings {
    SubscriptionSettings {
        audio: update.audio.unwrap_or(before.audio),
        video: update.video.unwrap_or(before.video),
        height: update
            .height
            .map_or(before.height, |height| (height > 0).then_some(height)),
        frame_rate: update
            .frame_rate
            .map_or(before.frame_rate, |rate| (rate > 0).then_some(rate)),
    }
}

fn no_slot(slot: u16) -> Refusal {
    Refusal::invalid(format!("no offer has negotiated slot {slot}"))
}
