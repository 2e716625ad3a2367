//! Who is being recorded: everybody hears of it, and the recorder hears of every stream.

use std::time::{Duration, Instant};

use serde::Deserialize;

use super::{LiveSession, Output, Phase};
use crate::{
    archive::{ArchiveId, recording::Note},
    session::{
        event::{ArchiveInfo, Event, StreamInfo},
        media::{Command, Sink},
    },
};

/// An archive of a session that everybody has left is worth stopping after so long. OpenTok's.
const ABANDONED_AFTER: Duration = Duration::from_secs(60);

/// An archive in progress.
pub(super) struct RecordedArchive {
    info: ArchiveInfo,
    published: Published,
    /// Since when nobody has been connected.
    alone_since: Option<Instant>,
    /// It was told that nobody comes back.
    abandoned: bool,
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
    pub fn start_archive(&mut self, info: ArchiveInfo, sink: Sink, now: Instant) {
        let archive = info.id;
        self.media(Command::Record { archive, sink });
        for stream in self.streams() {
            let note = self.created_note(&stream);
            self.outputs.push(Output::Note { archive, note });
        }
        self.archives.push(RecordedArchive {
            info: info.clone(),
            published: Published::NotYet,
            alone_since: None,
            abandoned: false,
        });
        self.tell_everyone(None, Event::ArchiveStarted { archive: info });
        self.follow_archives(now);
    }

    /// Ends a recording; `false` if there is none of this id.
    pub fn stop_archive(&mut self, archive: ArchiveId) -> bool {
        let Some(place) = self.archives.iter().position(|a| a.info.id == archive) else {
            return false;
        };
        let stopped = self.archives.remove(place);
        self.media(Command::StopRecording { archive });
        self.tell_everyone(
            None,
            Event::ArchiveStopped {
                archive: stopped.info,
            },
        );
        true
    }

    /// The archives in progress, in the order of their start.
    pub fn archives(&self) -> Vec<ArchiveInfo> {
        self.archives.iter().map(|a| a.info.clone()).collect()
    }

    /// Tells every recorder.
    pub(super) fn note(&mut self, note: &Note) {
        self.outputs
            .extend(self.archives.iter().map(|recorded| Output::Note {
                archive: recorded.info.id,
                note: note.clone(),
            }));
    }

    pub(super) fn created_note(&self, stream: &StreamInfo) -> Note {
        let publisher = self.connections.get(&stream.connection_id);
        let connection_data = publisher.map_or("", |publisher| &publisher.info.data);
        let name = if stream.name.is_empty() {
            name_in(connection_data)
        } else {
            stream.name.clone()
        };
        Note::StreamCreated {
            stream: stream.stream_id,
            connection: stream.connection_id,
            name,
            connection_data: connection_data.to_owned(),
            video_type: stream.video_type.as_str().to_owned(),
            has_audio: stream.has_audio,
            has_video: stream.has_video,
        }
    }

    /// Notices what the coming and going of streams and people means for the archives.
    pub(super) fn follow_archives(&mut self, now: Instant) {
        let publishing = self.streams.values().any(|stream| stream.announced);
        let anybody = !self.connections.is_empty();
        for recorded in &mut self.archives {
            let archive = recorded.info.id;
            let phase = match (recorded.published, publishing) {
                (Published::Now, false) => {
                    recorded.published = Published::NoMore;
                    Some(Phase::Paused)
                }
                (before, true) => {
                    recorded.published = Published::Now;
                    (before == Published::NoMore).then_some(Phase::Resumed)
                }
                (Published::NotYet | Published::NoMore, false) => None,
            };
            if let Some(phase) = phase {
                self.outputs.push(Output::Archive { archive, phase });
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
                self.outputs.push(Output::Archive {
                    archive: recorded.info.id,
                    phase: Phase::Abandoned,
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

/// The name in connection data of the form `{"name": …}`, as the pages and the presence kit write it.
fn name_in(data: &str) -> String {
    #[derive(Deserialize)]
    struct Data {
        name: String,
    }
    serde_json::from_str(data).map_or_else(|_| String::new(), |data: Data| data.name)
}
