-- Totals of each list of archives replace the trees of counts. A page is found from the nearer end of its list, so only the
-- number of archives is needed, and not how they are distributed.
--
-- Lists: a project ('123456'), one status of it ('123456 available'), one session of it ('123456 2_MX4…').

DROP TRIGGER archives_count_insert;
DROP TRIGGER archives_count_leave;
DROP TRIGGER archives_count_enter;
DROP TRIGGER archives_count_delete;
DROP TRIGGER archive_moves_count;
DROP VIEW archive_moves;
DROP TABLE archive_counts;
DROP TABLE archive_lists;

CREATE TABLE archive_totals (
    list       TEXT    NOT NULL PRIMARY KEY,
    archives   INTEGER NOT NULL, -- deleted archives are in no list
    size_bytes INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO archive_totals (list, archives, size_bytes)
SELECT CAST(api_key AS TEXT), COUNT(*), SUM(size_bytes)
FROM archives
WHERE status <> 'deleted'
GROUP BY api_key
UNION ALL
SELECT api_key || ' ' || status, COUNT(*), SUM(size_bytes)
FROM archives
WHERE status <> 'deleted'
GROUP BY api_key, status
UNION ALL
SELECT api_key || ' ' || session_id, COUNT(*), SUM(size_bytes)
FROM archives
WHERE status <> 'deleted'
GROUP BY api_key, session_id;

CREATE TRIGGER archive_totals_insert AFTER INSERT ON archives WHEN NEW.status <> 'deleted'
BEGIN
    INSERT INTO archive_totals (list, archives, size_bytes)
    VALUES (CAST(NEW.api_key AS TEXT), 1, NEW.size_bytes),
           (NEW.api_key || ' ' || NEW.status, 1, NEW.size_bytes),
           (NEW.api_key || ' ' || NEW.session_id, 1, NEW.size_bytes)
    ON CONFLICT (list) DO UPDATE
    SET archives = archives + excluded.archives,
        size_bytes = size_bytes + excluded.size_bytes;
END;

-- A comparison is 0 or 1: the number of archives that are listed before (OLD) and after (NEW) the change.
CREATE TRIGGER archive_totals_update AFTER UPDATE OF status, size_bytes ON archives
WHEN OLD.status <> NEW.status OR OLD.size_bytes <> NEW.size_bytes
BEGIN
    INSERT INTO archive_totals (list, archives, size_bytes)
    SELECT list, archives, size_bytes
    FROM (SELECT (NEW.status <> 'deleted') - (OLD.status <> 'deleted') AS archives,
                 (NEW.status <> 'deleted') * NEW.size_bytes - (OLD.status <> 'deleted') * OLD.size_bytes AS size_bytes)
    CROSS JOIN (SELECT CAST(NEW.api_key AS TEXT) AS list UNION ALL SELECT NEW.api_key || ' ' || NEW.session_id)
    UNION ALL
    SELECT OLD.api_key || ' ' || OLD.status, -1, -OLD.size_bytes WHERE OLD.status <> 'deleted'
    UNION ALL
    SELECT NEW.api_key || ' ' || NEW.status, 1, NEW.size_bytes WHERE NEW.status <> 'deleted'
    ON CONFLICT (list) DO UPDATE
    SET archives = archives + excluded.archives,
        size_bytes = size_bytes + excluded.size_bytes;
END;

CREATE TRIGGER archive_totals_delete AFTER DELETE ON archives WHEN OLD.status <> 'deleted'
BEGIN
    UPDATE archive_totals
    SET archives = archives - 1,
        size_bytes = size_bytes - OLD.size_bytes
    WHERE list IN (
        CAST(OLD.api_key AS TEXT), OLD.api_key || ' ' || OLD.status, OLD.api_key || ' ' || OLD.session_id);
END;
