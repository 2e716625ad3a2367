-- Projects of applications, made by `parlor keys`, beside the one of the pages, which has no name.
ALTER TABLE projects ADD COLUMN name TEXT NOT NULL DEFAULT '';
-- A revoked key lets nobody in; what was recorded under it stays.
ALTER TABLE projects ADD COLUMN revoked_at_ms INTEGER;
