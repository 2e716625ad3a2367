-- Sessions and archives may be of another video platform than this server: of a project there, named by its address as in
-- 'https://api.opentok.com/v2/project/123456'. '': this server's own.
ALTER TABLE sessions ADD COLUMN platform TEXT NOT NULL DEFAULT '';
ALTER TABLE archives ADD COLUMN platform TEXT NOT NULL DEFAULT '';
-- The file of another platform's archive has been copied into the data folder.
ALTER TABLE archives ADD COLUMN pulled INTEGER NOT NULL DEFAULT 0 CHECK (pulled IN (0, 1));

CREATE INDEX archives_elsewhere ON archives (platform, seq) WHERE platform <> '' AND status IN ('started', 'paused', 'stopped', 'available');
