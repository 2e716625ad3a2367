//! Offers and the engine's answers.

use std::time::Instant;

use super::{LiveSession, SocketId};
use crate::clock::Now;
use crate::session::{
    ConnectionId, Refusal, StreamId,
    event::ReplyBody,
    media::{EngineCommand, MAX_MID, MAX_SDP, MAX_SLOTS, Offer},
    refusal::code,
};

/// The most tracks that an offer sends: audio and video of each stream.
const MAX_TRACKS: usize = 32;

/// The most unanswered offers of one connection.
const MAX_PENDING: usize = 4;

/// An offer on its way through the engine.
pub(super) struct PendingOffer {
    pub connection: ConnectionId,
    pub streams: Vec<StreamId>,
    socket: SocketId,
    /// The client's request id.
    request: u64,
    /// The connection had closed its peer before: the engine knows nothing of its streams and slots.
    fresh: bool,
}

impl LiveSession {
    pub(super) fn offer(
        &mut self,
        from: ConnectionId,
        socket: SocketId,
        request: u64,
        offer: Offer,
        now: Instant,
    ) -> Result<(), Refusal> {
        self.check_routed()?;
        let number = self.count();
        let pending = self
            .offers
            .values()
            .filter(|o| o.connection == from)
            .count();
        let mut carried = Vec::new();
        for track in &offer.tracks {
            let own = self
                .streams
                .get(&track.stream_id)
                .is_some_and(|stream| stream.info.connection_id == from);
            if !own {
                return Err(Refusal::no_stream(code::UNABLE_TO_PUBLISH));
            }
            if !carried.contains(&track.stream_id) {
                carried.push(track.stream_id);
            }
        }
        let connection = self.connected(from)?;
        if !connection.limits.offer(now) || pending >= MAX_PENDING {
            return Err(Refusal::rate(
                "too many offers; wait for the answer before the next one",
            ));
        }
        if !offer.tracks.is_empty() && !connection.role.may_publish() {
            return Err(Refusal::permission(
                code::UNABLE_TO_PUBLISH,
                "the token's role does not allow publishing; it must be at least publisher",
            ));
        }
        if !offer.slots.is_empty() && !connection.role.may_subscribe() {
            return Err(Refusal::permission(
                code::UNABLE_TO_SUBSCRIBE,
                "the token's role does not allow subscribing",
            ));
        }
        if offer.sdp.len() > MAX_SDP {
            return Err(Refusal::invalid(format!(
                "an offer's SDP has at most {MAX_SDP} bytes"
            )));
        }
        let mids = offer.tracks.iter().map(|track| &track.mid).chain(
            offer
                .slots
                .iter()
                .flat_map(|slot| [&slot.audio_mid, &slot.video_mid]),
        );
        if offer.tracks.len() > MAX_TRACKS
            || offer.slots.len() > usize::from(MAX_SLOTS)
            || mids.into_iter().any(|mid| mid.len() > MAX_MID)
        {
            return Err(Refusal::invalid(format!(
                "an offer has at most {MAX_TRACKS} tracks and {MAX_SLOTS} slots, and mids of at most {MAX_MID} characters"
            )));
        }
        let new_slots = offer
            .slots
            .iter()
            .filter(|slot| !connection.slots.contains_key(&slot.slot))
            .count();
        if connection.slots.len() + new_slots > usize::from(MAX_SLOTS) {
            return Err(Refusal::invalid(format!(
                "a connection has at most {MAX_SLOTS} slots"
            )));
        }
        if offer.generation <= connection.generation {
            return Err(Refusal::invalid(format!(
                "offers count up from 1, and number {} has arrived already",
                connection.generation
            )));
        }
        connection.generation = offer.generation;
        connection.has_peer = true;
        let fresh = connection.media_closed_at.take().is_some();
        for slot in &offer.slots {
            connection.slots.entry(slot.slot).or_insert(None);
        }
        for stream in &carried {
            if let Some(stream) = self.streams.get_mut(stream) {
                stream.offered = true;
            }
        }
        self.offers.insert(
            number,
            PendingOffer {
                connection: from,
                streams: carried,
                socket,
                request,
                fresh,
            },
        );
        self.media(EngineCommand::Offer {
            connection: from,
            request: number,
            offer,
        });
        Ok(())
    }

    /// The engine answered an offer: its streams are there.
    pub fn answered(
        &mut self,
        from: ConnectionId,
        number: u64,
        generation: u32,
        sdp: String,
        now: Now,
    ) {
        let Some(offer) = self.take_offer(from, number) else {
            return;
        };
        self.reply(
            offer.socket,
            offer.request,
            ReplyBody::Answer { generation, sdp },
        );
        if offer.fresh {
            self.restore_media(from);
        }
        for stream in offer.streams {
            self.carry(stream);
            self.announce(stream, now.at);
        }
    }

    /// The engine cannot answer an offer.
    pub fn refused(&mut self, from: ConnectionId, number: u64, message: String) {
        let Some(offer) = self.take_offer(from, number) else {
            return;
        };
        let refusal = Refusal::new(code::CONNECTION_FAILED, "OT_INVALID_PARAMETER", message);
        self.reply(offer.socket, offer.request, refusal.into());
    }

    fn take_offer(&mut self, from: ConnectionId, number: u64) -> Option<PendingOffer> {
        if self.offers.get(&number)?.connection != from {
            return None;
        }
        self.offers.remove(&number)
    }

    /// Tells the engine what it forgot when the client closed its peer connection: what is
    /// switched off, and who shows what.
    fn restore_media(&mut self, from: ConnectionId) {
        let own: Vec<_> = self
            .connections
            .get(&from)
            .map(|connection| connection.streams.clone())
            .unwrap_or_default();
        for stream in &own {
            let carried = self.streams.get(stream).filter(|stream| stream.carried);
            if let Some(info) = carried.map(|stream| stream.info.clone()) {
                self.switch_media(&info);
            }
        }
        let mut shown = Vec::new();
        for (id, connection) in &self.connections {
            for (slot, subscription) in &connection.slots {
                if let Some(subscription) = subscription
                    && (*id == from || own.contains(&subscription.stream))
                    && self.is_carried(subscription.stream)
                {
                    shown.push(subscription.command(*id, *slot));
                }
            }
        }
        for command in shown {
            self.media(command);
        }
    }
}
