//! What moderators, and the application's server, may do to others.

use std::time::Instant;

use super::{Closing, LiveSession};
use crate::session::{
    ConnectionId, Refusal, StreamId,
    event::{EndReason, ReplyBody, SessionEvent},
    refusal::code,
};

impl LiveSession {
    pub(super) fn force_disconnect(
        &mut self,
        from: ConnectionId,
        target: ConnectionId,
        now: Instant,
    ) -> Result<ReplyBody, Refusal> {
        self.check_moderator(from, code::UNABLE_TO_FORCE_DISCONNECT)?;
        self.disconnect(target, now)?;
        Ok(ReplyBody::Done {})
    }

    /// Ends a connection because the application's server says so.
    ///
    /// # Errors
    /// It is not in the session.
    pub fn disconnect(&mut self, target: ConnectionId, now: Instant) -> Result<(), Refusal> {
        if !self.connections.contains_key(&target) {
            return Err(Refusal::no_connection(code::UNABLE_TO_FORCE_DISCONNECT));
        }
        let reason = EndReason::ForceDisconnected;
        self.remove(target, reason, Closing::Ended(reason), now);
        Ok(())
    }

    pub(super) fn force_unpublish(
        &mut self,
        from: ConnectionId,
        stream_id: StreamId,
        now: Instant,
    ) -> Result<ReplyBody, Refusal> {
        self.check_moderator(from, code::UNABLE_TO_FORCE_UNPUBLISH)?;
        let publisher = self.publisher_of(stream_id, code::UNABLE_TO_FORCE_UNPUBLISH)?;
        if let Some(publisher) = self.connections.get_mut(&publisher) {
            publisher.streams.retain(|own| *own != stream_id);
        }
        self.end_stream(stream_id, EndReason::ForceUnpublished, None);
        self.follow_archives(now);
        Ok(ReplyBody::Done {})
    }

    pub(super) fn force_mute(
        &mut self,
        from: ConnectionId,
        stream_id: StreamId,
    ) -> Result<ReplyBody, Refusal> {
        self.check_moderator(from, code::UNABLE_TO_FORCE_MUTE)?;
        self.mute_stream(stream_id)?;
        Ok(ReplyBody::Done {})
    }

    /// Mutes one stream because the application's server says so.
    ///
    /// # Errors
    /// It is not published.
    pub fn mute_stream(&mut self, stream_id: StreamId) -> Result<(), Refusal> {
        self.publisher_of(stream_id, code::UNABLE_TO_FORCE_MUTE)?;
        self.mute(stream_id);
        Ok(())
    }

    pub(super) fn force_mute_all(
        &mut self,
        from: ConnectionId,
        excluded: &[StreamId],
    ) -> Result<ReplyBody, Refusal> {
        self.check_moderator(from, code::UNABLE_TO_FORCE_MUTE)?;
        self.mute_all(excluded);
        Ok(ReplyBody::Done {})
    }

    /// Mutes everybody but the excluded streams, whoever publishes later included.
    pub fn mute_all(&mut self, excluded: &[StreamId]) {
        self.mutes_newcomers = true;
        self.tell_everyone(None, SessionEvent::MuteForced { active: true });
        let mut muted: Vec<_> = self
            .streams
            .iter()
            .filter(|(id, _)| !excluded.contains(id))
            .map(|(id, stream)| (stream.order, *id))
            .collect();
        muted.sort_unstable();
        for (_, stream_id) in muted {
            self.mute(stream_id);
        }
    }

    pub(super) fn disable_force_mute(&mut self, from: ConnectionId) -> Result<ReplyBody, Refusal> {
        self.check_moderator(from, code::UNABLE_TO_FORCE_MUTE)?;
        self.end_mute_all();
        Ok(ReplyBody::Done {})
    }

    /// Lets whoever publishes from now on be heard; those who are muted stay so.
    pub fn end_mute_all(&mut self) {
        self.mutes_newcomers = false;
        self.tell_everyone(None, SessionEvent::MuteForced { active: false });
    }

    /// Silences a stream, until its publisher unmutes it.
    fn mute(&mut self, stream_id: StreamId) {
        let Some(stream) = self.streams.get_mut(&stream_id) else {
            return;
        };
        if !stream.info.has_audio {
            return;
        }
        let before = stream.info.clone();
        stream.info.has_audio = false;
        if !stream.announced {
            stream.muted_unheard = true;
            return;
        }
        self.tell(
            before.connection_id,
            SessionEvent::StreamMuted { stream_id },
        );
        self.changed(stream_id, &before);
    }

    fn check_moderator(&mut self, from: ConnectionId, code: u16) -> Result<(), Refusal> {
        if self.connected(from)?.role.may_moderate() {
            Ok(())
        } else {
            Err(Refusal::permission(
                code,
                "the token's role does not allow moderating; it must be moderator",
            ))
        }
    }

    /// Who publishes a stream that everybody knows of.
    fn publisher_of(&self, stream_id: StreamId, code: u16) -> Result<ConnectionId, Refusal> {
        self.streams
            .get(&stream_id)
            .filter(|stream| stream.announced)
            .map(|stream| stream.info.connection_id)
            .ok_or_else(|| Refusal::no_stream(code))
    }
}
