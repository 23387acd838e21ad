//! Jobs that look for work: no schedule says when they run, but what waits for them somewhere. They are asked every so often
//! whether there is something to do, and only then get a slot, which goes the way of all slots from there on.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::life::Life;
use super::queue::Waiting;
use crate::fault::chain;
use crate::run::{Attempts, RunReport};
use crate::state::{Claim, SlotCause};

/// How long one look may take.
const LOOK_WITHIN: Duration = Duration::from_secs(120);

/// After a run that failed, the next look comes no sooner: what is wrong is rarely right a minute later, and each run that
/// fails is one more line in the history.
const PAUSE: Duration = Duration::from_secs(600);

/// What is known of the jobs that look for work.
pub(super) struct Wanted {
    /// When each looks again; `None`: it is looking.
    next: BTreeMap<String, Option<Instant>>,
    looked: mpsc::Sender<Looked>,
    pub(super) seen: mpsc::Receiver<Looked>,
    cancel: CancellationToken,
}

/// What a look has come to.
pub(super) struct Looked {
    job: String,
    is_wanted: bool,
}

impl Default for Wanted {
    fn default() -> Self {
        let (looked, seen) = mpsc::channel(64);
        Self { next: BTreeMap::new(), looked, seen, cancel: CancellationToken::new() }
    }
}

impl Wanted {
    /// Whether a job should look now.
    fn is_due(&self, job: &str, now: Instant) -> bool {
        self.next.get(job).is_none_or(|next| next.is_some_and(|next| next <= now))
    }

    /// A job's run has ended.
    pub(super) fn finished(&mut self, job: &str, report: &RunReport, now: Instant) {
        if report.run_id.is_some()
            && report.failure.is_some()
            && let Some(next) = self.next.get_mut(job)
        {
            *next = Some(now + PAUSE);
        }
    }

    /// Nobody looks any more: the daemon is stopping.
    pub(super) fn stop(&mut self) {
        self.cancel.cancel();
        self.seen.close();
    }
}

impl Life {
    /// Lets those jobs look whose turn it is, and that neither run nor wait.
    pub(super) fn look_for_work(&mut self) {
        let now = Instant::now();
        let due = |name: &str| {
            self.wanted.is_due(name, now) && !self.queue.waits(name) && !self.queue.running().contains(name)
        };
        let looking: Vec<_> = self.jobs.values().filter(|job| job.looks_every.is_some() && due(&job.name)).collect();
        for registered in looking {
            self.wanted.next.insert(registered.name.clone(), None);
            let (job, name) = (Arc::clone(&registered.job), registered.name.clone());
            let (state, looked, cancel) = (self.state.clone(), self.wanted.looked.clone(), self.wanted.cancel.clone());
            self.tasks.spawn(async move {
                let is_wanted = tokio::select! {
                    wanted = timeout(LOOK_WITHIN, job.is_wanted(&state)) => wanted.unwrap_or(false),
                    () = cancel.cancelled() => false,
                };
                // Only a daemon that has stopped listening refuses this.
                let _ = looked.send(Looked { job: name, is_wanted }).await;
            });
        }
    }

    /// A job has looked: if there is work, it gets a slot.
    pub(super) async fn looked(&mut self, Looked { job, is_wanted }: Looked) {
        // A job that is no more is not asked again.
        let Some(every) = self.jobs.get(&job).and_then(|registered| registered.looks_every) else {
            self.wanted.next.remove(&job);
            return;
        };
        self.wanted.next.insert(job.clone(), Some(Instant::now() + every));
        if !is_wanted || self.queue.waits(&job) || self.queue.running().contains(&job) {
            return;
        }
        // Whole milliseconds, as the ledger keeps it.
        let now = Timestamp::now();
        let slot = Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now);
        let claim = Claim { job: job.clone(), slot, cause: SlotCause::OnTime, missed: 0 };
        match self.state.claim_slots(&[claim], now).await {
            Ok(ours) if ours == [true] => {
                let routine = self.jobs.get(&job).is_some_and(|known| known.job.is_routine());
                let (before, not_before) = (Attempts::default(), Instant::now());
                self.enqueue(Waiting { job, slot, catch_up: false, routine, before, not_before });
                self.start_waiting();
            }
            Ok(_) => {}
            // What waits there still waits at the next look.
            Err(error) => tracing::error!(job, error = %chain(&error), "work was found, and cannot be claimed"),
        }
    }
}
