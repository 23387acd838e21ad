//! Indexes that repeat another of the same table: the same columns, order, operators, expressions and condition.

use super::listing::few;
use super::{Check, LookAt};
use crate::config::CheckName;
use crate::health::view::figure;
use crate::health::{PostgresView, Seen, Verdict};
use crate::units;

pub(super) const CHECK: Check = Check {
    name: CheckName::DuplicateIndexes,
    about: "indexes that repeat another, by their size together",
    deep: false,
    warning: Some(10.0 * 1024.0 * 1024.0),
    critical: None,
    source: "as unused indexes: below 10 MiB the cost hardly shows",
    look: LookAt { postgres: Some(|view| Box::pin(look(view))), sqlite: None, own: None },
};

/// Of those that are alike the primary key stays, then a constraint's, then a unique one, then the oldest. The index of a
/// partition goes with its parent's and is not counted by itself.
const INDEXES: &str = "SELECT format('%s.%s', n.nspname, t.relname) AS object, c.relname::text AS name,
        k.relname::text AS kept, pg_relation_size(c.oid) AS bytes
    FROM (SELECT i.indexrelid, i.indrelid, first_value(i.indexrelid) OVER (alike ORDER BY i.indisprimary DESC,
                EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.conrelid = i.indrelid) DESC,
                i.indisunique DESC, i.indexrelid) AS keep
        FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
        WHERE i.indisvalid AND NOT x.relispartition AND i.indexrelid >= 16384
        WINDOW alike AS (PARTITION BY i.indrelid, x.relam, i.indnkeyatts, i.indkey::text, i.indclass::text,
            i.indcollation::text, i.indoption::text, pg_get_expr(i.indexprs, i.indrelid),
            pg_get_expr(i.indpred, i.indrelid))) d
    JOIN pg_class c ON c.oid = d.indexrelid JOIN pg_class k ON k.oid = d.keep JOIN pg_class t ON t.oid = d.indrelid
    JOIN pg_namespace n ON n.oid = t.relnamespace
    WHERE d.indexrelid <> d.keep AND n.nspname !~ '^pg_' ORDER BY bytes DESC, 1, 2";

#[allow(clippy::cast_precision_loss, reason = "sizes of databases are below 2^52 bytes")]
async fn look(view: &mut PostgresView<'_>) -> Seen {
    let rows = view.rows(INDEXES).await?;
    let (mut total, mut lines) = (0.0, Vec::new());
    for row in &rows {
        let (object, name, kept): (String, String, String) =
            (figure(row, "object")?, figure(row, "name")?, figure(row, "kept")?);
        let exclude = &view.own.exclude;
        if exclude.leaves_out(&object) || exclude.leaves_out(&format!("{object}.{name}")) {
            continue;
        }
        let bytes = figure::<i64>(row, "bytes")? as f64;
        total += bytes;
        lines.push(format!("{name} on {object}, {}, repeats {kept}", units::bytes(bytes)));
    }
    let summary = match lines.len() {
        0 => "no index repeats another".to_owned(),
        1 => format!("1 index repeats another, {}", units::bytes(total)),
        several => format!("{several} indexes repeat others, {} together", units::bytes(total)),
    };
    Ok(Verdict::new(view.own.limits.judge(total), summary).figure(total).evidence(few(lines)).advice(
        "DROP INDEX CONCURRENTLY of those that repeat; where a constraint owns it, ALTER TABLE … DROP CONSTRAINT",
    ))
}
