//! The job that drains a queue: it looks every so often, and runs only when somebody waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::json;

use super::drain::{Drained, drain};
use super::look::{Waiting, look};
use super::{is_paused, named};
use crate::anchor;
use crate::config::{Config, PrivacyPolicy, Subject};
use crate::database::Servers;
use crate::fault::chain;
use crate::privacy::approval::{self, Hand};
use crate::privacy::erase::{Erasing, due};
use crate::privacy::ground::Purpose;
use crate::privacy::replay::escrow;
use crate::privacy::session::Session;
use crate::run::{self, Failure, Limits, Outcome, PlanView, RunContext, who};
use crate::state::{Cause, State, Status};
use crate::units::counted;

/// How many of its runs are kept in the history: what was done stands in ledger and log.
const KEPT: u32 = 200;

/// How long a run may go without progress: one person's rows, in the slowest way.
const STALL: Duration = Duration::from_secs(3600);

/// So many looks in vain, for a reason that may pass, before it is said: a server that starts again is no incident.
const IN_VAIN: u32 = 5;

/// The queue of a `[privacy.*]` table, ready to be drained.
pub struct QueueJob {
    config: Arc<Config>,
    servers: Arc<Servers>,
    settings: PrivacyPolicy,
    /// Looks in vain, one after the other.
    in_vain: AtomicU32,
}

impl QueueJob {
    /// The job of a table whose subject has a queue.
    pub fn new(config: Arc<Config>, servers: Arc<Servers>, settings: PrivacyPolicy) -> Self {
        Self { config, servers, settings, in_vain: AtomicU32::new(0) }
    }

    /// `privacy.ferpa.queue`
    pub fn full_name(&self) -> String {
        format!("{}.queue", self.policy())
    }

    /// `privacy.ferpa`: the policy's own job, and the lease under which everything is done by it.
    fn policy(&self) -> String {
        format!("privacy.{}", self.settings.name)
    }

    /// Looks, and says what is to be said of it.
    async fn observe(&self, state: &State) -> Result<bool, Failure> {
        let looked = look(&self.config, &self.servers, &self.settings).await;
        let now = Timestamp::now();
        let waiting = match looked {
            Ok(waiting) => {
                self.in_vain.store(0, Ordering::Relaxed);
                waiting
            }
            Err(failure) => {
                let in_vain = self.in_vain.fetch_add(1, Ordering::Relaxed) + 1;
                tracing::debug!(policy = self.settings.name, error = failure.message, "the queue cannot be seen");
                if !failure.retryable || in_vain >= IN_VAIN {
                    let status = if failure.retryable { Status::Unknown } else { Status::Critical };
                    let (said, advice) = (failure.message, failure.hint);
                    state.observe_queue(&self.settings.name, status, &said, advice, now).await?;
                }
                return Ok(false);
            }
        };
        let approved = approval::is_given(&self.settings, state).await?;
        let (status, said, advice) = judge(&self.settings, waiting, approved, now)?;
        state.observe_queue(&self.settings.name, status, &said, advice, now).await?;
        Ok(approved && waiting.requests > 0 && !is_paused(&self.settings).await)
    }
}

/// What is said of what waits.
fn judge(
    policy: &PrivacyPolicy,
    waiting: Waiting,
    approved: bool,
    now: Timestamp,
) -> Result<(Status, String, Option<String>), Failure> {
    let due = match (&policy.subject, waiting.oldest) {
        (Some(subject), Some(oldest)) => Some(overdue(subject, policy, oldest, now)?),
        _ => None,
    };
    let requests = counted(usize::try_from(waiting.requests).unwrap_or(usize::MAX), "request", "requests");
    let name = &policy.name;
    Ok(match (waiting.requests, due.flatten()) {
        (0, _) => (Status::Ok, "nobody waits in the queue".to_owned(), None),
        (_, Some(due)) => (
            Status::Critical,
            format!("{requests} in the queue, overdue since {due:.0}"),
            Some(format!("`caretaker job history privacy.{name}.queue` tells why they are not done")),
        ),
        (_, None) if !approved => (
            Status::Warning,
            format!("{requests} in the queue, and the policy is not approved in the form it has"),
            Some(format!("look at `caretaker privacy plan {name}`, then `caretaker privacy approve {name} HASH`")),
        ),
        _ => (Status::Ok, "nobody waits in the queue for longer than they should".to_owned(), None),
    })
}

/// Since when a request is overdue, if it is.
fn overdue(
    subject: &Subject,
    policy: &PrivacyPolicy,
    received: Timestamp,
    now: Timestamp,
) -> Result<Option<Timestamp>, Failure> {
    Ok(Some(due(subject, policy, received)?).filter(|due| *due < now))
}

#[async_trait]
impl run::Job for QueueJob {
    fn name(&self) -> String {
        self.full_name()
    }

    fn limits(&self) -> Limits {
        Limits { timeout: self.settings.timeout, stall_timeout: STALL.min(self.settings.timeout) }
    }

    /// Somebody waits: it does not queue up behind the night's backups.
    fn is_routine(&self) -> bool {
        true
    }

    fn keeps_away(&self) -> Option<String> {
        Some(self.policy())
    }

    async fn is_wanted(&self, state: &State) -> bool {
        self.observe(state).await.unwrap_or_else(|failure| {
            tracing::error!(policy = self.settings.name, error = failure.message, "what the queue holds is not noted");
            false
        })
    }

    async fn plan(&self) -> Result<PlanView, Failure> {
        let waiting = look(&self.config, &self.servers, &self.settings).await?;
        let queue = named(&self.settings)?.table.to_string();
        let value = json!({"policy": self.settings.name, "queue": queue, "requests": waiting.requests,
            "oldest": waiting.oldest});
        Ok(PlanView { text: format!("would erase the people of {} requests in {queue}", waiting.requests), value })
    }

    /// Requests that a killed run had in hand still stand in the queue.
    async fn recover(&self, _: &State) -> Result<(), Failure> {
        Ok(())
    }

    async fn run(&self, context: &RunContext) -> Result<Outcome, Failure> {
        let done = self.work(context).await;
        if !context.cancel.is_cancelled() {
            if let Err(error) = context.progress.beat_during(anchor::write(&self.config, &context.state)).await {
                tracing::warn!(error = chain(&error), "the disposition log is not anchored");
            }
            context.state.forget_runs(&context.job, KEPT).await?;
        }
        done
    }
}

impl QueueJob {
    async fn work(&self, context: &RunContext) -> Result<Outcome, Failure> {
        let is_person = context.cause == Cause::Manual;
        let who = if is_person { who() } else { "daemon".to_owned() };
        let hand = Hand { who: &who, is_person, run_id: Some(&context.run_id) };
        approval::check(&self.settings, &context.state, &hand).await?;
        context.progress.phase("erase");
        let mut session = Session::open(&self.config, &self.servers, &self.settings, Purpose::Work).await?;
        let kept = escrow::keep(&self.config, &context.state, &self.settings, &session.seen.key);
        context.progress.beat_during(kept).await;
        let erasing = Erasing { config: &self.config, policy: &self.settings, state: &context.state, hand: &hand };
        let drained = context.progress.beat_during(drain(&erasing, &mut session, context)).await?;
        tracing::info!(
            policy = self.settings.name,
            erased = drained.erased,
            deferred = drained.deferred,
            failed = drained.failed,
            dropped = drained.dropped,
            "queue drained"
        );
        outcome(&self.settings, &drained)
    }
}

fn outcome(policy: &PrivacyPolicy, drained: &Drained) -> Result<Outcome, Failure> {
    let Drained { erased, deferred, failed, dropped, problems } = drained;
    let summary = json!({"policy": policy.name, "erased": erased, "deferred": deferred, "failed": failed,
        "dropped": dropped, "warnings": problems});
    if *failed == 0 {
        return Ok(Outcome::Succeeded { summary });
    }
    let people = counted(usize::try_from(*failed).unwrap_or(usize::MAX), "person is", "people are");
    let failure = Failure::new(format!("{people} not erased: {}", problems.join("; ")))
        .hint(format!("`caretaker privacy erasures {}` shows them; the policy's next run tries again", policy.name));
    Ok(Outcome::Partial { summary, failure })
}
