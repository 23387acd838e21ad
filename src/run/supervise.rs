//! One attempt under watch: deadline, stall, and requests to cancel; its progress published every second.

use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use super::{Failure, Job, Limits, Outcome, RunContext};

/// How often progress is published and requests to cancel are looked for.
const EVERY: Duration = Duration::from_secs(1);

/// How often a long run's progress is logged.
const LOG_EVERY: Duration = Duration::from_secs(60);

/// How long a cancelled attempt may take to clean up before it is dropped.
const CLEAN_UP: Duration = Duration::from_secs(60);

/// What is said of a run that the process's own end cuts off.
const STOPPING: &str = "cancelled because Caretaker is stopping";

/// How an attempt came to its end.
pub(super) enum Ended {
    /// By itself.
    Itself(Result<Outcome, Failure>),
    /// Somebody asked for it, or the process is stopping.
    Cancelled(&'static str),
}

/// Why an attempt was told to end.
enum Stop {
    Asked,
    Shutdown,
    TimedOut,
    Stalled,
}

/// Runs one attempt to its end.
pub(super) async fn supervise(job: &dyn Job, context: &RunContext, limits: Limits) -> Ended {
    // A panic inside becomes this attempt's failure and nothing else's.
    let work = std::panic::AssertUnwindSafe(job.run(context));
    let mut work = std::pin::pin!(futures::FutureExt::catch_unwind(work));
    let flatten = |caught: Result<Result<Outcome, Failure>, _>| {
        caught.unwrap_or_else(|_| {
            Err(Failure::new("a bug in Caretaker ended the run (panic)")
                .hint("please report it with the log around it"))
        })
    };
    let stop = tokio::select! {
        ended = &mut work => {
            let ended = flatten(ended);
            // It may hear of the request before we do, and end because of it.
            let was_told = ended.is_err() && context.cancel.is_cancelled();
            return if was_told { Ended::Cancelled(STOPPING) } else { Ended::Itself(ended) };
        }
        stop = watch(context, limits) => stop,
        () = context.cancel.cancelled() => Stop::Shutdown,
    };
    context.cancel.cancel();
    let ended = timeout(CLEAN_UP, &mut work).await;
    if let Ok(Ok(Ok(outcome))) = ended {
        // It had come to a good end before it heard of the request.
        return Ended::Itself(Ok(outcome));
    }
    match stop {
        Stop::Asked => Ended::Cancelled("cancelled on request"),
        Stop::Shutdown => Ended::Cancelled(STOPPING),
        Stop::TimedOut => Ended::Itself(Err(Failure::new(format!(
            "the run took longer than its timeout of {}",
            friendly(limits.timeout)
        ))
        .hint("raise `timeout` if this is how long it takes"))),
        Stop::Stalled => Ended::Itself(Err(Failure::new(format!(
            "no progress for {} (`stall_timeout`) in phase {}",
            friendly(limits.stall_timeout),
            context.progress.view().phase
        ))
        .retryable())),
    }
}

async fn watch(context: &RunContext, limits: Limits) -> Stop {
    let deadline = Instant::now() + limits.timeout;
    let mut last = context.progress.view();
    let mut moved = Instant::now();
    let mut published = None;
    let mut logged = Instant::now();
    let mut tick = interval(EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    tick.tick().await;
    loop {
        tick.tick().await;
        let view = context.progress.view();
        if view.beats != last.beats {
            moved = Instant::now();
        }
        let text = serde_json::to_string(&view).ok().filter(|text| published.as_ref() != Some(text));
        // A state store that is busy or full for a moment must not end a run that is going well.
        match context.state.publish_progress(&context.run_id, text.as_deref()).await {
            Ok(true) => return Stop::Asked,
            Ok(false) => published = text.or(published),
            Err(error) => {
                tracing::warn!(run_id = context.run_id, error = %crate::fault::chain(&error), "progress not published")
            }
        }
        if logged.elapsed() >= LOG_EVERY {
            logged = Instant::now();
            let (job, run_id) = (&context.job, &context.run_id);
            tracing::info!(
                job,
                run_id,
                phase = view.phase,
                bytes_in = view.bytes_in,
                bytes_stored = view.bytes_stored,
                "progress"
            );
        }
        last = view;
        if Instant::now() >= deadline {
            return Stop::TimedOut;
        }
        if moved.elapsed() >= limits.stall_timeout {
            return Stop::Stalled;
        }
    }
}

fn friendly(duration: Duration) -> String {
    jiff::SignedDuration::try_from(duration).map_or_else(|_| format!("{duration:?}"), |d| format!("{d:#}"))
}
