-- Answers of OpenAI's responses API. One row an answer; its owner and its id name it.
CREATE TABLE responses (
    seq      INTEGER PRIMARY KEY AUTOINCREMENT,
    owner    TEXT NOT NULL, -- the client key's id; empty where there are no keys
    id       TEXT NOT NULL, -- as the client was told
    previous TEXT, -- the id of the answer that it goes on from
    provider TEXT NOT NULL,
    model    TEXT NOT NULL,
    key      INTEGER, -- which of the provider's keys; NULL where the content is here
    input    BLOB, -- JSON; NULL where the provider keeps the answer
    response BLOB, -- JSON; NULL where the provider keeps the answer
    bytes    INTEGER NOT NULL,
    used     INTEGER NOT NULL, -- seconds since the Unix epoch
    UNIQUE (owner, id)
) STRICT;
CREATE INDEX responses_by_use ON responses (used, seq);

-- One row: what is there in all, so that nothing has to be counted.
CREATE TABLE totals (rows INTEGER NOT NULL, bytes INTEGER NOT NULL) STRICT;
INSERT INTO totals VALUES (0, 0);
CREATE TRIGGER responses_in AFTER INSERT ON responses BEGIN
    UPDATE totals SET rows = rows + 1, bytes = bytes + NEW.bytes;
END;
CREATE TRIGGER responses_out AFTER DELETE ON responses BEGIN
    UPDATE totals SET rows = rows - 1, bytes = bytes - OLD.bytes;
END;
