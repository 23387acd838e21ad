//! A rule's whole partitions: detached, looked at once more, dropped.
//!
//! Which one is next is written down before it is detached. Whatever comes after a crash finds it by that: what is detached
//! half is finished, what is detached is looked at and dropped, and what may not go after all is attached again.

use std::time::{Duration, Instant};

use super::work::{End, Work};
use crate::database::schema::Relation;
use crate::privacy::dialect::{Dialect as _, PostgresDialect};
use crate::privacy::fragment::Fragment;
use crate::privacy::ground::Dropped;
use crate::privacy::partition::{Detaching, Partition, Standing, count_of, detached, statements};

/// How many of a policy's dispositions are looked through for partitions that were left half done.
const EARLIER: u32 = 200;

/// Drops the partitions of a rule that hold nothing but old rows, after what an earlier run has left.
pub(super) async fn drop_partitions(work: &mut Work<'_>) -> Result<(), End> {
    // There is no less to take at once than one partition.
    while !work.pace.is_least() {
        work.pace.halve();
    }
    for (disposition, it) in left_behind(work).await? {
        settle(work, &it, &disposition).await?;
    }
    let ready = work.ready;
    for partition in &ready.partitions {
        one(work, partition).await?;
    }
    Ok(())
}

/// What was written down and not come to an end, whichever rule of the policy it was.
async fn left_behind(work: &mut Work<'_>) -> Result<Vec<(String, Detaching)>, End> {
    let (state, policy) = (&work.application.context.state, &work.application.setting.policy.name);
    let dispositions = state.dispositions(policy, None, EARLIER).await?;
    let parent = &work.ready.resolved.table.relation;
    let found = dispositions.into_iter().filter_map(|one| Some((one.id, Detaching::read(&one.cursor?)?)));
    Ok(found.filter(|(_, it)| it.parent == (parent.schema.clone(), parent.name.clone())).collect())
}

async fn one(work: &mut Work<'_>, partition: &Partition) -> Result<(), End> {
    let ready = work.ready;
    let parent = &ready.resolved.table.relation;
    let it = Detaching::new(parent, partition);
    let [detach, _] = statements(parent, &partition.relation, ready.detaches_concurrently);
    loop {
        work.breathe().await?;
        work.look_at_holds().await?;
        let held = work.held.clone();
        match count_of(work.ground.as_mut(), &ready.resolved, partition, held).await {
            Ok(0) => {}
            Ok(rows) => {
                tracing::info!(partition = %partition.relation, rows, "held: the partition stays");
                return Ok(());
            }
            Err(error) => {
                work.forgive(error).await?;
                continue;
            }
        }
        note(work, work.id, Some(&it)).await?;
        // One that is detached the plain way keeps all others waiting while it waits itself.
        let most = work.application.setting.policy.batch.lock_timeout;
        let wait = if ready.detaches_concurrently { most } else { most.min(work.application.target) };
        let Err(error) = work.alone(&detach, wait).await else { break };
        match standing(work, &it).await?.0 {
            Standing::Attached => {
                if let Err(end) = work.forgive(error).await {
                    note(work, work.id, None).await?;
                    return Err(end);
                }
            }
            // It has come so far that it goes on from there.
            _ => break,
        }
    }
    settle(work, &it, work.id).await
}

/// Brings a partition that was written down to an end: it is dropped, or it is a partition again.
async fn settle(work: &mut Work<'_>, it: &Detaching, disposition: &str) -> Result<(), End> {
    let (parent, table) = (work.ready.resolved.table.relation.clone(), it.relation());
    let name = |relation: &Relation| PostgresDialect.table(relation);
    let wait = work.application.setting.policy.batch.lock_timeout;
    loop {
        work.breathe().await?;
        let (standing, is_old) = standing(work, it).await?;
        let step = match standing {
            Standing::Attached => return note(work, disposition, None).await,
            Standing::Gone => return gone(work, it, disposition, (it.rows, Duration::ZERO)).await,
            Standing::Pending => {
                let finalize = format!("ALTER TABLE {} DETACH PARTITION {} FINALIZE", name(&parent), name(&table));
                work.alone(&finalize, wait).await
            }
            Standing::Detached if !is_old => attach(work, it).await,
            Standing::Detached => {
                work.look_at_holds().await?;
                let look = look(work, &parent, &table);
                let began = Instant::now();
                match work.drop_table(&table, look, wait).await {
                    Ok(Dropped::Gone(rows)) => return gone(work, it, disposition, (rows, began.elapsed())).await,
                    // Holds came or went: once more.
                    Ok(Dropped::NotNow) => Ok(()),
                    Ok(Dropped::Stays) => {
                        tracing::warn!(partition = %table, "it holds rows that are young or held: attached again");
                        attach(work, it).await
                    }
                    Err(error) if error.is_for_now() => Err(error),
                    // Something depends on it, or a hold cannot be asked of it by itself: as it was.
                    Err(error) => {
                        attach(work, it).await.map_err(End::Ground)?;
                        note(work, disposition, None).await?;
                        return Err(End::Ground(error));
                    }
                }
            }
        };
        match step {
            Ok(()) => work.is_well(),
            Err(error) => work.forgive(error).await?,
        }
    }
}

async fn standing(work: &mut Work<'_>, it: &Detaching) -> Result<(Standing, bool), End> {
    let (setting, ready) = (work.application.setting, work.ready);
    loop {
        match detached(work.ground.as_mut(), setting, &ready.resolved, it).await {
            Ok(standing) => return Ok(standing),
            Err(error) => work.forgive(error).await?,
        }
    }
}

async fn attach(work: &mut Work<'_>, it: &Detaching) -> Result<(), crate::privacy::ground::GroundError> {
    let (parent, table) = (&work.ready.resolved.table.relation, it.relation());
    let (parent, table) = (PostgresDialect.table(parent), PostgresDialect.table(&table));
    let wait = work.application.setting.policy.batch.lock_timeout;
    work.alone(&format!("ALTER TABLE {parent} ATTACH PARTITION {table} {}", it.bounds), wait).await
}

/// How many rows a detached table has, how many of them are not old, and how many are held. Conditions know it by the name
/// of the table whose partition it was.
fn look(work: &Work<'_>, parent: &Relation, table: &Relation) -> Fragment {
    let mut look = Fragment::text("SELECT count(*)::text, (count(*) FILTER (WHERE (");
    look.append(work.ready.resolved.older.clone()).push(") IS NOT TRUE))::text, ");
    match &work.held {
        None => look.push("'0'"),
        Some(held) => look.push("(count(*) FILTER (WHERE ").append(held.clone()).push("))::text"),
    };
    let (table, parent) = (PostgresDialect.table(table), PostgresDialect.name(&parent.name));
    look.push(format!(" FROM {table} AS {parent}"));
    look
}

/// Writes down what is about to be detached, or that nothing is.
async fn note(work: &mut Work<'_>, disposition: &str, it: Option<&Detaching>) -> Result<(), End> {
    let cursor = it.and_then(|it| serde_json::to_string(it).ok());
    Ok(work.application.context.state.mark_disposition(disposition, cursor.as_deref()).await?)
}

async fn gone(
    work: &mut Work<'_>,
    it: &Detaching,
    disposition: &str,
    (rows, took): (u64, Duration),
) -> Result<(), End> {
    if disposition != work.id {
        note(work, disposition, None).await?;
    }
    work.applied.partitions.push(it.relation().to_string());
    work.record(rows, took, &None::<Detaching>).await
}
