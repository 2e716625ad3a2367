-- Callbacks: where the events of a project are posted, and the events that wait for it.

CREATE TABLE callbacks (
    id            TEXT    NOT NULL PRIMARY KEY, -- UUID
    api_key       INTEGER NOT NULL REFERENCES projects (api_key) ON DELETE CASCADE,
    topic         TEXT    NOT NULL CHECK (topic IN (
                      'archive status', 'session created', 'session destroyed', 'connection created',
                      'connection destroyed', 'stream created', 'stream destroyed')),
    url           TEXT    NOT NULL,
    created_at_ms INTEGER NOT NULL,
    UNIQUE (api_key, topic)
) STRICT;

CREATE TABLE callback_events (
    seq           INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, -- the order in which they happened
    id            TEXT    NOT NULL,                           -- the same in every try
    callback      TEXT    NOT NULL REFERENCES callbacks (id) ON DELETE CASCADE,
    api_key       INTEGER NOT NULL,
    archive       TEXT, -- UUID of the archive whose status changed; NULL: it happened in a session
    body          TEXT    NOT NULL, -- JSON: of a session, what is posted; of an archive, what of its row had changed
    created_at_ms INTEGER NOT NULL,
    tries         INTEGER NOT NULL DEFAULT 0, -- those that failed
    due_at_ms     INTEGER NOT NULL            -- of the next try
) STRICT;

CREATE INDEX callback_events_of_project ON callback_events (api_key, seq);
CREATE INDEX callback_events_of_callback ON callback_events (callback);

-- The status of an archive and the event that tells it change together, or not at all. What else is told of the archive
-- stays as it is, and is read when the event is posted.

CREATE TRIGGER archives_callback_insert AFTER INSERT ON archives
BEGIN
    INSERT INTO callback_events (id, callback, api_key, archive, body, created_at_ms, due_at_ms)
    SELECT 'evt_' || lower(hex(randomblob(16))), callbacks.id, NEW.api_key, NEW.id,
           json_object('status', NEW.status, 'reason', NEW.reason, 'updatedAtMs', NEW.updated_at_ms,
                       'durationMs', NEW.duration_ms, 'sizeBytes', NEW.size_bytes),
           NEW.updated_at_ms, NEW.updated_at_ms
    FROM callbacks
    WHERE callbacks.api_key = NEW.api_key AND callbacks.topic = 'archive status';
END;

-- Deleting is the application's own doing, and OpenTok does not tell it.
CREATE TRIGGER archives_callback_update AFTER UPDATE OF status ON archives
WHEN OLD.status <> NEW.status AND NEW.status <> 'deleted'
BEGIN
    INSERT INTO callback_events (id, callback, api_key, archive, body, created_at_ms, due_at_ms)
    SELECT 'evt_' || lower(hex(randomblob(16))), callbacks.id, NEW.api_key, NEW.id,
           json_object('status', NEW.status, 'reason', NEW.reason, 'updatedAtMs', NEW.updated_at_ms,
                       'durationMs', NEW.duration_ms, 'sizeBytes', NEW.size_bytes),
           NEW.updated_at_ms, NEW.updated_at_ms
    FROM callbacks
    WHERE callbacks.api_key = NEW.api_key AND callbacks.topic = 'archive status';
END;

-- A revoked key opens nothing any more, so nothing is told to whoever had it.
CREATE TRIGGER projects_callback_revoke AFTER UPDATE OF revoked_at_ms ON projects WHEN NEW.revoked_at_ms IS NOT NULL
BEGIN
    DELETE FROM callbacks WHERE api_key = NEW.api_key;
END;
