//! Media from browser to browser, and when they go through the engine after all.
//!
//! ```text
//! relayed ──▶ routed: two browsers found no way to one another, or the session is to be recorded
//! ```
//!
//! While a session is relayed its engine has nothing to do. Who wants a stream asks its publisher,
//! who offers; the session hands their messages on and looks at no more of them than who may say
//! what to whom. A *pair* is one subscriber's view of one stream, numbered by the subscriber. Once
//! routed, a session stays so until the last has left.

use std::time::Instant;

use super::LiveSession;
use crate::session::media::MAX_SDP;
use crate::session::{
    ConnectionId, Refusal, StreamId,
    event::{ReplyBody, Rerouting, SessionEvent},
    refusal::code,
    request::{Description, DescriptionKind, PeerLink, PeerMessage},
};

/// Candidates in one message: more than a browser with many addresses gathers.
const MAX_CANDIDATES: usize = 64;

/// Bytes of a candidate and what belongs to it; browsers send about 200.
const MAX_CANDIDATE: usize = 1024;

impl LiveSession {
    /// Whether media go from browser to browser now.
    pub fn is_relayed(&self) -> bool {
        self.relayed
    }

    /// Lets media go through the engine from now on; nothing happens if they do.
    pub fn route(&mut self, reason: Rerouting) {
        if std::mem::take(&mut self.relayed) {
            self.tell_everyone(None, SessionEvent::SessionRouted { reason });
        }
    }

    /// The publisher of a stream can be asked for it: others may hear of it. The reply to `publish`, which may have
    /// been lost with its socket, has arrived.
    pub(super) fn open(
        &mut self,
        from: ConnectionId,
        stream_id: StreamId,
        now: Instant,
    ) -> Result<ReplyBody, Refusal> {
        self.check_relayed()?;
        self.own_stream(from, stream_id)?;
        self.announce(stream_id, now);
        Ok(ReplyBody::Done {})
    }

    /// Hands a message on to the other side of a pair.
    pub(super) fn relay(
        &mut self,
        from: ConnectionId,
        pair: PeerLink,
        message: PeerMessage,
        now: Instant,
    ) -> Result<ReplyBody, Refusal> {
        self.check_relayed()?;
        if !self.connected(from)?.limits.relay(now) {
            return Err(Refusal::rate(
                "too many messages between browsers; try again in a moment",
            ));
        }
        check(&message)?;
        let publisher = self
            .streams
            .get(&pair.stream_id)
            .filter(|stream| stream.announced)
            .map(|stream| stream.info.connection_id)
            .filter(|publisher| *publisher == from || *publisher == pair.to)
            .ok_or_else(|| Refusal::no_stream(code::UNABLE_TO_SUBSCRIBE))?;
        let Some(other) = self.connections.get(&pair.to).filter(|_| pair.to != from) else {
            return Err(Refusal::no_connection(code::UNABLE_TO_SUBSCRIBE));
        };
        let subscriber = if publisher == from {
            other.role
        } else {
            self.connected(from)?.role
        };
        if !subscriber.may_subscribe() {
            return Err(Refusal::permission(
                code::UNABLE_TO_SUBSCRIBE,
                "the token's role does not allow subscribing",
            ));
        }
        let by_publisher = match message {
            PeerMessage::Want(_) => Some(false),
            PeerMessage::Description(ref description) => {
                Some(description.kind == DescriptionKind::Offer)
            }
            PeerMessage::Candidates(_) | PeerMessage::Bye => None,
        };
        if by_publisher.is_some_and(|by_publisher| by_publisher != (publisher == from)) {
            return Err(Refusal::invalid(
                "a stream's publisher offers, and who subscribes to it asks and answers",
            ));
        }
        let (stream_id, pair_number) = (pair.stream_id, pair.pair);
        let event = match message {
            PeerMessage::Want(want) => SessionEvent::PeerWant {
                from,
                stream_id,
                pair: pair_number,
                want,
            },
            PeerMessage::Description(description) => SessionEvent::PeerSdp {
                from,
                stream_id,
                pair: pair_number,
                description,
            },
            PeerMessage::Candidates(candidates) => SessionEvent::PeerIce {
                from,
                stream_id,
                pair: pair_number,
                candidates,
            },
            PeerMessage::Bye => SessionEvent::PeerBye {
                from,
                stream_id,
                pair: pair_number,
            },
        };
        self.tell(pair.to, event);
        Ok(ReplyBody::Done {})
    }

    /// Two browsers found no way to one another: everybody changes over.
    pub(super) fn peer_failed(
        &mut self,
        stream_id: Option<StreamId>,
    ) -> Result<ReplyBody, Refusal> {
        // Its end is no fault of the network.
        if stream_id.is_some_and(|stream| !self.streams.contains_key(&stream)) {
            return Err(Refusal::no_stream(code::UNABLE_TO_SUBSCRIBE));
        }
        self.route(Rerouting::Fallback);
        Ok(ReplyBody::Done {})
    }

    pub(super) fn check_routed(&self) -> Result<(), Refusal> {
        if self.relayed {
            return Err(Refusal::invalid(
                "the media of this session go from browser to browser; ask the other connection with peer.want",
            ));
        }
        Ok(())
    }

    fn check_relayed(&self) -> Result<(), Refusal> {
        if self.relayed {
            return Ok(());
        }
        Err(Refusal::invalid(
            "the media of this session go through the server; publish with offer, subscribe with subscribe",
        ))
    }
}

fn check(message: &PeerMessage) -> Result<(), Refusal> {
    match message {
        PeerMessage::Description(Description { sdp, .. }) if sdp.len() > MAX_SDP => Err(
            Refusal::invalid(format!("a description's SDP has at most {MAX_SDP} bytes")),
        ),
        PeerMessage::Candidates(candidates)
            if candidates.len() > MAX_CANDIDATES
                || candidates.iter().any(|each| each.bytes() > MAX_CANDIDATE) =>
        {
            Err(Refusal::invalid(format!(
                "a message has at most {MAX_CANDIDATES} candidates of {MAX_CANDIDATE} bytes each"
            )))
        }
        _ => Ok(()),
    }
}
