//! Who is being recorded: everybody hears of it, and the recorder hears of every stream.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use super::{Effect, LiveSession, RecordingPhase};
use crate::{
    common::{connection_data::ConnectionData, id::ArchiveId},
    session::recording::{Layout, TimelineEvent},
    session::{
        Refusal, StreamId,
        event::{ArchiveInfo, Rerouting, SessionEvent, StreamInfo},
        media::{EngineCommand, Scope, Sink},
        refusal::code,
    },
};

/// An archive of a session that everybody has left is worth stopping after so long. OpenTok's.
const ABANDONED_AFTER: Duration = Duration::from_secs(60);

/// An archive in progress.
pub(super) struct RecordedArchive {
    info: ArchiveInfo,
    scope: Scope,
    /// The streams that were ever chosen by hand and are still there, and what of them is recorded.
    chosen: HashMap<StreamId, TrackSelection>,
    published: Published,
    /// Since when nobody has been connected.
    alone_since: Option<Instant>,
    /// It was told that nobody comes back.
    abandoned: bool,
}

/// What of a stream that was chosen by hand is recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TrackSelection {
    pub audio: bool,
    pub video: bool,
}

impl TrackSelection {
    fn is_any(self) -> bool {
        self.audio || self.video
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Published {
    /// Nothing so far: the archive waits, and counts as started.
    NotYet,
    Now,
    /// The archive is paused.
    NoMore,
}

impl LiveSession {
    /// Records the session into `sink` from now on.
    pub fn start_archive(&mut self, info: ArchiveInfo, sink: Sink, scope: Scope, now: Instant) {
        // Nothing of a relayed session could be recorded.
        self.route(Rerouting::Recording);
        let archive = info.id;
        self.media(EngineCommand::Record {
            archive,
            sink,
            scope,
        });
        if !scope.by_hand {
            for stream in self.streams() {
                let note = self.created_note(&stream);
                self.effects.push(Effect::Note { archive, note });
            }
        }
        self.archives.push(RecordedArchive {
            info: info.clone(),
            scope,
            chosen: HashMap::new(),
            published: Published::NotYet,
            alone_since: None,
            abandoned: false,
        });
        self.tell_everyone(None, SessionEvent::ArchiveStarted { archive: info });
        self.follow_archives(now);
    }

    /// Ends a recording; `false` if there is none of this id.
    pub fn stop_archive(&mut self, archive: ArchiveId) -> bool {
        let Some(place) = self.archives.iter().position(|a| a.info.id == archive) else {
            return false;
        };
        let stopped = self.archives.remove(place);
        self.media(EngineCommand::StopRecording { archive });
        self.tell_everyone(
            None,
            SessionEvent::ArchiveStopped {
                archive: stopped.info,
            },
        );
        true
    }

    /// The archives in progress, in the order of their start.
    pub fn archives(&self) -> Vec<ArchiveInfo> {
        self.archives.iter().map(|a| a.info.clone()).collect()
    }

    /// What of a stream is recorded from now on, in an archive whose streams are chosen by hand; `None`: nothing.
    ///
    /// # Errors
    /// The session does not record this archive, or there is no such stream, in the session or to be taken out.
    pub fn choose_stream(
        &mut self,
        archive: ArchiveId,
        stream: StreamId,
        chosen: Option<TrackSelection>,
        now: Instant,
    ) -> Result<(), Refusal> {
        let no_stream = || Refusal::no_stream(code::UNABLE_TO_SUBSCRIBE);
        let info = self.streams.get(&stream).filter(|stream| stream.announced);
        let info = info
            .map(|stream| stream.info.clone())
            .ok_or_else(no_stream)?;
        let created = self.created_note(&info);
        let recorded = self.archives.iter_mut().find(|a| a.info.id == archive);
        let Some(recorded) = recorded.filter(|recorded| recorded.scope.by_hand) else {
            return Err(not_recording());
        };
        let before = recorded.chosen.get(&stream).copied();
        if chosen.is_none() && !before.is_some_and(TrackSelection::is_any) {
            return Err(no_stream());
        }
        let TrackSelection { audio, video } = chosen.unwrap_or_default();
        recorded
            .chosen
            .insert(stream, TrackSelection { audio, video });
        if before.is_none() {
            let note = created;
            self.effects.push(Effect::Note { archive, note });
        }
        let note = TimelineEvent::StreamChosen {
            stream,
            has_audio: audio,
            has_video: video,
        };
        self.effects.push(Effect::Note { archive, note });
        self.media(EngineCommand::Choose {
            archive,
            stream,
            audio,
            video,
        });
        self.follow_archives(now);
        Ok(())
    }

    /// The streams that were chosen by hand for an archive.
    pub fn chosen_streams(&self, archive: ArchiveId) -> Vec<(StreamId, TrackSelection)> {
        let recorded = self.archives.iter().find(|a| a.info.id == archive);
        let mut chosen: Vec<_> = recorded
            .into_iter()
            .flat_map(|recorded| &recorded.chosen)
            .filter(|(_, chosen)| chosen.is_any())
            .map(|(stream, chosen)| (*stream, *chosen))
            .collect();
        chosen.sort_unstable_by_key(|(stream, _)| self.streams.get(stream).map(|s| s.order));
        chosen
    }

    /// Arranges the picture of an archive otherwise from now on.
    ///
    /// # Errors
    /// The session does not record it.
    pub fn set_layout(&mut self, archive: ArchiveId, layout: Layout) -> Result<(), Refusal> {
        if !self.archives.iter().any(|a| a.info.id == archive) {
            return Err(not_recording());
        }
        let note = TimelineEvent::LayoutChanged { layout };
        self.effects.push(Effect::Note { archive, note });
        Ok(())
    }

    /// Tells every recorder that knows the stream.
    pub(super) fn note(&mut self, note: &TimelineEvent) {
        for recorded in &mut self.archives {
            if let (true, Some(stream)) = (recorded.scope.by_hand, note.stream()) {
                let is_known = match note {
                    TimelineEvent::StreamDestroyed { .. } => {
                        recorded.chosen.remove(&stream).is_some()
                    }
                    _ => recorded.chosen.contains_key(&stream),
                };
                if !is_known {
                    continue;
                }
            }
            self.effects.push(Effect::Note {
                archive: recorded.info.id,
                note: note.clone(),
            });
        }
    }

    pub(super) fn created_note(&self, stream: &StreamInfo) -> TimelineEvent {
        let publisher = self.connections.get(&stream.connection_id);
        let connection_data = publisher.map_or("", |publisher| &publisher.info.data);
        let name = if stream.name.is_empty() {
            ConnectionData::parse(connection_data)
                .map(|data| data.name)
                .unwrap_or_default()
        } else {
            stream.name.clone()
        };
        TimelineEvent::StreamCreated {
            stream: stream.stream_id,
            connection: stream.connection_id,
            name,
            connection_data: connection_data.to_owned(),
            video_type: stream.video_type.as_str().to_owned(),
            has_audio: stream.has_audio,
            has_video: stream.has_video,
            classes: self.classes_of(stream.stream_id),
        }
    }

    /// Notices what the coming and going of streams and people means for the archives.
    pub(super) fn follow_archives(&mut self, now: Instant) {
        let anything = self.streams.values().any(|stream| stream.announced);
        let anybody = !self.connections.is_empty();
        if anything && !self.has_begun {
            self.effects.push(Effect::FirstStream);
        }
        self.has_begun = anybody && (self.has_begun || anything);
        for recorded in &mut self.archives {
            let archive = recorded.info.id;
            let publishing = match recorded.scope.by_hand {
                true => recorded.chosen.values().any(|chosen| chosen.is_any()),
                false => anything,
            };
            let phase = match (recorded.published, publishing) {
                (Published::Now, false) => {
                    recorded.published = Published::NoMore;
                    Some(RecordingPhase::Paused)
                }
                (before, true) => {
                    recorded.published = Published::Now;
                    (before == Published::NoMore).then_some(RecordingPhase::Resumed)
                }
                (Published::NotYet | Published::NoMore, false) => None,
            };
            if let Some(phase) = phase {
                self.effects.push(Effect::Recording { archive, phase });
            }
            if anybody {
                recorded.alone_since = None;
                recorded.abandoned = false;
            } else if recorded.alone_since.is_none() {
                recorded.alone_since = Some(now);
            }
        }
    }

    pub(super) fn abandon_archives(&mut self, now: Instant) {
        for recorded in &mut self.archives {
            if recorded.abandoned_at().is_some_and(|at| at <= now) {
                recorded.abandoned = true;
                self.effects.push(Effect::Recording {
                    archive: recorded.info.id,
                    phase: RecordingPhase::Abandoned,
                });
            }
        }
    }

    pub(super) fn archive_deadline(&self) -> Option<Instant> {
        self.archives
            .iter()
            .filter_map(RecordedArchive::abandoned_at)
            .min()
    }
}

impl RecordedArchive {
    /// When it will count as abandoned; `None` if somebody is there, or if it was told already.
    fn abandoned_at(&self) -> Option<Instant> {
        if self.abandoned {
            return None;
        }
        Some(self.alone_since? + ABANDONED_AFTER)
    }
}

fn not_recording() -> Refusal {
    Refusal::new(
        409,
        "OT_ARCHIVE_NOT_RECORDING",
        "the archive is not being recorded any more",
    )
}
