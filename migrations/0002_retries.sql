-- When another attempt is due after a run that failed.
ALTER TABLE runs ADD COLUMN retry_ms INTEGER;
