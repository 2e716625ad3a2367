-- What Parlor keeps: projects, their sessions, rooms, moderators and archives.

-- API keys: digits that fit 31 bits, since server SDKs parse them into a signed integer.
CREATE TABLE projects (
    api_key       INTEGER NOT NULL PRIMARY KEY CHECK (api_key BETWEEN 1 AND 2147483647),
    api_secret    TEXT    NOT NULL,
    created_at_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE sessions (
    id            TEXT    NOT NULL PRIMARY KEY,
    api_key       INTEGER NOT NULL REFERENCES projects (api_key) ON DELETE CASCADE,
    media_mode    TEXT    NOT NULL CHECK (media_mode IN ('routed', 'relayed')),
    location      TEXT    NOT NULL DEFAULT '',
    created_at_ms INTEGER NOT NULL
) STRICT;

-- A named place with a session. The default room is the one whose slug is 'main'.
CREATE TABLE rooms (
    slug          TEXT    NOT NULL PRIMARY KEY,
    name          TEXT    NOT NULL,
    session_id    TEXT    NOT NULL UNIQUE REFERENCES sessions (id) ON DELETE RESTRICT,
    created_at_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE moderators (
    id            INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    name          TEXT    NOT NULL UNIQUE COLLATE NOCASE,
    password_hash TEXT    NOT NULL, -- argon2id, PHC string
    created_at_ms INTEGER NOT NULL
) STRICT;

-- One-time links with which the first moderator makes an account; only the hash of a link is kept.
CREATE TABLE sign_in_links (
    token_sha256  TEXT    NOT NULL PRIMARY KEY,
    expires_at_ms INTEGER NOT NULL,
    used_at_ms    INTEGER
) STRICT;
