//! Tables without a primary key: rows that nothing can name, and that logical replication cannot update.

use super::listing::Listing;
use super::{Check, LookAt};
use crate::config::CheckName;
use crate::health::{PostgresView, Seen};

pub(super) const CHECK: Check = Check {
    name: CheckName::MissingPrimaryKeys,
    about: "tables without a primary key",
    deep: false,
    warning: Some(1.0),
    critical: None,
    source: "PostgreSQL's manual, Logical Replication: UPDATE and DELETE need a replica identity",
    look: LookAt { postgres: Some(|view| Box::pin(look(view))), sqlite: None, own: None },
};

/// Partitions have what their parent has; tables of extensions are theirs.
const TABLES: &str = "SELECT format('%s.%s', n.nspname, c.relname) AS object, NULL::text AS name,
        format('%s.%s%s', n.nspname, c.relname, CASE WHEN EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid
            AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL) THEN ', has a unique index' ELSE '' END) AS detail
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND NOT c.relispartition
        AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
        AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary)
        AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 1259 AND d.objid = c.oid AND d.deptype = 'e')
    ORDER BY 1";

async fn look(view: &mut PostgresView<'_>) -> Seen {
    let rows = view.rows(TABLES).await?;
    let seen =
        Listing::of(&view.own, &rows)?.count(&view.own, "table without a primary key", "tables without a primary key");
    seen.map(|verdict| {
        verdict.advice(
            "add one (ALTER TABLE … ADD PRIMARY KEY USING INDEX … where a unique index is there), or exclude it",
        )
    })
}
