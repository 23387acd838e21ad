//! Space that tables and B-tree indexes take in vain: an estimate, from the planner's statistics. What a row should take
//! is computed from the average width of its columns; what is beyond that, and beyond the fill factor, is counted as
//! bloat. Out by some per cent, and blind to the inside of TOAST tables; `pgstattuple` measures.

use super::{Check, LookAt};
use crate::config::CheckName;
use crate::health::view::figure;
use crate::health::{PostgresView, Seen, Unseen, Verdict};
use crate::state::Status;

pub(super) const CHECK: Check = Check {
    name: CheckName::Bloat,
    about: "space that tables and B-tree indexes take in vain (an estimate)",
    deep: true,
    warning: Some(0.50),
    critical: Some(0.80),
    source: "tables that are written to settle at 20 to 30 %, autovacuum's scale factor and fill; half is more than that",
    look: LookAt { postgres: Some(|view| Box::pin(look(view))), sqlite: None, own: None },
};

/// What wastes less is not worth a rewrite: 10 MiB.
const LEAST_BYTES: f64 = 10.0 * 1024.0 * 1024.0;

/// Page header 24, line pointer 4, row header 24 with the bitmap of NULLs; rows are padded to 8 bytes.
/// <https://www.postgresql.org/docs/current/storage-page-layout.html>
const TABLES: &str = "WITH widths AS (
        SELECT schemaname, tablename, sum(avg_width * (1 - null_frac))::float8 AS bytes
        FROM pg_stats WHERE NOT inherited GROUP BY 1, 2)
    SELECT format('%I.%I', n.nspname, c.relname) AS name, 'table' AS kind,
        (c.relpages * page.size)::float8 AS bytes,
        (ceil(c.reltuples * (4 + ceil((24 + w.bytes) / 8) * 8) / ((page.size - 24) * coalesce(fill.factor, 100) / 100))
            * page.size)::float8 AS needed
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN widths w ON w.schemaname = n.nspname AND w.tablename = c.relname
    CROSS JOIN (SELECT current_setting('block_size')::float8 AS size) page
    LEFT JOIN LATERAL (SELECT option_value::float8 AS factor FROM pg_options_to_table(c.reloptions)
        WHERE option_name = 'fillfactor') fill ON true
    WHERE c.relkind IN ('r', 'm') AND c.reltuples >= 0 AND c.relpages * page.size >= 10485760";

/// An index entry: line pointer 4, header 8, the key padded to 8 bytes; a page's header and special space take 40. The
/// width of a column is in the table's statistics, that of an expression in the index's own. Since 13 equal keys are
/// stored once, so an index with many of them seems to need more than it does, and is not reported.
const INDEXES: &str = "SELECT format('%I.%I', n.nspname, c.relname) AS name, 'index' AS kind,
        (c.relpages * page.size)::float8 AS bytes,
        (ceil(c.reltuples * (4 + ceil((8 + w.bytes) / 8) * 8) / ((page.size - 40) * coalesce(fill.factor, 90) / 100) + 2)
            * page.size)::float8 AS needed
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am m ON m.oid = c.relam AND m.amname = 'btree'
    JOIN pg_class t ON t.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    CROSS JOIN (SELECT current_setting('block_size')::float8 AS size) page
    JOIN LATERAL (
        SELECT sum(s.avg_width * (1 - s.null_frac))::float8 AS bytes, count(*) AS columns
        FROM pg_attribute a
        LEFT JOIN pg_attribute o ON o.attrelid = t.oid AND o.attnum = i.indkey[a.attnum - 1]
        JOIN pg_stats s ON s.schemaname = n.nspname AND NOT s.inherited
            AND ((s.tablename = t.relname AND s.attname = o.attname)
                OR (s.tablename = c.relname AND s.attname = a.attname AND i.indkey[a.attnum - 1] = 0))
        WHERE a.attrelid = c.oid AND a.attnum > 0) w ON w.columns = i.indnatts
    LEFT JOIN LATERAL (SELECT option_value::float8 AS factor FROM pg_options_to_table(c.reloptions)
        WHERE option_name = 'fillfactor') fill ON true
    WHERE c.reltuples >= 0 AND c.relpages * page.size >= 10485760 AND n.nspname <> 'pg_toast'";

/// pg_stats shows a table's columns to those who may read them; pg_monitor does not help.
const HIDDEN: &str = "SELECT format('%I.%I', n.nspname, c.relname) AS name
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'm') AND n.nspname !~ '^pg_' AND c.relpages::int8 * 8192 >= 10485760
        AND (NOT has_table_privilege(c.oid, 'SELECT') OR (c.relrowsecurity AND row_security_active(c.oid))) ORDER BY 1";

async fn look(view: &mut PostgresView<'_>) -> Seen {
    let mut rows = view.rows(TABLES).await?;
    rows.extend(view.rows(INDEXES).await?);
    let mut found: Vec<(f64, f64, String)> = Vec::new();
    for row in &rows {
        let (name, kind): (String, String) = (figure(row, "name")?, figure(row, "kind")?);
        let (bytes, needed): (f64, f64) = (figure(row, "bytes")?, figure(row, "needed")?);
        let wasted = bytes - needed;
        if wasted >= LEAST_BYTES && !view.own.exclude.leaves_out(&name) {
            found.push((wasted / bytes, wasted, format!("{kind} {name}")));
        }
    }
    let hidden = view.rows(HIDDEN).await?;
    found.sort_by(|one, other| other.0.total_cmp(&one.0));
    let share = found.first().map_or(0.0, |(share, ..)| *share);
    let status = view.own.limits.judge(share);
    if status == Status::Ok
        && let Some(first) = hidden.first()
    {
        let name: String = figure(first, "name")?;
        let why = format!("the statistics of {} tables are hidden from this role, {name} among them", hidden.len());
        let what = if view.server.major >= 14 { "pg_read_all_data".to_owned() } else { format!("SELECT ON {name}") };
        return Err(Unseen::unknown(why).cure(super::grant(&what)));
    }
    let line = |share: f64, wasted: f64, name: &str| {
        format!("{name}: about {} of it, {}", crate::units::share(share), crate::units::bytes(wasted))
    };
    let summary = match found.first() {
        Some((share, wasted, name)) => format!("estimated waste, the most in {}", line(*share, *wasted, name)),
        None => "no table or index is estimated to waste 10 MiB".to_owned(),
    };
    found.sort_by(|one, other| other.1.total_cmp(&one.1));
    let evidence: Vec<String> =
        found.iter().take(10).map(|(share, wasted, name)| line(*share, *wasted, name)).collect();
    Ok(Verdict::new(status, summary).figure(share).evidence(evidence).advice(
        "it is an estimate: measure with pgstattuple first. Then REINDEX CONCURRENTLY an index; rewrite a table with \
         pg_repack, or with VACUUM FULL where it may be locked meanwhile",
    ))
}
