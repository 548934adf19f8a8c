-- One row a client request. The id is time-ordered, so rows are only ever appended and no secondary
-- index is needed: every question has a range of ids.
CREATE TABLE requests (
    id                  INTEGER PRIMARY KEY,
    started_us          INTEGER NOT NULL, -- microseconds since the Unix epoch
    organisation        TEXT,
    project             TEXT,
    team                TEXT,
    user_id             TEXT,
    key_id              TEXT,
    agent               TEXT,
    session             TEXT,
    trace_id            BLOB, -- 16 bytes
    parent_span         BLOB, -- 8 bytes
    trace_flags         INTEGER NOT NULL,
    tags                TEXT, -- as sent: key=value,key=value
    operation           TEXT NOT NULL,
    streamed            INTEGER NOT NULL,
    requested_model     TEXT NOT NULL,
    route               TEXT,
    attempts            INTEGER NOT NULL, -- number of rows in attempts
    input_tokens        INTEGER NOT NULL, -- includes cached and cache-write tokens
    cached_input_tokens INTEGER NOT NULL,
    cache_write_tokens  INTEGER NOT NULL,
    output_tokens       INTEGER NOT NULL, -- includes reasoning tokens
    reasoning_tokens    INTEGER NOT NULL,
    input_audio_tokens  INTEGER NOT NULL,
    output_audio_tokens INTEGER NOT NULL,
    usage_source        TEXT NOT NULL, -- reported, counted, estimated, unknown
    cost_input          INTEGER, -- nano-dollars; all cost columns are NULL where no price is known
    cost_cached_input   INTEGER,
    cost_cache_write    INTEGER,
    cost_output         INTEGER,
    cost_reasoning      INTEGER,
    cost_other          INTEGER,
    cost_nanos          INTEGER GENERATED ALWAYS AS (cost_input + cost_cached_input + cost_cache_write
                        + cost_output + cost_reasoning + cost_other) VIRTUAL,
    price_version       INTEGER NOT NULL,
    config_generation   INTEGER NOT NULL,
    status              INTEGER NOT NULL, -- HTTP; 0 where the client left before one was sent
    outcome             TEXT NOT NULL,
    timeout_phase       TEXT,
    error               TEXT,
    duration_us         INTEGER NOT NULL,
    first_token_us      INTEGER,
    overhead_us         INTEGER NOT NULL,
    request_bytes       INTEGER NOT NULL,
    response_bytes      INTEGER NOT NULL,
    simulated           INTEGER NOT NULL
) STRICT;

-- One row an upstream call.
CREATE TABLE attempts (
    request_id          INTEGER NOT NULL,
    n                   INTEGER NOT NULL, -- from 0, in order
    provider            TEXT NOT NULL,
    model               TEXT NOT NULL,
    outcome             TEXT NOT NULL,
    timeout_phase       TEXT,
    retry_after_ms      INTEGER,
    status              INTEGER,
    started_us          INTEGER NOT NULL, -- after the request's start
    first_byte_us       INTEGER, -- after the attempt's start
    duration_us         INTEGER NOT NULL,
    input_tokens        INTEGER NOT NULL,
    cached_input_tokens INTEGER NOT NULL,
    cache_write_tokens  INTEGER NOT NULL,
    output_tokens       INTEGER NOT NULL,
    reasoning_tokens    INTEGER NOT NULL,
    input_audio_tokens  INTEGER NOT NULL,
    output_audio_tokens INTEGER NOT NULL,
    usage_source        TEXT NOT NULL,
    cost_input          INTEGER,
    cost_cached_input   INTEGER,
    cost_cache_write    INTEGER,
    cost_output         INTEGER,
    cost_reasoning      INTEGER,
    cost_other          INTEGER,
    cost_nanos          INTEGER GENERATED ALWAYS AS (cost_input + cost_cached_input + cost_cache_write
                        + cost_output + cost_reasoning + cost_other) VIRTUAL,
    detail              TEXT,
    PRIMARY KEY (request_id, n)
) STRICT, WITHOUT ROWID;

-- Only for requests whose route keeps bodies.
CREATE TABLE bodies (
    request_id INTEGER PRIMARY KEY,
    request    BLOB NOT NULL,
    response   BLOB NOT NULL
) STRICT;

-- One row: how many requests there are, so that retention never has to count them.
CREATE TABLE totals (rows INTEGER NOT NULL) STRICT;
INSERT INTO totals VALUES (0);
