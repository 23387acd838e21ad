//! Indexes that are invalid: written at every change, used by nobody, and if unique, guarding nothing. What CREATE INDEX
//! CONCURRENTLY or REINDEX CONCURRENTLY left behind when it failed.

use super::listing::Listing;
use super::{Check, LookAt};
use crate::config::CheckName;
use crate::health::view::figure;
use crate::health::{PostgresView, Seen, Unseen};

pub(super) const CHECK: Check = Check {
    name: CheckName::InvalidIndexes,
    about: "indexes that are invalid, and not being built",
    deep: false,
    warning: Some(1.0),
    critical: None,
    source: "PostgreSQL's manual, CREATE INDEX, Building Indexes Concurrently",
    look: LookAt { postgres: Some(|view| Box::pin(look(view))), sqlite: None, own: None },
};

/// One that is being built has a row in the progress view, by its table alone before it has an oid; one that is being
/// dropped concurrently is locked.
const INDEXES: &str = "SELECT format('%s.%s', n.nspname, t.relname) AS object, c.relname::text AS name,
        format('%s.%s on %s.%s, %s%s', n.nspname, c.relname, n.nspname, t.relname, pg_size_pretty(pg_relation_size(c.oid)),
            CASE WHEN i.indisunique THEN ', unique' ELSE '' END) AS detail
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid
    JOIN pg_namespace n ON n.oid = t.relnamespace
    WHERE NOT (i.indisvalid AND i.indisready AND i.indislive)
        AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.datname = current_database()
            AND (p.index_relid = i.indexrelid OR p.relid = i.indrelid AND p.index_relid = 0))
        AND NOT EXISTS (SELECT FROM pg_locks l WHERE l.locktype = 'relation' AND l.relation = i.indexrelid AND l.granted
            AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
            AND l.mode IN ('ShareUpdateExclusiveLock', 'AccessExclusiveLock'))
    ORDER BY 1, 2";

/// Without pg_monitor others' builds are there, but not of what.
const BUILDING: &str = "SELECT count(*) AS builds, count(*) FILTER (WHERE relid IS NULL) AS hidden
    FROM pg_stat_progress_create_index WHERE datname = current_database()";

async fn look(view: &mut PostgresView<'_>) -> Seen {
    let building = view.row(BUILDING).await?;
    let (builds, hidden): (i64, i64) = (figure(&building, "builds")?, figure(&building, "hidden")?);
    let rows = view.rows(INDEXES).await?;
    if hidden > 0 && !rows.is_empty() {
        let why = "there are invalid indexes, and somebody builds some that are hidden from this role";
        return Err(Unseen::unknown(why).cure(super::MONITOR));
    }
    let seen = Listing::of(&view.own, &rows)?.count(&view.own, "index is invalid", "indexes are invalid");
    let advice = "drop it (DROP INDEX CONCURRENTLY) and build it again, or REINDEX INDEX CONCURRENTLY";
    let being_built = (builds > 0).then(|| format!("{builds} being built"));
    seen.map(|verdict| verdict.evidence(being_built).advice(advice))
}
