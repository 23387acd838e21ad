//! `job list|run|history|cancel`

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::args::JobCommand;
use super::exit::{CliError, Exit};
use super::output::{age, duration, utc};
use super::progress;
use super::scene::Scene;
use crate::run::{Attempts, Job, Refusal, Request, RunReport, execute};
use crate::state::{Cause, Run, RunFilter, RunState, State};

/// The first pause before another attempt of `job run --retries`.
const BACKOFF: Duration = Duration::from_secs(5);

/// How long `job cancel` waits for the run to end.
const CANCEL_WITHIN: Duration = Duration::from_secs(75);

pub(super) async fn run(command: &JobCommand, scene: &Scene<'_>) -> Result<Exit, CliError> {
    match command {
        JobCommand::List => list(scene),
        JobCommand::Run { job, retries, dry_run } => start(job, *retries, *dry_run, scene).await,
        JobCommand::History { job, limit } => history(job.as_deref(), *limit, scene).await,
        JobCommand::Cancel { run } => cancel(run, scene).await,
    }
}

#[derive(Serialize)]
struct ListedJob {
    job: String,
    target: String,
    schedule: Option<String>,
    timezone: String,
    looks_every_ms: Option<u64>,
    next: Vec<Slot>,
}

#[derive(Serialize)]
struct Slot {
    local: String,
    utc: Timestamp,
}

fn list(scene: &Scene<'_>) -> Result<Exit, CliError> {
    let now = Timestamp::now();
    let mut listed = Vec::new();
    for job in scene.jobs() {
        let slots = job.schedule.iter().flat_map(|schedule| schedule.occurrences(&job.timezone, now).take(3));
        let next = slots
            .map(|at| Slot {
                local: at.to_zoned(job.timezone.clone()).strftime("%a %Y-%m-%d %H:%M:%S %Z").to_string(),
                utc: at,
            })
            .collect();
        listed.push(ListedJob {
            job: job.name,
            target: job.target,
            schedule: job.schedule.as_ref().map(ToString::to_string),
            timezone: job.timezone.iana_name().unwrap_or("UTC").to_owned(),
            looks_every_ms: job.looks_every.map(|every| u64::try_from(every.as_millis()).unwrap_or(u64::MAX)),
            next,
        });
    }
    let mut rows = Vec::new();
    for job in &listed {
        let first = [
            job.job.clone(),
            job.target.clone(),
            job.schedule.clone().unwrap_or_else(|| unscheduled(job.looks_every_ms.is_some())),
        ];
        let mut lead = first.into_iter().chain([job.timezone.clone()]).collect::<Vec<_>>();
        if job.next.is_empty() {
            lead.extend(["—".into(), "—".into()]);
            rows.push(std::mem::take(&mut lead));
        }
        for slot in &job.next {
            let mut row = if lead.is_empty() { vec![String::new(); 4] } else { std::mem::take(&mut lead) };
            row.extend([slot.local.clone(), utc(slot.utc)]);
            rows.push(row);
        }
    }
    scene.output.table(&["job", "database", "schedule", "zone", "next slots", "in UTC"], rows);
    scene.output.json(&listed);
    Ok(Exit::Done)
}

/// When a job without a schedule runs.
pub(super) fn unscheduled(looks: bool) -> String {
    if looks { "when there is work" } else { "by hand" }.to_owned()
}

async fn start(name: &str, retries: u32, dry_run: bool, scene: &Scene<'_>) -> Result<Exit, CliError> {
    let job = scene.job(name)?;
    if dry_run {
        return planned(job.job.as_ref(), scene).await;
    }
    let state = scene.state().await?;
    let report = supervised(scene, &job.name, |request, cancel| {
        let (job, state) = (job.clone(), state.clone());
        async move { insist(job.job.as_ref(), Request { retries, ..request }, &state, &cancel).await }
    })
    .await;
    told(&job.name, report, scene)
}

/// Says what a run would do.
pub(super) async fn planned(job: &dyn Job, scene: &Scene<'_>) -> Result<Exit, CliError> {
    let plan = job.plan().await?;
    scene.output.line(&plan.text);
    scene.output.json(&plan.value);
    Ok(Exit::Done)
}

/// Tries until it succeeds, cannot be cured by trying again, or has been tried often enough.
async fn insist(job: &dyn Job, mut request: Request, state: &State, cancel: &CancellationToken) -> RunReport {
    loop {
        let report = execute(job, &request, state, cancel).await;
        let Some(pause) = report.retry_in else { return report };
        tokio::select! {
            () = tokio::time::sleep(pause) => request = request.again(&report),
            () = cancel.cancelled() => return report,
        }
    }
}

/// Runs something by hand with a progress bar; Ctrl-C or SIGTERM cancels it.
pub(super) async fn supervised<F, W>(scene: &Scene<'_>, name: &str, work: F) -> RunReport
where
    F: FnOnce(Request, CancellationToken) -> W,
    W: Future<Output = RunReport>,
{
    let cancel = CancellationToken::new();
    let (on_progress, watched) = tokio::sync::watch::channel(None);
    let request = Request {
        cause: Cause::Manual,
        slot: None,
        before: Attempts::default(),
        retries: 0,
        backoff: BACKOFF,
        on_progress: Some(on_progress),
    };
    let bar = progress::show(scene.output, name, watched);
    let interrupts = progress::cancel_on_signal(cancel.clone());
    let report = work(request, cancel).await;
    interrupts.abort();
    bar.finish().await;
    report
}

/// Tells how a run by hand ended, and with which exit code.
pub(super) fn told(name: &str, report: RunReport, scene: &Scene<'_>) -> Result<Exit, CliError> {
    scene.output.json(&serde_json::json!({
        "job": name,
        "run_id": report.run_id,
        "state": report.state.as_str(),
        "error": report.failure.as_ref().map(|failure| &failure.message),
        "hint": report.failure.as_ref().and_then(|failure| failure.hint.as_ref()),
        "summary": report.summary,
    }));
    if let Some(summary) = &report.summary {
        if summary["backup"].is_string() {
            scene.output.line(super::backup::summary_line(summary));
        }
        for warning in summary["warnings"].as_array().into_iter().flatten() {
            scene.output.line(format!("  {} {}", scene.output.warn("warning:"), warning.as_str().unwrap_or_default()));
        }
    }
    let Some(failure) = report.failure else { return Ok(Exit::Done) };
    let exit = match (report.state, failure.refused) {
        (RunState::Cancelled, _) => Exit::Interrupted,
        (_, Some(Refusal::Busy)) => Exit::Busy,
        (_, Some(Refusal::Safety)) => Exit::Refused,
        _ => Exit::Failed,
    };
    let how = if report.state == RunState::Partial { "partial: " } else { "" };
    Err(CliError { exit, message: format!("{name}: {how}{}", failure.message), hint: failure.hint, rendered: false })
}

async fn history(job: Option<&str>, limit: u32, scene: &Scene<'_>) -> Result<Exit, CliError> {
    let state = scene.state().await?;
    // A job that is no longer in the configuration still has its history.
    let job = job.map(|name| scene.job(name).map_or_else(|_| name.to_owned(), |job| job.name));
    let runs = state.runs(&RunFilter { job, limit, ..RunFilter::default() }).await?;
    let now = Timestamp::now();
    let rows = runs
        .iter()
        .map(|run| {
            vec![
                utc(run.started_at),
                run.job.clone(),
                run.cause.as_str().to_owned(),
                run.attempt.to_string(),
                match run.state {
                    RunState::Succeeded => scene.output.good("succeeded"),
                    RunState::Running => "running".to_owned(),
                    RunState::Partial => scene.output.warn("partial"),
                    other => scene.output.bad(other.as_str()),
                },
                duration(run.finished_at.unwrap_or(now).duration_since(run.started_at)),
                run.id.clone(),
                outcome(run, now),
            ]
        })
        .collect();
    scene.output.table(&["started", "job", "cause", "attempt", "state", "took", "run", "error"], rows);
    scene.output.json(&runs);
    Ok(Exit::Done)
}

/// A run's error, and when it is tried again.
pub(super) fn outcome(run: &Run, now: Timestamp) -> String {
    let error = run.error.as_deref().unwrap_or_default();
    match run.retry_at {
        Some(at) if at > now => format!("tried again in {}: {error}", duration(at.duration_since(now))),
        _ => error.to_owned(),
    }
}

async fn cancel(run: &str, scene: &Scene<'_>) -> Result<Exit, CliError> {
    let state = scene.state().await?;
    let running = state.runs(&RunFilter { running: true, ..RunFilter::default() }).await?;
    let waiting = state.runs_to_retry().await?;
    let meant = |known: &&Run| known.id == run || (run.len() >= 4 && known.id.ends_with(run));
    let found: Vec<&Run> = running.iter().chain(&waiting).filter(meant).collect();
    let [known] = found.as_slice() else {
        return Err(CliError::usage(format!("no run `{run}` is running or waiting to be tried again")).hint(
            match running.iter().chain(&waiting).next() {
                Some(other) => format!(
                    "there is {} ({}, {} ago)",
                    other.id,
                    other.state.as_str(),
                    age(other.started_at, Timestamp::now())
                ),
                None => "nothing is running".to_owned(),
            },
        ));
    };
    if known.state != RunState::Running && state.cancel_retry(&known.id, Timestamp::now()).await? {
        scene.output.line(format!("{} is {} and is not tried again", known.id, known.state.as_str()));
        scene.output.json(&state.run(&known.id).await?);
        return Ok(Exit::Done);
    }
    state.request_cancel(&known.id, Timestamp::now()).await?;
    let deadline = tokio::time::Instant::now() + CANCEL_WITHIN;
    while tokio::time::Instant::now() < deadline {
        if let Some(ended) = state.run(&known.id).await?.filter(|now| now.state != RunState::Running) {
            scene.output.line(format!("{} is {}", known.id, ended.state.as_str()));
            scene.output.json(&ended);
            return Ok(Exit::Done);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    Err(CliError::failed(format!("{} was asked to end and has not done so yet", known.id))
        .hint("if its process is gone, the next run of the job takes over"))
}
