//! Triggers that are switched off: what they guard is not guarded. Those behind foreign keys count too.

use super::listing::Listing;
use super::{Check, LookAt};
use crate::config::CheckName;
use crate::health::{PostgresView, Seen};

pub(super) const CHECK: Check = Check {
    name: CheckName::DisabledTriggers,
    about: "triggers that are switched off",
    deep: false,
    warning: Some(1.0),
    critical: None,
    source: "ALTER TABLE … DISABLE TRIGGER ALL switches foreign keys off too, and is easily forgotten after a load",
    look: LookAt { postgres: Some(|view| Box::pin(look(view))), sqlite: None, own: None },
};

/// A foreign key has two internal triggers on each side: one line for each table.
const TRIGGERS: &str =
    "SELECT format('%s.%s', n.nspname, r.relname) AS object, coalesce(k.conname, t.tgname)::text AS name,
        format('%s.%s: %s', n.nspname, r.relname, CASE WHEN k.oid IS NULL THEN 'trigger ' || t.tgname
            ELSE 'foreign key ' || k.conname || ' is not enforced' END) AS detail
    FROM pg_trigger t JOIN pg_class r ON r.oid = t.tgrelid JOIN pg_namespace n ON n.oid = r.relnamespace
    LEFT JOIN pg_constraint k ON k.oid = t.tgconstraint AND k.contype = 'f'
    WHERE t.tgenabled = 'D' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    GROUP BY 1, 2, 3 ORDER BY 3";

async fn look(view: &mut PostgresView<'_>) -> Seen {
    let rows = view.rows(TRIGGERS).await?;
    let seen = Listing::of(&view.own, &rows)?.count(&view.own, "trigger is switched off", "triggers are switched off");
    seen.map(|verdict| {
        verdict.advice("ALTER TABLE … ENABLE TRIGGER …; rows that came in meanwhile were not looked at: check them")
    })
}
