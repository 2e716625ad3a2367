-- The events of archives are written by the code that changes an archive, and the early retry has no state of its own.

DROP TRIGGER archives_callback_insert;
DROP TRIGGER archives_callback_update;

DROP INDEX callback_events_put_off;
ALTER TABLE callback_events DROP COLUMN early;
ALTER TABLE callback_events RENAME COLUMN tries TO attempts; -- those that failed
