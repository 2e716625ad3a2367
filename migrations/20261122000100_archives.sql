-- Archives, the people in them, and counts that find any page of the history at once.

CREATE TABLE archives (
    seq               INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, -- the order in which they started
    id                TEXT    NOT NULL UNIQUE,                    -- UUID
    -- An archive outlives its room and its session, so neither is referenced.
    api_key           INTEGER NOT NULL,
    session_id        TEXT    NOT NULL,
    room              TEXT    NOT NULL, -- the room's name when recording started; '' when there was none
    name              TEXT    NOT NULL,
    status            TEXT    NOT NULL CHECK (status IN (
                          'started', 'paused', 'stopped', 'available', 'uploaded', 'failed', 'expired', 'deleted')),
    reason            TEXT    NOT NULL DEFAULT '', -- OpenTok's "reason"
    problem           TEXT    NOT NULL DEFAULT '', -- what went wrong while it recorded, as a sentence for people
    compose_problem   TEXT    NOT NULL DEFAULT '', -- why there is no composed file yet, likewise
    output_mode       TEXT    NOT NULL CHECK (output_mode IN ('composed', 'individual')),
    stream_mode       TEXT    NOT NULL CHECK (stream_mode IN ('auto', 'manual')),
    has_audio         INTEGER NOT NULL CHECK (has_audio IN (0, 1)),
    has_video         INTEGER NOT NULL CHECK (has_video IN (0, 1)),
    resolution        TEXT    NOT NULL, -- '640x480'; '' in individual mode
    layout            TEXT    NOT NULL, -- JSON, as in OpenTok's "layout"
    multi_archive_tag TEXT    NOT NULL,
    started_by        TEXT    NOT NULL, -- a moderator's name; '' when started through the API
    created_at_ms     INTEGER NOT NULL,
    updated_at_ms     INTEGER NOT NULL,
    duration_ms       INTEGER NOT NULL DEFAULT 0, -- 0 while recording
    size_bytes        INTEGER NOT NULL DEFAULT 0, -- of what download gives; of the tracks while there is nothing else
    people            INTEGER NOT NULL DEFAULT 0,
    people_names      TEXT    NOT NULL DEFAULT '', -- one per line, to search in
    recovered         INTEGER NOT NULL DEFAULT 0 CHECK (recovered IN (0, 1)), -- the server was gone while it recorded
    has_tracks        INTEGER NOT NULL DEFAULT 0 CHECK (has_tracks IN (0, 1)), -- the streams' files are in place
    has_poster        INTEGER NOT NULL DEFAULT 0 CHECK (has_poster IN (0, 1)),
    has_files         INTEGER NOT NULL DEFAULT 1 CHECK (has_files IN (0, 1)), -- 0 once its folder is gone
    compose_percent   INTEGER NOT NULL DEFAULT 0 CHECK (compose_percent BETWEEN 0 AND 100)
) STRICT;

-- One running archive per session and tag.
CREATE UNIQUE INDEX archives_running ON archives (session_id, multi_archive_tag)
    WHERE status IN ('started', 'paused');

-- The orders in which archives are listed. Deleted ones are in none, so that no listing steps over them.
CREATE INDEX archives_of_project ON archives (api_key, seq) WHERE status <> 'deleted';
CREATE INDEX archives_of_session ON archives (api_key, session_id, seq) WHERE status <> 'deleted';
CREATE INDEX archives_by_status ON archives (api_key, status, seq) WHERE status <> 'deleted';

-- What start-up and retention look for.
CREATE INDEX archives_unfinished ON archives (seq) WHERE status IN ('started', 'paused', 'stopped');
CREATE INDEX archives_to_clear ON archives (seq) WHERE status IN ('deleted', 'expired') AND has_files = 1;
CREATE INDEX archives_by_age ON archives (created_at_ms) WHERE status IN ('stopped', 'available', 'failed');

CREATE TABLE archive_streams (
    archive       INTEGER NOT NULL REFERENCES archives (seq) ON DELETE CASCADE,
    position      INTEGER NOT NULL, -- in the order in which the streams appeared
    stream_id     TEXT    NOT NULL,
    connection_id TEXT    NOT NULL,
    name          TEXT    NOT NULL,
    video_type    TEXT    NOT NULL,
    joined_ms     INTEGER NOT NULL, -- this and all other times count from the archive's start
    left_ms       INTEGER NOT NULL,
    file          TEXT,             -- NULL when no packet ever came
    starts_ms     INTEGER NOT NULL,
    ends_ms       INTEGER NOT NULL,
    size_bytes    INTEGER NOT NULL,
    has_audio     INTEGER NOT NULL CHECK (has_audio IN (0, 1)),
    has_video     INTEGER NOT NULL CHECK (has_video IN (0, 1)),
    shown         TEXT    NOT NULL, -- JSON: [{"fromMs":0,"toMs":5000},…]
    PRIMARY KEY (archive, position)
) STRICT, WITHOUT ROWID;

-- Counts for numeric pages: "the newest but 100,000" is found by walking down three levels of buckets of
-- 128^3, 128^2 and 128 consecutive `seq`, at most 128 steps each, instead of stepping over 100,000 rows.
-- There is a tree for every list: a project's ('123456'), one status of it ('123456 available'), a session's
-- ('123456 2_MX4…').

CREATE TABLE archive_lists (
    id         INTEGER NOT NULL PRIMARY KEY,
    name       TEXT    NOT NULL UNIQUE,
    archives   INTEGER NOT NULL DEFAULT 0,
    size_bytes INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE archive_counts (
    list     INTEGER NOT NULL REFERENCES archive_lists (id) ON DELETE CASCADE,
    level    INTEGER NOT NULL CHECK (level BETWEEN 1 AND 3),
    bucket   INTEGER NOT NULL, -- seq >> (7 * level)
    archives INTEGER NOT NULL,
    PRIMARY KEY (list, level, bucket)
) STRICT, WITHOUT ROWID;

-- Nobody reads this view: inserting into it adds one archive (`archives` = 1) to its three lists, or takes it
-- out of them (-1).
CREATE VIEW archive_moves AS
    SELECT 0 AS api_key, '' AS session_id, '' AS status, 0 AS seq, 0 AS archives, 0 AS size_bytes WHERE FALSE;

CREATE TRIGGER archive_moves_count INSTEAD OF INSERT ON archive_moves
BEGIN
    INSERT INTO archive_lists (name, archives, size_bytes)
    VALUES (CAST(NEW.api_key AS TEXT), NEW.archives, NEW.size_bytes),
           (NEW.api_key || ' ' || NEW.status, NEW.archives, NEW.size_bytes),
           (NEW.api_key || ' ' || NEW.session_id, NEW.archives, NEW.size_bytes)
    ON CONFLICT (name) DO UPDATE
    SET archives = archives + excluded.archives,
        size_bytes = size_bytes + excluded.size_bytes;

    INSERT INTO archive_counts (list, level, bucket, archives)
    SELECT list.id, level.value, NEW.seq >> (7 * level.value), NEW.archives
    FROM archive_lists AS list
    CROSS JOIN (SELECT 1 AS value UNION ALL SELECT 2 UNION ALL SELECT 3) AS level
    WHERE list.name IN (
        CAST(NEW.api_key AS TEXT), NEW.api_key || ' ' || NEW.status, NEW.api_key || ' ' || NEW.session_id)
    ON CONFLICT (list, level, bucket) DO UPDATE
    SET archives = archives + excluded.archives;
END;

CREATE TRIGGER archives_count_insert AFTER INSERT ON archives WHEN NEW.status <> 'deleted'
BEGIN
    INSERT INTO archive_moves VALUES (NEW.api_key, NEW.session_id, NEW.status, NEW.seq, 1, NEW.size_bytes);
END;

CREATE TRIGGER archives_count_leave AFTER UPDATE OF status, size_bytes ON archives
WHEN OLD.status <> 'deleted' AND (OLD.status <> NEW.status OR OLD.size_bytes <> NEW.size_bytes)
BEGIN
    INSERT INTO archive_moves VALUES (OLD.api_key, OLD.session_id, OLD.status, OLD.seq, -1, -OLD.size_bytes);
END;

CREATE TRIGGER archives_count_enter AFTER UPDATE OF status, size_bytes ON archives
WHEN NEW.status <> 'deleted' AND (OLD.status <> NEW.status OR OLD.size_bytes <> NEW.size_bytes)
BEGIN
    INSERT INTO archive_moves VALUES (NEW.api_key, NEW.session_id, NEW.status, NEW.seq, 1, NEW.size_bytes);
END;

CREATE TRIGGER archives_count_delete AFTER DELETE ON archives WHEN OLD.status <> 'deleted'
BEGIN
    INSERT INTO archive_moves VALUES (OLD.api_key, OLD.session_id, OLD.status, OLD.seq, -1, -OLD.size_bytes);
END;
