//! What the server says of a table's partitions.

use super::Detaching;
use crate::database::schema::{Column, Relation, Table, TableKind};
use crate::privacy::dialect::Unfit;
use crate::privacy::fragment::{Fragment, Scalar};
use crate::privacy::ground::{Ground, GroundError, Row};
use crate::privacy::plan::{Resolved, Setting};

/// A partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// Its name.
    pub relation: Relation,
    /// What the server calls it whatever its name.
    pub oid: String,
    /// `FOR VALUES FROM (…) TO (…)`, or `DEFAULT`.
    pub bounds: String,
    /// Whether all that it can hold is old enough.
    pub is_old: bool,
    /// Whether it is where everything goes that no other takes.
    pub is_default: bool,
    /// Whether somebody has begun to detach it.
    pub is_pending: bool,
    /// The tables that hold its rows, itself or its own partitions, as their oids.
    pub leaves: Vec<String>,
    /// Bytes of tables and indexes.
    pub bytes: u64,
    /// How many rows it had when they were counted.
    pub rows: u64,
}

/// How a table stands that was to be detached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is a partition as before.
    Attached,
    /// It is being detached.
    Pending,
    /// It is a table of its own.
    Detached,
    /// It is gone.
    Gone,
}

/// Whether the table is ours, as it must be; the partition key: strategy, number of columns, the first one's name.
const KEY: &str = "SELECT (SELECT pg_has_role(c.relowner, 'USAGE')::text FROM pg_class c WHERE c.oid = p.partrelid), p.partstrat::text, p.partnatts::text,
        (SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = p.partrelid AND a.attnum = (p.partattrs::int2[])[0])
    FROM pg_partitioned_table p WHERE p.partrelid = ";

/// `inhdetachpending` is there from PostgreSQL 14 on.
const PENDING: &str = "coalesce((to_jsonb(i) ->> 'inhdetachpending')::bool, false)";

/// The partitions of a rule's table, in the order of their bounds as text.
///
/// # Errors
///
/// In the inner result, when the table is not partitioned by ranges of the rule's age.
pub async fn look(
    ground: &mut dyn Ground,
    setting: &Setting<'_>,
    resolved: &Resolved<'_>,
) -> Result<Result<Vec<Partition>, Unfit>, GroundError> {
    let (table, dialect) = (resolved.table, ground.dialect());
    let name = &resolved.rule.age_column;
    if let Err(unfit) = is_by_range(ground, table, name).await? {
        return Ok(Err(unfit));
    }
    let Some(age) = table.column(name) else { return Ok(Ok(Vec::new())) };
    let old = match is_old(setting, resolved, age, "pg_get_expr(c.relpartbound, c.oid)") {
        Ok(old) => old,
        Err(unfit) => return Ok(Err(unfit)),
    };
    let mut question = Fragment::text(format!(
        "SELECT n.nspname::text, c.relname::text, c.oid::text, pg_get_expr(c.relpartbound, c.oid)::text, {PENDING}::text,
            (SELECT string_agg(t.relid::oid::text, ',') FROM pg_partition_tree(c.oid) t WHERE t.isleaf),
            (SELECT coalesce(sum(pg_total_relation_size(t.relid)), 0) FROM pg_partition_tree(c.oid) t WHERE t.isleaf)::text,
            "
    ));
    question.append(dialect.read(old));
    question.push(
        " FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_namespace n ON n.oid = c.relnamespace
          WHERE i.inhparent = ",
    );
    question.append(regclass(table, dialect)).push(" ORDER BY 4, 2");
    let rows = ground.ask(&question.finish(dialect.placeholder())).await?;
    Ok(Ok(rows.iter().map(partition).collect()))
}

fn partition(row: &Row) -> Partition {
    let text = |at: usize| row.get(at).and_then(Scalar::shown).unwrap_or_default();
    let bounds = text(3);
    Partition {
        relation: Relation { schema: text(0), name: text(1) },
        oid: text(2),
        is_default: bounds == "DEFAULT",
        bounds,
        is_pending: text(4) == "true",
        leaves: text(5).split(',').filter(|oid| !oid.is_empty()).map(str::to_owned).collect(),
        rows: 0,
        bytes: text(6).parse().unwrap_or(0),
        is_old: text(7) == "true",
    }
}

fn regclass(table: &Table, dialect: &dyn crate::privacy::dialect::Dialect) -> Fragment {
    Fragment::value(Scalar::Text(dialect.table(&table.relation)), "text::regclass")
}

async fn is_by_range(ground: &mut dyn Ground, table: &Table, age: &str) -> Result<Result<(), Unfit>, GroundError> {
    let unfit = |why: &str| Ok(Err(Unfit(format!("`{}` {why}: use `action = \"delete\"`", table.relation))));
    if table.kind != TableKind::Partitioned {
        return unfit("has no partitions to drop");
    }
    let mut question = Fragment::text(KEY);
    question.append(regclass(table, ground.dialect()));
    let rows = ground.ask(&question.finish(ground.dialect().placeholder())).await?;
    let key: Vec<String> = rows.into_iter().flatten().map(|value| value.shown().unwrap_or_default()).collect();
    match key.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["false", ..] => Ok(Err(Unfit(format!(
            "only the owner of `{}` can detach its partitions: make this role a member of that one",
            table.relation
        )))),
        [_, "r", "1", column] if *column == age => Ok(Ok(())),
        [_, "r", ..] => unfit(&format!("is not partitioned by ranges of `{age}` alone")),
        _ => unfit("is not partitioned by range"),
    }
}

/// Whether all that bounds let in is old: the upper one lies at the cut-off or before. `MAXVALUE` never does.
fn is_old(setting: &Setting<'_>, resolved: &Resolved<'_>, age: &Column, bounds: &str) -> Result<Fragment, Unfit> {
    let cutoff = setting.dialect.cutoff(age, resolved.cutoff, &setting.policy.timezone)?;
    let mut old =
        Fragment::text(format!("coalesce(substring({bounds} FROM 'TO \\(''([^'']*)''\\)$')::{} <= ", age.type_name));
    old.append(cutoff).push(", false)");
    Ok(old)
}

/// How a table stands that an earlier run was to detach, and whether all of it is still old enough to go.
pub async fn detached(
    ground: &mut dyn Ground,
    setting: &Setting<'_>,
    resolved: &Resolved<'_>,
    it: &Detaching,
) -> Result<(Standing, bool), GroundError> {
    let dialect = ground.dialect();
    let oid = || Fragment::value(Scalar::Text(it.oid.clone()), "text::oid");
    let mut question = Fragment::text(format!(
        "SELECT c.relispartition::text, coalesce((SELECT bool_or({PENDING}) FROM pg_inherits i WHERE i.inhrelid = c.oid), \
         false)::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = "
    ));
    let text = |text: &str| Fragment::value(Scalar::Text(text.to_owned()), "text");
    // One that got another name since is somebody's business.
    question.append(oid()).push(" AND n.nspname = ").append(text(&it.partition.0));
    question.push(" AND c.relname = ").append(text(&it.partition.1));
    let rows = ground.ask(&question.finish(dialect.placeholder())).await?;
    let said: Vec<String> = rows.into_iter().flatten().map(|value| value.shown().unwrap_or_default()).collect();
    let standing = match said.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [_, "true"] => Standing::Pending,
        ["true", _] => Standing::Attached,
        ["false", _] => Standing::Detached,
        _ => Standing::Gone,
    };
    let Some(age) = resolved.table.column(&resolved.rule.age_column) else { return Ok((standing, false)) };
    let bounds = format!("'{}'::text", it.bounds.replace('\'', "''"));
    let Ok(old) = is_old(setting, resolved, age, &bounds) else { return Ok((standing, false)) };
    let mut question = Fragment::text("SELECT ");
    question.append(dialect.read(old));
    let rows = ground.ask(&question.finish(dialect.placeholder())).await?;
    let is_old = rows.first().and_then(|row| row.first()).and_then(Scalar::shown).is_some_and(|text| text == "true");
    Ok((standing, is_old))
}
