//! The queue in PostgreSQL.

use std::time::Duration;

use super::{Names, Script};
use crate::database::schema::Relation;
use crate::privacy::dialect::{Dialect as _, PostgresDialect};
use crate::privacy::fragment::{Fragment, Scalar};
use crate::privacy::ground::{Ground, GroundError};

/// Who else may read a table.
const READERS: &str = "SELECT string_agg(DISTINCT coalesce(r.rolname::text, 'PUBLIC'), ', ')
    FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) a LEFT JOIN pg_roles r ON r.oid = a.grantee
    WHERE a.privilege_type = 'SELECT' AND a.grantee <> c.relowner AND r.rolname IS DISTINCT FROM current_user
      AND c.oid = ";

/// The role that we are there.
pub async fn role(ground: &mut dyn Ground) -> Result<String, GroundError> {
    let rows = ground.ask(&Fragment::text("SELECT current_user::text").finish(ground.dialect().placeholder())).await?;
    Ok(rows.first().and_then(|row| row.first()).and_then(Scalar::shown).unwrap_or_default())
}

/// Which roles besides the owner and ours may read a table.
pub async fn readers(ground: &mut dyn Ground, table: &Relation) -> Result<Option<String>, GroundError> {
    let mut question = Fragment::text(READERS);
    question.append(Fragment::value(Scalar::Text(PostgresDialect.table(table)), "regclass"));
    let rows = ground.ask(&question.finish(ground.dialect().placeholder())).await?;
    Ok(rows.first().and_then(|row| row.first()).and_then(Scalar::shown))
}

/// A name in its quotes.
fn name(name: &str) -> String {
    PostgresDialect.name(name)
}

/// Text in its quotes.
fn text(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

pub(super) fn install(names: &Names, role: &str, lock_timeout: Duration) -> Script {
    let (subject, queue) = (PostgresDialect.table(&names.subject), PostgresDialect.table(&names.queue));
    let function = format!("{}.{}", name(&names.queue.schema), name(&names.trigger));
    let (trigger, key, key_type, role) = (name(&names.trigger), name(&names.key), &names.key_type, name(role));
    let first = format!(
        r#"CREATE TABLE IF NOT EXISTS {queue} (
    "request"    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    "subject"    {key_type} NOT NULL,                  -- the person, by the key of the subject
    "reason"     text,                                 -- it is kept, so it must not tell who
    "received"   timestamptz NOT NULL DEFAULT now(),
    "by_trigger" boolean NOT NULL DEFAULT false,
    "taken"      timestamptz,                          -- when Caretaker's ledger had it
    UNIQUE ("subject", "request")
);
-- It holds identities: Caretaker reads it, and nobody else needs to. An application that asks for erasures itself:
-- GRANT INSERT ("subject", "reason", "received") on this table.
REVOKE ALL ON TABLE {queue} FROM PUBLIC;
GRANT SELECT, DELETE, UPDATE ("taken") ON TABLE {queue} TO {role};"#
    );
    let then = format!(
        r#"-- It writes with its owner's rights: who may delete a person needs none on the queue.
CREATE OR REPLACE FUNCTION {function}() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $caretaker$
BEGIN
    IF OLD.{key} IS NOT NULL THEN
        INSERT INTO {queue} ("subject", "by_trigger") VALUES (OLD.{key}, true);
    END IF;
    RETURN NULL;
END
$caretaker$;
-- Or else anybody could hang it on a table of their own, and have others erased.
REVOKE ALL ON FUNCTION {function}() FROM PUBLIC;

DO $caretaker$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_trigger WHERE tgrelid = {regclass}::regclass AND tgname = {tgname}) THEN
        CREATE TRIGGER {trigger} AFTER DELETE ON {subject} FOR EACH ROW EXECUTE FUNCTION {function}();
    END IF;
END
$caretaker$;"#,
        regclass = text(&subject),
        tgname = text(&names.trigger),
    );
    let about = format!(
        "Who is deleted from {subject} is written down in {queue}, and nothing else is done there.\nCaretaker erases them \
         wherever else the policy `{}` says that they stand.",
        names.policy
    );
    Script { about, begin: begin(lock_timeout), first, unless: None, then }
}

pub(super) fn uninstall(names: &Names, is_there: bool, lock_timeout: Duration) -> Script {
    let (subject, queue) = (PostgresDialect.table(&names.subject), PostgresDialect.table(&names.queue));
    let function = format!("{}.{}", name(&names.queue.schema), name(&names.trigger));
    // In the order in which an application's DELETE takes them, or else the two could wait for each other.
    let mut first = format!("DROP TRIGGER IF EXISTS {} ON {subject};", name(&names.trigger));
    if is_there {
        first.push_str(&format!("\nLOCK TABLE {queue} IN ACCESS EXCLUSIVE MODE;"));
    }
    Script {
        about: format!("Who is deleted from {subject} is no longer written down, and {queue} goes."),
        begin: begin(lock_timeout),
        first,
        unless: is_there.then(|| format!("SELECT 1 FROM {queue} LIMIT 1")),
        then: format!("DROP FUNCTION IF EXISTS {function}();\nDROP TABLE IF EXISTS {queue};"),
    }
}

fn begin(lock_timeout: Duration) -> String {
    format!("BEGIN;\nSET LOCAL lock_timeout = '{}ms';", lock_timeout.as_millis().max(1))
}
