//! `status`: one screen.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::json;

use super::alert;
use super::exit::{CliError, Exit};
use super::job::unscheduled;
use super::output::{age, bytes};
use super::scene::Scene;
use crate::run::Lease;
use crate::state::{Backup, BackupFilter, BackupState, Run, RunState, Verification};

pub(super) async fn run(scene: &Scene<'_>) -> Result<Exit, CliError> {
    let state = scene.state().await?;
    let output = scene.output;
    let now = Timestamp::now();
    let daemon = Lease::holder(state.dir(), "daemon")?;
    output.line(match &daemon {
        Some(holder) => {
            format!("daemon {} (process {}, since {})", output.good("running"), holder.pid, age(holder.since, now))
        }
        None => format!("daemon {}", output.warn("not running")),
    });
    output.line("");

    let last: BTreeMap<String, Run> = state.last_runs().await?.into_iter().map(|run| (run.job.clone(), run)).collect();
    let mut jobs = Vec::new();
    let mut rows = Vec::new();
    for job in scene.jobs() {
        let next = job.schedule.as_ref().and_then(|schedule| schedule.next(&job.timezone, now));
        let run = last.get(&job.name);
        let local = next.map(|at| at.to_zoned(job.timezone.clone()).strftime("%a %m-%d %H:%M %Z").to_string());
        rows.push(vec![
            job.name.clone(),
            job.target.clone(),
            run.map_or("never".to_owned(), |run| describe(run, now, scene)),
            local.clone().unwrap_or_else(|| unscheduled(job.looks_every.is_some())),
        ]);
        jobs.push(json!({"job": job.name, "database": job.target, "last_run": run, "next_slot": next}));
    }
    output.table(&["job", "database", "last run", "next slot"], rows);
    output.line("");

    let backups = state.backups(BackupFilter::All).await?;
    let mut databases = Vec::new();
    let mut rows = Vec::new();
    for name in scene.config.databases.keys() {
        let newest = backups.iter().find(|b| b.database == name.as_str() && b.complete_in().next().is_some());
        let verified = backups
            .iter()
            .filter(|b| b.database == name.as_str() && b.verified == Some(Verification::Good))
            .max_by_key(|b| b.verified_at);
        rows.push(vec![
            name.to_string(),
            newest.map_or_else(|| output.bad("none"), |backup| backup.id.clone()),
            newest.map_or(String::new(), |backup| age(backup.started_at, now)),
            newest.map_or(String::new(), |backup| match backup.state {
                BackupState::Complete => output.good("complete"),
                other => output.warn(other.as_str()),
            }),
            newest.and_then(stored).map_or(String::new(), bytes),
            verified.and_then(|b| b.verified_at).map_or("never".to_owned(), |at| format!("{} ago", age(at, now))),
        ]);
        databases.push(json!({
            "database": name.as_str(),
            "newest_backup": newest.map(|backup| &backup.id),
            "newest_backup_state": newest.map(|backup| backup.state),
            "newest_backup_at": newest.map(|backup| backup.started_at),
            "last_verified_backup": verified.map(|backup| &backup.id),
            "last_verified_at": verified.and_then(|backup| backup.verified_at),
        }));
    }
    output.table(&["database", "newest backup", "age", "state", "stored", "last verified"], rows);
    output.line("");
    let incidents = alert::incidents(&state, &scene.config, false, output, now).await?;
    let outbox = alert::outbox(&state, output, now).await?;
    output.json(&json!({
        "daemon": daemon, "jobs": jobs, "databases": databases, "incidents": incidents, "outbox": outbox
    }));
    Ok(Exit::Done)
}

fn stored(backup: &Backup) -> Option<u64> {
    let manifest: crate::archive::manifest::Manifest = serde_json::from_str(backup.manifest.as_deref()?).ok()?;
    Some(manifest.objects.iter().map(|object| object.bytes).sum())
}

fn describe(run: &Run, now: Timestamp, scene: &Scene<'_>) -> String {
    let output = scene.output;
    match run.state {
        RunState::Running => {
            let at = run.progress.as_ref().map_or(String::new(), |progress| {
                let read = progress["bytes_in"].as_u64().unwrap_or(0);
                format!(" ({}, {} read)", progress["phase"].as_str().unwrap_or_default(), bytes(read))
            });
            format!("running for {}{at}", age(run.started_at, now))
        }
        RunState::Succeeded => format!("{} {} ago", output.good("succeeded"), age(run.started_at, now)),
        other => {
            let why: String = super::job::outcome(run, now).chars().take(80).collect();
            format!("{} {} ago: {why}", output.bad(other.as_str()), age(run.started_at, now))
        }
    }
}
