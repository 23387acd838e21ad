//! Sequences that near the end of their range, or of the column that they fill.

use super::{Check, LookAt};
use crate::config::CheckName;
use crate::health::view::{figure, optional};
use crate::health::{PostgresView, Seen, Unseen, Verdict};
use crate::state::Status;

pub(super) const CHECK: Check = Check {
    name: CheckName::Sequences,
    about: "how much of its range, or of its column's, a sequence has used",
    deep: false,
    warning: Some(0.85),
    critical: Some(0.95),
    source: "check_postgres (sequence): 85 % and 95 %",
    look: LookAt { postgres: Some(|view| Box::pin(look(view))), sqlite: None, own: None },
};

/// A sequence that belongs to a column ends where the column's type does. One that cycles has no end. `last_value` is
/// NULL until the first `nextval`, and for a role without privileges.
const SEQUENCES: &str = "SELECT format('%I.%I', q.schemaname, q.sequencename) AS name, q.last_value,
        q.start_value, q.increment_by,
        greatest(q.min_value, coalesce(t.least, q.min_value)) AS least,
        least(q.max_value, coalesce(t.most, q.max_value)) AS most,
        t.col AS filled, quote_ident(q.schemaname) AS schema,
        has_sequence_privilege(c.oid, 'USAGE') OR has_sequence_privilege(c.oid, 'SELECT') AS visible
    FROM pg_sequences q
    JOIN pg_namespace n ON n.nspname = q.schemaname
    JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = q.sequencename
    LEFT JOIN LATERAL (
        SELECT format('%s.%I', d.refobjid::regclass, a.attname) AS col,
            CASE a.atttypid WHEN 'int2'::regtype THEN -32768 WHEN 'int4'::regtype THEN -2147483648 END::int8 AS least,
            CASE a.atttypid WHEN 'int2'::regtype THEN 32767 WHEN 'int4'::regtype THEN 2147483647 END::int8 AS most
        FROM pg_depend d JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
        WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.refclassid = 'pg_class'::regclass
            AND d.deptype IN ('a', 'i') LIMIT 1) t ON true
    WHERE NOT q.cycle AND n.oid <> pg_my_temp_schema() ORDER BY 1";

/// How many of the numbers there are were given. A range is used from 1 on, where it holds 0: most sequences begin there,
/// and the numbers on the other side are no use to them.
#[allow(clippy::cast_precision_loss, reason = "a share does not need all digits of 2^63")]
fn used(last: i64, increment: i64, least: i64, most: i64) -> f64 {
    let beginning = if least < 0 && most > 0 {
        0.0
    } else if increment < 0 {
        most as f64 + 1.0
    } else {
        least as f64 - 1.0
    };
    let end = if increment < 0 { least } else { most };
    ((last as f64 - beginning) / (end as f64 - beginning)).max(0.0)
}

async fn look(view: &mut PostgresView<'_>) -> Seen {
    let mut found: Vec<(f64, String)> = Vec::new();
    let (mut hidden, mut all) = (Vec::new(), 0);
    for row in &view.rows(SEQUENCES).await? {
        let name: String = figure(row, "name")?;
        if view.own.exclude.leaves_out(&name) {
            continue;
        }
        all += 1;
        let (least, most, by): (i64, i64, i64) =
            (figure(row, "least")?, figure(row, "most")?, figure(row, "increment_by")?);
        match optional::<i64>(row, "last_value")? {
            Some(last) => {
                let share = used(last, by, least, most);
                let filled = optional::<String>(row, "filled")?.map(|column| format!(", fills {column}"));
                let end = if by < 0 { least } else { most };
                let line =
                    format!("{name}: at {last} of {end}, {}{}", crate::units::share(share), filled.unwrap_or_default());
                found.push((share, line));
            }
            None if figure::<bool>(row, "visible")? => {}
            None => hidden.push((name, figure::<String>(row, "schema")?)),
        }
    }
    if all == 0 {
        return Err(Unseen::not_applicable("there are no sequences"));
    }
    found.sort_by(|one, other| other.0.total_cmp(&one.0));
    let share = found.first().map_or(0.0, |(share, _)| *share);
    let status = view.own.limits.judge(share);
    if status == Status::Ok && !hidden.is_empty() {
        let why = format!("{} of {all} sequences are hidden from this role, {} among them", hidden.len(), hidden[0].0);
        let mut schemas: Vec<String> = hidden.into_iter().map(|(_, schema)| schema).collect();
        schemas.sort();
        schemas.dedup();
        let what = format!("SELECT ON ALL SEQUENCES IN SCHEMA {}", schemas.join(", "));
        return Err(Unseen::unknown(why).cure(super::grant(&what)));
    }
    let summary = found
        .first()
        .map_or_else(|| "no sequence was used yet".to_owned(), |(_, line)| format!("the fullest is {line}"));
    let evidence = found.into_iter().take(10).map(|(_, line)| line);
    Ok(Verdict::new(status, summary).figure(share).evidence(evidence).advice(
        "change the column to bigint and the sequence with it (ALTER SEQUENCE … AS bigint); that rewrites the table, so \
         plan it before the last number is taken",
    ))
}

#[cfg(test)]
mod tests {
    use super::used;

    #[test]
    fn the_share_is_that_of_the_numbers_there_are() {
        for (last, increment, least, most, expected) in [
            (90, 1, 1, 100, 0.9),
            (1, 1, 1, 100, 0.01),
            (100, 1, 1, 100, 1.0),
            (11, 1, 10, 19, 0.2),
            // A range that begins far below nothing is used from 0 on.
            (50, 1, i64::MIN, 100, 0.5),
            (-50, 1, i64::MIN, 100, 0.0),
            (91, -1, 1, 100, 0.1),
            (-50, -1, -100, -1, 0.5),
            (7, 1, 7, 7, 1.0),
        ] {
            let found = used(last, increment, least, most);
            assert!((found - expected).abs() < 0.001, "{last} by {increment} in {least}..{most}: {found}");
        }
    }
}
