//! One attempt at a job: lease, recovery, the run and its record.

use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::supervise::{Ended, supervise};
use super::{Failure, Job, Lease, LeaseError, Outcome, Progress, Refusal, RunContext};
use crate::state::{Cause, NewRun, RunEnd, RunState, State};

/// How an execution is asked for.
#[derive(Debug, Clone)]
pub struct Request {
    /// Why.
    pub cause: Cause,
    /// The occurrence it serves, if any.
    pub slot: Option<Timestamp>,
    /// What was tried before.
    pub before: Attempts,
    /// Attempts after the first that failed.
    pub retries: u32,
    /// The first pause before another attempt; it doubles, up to ten minutes, with jitter.
    pub backoff: Duration,
    /// Told of the attempt's counters, for a progress bar.
    pub on_progress: Option<tokio::sync::watch::Sender<Option<Arc<Progress>>>>,
}

/// The attempts at one slot, or of one request, so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attempts {
    /// Runs that were begun.
    pub runs: u32,
    /// Those of them that failed by themselves, rather than being cut off with their process.
    pub failed: u32,
    /// The last of them.
    pub last_run: Option<String>,
}

/// What an execution has come to.
#[derive(Debug, Clone)]
pub struct RunReport {
    /// The run's id; `None` if none was begun.
    pub run_id: Option<String>,
    /// How it ended.
    pub state: RunState,
    /// What went wrong.
    pub failure: Option<Failure>,
    /// What was done.
    pub summary: Option<serde_json::Value>,
    /// After which pause it should be tried again; it holds nothing meanwhile, neither the lease nor a place.
    pub retry_in: Option<Duration>,
}

impl RunReport {
    fn refused(failure: Failure) -> Self {
        Self { run_id: None, state: RunState::Failed, failure: Some(failure), summary: None, retry_in: None }
    }
}

impl Request {
    /// The pause after this attempt, should it fail, as long as there are retries left.
    fn pause(&self) -> Option<Duration> {
        ExponentialBuilder::default()
            .with_min_delay(self.backoff)
            .with_max_delay(Duration::from_secs(600))
            .with_max_times(self.retries as usize)
            .with_jitter()
            .build()
            .nth(self.before.failed as usize)
    }

    /// The same request after an attempt that failed.
    pub fn again(&self, report: &RunReport) -> Self {
        Self { before: self.before.after(report), ..self.clone() }
    }
}

impl Attempts {
    /// With one more, which failed.
    pub fn after(&self, report: &RunReport) -> Self {
        Self { runs: self.runs + 1, failed: self.failed + 1, last_run: report.run_id.clone() }
    }
}

/// Makes one attempt at a job under its lease, after settling what a killed predecessor left. Never waits for the lease;
/// whether another attempt should follow stands in the report.
pub async fn execute(job: &dyn Job, request: &Request, state: &State, cancel: &CancellationToken) -> RunReport {
    let leases = acquire(state, &job.name()).and_then(|lease| {
        let other = job.keeps_away().map(|other| acquire(state, &other)).transpose()?;
        Ok((lease, other))
    });
    let (mut lease, _other) = match leases {
        Ok(leases) => leases,
        Err(failure) => return RunReport::refused(failure),
    };
    if let Err(failure) = settle(job, state).await {
        return RunReport::refused(failure);
    }
    attempt(job, request, state, &mut lease, cancel).await.unwrap_or_else(RunReport::refused)
}

fn acquire(state: &State, name: &str) -> Result<Lease, Failure> {
    Lease::acquire(state.dir(), name, Timestamp::now()).map_err(|error| {
        let busy = matches!(error, LeaseError::Busy { .. });
        Failure { refused: busy.then_some(Refusal::Busy), ..Failure::from(error) }
    })
}

/// Settles what a killed run of this job has left. The caller holds the lease.
pub async fn settle(job: &dyn Job, state: &State) -> Result<(), Failure> {
    let interrupted = state.interrupt_runs(&job.name(), Timestamp::now()).await?;
    if interrupted > 0 {
        tracing::warn!(job = job.name(), runs = interrupted, "runs were found whose process is gone");
    }
    job.recover(state).await
}

async fn attempt(
    job: &dyn Job,
    request: &Request,
    state: &State,
    lease: &mut Lease,
    cancel: &CancellationToken,
) -> Result<RunReport, Failure> {
    let name = job.name();
    let limits = job.limits();
    let (started_at, attempt) = (Timestamp::now(), request.before.runs + 1);
    let run_id = Uuid::now_v7().to_string();
    let left = match &request.before.last_run {
        Some(last) => state.run(last).await?.and_then(|run| run.summary),
        None => None,
    };
    lease.sign(Some(&run_id), started_at)?;
    let staging = Staging::make(state, &name)?;
    let new =
        NewRun { id: run_id.clone(), job: name.clone(), slot: request.slot, cause: request.cause, attempt, started_at };
    if !state.begin_run(&new).await? {
        return Err(Failure { refused: Some(Refusal::Settled), ..Failure::new("its slot is settled by now") });
    }
    let context = RunContext {
        job: name.clone(),
        run_id: run_id.clone(),
        attempt,
        cause: request.cause,
        started_at,
        state: state.clone(),
        progress: Arc::new(Progress::default()),
        cancel: cancel.child_token(),
        staging: staging.0.clone(),
        left,
    };
    if let Some(on_progress) = &request.on_progress {
        on_progress.send_replace(Some(Arc::clone(&context.progress)));
    }
    if job.is_routine() {
        tracing::debug!(job = name, run_id, attempt, cause = request.cause.as_str(), "run started");
    } else {
        tracing::info!(job = name, run_id, attempt, cause = request.cause.as_str(), "run started");
    }
    let ended = supervise(job, &context, limits).await;
    drop(staging);
    let (run_state, failure, summary) = match ended {
        Ended::Itself(Ok(Outcome::Succeeded { summary })) => (RunState::Succeeded, None, Some(summary)),
        Ended::Itself(Ok(Outcome::Partial { summary, failure })) => (RunState::Partial, Some(failure), Some(summary)),
        Ended::Itself(Err(failure)) => (RunState::Failed, Some(failure), None),
        Ended::Cancelled(why) => (RunState::Cancelled, Some(Failure::new(why)), None),
    };
    let again = failure.as_ref().is_some_and(|failure| failure.retryable) && run_state != RunState::Cancelled;
    let retry_in = if again && !cancel.is_cancelled() { request.pause() } else { None };
    let finished_at = Timestamp::now();
    let end = RunEnd {
        state: run_state,
        error: failure.as_ref().map(|failure| failure.message.clone()),
        hint: failure.as_ref().and_then(|failure| failure.hint.clone()),
        summary: summary.as_ref().map(ToString::to_string),
        // A run that the daemon's own stop cut off leaves its slot open, to be run again at the next start.
        settles: retry_in.is_none() && !cancel.is_cancelled(),
        retry_at: retry_in.and_then(|pause| finished_at.checked_add(pause).ok()),
        finished_at,
    };
    record_end(state, &run_id, &end).await;
    log_end(job, &run_id, &end, started_at, retry_in);
    Ok(RunReport { run_id: Some(run_id), state: run_state, failure, summary, retry_in })
}

/// Writes the end down, with patience: what was done must not be forgotten because of a busy moment.
async fn record_end(state: &State, run_id: &str, end: &RunEnd) {
    for pause in ExponentialBuilder::default().with_min_delay(Duration::from_millis(200)).with_max_times(6).build() {
        match state.finish_run(run_id, end).await {
            Ok(()) => return,
            Err(error) => {
                tracing::error!(run_id, error = %crate::fault::chain(&error), "the end of the run is not recorded yet");
                tokio::time::sleep(pause).await;
            }
        }
    }
}

fn log_end(job: &dyn Job, run_id: &str, end: &RunEnd, started_at: Timestamp, retry_in: Option<Duration>) {
    let duration_ms = end.finished_at.as_millisecond() - started_at.as_millisecond();
    let outcome = end.state.as_str();
    let retry_in_ms = retry_in.map(|pause| u64::try_from(pause.as_millis()).unwrap_or(u64::MAX));
    let (job, is_routine) = (job.name(), job.is_routine());
    match &end.error {
        None if is_routine => tracing::debug!(job, run_id, outcome, duration_ms, "run finished"),
        None => tracing::info!(job, run_id, outcome, duration_ms, "run finished"),
        Some(error) => {
            tracing::error!(job, run_id, outcome, duration_ms, retry_in_ms, hint = end.hint, error, "run finished")
        }
    }
}

/// A run's staging folder. Named after the job: the next holder of the lease finds and empties what a kill left.
struct Staging(std::path::PathBuf);

impl Staging {
    fn make(state: &State, job: &str) -> Result<Self, Failure> {
        use std::os::unix::fs::DirBuilderExt;
        let path = state.dir().join("staging").join(job);
        let failed = |error: std::io::Error| {
            Failure::new(format!("cannot make the staging folder {}: {error}", path.display()))
                .hint("the state directory must be writable and have space")
        };
        match std::fs::remove_dir_all(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&path).map_err(failed)?;
        Ok(Self(path))
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!(path = %self.0.display(), %error, "the staging folder is not removed");
        }
    }
}
