//! Applying a policy: rule by rule, each in windows that take about so long, each window one transaction.

mod archive;
mod pace;
mod partitions;
mod residual;
mod rule;
mod said;
mod throttle;
mod walk;
mod window;
mod work;

use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use serde::Serialize;
use serde_json::json;

pub use residual::{HeldBy, Residual};

use super::approval::Hand;
use super::ground::{Ground, GroundError};
use super::plan::{self, RulePlan, Setting};
use crate::config::{Config, Rule};
use crate::run::{Failure, RunContext};
use crate::state::{Disposition, LogEntry, LogKind, StateError};

/// What came of applying a rule.
#[derive(Debug, Clone, Serialize)]
pub struct RuleApplied {
    /// Its name.
    pub rule: String,
    /// Its table.
    pub table: String,
    /// Rows that are gone or changed.
    pub rows: u64,
    /// Partitions that are gone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub partitions: Vec<String>,
    /// How many archives they were put into before.
    pub archives: u64,
    /// In how many transactions.
    pub batches: u64,
    /// How long those took together, in milliseconds.
    pub busy_ms: u64,
    /// How long the longest took.
    pub longest_ms: u64,
    /// Rows that match all the same: those that came while it worked, or that a trigger or rule of the server kept.
    pub left: u64,
    /// The disposition's id; `None`: it was not begun.
    pub disposition: Option<String>,
    /// What still matches, and why; `None`: it did not come to its end.
    pub residual: Option<Residual>,
    /// Why it came to no end.
    pub error: Option<String>,
    /// The same without the server's words, for the log.
    #[serde(skip)]
    pub logged: Option<String>,
    /// What the person can do.
    pub hint: Option<String>,
    /// Whether it was refused rather than failed.
    pub refused: bool,
    /// Whether trying again may help.
    #[serde(skip)]
    pub retryable: bool,
}

/// Opens the database anew when a connection is lost.
#[async_trait]
pub trait Door: Send + Sync {
    /// A connection, ready to work.
    async fn open(&self) -> Result<Box<dyn Ground>, GroundError>;
}

/// What a policy is applied with.
pub struct Application<'a> {
    /// The run.
    pub context: &'a RunContext,
    /// The configuration.
    pub config: &'a Config,
    /// The rules' setting.
    pub setting: &'a Setting<'a>,
    /// The policy's hash.
    pub hash: &'a str,
    /// The way back in.
    pub door: &'a dyn Door,
    /// On whose behalf.
    pub hand: &'a Hand<'a>,
    /// How long one transaction should take.
    pub target: Duration,
}

impl Application<'_> {
    /// A line for the log.
    pub fn entry(&self, kind: LogKind, detail: serde_json::Value) -> LogEntry {
        self.hand.entry(self.setting.policy, kind, detail)
    }

    /// Whether somebody asks it to pause.
    fn is_paused(&self) -> bool {
        let file: Option<&Path> = self.setting.policy.batch.pause_file.as_deref();
        file.is_some_and(Path::exists)
    }
}

/// Applies each rule that can be; a rule that fails does not keep the others. Each is planned anew when its turn comes, for
/// those before it have changed what is there. Gives what came of each, and its plan.
///
/// # Errors
///
/// When the state store fails: what cannot be recorded is not done. When it is told to stop: the next run goes on.
pub async fn apply(
    application: &Application<'_>,
    ground: &mut Box<dyn Ground>,
    earlier: &[Disposition],
) -> Result<Vec<(RuleApplied, RulePlan)>, Failure> {
    let mut done = Vec::new();
    let setting = application.setting;
    let state = &application.context.state;
    for rule in plan::in_order(setting).0 {
        let holds = state.holds(Some(&setting.policy.name), Some(setting.now)).await?;
        let known = plan::Known { holds: &holds, earlier, gone: &[] };
        let planning = plan::rule(ground.as_mut(), setting, rule, known);
        let one = application.context.progress.beat_during(planning).await?;
        let mut applied = RuleApplied::new(rule);
        match (&one.ready, &one.shown.beyond) {
            (None, _) => {
                applied.error = Some(one.shown.problems.join("; "));
                let of_server = "the server does not understand it, or is against it: the plan says more".to_owned();
                applied.logged = if one.shown.is_of_server { Some(of_server) } else { applied.error.clone() };
                applied.hint = Some(format!("`caretaker privacy plan {}` says more", setting.policy.name));
                log_refusal(application, LogKind::Refused, &applied).await?;
            }
            (Some(_), Some(beyond)) => {
                applied.error = Some(beyond.clone());
                applied.logged = Some(beyond.clone());
                applied.hint = Some("look at the plan; if it is right, raise the cap".to_owned());
                applied.refused = true;
                log_refusal(application, LogKind::CapReached, &applied).await?;
            }
            (Some(ready), None) => rule::apply(application, ground, ready, &mut applied).await?,
        }
        done.push((applied, one.shown));
    }
    Ok(done)
}

impl RuleApplied {
    fn new(rule: &Rule) -> Self {
        Self {
            rule: rule.name.clone(),
            table: rule.table.to_string(),
            rows: 0,
            partitions: Vec::new(),
            archives: 0,
            batches: 0,
            busy_ms: 0,
            longest_ms: 0,
            left: 0,
            disposition: None,
            residual: None,
            error: None,
            logged: None,
            hint: None,
            refused: false,
            retryable: false,
        }
    }
}

async fn log_refusal(application: &Application<'_>, kind: LogKind, applied: &RuleApplied) -> Result<(), StateError> {
    let detail = json!({"rule": applied.rule, "table": applied.table, "why": applied.logged});
    application.context.state.log(&application.entry(kind, detail), jiff::Timestamp::now()).await.map(drop)
}
