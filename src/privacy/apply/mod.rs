//! Applying a policy: rule by rule, each in windows that take about so long, each window one transaction.

mod pace;
mod rule;
mod window;

use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use serde::Serialize;
use serde_json::json;

use super::ground::{Ground, GroundError};
use super::plan::{Planned, Setting};
use crate::run::{Failure, RunContext};
use crate::state::{LogEntry, LogKind, StateError};

/// What came of applying a policy.
#[derive(Debug, Clone, Serialize)]
pub struct Applied {
    /// What came of each rule, in the order in which they were applied.
    pub rules: Vec<RuleApplied>,
}

/// What came of applying a rule.
#[derive(Debug, Clone, Serialize)]
pub struct RuleApplied {
    /// Its name.
    pub rule: String,
    /// Its table.
    pub table: String,
    /// Rows that are gone or changed.
    pub rows: u64,
    /// In how many transactions.
    pub batches: u64,
    /// How long those took together, in milliseconds.
    pub busy_ms: u64,
    /// How long the longest took.
    pub longest_ms: u64,
    /// Why it came to no end.
    pub error: Option<String>,
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
    /// The rules' setting.
    pub setting: &'a Setting<'a>,
    /// The policy's hash.
    pub hash: &'a str,
    /// The way back in.
    pub door: &'a dyn Door,
    /// Who does it, for the log.
    pub who: &'a str,
    /// How long one transaction should take.
    pub target: Duration,
}

impl Application<'_> {
    /// A line for the log.
    pub fn entry(&self, kind: LogKind, detail: serde_json::Value) -> LogEntry {
        LogEntry {
            kind,
            policy: Some(self.setting.policy.name.clone()),
            database: Some(self.setting.policy.database.to_string()),
            run_id: Some(self.context.run_id.clone()),
            who: self.who.to_owned(),
            host: crate::run::host(),
            detail,
        }
    }

    /// Whether somebody asks it to pause.
    fn is_paused(&self) -> bool {
        let file: Option<&Path> = self.setting.policy.batch.pause_file.as_deref();
        file.is_some_and(Path::exists)
    }
}

/// Applies each rule that can be; a rule that fails does not keep the others. Gives what came of each.
///
/// # Errors
///
/// When the state store fails: what cannot be recorded is not done.
pub async fn apply(
    application: &Application<'_>,
    ground: &mut Box<dyn Ground>,
    planned: &[Planned<'_>],
) -> Result<Applied, Failure> {
    let mut rules = Vec::new();
    for one in planned {
        let mut applied = RuleApplied {
            rule: one.shown.name.clone(),
            table: one.shown.table.clone(),
            rows: 0,
            batches: 0,
            busy_ms: 0,
            longest_ms: 0,
            error: None,
            hint: None,
            refused: false,
            retryable: false,
        };
        match (&one.ready, &one.shown.beyond) {
            (None, _) => {
                applied.error = Some(one.shown.problems.join("; "));
                applied.hint = Some(format!("`caretaker privacy plan {}` says more", application.setting.policy.name));
                log_refusal(application, LogKind::Refused, &applied).await?;
            }
            (Some(_), Some(beyond)) => {
                applied.error = Some(beyond.clone());
                applied.hint = Some("look at the plan; if it is right, raise the cap for this run".to_owned());
                applied.refused = true;
                log_refusal(application, LogKind::CapReached, &applied).await?;
            }
            (Some(ready), None) => rule::apply(application, ground, ready, &mut applied).await?,
        }
        rules.push(applied);
        if application.context.cancel.is_cancelled() {
            break;
        }
    }
    Ok(Applied { rules })
}

async fn log_refusal(application: &Application<'_>, kind: LogKind, applied: &RuleApplied) -> Result<(), StateError> {
    let detail = json!({"rule": applied.rule, "table": applied.table, "why": applied.error});
    application.context.state.log(&application.entry(kind, detail), jiff::Timestamp::now()).await.map(drop)
}
