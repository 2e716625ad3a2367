//! The journals of an archive: every packet as it arrived, so that nothing written is ever lost.
//!
//! ```text
//! archives/<archive>/notes.journal               who was there; how long the archive is
//! archives/<archive>/<stream>.audio.journal      one file per track
//! archives/<archive>/<stream>.video.journal
//!
//! file   = "PARLORJ1" record*
//! record = length u32 | crc32(body) u32 | body                             all little-endian
//! body   = tag u8 | order u64 | at u64 | packet, report, drop, note or end
//! ```
//!
//! `order` counts the records of an archive over all its files, so that reading them together
//! gives the very sequence that was written. A file may end anywhere, or in garbage: a reader stops
//! at the first record that is not whole.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufReader, BufWriter, Read, Write},
    path::Path,
    sync::Arc,
};

use crate::{
    archive::recording::TimelineEvent,
    session::{StreamId, media::MediaKind},
};

const MAGIC: &[u8; 8] = b"PARLORJ1";
const NOTES: &str = "notes.journal";
const EXTENSION: &str = "journal";
/// Tag, order and time.
const HEAD: usize = 17;
/// A UDP packet, or a note with the longest name, is shorter; a longer length is garbage.
const MAX_BODY: usize = 128 * 1024;
/// What one archive's journals may hold back between two flushes, each.
const BUFFER: usize = 256 * 1024;

/// One thing that happened in a recorded session.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Counts the records of the archive from 0; some may be missing.
    pub order: u64,
    /// Microseconds since the archive's start.
    pub at_us: u64,
    pub entry: Entry,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Entry {
    Track {
        stream: StreamId,
        kind: MediaKind,
        item: Item,
    },
    Note(TimelineEvent),
    /// The archive was stopped in order; its time is the archive's length.
    End,
}

/// What happened to one track.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    Packet(Packet),
    /// A sender report: 32.32 fixed point seconds since 1900, and the same moment in RTP time.
    Report {
        ntp: u64,
        rtp: u64,
    },
    /// So many packets came faster than they could be written.
    Dropped {
        packets: u64,
    },
}

/// One RTP packet; the fields are those of [`crate::session::media::RecordedPacket`].
#[derive(Clone, Debug, PartialEq)]
pub struct Packet {
    pub sequence: u64,
    pub timestamp: u64,
    pub marker: bool,
    pub payload: Arc<[u8]>,
}

/// Which journal a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Notes,
    Track(StreamId, MediaKind),
}

impl Place {
    fn file_name(self) -> String {
        match self {
            Place::Notes => NOTES.to_owned(),
            Place::Track(stream, MediaKind::Audio) => format!("{stream}.audio.{EXTENSION}"),
            Place::Track(stream, MediaKind::Video) => format!("{stream}.video.{EXTENSION}"),
        }
    }

    fn of(name: &str) -> Option<Place> {
        if name == NOTES {
            return Some(Place::Notes);
        }
        let (stem, kind) = name.strip_suffix(".journal")?.rsplit_once('.')?;
        let kind = match kind {
            "audio" => MediaKind::Audio,
            "video" => MediaKind::Video,
            _ => return None,
        };
        Some(Place::Track(StreamId::parse(stem)?, kind))
    }
}

/// Appends records to one file.
pub struct JournalWriter {
    file: BufWriter<Arc<File>>,
    unflushed: bool,
    unsynced: bool,
}

impl JournalWriter {
    /// The journal of the session's notes.
    ///
    /// # Errors
    /// Also when it exists already: a recording is never overwritten.
    pub fn notes(dir: &Path) -> io::Result<JournalWriter> {
        JournalWriter::create(&dir.join(Place::Notes.file_name()))
    }

    /// The journal of one track.
    ///
    /// # Errors
    /// Also when it exists already: a recording is never overwritten.
    pub fn track(dir: &Path, stream: StreamId, kind: MediaKind) -> io::Result<JournalWriter> {
        JournalWriter::create(&dir.join(Place::Track(stream, kind).file_name()))
    }

    fn create(path: &Path) -> io::Result<JournalWriter> {
        let file = OpenOptions::new().write(true).create_new(true).open(path)?;
        let mut file = BufWriter::with_capacity(BUFFER, Arc::new(file));
        file.write_all(MAGIC)?;
        Ok(JournalWriter {
            file,
            unflushed: true,
            unsynced: true,
        })
    }

    /// # Errors
    /// The disk's; the file may then end in the middle of the record. A record that no reader would
    /// accept is refused.
    pub fn append(&mut self, record: &Record) -> io::Result<()> {
        let mut head = Vec::with_capacity(HEAD + 17);
        head.push(0);
        head.extend(record.order.to_le_bytes());
        head.extend(record.at_us.to_le_bytes());
        let json;
        let (tag, tail): (u8, &[u8]) = match &record.entry {
            Entry::Track { item, .. } => match item {
                Item::Packet(packet) => {
                    head.push(u8::from(packet.marker));
                    head.extend(packet.sequence.to_le_bytes());
                    head.extend(packet.timestamp.to_le_bytes());
                    (1, &packet.payload)
                }
                Item::Report { ntp, rtp } => {
                    head.extend(ntp.to_le_bytes());
                    head.extend(rtp.to_le_bytes());
                    (2, &[])
                }
                Item::Dropped { packets } => {
                    head.extend(packets.to_le_bytes());
                    (3, &[])
                }
            },
            Entry::Note(note) => {
                json = serde_json::to_vec(note)?;
                (4, &json)
            }
            Entry::End => (5, &[]),
        };
        head[0] = tag;

        let length = head.len() + tail.len();
        let length = u32::try_from(length)
            .ok()
            .filter(|_| length <= MAX_BODY)
            .ok_or(io::ErrorKind::InvalidData)?;
        let mut crc = crc32fast::Hasher::new();
        crc.update(&head);
        crc.update(tail);
        self.file.write_all(&length.to_le_bytes())?;
        self.file.write_all(&crc.finalize().to_le_bytes())?;
        self.file.write_all(&head)?;
        self.file.write_all(tail)?;
        self.unflushed = true;
        self.unsynced = true;
        Ok(())
    }

    /// Hands what was appended to the operating system: it outlives this process.
    pub fn flush(&mut self) -> io::Result<()> {
        if self.unflushed {
            self.file.flush()?;
            self.unflushed = false;
        }
        Ok(())
    }

    /// Flushes, and gives the file if it has something new for the disk: once its data are synced, they
    /// outlive a power cut.
    pub fn unsynced(&mut self) -> io::Result<Option<Arc<File>>> {
        self.flush()?;
        let is_due = std::mem::take(&mut self.unsynced);
        Ok(is_due.then(|| Arc::clone(self.file.get_ref())))
    }
}

/// All that can still be read from an archive's folder, in the order in which it was written.
///
/// # Errors
/// When the folder or one of its journals cannot be opened.
pub fn read(dir: &Path) -> io::Result<Merged> {
    let mut readers = Vec::new();
    for place in places(dir)? {
        let file = File::open(dir.join(place.file_name()))?;
        readers.extend(Reader::new(BufReader::with_capacity(BUFFER, file), place));
    }
    Ok(Merged::new(readers))
}

/// Whether there is any journal in an archive's folder.
pub fn exist(dir: &Path) -> io::Result<bool> {
    Ok(!places(dir)?.is_empty())
}

/// Returns the total size of an archive's journals, in bytes.
pub fn size_bytes(dir: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for place in places(dir)? {
        bytes += fs::metadata(dir.join(place.file_name()))?.len();
    }
    Ok(bytes)
}

/// Deletes an archive's journals.
pub fn remove(dir: &Path) -> io::Result<()> {
    for place in places(dir)? {
        fs::remove_file(dir.join(place.file_name()))?;
    }
    Ok(())
}

fn places(dir: &Path) -> io::Result<Vec<Place>> {
    let mut places = Vec::new();
    for entry in fs::read_dir(dir)? {
        places.extend(entry?.file_name().to_str().and_then(Place::of));
    }
    Ok(places)
}

/// Reads one journal up to its first bad record.
struct Reader<R> {
    input: R,
    place: Place,
    next: Option<Record>,
}

impl<R: Read> Reader<R> {
    /// `None` if there is not one whole record in it.
    fn new(mut input: R, place: Place) -> Option<Reader<R>> {
        let mut magic = [0; 8];
        input.read_exact(&mut magic).ok()?;
        if &magic != MAGIC {
            return None;
        }
        let next = Some(read_record(&mut input, place)?);
        Some(Reader { input, place, next })
    }

    fn take(&mut self) -> Option<Record> {
        let following = read_record(&mut self.input, self.place);
        std::mem::replace(&mut self.next, following)
    }
}

fn read_record(input: &mut impl Read, place: Place) -> Option<Record> {
    let length = usize::try_from(u32::from_le_bytes(read_array(input)?)).ok()?;
    let crc = u32::from_le_bytes(read_array(input)?);
    // Where a file was not written to its end, zeroes follow: the crc of nothing is 0.
    if !(HEAD..=MAX_BODY).contains(&length) {
        return None;
    }
    let mut body = vec![0; length];
    input.read_exact(&mut body).ok()?;
    if crc32fast::hash(&body) != crc {
        return None;
    }
    parse(&body, place)
}

fn parse(mut body: &[u8], place: Place) -> Option<Record> {
    let body = &mut body;
    let tag: [u8; 1] = read_array(body)?;
    let order = u64::from_le_bytes(read_array(body)?);
    let at_us = u64::from_le_bytes(read_array(body)?);
    let entry = match (tag[0], place) {
        (4, Place::Notes) => Entry::Note(serde_json::from_slice(body).ok()?),
        (5, Place::Notes) => Entry::End,
        (tag, Place::Track(stream, kind)) => {
            let item = match tag {
                1 => {
                    let flags: [u8; 1] = read_array(body)?;
                    Item::Packet(Packet {
                        marker: flags[0] & 1 == 1,
                        sequence: u64::from_le_bytes(read_array(body)?),
                        timestamp: u64::from_le_bytes(read_array(body)?),
                        payload: Arc::from(&**body),
                    })
                }
                2 => Item::Report {
                    ntp: u64::from_le_bytes(read_array(body)?),
                    rtp: u64::from_le_bytes(read_array(body)?),
                },
                3 => Item::Dropped {
                    packets: u64::from_le_bytes(read_array(body)?),
                },
                _ => return None,
            };
            Entry::Track { stream, kind, item }
        }
        _ => return None,
    };
    Some(Record {
        order,
        at_us,
        entry,
    })
}

fn read_array<const N: usize>(input: &mut impl Read) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    input.read_exact(&mut bytes).ok()?;
    Some(bytes)
}

/// The records of several journals, by their order.
pub struct Merged {
    readers: Vec<Reader<BufReader<File>>>,
}

impl Merged {
    fn new(readers: Vec<Reader<BufReader<File>>>) -> Merged {
        Merged { readers }
    }
}

impl Iterator for Merged {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        // A few dozen files at most: looking at each is faster than keeping a heap.
        let reader = self
            .readers
            .iter_mut()
            .filter(|reader| reader.next.is_some())
            .min_by_key(|reader| reader.next.as_ref().map(|record| record.order))?;
        reader.take()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::session::ConnectionId;

    fn packet(stream: StreamId, kind: MediaKind, order: u64, payload: &[u8]) -> Record {
        Record {
            order,
            at_us: order * 20_000,
            entry: Entry::Track {
                stream,
                kind,
                item: Item::Packet(Packet {
                    sequence: order,
                    timestamp: order * 960,
                    marker: order.is_multiple_of(2),
                    payload: Arc::from(payload),
                }),
            },
        }
    }

    fn write(dir: &Path, stream: StreamId, kind: MediaKind, records: &[Record]) {
        let mut journal = JournalWriter::track(dir, stream, kind).unwrap();
        for record in records {
            journal.append(record).unwrap();
        }
        journal.flush().unwrap();
    }

    #[test]
    fn what_several_journals_hold_is_read_in_the_order_in_which_it_was_written() {
        let dir = tempfile::tempdir().unwrap();
        let stream = StreamId::random();
        let note = TimelineEvent::StreamCreated {
            stream,
            connection: ConnectionId::random(),
            name: "Ada".to_owned(),
            connection_data: r#"{"name":"Ada"}"#.to_owned(),
            video_type: "camera".to_owned(),
            has_audio: true,
            has_video: false,
            classes: Vec::new(),
        };
        let track = |order, item| Record {
            order,
            at_us: order,
            entry: Entry::Track {
                stream,
                kind: MediaKind::Video,
                item,
            },
        };
        let notes = [
            Record {
                order: 0,
                at_us: 0,
                entry: Entry::Note(note),
            },
            Record {
                order: 6,
                at_us: 7_000_000,
                entry: Entry::End,
            },
        ];
        let audio = [
            packet(stream, MediaKind::Audio, 1, b"first"),
            packet(stream, MediaKind::Audio, 4, b""),
        ];
        let video = [
            packet(stream, MediaKind::Video, 2, &[7; 1200]),
            track(
                3,
                Item::Report {
                    ntp: 1 << 40,
                    rtp: 90,
                },
            ),
            track(5, Item::Dropped { packets: 12 }),
        ];
        let mut journal = JournalWriter::notes(dir.path()).unwrap();
        for record in &notes {
            journal.append(record).unwrap();
        }
        journal.flush().unwrap();
        write(dir.path(), stream, MediaKind::Audio, &audio);
        write(dir.path(), stream, MediaKind::Video, &video);

        let read: Vec<_> = read(dir.path()).unwrap().collect();

        let mut written: Vec<_> = notes.into_iter().chain(audio).chain(video).collect();
        written.sort_by_key(|record| record.order);
        assert_eq!(read, written);
    }

    #[test]
    fn a_journal_is_never_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        drop(JournalWriter::notes(dir.path()).unwrap());
        let refused = JournalWriter::notes(dir.path()).err().unwrap();
        assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
    }

    #[test]
    fn other_files_are_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["manifest.json", "x.audio.journal", "a.journal", ".journal"] {
            fs::write(dir.path().join(name), b"").unwrap();
        }
        drop(JournalWriter::notes(dir.path()).unwrap());
        assert!(exist(dir.path()).unwrap());
        remove(dir.path()).unwrap();
        assert!(!exist(dir.path()).unwrap());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 4);
    }

    proptest! {
        #[test]
        fn a_journal_cut_or_damaged_anywhere_is_read_up_to_there(
            sizes in prop::collection::vec(0_usize..40, 1..12),
            place in any::<prop::sample::Index>(),
            garbage in prop::collection::vec(any::<u8>(), 0..60),
        ) {
            let dir = tempfile::tempdir().unwrap();
            let stream = StreamId::random();
            let records: Vec<_> = sizes.iter().enumerate()
                .map(|(n, size)| packet(stream, MediaKind::Audio, n as u64, &vec![7; *size]))
                .collect();
            write(dir.path(), stream, MediaKind::Audio, &records);
            let path = dir.path().join(Place::Track(stream, MediaKind::Audio).file_name());
            let mut bytes = fs::read(&path).unwrap();
            let cut = place.index(bytes.len() + 1);
            let whole = {
                let mut end = MAGIC.len();
                sizes.iter().take_while(|size| { end += 8 + HEAD + 17 + **size; end <= cut }).count()
            };
            bytes.truncate(cut);
            bytes.extend(&garbage);
            fs::write(&path, &bytes).unwrap();

            let read: Vec<_> = read(dir.path()).unwrap().collect();

            prop_assert!(read.len() >= whole);
            prop_assert_eq!(&read[..whole], &records[..whole]);
        }
    }
}
