//! What stands in the log when a policy was applied: all that its certificate says of the rows.

use jiff::Timestamp;
use jiff::fmt::friendly::{Designator, Spacing, SpanPrinter};
use serde::{Deserialize, Serialize};

use crate::config::{PrivacyPolicy, Rule};
use crate::privacy::apply::{Residual, RuleApplied};
use crate::privacy::erase::Remains;
use crate::privacy::plan::RulePlan;
use crate::run::Failure;
use crate::state::State;

/// A policy that was applied.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Applied {
    /// In which form.
    pub policy_hash: String,
    /// When it began.
    pub began: Timestamp,
    /// What came of each rule, in the order in which they were applied.
    pub rules: Vec<AppliedRule>,
    /// What still holds the rows.
    pub remains: Option<Remains>,
}

/// What came of a rule.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct AppliedRule {
    /// Its name.
    pub rule: String,
    /// Its table.
    pub table: String,
    /// What becomes of the rows.
    pub action: String,
    /// Why.
    pub reason: Option<String>,
    /// The age from which on.
    pub older_than: Option<String>,
    /// The extra condition, as SQL.
    #[serde(rename = "where")]
    pub condition: Option<String>,
    /// Rows older than this.
    pub cutoff: Option<Timestamp>,
    /// The disposition's id; `None`: it was not begun.
    pub disposition: Option<String>,
    /// How many rows matched when it was begun.
    pub planned: u64,
    /// How many are gone or changed; with those of runs before that were cut off.
    pub done: u64,
    /// In how many transactions.
    pub batches: u64,
    /// What still matches, and why; `None`: it did not come to its end.
    pub residual: Option<Residual>,
    /// Why it came to no end.
    pub error: Option<String>,
    /// Whether it was refused rather than failed.
    #[serde(default)]
    pub refused: bool,
}

impl Applied {
    /// Puts together what came of a policy's rules.
    pub async fn new(
        policy: &PrivacyPolicy,
        policy_hash: &str,
        began: Timestamp,
        done: &[(RuleApplied, RulePlan)],
        state: &State,
    ) -> Result<Self, Failure> {
        let mut rules = Vec::new();
        for (applied, plan) in done {
            let of = policy.rules.iter().find(|rule| rule.name == applied.rule);
            let disposition = match &applied.disposition {
                Some(id) => state.disposition(id).await?,
                None => None,
            };
            let begun = disposition.as_ref();
            rules.push(AppliedRule {
                rule: applied.rule.clone(),
                table: applied.table.clone(),
                action: plan.action.clone(),
                reason: plan.reason.clone(),
                older_than: of.map(older_than),
                condition: of.and_then(|rule| rule.condition.clone()),
                cutoff: plan.meaning.as_ref().map(|meaning| meaning.cutoff),
                disposition: applied.disposition.clone(),
                planned: begun.map_or_else(|| plan.meaning.as_ref().map_or(0, |it| it.rows), |it| it.planned),
                done: begun.map_or(applied.rows, |it| it.done),
                batches: begun.map_or(applied.batches, |it| it.batches),
                residual: applied.residual.clone(),
                error: applied.logged.clone(),
                refused: applied.refused,
            });
        }
        Ok(Self { policy_hash: policy_hash.to_owned(), began, rules, remains: None })
    }

    /// How many rows are gone or changed.
    pub fn rows(&self) -> u64 {
        self.rules.iter().map(|rule| rule.done).sum()
    }
}

/// `90 days`
fn older_than(rule: &Rule) -> String {
    let words = SpanPrinter::new().designator(Designator::Verbose).spacing(Spacing::BetweenUnitsAndDesignators);
    words.span_to_string(&rule.older_than)
}
