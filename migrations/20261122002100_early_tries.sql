-- An event that has failed is tried early once its receiver takes another one, so that what waits after a long interruption
-- comes at once.
--
-- '':       it has not failed; or its early try has, too, so that it waits for its turn.
-- 'earned': it has failed in its turn.
-- 'given':  its early try is due, and not over yet.
ALTER TABLE callback_events ADD COLUMN early TEXT NOT NULL DEFAULT '' CHECK (early IN ('', 'earned', 'given'));

CREATE INDEX callback_events_put_off ON callback_events (callback) WHERE early = 'earned';
