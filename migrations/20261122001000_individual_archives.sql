-- The manifest of an individual archive tells the connection data of whoever published each stream.
ALTER TABLE archive_streams ADD COLUMN connection_data TEXT NOT NULL DEFAULT '';
