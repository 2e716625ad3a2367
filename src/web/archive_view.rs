//! How pages show an archive: its status in words and colour, and its times.

use time::{OffsetDateTime, format_description::well_known::Rfc3339, macros::format_description};

use super::error::sentence;
use crate::{
    archive::{Archive, Status},
    platform::Platform,
};

/// A status, as a coloured badge.
#[derive(Debug, PartialEq, Eq)]
pub struct Badge {
    pub text: String,
    /// CSS class of the colour; empty for the normal colour.
    pub class: &'static str,
    /// Name of an icon, or empty.
    pub icon: &'static str,
    /// Time since the start, in ms. The page's clock continues it.
    pub elapsed_ms: Option<u64>,
}

/// The badge of an archive as it is now.
pub fn badge(archive: &Archive) -> Badge {
    let plain = |text: &str, class, icon| Badge {
        text: text.to_owned(),
        class,
        icon,
        elapsed_ms: None,
    };
    match archive.status {
        Status::Started => Badge {
            elapsed_ms: Some(elapsed_ms(archive)),
            ..plain("Recording", "rec", "record-fill")
        },
        Status::Paused => Badge {
            elapsed_ms: Some(elapsed_ms(archive)),
            ..plain("Recording paused: no one is sending", "rec", "pause-fill")
        },
        Status::Stopped if !archive.has_tracks() => plain("Finishing", "work", "hourglass-split"),
        Status::Stopped if archive.is_composing() => Badge {
            text: format!(
                "Preparing {}, {}%",
                archive.output_mode.file_kind(),
                archive.composing.percent()
            ),
            ..plain("", "work", "hourglass-split")
        },
        Status::Stopped => plain(
            &format!("Playable, {} failed", archive.output_mode.file_kind()),
            "work",
            "exclamation-triangle",
        ),
        Status::Available | Status::Uploaded if archive.recovered => {
            plain("Available · recovered", "", "")
        }
        Status::Available => plain("Available", "", ""),
        Status::Uploaded => plain("Uploaded", "", ""),
        Status::Failed => plain("Failed", "bad", "exclamation-triangle"),
        Status::Expired => plain("Expired", "bad", ""),
        Status::Deleted => plain("Deleted", "bad", ""),
    }
}

/// The sentences beside the badge; empty if there are none.
pub fn explanation(archive: &Archive) -> String {
    let mut sentences = Vec::new();
    match archive.status {
        Status::Failed if archive.reason == "nobody published" => {
            sentences.push("Nothing was recorded: no camera or microphone was on.".to_owned());
        }
        Status::Failed => sentences.push(format!("Nothing could be saved: {}.", archive.reason)),
        Status::Expired => {
            sentences.push(
                "The files were deleted automatically when their retention period ended."
                    .to_owned(),
            );
        }
        _ => {}
    }
    if archive.recovered {
        sentences.push(
            "The server stopped during this recording. Everything up to that moment was saved."
                .to_owned(),
        );
    }
    if !archive.problem.is_empty() {
        sentences.push(sentence(&archive.problem));
    }
    sentences.extend(archive.composing.problem().map(sentence));
    sentences.join(" ")
}

/// The text of the dialog that confirms the deletion of an archive.
pub fn delete_question(archive: &Archive, platform: &dyn Platform) -> &'static str {
    if platform.info().can_delete_files_of(archive) {
        "This permanently deletes the recording and everyone's tracks."
    } else {
        "This removes the recording from this server only. The video platform that made it is no longer in use, and may still have its files."
    }
}

/// For `<time datetime>`: `2026-11-22T14:05:00Z`.
pub fn iso_time(unix_ms: i64) -> String {
    at(unix_ms).format(&Rfc3339).unwrap_or_default()
}

/// For readers without a script: `22 November 2026, 14:05 UTC`.
pub fn plain_time(unix_ms: i64) -> String {
    let format =
        format_description!("[day padding:none] [month repr:long] [year], [hour]:[minute] UTC");
    at(unix_ms).format(format).unwrap_or_default()
}

fn at(unix_ms: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(unix_ms / 1000).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

fn elapsed_ms(archive: &Archive) -> u64 {
    u64::try_from(crate::clock::now_ms() - archive.created_at_ms).unwrap_or(0)
}
