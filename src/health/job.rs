//! The health job: what the scheduler executes.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::json;

use super::{Depth, Rounds, round};
use crate::config::{Config, HealthJob, JobKind};
use crate::database::Servers;
use crate::run::{self, Failure, Limits, Outcome, PlanView, RunContext};
use crate::state::{State, Status};

/// How many of a health job's rounds are kept in the history.
const KEPT_ROUNDS: u32 = 50;

/// How long figures are kept for comparison: twice the longest time that a check looks back.
const KEPT_SAMPLES: jiff::SignedDuration = jiff::SignedDuration::from_hours(60 * 24);

/// One of the two schedules of a `[health.*]` table, ready to run.
pub struct Job {
    config: Arc<Config>,
    servers: Arc<Servers>,
    settings: HealthJob,
    depth: Depth,
}

impl Job {
    /// The job of a table; `depth` says which of its schedules.
    pub fn new(config: Arc<Config>, servers: Arc<Servers>, settings: HealthJob, depth: Depth) -> Self {
        Self { config, servers, settings, depth }
    }

    /// `health.app`, `health.app.deep`.
    pub fn full_name(&self) -> String {
        let name = format!("{}.{}", JobKind::Health.as_str(), self.settings.name);
        if self.depth == Depth::Deep { format!("{name}.deep") } else { name }
    }
}

#[async_trait]
impl run::Job for Job {
    fn name(&self) -> String {
        self.full_name()
    }

    fn limits(&self) -> Limits {
        // Each check has a deadline of its own.
        let timeout = Duration::from_secs(if self.depth == Depth::Deep { 6 * 3600 } else { 600 });
        Limits { timeout, stall_timeout: timeout }
    }

    fn is_routine(&self) -> bool {
        true
    }

    async fn plan(&self) -> Result<PlanView, Failure> {
        let checks = super::due(&self.settings, &self.config, self.depth);
        let names: Vec<&str> = checks.iter().map(|check| check.name.as_str()).collect();
        let text = format!("would look at {}: {}", self.settings.database, names.join(", "));
        Ok(PlanView { text, value: json!({"database": self.settings.database.as_str(), "checks": names}) })
    }

    async fn recover(&self, _state: &State) -> Result<(), Failure> {
        // A round leaves nothing behind.
        Ok(())
    }

    async fn run(&self, context: &RunContext) -> Result<Outcome, Failure> {
        context.progress.phase("look");
        let rounds =
            Rounds { config: &self.config, servers: &self.servers, state: &context.state, job: &self.settings };
        let looked = tokio::select! {
            looked = context.progress.beat_during(round(rounds, self.depth, Timestamp::now())) => looked,
            () = context.cancelled() => return Err(Failure::new("cancelled")),
        };
        looked.record(&context.state).await?;
        context.state.forget_runs(&context.job, KEPT_ROUNDS).await?;
        context.state.forget_samples(Timestamp::now() - KEPT_SAMPLES).await?;
        let count = |status| looked.looks.iter().filter(|look| look.status() == status).count();
        let summary = json!({
            "database": looked.database,
            "status": looked.worst(),
            "critical": count(Status::Critical),
            "warning": count(Status::Warning),
            "unknown": count(Status::Unknown),
            "ok": count(Status::Ok),
            "not_applicable": count(Status::NotApplicable),
            "warnings": [],
        });
        Ok(Outcome::Succeeded { summary })
    }
}
