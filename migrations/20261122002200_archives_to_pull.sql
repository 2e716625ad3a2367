-- Files of another platform that are still to be copied are found without those that were: the index of all was one that SQLite
-- used for no query, and those of unfinished archives have one.
DROP INDEX archives_elsewhere;
CREATE INDEX archives_to_pull ON archives (platform, seq) WHERE platform <> '' AND status = 'available' AND pulled = 0;
