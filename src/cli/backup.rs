//! `backup now|list|show|verify|pin|unpin|prune`

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::args::BackupCommand;
use super::confirm::confirm;
use super::exit::{CliError, Exit};
use super::output::{age, bytes, duration, utc};
use super::scene::Scene;
use super::{job, progress, restore};
use crate::archive::manifest::Manifest;
use crate::backup;
use crate::config::BackupJob;
use crate::restore::{BackupSource, CopyReport, RestoreContext, Trouble, verify_copy};
use crate::run::{Failure, Lease, Progress, execute};
use crate::state::{Backup, BackupFilter, BackupState, CopyState, State, Verification};

pub(super) async fn run(command: &BackupCommand, scene: &Scene<'_>) -> Result<Exit, CliError> {
    match command {
        BackupCommand::Now { database, output } => now(database, output.as_deref(), scene).await,
        BackupCommand::List { database } => list(database.as_deref(), scene).await,
        BackupCommand::Show { id } => show(id, scene).await,
        BackupCommand::Verify { id, database, store, identity } => {
            let keys = restore::identities(identity.as_deref())?;
            verify(id, database.as_deref(), store.as_deref(), keys, scene).await
        }
        BackupCommand::Pin { id } => pin(id, true, scene).await,
        BackupCommand::Unpin { id } => pin(id, false, scene).await,
        BackupCommand::Prune { job, apply, yes } => prune(job.as_deref(), *apply, *yes, scene).await,
    }
}

async fn now(database: &str, output: Option<&std::path::Path>, scene: &Scene<'_>) -> Result<Exit, CliError> {
    use crate::run::Job;
    let database = scene.database(database)?;
    let job = backup::manual_job(&scene.config, &database, output)?;
    let state = scene.state().await?;
    let name = job.name();
    let job = Arc::new(job);
    let report = job::supervised(scene, &name, |request, cancel| {
        let (job, state) = (Arc::clone(&job), state.clone());
        async move { execute(job.as_ref(), &request, &state, &cancel).await }
    })
    .await;
    if let (Some(dir), Some(summary)) = (output, &report.summary) {
        let id = summary["backup"].as_str().unwrap_or_default();
        scene.output.line(format!("written to {}", dir.join(backup::folder(database.as_str(), id)).display()));
    }
    job::told(&name, report, scene)
}

/// `20261120T020000Z-3f9c1a: 1.2 GiB in 34 tables, 410 MiB stored in local, offsite`
pub(super) fn summary_line(summary: &Value) -> String {
    let id = summary["backup"].as_str().unwrap_or("?");
    if let Some(stores) = summary["completed_in"].as_array() {
        let stores: Vec<_> = stores.iter().filter_map(Value::as_str).collect();
        return format!("{id}: the missing copy was made in {}", stores.join(", "));
    }
    let stores: Vec<_> = summary["stores"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let pruned = match summary["pruned"].as_u64() {
        Some(count) if count > 0 => format!("; {count} removed by retention"),
        _ => String::new(),
    };
    format!(
        "{id}: {} in {} tables ({} rows), {} stored in {}{pruned}",
        bytes(summary["plain_bytes"].as_u64().unwrap_or(0)),
        summary["tables"].as_u64().unwrap_or(0),
        summary["rows"].as_u64().unwrap_or(0),
        bytes(summary["stored_bytes"].as_u64().unwrap_or(0)),
        stores.join(", ")
    )
}

fn manifest(backup: &Backup) -> Option<Manifest> {
    serde_json::from_str(backup.manifest.as_deref()?).ok()
}

/// A backup as it stands in JSON output.
fn value(backup: &Backup) -> Value {
    let mut value = serde_json::to_value(backup).unwrap_or_default();
    if let Some(manifest) = manifest(backup) {
        let plain: u64 = manifest.objects.iter().map(|object| object.plain_bytes).sum();
        let stored: u64 = manifest.objects.iter().map(|object| object.bytes).sum();
        value["plain_bytes"] = json!(plain);
        value["stored_bytes"] = json!(stored);
        value["snapshot_at"] = json!(manifest.snapshot_at);
    }
    value
}

async fn list(database: Option<&str>, scene: &Scene<'_>) -> Result<Exit, CliError> {
    let database = database.map(|name| scene.database(name)).transpose()?;
    let state = scene.state().await?;
    let backups = state
        .backups(&BackupFilter { database: database.as_ref().map(|name| name.as_str()), ..BackupFilter::default() })
        .await?;
    let now = Timestamp::now();
    let rows = backups.iter().map(|backup| row(backup, now, scene)).collect();
    scene.output.table(
        &["backup", "database", "by", "age", "plain", "stored", "ratio", "took", "state", "stores", "verified"],
        rows,
    );
    scene.output.json(&backups.iter().map(value).collect::<Vec<_>>());
    Ok(Exit::Done)
}

fn row(backup: &Backup, now: Timestamp, scene: &Scene<'_>) -> Vec<String> {
    let output = scene.output;
    let (plain, stored, ratio, took) = match manifest(backup) {
        None => (String::new(), String::new(), String::new(), String::new()),
        Some(manifest) => {
            let plain: u64 = manifest.objects.iter().map(|object| object.plain_bytes).sum();
            let stored: u64 = manifest.objects.iter().map(|object| object.bytes).sum();
            #[allow(clippy::cast_precision_loss, reason = "shown with two digits")]
            let ratio = if stored == 0 { String::new() } else { format!("{:.2}", plain as f64 / stored as f64) };
            (bytes(plain), bytes(stored), ratio, duration(manifest.finished_at.duration_since(manifest.started_at)))
        }
    };
    let copies: Vec<String> = backup
        .copies
        .iter()
        .map(|copy| match copy.state {
            CopyState::Complete => copy.store.clone(),
            other => output.bad(&format!("{} ({})", copy.store, other.as_str())),
        })
        .collect();
    let mut state = match backup.state {
        BackupState::Complete => output.good("complete"),
        BackupState::Partial => output.warn("partial"),
        BackupState::Writing => "writing".to_owned(),
        BackupState::Failed => output.bad("failed"),
    };
    if backup.pinned_at.is_some() {
        state.push_str(" pinned");
    }
    vec![
        backup.id.clone(),
        backup.database.clone(),
        backup.job.clone().unwrap_or_else(|| "hand".to_owned()),
        age(backup.started_at, now),
        plain,
        stored,
        ratio,
        took,
        state,
        copies.join(", "),
        match (backup.verified, backup.verified_at) {
            (Some(Verification::Good), Some(at)) => output.good(&format!("{} ago", age(at, now))),
            (Some(Verification::Bad), _) => output.bad("BAD"),
            _ => "never".to_owned(),
        },
    ]
}

async fn show(id: &str, scene: &Scene<'_>) -> Result<Exit, CliError> {
    let state = scene.state().await?;
    let backup = scene.backup(&state, id).await?;
    let manifest = manifest(&backup);
    let output = scene.output;
    let mut json = value(&backup);
    json["manifest"] = json!(manifest);
    output.json(&json);
    let lines = [
        ("backup", backup.id.clone()),
        ("database", backup.database.clone()),
        ("made by", backup.job.clone().unwrap_or_else(|| "hand".to_owned())),
        ("run", backup.run_id.clone()),
        ("state", backup.state.as_str().to_owned()),
        ("started", utc(backup.started_at)),
        ("pinned", backup.pinned_at.map_or("no".to_owned(), utc)),
        (
            "verified",
            backup.verified_at.map_or("never".to_owned(), |at| {
                let found = backup.verified.map_or("", Verification::as_str);
                format!("{} {found} ({})", utc(at), backup.verified_by.as_deref().unwrap_or_default())
            }),
        ),
    ];
    for (name, text) in lines {
        output.line(format!("{name:<14}{text}"));
    }
    for copy in &backup.copies {
        let why = copy.error.as_ref().map_or(String::new(), |error| format!(": {error}"));
        output.line(format!("{:<14}{} {}{why}", "copy", copy.store, copy.state.as_str()));
    }
    let Some(manifest) = manifest else { return Ok(Exit::Done) };
    let settings = [
        ("snapshot", utc(manifest.snapshot_at)),
        ("source", format!("{} {}", manifest.source.name, manifest.source.version)),
        ("tool", manifest.tools.pg_dump.clone().unwrap_or_default()),
        ("compression", manifest.compression.clone()),
        ("encrypted to", manifest.encrypted_to.join(", ")),
        ("fingerprint", manifest.fingerprint.level.clone()),
    ];
    for (name, text) in settings.into_iter().filter(|(_, text)| !text.is_empty()) {
        output.line(format!("{name:<14}{text}"));
    }
    for warning in &manifest.warnings {
        output.line(format!("{} {warning}", output.warn("warning:")));
    }
    output.line("");
    let objects = manifest
        .objects
        .iter()
        .map(|object| vec![object.name.clone(), bytes(object.bytes), bytes(object.plain_bytes), object.sha256.clone()]);
    output.table(&["object", "stored", "plain", "sha256 of the stored bytes"], objects.collect());
    output.line("");
    let tables = manifest.tables.iter().map(|table| {
        let rows = table.rows.map_or("—".to_owned(), |rows| rows.to_string());
        let remark = table.not_comparable.clone().or_else(|| table.hash.clone()).unwrap_or_default();
        vec![format!("{}.{}", table.schema, table.name), rows, remark]
    });
    output.table(&["table", "rows", "hash"], tables.collect());
    Ok(Exit::Done)
}

async fn verify(
    id: &str,
    database: Option<&str>,
    store: Option<&str>,
    identities: crate::archive::codec::Identities,
    scene: &Scene<'_>,
) -> Result<Exit, CliError> {
    let state = scene.state().await?;
    let backup = restore::find(id, database, scene, &state).await?;
    let mut stores = backup::good_copy(&backup, &scene.config);
    if let Some(store) = store {
        stores.retain(|name| name.as_str() == store);
    }
    if stores.is_empty() {
        return Err(CliError::failed(format!("no configured store holds {} whole", backup.id)));
    }
    let staging = restore::staging(&state)?;
    let (cancel, progress) = (CancellationToken::new(), Arc::new(Progress::default()));
    let context = RestoreContext {
        config: &scene.config,
        identities,
        staging: staging.path(),
        progress: Arc::clone(&progress),
        cancel: cancel.clone(),
    };
    let (_keep, watched) = tokio::sync::watch::channel(Some(progress));
    let bar = progress::show(scene.output, "verify", watched);
    let signals = progress::cancel_on_signal(cancel.clone());
    let mut reports: Vec<CopyReport> = Vec::new();
    let mut unreachable: Vec<(String, Failure)> = Vec::new();
    for name in &stores {
        let verified = match BackupSource::open(&backup, name, &scene.config).await {
            Ok(source) => verify_copy(&source, &context).await,
            Err(Trouble::Unseen(failure)) => Err(failure),
            Err(Trouble::Bad(failure)) => Ok(CopyReport {
                store: name.to_string(),
                hashes: false,
                readable: None,
                problems: vec![failure.message],
                remarks: Vec::new(),
            }),
        };
        match verified {
            Ok(report) => reports.push(report),
            Err(_) if cancel.is_cancelled() => break,
            Err(failure) => unreachable.push((name.to_string(), failure)),
        }
    }
    signals.abort();
    bar.finish().await;
    if cancel.is_cancelled() {
        return Err(CliError { exit: Exit::Interrupted, ..CliError::failed("cancelled") });
    }
    record(&backup, &reports, &state).await?;
    tell(&backup, &reports, &unreachable, scene);
    if reports.iter().any(|report| !report.is_good()) {
        return Ok(Exit::Found);
    }
    match unreachable.into_iter().next() {
        Some((_, failure)) => Err(failure.into()),
        None => Ok(Exit::Done),
    }
}

/// Keeps what was found: a backup all of whose copies are bad is bad; one bad copy beside a good one is given up, so that
/// the job's next run makes it anew from the good one.
async fn record(backup: &Backup, reports: &[CopyReport], state: &State) -> Result<(), CliError> {
    let now = Timestamp::now();
    let (good, bad): (Vec<_>, Vec<_>) = reports.iter().partition(|report| report.is_good());
    let by = reports.iter().find_map(|report| report.readable.as_deref()).unwrap_or("hashes");
    if !good.is_empty() {
        state.set_verified(&backup.id, Verification::Good, by, now).await?;
        for report in bad {
            let error = report.problems.first().map(String::as_str);
            state.set_copy(&backup.id, &report.store, CopyState::Leftover, error, now).await?;
        }
    } else if !bad.is_empty() && bad.len() == backup.complete_in().count() {
        state.set_verified(&backup.id, Verification::Bad, by, now).await?;
    }
    Ok(())
}

fn tell(backup: &Backup, reports: &[CopyReport], unreachable: &[(String, Failure)], scene: &Scene<'_>) {
    let output = scene.output;
    for report in reports {
        let readable = report.readable.as_ref().map_or(String::new(), |by| format!(", read to its end by {by}"));
        if report.is_good() {
            output.line(format!(
                "{} {} in {}: every hash is right{readable}",
                output.good("good"),
                backup.id,
                report.store
            ));
        }
        for problem in &report.problems {
            output.line(format!("{} {} in {}: {problem}", output.bad("BAD"), backup.id, report.store));
        }
        for remark in &report.remarks {
            output.line(format!("  {remark}"));
        }
    }
    for (store, failure) in unreachable {
        output.line(format!("{} {} in {store}: {}", output.warn("not verified"), backup.id, failure.message));
    }
    let unreachable: Vec<_> =
        unreachable.iter().map(|(store, failure)| json!({"store": store, "error": failure.message})).collect();
    output.json(&json!({"backup": backup.id, "copies": reports, "unreachable": unreachable}));
}

async fn pin(id: &str, pinned: bool, scene: &Scene<'_>) -> Result<Exit, CliError> {
    let state = scene.state().await?;
    let backup = scene.backup(&state, id).await?;
    let failures = if pinned {
        backup::pin(&backup, &scene.config, &state, Timestamp::now()).await?
    } else {
        backup::unpin(&backup, &scene.config, &state).await?
    };
    for failure in &failures {
        scene.output.remark(format!("not noted beside the copy: {}", failure.message));
    }
    scene.output.line(format!("{} is {}pinned", backup.id, if pinned { "" } else { "no longer " }));
    scene.output.json(&json!({"backup": backup.id, "pinned": pinned}));
    Ok(if failures.is_empty() { Exit::Done } else { Exit::Failed })
}

async fn prune(job: Option<&str>, apply: bool, yes: bool, scene: &Scene<'_>) -> Result<Exit, CliError> {
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
        confirm(&format!("delete {going} backups"), yes)?;
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
        let (removed, failed) = backup::apply_prune(&now, &scene.config, &state).await?;
        gone += removed;
        errors.extend(failed);
    }
    scene.output.json(&json!({"plans": shown, "applied": true, "deleted": gone, "errors": errors}));
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
