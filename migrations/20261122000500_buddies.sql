-- Where buddies meet, what is remembered of them while they are away, and sessions that are over for good.

CREATE TABLE presence_sessions (
    api_key    INTEGER NOT NULL PRIMARY KEY REFERENCES projects (api_key) ON DELETE CASCADE,
    -- The session may belong to another platform, so it is not referenced.
    session_id TEXT    NOT NULL UNIQUE
) STRICT;

CREATE TABLE buddies (
    id           TEXT    NOT NULL PRIMARY KEY, -- UUID of a visitor
    name         TEXT    NOT NULL,             -- the latest
    availability TEXT    NOT NULL DEFAULT 'available'
                         CHECK (availability IN ('available', 'doNotDisturb', 'invisible')),
    seen_at_ms   INTEGER NOT NULL
) STRICT;

CREATE INDEX buddies_not_available ON buddies (seen_at_ms) WHERE availability <> 'available';

-- Nobody is let into a session that is over.
ALTER TABLE sessions ADD COLUMN closed_at_ms INTEGER;
