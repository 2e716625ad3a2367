-- Calls between two buddies: who may have joined, and how each ended. What rings lives in memory.

CREATE TABLE chats (
    -- The session may belong to another platform, so it is not referenced.
    session_id    TEXT    NOT NULL PRIMARY KEY,
    inviter_id    TEXT    NOT NULL, -- UUID of a visitor
    inviter_name  TEXT    NOT NULL, -- as it was then
    invitee_id    TEXT    NOT NULL,
    invitee_name  TEXT    NOT NULL,
    started_at_ms INTEGER NOT NULL,
    ended_at_ms   INTEGER,          -- NULL while it goes on
    end_reason    TEXT    CHECK (end_reason IN ('ended', 'gone', 'notConnected', 'serverRestarted')),
    ended_by      TEXT,             -- the one of the two who ended it or went away; NULL after a restart
    CHECK ((ended_at_ms IS NULL) = (end_reason IS NULL))
) STRICT;

CREATE INDEX chats_that_go_on ON chats (session_id) WHERE ended_at_ms IS NULL;
CREATE INDEX chats_of_inviter ON chats (inviter_id, started_at_ms);
CREATE INDEX chats_of_invitee ON chats (invitee_id, started_at_ms);
