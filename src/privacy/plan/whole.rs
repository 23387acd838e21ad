//! A rule that drops whole partitions, planned.

use super::{Known, Meaning, Ready, Resolved, Setting, Trouble, Walk, forecast, measure, share};
use crate::privacy::fragment::Fragment;
use crate::privacy::ground::Ground;
use crate::privacy::partition::{self, Detaching};

/// A rule that drops whole partitions.
pub(super) async fn whole_partitions<'a>(
    ground: &mut dyn Ground,
    setting: &Setting<'a>,
    mut resolved: Resolved<'a>,
    held: Option<&Fragment>,
    known: Known<'_>,
) -> Result<Ready<'a>, Trouble> {
    let found = partition::ready(ground, setting, &resolved, held, known.gone).await??;
    resolved.warnings.extend(found.warnings);
    let parent = &resolved.table.relation;
    for it in known.earlier.iter().filter_map(|one| Detaching::read(one.cursor.as_deref()?)) {
        if it.parent == (parent.schema.clone(), parent.name.clone()) {
            resolved.warnings.push(format!(
                "a run that was cut off was detaching `{}`: the next one drops it, or attaches it again",
                it.relation()
            ));
        }
    }
    let figures = measure::figures(ground, &resolved, &found.rows, held).await?;
    let mut forecast =
        forecast::forecast(ground, setting, &resolved, figures.rows, figures.table_rows, known.earlier).await?;
    // What is dropped is not written.
    forecast.estimated_wal_bytes = None;
    let sql = found
        .going
        .iter()
        .flat_map(|one| partition::statements(&resolved.table.relation, &one.relation, found.detaches_concurrently));
    let meaning = Meaning {
        cutoff: resolved.cutoff,
        sql: sql.collect::<Vec<_>>().join(";\n"),
        rows: figures.rows,
        table_rows: figures.table_rows,
        share: share(&figures),
        most: super::caps::most(figures.table_rows, setting, resolved.rule, known.earlier),
        oldest: figures.oldest,
        kept_for_children: 0,
        held: figures.held,
        without_age: figures.without_age,
        walk: Walk::Partitions.to_string(),
        index: None,
        sample: measure::sample(ground, &resolved, &found.rows).await?,
        partitions: found.shown,
        forecast,
    };
    let (partitions, detaches_concurrently) = (found.going, found.detaches_concurrently);
    Ok(Ready { resolved, foreseen: found.rows, walk: Walk::Partitions, partitions, detaches_concurrently, meaning })
}
