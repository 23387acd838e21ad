//! `backup prune`

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::backup;
use crate::cli::confirm::confirm;
use crate::cli::exit::{CliError, Exit};
use crate::cli::output::age;
use crate::cli::scene::Scene;
use crate::config::BackupJob;
use crate::records;
use crate::run::{Lease, who};

pub(super) async fn prune(job: Option<&str>, apply: bool, yes: bool, scene: &Scene<'_>) -> Result<Exit, CliError> {
    let state = scene.state().await?;
    let only = job.map(|name| scene.job(name)).transpose()?.map(|job| job.name);
    let jobs: Vec<&BackupJob> = scene
        .config
        .backups
        .values()
        .filter(|job| only.as_ref().is_none_or(|only| *only == format!("backup.{}", job.name)))
        .collect();
    let mut plans = Vec::new();
    for job in jobs {
        match backup::plan_prune(job, &state, Timestamp::now()).await? {
            Some(plan) => plans.push(plan),
            None => scene.output.line(format!("backup.{} has no retention: everything stays", job.name)),
        }
    }
    let mut shown = Vec::new();
    for plan in &plans {
        shown.push(show_plan(plan, scene));
    }
    let going: usize = plans.iter().map(|plan| plan.retention.deletions().count()).sum();
    let unfinished: usize = plans.iter().map(|plan| plan.unfinished.len()).sum();
    if !apply {
        scene.output.json(&json!({"plans": shown, "applied": false}));
        if going > 0 {
            scene.output.line(format!("{going} would be deleted; nothing is without --apply"));
        }
        return Ok(Exit::Done);
    }
    if going + unfinished > 0 {
        confirm(&format!("delete {}", crate::units::counted(going, "backup", "backups")), yes)?;
    }
    let (mut gone, mut errors) = (0, Vec::new());
    for plan in &plans {
        let _lease = Lease::acquire(state.dir(), &plan.job, Timestamp::now()).map_err(|error| {
            let busy = matches!(error, crate::run::LeaseError::Busy { .. });
            let error = CliError::from(error);
            if busy { CliError { exit: Exit::Busy, ..error } } else { error }
        })?;
        backup::settle_held(&plan.job, &scene.config, &state).await?;
        // Once more, now that nobody else is at work: a run may have ended, or a backup been pinned, since it was shown.
        let job = scene.config.backups.values().find(|job| plan.job == format!("backup.{}", job.name));
        let Some(job) = job else { continue };
        let Some(mut now) = backup::plan_prune(job, &state, Timestamp::now()).await? else { continue };
        now.limit_to(plan);
        errors.extend(now.unfinished.iter().map(|(backup, store, error)| backup::PruneError {
            backup: backup.clone(),
            store: store.clone(),
            error: error.clone().unwrap_or_default(),
        }));
        let (removed, failed) = backup::apply_prune(&now, &scene.config, &state, &who()).await?;
        gone += removed;
        errors.extend(failed);
    }
    let mut archives = 0;
    for policy in scene.config.privacy.values().filter(|_| job.is_none()) {
        let expired = records::expire(&scene.config, &state, policy, &who(), Timestamp::now()).await?;
        archives += expired.removed;
        for warning in expired.warnings {
            scene.output.note(warning);
        }
    }
    scene.anchor(&state).await;
    scene.output.json(
        &json!({"plans": shown, "applied": true, "deleted": gone, "archives_expired": archives, "errors": errors}),
    );
    for error in &errors {
        scene.output.line(format!(
            "{} {} in {}: {}",
            scene.output.bad("not deleted"),
            error.backup,
            error.store,
            error.error
        ));
    }
    scene.output.line(format!("{gone} deleted"));
    if archives > 0 {
        let archives = crate::units::counted(archives, "archive", "archives");
        scene.output.line(format!("{archives} of rows deleted, as they have expired"));
    }
    Ok(if errors.is_empty() { Exit::Done } else { Exit::Failed })
}

fn show_plan(plan: &backup::PrunePlan, scene: &Scene<'_>) -> Value {
    let output = scene.output;
    let reasons = |all: &[backup::retention::Reason]| all.iter().map(ToString::to_string).collect::<Vec<_>>();
    output.line(output.strong(&plan.job));
    let now = Timestamp::now();
    let rows = plan.retention.verdicts.iter().map(|verdict| {
        let started =
            plan.backups.iter().find(|backup| backup.id == verdict.id.as_str()).map(|backup| backup.started_at);
        vec![
            if verdict.keep { output.good("keep") } else { output.bad("delete") },
            verdict.id.to_string(),
            started.map_or(String::new(), |at| age(at, now)),
            reasons(&verdict.reasons).join(", "),
        ]
    });
    output.table(&["", "backup", "age", "why"], rows.collect());
    for overdue in &plan.retention.overdue {
        let why = reasons(&overdue.reasons).join(", ");
        output.line(format!("{} {} is older than max_age and stays: {why}", output.warn("overdue"), overdue.id));
    }
    for (backup, store, error) in &plan.unfinished {
        let why = error.as_ref().map_or(String::new(), |error| format!(": {error}"));
        output.line(format!("{} {backup} is not gone from {store} yet{why}", output.warn("unfinished")));
    }
    let verdicts: Vec<_> = plan
        .retention
        .verdicts
        .iter()
        .map(|verdict| json!({"backup": verdict.id, "keep": verdict.keep, "reasons": reasons(&verdict.reasons)}))
        .collect();
    let overdue: Vec<_> =
        plan.retention.overdue.iter().map(|o| json!({"backup": o.id, "reasons": reasons(&o.reasons)})).collect();
    let unfinished: Vec<_> =
        plan.unfinished.iter().map(|(b, s, e)| json!({"backup": b, "store": s, "error": e})).collect();
    json!({"job": plan.job, "backups": verdicts, "overdue": overdue, "unfinished": unfinished})
}
