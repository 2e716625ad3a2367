//! One archive while it is recorded: its journals, and the files that are muxed behind them.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use tracing::warn;

use super::{
    journal::{self, Entry, Item, Packet, Record},
    mux::{self, Muxer},
};
use crate::{
    archive::recording::{Manifest, TimelineEvent},
    session::{
        StreamId,
        media::{MediaKind, Recorded},
    },
};

/// What a crash of the process may cost.
const FLUSH_EVERY: Duration = Duration::from_millis(250);
/// What a power cut may cost.
const SYNC_EVERY: Duration = Duration::from_secs(5);
const MANIFEST: &str = "manifest.json";
const MANIFEST_PART: &str = "manifest.json.part";

/// A recording that goes on. Its owner tells it the time.
pub struct Recording {
    dir: PathBuf,
    started: Instant,
    /// The next record's.
    order: u64,
    newest_us: u64,
    notes: journal::JournalWriter,
    tracks: HashMap<(StreamId, MediaKind), journal::JournalWriter>,
    /// When streams were destroyed.
    destroyed_us: HashMap<StreamId, u64>,
    /// `None` after it failed: the files are then made from the journals at the end.
    muxer: Option<Muxer>,
    flushed: Instant,
    synced: Instant,
    /// What the disk is to have besides the open journals: those that were closed since the last round.
    unsynced: Vec<Arc<File>>,
    /// Whether files were made since the folder was synced.
    unsynced_folder: bool,
    /// The round of syncing that goes on: a slow disk must not hold up the flushes.
    syncing: Option<JoinHandle<io::Result<()>>>,
}

impl Recording {
    /// Begins an archive in `dir`, which is made if it is not there.
    ///
    /// # Errors
    /// The disk's; also when there is a recording in `dir` already.
    pub fn start(dir: &Path, now: Instant) -> io::Result<Recording> {
        fs::create_dir_all(dir)?;
        Ok(Recording {
            dir: dir.to_owned(),
            started: now,
            order: 0,
            newest_us: 0,
            notes: journal::JournalWriter::notes(dir)?,
            tracks: HashMap::new(),
            destroyed_us: HashMap::new(),
            muxer: Some(Muxer::new(dir)),
            flushed: now,
            synced: now,
            unsynced: Vec::new(),
            unsynced_folder: true,
            syncing: None,
        })
    }

    /// Writes down what the media engine saw.
    ///
    /// # Errors
    /// The disk's: recording cannot go on, but can be finished.
    pub fn record(&mut self, recorded: Recorded) -> io::Result<()> {
        let (stream, kind, at_us, item) = match recorded {
            Recorded::Packet(packet) => (
                packet.stream,
                packet.kind,
                self.since_start_us(packet.arrival),
                Item::Packet(Packet {
                    sequence: packet.sequence,
                    timestamp: packet.timestamp,
                    marker: packet.marker,
                    payload: packet.payload,
                }),
            ),
            Recorded::SenderReport {
                stream,
                kind,
                ntp,
                rtp,
                arrival,
            } => (
                stream,
                kind,
                self.since_start_us(arrival),
                Item::Report { ntp, rtp },
            ),
            Recorded::Dropped {
                stream,
                kind,
                packets,
            } => (stream, kind, self.newest_us, Item::Dropped { packets }),
        };
        if let Some(destroyed_us) = self.destroyed_us.get(&stream)
            && self.newest_us.max(at_us) >= destroyed_us + mux::LINGER_US
        {
            self.close_tracks(stream)?;
            return Ok(());
        }
        self.append(at_us, Entry::Track { stream, kind, item })
    }

    /// Writes down what happened to a stream.
    ///
    /// # Errors
    /// As [`Recording::record`].
    pub fn record_event(&mut self, now: Instant, note: TimelineEvent) -> io::Result<()> {
        let at_us = self.since_start_us(now);
        if let TimelineEvent::StreamDestroyed { stream } = note {
            self.destroyed_us.entry(stream).or_insert(at_us);
        }
        match self.append(at_us, Entry::Note(note)) {
            // Longer than any record may be: an archive does not end for that.
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                warn!("A note is too long, and is not kept");
                Ok(())
            }
            other => other,
        }
    }

    fn append(&mut self, at_us: u64, entry: Entry) -> io::Result<()> {
        let record = Record {
            order: self.order,
            at_us,
            entry,
        };
        self.order += 1;
        self.newest_us = self.newest_us.max(at_us);
        match &record.entry {
            Entry::Track { stream, kind, .. } => {
                let journal = match self.tracks.entry((*stream, *kind)) {
                    std::collections::hash_map::Entry::Occupied(journal) => journal.into_mut(),
                    std::collections::hash_map::Entry::Vacant(place) => {
                        self.unsynced_folder = true;
                        place.insert(journal::JournalWriter::track(&self.dir, *stream, *kind)?)
                    }
                };
                journal.append(&record)?;
            }
            Entry::Note(_) | Entry::End => self.notes.append(&record)?,
        }
        if let Some(muxer) = &mut self.muxer
            && let Err(error) = muxer.push(&record)
        {
            warn!(%error, "The files are not written along: they will be made from the journals");
            self.muxer = None;
        }
        Ok(())
    }

    /// Does what is due: flushing every 250 ms, and having the disk sync every 5 s.
    ///
    /// # Errors
    /// As [`Recording::record`].
    pub fn tick(&mut self, now: Instant) -> io::Result<()> {
        if now.duration_since(self.flushed) >= FLUSH_EVERY {
            self.flushed = now;
            self.flush()?;
        }
        if let Some(round) = self.syncing.take_if(|round| round.is_finished()) {
            round
                .join()
                .unwrap_or_else(|_| Err(io::ErrorKind::Other.into()))?;
        }
        if now.duration_since(self.synced) >= SYNC_EVERY && self.syncing.is_none() {
            self.synced = now;
            self.close_departed()?;
            self.syncing = Some(self.sync()?);
        }
        Ok(())
    }

    /// Has all that is written so far reach the disk, on a thread of its own.
    fn sync(&mut self) -> io::Result<JoinHandle<io::Result<()>>> {
        let mut files = std::mem::take(&mut self.unsynced);
        files.extend(self.notes.unsynced()?);
        for journal in self.tracks.values_mut() {
            files.extend(journal.unsynced()?);
        }
        let folder = std::mem::take(&mut self.unsynced_folder).then(|| self.dir.clone());
        thread::Builder::new()
            .name("sync".to_owned())
            .spawn(move || {
                for file in files {
                    file.sync_data()?;
                }
                folder.map_or(Ok(()), |folder| File::open(folder)?.sync_all())
            })
    }

    fn flush(&mut self) -> io::Result<()> {
        self.notes.flush()?;
        for journal in self.tracks.values_mut() {
            journal.flush()?;
        }
        Ok(())
    }

    /// People come and go all day: what nobody writes to any more is closed.
    fn close_departed(&mut self) -> io::Result<()> {
        let departed: Vec<_> = self
            .destroyed_us
            .iter()
            .filter(|(_, at_us)| self.newest_us >= **at_us + mux::LINGER_US)
            .map(|(stream, _)| *stream)
            .collect();
        for stream in departed {
            self.close_tracks(stream)?;
        }
        Ok(())
    }

    fn close_tracks(&mut self, stream: StreamId) -> io::Result<()> {
        for kind in [MediaKind::Audio, MediaKind::Video] {
            if let Some(mut journal) = self.tracks.remove(&(stream, kind)) {
                self.unsynced.extend(journal.unsynced()?);
            }
        }
        Ok(())
    }

    /// Ends the archive and completes its files and its manifest. The journals stay.
    ///
    /// # Errors
    /// The disk's; [`recover`] may then be tried again, for instance after a restart.
    pub fn finish(mut self, now: Instant) -> io::Result<Manifest> {
        let duration_us = self.since_start_us(now).max(self.newest_us);
        let ended = self
            .append(duration_us, Entry::End)
            .and_then(|()| self.flush());
        if let Err(error) = ended {
            warn!(%error, "The journals have no end; what they hold is kept");
        }
        if let Some(muxer) = self.muxer.take() {
            match muxer.finish(Some(duration_us)) {
                Ok(manifest) => {
                    write_manifest(&self.dir, &manifest)?;
                    return Ok(manifest);
                }
                Err(error) => warn!(%error, "The files are made anew from the journals"),
            }
        }
        let dir = self.dir.clone();
        drop(self);
        remux(&dir)
    }

    fn since_start_us(&self, moment: Instant) -> u64 {
        let since = moment.saturating_duration_since(self.started);
        u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
    }
}

/// Completes an archive whose recording was interrupted: by a crash, or by a disk that failed.
///
/// The archive ends at its last record. Complete files stay as they are, so repeated calls change nothing. Journals that grew
/// after the files were made hold more than the files, which are then made again. Blocks while it reads the journals.
///
/// # Errors
/// The disk's; `NotFound` if there is no such folder.
pub fn recover(dir: &Path) -> io::Result<Manifest> {
    match read_manifest(dir) {
        Some(saved) if is_current(dir, &saved)? => Ok(saved.manifest),
        _ => remux(dir),
    }
}

/// Deletes the journals of an archive whose manifest and files are complete, once these have reached the disk. Journals that
/// hold more than the files stay. Does nothing to any other archive.
///
/// # Errors
/// The disk's.
pub fn discard_journals(dir: &Path) -> io::Result<()> {
    let Some(saved) = read_manifest(dir).filter(|saved| is_whole(dir, &saved.manifest)) else {
        return Ok(());
    };
    if saved.is_outgrown(dir)? {
        warn!(folder = %dir.display(), "The journals grew after the files were made; keeping them");
        return Ok(());
    }
    for name in saved
        .manifest
        .streams
        .iter()
        .filter_map(|s| s.file.as_deref())
    {
        File::open(dir.join(name))?.sync_all()?;
    }
    File::open(dir)?.sync_all()?;
    journal::remove(dir)
}

/// A manifest, and the journals it was made from.
#[derive(Serialize, Deserialize)]
struct SavedManifest {
    #[serde(flatten)]
    manifest: Manifest,
    /// The total size of the journals, in bytes. `None` in a manifest of an older version.
    journal_bytes: Option<u64>,
}

impl SavedManifest {
    /// Whether the journals are longer than those the files were made from. Shorter ones are left over from an interrupted removal.
    fn is_outgrown(&self, dir: &Path) -> io::Result<bool> {
        let bytes = journal::size_bytes(dir)?;
        Ok(self.journal_bytes.is_some_and(|then| bytes > then))
    }
}

/// Whether the files can stay: they hold all that the journals hold, or there are no journals.
fn is_current(dir: &Path, saved: &SavedManifest) -> io::Result<bool> {
    if !journal::exist(dir)? {
        return Ok(true);
    }
    Ok(is_whole(dir, &saved.manifest) && !saved.is_outgrown(dir)?)
}

/// Makes the files from the journals. When that fails nothing is left of them: on a full disk the database
/// needs the room.
fn remux(dir: &Path) -> io::Result<Manifest> {
    let manifest = mux_journals(dir);
    if manifest.is_err()
        && let Err(error) = mux::discard_parts(dir)
    {
        warn!(%error, "Files that are not whole stay");
    }
    manifest
}

fn mux_journals(dir: &Path) -> io::Result<Manifest> {
    let mut muxer = Muxer::new(dir);
    let mut duration_us = None;
    for record in journal::read(dir)? {
        if record.entry == Entry::End {
            duration_us = Some(record.at_us);
        }
        muxer.push(&record)?;
    }
    let manifest = muxer.finish(duration_us)?;
    write_manifest(dir, &manifest)?;
    Ok(manifest)
}

fn read_manifest(dir: &Path) -> Option<SavedManifest> {
    serde_json::from_slice(&fs::read(dir.join(MANIFEST)).ok()?).ok()
}

fn write_manifest(dir: &Path, manifest: &Manifest) -> io::Result<()> {
    let saved = SavedManifest {
        manifest: manifest.clone(),
        journal_bytes: Some(journal::size_bytes(dir)?),
    };
    let part = dir.join(MANIFEST_PART);
    let mut file = File::create(&part)?;
    file.write_all(&serde_json::to_vec_pretty(&saved)?)?;
    file.sync_all()?;
    fs::rename(part, dir.join(MANIFEST))
}

/// Whether each file of a manifest is there, at its full length.
fn is_whole(dir: &Path, manifest: &Manifest) -> bool {
    manifest.streams.iter().all(|stream| {
        let Some(name) = &stream.file else {
            return true;
        };
        // The name is read from a file, and is to lead nowhere else.
        *name == mux::file_name(stream.stream)
            && fs::metadata(dir.join(name)).is_ok_and(|file| file.len() == stream.size_bytes)
    })
}
