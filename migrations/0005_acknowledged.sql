-- Whether a channel was told who is on an incident.
ALTER TABLE told ADD COLUMN acked INTEGER NOT NULL DEFAULT 0;
