//! An archive's row as the object that OpenTok's SDKs parse.

use actix_web::HttpRequest;

use super::Api;
use crate::{
    archive::{self, Archive, Quality, Status, download::Asset},
    clock,
    opentok::{ArchiveObject, ArchiveStatus, ArchiveStream, OutputMode, StreamMode},
};

/// The object, with a link to the file if there is one; each has a new link, good for ten minutes.
pub fn written(api: &Api, archive: &Archive, base: &str) -> ArchiveObject {
    let has_file = archive.status == Status::Available;
    let url = has_file.then(|| {
        let asset = Asset::whole(archive.output_mode);
        let query = api.links.query(archive.id, asset, clock::now_ms());
        format!("{base}/archives/{}/files/{asset}?{query}", archive.id)
    });
    ArchiveObject {
        url,
        streams: chosen_streams(api, archive),
        ..object(archive)
    }
}

/// The streams that were chosen by hand, while it records.
fn chosen_streams(api: &Api, archive: &Archive) -> Option<Vec<ArchiveStream>> {
    let is_told = archive.stream_mode == archive::StreamMode::Manual && archive.status.is_running();
    is_told.then(|| {
        let sessions = &api.platform.sessions;
        sessions
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

/// Where the caller, and whoever it hands links to, reaches this server.
pub fn base_url(api: &Api, request: &HttpRequest) -> String {
    api.public_url.clone().unwrap_or_else(|| {
        let reached = request.connection_info();
        format!("{}://{}", reached.scheme(), reached.host())
    })
}

fn object(archive: &Archive) -> ArchiveObject {
    let has_size = matches!(
        archive.status,
        Status::Available | Status::Uploaded | Status::Expired
    );
    let tag = &archive.multi_archive_tag;
    ArchiveObject {
        id: archive.id.to_string(),
        status: ArchiveStatus::from(archive.status.as_str().to_owned()),
        name: Some(archive.name.clone()),
        reason: archive.reason.clone(),
        session_id: archive.session_id.clone(),
        project_id: archive.api_key,
        partner_id: archive.api_key,
        created_at: archive.created_at_ms,
        updated_at: archive.updated_at_ms,
        size: if has_size { archive.size_bytes } else { 0 },
        duration: archive.duration_ms / 1000,
        output_mode: match archive.output_mode {
            archive::OutputMode::Composed => OutputMode::Composed,
            archive::OutputMode::Individual => OutputMode::Individual,
        },
        stream_mode: match archive.stream_mode {
            archive::StreamMode::Auto => StreamMode::Auto,
            archive::StreamMode::Manual => StreamMode::Manual,
        },
        has_audio: archive.has_audio,
        has_video: archive.has_video,
        // The same words on both sides.
        resolution: archive
            .resolution
            .and_then(|resolution| resolution.as_str().parse().ok()),
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
