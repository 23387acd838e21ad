//! Which partitions a rule drops, and why others stay.

use super::look::{Partition, look};
use crate::database::schema::{Relation, Schema};
use crate::privacy::dialect::{Dialect as _, PostgresDialect, Unfit};
use crate::privacy::fragment::{Fragment, Scalar, Statement};
use crate::privacy::ground::{Ground, GroundError};
use crate::privacy::plan::{PartitionPlan, Resolved, Setting, count};

/// What becomes of a rule's partitions.
pub struct Ready {
    /// Those that go.
    pub going: Vec<Partition>,
    /// All of them, for people.
    pub shown: Vec<PartitionPlan>,
    /// What the operator should know.
    pub warnings: Vec<String>,
    /// Which rows go.
    pub rows: Fragment,
    /// Whether they can be detached without keeping anybody out: from PostgreSQL 14 on, without a default partition.
    pub detaches_concurrently: bool,
}

/// Looks at every partition of a rule's table.
pub async fn ready(
    ground: &mut dyn Ground,
    setting: &Setting<'_>,
    resolved: &Resolved<'_>,
    held: Option<&Fragment>,
    gone: &[(&Relation, Fragment)],
) -> Result<Result<Ready, Unfit>, GroundError> {
    let partitions = match look(ground, setting, resolved).await? {
        Ok(partitions) => partitions,
        Err(unfit) => return Ok(Err(unfit)),
    };
    let (mut going, mut shown, mut warnings) = (Vec::new(), Vec::new(), Vec::new());
    let has_default = partitions.iter().any(|one| one.is_default);
    for mut one in partitions {
        let mut plan = PartitionPlan {
            name: one.relation.to_string(),
            bounds: one.bounds.clone(),
            rows: None,
            bytes: one.bytes,
            goes: false,
            stays_because: None,
        };
        let all = all_of(resolved, &one);
        if one.is_default {
            let mut old = all.clone();
            old.push(" AND ").append(resolved.older.clone());
            let rows = count(ground, resolved, old).await?;
            plan.stays_because = Some("it is the default partition, which never goes".to_owned());
            if rows > 0 {
                warnings.push(format!("{rows} old rows are in the default partition `{}`: they stay", one.relation));
            }
        } else if one.is_pending {
            plan.stays_because = Some("it is being detached".to_owned());
        } else if one.is_old {
            one.rows = count(ground, resolved, all.clone()).await?;
            plan.rows = Some(one.rows);
            plan.stays_because = match count_of(ground, resolved, &one, held.cloned()).await? {
                0 => None,
                1 => Some("one row is held".to_owned()),
                rows => Some(format!("{rows} rows are held")),
            };
            if plan.stays_because.is_none() {
                plan.stays_because = referred(ground, setting, resolved, &all, gone).await?;
            }
            plan.goes = plan.stays_because.is_none();
            if let Some(why) = &plan.stays_because {
                warnings.push(format!("the partition `{}` is old and stays: {why}", one.relation));
            }
        } else {
            plan.stays_because = Some("it may hold younger rows".to_owned());
        }
        if one.is_pending {
            warnings.push(format!(
                "`{}` is being detached: if a run of this policy was cut off in that, the next one goes on with it; else \
                 `ALTER TABLE … DETACH PARTITION … FINALIZE` does",
                one.relation
            ));
        }
        shown.push(plan);
        if shown.last().is_some_and(|plan| plan.goes) {
            going.push(one);
        }
    }
    let detaches_concurrently = !has_default && is_14(ground).await?;
    if !detaches_concurrently && !going.is_empty() {
        warnings.push(format!(
            "{}: each keeps readers and writers of the table out for a moment, and gives up soon where it would have to wait",
            match has_default {
                true => format!("`{}` has a default partition, so PostgreSQL detaches none concurrently", resolved.table.relation),
                false => "PostgreSQL before 14 detaches no partition concurrently".to_owned(),
            }
        ));
    }
    let mut rows = resolved.older.clone();
    rows.push(" AND ").append(within(&going));
    Ok(Ok(Ready { going, shown, warnings, rows, detaches_concurrently }))
}

async fn is_14(ground: &mut dyn Ground) -> Result<bool, GroundError> {
    let question = "SELECT (current_setting('server_version_num')::int >= 140000)::text".to_owned();
    let rows = ground.ask(&Statement { sql: question, values: Vec::new() }).await?;
    Ok(rows.first().and_then(|row| row.first()).and_then(Scalar::shown).is_some_and(|text| text == "true"))
}

/// How many rows of a partition are held.
pub async fn count_of(
    ground: &mut dyn Ground,
    resolved: &Resolved<'_>,
    partition: &Partition,
    held: Option<Fragment>,
) -> Result<u64, GroundError> {
    let Some(held) = held else { return Ok(0) };
    let mut condition = all_of(resolved, partition);
    condition.push(" AND ").append(held);
    count(ground, resolved, condition).await
}

/// Rows of these partitions.
fn within(partitions: &[Partition]) -> Fragment {
    let leaves: Vec<&str> = partitions.iter().flat_map(|one| &one.leaves).map(String::as_str).collect();
    match leaves.is_empty() {
        true => Fragment::text("false"),
        false => Fragment::text(format!("tableoid IN ({})", leaves.join(", "))),
    }
}

/// Rows of one partition; with its bounds, so that the server does not look for them in the others.
fn all_of(resolved: &Resolved<'_>, partition: &Partition) -> Fragment {
    let mut all = within(std::slice::from_ref(partition));
    let name = PostgresDialect.name(&resolved.rule.age_column);
    let type_name = resolved.table.column(&resolved.rule.age_column).map_or("", |column| &column.type_name);
    for (bound, operator) in bounds(&partition.bounds).into_iter().zip([">=", "<"]) {
        if let Some(bound) = bound {
            all.push(format!(" AND {name} {operator} "));
            all.append(Fragment::value(Scalar::Text(bound.to_owned()), type_name));
        }
    }
    all
}

/// The values between which a partition's rows lie, from what the server writes; `None`: it ends nowhere.
fn bounds(text: &str) -> [Option<&str>; 2] {
    let sides = text.strip_prefix("FOR VALUES FROM (").and_then(|text| text.strip_suffix(')')?.split_once(") TO ("));
    let quoted = |side: &str| -> bool { side.len() >= 2 && side.starts_with('\'') && side.ends_with('\'') };
    match sides {
        Some((from, to)) => [from, to].map(|side| quoted(side).then(|| &side[1..side.len() - 1])),
        None => [None, None],
    }
}

/// Why a partition cannot be detached: others refer to its rows.
async fn referred(
    ground: &mut dyn Ground,
    setting: &Setting<'_>,
    resolved: &Resolved<'_>,
    all: &Fragment,
    gone: &[(&Relation, Fragment)],
) -> Result<Option<String>, GroundError> {
    let schema: &Schema = setting.schema;
    for key in schema.inbound(&resolved.table.relation) {
        let of_child = gone.iter().filter(|(table, _)| **table == key.child);
        let gone: Vec<Fragment> = of_child.map(|(_, condition)| condition.clone()).collect();
        let mut condition = all.clone();
        condition.push(" AND ").append(setting.has_children(resolved.table, key, &gone));
        let rows = count(ground, resolved, condition).await?;
        if rows > 0 {
            return Ok(Some(format!("`{}` ({}) refers to {rows} of its rows", key.child, key.name)));
        }
    }
    Ok(None)
}

/// How a partition is detached: without keeping anybody out, where the server can.
pub fn statements(parent: &Relation, partition: &Relation, concurrently: bool) -> [String; 2] {
    let (table, partition) = (PostgresDialect.table(parent), PostgresDialect.table(partition));
    let how = if concurrently { " CONCURRENTLY" } else { "" };
    [format!("ALTER TABLE {table} DETACH PARTITION {partition}{how}"), format!("DROP TABLE {partition}")]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_read_as_the_server_writes_them() {
        for (text, expected) in [
            ("FOR VALUES FROM ('2026-01-01') TO ('2026-02-01')", [Some("2026-01-01"), Some("2026-02-01")]),
            ("FOR VALUES FROM (MINVALUE) TO ('2026-02-01 00:00:00+00')", [None, Some("2026-02-01 00:00:00+00")]),
            ("FOR VALUES FROM ('2026-01-01') TO (MAXVALUE)", [Some("2026-01-01"), None]),
            ("FOR VALUES IN ('a')", [None, None]),
            ("DEFAULT", [None, None]),
        ] {
            assert_eq!(bounds(text), expected, "{text}");
        }
    }
}
