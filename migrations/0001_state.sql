-- The state store: what the daemon and the commands remember. Instants are milliseconds since the epoch, ids UUIDv7
-- text, documents JSON text.

-- The jobs of the configuration, and from when on their slots count: a job is never caught up for slots that lie before
-- it was first seen with its present schedule.
CREATE TABLE jobs (
    job         TEXT PRIMARY KEY NOT NULL,
    schedule    TEXT NOT NULL,
    anchor_ms   INTEGER NOT NULL
) WITHOUT ROWID;

-- The ledger. One row per occurrence that was claimed or passed over; (job, slot) is unique, so nothing can run twice.
CREATE TABLE slots (
    job         TEXT NOT NULL,
    slot_ms     INTEGER NOT NULL,
    cause       TEXT NOT NULL CHECK (cause IN ('on_time', 'catch_up', 'skipped')),
    -- How many older occurrences this one stands for (or, when skipped, how many were passed over, itself included).
    missed      INTEGER NOT NULL DEFAULT 0,
    state       TEXT NOT NULL CHECK (state IN ('claimed', 'done', 'failed', 'skipped')),
    claimed_ms  INTEGER NOT NULL,
    settled_ms  INTEGER,
    PRIMARY KEY (job, slot_ms)
) WITHOUT ROWID;
CREATE INDEX slots_claimed ON slots (slot_ms, job) WHERE state = 'claimed';

CREATE TABLE runs (
    id                  TEXT PRIMARY KEY NOT NULL,
    job                 TEXT NOT NULL,
    slot_ms             INTEGER,
    cause               TEXT NOT NULL CHECK (cause IN ('on_time', 'catch_up', 'manual')),
    attempt             INTEGER NOT NULL,
    state               TEXT NOT NULL CHECK (state IN ('running', 'succeeded', 'partial', 'failed', 'cancelled', 'interrupted')),
    started_ms          INTEGER NOT NULL,
    finished_ms         INTEGER,
    host                TEXT NOT NULL,
    pid                 INTEGER NOT NULL,
    progress            TEXT,
    cancel_requested_ms INTEGER,
    error               TEXT,
    hint                TEXT,
    summary             TEXT
) WITHOUT ROWID;
CREATE INDEX runs_by_job ON runs (job, started_ms);
CREATE INDEX runs_running ON runs (job) WHERE state = 'running';

-- The catalogue. The stores are the truth; this is what is known of them.
CREATE TABLE backups (
    id          TEXT PRIMARY KEY NOT NULL,
    database    TEXT NOT NULL,
    job         TEXT,
    purpose     TEXT NOT NULL CHECK (purpose IN ('job', 'manual')),
    run_id      TEXT NOT NULL,
    -- The job, or what stands for it, that may write or remove this backup.
    lease       TEXT NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('writing', 'complete', 'partial', 'failed')),
    started_ms  INTEGER NOT NULL,
    finished_ms INTEGER,
    manifest    TEXT,
    pinned_ms   INTEGER,
    verified_ms INTEGER,
    -- What the last verification found; 'bad' takes the backup out of the good ones.
    verified    TEXT CHECK (verified IN ('good', 'bad')),
    verified_by TEXT
) WITHOUT ROWID;
CREATE INDEX backups_by_database ON backups (database, started_ms);
CREATE INDEX backups_by_lease ON backups (lease, started_ms);

CREATE TABLE backup_copies (
    backup_id   TEXT NOT NULL REFERENCES backups (id) ON DELETE CASCADE,
    store       TEXT NOT NULL,
    -- writing: being written, or cut off by a crash; complete: its manifest is there; missing: given up and cleaned;
    -- leftover: given up, remains may be there; deleting: its removal has begun.
    state       TEXT NOT NULL CHECK (state IN ('writing', 'complete', 'missing', 'leftover', 'deleting')),
    error       TEXT,
    changed_ms  INTEGER NOT NULL,
    PRIMARY KEY (backup_id, store)
) WITHOUT ROWID;
CREATE INDEX backup_copies_unsettled ON backup_copies (backup_id) WHERE state IN ('writing', 'leftover', 'deleting');

-- Requests to the daemon and its answers.
CREATE TABLE reloads (
    id           TEXT PRIMARY KEY NOT NULL,
    requested_ms INTEGER NOT NULL,
    answered_ms  INTEGER,
    accepted     INTEGER,
    message      TEXT
) WITHOUT ROWID;
