//! From a claimed slot to its run, and back.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::beat::Beat;
use super::life::{Finished, Life};
use super::queue::Waiting;
use crate::backup;
use crate::config::CatchUp;
use crate::fault::chain;
use crate::run::{Attempts, Failure, Refusal, Request, RunReport, execute};
use crate::state::{Abandoned, Cause, State, StateError};

/// Attempts after the first, where the job names none.
const RETRIES: u32 = 2;

/// The first pause before another attempt.
const BACKOFF: Duration = Duration::from_secs(30);

/// A slot whose job another process is running is looked at again after this.
const BUSY_PAUSE: Duration = Duration::from_secs(5);

/// A slot whose run could not even be recorded is tried again after this.
const TROUBLE_PAUSE: Duration = Duration::from_secs(60);

/// A slot that took the process down with it so often is given up.
const MAX_INTERRUPTIONS: u32 = 5;

impl Life {
    /// Takes up what an earlier life has left: slots that were claimed and not settled, leases that died.
    pub(super) async fn resume(&mut self) -> Result<(), StateError> {
        for open in self.state.open_slots().await? {
            let catch_up = self.jobs.get(&open.job).is_some_and(|job| job.catch_up == CatchUp::Once);
            let (job, slot, attempts) = (open.job, open.slot, open.runs);
            if catch_up && open.interruptions < MAX_INTERRUPTIONS {
                tracing::warn!(job, %slot, attempts, "slot was cut off and is run again");
                let before = Attempts { runs: open.runs, failed: open.failed, last_run: open.last_run };
                let routine = self.jobs.get(&job).is_some_and(|known| known.job.is_routine());
                self.enqueue(Waiting { job, slot, catch_up: true, routine, before, not_before: Instant::now() });
            } else {
                tracing::error!(job, %slot, attempts, "slot was cut off and is given up");
                // The next round of a routine job is never far.
                let is_routine = self.jobs.get(&job).is_none_or(|known| known.job.is_routine());
                let given_up = Some(open.interruptions).filter(|count| *count > 0 && !is_routine);
                self.passed_over.push(Abandoned { job, slot, failed: attempts > 0, given_up });
            }
        }
        let leases = self.state.unsettled_leases().await?;
        self.settle_passed_over().await;
        for lease in leases {
            // A run settles what its predecessors left before it begins.
            if self.queue.waits(&lease) {
                continue;
            }
            let (config, state) = (Arc::clone(&self.config), self.state.clone());
            self.tasks.spawn(async move {
                if let Err(failure) = backup::settle_lease(&lease, &config, &state).await {
                    tracing::error!(job = lease, error = failure.message, "what a killed run has left is not settled");
                }
            });
        }
        Ok(())
    }

    pub(super) fn enqueue(&mut self, slot: Waiting) {
        if let Some(old) = self.queue.push(slot) {
            self.pass_over(old);
        }
    }

    /// Notes that a slot is not run; [`Self::settle_passed_over`] writes it down.
    pub(super) fn pass_over(&mut self, slot: Waiting) {
        tracing::warn!(job = slot.job, slot = %slot.slot, "slot is passed over for a newer one");
        self.passed_over.push(Abandoned {
            job: slot.job,
            slot: slot.slot,
            failed: slot.before.runs > 0,
            given_up: None,
        });
    }

    /// Settles the slots that were passed over, in one transaction. Where that fails they stay noted.
    pub(super) async fn settle_passed_over(&mut self) {
        match self.state.abandon_slots(&self.passed_over, Timestamp::now()).await {
            Ok(()) => self.passed_over.clear(),
            Err(error) => tracing::error!(error = %chain(&error), "slots passed over are not settled yet"),
        }
    }

    /// Starts the slots that wait, as far as there is room.
    pub(super) fn start_waiting(&mut self) {
        let room = self.config.daemon.max_concurrent_runs;
        while let Some(slot) = self.queue.pop(room, Instant::now()) {
            let Some(registered) = self.jobs.get(&slot.job).cloned() else {
                self.queue.finished(&slot.job);
                continue;
            };
            let (state, cancel, finished) = (self.state.clone(), self.cancel.clone(), self.finished_tx.clone());
            let (beat, on_progress) = Beat::start(&self.heartbeats, &registered, &self.tasks);
            self.tasks.spawn(async move {
                let request = Request {
                    cause: if slot.catch_up { Cause::CatchUp } else { Cause::OnTime },
                    slot: Some(slot.slot),
                    before: slot.before.clone(),
                    retries: registered.retries.unwrap_or(RETRIES),
                    backoff: BACKOFF,
                    on_progress,
                };
                let report = execute(registered.job.as_ref(), &request, &state, &cancel).await;
                drop(request);
                note_refusal(&slot.job, &report, &state).await;
                beat.end(&report);
                // Only a daemon that has stopped listening refuses this.
                let _ = finished.send(Finished { slot, report }).await;
            });
        }
    }

    /// A run's task has ended. A slot whose run could not begin, or is to be tried again, goes back to the queue.
    pub(super) fn finished(&mut self, Finished { slot, report }: Finished) {
        self.queue.finished(&slot.job);
        self.wanted.finished(&slot.job, &report, Instant::now());
        let (slot, pause) = match (&report.failure, report.retry_in) {
            (_, Some(pause)) => (Waiting { before: slot.before.after(&report), ..slot }, pause),
            (Some(failure), None) if report.run_id.is_none() => match failure.refused {
                Some(Refusal::Settled) => {
                    tracing::info!(job = slot.job, slot = %slot.slot, reason = failure.message, "slot is not run");
                    return;
                }
                Some(Refusal::Busy) => {
                    tracing::info!(job = slot.job, reason = failure.message, "slot waits");
                    (slot, BUSY_PAUSE)
                }
                _ => {
                    let Failure { message, hint, .. } = failure;
                    tracing::error!(job = slot.job, error = message, hint, "the run could not begin");
                    (slot, TROUBLE_PAUSE)
                }
            },
            _ => return,
        };
        if let Some(old) = self.queue.put_back(slot, pause, Instant::now()) {
            self.pass_over(old);
        }
    }
}

/// Writes down that a run could not begin for a reason that somebody should know: it is tried again and again.
async fn note_refusal(job: &str, report: &RunReport, state: &State) {
    let Some(failure) = report.failure.as_ref().filter(|it| report.run_id.is_none() && it.refused.is_none()) else {
        return;
    };
    let noted = state.record_refusal(job, &failure.message, failure.hint.as_deref(), Timestamp::now()).await;
    if let Err(error) = noted {
        tracing::error!(job, error = %chain(&error), "that a run could not begin is not recorded");
    }
}
