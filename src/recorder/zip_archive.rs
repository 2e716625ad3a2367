//! The file of an individual archive: a ZIP of each stream's file as it is, and a manifest that says whose they are and
//! when they were there.
//!
//! ```text
//! <archive>.json      OpenTok's manifest
//! <stream>.webm       one for each stream of which anything came
//! ```
//!
//! Nothing is compressed, since WebM is dense already: packing is copying.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use serde::Serialize;
use tokio::sync::watch;
use tracing::{info, warn};
use zip::{CompressionMethod, ZipWriter, result::ZipError, write::SimpleFileOptions};

use super::recording::discard_journals;
use crate::{
    archive::{
        ArchiveId,
        composer::{ComposeError, Composed, PACKED_FILE, PackJob},
        download::plain_name,
        recording::RecordedStream,
    },
    session::StreamId,
};

const PART: &str = "archive.zip.part";

/// What is copied before it is looked whether anybody still wants it. Bytes.
const CHUNK: usize = 1 << 20;
/// ZIP's plain format counts to four GiB; this leaves room for a file that is longer than its row says.
const LARGE: u64 = 4_000_000_000;

/// Packs on a thread that may block, which ends with the future.
pub async fn pack(job: &PackJob, percent: &watch::Sender<u8>) -> Result<Composed, ComposeError> {
    let wanted = Wanted(Arc::new(AtomicBool::new(true)));
    let packing = Packing {
        job: job.clone(),
        percent: percent.clone(),
        wanted: Arc::clone(&wanted.0),
    };
    tokio::task::spawn_blocking(move || packing.run())
        .await
        .map_err(|panic| ComposeError::Failed(panic.to_string()))?
}

/// Says when it is dropped that nobody waits any more.
struct Wanted(Arc<AtomicBool>);

impl Drop for Wanted {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

struct Packing {
    job: PackJob,
    percent: watch::Sender<u8>,
    wanted: Arc<AtomicBool>,
}

impl Packing {
    fn run(&self) -> Result<Composed, ComposeError> {
        let folder = &self.job.folder;
        let part = folder.join(PART);
        let packed = self.write(&part).and_then(|size_bytes| {
            // Its name appears when all of it is on disk.
            fs::rename(&part, folder.join(PACKED_FILE))?;
            Ok(size_bytes)
        });
        let size_bytes = packed.map_err(|error| {
            let _ = fs::remove_file(&part);
            failed(error)
        })?;
        if let Err(error) = discard_journals(folder) {
            warn!("The journals stay: {error}");
        }
        self.percent.send_replace(100);
        info!("Packed {} into {size_bytes} bytes", self.job.archive);
        Ok(Composed {
            size_bytes,
            duration_ms: self.job.manifest.duration_ms,
            has_poster: false,
            damage: String::new(),
        })
    }

    fn write(&self, part: &Path) -> Result<u64, ZipError> {
        let streams = || self.job.manifest.streams.iter().filter_map(file_of);
        let total: u64 = streams().map(|(_, stream)| stream.size_bytes).sum();
        let mut zip = ZipWriter::new(File::create(part)?);
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
        let manifest =
            serde_json::to_vec_pretty(&Manifest::of(&self.job)).map_err(io::Error::from)?;
        zip.start_file(format!("{}.json", self.job.archive), options)?;
        zip.write_all(&manifest)?;
        let mut done = 0;
        let mut chunk = vec![0; CHUNK];
        for (name, stream) in streams() {
            let mut file = File::open(self.job.folder.join(name))?;
            zip.start_file(
                format!("{}.webm", stream.stream),
                options.large_file(stream.size_bytes >= LARGE),
            )?;
            loop {
                let read = file.read(&mut chunk)?;
                if read == 0 {
                    break;
                }
                if !self.wanted.load(Ordering::Relaxed) {
                    return Err(io::Error::from(io::ErrorKind::Interrupted).into());
                }
                zip.write_all(&chunk[..read])?;
                done += read as u64;
                self.report(99 * done / total.max(done));
            }
        }
        let file = zip.finish()?;
        file.sync_all()?;
        Ok(file.metadata()?.len())
    }

    fn report(&self, percent: u64) {
        let percent = u8::try_from(percent).unwrap_or(99);
        self.percent.send_if_modified(|current| {
            let is_more = percent > *current;
            *current = percent.max(*current);
            is_more
        });
    }
}

/// A stream of which something came, and the name of its file.
fn file_of(stream: &RecordedStream) -> Option<(&str, &RecordedStream)> {
    Some((plain_name(stream.file.as_deref()?)?, stream))
}

fn failed(error: ZipError) -> ComposeError {
    let error = match error {
        ZipError::Io(error) => error,
        other => io::Error::other(other),
    };
    ComposeError::Failed(match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "the disk is full; delete archives or free disk space".to_owned()
        }
        _ => format!("the archive's files cannot be packed ({error})"),
    })
}

/// The manifest, in OpenTok's words. Times are in ms.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Manifest<'a> {
    id: ArchiveId,
    session_id: &'a str,
    name: &'a str,
    created_at: i64,
    files: Vec<ManifestFile<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ManifestFile<'a> {
    filename: String,
    stream_id: StreamId,
    connection_data: &'a str,
    video_type: &'a str,
    /// From the archive's start to the first moment of the file, and to its last.
    start_time_offset: u64,
    stop_time_offset: u64,
    size: u64,
    has_audio: bool,
    has_video: bool,
}

impl Manifest<'_> {
    fn of(job: &PackJob) -> Manifest<'_> {
        let files = job.manifest.streams.iter().filter_map(file_of);
        Manifest {
            id: job.archive,
            session_id: job.session.as_str(),
            name: &job.name,
            created_at: job.created_at_ms,
            files: files
                .map(|(_, stream)| ManifestFile {
                    filename: format!("{}.webm", stream.stream),
                    stream_id: stream.stream,
                    connection_data: &stream.connection_data,
                    video_type: &stream.video_type,
                    start_time_offset: stream.starts_ms,
                    stop_time_offset: stream.ends_ms,
                    size: stream.size_bytes,
                    has_audio: stream.has_audio,
                    has_video: stream.has_video,
                })
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use tempfile::TempDir;
    use zip::ZipArchive;

    use super::*;
    use crate::{archive::recording, session::ConnectionId};

    fn stream(name: &str, file: Option<&str>) -> RecordedStream {
        RecordedStream {
            stream: StreamId::random(),
            connection: ConnectionId::random(),
            connection_data: format!("I am {name}"),
            name: name.to_owned(),
            video_type: "camera".to_owned(),
            joined_ms: 500,
            left_ms: 9_000,
            file: file.map(str::to_owned),
            starts_ms: 600,
            ends_ms: 8_900,
            size_bytes: 3,
            has_audio: true,
            has_video: false,
            present: Vec::new(),
            classes: Vec::new(),
            shown: Vec::new(),
        }
    }

    fn job(folder: &TempDir, streams: Vec<RecordedStream>) -> PackJob {
        PackJob {
            archive: ArchiveId::random(),
            session: "2_x".into(),
            name: "Weekly".to_owned(),
            created_at_ms: 1_700_000_000_000,
            folder: folder.path().to_owned(),
            manifest: recording::Manifest {
                duration_ms: 10_000,
                layouts: Vec::new(),
                streams,
            },
        }
    }

    fn unpack(zip: &mut ZipArchive<File>, name: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut file = zip.by_name(name).unwrap();
        assert_eq!(file.compression(), CompressionMethod::Stored);
        file.read_to_end(&mut bytes).unwrap();
        bytes
    }

    #[tokio::test]
    async fn each_stream_is_in_it_as_it_was_recorded_and_the_manifest_says_whose_it_is() {
        let folder = TempDir::new().unwrap();
        // More than one chunk, of bytes that differ.
        let long: Vec<u8> = (0..=250).cycle().take(CHUNK * 2 + 7).collect();
        fs::write(folder.path().join("a.webm"), &long).unwrap();
        fs::write(folder.path().join("b.webm"), b"bob").unwrap();
        let mut ann = stream("Ann", Some("a.webm"));
        ann.size_bytes = long.len() as u64;
        let bob = stream("Bob", Some("b.webm"));
        let silent = stream("Cem", None);
        let job = job(&folder, vec![ann.clone(), bob.clone(), silent]);
        let (percent, percents) = watch::channel(0);

        let packed = pack(&job, &percent).await.unwrap();

        let path = folder.path().join(PACKED_FILE);
        assert_eq!(packed.size_bytes, fs::metadata(&path).unwrap().len());
        assert_eq!((packed.duration_ms, packed.has_poster), (10_000, false));
        assert_eq!(*percents.borrow(), 100);
        let mut zip = ZipArchive::new(File::open(path).unwrap()).unwrap();
        assert_eq!(zip.len(), 3);
        assert_eq!(unpack(&mut zip, &format!("{}.webm", ann.stream)), long);
        assert_eq!(unpack(&mut zip, &format!("{}.webm", bob.stream)), b"bob");
        let manifest = unpack(&mut zip, &format!("{}.json", job.archive));
        let file = |stream: &RecordedStream, size: usize| {
            json!({
                "filename": format!("{}.webm", stream.stream), "streamId": stream.stream,
                "connectionData": stream.connection_data, "videoType": "camera",
                "startTimeOffset": 600, "stopTimeOffset": 8_900, "size": size,
                "hasAudio": true, "hasVideo": false,
            })
        };
        assert_eq!(
            serde_json::from_slice::<Value>(&manifest).unwrap(),
            json!({
                "id": job.archive, "sessionId": "2_x", "name": "Weekly",
                "createdAt": 1_700_000_000_000_i64,
                "files": [file(&ann, long.len()), file(&bob, 3)],
            })
        );
    }

    #[tokio::test]
    async fn what_a_killed_server_left_is_made_anew_and_what_cannot_be_made_leaves_nothing() {
        let folder = TempDir::new().unwrap();
        let (percent, _) = watch::channel(0);
        let bob = stream("Bob", Some("b.webm"));
        fs::write(folder.path().join(PART), b"half of something").unwrap();

        let error = pack(&job(&folder, vec![bob.clone()]), &percent).await;
        assert!(matches!(error, Err(ComposeError::Failed(_))), "{error:?}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);

        fs::write(folder.path().join(PART), b"half of something").unwrap();
        fs::write(folder.path().join("b.webm"), b"bob").unwrap();
        pack(&job(&folder, vec![bob]), &percent).await.unwrap();
        assert!(!folder.path().join(PART).exists());
        let path = folder.path().join(PACKED_FILE);
        assert_eq!(ZipArchive::new(File::open(path).unwrap()).unwrap().len(), 2);
    }

    #[test]
    fn nobody_waits_for_it_any_more_and_it_ends() {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("b.webm"), b"bob").unwrap();
        let packing = Packing {
            job: job(&folder, vec![stream("Bob", Some("b.webm"))]),
            percent: watch::channel(0).0,
            wanted: Arc::new(AtomicBool::new(false)),
        };
        assert!(packing.run().is_err());
        assert!(!folder.path().join(PACKED_FILE).exists());
    }
}
