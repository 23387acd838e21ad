-- A copy may be bad: something is there, but not the bytes of the manifest; it is kept until a good one replaces it. A
-- check of a column cannot be changed, so the table is made anew.
CREATE TABLE backup_copies_new (
    backup_id   TEXT NOT NULL REFERENCES backups (id) ON DELETE CASCADE,
    store       TEXT NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('writing', 'complete', 'missing', 'leftover', 'bad', 'deleting')),
    error       TEXT,
    changed_ms  INTEGER NOT NULL,
    PRIMARY KEY (backup_id, store)
) WITHOUT ROWID;
INSERT INTO backup_copies_new (backup_id, store, state, error, changed_ms)
    SELECT backup_id, store, state, error, changed_ms FROM backup_copies;
DROP TABLE backup_copies;
ALTER TABLE backup_copies_new RENAME TO backup_copies;
CREATE INDEX backup_copies_unsettled ON backup_copies (backup_id) WHERE state IN ('writing', 'leftover', 'deleting');
