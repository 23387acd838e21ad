//! Foreign keys without an index on the referring side: each DELETE or key change on the other side reads the whole table.

use super::listing::Listing;
use super::{Check, LookAt};
use crate::config::CheckName;
use crate::health::{PostgresView, Seen};

pub(super) const CHECK: Check = Check {
    name: CheckName::UnindexedForeignKeys,
    about: "foreign keys without an index on the referring side, of tables from 1 MiB",
    deep: false,
    warning: Some(1.0),
    critical: None,
    source: "PostgreSQL's manual, Foreign Keys: \"it is often a good idea to index the referencing columns too\"; a table \
             below 1 MiB is read in a millisecond",
    look: LookAt { postgres: Some(|view| Box::pin(look(view))), sqlite: None, own: None },
};

/// An index serves if its first columns are the key's, in any order; a partial one if it leaves out no more than NULLs.
/// A partitioned table counts whatever its size; its partitions have its keys.
const KEYS: &str = "SELECT * FROM (
        SELECT format('%s.%s', n.nspname, r.relname) AS object, c.conname::text AS name,
            format('%s.%s (%s) → %s: %s', n.nspname, r.relname, (SELECT string_agg(a.attname, ', ' ORDER BY k.nr)
                FROM unnest(c.conkey) WITH ORDINALITY k (attnum, nr)
                JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.attnum),
                c.confrelid::regclass, c.conname) AS detail, r.oid, r.relkind
        FROM pg_constraint c JOIN pg_class r ON r.oid = c.conrelid JOIN pg_namespace n ON n.oid = r.relnamespace
        WHERE c.contype = 'f' AND c.conparentid = 0 AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
            AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.conrelid AND i.indisvalid
                AND i.indnkeyatts >= cardinality(c.conkey)
                AND (i.indkey::int2[])[0:cardinality(c.conkey) - 1] @> c.conkey
                AND (i.indpred IS NULL OR pg_get_expr(i.indpred, i.indrelid) ~ '^\\([^ ()]+ IS NOT NULL\\)$'))) bare
    WHERE relkind = 'p' OR pg_relation_size(oid) >= 1048576 ORDER BY object, name";

async fn look(view: &mut PostgresView<'_>) -> Seen {
    let rows = view.rows(KEYS).await?;
    let seen = Listing::of(&view.own, &rows)?.count(
        &view.own,
        "foreign key without an index",
        "foreign keys without an index",
    );
    seen.map(|verdict| verdict.advice("CREATE INDEX CONCURRENTLY on the referring columns"))
}
