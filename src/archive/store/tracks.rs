//! The streams of an archive, as its recorder reported them.

use sqlx::{SqliteConnection, SqlitePool};

use super::row::{ArchiveRow, decode, integer, number, one, parsed, rows};
use crate::{
    archive::{
        Archive, ArchiveId,
        recording::{Manifest, RecordedStream},
    },
    session::{ConnectionId, StreamId},
};

pub(in crate::archive) async fn save_tracks(
    db: &mut SqliteConnection,
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
    .fetch_optional(&mut *db)
    .await?;
    let Some(archive) = one(row)? else {
        return Ok(None);
    };
    for (position, stream) in manifest.streams.iter().enumerate() {
        insert_stream(db, archive.seq, position as u64, stream).await?;
    }
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
pub(in crate::archive) async fn streams(
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
pub(in crate::archive) async fn manifest(
    db: &SqlitePool,
    archive: &Archive,
) -> Result<Manifest, sqlx::Error> {
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
