//! Streams: published, announced, changed, ended.
//!
//! `Publish` makes a stream; others hear of it when an offer that carries its tracks has been
//! answered, so that whoever subscribes finds it in the engine. In a relayed session its publisher
//! says when it may be asked for it; when such a session becomes a routed one, subscriptions wait here
//! for the stream to come to the engine.

use std::{collections::HashMap, time::Instant};

use super::LiveSession;
use crate::clock::Now;
use crate::{
    session::recording::TimelineEvent,
    session::{
        ConnectionId, ConnectionInfo, MonitorEventKind, Refusal, StreamId,
        event::{EndReason, ReplyBody, SessionEvent, StreamInfo},
        media::EngineCommand,
        refusal::code,
        request::{NewStream, StreamUpdate},
    },
};

/// Camera and screens of one person; more is a mistake in the page.
const MAX_STREAMS: usize = 16;

/// Characters of a stream's name.
const MAX_NAME: usize = 1000;

pub(super) struct LiveStream {
    pub info: StreamInfo,
    /// Who publishes it; the stream is told of when the connection is gone already.
    pub publisher: ConnectionInfo,
    pub order: u64,
    /// Layout classes of composed archives.
    pub classes: Vec<String>,
    /// An offer has carried its tracks to the engine.
    pub offered: bool,
    /// The engine has answered that offer: it knows the stream.
    pub carried: bool,
    /// Others know of it.
    pub announced: bool,
    /// A moderator muted it before it was announced; its publisher does not know yet.
    pub muted_unheard: bool,
}

impl LiveSession {
    pub(super) fn publish(
        &mut self,
        from: ConnectionId,
        new: NewStream,
        now: Now,
    ) -> Result<ReplyBody, Refusal> {
        let order = self.count();
        let mutes_newcomers = self.mutes_newcomers;
        let publisher = self.connected(from)?;
        if !publisher.role.may_publish() {
            return Err(Refusal::permission(
                code::UNABLE_TO_PUBLISH,
                "the token's role does not allow publishing; it must be at least publisher",
            ));
        }
        if publisher.streams.len() >= MAX_STREAMS {
            return Err(Refusal::new(
                code::STREAM_LIMIT,
                "OT_STREAM_LIMIT_EXCEEDED",
                format!("one connection publishes at most {MAX_STREAMS} streams"),
            ));
        }
        if new.name.chars().count() > MAX_NAME {
            return Err(Refusal::invalid(format!(
                "a stream's name has at most {MAX_NAME} characters"
            )));
        }
        let muted = mutes_newcomers && new.has_audio;
        let info = StreamInfo {
            stream_id: StreamId::random(),
            connection_id: from,
            creation_time: now.unix_ms,
            name: new.name,
            has_audio: new.has_audio && !muted,
            has_video: new.has_video,
            video_type: new.video_type,
            width: new.width,
            height: new.height,
            frame_rate: new.frame_rate,
        };
        let stream_id = info.stream_id;
        let classes = publisher.classes.clone();
        let of = publisher.info.clone();
        publisher.streams.push(stream_id);
        self.streams.insert(
            stream_id,
            LiveStream {
                info,
                publisher: of,
                order,
                classes,
                offered: false,
                carried: false,
                announced: false,
                muted_unheard: muted,
            },
        );
        Ok(ReplyBody::Published { stream_id })
    }

    /// The engine has the stream now: it is told what is off, and who waits for it.
    pub(super) fn carry(&mut self, stream_id: StreamId) {
        let Some(stream) = self.streams.get_mut(&stream_id) else {
            return;
        };
        if std::mem::replace(&mut stream.carried, true) {
            return;
        }
        let info = stream.info.clone();
        self.switch_media(&info);
        let mut waiting = Vec::new();
        for (id, connection) in &self.connections {
            for (slot, subscription) in &connection.slots {
                if let Some(subscription) = subscription.filter(|s| s.stream == stream_id) {
                    waiting.push(subscription.command(*id, *slot));
                }
            }
        }
        for command in waiting {
            self.media(command);
        }
    }

    /// Others may hear of the stream.
    pub(super) fn announce(&mut self, stream_id: StreamId, now: Instant) {
        let Some(stream) = self.streams.get_mut(&stream_id) else {
            return;
        };
        if stream.announced {
            return;
        }
        stream.announced = true;
        let muted = std::mem::take(&mut stream.muted_unheard);
        let info = stream.info.clone();
        let connection = stream.publisher.clone();
        self.report(MonitorEventKind::StreamCreated {
            stream: info.clone(),
            connection,
        });
        let note = self.created_note(&info);
        self.note(&note);
        let publisher = info.connection_id;
        // Only now is it sure that the publisher knows the stream's id.
        if muted {
            self.tell(publisher, SessionEvent::StreamMuted { stream_id });
        }
        self.tell_everyone(
            Some(publisher),
            SessionEvent::StreamCreated { stream: info },
        );
        self.follow_archives(now);
    }

    pub(super) fn update_stream(
        &mut self,
        from: ConnectionId,
        stream_id: StreamId,
        change: StreamUpdate,
    ) -> Result<ReplyBody, Refusal> {
        let stream = self.own_stream(from, stream_id)?;
        let before = stream.info.clone();
        let info = &mut stream.info;
        info.has_audio = change.has_audio.unwrap_or(info.has_audio);
        info.has_video = change.has_video.unwrap_or(info.has_video);
        info.width = change.width.unwrap_or(info.width);
        info.height = change.height.unwrap_or(info.height);
        stream.muted_unheard &= !stream.info.has_audio;
        self.changed(stream_id, &before);
        Ok(ReplyBody::Done {})
    }

    pub(super) fn unpublish(
        &mut self,
        from: ConnectionId,
        stream_id: StreamId,
        reason: EndReason,
        now: Instant,
    ) -> Result<ReplyBody, Refusal> {
        self.own_stream(from, stream_id)?;
        if let Some(publisher) = self.connections.get_mut(&from) {
            publisher.streams.retain(|own| *own != stream_id);
        }
        self.end_stream(stream_id, reason, Some(from));
        self.follow_archives(now);
        Ok(ReplyBody::Done {})
    }

    /// Ends a stream for everybody but `silent`. Its publisher has forgotten it already.
    pub(super) fn end_stream(
        &mut self,
        stream_id: StreamId,
        reason: EndReason,
        silent: Option<ConnectionId>,
    ) {
        self.report_end(stream_id, reason);
        let Some(stream) = self.streams.remove(&stream_id) else {
            return;
        };
        for offer in self.offers.values_mut() {
            offer.streams.retain(|carried| *carried != stream_id);
        }
        for connection in self.connections.values_mut() {
            // The engine frees these by itself.
            for slot in connection.slots.values_mut() {
                if slot.is_some_and(|subscription| subscription.stream == stream_id) {
                    *slot = None;
                }
            }
        }
        if stream.offered {
            self.media(EngineCommand::Unpublish { stream: stream_id });
        }
        if stream.announced {
            self.note(&TimelineEvent::StreamDestroyed { stream: stream_id });
            self.tell_everyone(silent, SessionEvent::StreamDestroyed { stream_id, reason });
        }
    }

    /// Tells whoever monitors the session that a stream ends which others know of.
    pub(super) fn report_end(&mut self, stream_id: StreamId, reason: EndReason) {
        if let Some(stream) = self.streams.get(&stream_id)
            && stream.announced
        {
            self.report(MonitorEventKind::StreamDestroyed {
                stream: stream.info.clone(),
                connection: stream.publisher.clone(),
                reason,
            });
        }
    }

    /// Carries out and tells what differs from `before`.
    pub(super) fn changed(&mut self, stream_id: StreamId, before: &StreamInfo) {
        let Some(stream) = self.streams.get(&stream_id) else {
            return;
        };
        if stream.info == *before || !stream.announced {
            return;
        }
        let info = stream.info.clone();
        let carried = stream.carried;
        if (info.has_audio, info.has_video) != (before.has_audio, before.has_video) {
            if carried {
                self.media(EngineCommand::SetStream {
                    stream: stream_id,
                    audio: info.has_audio,
                    video: info.has_video,
                });
            }
            self.note(&TimelineEvent::StreamChanged {
                stream: stream_id,
                has_audio: info.has_audio,
                has_video: info.has_video,
            });
        }
        let publisher = info.connection_id;
        self.tell_everyone(
            Some(publisher),
            SessionEvent::StreamChanged { stream: info },
        );
    }

    /// Tells the engine, which assumes that a new stream has everything, what is off.
    pub(super) fn switch_media(&mut self, info: &StreamInfo) {
        if !info.has_audio || !info.has_video {
            self.media(EngineCommand::SetStream {
                stream: info.stream_id,
                audio: info.has_audio,
                video: info.has_video,
            });
        }
    }

    pub(super) fn classes_of(&self, stream_id: StreamId) -> Vec<String> {
        let stream = self.streams.get(&stream_id);
        stream
            .map(|stream| stream.classes.clone())
            .unwrap_or_default()
    }

    /// The layout classes of the streams that have any.
    pub fn layout_classes(&self) -> HashMap<StreamId, Vec<String>> {
        self.streams
            .iter()
            .filter(|(_, stream)| stream.announced && !stream.classes.is_empty())
            .map(|(id, stream)| (*id, stream.classes.clone()))
            .collect()
    }

    /// Gives streams other layout classes: to all, or if one is not there, to none.
    ///
    /// # Errors
    /// One of the streams is not there.
    pub fn set_layout_classes(
        &mut self,
        changes: Vec<(StreamId, Vec<String>)>,
    ) -> Result<(), Refusal> {
        let is_there = |id| self.streams.get(id).is_some_and(|stream| stream.announced);
        if !changes.iter().all(|(id, _)| is_there(id)) {
            return Err(Refusal::no_stream(code::UNABLE_TO_SUBSCRIBE));
        }
        for (stream, classes) in changes {
            if let Some(changed) = self.streams.get_mut(&stream)
                && changed.classes != classes
            {
                changed.classes.clone_from(&classes);
                self.note(&TimelineEvent::StreamClasses { stream, classes });
            }
        }
        Ok(())
    }

    pub(super) fn own_stream(
        &mut self,
        from: ConnectionId,
        stream_id: StreamId,
    ) -> Result<&mut LiveStream, Refusal> {
        self.streams
            .get_mut(&stream_id)
            .filter(|stream| stream.info.connection_id == from)
            .ok_or_else(|| Refusal::no_stream(code::UNABLE_TO_PUBLISH))
    }
}
