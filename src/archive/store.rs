//! The SQL of archives. Every change of status names the statuses that it starts from, so that one of two concurrent changes
//! wins.

use sqlx::{SqliteConnection, SqlitePool};

use super::{
    Archive, ArchiveId, Layout, NewArchive, Quality, Reason,
    composer::Composed,
    recording::{Manifest, RecordedStream},
};
use crate::{
    opentok::SessionId,
    session::{ConnectionId, StreamId},
};

/// A row of `archives`.
pub(super) struct ArchiveRow {
    pub(super) seq: i64,
    pub(super) id: String,
    pub(super) api_key: i64,
    pub(super) session_id: String,
    pub(super) room: String,
    pub(super) name: String,
    pub(super) status: String,
    pub(super) reason: String,
    pub(super) problem: String,
    pub(super) compose_problem: String,
    pub(super) output_mode: String,
    pub(super) stream_mode: String,
    pub(super) has_audio: bool,
    pub(super) has_video: bool,
    pub(super) resolution: String,
    pub(super) layout: String,
    pub(super) max_bitrate: Option<i64>,
    pub(super) quantization: Option<i64>,
    pub(super) multi_archive_tag: String,
    pub(super) started_by: String,
    pub(super) created_at_ms: i64,
    pub(super) updated_at_ms: i64,
    pub(super) duration_ms: i64,
    pub(super) size_bytes: i64,
    pub(super) people: i64,
    pub(super) recovered: bool,
    pub(super) has_tracks: bool,
    pub(super) has_poster: bool,
    pub(super) compose_percent: i64,
    pub(super) platform: String,
    pub(super) pulled: bool,
}

impl TryFrom<ArchiveRow> for Archive {
    type Error = sqlx::Error;

    fn try_from(row: ArchiveRow) -> Result<Archive, sqlx::Error> {
        Ok(Archive {
            seq: row.seq,
            id: parsed("id", ArchiveId::parse(&row.id))?,
            api_key: number(row.api_key)?,
            session_id: SessionId::from(row.session_id),
            room: row.room,
            name: row.name,
            status: row.status.parse().map_err(decode)?,
            reason: row.reason,
            problem: row.problem,
            compose_problem: row.compose_problem,
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
            has_tracks: row.has_tracks,
            has_poster: row.has_poster,
            compose_percent: number(row.compose_percent)?,
            platform: row.platform,
            is_pulled: row.pulled,
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

pub(super) use rows;

/// Returns the archive that a statement has changed. The caller fetches all rows although there is at most one: a reader that
/// stops early does not see an error at the end of the statement, for example because of a full disk.
pub(super) fn changed(rows: Vec<ArchiveRow>) -> sqlx::Result<Option<Archive>> {
    one(rows.into_iter().next())
}

fn one(row: Option<ArchiveRow>) -> sqlx::Result<Option<Archive>> {
    row.map(Archive::try_from).transpose()
}

pub(super) fn all(rows: Vec<ArchiveRow>) -> sqlx::Result<Vec<Archive>> {
    rows.into_iter().map(Archive::try_from).collect()
}

/// Inserts an archive; `None`: the session is being recorded under the same tag.
pub(super) async fn insert(
    db: &SqlitePool,
    id: ArchiveId,
    new: &NewArchive,
    now_ms: i64,
) -> sqlx::Result<Option<Archive>> {
    let id = id.to_string();
    let session_id = new.session_id.as_str();
    let (output_mode, stream_mode) = (new.output_mode.as_str(), new.stream_mode.as_str());
    let resolution = new.resolution.map_or("", |resolution| resolution.as_str());
    let layout = new.layout.to_json();
    let (max_bitrate, quantization) = match new.quality {
        Quality::Usual => (None, None),
        Quality::MaxBitrate(rate) => (Some(rate), None),
        Quality::Quantization(parameter) => (None, Some(parameter)),
    };
    let rows = rows!(
        "INSERT INTO archives (id, api_key, session_id, room, name, status, output_mode, stream_mode, has_audio,
                               has_video, resolution, layout, multi_archive_tag, started_by, created_at_ms,
                               updated_at_ms, max_bitrate, quantization)
         VALUES ($1, $2, $3, $4, $5, 'started', $6, $7, $8, $9, $10, $11, $12, $13, $14, $14, $15, $16)
         ON CONFLICT (session_id, multi_archive_tag) WHERE status IN ('started', 'paused') DO NOTHING
         RETURNING",
        "",
        id,
        new.api_key,
        session_id,
        new.room,
        new.name,
        output_mode,
        stream_mode,
        new.has_audio,
        new.has_video,
        resolution,
        layout,
        new.multi_archive_tag,
        new.started_by,
        now_ms,
        max_bitrate,
        quantization,
    )
    .fetch_all(db)
    .await?;
    changed(rows)
}

pub(super) async fn find(db: &SqlitePool, id: ArchiveId) -> sqlx::Result<Option<Archive>> {
    let id = id.to_string();
    let row = rows!("SELECT", "FROM archives WHERE id = $1", id)
        .fetch_optional(db)
        .await?;
    one(row)
}

pub(super) async fn running_of(
    db: &SqlitePool,
    session: &SessionId,
    tag: &str,
) -> sqlx::Result<Option<Archive>> {
    let session = session.as_str();
    let row = rows!(
        "SELECT",
        "FROM archives
         WHERE session_id = $1
           AND multi_archive_tag = $2
           AND status IN ('started', 'paused')",
        session,
        tag,
    )
    .fetch_optional(db)
    .await?;
    one(row)
}

/// Returns the archives of a session that are being recorded, the oldest first.
pub(super) async fn running_in(db: &SqlitePool, session: &SessionId) -> sqlx::Result<Vec<Archive>> {
    let session = session.as_str();
    let rows = rows!(
        "SELECT",
        "FROM archives
         WHERE session_id = $1 AND status IN ('started', 'paused')
         ORDER BY seq",
        session,
    )
    .fetch_all(db)
    .await?;
    all(rows)
}

// SQLite uses a partial index only if the query repeats its condition. The next two queries repeat that of
// `archives_unfinished`.

/// Returns the archives that are being recorded, the oldest first.
pub(super) async fn running(db: &SqlitePool) -> sqlx::Result<Vec<Archive>> {
    let rows = rows!(
        "SELECT",
        "FROM archives
         WHERE status IN ('started', 'paused') AND status IN ('started', 'paused', 'stopped')
         ORDER BY seq",
    )
    .fetch_all(db)
    .await?;
    all(rows)
}

/// Returns the archives recorded here whose file is not made yet, the oldest first.
pub(super) async fn stopped(db: &SqlitePool) -> sqlx::Result<Vec<Archive>> {
    let rows = rows!(
        "SELECT",
        "FROM archives
         WHERE status = 'stopped' AND platform = '' AND status IN ('started', 'paused', 'stopped')
         ORDER BY seq",
    )
    .fetch_all(db)
    .await?;
    all(rows)
}

pub(super) async fn pause(
    db: &SqlitePool,
    id: ArchiveId,
    now_ms: i64,
) -> sqlx::Result<Option<Archive>> {
    let id = id.to_string();
    let rows = rows!(
        "UPDATE archives
         SET status = 'paused', updated_at_ms = $2
         WHERE id = $1 AND status = 'started'
         RETURNING",
        "",
        id,
        now_ms,
    )
    .fetch_all(db)
    .await?;
    changed(rows)
}

pub(super) async fn resume(
    db: &SqlitePool,
    id: ArchiveId,
    now_ms: i64,
) -> sqlx::Result<Option<Archive>> {
    let id = id.to_string();
    let rows = rows!(
        "UPDATE archives
         SET status = 'started', updated_at_ms = $2
         WHERE id = $1 AND status = 'paused'
         RETURNING",
        "",
        id,
        now_ms,
    )
    .fetch_all(db)
    .await?;
    changed(rows)
}

pub(super) async fn stop(
    db: &SqlitePool,
    id: ArchiveId,
    reason: Reason,
    problem: &str,
    now_ms: i64,
) -> sqlx::Result<Option<Archive>> {
    let id = id.to_string();
    let reason = reason.as_str();
    let rows = rows!(
        "UPDATE archives
         SET status = 'stopped', reason = $2, problem = $3, updated_at_ms = $4,
             duration_ms = MAX(0, $4 - created_at_ms)
         WHERE id = $1 AND status IN ('started', 'paused')
         RETURNING",
        "",
        id,
        reason,
        problem,
        now_ms,
    )
    .fetch_all(db)
    .await?;
    changed(rows)
}

pub(super) async fn stop_abandoned(db: &SqlitePool, now_ms: i64) -> sqlx::Result<Vec<Archive>> {
    let reason = Reason::ServerRestarted.as_str();
    let rows = rows!(
        "UPDATE archives
         SET status = 'stopped', reason = $1, recovered = 1, updated_at_ms = $2
         WHERE status IN ('started', 'paused') AND platform = ''
         RETURNING",
        "",
        reason,
        now_ms,
    )
    .fetch_all(db)
    .await?;
    all(rows)
}

pub(super) async fn record_problem(
    db: &SqlitePool,
    id: ArchiveId,
    problem: &str,
    now_ms: i64,
) -> sqlx::Result<Option<Archive>> {
    let id = id.to_string();
    let rows = rows!(
        "UPDATE archives
         SET problem = $2, updated_at_ms = $3
         WHERE id = $1 AND status = 'stopped'
         RETURNING",
        "",
        id,
        problem,
        now_ms,
    )
    .fetch_all(db)
    .await?;
    changed(rows)
}

pub(super) async fn save_tracks(
    db: &SqlitePool,
    id: ArchiveId,
    manifest: &Manifest,
    now_ms: i64,
) -> sqlx::Result<Option<Archive>> {
    let mut names: Vec<&str> = Vec::new();
    let mut connections: Vec<ConnectionId> = Vec::new();
    for stream in &manifest.streams {
        if !connections.contains(&stream.connection) {
            connections.push(stream.connection);
        }
        if !names.contains(&stream.name.as_str()) {
            names.push(&stream.name);
        }
    }
    let people = integer(connections.len() as u64);
    let names = names.join("\n");
    let has_files = manifest.streams.iter().any(|stream| stream.file.is_some());
    let size_bytes = integer(manifest.streams.iter().map(|s| s.size_bytes).sum());
    let duration_ms = integer(manifest.duration_ms);
    let layouts = serde_json::to_string(&manifest.layouts).map_err(decode)?;

    // The first statement writes, so two of these transactions never deadlock.
    let mut transaction = db.begin().await?;
    let id = id.to_string();
    let row = rows!(
        "UPDATE archives
         SET status = CASE WHEN $2 THEN 'stopped' ELSE 'failed' END,
             reason = CASE WHEN $2 OR reason = 'system failure' THEN reason ELSE 'nobody published' END,
             has_tracks = $2, duration_ms = $3, size_bytes = $4, people = $5, people_names = $6, updated_at_ms = $7,
             layouts = $8
         WHERE id = $1 AND status IN ('started', 'paused', 'stopped') AND has_tracks = 0
         RETURNING",
        "",
        id,
        has_files,
        duration_ms,
        size_bytes,
        people,
        names,
        now_ms,
        layouts,
    )
    .fetch_optional(&mut *transaction)
    .await?;
    let Some(archive) = one(row)? else {
        return Ok(None);
    };
    for (position, stream) in manifest.streams.iter().enumerate() {
        insert_stream(&mut transaction, archive.seq, position as u64, stream).await?;
    }
    transaction.commit().await?;
    Ok(Some(archive))
}

async fn insert_stream(
    db: &mut SqliteConnection,
    archive: i64,
    position: u64,
    stream: &RecordedStream,
) -> Result<(), sqlx::Error> {
    let position = integer(position);
    let (stream_id, connection_id) = (stream.stream.to_string(), stream.connection.to_string());
    let (joined_ms, left_ms) = (integer(stream.joined_ms), integer(stream.left_ms));
    let (starts_ms, ends_ms) = (integer(stream.starts_ms), integer(stream.ends_ms));
    let size_bytes = integer(stream.size_bytes);
    let shown = serde_json::to_string(&stream.shown).map_err(decode)?;
    let present = serde_json::to_string(&stream.present).map_err(decode)?;
    let classes = serde_json::to_string(&stream.classes).map_err(decode)?;
    sqlx::query!(
        "INSERT INTO archive_streams (archive, position, stream_id, connection_id, connection_data, name, video_type,
                                      joined_ms, left_ms, file, starts_ms, ends_ms, size_bytes, has_audio, has_video,
                                      shown, present, classes)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)",
        archive,
        position,
        stream_id,
        connection_id,
        stream.connection_data,
        stream.name,
        stream.video_type,
        joined_ms,
        left_ms,
        stream.file,
        starts_ms,
        ends_ms,
        size_bytes,
        stream.has_audio,
        stream.has_video,
        shown,
        present,
        classes,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Returns the streams of an archive in the order in which they were created; none until its recording is over.
pub(super) async fn streams(
    db: &SqlitePool,
    archive: &Archive,
) -> Result<Vec<RecordedStream>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"SELECT stream_id, connection_id, connection_data, name, video_type, joined_ms, left_ms, file, starts_ms,
                  ends_ms, size_bytes, has_audio AS "has_audio: bool", has_video AS "has_video: bool", shown, present, classes
           FROM archive_streams
           WHERE archive = $1
           ORDER BY position"#,
        archive.seq,
    )
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(RecordedStream {
                stream: parsed("stream_id", StreamId::parse(&row.stream_id))?,
                connection: parsed("connection_id", ConnectionId::parse(&row.connection_id))?,
                connection_data: row.connection_data,
                name: row.name,
                video_type: row.video_type,
                joined_ms: number(row.joined_ms)?,
                left_ms: number(row.left_ms)?,
                file: row.file,
                starts_ms: number(row.starts_ms)?,
                ends_ms: number(row.ends_ms)?,
                size_bytes: number(row.size_bytes)?,
                has_audio: row.has_audio,
                has_video: row.has_video,
                shown: serde_json::from_str(&row.shown).map_err(decode)?,
                present: serde_json::from_str(&row.present).map_err(decode)?,
                classes: serde_json::from_str(&row.classes).map_err(decode)?,
            })
        })
        .collect()
}

/// Returns the manifest of an archive, as its recorder reported it.
pub(super) async fn manifest(db: &SqlitePool, archive: &Archive) -> Result<Manifest, sqlx::Error> {
    let layouts = sqlx::query_scalar!(
        "SELECT layouts
         FROM archives
         WHERE seq = $1",
        archive.seq,
    )
    .fetch_one(db)
    .await?;
    Ok(Manifest {
        duration_ms: archive.duration_ms,
        layouts: serde_json::from_str(&layouts).map_err(decode)?,
        streams: streams(db, archive).await?,
    })
}

pub(super) async fn fail(
    db: &SqlitePool,
    id: ArchiveId,
    reason: Reason,
    problem: &str,
    now_ms: i64,
) -> sqlx::Result<Option<Archive>> {
    let id = id.to_string();
    let reason = reason.as_str();
    let rows = rows!(
        "UPDATE archives
         SET status = 'failed', reason = $2, problem = $3, updated_at_ms = $4
         WHERE id = $1 AND status IN ('started', 'paused', 'stopped')
         RETURNING",
        "",
        id,
        reason,
        problem,
        now_ms,
    )
    .fetch_all(db)
    .await?;
    changed(rows)
}

pub(super) async fn make_available(
    db: &SqlitePool,
    id: ArchiveId,
    file: &Composed,
    now_ms: i64,
) -> sqlx::Result<Option<Archive>> {
    let id = id.to_string();
    let size_bytes = integer(file.size_bytes);
    let duration_ms = integer(file.duration_ms);
    let rows = rows!(
        "UPDATE archives
         SET status = 'available', size_bytes = $2, duration_ms = $3, has_poster = $4, compose_percent = 100,
             compose_problem = '', updated_at_ms = $5
         WHERE id = $1 AND status = 'stopped'
         RETURNING",
        "",
        id,
        size_bytes,
        duration_ms,
        file.has_poster,
        now_ms,
    )
    .fetch_all(db)
    .await?;
    changed(rows)
}

/// Records the progress of composing, and its problem if there is one; `None`: the archive is not stopped any more.
pub(super) async fn record_composing(
    db: &SqlitePool,
    id: ArchiveId,
    percent: u8,
    problem: &str,
) -> sqlx::Result<Option<Archive>> {
    let id = id.to_string();
    let rows = rows!(
        "UPDATE archives
         SET compose_percent = $2, compose_problem = $3
         WHERE id = $1 AND status = 'stopped'
         RETURNING",
        "",
        id,
        percent,
        problem,
    )
    .fetch_all(db)
    .await?;
    changed(rows)
}

pub(super) async fn expire(
    db: &SqlitePool,
    id: ArchiveId,
    now_ms: i64,
) -> sqlx::Result<Option<Archive>> {
    let id = id.to_string();
    let rows = rows!(
        "UPDATE archives
         SET status = 'expired', updated_at_ms = $2
         WHERE id = $1 AND status IN ('stopped', 'available', 'failed')
         RETURNING",
        "",
        id,
        now_ms,
    )
    .fetch_all(db)
    .await?;
    changed(rows)
}

pub(super) async fn delete(
    db: &SqlitePool,
    id: ArchiveId,
    now_ms: i64,
) -> sqlx::Result<Option<Archive>> {
    let id = id.to_string();
    let rows = rows!(
        "UPDATE archives
         SET status = 'deleted', updated_at_ms = $2
         WHERE id = $1 AND status IN ('stopped', 'available', 'uploaded', 'failed', 'expired')
         RETURNING",
        "",
        id,
        now_ms,
    )
    .fetch_all(db)
    .await?;
    changed(rows)
}

/// Returns at most 100 archives that started before `before_ms` and have files here that can expire, the oldest first.
pub(super) async fn older_than(
    db: &SqlitePool,
    before_ms: i64,
) -> Result<Vec<ArchiveId>, sqlx::Error> {
    let ids = sqlx::query_scalar!(
        "SELECT id
         FROM archives
         WHERE status IN ('stopped', 'available', 'failed') AND created_at_ms < $1 AND (platform = '' OR pulled = 1)
         ORDER BY created_at_ms
         LIMIT 100",
        before_ms,
    )
    .fetch_all(db)
    .await?;
    ids.iter()
        .map(|id| parsed("id", ArchiveId::parse(id)))
        .collect()
}

/// Returns the deleted and expired archives whose files are not removed yet.
pub(super) async fn to_clear(db: &SqlitePool) -> Result<Vec<ArchiveId>, sqlx::Error> {
    let ids = sqlx::query_scalar!(
        "SELECT id
         FROM archives
         WHERE status IN ('deleted', 'expired') AND has_files = 1
         ORDER BY seq",
    )
    .fetch_all(db)
    .await?;
    ids.iter()
        .map(|id| parsed("id", ArchiveId::parse(id)))
        .collect()
}

/// Records that an archive's folder is removed. The names of a deleted archive and its participants are removed too.
pub(super) async fn record_cleared(db: &SqlitePool, id: ArchiveId) -> Result<(), sqlx::Error> {
    let id = id.to_string();
    let mut transaction = db.begin().await?;
    sqlx::query!(
        "UPDATE archives
         SET has_files = 0, has_poster = 0,
             name = CASE status WHEN 'deleted' THEN '' ELSE name END,
             people_names = CASE status WHEN 'deleted' THEN '' ELSE people_names END
         WHERE id = $1 AND status IN ('deleted', 'expired')",
        id,
    )
    .execute(&mut *transaction)
    .await?;
    sqlx::query!(
        "DELETE FROM archive_streams
         WHERE archive = (SELECT seq FROM archives WHERE id = $1 AND status = 'deleted')",
        id,
    )
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await
}

fn decode(error: impl std::error::Error + Send + Sync + 'static) -> sqlx::Error {
    sqlx::Error::Decode(Box::new(error))
}

fn parsed<T>(column: &str, value: Option<T>) -> Result<T, sqlx::Error> {
    value.ok_or_else(|| sqlx::Error::Decode(format!("a damaged {column}").into()))
}

pub(super) fn number<T: TryFrom<i64>>(value: i64) -> Result<T, sqlx::Error>
where
    T::Error: std::error::Error + Send + Sync + 'static,
{
    T::try_from(value).map_err(decode)
}

/// Converts to SQLite's signed integer. No value stored here comes near 2⁶³.
pub(super) fn integer(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
