//! One execution of a job: its lease, its deadline, its attempts, its progress and its end.
//!
//! Daemon and command line run jobs through [`execute()`], so a job behaves the same under both.

mod context;
mod execute;
mod lease;
mod person;
mod progress;
mod supervise;
#[cfg(test)]
mod tests;

pub use context::RunContext;
pub use execute::{Attempts, Request, RunReport, execute};
pub use lease::{Holder, Lease, LeaseError};
pub use person::{host, who};
pub use progress::{Progress, ProgressView};

use std::time::Duration;

use async_trait::async_trait;

use crate::fault::{Fault, chain};
use crate::state::State;

/// A kind of work that runs under a lease. One folder with a `job.rs` implements it, one line in `jobs.rs` registers it.
#[async_trait]
pub trait Job: Send + Sync {
    /// The full name, `kind.name`; also the name of its lease.
    fn name(&self) -> String;

    /// How long it may take.
    fn limits(&self) -> Limits;

    /// Whether it comes every few minutes and takes seconds: such runs do not wait behind the long ones, are logged only
    /// when something is wrong, and leave a short history.
    fn is_routine(&self) -> bool {
        false
    }

    /// The lease of another job that it holds as well: the two never run beside each other.
    fn keeps_away(&self) -> Option<String> {
        None
    }

    /// Whether there is something to do. Asked again and again of a job that looks for work rather than have a schedule; what
    /// it sees in vain leaves no run.
    async fn is_wanted(&self, _state: &State) -> bool {
        true
    }

    /// Says what a run would do now, and does nothing.
    async fn plan(&self) -> Result<PlanView, Failure>;

    /// Settles what a run that was cut off has left. Called under the lease before every run, and at the daemon's
    /// start for jobs that crashed. Must be quick when there is nothing.
    async fn recover(&self, state: &State) -> Result<(), Failure>;

    /// Does the work once. Must come to its end soon after `context.cancelled()`, with nothing half-done left.
    async fn run(&self, context: &RunContext) -> Result<Outcome, Failure>;
}

/// What a run would do: the dry run.
#[derive(Debug, Clone)]
pub struct PlanView {
    /// For people.
    pub text: String,
    /// For programs.
    pub value: serde_json::Value,
}

/// How long a run may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// One attempt's deadline.
    pub timeout: Duration,
    /// How long an attempt may go without progress.
    pub stall_timeout: Duration,
}

/// What a run that did not fail has come to.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// All of it.
    Succeeded {
        /// What was done, as JSON for the run's row.
        summary: serde_json::Value,
    },
    /// Some of it. Another attempt may complete it.
    Partial {
        /// What was done.
        summary: serde_json::Value,
        /// What is missing, and why.
        failure: Failure,
    },
}

/// A failure as it is recorded and told: words, a hint, and whether another attempt may cure it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The error and its causes on one line.
    pub message: String,
    /// What the person can do.
    pub hint: Option<String>,
    /// Whether trying again may help.
    pub retryable: bool,
    /// Whether it was refused for safety, or because somebody else is at work.
    pub refused: Option<Refusal>,
}

/// Why something was not even begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// It would endanger data.
    Safety,
    /// Another run holds the lease.
    Busy,
    /// The slot was given up, or run by somebody else, while it waited.
    Settled,
}

impl Failure {
    /// A failure in words of one's own.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, retryable: false, refused: None }
    }

    /// With a hint.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// One that another attempt may cure.
    pub fn retryable(mut self) -> Self {
        self.retryable = true;
        self
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl<E: Fault> From<E> for Failure {
    fn from(error: E) -> Self {
        Self { hint: error.hint(), retryable: error.retryable(), message: chain(&error), refused: None }
    }
}
