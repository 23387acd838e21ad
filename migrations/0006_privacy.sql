-- What was disposed of, erased, held and approved.

-- What was done that people must be able to show, in its order, each line with the hash of the one before; see
-- docs/disposition-log.md. Lines are added and never touched again.
CREATE TABLE disposition_log (
    -- 1, 2, 3, … without gaps.
    seq         INTEGER PRIMARY KEY NOT NULL,
    at_ms       INTEGER NOT NULL,
    kind        TEXT NOT NULL,
    policy      TEXT,
    database    TEXT,
    run_id      TEXT,
    -- Who did it, and on which machine.
    who         TEXT NOT NULL,
    host        TEXT NOT NULL,
    -- JSON.
    detail      TEXT NOT NULL,
    -- SHA-256, hexadecimal; of the line before, and of this one with that.
    prev        TEXT NOT NULL,
    hash        TEXT NOT NULL
);
CREATE TRIGGER disposition_log_is_not_edited BEFORE UPDATE ON disposition_log
BEGIN SELECT RAISE(ABORT, 'the disposition log is only added to'); END;
CREATE TRIGGER disposition_log_is_not_cut BEFORE DELETE ON disposition_log
BEGIN SELECT RAISE(ABORT, 'the disposition log is only added to'); END;

-- The name under which the log's anchors stand in the stores, and up to which line each store was told.
CREATE TABLE log_name (
    one         INTEGER PRIMARY KEY NOT NULL CHECK (one = 1),
    name        TEXT NOT NULL
);
CREATE TABLE log_anchors (
    store       TEXT PRIMARY KEY NOT NULL,
    seq         INTEGER NOT NULL,
    at_ms       INTEGER NOT NULL
) WITHOUT ROWID;

-- The policy that somebody has looked at and approved.
CREATE TABLE approvals (
    policy      TEXT PRIMARY KEY NOT NULL,
    -- SHA-256 of what the policy says.
    hash        TEXT NOT NULL,
    approved_by TEXT NOT NULL,
    approved_ms INTEGER NOT NULL
) WITHOUT ROWID;

-- What must be kept for the time being, whatever the policy says.
CREATE TABLE holds (
    id          TEXT PRIMARY KEY NOT NULL,
    policy      TEXT NOT NULL,
    -- One of the two: a person, by the key that the policy's subject has; or rows of a table.
    subject     TEXT,
    rows_table  TEXT,
    rows_where  TEXT,
    reason      TEXT NOT NULL,
    made_by     TEXT NOT NULL,
    made_ms     INTEGER NOT NULL,
    until_ms    INTEGER,
    released_ms INTEGER,
    released_by TEXT,
    CHECK ((subject IS NULL) <> (rows_where IS NULL)),
    CHECK ((rows_table IS NULL) = (rows_where IS NULL))
) WITHOUT ROWID;
CREATE INDEX holds_by_policy ON holds (policy) WHERE released_ms IS NULL;

-- One application of one rule: written before the first row goes, with how far it has come.
CREATE TABLE dispositions (
    id          TEXT PRIMARY KEY NOT NULL,
    policy      TEXT NOT NULL,
    policy_hash TEXT NOT NULL,
    database    TEXT,
    rule        TEXT NOT NULL,
    run_id      TEXT NOT NULL,
    -- Rows older than this.
    cutoff_ms   INTEGER NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('running', 'completed', 'failed', 'abandoned')),
    planned     INTEGER NOT NULL,
    -- Rows that are gone or changed, in how many transactions, and how long those took.
    done        INTEGER NOT NULL DEFAULT 0,
    batches     INTEGER NOT NULL DEFAULT 0,
    busy_ms     INTEGER NOT NULL DEFAULT 0,
    longest_ms  INTEGER NOT NULL DEFAULT 0,
    -- Up to where, as JSON; only the rule's executor reads it.
    cursor      TEXT,
    started_ms  INTEGER NOT NULL,
    finished_ms INTEGER,
    -- When it was found that no backup holds the rows any more.
    copies_gone_ms INTEGER
) WITHOUT ROWID;
CREATE INDEX dispositions_by_rule ON dispositions (policy, rule, started_ms);

-- Who asked to be erased, and what became of it. Only an HMAC of the person stands here, so that it can itself be kept.
CREATE TABLE erasures (
    -- A UUIDv7.
    id           TEXT PRIMARY KEY NOT NULL,
    policy       TEXT NOT NULL,
    database     TEXT NOT NULL,
    -- HMAC-SHA-256 by the policy's key of the person's key in its canonical form, hexadecimal.
    subject_hmac TEXT NOT NULL,
    -- Which key that is; see docs/privacy.md.
    key_id       TEXT NOT NULL,
    -- Counts what has become of it: 1 when it is written down.
    version      INTEGER NOT NULL DEFAULT 1,
    reason       TEXT,
    requested_by TEXT NOT NULL,
    received_ms  INTEGER NOT NULL,
    due_ms       INTEGER NOT NULL,
    state        TEXT NOT NULL CHECK (state IN ('pending', 'deferred', 'completed', 'failed')),
    -- Why it is deferred or has failed.
    note         TEXT,
    -- The random tombstone that rows get while it is under way; forgotten when it is completed.
    tombstone    TEXT,
    completed_ms INTEGER,
    -- What was done and found afterwards, as JSON.
    certificate  TEXT,
    -- When it was found that no backup holds the person any more.
    copies_gone_ms INTEGER,
    CHECK ((state = 'completed') = (completed_ms IS NOT NULL)),
    CHECK (state <> 'completed' OR tombstone IS NULL)
) WITHOUT ROWID;
-- What an erasure has done so far, place by place: what a run did that was cut off counts as well.
CREATE TABLE erasure_rows (
    erasure     TEXT NOT NULL REFERENCES erasures (id),
    -- `sessions by user_id`
    place       TEXT NOT NULL,
    rows        INTEGER NOT NULL,
    PRIMARY KEY (erasure, place)
) WITHOUT ROWID;
CREATE INDEX erasures_by_subject ON erasures (policy, subject_hmac);
-- A person's erasure is under way once.
CREATE UNIQUE INDEX erasures_open ON erasures (policy, subject_hmac) WHERE state <> 'completed';

-- What stands in a store beside the backups: an erasure by its id, in which version.
CREATE TABLE stores_told (
    store       TEXT NOT NULL,
    object      TEXT NOT NULL,
    version     INTEGER NOT NULL,
    PRIMARY KEY (store, object)
) WITHOUT ROWID;
