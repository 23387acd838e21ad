//! Constraints that were added NOT VALID and never validated: old rows may break them.

use super::listing::Listing;
use super::{Check, LookAt};
use crate::config::CheckName;
use crate::health::{PostgresView, Seen};

pub(super) const CHECK: Check = Check {
    name: CheckName::UnvalidatedConstraints,
    about: "constraints that are NOT VALID",
    deep: false,
    warning: Some(1.0),
    critical: None,
    source: "NOT VALID is one half of a migration; PostgreSQL's manual, ALTER TABLE",
    look: LookAt { postgres: Some(|view| Box::pin(look(view))), sqlite: None, own: None },
};

/// `$enforced`: since 18 a constraint may be NOT ENFORCED on purpose, and is then never valid.
macro_rules! statement {
    ($enforced:literal) => {
        concat!(
            "SELECT format('%s.%s', n.nspname, r.relname) AS object, c.conname::text AS name,
                format('%s.%s: %s, %s', n.nspname, r.relname, c.conname, CASE c.contype WHEN 'f' THEN 'foreign key'
                    WHEN 'c' THEN 'check' WHEN 'n' THEN 'not null' ELSE c.contype::text END) AS detail
            FROM pg_constraint c JOIN pg_class r ON r.oid = c.conrelid JOIN pg_namespace n ON n.oid = r.relnamespace
            WHERE NOT c.convalidated AND c.conparentid = 0 AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'",
            $enforced,
            " ORDER BY 3"
        )
    };
}

const FROM_18: &str = statement!(" AND c.conenforced");
const BEFORE_18: &str = statement!("");

async fn look(view: &mut PostgresView<'_>) -> Seen {
    let rows = view.rows(if view.server.major >= 18 { FROM_18 } else { BEFORE_18 }).await?;
    let seen = Listing::of(&view.own, &rows)?.count(&view.own, "constraint is NOT VALID", "constraints are NOT VALID");
    seen.map(|verdict| verdict.advice("repair the rows that break it, then ALTER TABLE … VALIDATE CONSTRAINT …"))
}
