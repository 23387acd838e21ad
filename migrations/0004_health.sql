-- What checks and jobs were found to be, what follows from it, and who was told.

-- What each check said last. `source`: who looked ('health', 'job', 'delivery'); `subject`: at what (a database, a job, a
-- channel); `name`: which check.
CREATE TABLE checks (
    source      TEXT NOT NULL,
    subject     TEXT NOT NULL,
    name        TEXT NOT NULL,
    status      TEXT NOT NULL CHECK (status IN ('ok', 'warning', 'critical', 'unknown', 'not_applicable')),
    -- Since when it has said so without interruption.
    since_ms    INTEGER NOT NULL,
    observed_ms INTEGER NOT NULL,
    observation TEXT NOT NULL,
    PRIMARY KEY (source, subject, name)
) WITHOUT ROWID;

-- Observations that the alert engine has not looked at yet, in their order.
CREATE TABLE observations (
    seq         INTEGER PRIMARY KEY AUTOINCREMENT,
    source      TEXT NOT NULL,
    subject     TEXT NOT NULL,
    name        TEXT NOT NULL,
    status      TEXT NOT NULL,
    observed_ms INTEGER NOT NULL,
    observation TEXT NOT NULL
);

-- Figures that checks keep for comparison: counters, sizes. One row per moment.
CREATE TABLE samples (
    database    TEXT NOT NULL,
    metric      TEXT NOT NULL,
    object      TEXT NOT NULL DEFAULT '',
    at_ms       INTEGER NOT NULL,
    value       REAL NOT NULL,
    PRIMARY KEY (database, metric, object, at_ms)
) WITHOUT ROWID;
CREATE INDEX samples_by_age ON samples (at_ms);

-- What the alert engine keeps of each check between two looks, as JSON; see alert/engine.
CREATE TABLE tracks (
    source      TEXT NOT NULL,
    subject     TEXT NOT NULL,
    name        TEXT NOT NULL,
    track       TEXT NOT NULL,
    PRIMARY KEY (source, subject, name)
) WITHOUT ROWID;

-- A check or a job that is not as it should be, from first to last.
CREATE TABLE incidents (
    id                TEXT PRIMARY KEY NOT NULL,
    source            TEXT NOT NULL,
    subject           TEXT NOT NULL,
    name              TEXT NOT NULL,
    -- What it is; once it is over, what it was last.
    status            TEXT NOT NULL CHECK (status IN ('unknown', 'warning', 'critical')),
    worst             TEXT NOT NULL CHECK (worst IN ('unknown', 'warning', 'critical')),
    -- Since when things were not as they should be, when that became an incident, when it was over.
    since_ms          INTEGER NOT NULL,
    opened_ms         INTEGER NOT NULL,
    changed_ms        INTEGER NOT NULL,
    closed_ms         INTEGER,
    -- Since when it has been going back and forth.
    flapping_ms       INTEGER,
    acked_ms          INTEGER,
    acked_by          TEXT,
    -- What was observed last, and at its worst.
    observation       TEXT NOT NULL,
    worst_observation TEXT NOT NULL
) WITHOUT ROWID;
CREATE UNIQUE INDEX incidents_open ON incidents (source, subject, name) WHERE closed_ms IS NULL;
CREATE INDEX incidents_closed ON incidents (closed_ms) WHERE closed_ms IS NOT NULL;

-- What each channel was last told of an incident; 'ok': that it is over.
CREATE TABLE told (
    incident_id TEXT NOT NULL REFERENCES incidents (id) ON DELETE CASCADE,
    channel     TEXT NOT NULL,
    status      TEXT NOT NULL,
    flapping    INTEGER NOT NULL,
    escalated   INTEGER NOT NULL,
    first_ms    INTEGER NOT NULL,
    last_ms     INTEGER NOT NULL,
    reminders   INTEGER NOT NULL,
    PRIMARY KEY (incident_id, channel)
) WITHOUT ROWID;
CREATE INDEX told_unfinished ON told (incident_id) WHERE status <> 'ok';

-- Moments that the alert engine remembers: of the last message to a channel, of the last digest.
CREATE TABLE marks (
    name        TEXT PRIMARY KEY NOT NULL,
    at_ms       INTEGER NOT NULL
) WITHOUT ROWID;

-- Notifications, one row for each recipient, in the order in which they were decided upon.
CREATE TABLE outbox (
    seq          INTEGER PRIMARY KEY AUTOINCREMENT,
    message_id   TEXT NOT NULL,
    channel      TEXT NOT NULL,
    recipient    TEXT NOT NULL,
    message      TEXT NOT NULL,
    -- waiting; delivered; refused: another attempt would not help; expired: it was too late.
    state        TEXT NOT NULL CHECK (state IN ('waiting', 'delivered', 'refused', 'expired')),
    queued_ms    INTEGER NOT NULL,
    expires_ms   INTEGER NOT NULL,
    attempts     INTEGER NOT NULL DEFAULT 0,
    tried_ms     INTEGER,
    -- When it is tried again.
    next_ms      INTEGER,
    settled_ms   INTEGER,
    -- What the other side answered, or what went wrong.
    answer       TEXT
);
CREATE INDEX outbox_waiting ON outbox (channel, recipient, seq) WHERE state = 'waiting';
CREATE INDEX outbox_settled ON outbox (settled_ms) WHERE settled_ms IS NOT NULL;

-- What people do not want to hear of for a while.
CREATE TABLE silences (
    id          TEXT PRIMARY KEY NOT NULL,
    -- A check, a job, a database; DATABASE/CHECK.
    target      TEXT NOT NULL,
    reason      TEXT NOT NULL,
    made_by     TEXT NOT NULL,
    made_ms     INTEGER NOT NULL,
    until_ms    INTEGER NOT NULL
) WITHOUT ROWID;
