-- Sessions that are archived whenever somebody publishes in them, and how.
ALTER TABLE sessions ADD COLUMN archive_mode TEXT NOT NULL DEFAULT 'manual' CHECK (archive_mode IN ('manual', 'always'));
ALTER TABLE sessions ADD COLUMN archive_name TEXT NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN archive_resolution TEXT NOT NULL DEFAULT ''; -- '640x480'; '': the usual one
