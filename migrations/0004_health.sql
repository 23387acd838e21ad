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
