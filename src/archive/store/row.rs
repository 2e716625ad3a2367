//! A row of `archives`, and the query for whole rows.

use crate::{
    archive::{Archive, ArchiveId, Composing, Layout, Origin, Quality, Status},
    opentok::SessionId,
};

/// A row of `archives`.
pub(in crate::archive) struct ArchiveRow {
    pub(in crate::archive) seq: i64,
    pub(in crate::archive) id: String,
    pub(in crate::archive) api_key: i64,
    pub(in crate::archive) session_id: String,
    pub(in crate::archive) room: String,
    pub(in crate::archive) name: String,
    pub(in crate::archive) status: String,
    pub(in crate::archive) reason: String,
    pub(in crate::archive) problem: String,
    pub(in crate::archive) compose_problem: String,
    pub(in crate::archive) output_mode: String,
    pub(in crate::archive) stream_mode: String,
    pub(in crate::archive) has_audio: bool,
    pub(in crate::archive) has_video: bool,
    pub(in crate::archive) resolution: String,
    pub(in crate::archive) layout: String,
    pub(in crate::archive) max_bitrate: Option<i64>,
    pub(in crate::archive) quantization: Option<i64>,
    pub(in crate::archive) multi_archive_tag: String,
    pub(in crate::archive) started_by: String,
    pub(in crate::archive) created_at_ms: i64,
    pub(in crate::archive) updated_at_ms: i64,
    pub(in crate::archive) duration_ms: i64,
    pub(in crate::archive) size_bytes: i64,
    pub(in crate::archive) people: i64,
    pub(in crate::archive) recovered: bool,
    pub(in crate::archive) has_tracks: bool,
    pub(in crate::archive) has_poster: bool,
    pub(in crate::archive) compose_percent: i64,
    pub(in crate::archive) platform: String,
    pub(in crate::archive) pulled: bool,
}

impl TryFrom<ArchiveRow> for Archive {
    type Error = sqlx::Error;

    fn try_from(row: ArchiveRow) -> Result<Archive, sqlx::Error> {
        let status: Status = row.status.parse().map_err(decode)?;
        let composing = match row.compose_problem.as_str() {
            _ if !row.has_tracks => Composing::NoTracks,
            "" if row.compose_percent == 100 && status != Status::Stopped => Composing::Done,
            "" => Composing::Running {
                percent: number(row.compose_percent)?,
            },
            _ => Composing::Failed(row.compose_problem),
        };
        Ok(Archive {
            seq: row.seq,
            id: parsed("id", ArchiveId::parse(&row.id))?,
            api_key: number(row.api_key)?,
            session_id: SessionId::from(row.session_id),
            room: row.room,
            name: row.name,
            status,
            reason: row.reason,
            problem: row.problem,
            output_mode: row.output_mode.parse().map_err(decode)?,
            stream_mode: row.stream_mode.parse().map_err(decode)?,
            has_audio: row.has_audio,
            has_video: row.has_video,
            resolution: match row.resolution.as_str() {
                "" => None,
                text => Some(text.parse().map_err(decode)?),
            },
            layout: Layout::from_json(&row.layout).map_err(decode)?,
            quality: match (row.max_bitrate, row.quantization) {
                (Some(rate), _) => Quality::MaxBitrate(number(rate)?),
                (None, Some(parameter)) => Quality::Quantization(number(parameter)?),
                (None, None) => Quality::Usual,
            },
            multi_archive_tag: row.multi_archive_tag,
            started_by: row.started_by,
            created_at_ms: row.created_at_ms,
            updated_at_ms: row.updated_at_ms,
            duration_ms: number(row.duration_ms)?,
            size_bytes: number(row.size_bytes)?,
            people: number(row.people)?,
            recovered: row.recovered,
            has_poster: row.has_poster,
            composing,
            origin: match row.platform.as_str() {
                "" => Origin::Local,
                _ => Origin::Remote {
                    platform: row.platform,
                    is_pulled: row.pulled,
                },
            },
        })
    }
}

/// A query for whole rows. The columns are inserted between the first part of its text and the rest.
macro_rules! rows {
    ($before:literal, $after:literal $(+ $rest:literal)* $(, $argument:expr)* $(,)?) => {
        sqlx::query_as!(
            ArchiveRow,
            $before
                + r#" seq AS "seq!: i64", id AS "id!: String", api_key AS "api_key!: i64",
                     session_id AS "session_id!: String", room AS "room!: String", name AS "name!: String",
                     status AS "status!: String", reason AS "reason!: String", problem AS "problem!: String",
                     compose_problem AS "compose_problem!: String", output_mode AS "output_mode!: String",
                     stream_mode AS "stream_mode!: String", has_audio AS "has_audio!: bool",
                     has_video AS "has_video!: bool", resolution AS "resolution!: String", layout AS "layout!: String",
                     max_bitrate AS "max_bitrate?: i64", quantization AS "quantization?: i64",
                     multi_archive_tag AS "multi_archive_tag!: String", started_by AS "started_by!: String",
                     created_at_ms AS "created_at_ms!: i64", updated_at_ms AS "updated_at_ms!: i64",
                     duration_ms AS "duration_ms!: i64", size_bytes AS "size_bytes!: i64", people AS "people!: i64",
                     recovered AS "recovered!: bool", has_tracks AS "has_tracks!: bool",
                     has_poster AS "has_poster!: bool", compose_percent AS "compose_percent!: i64",
                     platform AS "platform!: String", pulled AS "pulled!: bool" "#
                + $after
                $(+ $rest)*
            $(, $argument)*
        )
    };
}

pub(in crate::archive) use rows;

/// Returns the archive that a statement has changed. The caller fetches all rows although there is at most one: a reader that
/// stops early does not see an error at the end of the statement, for example because of a full disk.
pub(in crate::archive) fn changed(rows: Vec<ArchiveRow>) -> sqlx::Result<Option<Archive>> {
    one(rows.into_iter().next())
}

pub(super) fn one(row: Option<ArchiveRow>) -> sqlx::Result<Option<Archive>> {
    row.map(Archive::try_from).transpose()
}

pub(in crate::archive) fn all(rows: Vec<ArchiveRow>) -> sqlx::Result<Vec<Archive>> {
    rows.into_iter().map(Archive::try_from).collect()
}

pub(super) fn decode(error: impl std::error::Error + Send + Sync + 'static) -> sqlx::Error {
    sqlx::Error::Decode(Box::new(error))
}

pub(super) fn parsed<T>(column: &str, value: Option<T>) -> Result<T, sqlx::Error> {
    value.ok_or_else(|| sqlx::Error::Decode(format!("a damaged {column}").into()))
}

pub(in crate::archive) fn number<T: TryFrom<i64>>(value: i64) -> Result<T, sqlx::Error>
where
    T::Error: std::error::Error + Send + Sync + 'static,
{
    T::try_from(value).map_err(decode)
}

/// Converts to SQLite's signed integer. No value stored here comes near 2⁶³.
pub(in crate::archive) fn integer(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
