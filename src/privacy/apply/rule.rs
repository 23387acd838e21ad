//! One rule: written down before its first row goes, and when it has come to an end.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use uuid::Uuid;

use super::archive::archive;
use super::partitions::drop_partitions;
use super::residual::{self, Residual};
use super::walk::walk;
use super::window::Cursor;
use super::work::{End, Work};
use super::{Application, RuleApplied};
use crate::config::Action;
use crate::privacy::ground::Ground;
use crate::privacy::hold::Holding;
use crate::privacy::plan::{Ready, action};
use crate::run::Failure;
use crate::state::{DispositionState, LogKind, NewDisposition};

/// A disposition that was cut off longer ago than this is not gone on with: the rows have changed too much.
const GOES_ON_WITHIN: SignedDuration = SignedDuration::from_hours(24);

/// From how many rows on a table is cleared up.
const MUCH: u64 = 10_000;

/// Applies a rule. What goes wrong with it stands in `applied`.
///
/// # Errors
///
/// When the state store fails.
pub(super) async fn apply(
    application: &Application<'_>,
    ground: &mut Box<dyn Ground>,
    ready: &Ready<'_>,
    applied: &mut RuleApplied,
) -> Result<(), Failure> {
    let state = &application.context.state;
    let (id, left) = begin(application, ready).await?;
    applied.disposition = Some(id.clone());
    let mut went = go(application, ground, ready, applied, (&id, left)).await;
    let drops = matches!(ready.resolved.rule.action, Action::DropPartition);
    // Which partitions stay, and why, stands in the plan.
    if went.is_ok() && !drops {
        match left_over(application, ground, ready).await {
            Ok(found) => {
                applied.left = found.left;
                applied.residual = Some(found);
            }
            Err(end) => went = Err(end),
        }
    }
    let mut detail = json!({
        "disposition": id, "rule": applied.rule, "table": applied.table, "rows": applied.rows, "archives": applied.archives,
        "batches": applied.batches, "longest_ms": applied.longest_ms, "left": applied.left, "cutoff": ready.meaning.cutoff,
        "kept_for_children": ready.meaning.kept_for_children, "held": ready.meaning.held, "residual": applied.residual,
    });
    if drops {
        detail["partitions"] = json!(applied.partitions);
    }
    let (end, kind) = match went {
        Ok(()) => (DispositionState::Completed, LogKind::DispositionCompleted),
        Err(End::Store(failure)) => return Err(failure),
        // It is gone on with by the next run.
        Err(End::Cancelled) => return Err(Failure::new("it was told to stop")),
        Err(End::Cap(why)) => {
            applied.logged = Some(why.clone());
            applied.error = Some(why);
            applied.refused = true;
            (DispositionState::Failed, LogKind::CapReached)
        }
        Err(End::Failed(failure)) => {
            applied.retryable = failure.retryable;
            applied.hint.clone_from(&failure.hint);
            applied.logged = Some(failure.message.clone());
            applied.error = Some(failure.message);
            (DispositionState::Failed, LogKind::DispositionFailed)
        }
        Err(End::Ground(error)) => {
            applied.retryable = crate::fault::Fault::retryable(&error);
            applied.hint.clone_from(&error.hint);
            applied.logged = Some(error.for_log().to_owned());
            applied.error = Some(error.message);
            (DispositionState::Failed, LogKind::DispositionFailed)
        }
    };
    if let Some(error) = &applied.logged {
        detail["error"] = json!(error);
    }
    state.end_disposition(&id, end, &application.entry(kind, detail), Timestamp::now()).await?;
    if applied.rows >= MUCH && !drops {
        application.context.progress.phase("vacuum");
        let tidied = application.context.progress.beat_during(ground.tidy(&ready.resolved.table.relation)).await;
        if let Err(error) = tidied {
            tracing::warn!(table = applied.table, %error, "the table was not cleared up");
        }
    }
    Ok(())
}

async fn go(
    application: &Application<'_>,
    ground: &mut Box<dyn Ground>,
    ready: &Ready<'_>,
    applied: &mut RuleApplied,
    (id, left): (&str, Option<Cursor>),
) -> Result<(), End> {
    let mut work = Work::new(application, ground, ready, applied, id).await?;
    match &ready.resolved.rule.action {
        Action::Archive { .. } => archive(&mut work, left).await,
        Action::DropPartition => drop_partitions(&mut work).await,
        _ => walk(&mut work, left).await,
    }
}

/// Looks for rows that still match.
async fn left_over(
    application: &Application<'_>,
    ground: &mut Box<dyn Ground>,
    ready: &Ready<'_>,
) -> Result<Residual, End> {
    let holds = Holding::read(&application.context.state, &application.setting.policy.name).await?;
    let looking = residual::search(application, ground.as_mut(), ready, &holds.active);
    application.context.progress.beat_during(looking).await.map_err(End::Ground)
}

/// Records that the rule is about to be applied; or takes up what a run that was cut off has left.
async fn begin(application: &Application<'_>, ready: &Ready<'_>) -> Result<(String, Option<Cursor>), Failure> {
    let state = &application.context.state;
    let (policy, rule) = (&application.setting.policy.name, &ready.resolved.rule.name);
    let now = Timestamp::now();
    for old in state.dispositions(policy, Some(rule), 10).await? {
        if old.state != DispositionState::Running {
            continue;
        }
        let is_fresh = now.duration_since(old.started_at) < GOES_ON_WITHIN && old.policy_hash == application.hash;
        if is_fresh {
            let cursor = old.cursor.as_deref().and_then(|text| serde_json::from_str(text).ok());
            return Ok((old.id, cursor));
        }
        let detail = json!({"disposition": old.id, "rule": rule, "rows": old.done, "error": "it was cut off"});
        let entry = application.entry(LogKind::DispositionFailed, detail);
        state.end_disposition(&old.id, DispositionState::Abandoned, &entry, now).await?;
    }
    let new = NewDisposition {
        id: Uuid::now_v7().to_string(),
        policy: policy.clone(),
        policy_hash: application.hash.to_owned(),
        rule: rule.clone(),
        run_id: application.context.run_id.clone(),
        cutoff: ready.meaning.cutoff,
        planned: ready.meaning.rows,
        started_at: now,
    };
    let mut detail = json!({
        "disposition": new.id, "rule": rule, "table": ready.resolved.table.relation.to_string(),
        "action": action(&ready.resolved.rule.action), "cutoff": new.cutoff, "planned": new.planned,
        "policy_hash": application.hash, "reason": ready.resolved.rule.reason,
    });
    let going = ready.meaning.partitions.iter().filter(|one| one.goes);
    let going: Vec<_> = going.map(|one| json!({"name": one.name, "rows": one.rows})).collect();
    if !going.is_empty() {
        detail["partitions"] = json!(going);
    }
    state.begin_disposition(&new, &application.entry(LogKind::DispositionStarted, detail)).await?;
    Ok((new.id, None))
}
