//! The rules of one live session.
//!
//! ```text
//! requests, media events, now ──▶ LiveSession ──▶ effects: replies and events to sockets,
//!                                                 media commands, recorder's notes, archive phases
//! ```
//!
//! Whoever joins receives a snapshot, and numbered events from then on. A connection outlives its
//! socket for a while (`liveness.rs`), so what happens meanwhile is kept and told on resuming.

mod archives;
mod effect;
mod liveness;
mod moderation;
mod negotiation;
mod relaying;
mod signals;
mod streams;
mod subscriptions;
mod visibility;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
    time::Instant,
};

use self::{
    archives::RecordedArchive, liveness::Lost, negotiation::PendingOffer, streams::LiveStream,
    subscriptions::Subscription,
};
pub use self::{
    archives::TrackSelection,
    effect::{Closing, Effect, OutboundMessage, RecordingPhase, SocketId},
    liveness::{PING_PERIOD, SOCKET_SILENCE},
};
use super::{
    ClientSignal, ConnectionId, MonitorEventKind, Refusal, Request, Resume, StreamId,
    admission::NewConnection,
    backlog::Backlog,
    event::{ConnectionInfo, EndReason, ReplyBody, SessionEvent, SharedEvent, StreamInfo, Welcome},
    limits::{Crowd, Limits},
    media::EngineCommand,
    refusal::code,
    request::PeerMessage,
};
use crate::{clock::Now, opentok::Role, session::recording::TimelineEvent};

/// The version of the browser protocol.
pub const VERSION: u32 = 1;

/// A session is one broadcast domain; beyond this, every coming and going would cost too much.
const MAX_CONNECTIONS: usize = 20_000;

/// One live session.
#[derive(Default)]
pub struct LiveSession {
    connections: HashMap<ConnectionId, Connection>,
    /// Those who are told of who comes and goes.
    curious: HashSet<ConnectionId>,
    streams: HashMap<StreamId, LiveStream>,
    /// The connections without a socket: the only ones whose time may run out, and when it does at
    /// the earliest.
    lost: BTreeSet<(Instant, ConnectionId)>,
    /// Offers that the media engine has not answered yet, by their number.
    offers: HashMap<u64, PendingOffer>,
    archives: Vec<RecordedArchive>,
    /// Somebody has published since the first connection came.
    has_begun: bool,
    /// A moderator muted everybody, those who publish later included.
    mutes_newcomers: bool,
    /// An observer decides what clients hear of one another: their signals go to it, and nobody is seen
    /// before it says so.
    is_mediated: bool,
    /// Those of whom others know nothing.
    hidden: HashSet<ConnectionId>,
    /// Media go from browser to browser.
    relayed: bool,
    /// How many have ever joined.
    came: u64,
    /// Numbers connections, streams and offers in the order of their coming.
    counter: u64,
    effects: Vec<Effect>,
}

struct Connection {
    info: ConnectionInfo,
    role: Role,
    key: String,
    order: u64,
    socket: Option<SocketId>,
    /// Set exactly while there is no socket.
    lost: Option<Lost>,
    backlog: Backlog,
    limits: Limits,
    /// When the engine last saw packets from it.
    media_seen_at: Option<Instant>,
    /// When it closed its peer connection in order; it has made no offer since.
    media_closed_at: Option<Instant>,
    /// It has made an offer, so the engine keeps a peer for it.
    has_peer: bool,
    /// The generation of its latest offer.
    generation: u32,
    /// Its receive slots, and what they show.
    slots: BTreeMap<u16, Option<Subscription>>,
    /// The layout classes that its streams begin with.
    classes: Vec<String>,
    /// The streams it publishes, in their order; some may not be announced to others yet.
    streams: Vec<StreamId>,
}

impl LiveSession {
    /// Lets in a client. `key` is a fresh secret to resume by.
    ///
    /// # Errors
    /// The session is full.
    pub fn join(
        &mut self,
        socket: SocketId,
        request: u64,
        new: &NewConnection,
        key: String,
        now: Now,
    ) -> Result<ConnectionId, Refusal> {
        if self.connections.len() >= MAX_CONNECTIONS {
            return Err(Refusal::new(
                code::CONNECTION_LIMIT,
                "OT_CONNECTION_LIMIT_EXCEEDED",
                format!("the session is full: {MAX_CONNECTIONS} people are in it"),
            ));
        }
        let NewConnection {
            claims,
            relayed,
            quiet,
        } = new;
        let id = ConnectionId::random();
        let info = ConnectionInfo {
            connection_id: id,
            creation_time: now.unix_ms,
            data: claims.data.clone(),
        };
        if self.came == 0 {
            self.relayed = *relayed && self.archives.is_empty();
        }
        self.came += 1;
        if self.connections.is_empty() {
            self.report(MonitorEventKind::SessionCreated);
        }
        if self.is_mediated {
            self.hidden.insert(id);
        } else {
            self.tell_curious(SessionEvent::ConnectionCreated {
                connection: info.clone(),
            });
        }
        if !quiet {
            self.curious.insert(id);
        }
        let connection = Connection {
            info: info.clone(),
            role: claims.role,
            key: key.clone(),
            order: self.count(),
            socket: Some(socket),
            lost: None,
            backlog: Backlog::default(),
            limits: Limits::new(self.crowd(id), now.at),
            media_seen_at: None,
            media_closed_at: None,
            has_peer: false,
            generation: 0,
            slots: BTreeMap::new(),
            classes: claims.layout_classes.clone(),
            streams: Vec::new(),
        };
        self.connections.insert(id, connection);
        let welcome = Welcome {
            version: VERSION,
            key,
            role: claims.role,
            grace_ms: liveness::GRACE.as_millis().try_into().unwrap_or(u64::MAX),
            relayed: self.relayed,
            connections: if *quiet {
                vec![info.clone()]
            } else {
                self.seen_by(id)
            },
            connection: info,
            streams: self.streams(),
            archives: self.archives(),
        };
        self.effects
            .push(Effect::Joined(welcome.connection.clone()));
        self.report(MonitorEventKind::ConnectionCreated(
            welcome.connection.clone(),
        ));
        self.reply(socket, request, ReplyBody::Welcome(Box::new(welcome)));
        self.follow_archives(now.at);
        Ok(id)
    }

    /// Gives a connection a new socket, and tells it what it missed.
    ///
    /// # Errors
    /// The connection is gone, its key is another, or too much has happened: the client has to
    /// connect anew.
    pub fn resume(
        &mut self,
        socket: SocketId,
        request: u64,
        resume: &Resume,
        now: Now,
    ) -> Result<ConnectionId, Refusal> {
        let id = resume.connection_id;
        let known = self.connections.get_mut(&id).filter(|connection| {
            aws_lc_rs::constant_time::verify_slices_are_equal(
                connection.key.as_bytes(),
                resume.key.as_bytes(),
            )
            .is_ok()
        });
        let Some(connection) = known else {
            return Err(Refusal::gone(
                "the connection is gone; connect to the session anew",
            ));
        };
        let Some(missed) = connection.backlog.after(resume.last) else {
            self.remove(
                id,
                EndReason::NetworkDisconnected,
                Closing::Replaced,
                now.at,
            );
            return Err(Refusal::gone(
                "too much has happened since the socket was lost; connect to the session anew",
            ));
        };
        let missed: Vec<_> = missed
            .map(|(n, event)| OutboundMessage::Event {
                n,
                event: Arc::clone(event),
            })
            .collect();
        connection.backlog.acknowledge(resume.last);
        if let Some(lost) = connection.lost.take() {
            self.lost.remove(&(lost.looked_at, id));
        }
        if let Some(replaced) = connection.socket.replace(socket) {
            self.effects.push(Effect::Close {
                socket: replaced,
                why: Closing::Replaced,
            });
        }
        self.reply(socket, request, ReplyBody::Resumed { resumed: true });
        self.effects.extend(
            missed
                .into_iter()
                .map(|message| Effect::Send { socket, message }),
        );
        Ok(id)
    }

    /// Carries out what a client asks. Every request is replied to, before anybody hears of what
    /// it brings about.
    pub fn request(
        &mut self,
        from: ConnectionId,
        socket: SocketId,
        id: u64,
        request: Request,
        now: Now,
    ) {
        if !self.accepts_message(from, socket, now.at) {
            return;
        }
        if let Request::Offer(offer) = request {
            // The engine's answer is the reply.
            if let Err(refusal) = self.offer(from, socket, id, offer, now.at) {
                self.reply(socket, id, refusal.into());
            }
            return;
        }
        if self.is_mediated
            && let Request::Signal {
                signal_type,
                data,
                to,
            } = request
        {
            let signal = ClientSignal {
                from,
                to,
                signal_type,
                data,
            };
            // The observer's verdict is the reply.
            if let Err(refusal) = self.submit_signal(socket, id, signal, now.at) {
                self.reply(socket, id, refusal.into());
            }
            return;
        }
        let place = self.effects.len();
        self.reply(socket, id, ReplyBody::Done {});
        let done = match request {
            Request::Offer(_) | Request::Ping => Ok(ReplyBody::Done {}),
            Request::Publish(stream) => self.publish(from, stream, now),
            Request::UpdateStream { stream_id, change } => {
                self.update_stream(from, stream_id, change)
            }
            Request::Unpublish {
                stream_id,
                media_stopped,
            } => {
                let reason = if media_stopped {
                    EndReason::MediaStopped
                } else {
                    EndReason::ClientDisconnected
                };
                self.unpublish(from, stream_id, reason, now.at)
            }
            Request::Subscribe {
                slot,
                stream_id,
                wanted,
            } => self.subscribe(from, slot, stream_id, wanted),
            Request::UpdateSubscription { slot, wanted } => {
                self.update_subscription(from, slot, wanted)
            }
            Request::Unsubscribe { slot } => self.unsubscribe(from, slot),
            Request::Signal {
                signal_type,
                data,
                to,
            } => self.signal(from, signal_type, data, to, now.at),
            Request::ForceDisconnect { connection_id } => {
                self.force_disconnect(from, connection_id, now.at)
            }
            Request::ForceUnpublish { stream_id } => self.force_unpublish(from, stream_id, now.at),
            Request::ForceMute { stream_id } => self.force_mute(from, stream_id),
            Request::ForceMuteAll {
                excluded_stream_ids,
            } => self.force_mute_all(from, &excluded_stream_ids),
            Request::DisableForceMute => self.disable_force_mute(from),
            Request::PeerOpen { stream_id } => self.open(from, stream_id, now.at),
            Request::PeerWant { pair, want } => {
                self.relay(from, pair, PeerMessage::Want(want), now.at)
            }
            Request::PeerSdp { pair, description } => {
                self.relay(from, pair, PeerMessage::Description(description), now.at)
            }
            Request::PeerIce { pair, candidates } => {
                self.relay(from, pair, PeerMessage::Candidates(candidates), now.at)
            }
            Request::PeerBye { pair } => self.relay(from, pair, PeerMessage::Bye, now.at),
            Request::PeerFailed { stream_id } => self.peer_failed(stream_id),
            Request::Ack { last } => {
                if let Some(connection) = self.connections.get_mut(&from) {
                    connection.backlog.acknowledge(last);
                }
                Ok(ReplyBody::Done {})
            }
            Request::Bye => {
                self.remove(from, EndReason::ClientDisconnected, Closing::Left, now.at);
                Ok(ReplyBody::Done {})
            }
        };
        if let Some(Effect::Send {
            message: OutboundMessage::Reply { outcome, .. },
            ..
        }) = self.effects.get_mut(place)
        {
            *outcome = done.unwrap_or_else(ReplyBody::from);
        }
    }

    /// Replies to a message that is no request; it counts as one.
    pub fn refuse(
        &mut self,
        from: ConnectionId,
        socket: SocketId,
        id: u64,
        refusal: Refusal,
        now: Now,
    ) {
        if self.accepts_message(from, socket, now.at) {
            self.reply(socket, id, refusal.into());
        }
    }

    /// Ends every connection at once; nobody is told of the others.
    pub fn disconnect_all(&mut self, reason: EndReason, now: Now) {
        let event = Arc::new(SharedEvent::new(SessionEvent::Disconnected { reason }));
        let was_anybody = !self.connections.is_empty();
        for id in self.in_order() {
            let Some(mut connection) = self.connections.remove(&id) else {
                continue;
            };
            for stream in &connection.streams {
                self.report_end(*stream, reason);
            }
            if connection.has_peer {
                self.media(EngineCommand::Close { connection: id });
            }
            connection.end(&event, reason, &mut self.effects);
            self.effects.push(Effect::Left {
                connection: id,
                reason,
            });
            self.report(MonitorEventKind::ConnectionDestroyed {
                connection: connection.info,
                reason,
            });
        }
        if was_anybody {
            self.report(MonitorEventKind::SessionDestroyed);
        }
        for stream in self.streams() {
            self.note(&TimelineEvent::StreamDestroyed {
                stream: stream.stream_id,
            });
        }
        self.streams.clear();
        self.offers.clear();
        self.lost.clear();
        self.curious.clear();
        self.hidden.clear();
        self.mutes_newcomers = false;
        self.follow_archives(now.at);
    }

    /// What is to be done now.
    pub fn effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// Everybody who is connected, in the order in which they came.
    pub fn people(&self) -> Vec<ConnectionInfo> {
        self.in_order()
            .iter()
            .filter_map(|id| self.connections.get(id))
            .map(|connection| connection.info.clone())
            .collect()
    }

    /// The streams that are announced, in the order in which they were published.
    pub fn streams(&self) -> Vec<StreamInfo> {
        let mut streams: Vec<_> = self.streams.values().filter(|s| s.announced).collect();
        streams.sort_unstable_by_key(|stream| stream.order);
        streams.iter().map(|stream| stream.info.clone()).collect()
    }

    pub fn connection_count(&self) -> usize {
        self.connections.len()
    }

    /// How many streams are published, those included that nobody has heard of yet.
    pub fn stream_count(&self) -> usize {
        self.streams.len()
    }

    /// Nobody is connected and nothing is recorded: the session may be forgotten.
    pub fn is_over(&self) -> bool {
        self.connections.is_empty() && self.archives.is_empty()
    }

    fn in_order(&self) -> Vec<ConnectionId> {
        let mut ids: Vec<_> = self
            .connections
            .iter()
            .map(|(id, connection)| (connection.order, *id))
            .collect();
        ids.sort_unstable();
        ids.into_iter().map(|(_, id)| id).collect()
    }

    /// Whether a message from this socket counts at all; a flood ends the connection.
    fn accepts_message(&mut self, from: ConnectionId, socket: SocketId, now: Instant) -> bool {
        let crowd = self.crowd(from);
        let Some(connection) = self.connections.get_mut(&from) else {
            return false;
        };
        if connection.socket != Some(socket) {
            return false;
        }
        if !connection.limits.message(crowd, now) {
            self.remove(from, EndReason::NetworkDisconnected, Closing::Flood, now);
            return false;
        }
        true
    }

    /// Ends a connection, for everybody.
    fn remove(&mut self, id: ConnectionId, reason: EndReason, closing: Closing, now: Instant) {
        let Some(mut connection) = self.connections.remove(&id) else {
            return;
        };
        if let Some(lost) = connection.lost {
            self.lost.remove(&(lost.looked_at, id));
        }
        self.curious.remove(&id);
        self.offers.retain(|_, offer| offer.connection != id);
        for stream in std::mem::take(&mut connection.streams) {
            self.end_stream(stream, reason, None);
        }
        if connection.has_peer {
            self.media(EngineCommand::Close { connection: id });
        }
        if matches!(closing, Closing::Ended(_)) {
            let event = Arc::new(SharedEvent::new(SessionEvent::Disconnected { reason }));
            connection.end(&event, reason, &mut self.effects);
        } else if let Some(socket) = connection.socket {
            self.effects.push(Effect::Close {
                socket,
                why: closing,
            });
        }
        self.effects.push(Effect::Left {
            connection: id,
            reason,
        });
        self.report(MonitorEventKind::ConnectionDestroyed {
            connection: connection.info,
            reason,
        });
        if !self.hidden.remove(&id) {
            self.tell_curious(SessionEvent::ConnectionDestroyed {
                connection_id: id,
                reason,
            });
        }
        if self.connections.is_empty() {
            self.mutes_newcomers = false;
            self.report(MonitorEventKind::SessionDestroyed);
        }
        self.follow_archives(now);
    }

    fn report(&mut self, kind: MonitorEventKind) {
        self.effects.push(Effect::Monitor(kind));
    }

    fn reply(&mut self, socket: SocketId, request: u64, outcome: ReplyBody) {
        let message = OutboundMessage::Reply { request, outcome };
        self.effects.push(Effect::Send { socket, message });
    }

    fn media(&mut self, command: EngineCommand) {
        self.effects.push(Effect::Media(command));
    }

    fn tell(&mut self, id: ConnectionId, event: SessionEvent) {
        if let Some(connection) = self.connections.get_mut(&id) {
            let event = Arc::new(SharedEvent::new(event));
            connection.tell(event, &mut self.effects);
        }
    }

    fn tell_everyone(&mut self, but: Option<ConnectionId>, event: SessionEvent) {
        let event = Arc::new(SharedEvent::new(event));
        for (id, connection) in &mut self.connections {
            if Some(*id) != but {
                connection.tell(Arc::clone(&event), &mut self.effects);
            }
        }
    }

    /// Tells those who want to know who comes and goes.
    fn tell_curious(&mut self, event: SessionEvent) {
        if self.curious.is_empty() {
            return;
        }
        let event = Arc::new(SharedEvent::new(event));
        for id in &self.curious {
            if let Some(connection) = self.connections.get_mut(id) {
                connection.tell(Arc::clone(&event), &mut self.effects);
            }
        }
    }

    /// Whom a connection knows of, and may want to greet: those who are quiet know of nobody.
    fn crowd(&self, id: ConnectionId) -> Crowd {
        if !self.curious.contains(&id) {
            return Crowd::default();
        }
        let everybody_else =
            self.connections.len() - usize::from(self.connections.contains_key(&id));
        Crowd {
            others: everybody_else,
            came: self.came,
        }
    }

    fn count(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }
}

impl Connection {
    fn tell(&mut self, event: Arc<SharedEvent>, effects: &mut Vec<Effect>) {
        let n = self.backlog.push(Arc::clone(&event));
        if let Some(socket) = self.socket {
            let message = OutboundMessage::Event { n, event };
            effects.push(Effect::Send { socket, message });
        }
    }

    /// Tells a connection that it is over.
    fn end(&mut self, event: &Arc<SharedEvent>, reason: EndReason, effects: &mut Vec<Effect>) {
        self.tell(Arc::clone(event), effects);
        if let Some(socket) = self.socket {
            effects.push(Effect::Close {
                socket,
                why: Closing::Ended(reason),
            });
        }
    }
}

#[cfg(test)]
mod tests;
