-- When the first client was let into a session: the API answers 404 for one that was never joined, as OpenTok does.
ALTER TABLE sessions ADD COLUMN first_joined_at_ms INTEGER;
