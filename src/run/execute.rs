//! A job executed: lease, recovery, attempts, and the record of each.

use std::sync::{Arc, Mutex};
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
    /// Runs that this slot has had already.
    pub earlier_attempts: u32,
    /// Attempts after the first.
    pub retries: u32,
    /// The first pause before another attempt; it doubles, up to ten minutes, with jitter.
    pub backoff: Duration,
    /// Ends when no further attempt may begin; a slot whose attempts are cut short by it stays open.
    pub last_call: CancellationToken,
    /// Told of each attempt's counters, for a progress bar.
    pub on_progress: Option<tokio::sync::watch::Sender<Option<Arc<Progress>>>>,
}

/// What an execution has come to: its last run.
#[derive(Debug, Clone)]
pub struct RunReport {
    /// The last run's id; `None` if none was begun.
    pub run_id: Option<String>,
    /// How it ended.
    pub state: RunState,
    /// What went wrong.
    pub failure: Option<Failure>,
    /// What was done.
    pub summary: Option<serde_json::Value>,
}

impl RunReport {
    fn refused(failure: Failure) -> Self {
        Self { run_id: None, state: RunState::Failed, failure: Some(failure), summary: None }
    }
}

/// Executes a job under its lease: settles what a killed predecessor left, then tries until it succeeds, cannot be
/// cured by trying again, or has been tried often enough. Never waits for the lease.
pub async fn execute(job: &dyn Job, request: &Request, state: &State, cancel: &CancellationToken) -> RunReport {
    let name = job.name();
    let mut lease = match Lease::acquire(state.dir(), &name, Timestamp::now()) {
        Ok(lease) => lease,
        Err(error) => {
            let busy = matches!(error, LeaseError::Busy { .. });
            let failure = Failure::from(error);
            return RunReport::refused(Failure { refused: busy.then_some(Refusal::Busy), ..failure });
        }
    };
    if let Err(failure) = settle(job, state).await {
        return RunReport::refused(failure);
    }
    let mut pauses = ExponentialBuilder::default()
        .with_min_delay(request.backoff)
        .with_max_delay(Duration::from_secs(600))
        .with_max_times(request.retries as usize)
        .with_jitter()
        .build();
    let carry = Arc::new(Mutex::new(None));
    let mut attempt = request.earlier_attempts;
    loop {
        attempt += 1;
        let (report, pause) =
            match attempt_once(job, request, attempt, state, &mut lease, &carry, cancel, &mut pauses).await {
                Ok(done) => done,
                Err(failure) => return RunReport::refused(failure),
            };
        let Some(pause) = pause else { return report };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = cancel.cancelled() => return report,
            () = request.last_call.cancelled() => return report,
        }
    }
}

/// Settles what a killed run of this job has left. The caller holds the lease.
pub async fn settle(job: &dyn Job, state: &State) -> Result<(), Failure> {
    let interrupted = state.interrupt_runs(&job.name(), Timestamp::now()).await?;
    if interrupted > 0 {
        tracing::warn!(job = job.name(), runs = interrupted, "runs were found whose process is gone");
    }
    job.recover(state).await
}

#[allow(clippy::too_many_arguments, reason = "the loop's state, passed once")]
async fn attempt_once(
    job: &dyn Job,
    request: &Request,
    attempt: u32,
    state: &State,
    lease: &mut Lease,
    carry: &Arc<Mutex<Option<String>>>,
    cancel: &CancellationToken,
    pauses: &mut impl Iterator<Item = Duration>,
) -> Result<(RunReport, Option<Duration>), Failure> {
    let name = job.name();
    let limits = job.limits();
    let started_at = Timestamp::now();
    let run_id = Uuid::now_v7().to_string();
    lease.sign(Some(&run_id), started_at)?;
    let staging = Staging::make(state, &name)?;
    let new =
        NewRun { id: run_id.clone(), job: name.clone(), slot: request.slot, cause: request.cause, attempt, started_at };
    state.begin_run(&new).await?;
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
        carry: Arc::clone(carry),
    };
    if let Some(on_progress) = &request.on_progress {
        on_progress.send_replace(Some(Arc::clone(&context.progress)));
    }
    tracing::info!(job = name, run_id, attempt, cause = request.cause.as_str(), "run started");
    let ended = supervise(job, &context, limits).await;
    drop(staging);
    let (run_state, failure, summary) = match ended {
        Ended::Itself(Ok(Outcome::Succeeded { summary })) => (RunState::Succeeded, None, Some(summary)),
        Ended::Itself(Ok(Outcome::Partial { summary, failure })) => (RunState::Partial, Some(failure), Some(summary)),
        Ended::Itself(Err(failure)) => (RunState::Failed, Some(failure), None),
        Ended::Cancelled(why) => (RunState::Cancelled, Some(Failure::new(why)), None),
    };
    let again = failure.as_ref().is_some_and(|failure| failure.retryable) && run_state != RunState::Cancelled;
    let pause = if again && !cancel.is_cancelled() { pauses.next() } else { None };
    let finished_at = Timestamp::now();
    let end = RunEnd {
        state: run_state,
        error: failure.as_ref().map(|failure| failure.message.clone()),
        hint: failure.as_ref().and_then(|failure| failure.hint.clone()),
        summary: summary.as_ref().map(ToString::to_string),
        // A run that the daemon's own stop cut off leaves its slot open, to be run again at the next start.
        settles: pause.is_none() && !cancel.is_cancelled(),
        finished_at,
    };
    record_end(state, &run_id, &end).await;
    log_end(&name, &run_id, &end, started_at, pause);
    Ok((RunReport { run_id: Some(run_id), state: run_state, failure, summary }, pause))
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

fn log_end(job: &str, run_id: &str, end: &RunEnd, started_at: Timestamp, pause: Option<Duration>) {
    let duration_ms = end.finished_at.as_millisecond() - started_at.as_millisecond();
    let outcome = end.state.as_str();
    let retry_in_ms = pause.map(|pause| u64::try_from(pause.as_millis()).unwrap_or(u64::MAX));
    match &end.error {
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
