//! An archive as the object that OpenTok's SDKs parse, in replies and in callbacks.

use serde::Deserialize;
use sqlx::SqlitePool;

use super::{
    Archive, ArchiveId, Quality, Status,
    download::{Asset, Links},
    store,
};
use crate::{
    opentok::{ArchiveObject, ArchiveStream, StreamMode},
    session::Sessions,
};

/// Writes the objects of one server.
#[derive(Clone)]
pub struct ObjectWriter {
    pub links: Links,
    /// Knows which streams were chosen by hand.
    pub sessions: Sessions,
}

impl ObjectWriter {
    /// The object, with a link to the file if there is one; each has a new link, good for ten minutes from `now_ms` on.
    /// `base` is where whoever reads it reaches this server; there is no link if nobody knows.
    pub fn write(&self, archive: &Archive, base: Option<&str>, now_ms: i64) -> ArchiveObject {
        let base = base.filter(|_| archive.status == Status::Available);
        let url = base.map(|base| {
            let asset = Asset::whole(archive.output_mode);
            let query = self.links.query(archive.id, asset, now_ms);
            format!("{base}/archives/{}/files/{asset}?{query}", archive.id)
        });
        ArchiveObject {
            url,
            streams: self.chosen_streams(archive),
            ..object(archive)
        }
    }

    /// The streams that were chosen by hand, while it records.
    fn chosen_streams(&self, archive: &Archive) -> Option<Vec<ArchiveStream>> {
        let is_told = archive.stream_mode == StreamMode::Manual && archive.status.is_running();
        is_told.then(|| {
            self.sessions
                .chosen_streams(&archive.session_id, archive.id)
                .into_iter()
                .map(|(stream, chosen)| ArchiveStream {
                    stream_id: stream.to_string(),
                    has_audio: chosen.audio,
                    has_video: chosen.video,
                })
                .collect()
        })
    }
}

/// What changes of a row with its status, as a trigger keeps it for callbacks (see `migrations/`).
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StatusSnapshot {
    status: Status,
    reason: String,
    updated_at_ms: i64,
    duration_ms: u64,
    size_bytes: u64,
}

/// An archive as it was when its status changed; `None`: there is no such archive.
///
/// # Errors
/// When the database does not answer.
pub async fn find_as_of(
    db: &SqlitePool,
    id: ArchiveId,
    then: StatusSnapshot,
) -> Result<Option<Archive>, sqlx::Error> {
    let archive = store::find(db, id).await?;
    Ok(archive.map(|archive| Archive {
        status: then.status,
        reason: then.reason,
        updated_at_ms: then.updated_at_ms,
        duration_ms: then.duration_ms,
        size_bytes: then.size_bytes,
        ..archive
    }))
}

fn object(archive: &Archive) -> ArchiveObject {
    let has_size = matches!(
        archive.status,
        Status::Available | Status::Uploaded | Status::Expired
    );
    let tag = &archive.multi_archive_tag;
    ArchiveObject {
        id: archive.id.to_string(),
        status: archive.status.into(),
        name: Some(archive.name.clone()),
        reason: archive.reason.clone(),
        session_id: archive.session_id.clone(),
        project_id: archive.api_key,
        partner_id: archive.api_key,
        created_at: archive.created_at_ms,
        updated_at: archive.updated_at_ms,
        size: if has_size { archive.size_bytes } else { 0 },
        duration: archive.duration_ms / 1000,
        output_mode: archive.output_mode,
        stream_mode: archive.stream_mode,
        has_audio: archive.has_audio,
        has_video: archive.has_video,
        resolution: archive.resolution,
        max_bitrate: match archive.quality {
            Quality::MaxBitrate(rate) => Some(rate),
            _ => None,
        },
        quantization_parameter: match archive.quality {
            Quality::Quantization(parameter) => Some(parameter.into()),
            _ => None,
        },
        multi_archive_tag: (!tag.is_empty()).then(|| tag.clone()),
        ..ArchiveObject::default()
    }
}
