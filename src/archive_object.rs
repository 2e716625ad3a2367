//! Writes an archive as the JSON object that OpenTok's SDKs parse. The REST API and callbacks send it.

use crate::{
    archive::{
        Archive, Quality, Status,
        download::{Asset, Links},
    },
    opentok::{ArchiveObject, ArchiveStream, StreamMode},
    session::Sessions,
};

/// Writes the archive objects of one server.
#[derive(Clone)]
pub struct ObjectWriter {
    pub links: Links,
    /// The source of the streams that were added by hand.
    pub sessions: Sessions,
}

impl ObjectWriter {
    /// Returns the object. An available archive has a link to its file that is valid for 10 minutes from `now_ms`
    /// (Unix time, ms). `base` is this server's URL as seen by the reader; without it there is no link.
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

    /// The streams that were added by hand; `None` unless the archive is being recorded in manual mode.
    fn chosen_streams(&self, archive: &Archive) -> Option<Vec<ArchiveStream>> {
        let has_streams = archive.stream_mode == StreamMode::Manual && archive.status.is_running();
        has_streams.then(|| {
            self.sessions
                .read(&archive.session_id, |live| live.chosen_streams(archive.id))
                .unwrap_or_default()
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
