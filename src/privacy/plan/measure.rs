//! What a rule means in figures, asked of the database.

use super::Resolved;
use crate::database::schema::{ForeignKey, Schema};
use crate::privacy::fragment::{Fragment, Scalar};
use crate::privacy::ground::{Ground, GroundError};

/// A rule in figures.
pub struct Figures {
    pub rows: u64,
    pub table_rows: u64,
    pub oldest: Option<String>,
    pub kept_for_children: u64,
    pub held: u64,
    pub without_age: u64,
}

/// Has the server take every constant as its column's type.
pub async fn values(ground: &mut dyn Ground, resolved: &Resolved<'_>) -> Result<(), GroundError> {
    let dialect = ground.dialect();
    for assignment in resolved.assignments.iter().filter(|one| one.is_shared) {
        let mut question = Fragment::text("SELECT ");
        question.append(dialect.read(assignment.value.clone()));
        ground.ask(&question.finish(dialect.placeholder())).await?;
    }
    Ok(())
}

/// Whether what columns with a foreign key are set to is there to be referred to: a tombstone needs a row of its own.
pub async fn referred(
    ground: &mut dyn Ground,
    resolved: &Resolved<'_>,
    schema: &Schema,
) -> Result<Option<String>, GroundError> {
    let dialect = ground.dialect();
    for assignment in resolved.assignments.iter().filter(|one| one.is_shared) {
        let refers = |key: &&ForeignKey| {
            key.child == resolved.table.relation && key.child_columns == [assignment.column.clone()]
        };
        for key in schema.foreign_keys.iter().filter(refers) {
            let [column] = key.parent_columns.as_slice() else { continue };
            let (parent, name) = (dialect.table(&key.parent), dialect.name(column));
            let mut question = Fragment::text("SELECT ");
            question.append(dialect.read(Fragment::text("count(*)")));
            question.push(format!(" FROM {parent} WHERE {name} = ")).append(assignment.value.clone());
            let rows = ground.ask(&question.finish(dialect.placeholder())).await?;
            if number(rows.first().and_then(|row| row.first())) == 0 {
                return Ok(Some(format!(
                    "`{}` refers to `{}`, which has no row with the value that it would be set to: insert that row first",
                    assignment.column, key.parent
                )));
            }
        }
    }
    Ok(None)
}

/// Counts.
pub async fn figures(
    ground: &mut dyn Ground,
    resolved: &Resolved<'_>,
    wanted: &Fragment,
    held: Option<&Fragment>,
) -> Result<Figures, GroundError> {
    let dialect = ground.dialect();
    let table = dialect.table(&resolved.table.relation);
    let age = dialect.name(&resolved.rule.age_column);
    let count = |condition: Fragment| {
        let mut question = Fragment::text("SELECT ");
        question.append(dialect.read(Fragment::text("count(*)"))).push(", ");
        question.append(dialect.read(Fragment::text(format!("min({age})")))).push(format!(" FROM {table} WHERE "));
        question.append(condition);
        question.finish(dialect.placeholder())
    };
    let first = |rows: Vec<Vec<Scalar>>| rows.into_iter().next().unwrap_or_default();
    let wanted = first(ground.ask(&count(wanted.clone())).await?);
    let rows = number(wanted.first());
    let oldest = wanted.get(1).and_then(Scalar::shown);
    let difference = |all: u64| all.saturating_sub(rows);
    let kept_for_children = match resolved.guards.is_empty() {
        true => 0,
        false => difference(number(first(ground.ask(&count(resolved.candidates(held))).await?).first())),
    };
    let held = match held {
        None => 0,
        Some(held) => {
            let mut kept = resolved.candidates(None);
            kept.push(" AND ").append(held.clone());
            number(first(ground.ask(&count(kept)).await?).first())
        }
    };
    let without_age = number(first(ground.ask(&count(resolved.ageless.clone())).await?).first());
    let table_rows = match resolved.table.estimated_rows {
        Some(estimate) if estimate > COUNTED => estimate.max(rows),
        _ => number(first(ground.ask(&count(Fragment::text("true"))).await?).first()),
    };
    Ok(Figures { rows, table_rows, oldest, kept_for_children, held, without_age })
}

/// Up to so many rows a table is counted; beyond, the server's estimate will do.
const COUNTED: u64 = 1_000_000;

/// How many old rows the most frequent age has. All of them would be in one transaction of a walk by age.
pub async fn most_of_one_age(ground: &mut dyn Ground, resolved: &Resolved<'_>) -> Result<u64, GroundError> {
    let dialect = ground.dialect();
    let mut question = Fragment::text("SELECT ");
    question.append(dialect.read(Fragment::text("max(rows)"))).push(" FROM (SELECT count(*) AS rows FROM ");
    question.push(format!("{} WHERE ", dialect.table(&resolved.table.relation))).append(resolved.older.clone());
    question.push(format!(" GROUP BY {}) AS ages", dialect.name(&resolved.rule.age_column)));
    let rows = ground.ask(&question.finish(dialect.placeholder())).await?;
    Ok(number(rows.first().and_then(|row| row.first())))
}

/// A few of the rows, with little of each value: enough to see that it is the right column.
pub async fn sample(
    ground: &mut dyn Ground,
    resolved: &Resolved<'_>,
    wanted: &Fragment,
) -> Result<Vec<Vec<(String, String)>>, GroundError> {
    let dialect = ground.dialect();
    let columns = &resolved.table.columns;
    let mut question = Fragment::text("SELECT ");
    let read = columns.iter().map(|column| dialect.read(Fragment::text(dialect.name(&column.name))));
    question.append(Fragment::join(read, ", "));
    question.push(format!(" FROM {} WHERE ", dialect.table(&resolved.table.relation)));
    question.append(wanted.clone()).push(" LIMIT 3");
    let rows = ground.ask(&question.finish(dialect.placeholder())).await?;
    let masked = |row: Vec<Scalar>| {
        columns.iter().zip(row).map(|(column, value)| (column.name.clone(), value.masked())).collect()
    };
    Ok(rows.into_iter().map(masked).collect())
}

/// How many rows there are that a rule should have taken in hand.
pub async fn left(
    ground: &mut dyn Ground,
    resolved: &Resolved<'_>,
    held: Option<&Fragment>,
) -> Result<u64, GroundError> {
    count(ground, resolved, resolved.wanted(held, |guard| guard.has_children.clone())).await
}

/// How many rows of a rule's table there are of which this is true.
pub async fn count(ground: &mut dyn Ground, resolved: &Resolved<'_>, condition: Fragment) -> Result<u64, GroundError> {
    let dialect = ground.dialect();
    let mut question = Fragment::text("SELECT ");
    question.append(dialect.read(Fragment::text("count(*)")));
    question.push(format!(" FROM {} WHERE ", dialect.table(&resolved.table.relation)));
    question.append(condition);
    let rows = ground.ask(&question.finish(dialect.placeholder())).await?;
    Ok(number(rows.first().and_then(|row| row.first())))
}

fn number(value: Option<&Scalar>) -> u64 {
    match value {
        Some(Scalar::Integer(number)) => number.unsigned_abs(),
        Some(Scalar::Text(text)) => text.parse().unwrap_or(0),
        _ => 0,
    }
}
