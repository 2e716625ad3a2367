//! Who is still there.
//!
//! A client that vanishes is gone for everybody within 5 s. A client that only lost its socket
//! keeps its place while its media flow, for half a minute at most, and may resume:
//!
//! ```text
//! socket closed in order, or Bye ─────────────────────────────▶ gone at once
//! socket broken, or silent for 3.5 s ─▶ lost ─▶ resumed
//!                                        ├─ 4 s since it was last heard, no media for 2.5 s ─▶ gone
//!                                        └─ 30 s, though media flow ────────────────────────▶ gone
//! ```

use std::time::{Duration, Instant};

use super::{Closing, LiveSession, SocketId};
use crate::clock::Now;
use crate::session::{ConnectionId, EndReason};

/// How long a socket may be silent before it is pinged, and pinged again. Longer: a dead one is noticed later; shorter: more work for
/// sessions of thousands in which nothing happens.
pub const PING_PERIOD: Duration = Duration::from_millis(1500);

/// A socket on which nothing has arrived for so long, not even a pong, is dead. Two pings have
/// gone unanswered then, and 5 s are not over yet.
pub const SOCKET_SILENCE: Duration = Duration::from_millis(3500);

/// How long after the loss of its socket a connection whose media flow may be resumed.
pub(super) const GRACE: Duration = Duration::from_secs(30);

/// Without media for so long, media do not flow: the engine reports once a second.
const MEDIA_SILENCE: Duration = Duration::from_millis(2500);

/// How long after it was last heard a connection without media may be resumed: longer than
/// [`SOCKET_SILENCE`], short enough that nobody is a ghost for more than 5 s.
const RESUME_WITHOUT_MEDIA: Duration = Duration::from_millis(4000);

/// The loss of a connection's socket.
#[derive(Clone, Copy)]
pub(super) struct Lost {
    at: Instant,
    /// When something last arrived on the socket, or when it broke.
    heard_at: Instant,
    /// When it will be looked at next: the connection's place among those that are lost.
    pub looked_at: Instant,
}

impl LiveSession {
    /// A socket broke, or was silent for too long; `heard_at` is when it last gave a sign of life.
    pub fn socket_lost(&mut self, id: ConnectionId, socket: SocketId, heard_at: Instant, now: Now) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        if connection.socket != Some(socket) {
            return;
        }
        connection.socket = None;
        let heard_at = heard_at.min(now.at);
        let looked_at = heard_at + RESUME_WITHOUT_MEDIA;
        connection.lost = Some(Lost {
            at: now.at,
            heard_at,
            looked_at,
        });
        self.lost.insert((looked_at, id));
        let left_just_now = connection
            .media_closed_at
            .is_some_and(|at| now.at.saturating_duration_since(at) < MEDIA_SILENCE);
        if left_just_now {
            self.remove(id, EndReason::ClientDisconnected, Closing::Left, now.at);
        }
    }

    /// The client closed its socket in order: its page is gone.
    pub fn socket_closed(&mut self, id: ConnectionId, socket: SocketId, now: Now) {
        let current = self.connections.get(&id).and_then(|c| c.socket);
        if current == Some(socket) {
            self.remove(id, EndReason::ClientDisconnected, Closing::Left, now.at);
        }
    }

    /// Packets arrived from this client.
    pub fn media_alive(&mut self, id: ConnectionId, now: Now) {
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.media_seen_at = Some(now.at);
        }
    }

    /// The client closed its peer connection in order: it leaves, or it makes a new one.
    pub fn media_closed(&mut self, id: ConnectionId, now: Now) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        connection.media_closed_at = Some(now.at);
        if connection.socket.is_none() {
            self.remove(id, EndReason::ClientDisconnected, Closing::Left, now.at);
        }
    }

    /// Ends what has run out of time.
    pub fn tick(&mut self, now: Now) {
        while let Some(&(at, id)) = self.lost.first()
            && at <= now.at
        {
            self.lost.pop_first();
            let reason = EndReason::NetworkDisconnected;
            match self.expires_at(id) {
                // Its media have flowed meanwhile.
                Some(later) if later > now.at => self.look_again(id, later),
                _ => self.remove(id, reason, Closing::Ended(reason), now.at),
            }
        }
        self.abandon_archives(now.at);
    }

    /// When [`LiveSession::tick`] may have something to do, if nothing happens before.
    pub fn deadline(&self) -> Option<Instant> {
        let lost = self.lost.first().map(|(at, _)| *at);
        lost.into_iter().chain(self.archive_deadline()).min()
    }

    fn look_again(&mut self, id: ConnectionId, at: Instant) {
        if let Some(lost) = self.connections.get_mut(&id).and_then(|c| c.lost.as_mut()) {
            lost.looked_at = at;
            self.lost.insert((at, id));
        }
    }

    /// When a lost connection is given up.
    fn expires_at(&self, id: ConnectionId) -> Option<Instant> {
        let connection = self.connections.get(&id)?;
        let lost = connection.lost?;
        let mut expires_at = lost.heard_at + RESUME_WITHOUT_MEDIA;
        if let Some(seen_at) = connection.media_seen_at {
            expires_at = expires_at.max(seen_at + MEDIA_SILENCE);
        }
        Some(expires_at.min(lost.at + GRACE))
    }
}
