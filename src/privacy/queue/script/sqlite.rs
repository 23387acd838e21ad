//! The queue in SQLite.

use super::{Names, Script};
use crate::privacy::dialect::{Dialect as _, SqliteDialect};

/// A name in its quotes. Inside a trigger no table has a schema: it is that of the trigger.
fn name(name: &str) -> String {
    SqliteDialect.name(name)
}

pub(super) fn install(names: &Names) -> Script {
    let (subject, queue) = (name(&names.subject.name), name(&names.queue.name));
    let (trigger, key, key_type) = (name(&names.trigger), name(&names.key), &names.key_type);
    let first = format!(
        r#"CREATE TABLE IF NOT EXISTS {queue} (
    "request"    INTEGER PRIMARY KEY,
    "subject"    {key_type} NOT NULL,    -- the person, by the key of the subject
    "reason"     TEXT,    -- it is kept, so it must not tell who
    "received"   TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    "by_trigger" INTEGER NOT NULL DEFAULT 0,
    "taken"      TEXT,    -- when Caretaker's ledger had it
    UNIQUE ("subject", "request")
);"#
    );
    let then = format!(
        r#"DROP TRIGGER IF EXISTS {trigger};
CREATE TRIGGER {trigger} AFTER DELETE ON {subject} FOR EACH ROW WHEN OLD.{key} IS NOT NULL
BEGIN
    INSERT INTO {queue} ("subject", "by_trigger") VALUES (OLD.{key}, 1);
END;"#
    );
    let about = format!(
        "Who is deleted from {subject} is written down in {queue}, and nothing else is done there.\nCaretaker erases them \
         wherever else the policy `{}` says that they stand.",
        names.policy
    );
    Script { about, begin: "BEGIN IMMEDIATE;".to_owned(), first, unless: None, then }
}

pub(super) fn uninstall(names: &Names, is_there: bool) -> Script {
    let (subject, queue) = (name(&names.subject.name), name(&names.queue.name));
    Script {
        about: format!("Who is deleted from {subject} is no longer written down, and {queue} goes."),
        begin: "BEGIN IMMEDIATE;".to_owned(),
        first: format!("DROP TRIGGER IF EXISTS {};", name(&names.trigger)),
        unless: is_there.then(|| format!("SELECT 1 FROM {queue} LIMIT 1")),
        then: format!("DROP TABLE IF EXISTS {queue};"),
    }
}
