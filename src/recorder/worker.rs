//! The threads that record: one per archive, so that a slow disk holds up nobody else.

#![expect(
    clippy::disallowed_methods,
    reason = "this thread is the rim that reads the clock for the recorder"
)]

use std::{
    collections::{HashMap, VecDeque},
    fs, io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        mpsc::{Receiver, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use tokio::sync::mpsc;
use tracing::{error, info, info_span, warn};

use super::{
    archive_dir,
    recording::{Recording, recover},
};
use crate::{
    archive::{
        ArchiveId,
        disk::free_bytes,
        recording::{self, RecordError, RecorderEvent, TimelineEvent},
    },
    session::media::{Recorded, Sink},
};

/// About two seconds of the busiest session; what comes on top of it is dropped and counted.
const INBOX: usize = 8_192;
/// How long a note or a stop waits at most while no packets come.
const NAP: Duration = Duration::from_millis(50);
/// The rest, half of what is needed to begin, is for the end of the recording and for the database.
const LOOK_AT_DISK_EVERY: Duration = Duration::from_secs(1);
/// How often an archive is tried to be completed for which there was no room.
const TRY_AGAIN_EVERY: Duration = Duration::from_secs(5);
/// Beyond so many notes that wait, a change replaces the one before of its kind.
const MANY_NOTES: usize = 1_024;
const MIB: u64 = 1024 * 1024;

/// How to record.
#[derive(Clone, Debug)]
pub struct RecorderConfig {
    /// Archives go to `<data_dir>/archives/<archive id>`.
    pub data_dir: PathBuf,
    /// No recording begins with less room than this, in bytes; one that goes on is stopped in order
    /// at half of it. 0 never looks.
    pub min_free_bytes: u64,
}

impl RecorderConfig {
    /// Records into `data_dir` while 512 MiB are free.
    pub fn new(data_dir: impl Into<PathBuf>) -> RecorderConfig {
        RecorderConfig {
            data_dir: data_dir.into(),
            min_free_bytes: 512 * MIB,
        }
    }
}

/// Records archives, each on a thread of its own.
pub struct Recorder {
    config: RecorderConfig,
    events: mpsc::Sender<RecorderEvent>,
    mailboxes: Mailboxes,
}

/// The archives that are being recorded. Locked for a look-up, by whoever notes and stops, and by
/// the threads as they end.
type Mailboxes = Arc<Mutex<HashMap<ArchiveId, Arc<Mailbox>>>>;

impl Recorder {
    /// Reports to `events`; a full queue holds up only the thread of the archive concerned.
    pub fn new(config: RecorderConfig, events: mpsc::Sender<RecorderEvent>) -> Recorder {
        Recorder {
            config,
            events,
            mailboxes: Mailboxes::default(),
        }
    }
}

impl recording::Recorder for Recorder {
    /// Makes a folder and a file, which takes the disk a moment.
    fn start(&self, archive: ArchiveId, now: Instant) -> Result<Sink, RecordError> {
        fs::create_dir_all(&self.config.data_dir)?;
        let free_bytes = free_bytes(&self.config.data_dir)?;
        if free_bytes < self.config.min_free_bytes {
            return Err(RecordError::DiskFull {
                free_mib: free_bytes / MIB,
                needed_mib: self.config.min_free_bytes.div_ceil(MIB),
            });
        }
        let dir = archive_dir(&self.config.data_dir, archive);
        let recording = Recording::start(&dir, now)?;
        let (sink, inbox) = sync_channel(INBOX);
        let mailbox = Arc::new(Mailbox::default());
        let worker = Worker {
            archive,
            dir,
            min_free_bytes: self.config.min_free_bytes,
            inbox,
            _sink: sink.clone(),
            mailbox: Arc::clone(&mailbox),
            events: self.events.clone(),
        };
        lock(&self.mailboxes).insert(archive, mailbox);
        let mailboxes = Arc::clone(&self.mailboxes);
        let spawned = thread::Builder::new()
            .name("recorder".to_owned())
            .spawn(move || {
                let _span = info_span!("archive", archive.id = %archive).entered();
                worker.run(recording, &mailboxes);
            });
        if let Err(error) = spawned {
            lock(&self.mailboxes).remove(&archive);
            return Err(error.into());
        }
        Ok(sink)
    }

    fn record(&self, archive: ArchiveId, now: Instant, event: TimelineEvent) {
        if let Some(mailbox) = lock(&self.mailboxes).get(&archive) {
            lock(&mailbox.0).push_event(now, event);
        }
    }

    fn stop(&self, archive: ArchiveId, now: Instant) {
        if let Some(mailbox) = lock(&self.mailboxes).remove(&archive) {
            lock(&mailbox.0).stop = Some(now);
        }
    }
}

/// Notes and the stop on their way to a recorder's thread.
///
/// Not a channel: whoever notes may not wait, and nothing may be lost. The lock is held for a push or
/// a swap. It stays small without a limit on its length: past [`MANY_NOTES`] only the last change of
/// each kind is kept for each stream, and a session has so many streams and no more.
#[derive(Default)]
struct Mailbox(Mutex<PendingCommands>);

#[derive(Default)]
struct PendingCommands {
    notes: VecDeque<(Instant, TimelineEvent)>,
    stop: Option<Instant>,
}

impl PendingCommands {
    fn push_event(&mut self, now: Instant, note: TimelineEvent) {
        if self.notes.len() >= MANY_NOTES {
            let overruled = |(_, earlier): &(Instant, TimelineEvent)| note.overrules(earlier);
            if let Some(before) = self.notes.iter().rposition(overruled) {
                self.notes.remove(before);
            }
        }
        self.notes.push_back((now, note));
    }
}

/// No thread leaves a mailbox half changed, so one that panicked spoilt nothing.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The thread of one archive.
struct Worker {
    archive: ArchiveId,
    dir: PathBuf,
    min_free_bytes: u64,
    inbox: Receiver<Recorded>,
    /// Keeps the inbox open when the media engine has let go of it before the stop.
    _sink: Sink,
    mailbox: Arc<Mailbox>,
    events: mpsc::Sender<RecorderEvent>,
}

impl Worker {
    fn run(self, recording: Recording, mailboxes: &Mailboxes) {
        info!("Recording archive `{}`", self.archive);
        let mut failed = None;
        let outcome = catch_unwind(AssertUnwindSafe(|| self.record(recording, &mut failed)));
        lock(mailboxes).remove(&self.archive);
        // After a defect of our own the journals still hold what was written.
        let manifest = outcome.unwrap_or_else(|_| recover(&self.dir));
        match manifest {
            Ok(manifest) => {
                info!(
                    archive.duration_ms = manifest.duration_ms,
                    archive.streams = manifest.streams.len(),
                    "Archive `{}` is complete",
                    self.archive
                );
                self.report(RecorderEvent::Ready {
                    archive: self.archive,
                    manifest: Arc::new(manifest),
                });
            }
            Err(error) => {
                error!(%error, "Archive `{}` cannot be completed yet; its journals are kept", self.archive);
                if failed.is_none() {
                    self.fail(format!("the recording cannot be completed: {error}"));
                }
                self.complete_later();
            }
        }
    }

    /// Tries until there is room for the files, until they are deleted, or until the server stops.
    fn complete_later(&self) {
        while !self.events.is_closed() {
            thread::sleep(TRY_AGAIN_EVERY);
            match recover(&self.dir) {
                Ok(manifest) => {
                    info!("Archive `{}` is complete at last", self.archive);
                    self.report(RecorderEvent::Ready {
                        archive: self.archive,
                        manifest: Arc::new(manifest),
                    });
                    return;
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => return,
                Err(_) => {}
            }
        }
    }

    /// Records until the stop, or until the disk fails.
    fn record(
        &self,
        mut recording: Recording,
        failed: &mut Option<()>,
    ) -> io::Result<recording::Manifest> {
        let mut looked = Instant::now();
        let stopped = loop {
            let step = self.step(&mut recording, &mut looked);
            match step {
                Ok(None) => {}
                Ok(Some(stop)) => break stop,
                Err(reason) => {
                    warn!(reason, "Archive `{}` ends early", self.archive);
                    *failed = Some(());
                    self.fail(reason);
                    break Instant::now();
                }
            }
        };
        recording.finish(stopped)
    }

    /// Writes what has come. The stop comes back when it is due; an error says why recording ends.
    fn step(
        &self,
        recording: &mut Recording,
        looked: &mut Instant,
    ) -> Result<Option<Instant>, String> {
        let pending = std::mem::take(&mut *lock(&self.mailbox.0));
        for (at, note) in pending.notes {
            recording.record_event(at, note).map_err(cannot_write)?;
        }
        if let Some(stop) = pending.stop {
            for recorded in self.inbox.try_iter().take(INBOX) {
                if arrival(&recorded).is_none_or(|arrival| arrival <= stop) {
                    recording.record(recorded).map_err(cannot_write)?;
                }
            }
            return Ok(Some(stop));
        }
        if let Ok(first) = self.inbox.recv_timeout(NAP) {
            recording.record(first).map_err(cannot_write)?;
            for recorded in self.inbox.try_iter().take(INBOX) {
                recording.record(recorded).map_err(cannot_write)?;
            }
        }
        let now = Instant::now();
        recording.tick(now).map_err(cannot_write)?;
        if now.duration_since(*looked) >= LOOK_AT_DISK_EVERY {
            *looked = now;
            let free_bytes = free_bytes(&self.dir).map_err(cannot_write)?;
            if free_bytes < self.min_free_bytes / 2 {
                return Err(format!(
                    "the disk is almost full ({} MiB left); delete archives or free disk space",
                    free_bytes / MIB
                ));
            }
        }
        Ok(None)
    }

    fn fail(&self, reason: String) {
        self.report(RecorderEvent::Failed {
            archive: self.archive,
            reason,
        });
    }

    fn report(&self, event: RecorderEvent) {
        if self.events.blocking_send(event).is_err() {
            // Found again at the next start: the manifest is in the archive's folder.
            warn!("Nobody listens for the end of archive `{}`", self.archive);
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "used with map_err")]
fn cannot_write(error: io::Error) -> String {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "the disk is full; delete archives or free disk space".to_owned()
        }
        _ => format!("the recording cannot be written: {error}"),
    }
}

fn arrival(recorded: &Recorded) -> Option<Instant> {
    match recorded {
        Recorded::Packet(packet) => Some(packet.arrival),
        Recorded::SenderReport { arrival, .. } => Some(*arrival),
        Recorded::Dropped { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::StreamId;

    #[test]
    fn past_many_notes_only_the_last_change_of_a_stream_is_kept() {
        let streams = [StreamId::random(), StreamId::random()];
        let mut pending = PendingCommands::default();
        for n in 0..10_000 {
            let stream = streams[n % 2];
            let changed = TimelineEvent::StreamChanged {
                stream,
                has_audio: n >= 9_998,
                has_video: false,
            };
            pending.push_event(Instant::now(), changed);
        }
        let destroyed = TimelineEvent::StreamDestroyed { stream: streams[0] };
        pending.push_event(Instant::now(), destroyed.clone());

        assert_eq!(pending.notes.len(), MANY_NOTES + 1);
        assert_eq!(pending.notes.back().unwrap().1, destroyed);
        let last = |(_, note): &(Instant, TimelineEvent)| {
            matches!(
                note,
                TimelineEvent::StreamChanged {
                    has_audio: true,
                    ..
                }
            )
        };
        assert_eq!(pending.notes.iter().filter(|entry| last(entry)).count(), 2);
    }
}
