//! Some rows of each table: all of a small one, else from its beginning and from places all over it, never the whole of a
//! large one. Read only.

use std::time::Duration;

use super::hint::Hint;
use crate::database::schema::{Column, Family, Table, TableKind};
use crate::privacy::fragment::{Scalar, Statement};
use crate::privacy::ground::{Ground, GroundError};

/// Characters of a value that are read.
const CHARS: u32 = 2000;

/// How long one table may take.
const TABLE_WITHIN: Duration = Duration::from_secs(20);

/// A PostgreSQL table of at most so many pages is read whole (16 MiB).
const SMALL: u64 = 2048;

/// Values of each column, in the columns' order; none of columns whose type says what they hold.
pub(super) async fn values(
    table: &Table,
    ground: &mut dyn Ground,
    sample: u32,
) -> Result<Vec<Vec<String>>, GroundError> {
    let has_pages = ground.dialect().has_pages();
    let wanted: Vec<usize> = (0..table.columns.len())
        .filter(|at| is_worth_reading(&table.relation.name, &table.columns[*at], has_pages))
        .collect();
    let mut values = vec![Vec::new(); table.columns.len()];
    if wanted.is_empty() {
        return Ok(values);
    }
    ground.questions_within(TABLE_WITHIN).await?;
    let columns: Vec<&Column> = wanted.iter().map(|at| &table.columns[*at]).collect();
    let statements = match has_pages {
        true => postgres(table, &columns, ground, sample).await?,
        false => vec![sqlite(table, &columns, ground, sample)],
    };
    for sql in statements {
        for row in ground.ask(&statement(sql)).await? {
            for (at, value) in wanted.iter().zip(row) {
                if let Scalar::Text(text) = value {
                    values[*at].push(text);
                }
            }
        }
    }
    Ok(values)
}

/// PostgreSQL's types are kept; in SQLite a type is a wish.
fn is_worth_reading(table: &str, column: &Column, has_types: bool) -> bool {
    match column.family {
        Family::Bytes | Family::Boolean | Family::Uuid | Family::Number => !has_types,
        Family::Date | Family::LocalTimestamp | Family::Timestamp => !has_types || Hint::of(table, &column.name).birth,
        Family::Text | Family::Integer | Family::Network | Family::Json | Family::Other => true,
    }
}

fn statement(sql: String) -> Statement {
    Statement { sql, values: Vec::new() }
}

async fn postgres(
    table: &Table,
    columns: &[&Column],
    ground: &mut dyn Ground,
    sample: u32,
) -> Result<Vec<String>, GroundError> {
    let dialect = ground.dialect();
    let name = dialect.table(&table.relation);
    let read: Vec<String> =
        columns.iter().map(|column| format!("left((s.{})::text, {CHARS})", dialect.name(&column.name))).collect();
    let read = read.join(", ");
    let literal = format!("'{}'::regclass", name.replace('\'', "''"));
    // A partitioned table has no pages of its own.
    let size = format!(
        "SELECT ((pg_relation_size({literal}) + coalesce((SELECT sum(pg_relation_size(relid))
             FROM pg_partition_tree({literal}) WHERE relid <> {literal}::oid), 0))
             / current_setting('block_size')::int8)::int8::text"
    );
    let rows = ground.ask(&statement(size)).await?;
    let pages: u64 = rows.first().and_then(|row| row.first()?.shown()?.parse().ok()).unwrap_or(0);
    // Rows are drawn before their values are looked at: long ones lie elsewhere and are only read for those that are drawn.
    if pages <= SMALL {
        return Ok(vec![format!("SELECT {read} FROM (SELECT * FROM {name} ORDER BY random() LIMIT {sample}) s")]);
    }
    let first = sample / 4;
    let drawn = sample - first;
    #[allow(clippy::cast_precision_loss, reason = "a share")]
    let share = 100.0 * (f64::from(drawn).clamp(32.0, 512.0) / pages as f64);
    Ok(vec![
        format!("SELECT {read} FROM (SELECT * FROM {name} LIMIT {first}) s"),
        format!(
            "SELECT {read} FROM (SELECT * FROM {name} TABLESAMPLE SYSTEM ({share:.6}) ORDER BY random() LIMIT {drawn}) s"
        ),
    ])
}

/// From both ends, and by jumps along the rows' numbers.
fn sqlite(table: &Table, columns: &[&Column], ground: &mut dyn Ground, sample: u32) -> String {
    let dialect = ground.dialect();
    let name = dialect.table(&table.relation);
    let read: Vec<String> = columns
        .iter()
        .map(|column| {
            let column = dialect.name(&column.name);
            format!(
                "CASE typeof(s.{column}) WHEN 'blob' THEN NULL ELSE substr(CAST(s.{column} AS TEXT), 1, {CHARS}) END"
            )
        })
        .collect();
    let read = read.join(", ");
    let (end, jumps) = (sample.div_ceil(4), sample.div_ceil(2));
    let key: Vec<String> = table.key().into_iter().flatten().map(|column| dialect.name(&column.name)).collect();
    let number = match (&table.rowid, table.kind) {
        (Some(rowid), _) => Some(dialect.name(&rowid.name)),
        (None, TableKind::WithoutRowid) => None,
        // A key that is the row's number by its own name.
        (None, _) => key.first().filter(|_| key.len() == 1).cloned(),
    };
    match number {
        Some(id) => format!(
            "WITH RECURSIVE jump (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM jump WHERE i < {jumps}),
                 bounds (lo, hi) AS (SELECT (SELECT min({id}) FROM {name}), (SELECT max({id}) FROM {name})),
                 drawn (r) AS (
                     SELECT * FROM (SELECT {id} FROM {name} ORDER BY {id} LIMIT {end})
                     UNION SELECT * FROM (SELECT {id} FROM {name} ORDER BY {id} DESC LIMIT {end})
                     UNION SELECT (SELECT {id} FROM {name}
                                   WHERE {id} >= lo + CAST((hi * 1.0 - lo) * i / {jumps} AS INTEGER)
                                   ORDER BY {id} LIMIT 1) FROM jump, bounds)
             SELECT {read} FROM drawn JOIN {name} AS s ON s.{id} = drawn.r"
        ),
        None if key.is_empty() => format!("SELECT {read} FROM {name} AS s LIMIT {sample}"),
        None => {
            let back: Vec<String> = key.iter().map(|column| format!("{column} DESC")).collect();
            let half = sample.div_ceil(2);
            format!(
                "SELECT {read} FROM (SELECT * FROM (SELECT * FROM {name} ORDER BY {} LIMIT {half})
                     UNION SELECT * FROM (SELECT * FROM {name} ORDER BY {} LIMIT {half})) AS s",
                key.join(", "),
                back.join(", ")
            )
        }
    }
}
