//! The files of an archive: signed links, file names for downloads, and paths on disk.
//!
//! A link carries its own permission, `?expires=<Unix seconds>&sig=<HMAC-SHA256>`, so it works in a browser, a player or
//! `curl` without a cookie. It expires after 10 minutes, as OpenTok's "url" does.

use std::{
    path::{Component, Path, PathBuf},
    time::Duration,
};

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use time::{OffsetDateTime, macros::format_description};

use super::{
    Archive, ArchiveId, OutputMode,
    composer::{COMPOSED_FILE, PACKED_FILE, POSTER_FILE},
    recording::RecordedStream,
};
use crate::session::StreamId;

/// The lifetime of a link. Longer: it can be passed on; shorter: a slow client's next range request is refused.
pub const LINK_LIFETIME: Duration = Duration::from_secs(600);

/// The number of characters of a room's or an archive's name in a file name.
const NAME_CHARS: usize = 40;

/// Derives a key for this use only from a secret with several uses.
const KEY_USE: &[u8] = b"parlor archive link 1";

/// A file of an archive. Its text is the last part of the file's URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Asset {
    /// The composed MP4: `archive.mp4`.
    Composed,
    /// The ZIP of an individual archive: `archive.zip`.
    Packed,
    /// The JPEG: `poster.jpg`.
    Poster,
    /// One stream's WebM: `<stream id>.webm`.
    Track(StreamId),
}

impl Asset {
    /// The file to download of an archive in this mode.
    pub fn whole(mode: OutputMode) -> Asset {
        match mode {
            OutputMode::Composed => Asset::Composed,
            OutputMode::Individual => Asset::Packed,
        }
    }

    /// Parses the last part of a URL.
    pub fn parse(text: &str) -> Option<Asset> {
        match text {
            COMPOSED_FILE => Some(Asset::Composed),
            PACKED_FILE => Some(Asset::Packed),
            POSTER_FILE => Some(Asset::Poster),
            _ => {
                let stream = StreamId::parse(text.strip_suffix(".webm")?)?;
                Some(Asset::Track(stream))
            }
        }
    }

    pub fn content_type(self) -> &'static str {
        match self {
            Asset::Composed => "video/mp4",
            Asset::Packed => "application/zip",
            Asset::Poster => "image/jpeg",
            Asset::Track(_) => "video/webm",
        }
    }

    fn extension(self) -> &'static str {
        match self {
            Asset::Composed => "mp4",
            Asset::Packed => "zip",
            Asset::Poster => "jpg",
            Asset::Track(_) => "webm",
        }
    }
}

impl std::fmt::Display for Asset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Asset::Composed => f.write_str(COMPOSED_FILE),
            Asset::Packed => f.write_str(PACKED_FILE),
            Asset::Poster => f.write_str(POSTER_FILE),
            Asset::Track(stream) => write!(f, "{stream}.webm"),
        }
    }
}

/// Why a link is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    #[error("this link has expired; open the archive's page for a new one")]
    Expired,
    #[error("this link is not one of ours")]
    Forged,
}

/// Signs and verifies links.
#[derive(Clone)]
pub struct Links {
    key: hmac::Key,
}

impl Links {
    /// `secret` may have other uses: links are signed with a key derived from it.
    pub fn new(secret: &[u8]) -> Links {
        let secret = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let key = hmac::sign(&secret, KEY_USE);
        Links {
            key: hmac::Key::new(hmac::HMAC_SHA256, key.as_ref()),
        }
    }

    /// Returns the query of a link that is valid for [`LINK_LIFETIME`] from now: `expires=…&sig=…`.
    pub fn query(&self, archive: ArchiveId, asset: Asset, now_ms: i64) -> String {
        let lifetime = i64::try_from(LINK_LIFETIME.as_secs()).unwrap_or(i64::MAX);
        let expires = (now_ms / 1000).saturating_add(lifetime);
        let signature = hmac::sign(&self.key, message(archive, asset, expires).as_bytes());
        let signature = URL_SAFE_NO_PAD.encode(signature);
        format!("expires={expires}&sig={signature}")
    }

    /// Verifies that a link with this query is valid for this file now.
    ///
    /// # Errors
    /// [`LinkError::Forged`]: [`Links::query`] did not make the query. [`LinkError::Expired`]: it is too old.
    pub fn check(
        &self,
        archive: ArchiveId,
        asset: Asset,
        expires: i64,
        signature: &str,
        now_ms: i64,
    ) -> Result<(), LinkError> {
        let signature = URL_SAFE_NO_PAD
            .decode(signature)
            .map_err(|_| LinkError::Forged)?;
        let message = message(archive, asset, expires);
        hmac::verify(&self.key, message.as_bytes(), &signature).map_err(|_| LinkError::Forged)?;
        if now_ms / 1000 >= expires {
            return Err(LinkError::Expired);
        }
        Ok(())
    }
}

impl std::fmt::Debug for Links {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Links([redacted])")
    }
}

fn message(archive: ArchiveId, asset: Asset, expires: i64) -> String {
    format!("{archive}/{asset}/{expires}")
}

/// The folder of an archive.
pub fn folder(archives: &Path, archive: ArchiveId) -> PathBuf {
    archives.join(archive.to_string())
}

/// Returns the path of an asset, whether the file exists or not. `None`: no stream has this id, or its file name leads out of
/// the archive's folder.
pub fn file(
    archives: &Path,
    archive: ArchiveId,
    asset: Asset,
    streams: &[RecordedStream],
) -> Option<PathBuf> {
    let name = match asset {
        Asset::Composed => COMPOSED_FILE,
        Asset::Packed => PACKED_FILE,
        Asset::Poster => POSTER_FILE,
        Asset::Track(id) => {
            let stream = streams.iter().find(|stream| stream.stream == id)?;
            plain_name(stream.file.as_deref()?)?
        }
    };
    Some(folder(archives, archive).join(name))
}

/// Returns the text if it is a plain file name.
pub(crate) fn plain_name(name: &str) -> Option<&str> {
    let mut parts = Path::new(name).components();
    match (parts.next(), parts.next()) {
        (Some(Component::Normal(part)), None) if part.to_str() == Some(name) => Some(name),
        _ => None,
    }
}

/// Returns the file name for a download: `main-room_2026-08-22_14-05_weekly-review.mp4`, in UTC.
///
/// The name of a track ends with the participant's name. A name that the archive and its room share appears once.
pub fn file_name(archive: &Archive, asset: Asset, streams: &[RecordedStream]) -> String {
    let person = match asset {
        Asset::Track(id) => streams
            .iter()
            .find(|stream| stream.stream == id)
            .map_or("", |stream| stream.name.as_str()),
        Asset::Composed | Asset::Packed | Asset::Poster => "",
    };
    let room = match safe(&archive.room) {
        room if room.is_empty() => "archive".to_owned(),
        room => room,
    };
    let mut parts = vec![room];
    parts.extend(minute(archive.created_at_ms));
    if archive.name != archive.room {
        parts.push(safe(&archive.name));
    }
    parts.push(safe(person));
    parts.retain(|part| !part.is_empty());
    format!("{}.{}", parts.join("_"), asset.extension())
}

/// Returns the `Content-Disposition` header for this file name (RFC 6266).
pub fn content_disposition(file_name: &str) -> String {
    let ascii: String = file_name
        .chars()
        .map(|c| if c.is_ascii() { c } else { '-' })
        .collect();
    if ascii == file_name {
        return format!("attachment; filename=\"{ascii}\"");
    }
    let encoded: String = file_name
        .bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect();
    format!("attachment; filename=\"{ascii}\"; filename*=UTF-8''{encoded}")
}

/// Formats a Unix time in ms as `2026-08-22_14-05`, UTC.
fn minute(unix_ms: i64) -> Option<String> {
    let time = OffsetDateTime::from_unix_timestamp(unix_ms / 1000).ok()?;
    time.format(format_description!("[year]-[month]-[day]_[hour]-[minute]"))
        .ok()
}

/// Returns letters and digits in lower case, and single hyphens for all other characters.
fn safe(text: &str) -> String {
    let mut name = String::new();
    for c in text.chars().flat_map(char::to_lowercase) {
        if c.is_alphanumeric() {
            name.push(c);
        } else if !name.is_empty() && !name.ends_with('-') {
            name.push('-');
        }
    }
    let name: String = name.chars().take(NAME_CHARS).collect();
    name.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests;
