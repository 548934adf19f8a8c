-- One row a change of the set-up. Rows are never deleted: changes are few.
CREATE TABLE changes (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    at_us       INTEGER NOT NULL, -- microseconds since the Unix epoch
    actor       TEXT NOT NULL, -- the credential, by its public name
    address     TEXT, -- the client's; NULL where a file was edited on this machine
    action      TEXT NOT NULL,
    target      TEXT,
    before_hash TEXT, -- SHA-256 of the configuration, hexadecimal
    after_hash  TEXT,
    state       TEXT NOT NULL, -- begun, done, failed
    detail      TEXT
) STRICT;
