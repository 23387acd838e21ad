//! Certificates of disposition: what was done, when, by whom, under which policy, what was held, and what honestly remains.
//!
//! They are made from what was written down at the time, the disposition log and the ledger, not from what is true now; only
//! that the last backup has gone since is added. Which lines of the log they rest on stands in them, and whether it verifies.

mod applied;
mod basis;
mod disposition;
mod erasure;
mod render;
mod statement;

use jiff::Timestamp;
use serde::Serialize;

pub use applied::{Applied, AppliedRule};
pub use basis::{Basis, Line};
pub use disposition::{disposition, latest, runs};
pub use erasure::erasure;
pub use render::{html, text};

use super::erase::{Found, Remains};

/// A certificate.
#[derive(Debug, Clone, Serialize)]
pub struct Certificate {
    /// Of what.
    pub of: Of,
    /// The run's id, or the erasure's.
    pub id: String,
    /// What it says, in a few sentences.
    pub statement: Vec<String>,
    /// Under which policy.
    pub policy: String,
    /// In which form of it.
    pub policy_hash: String,
    /// In which database.
    pub database: String,
    /// Who approved that form; `None`: nobody had to, or it does not stand in the log.
    pub approved: Option<Approved>,
    /// Who had it done.
    pub who: String,
    /// On which machine.
    pub host: String,
    /// When it began; an erasure: when it was received.
    pub began: Timestamp,
    /// When it ended; `None`: it was cut off.
    pub ended: Option<Timestamp>,
    /// How it ended.
    pub outcome: Outcome,
    /// What came of each rule.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<RuleDone>,
    /// The erasures that were completed in the run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub erasures: Vec<String>,
    /// What came of an erasure.
    #[serde(flatten)]
    pub erased: Option<Erased>,
    /// What still held the data when it ended; `None`: there was nothing to hold, or it was cut off.
    pub remains: Option<Remains>,
    /// When it was found that the last backup had gone that held it.
    pub copies_gone: Option<Timestamp>,
    /// What it rests on.
    pub log: Basis,
}

/// What a certificate is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Of {
    /// A run of a policy.
    Disposition,
    /// An erasure.
    Erasure,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// All of it was done.
    Completed,
    /// Some rules were not applied, or not to their end.
    Partial,
    /// It was cut off: what it had not done, a later run went on with.
    CutOff,
}

/// Who approved a policy's form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Approved {
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// The line of the log.
    pub line: u64,
}

/// What came of a rule.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RuleDone {
    /// As it was written down.
    #[serde(flatten)]
    pub applied: AppliedRule,
    /// The run that went on with it after this one was cut off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gone_on_with_by: Option<String>,
}

/// What came of an erasure.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Erased {
    /// Who: an HMAC.
    pub subject_hmac: String,
    /// Why.
    pub reason: Option<String>,
    /// When it had to be done.
    pub due: Timestamp,
    /// When holds kept it waiting.
    pub deferred: Vec<Deferral>,
    /// What was done.
    pub references: Vec<Found>,
    /// What a search of all declared columns found afterwards.
    pub residual: Vec<Found>,
}

/// Holds that an erasure has met.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Deferral {
    /// When.
    pub at: Timestamp,
    /// Their ids.
    pub holds: Vec<String>,
}

impl Certificate {
    /// How many rows are gone or changed.
    pub fn rows(&self) -> u64 {
        let of_rules: u64 = self.rules.iter().map(|rule| rule.applied.done).sum();
        let of_person = self.erased.iter().flat_map(|erased| &erased.references);
        of_rules + of_person.map(|found| found.rows).sum::<u64>()
    }

    /// How many rows are held, as far as that was written down.
    pub fn held(&self) -> u64 {
        self.rules.iter().filter_map(|rule| rule.applied.residual.as_ref()).map(|residual| residual.held).sum()
    }
}
