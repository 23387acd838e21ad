//! Erasing a person wherever the policy says that they stand: looked at, recorded, done, searched again, certified.
//!
//! The request is recorded before the first row goes, and knows the person by an HMAC only. Rows go in short transactions, so
//! an erasure that is cut off has been done in part; asked for again, or found again by the HMAC, it comes to the same end.

mod again;
mod archived;
mod carry;
mod certificate;
mod check;
mod copies;
mod erasing;
mod held;
mod person;
mod receive;
mod remains;
mod steps;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use archived::ArchivesLeft;
pub use certificate::{Certificate, sha256, text as certificate_text};
pub use copies::CopyLeft;
pub use erasing::tidy;
pub use person::{Person, subject};
pub use receive::due;
pub use remains::{BackupsLeft, Remains, look as remains};
pub use steps::{Step, by, steps};

use super::approval::Hand;
use crate::config::{Config, PrivacyPolicy};
use crate::run::{Failure, Refusal};
use crate::state::{Erasure, State};

/// What an erasure is carried out with.
#[derive(Clone, Copy)]
pub struct Erasing<'a> {
    /// What the operator wrote.
    pub config: &'a Config,
    /// The policy.
    pub policy: &'a PrivacyPolicy,
    /// What is remembered.
    pub state: &'a State,
    /// On whose behalf.
    pub hand: &'a Hand<'a>,
}

/// A request as it was received.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// Why.
    pub reason: Option<&'a str>,
    /// When; `None`: now.
    pub received: Option<Timestamp>,
}

/// What an erasure would do.
#[derive(Debug, Clone, Serialize)]
pub struct Sight {
    /// What the ledger calls the person.
    pub subject_hmac: String,
    /// Where the person was found.
    pub references: Vec<Found>,
    /// The holds that it meets.
    pub held_by: Vec<String>,
    /// What the operator should know.
    pub warnings: Vec<String>,
}

/// Rows about a person by one reference.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Found {
    /// The table.
    pub table: String,
    /// How they are found.
    pub by: String,
    /// What becomes of them.
    pub action: String,
    /// How many.
    pub rows: u64,
}

impl Sight {
    /// How many rows there are to do.
    pub fn rows(&self) -> u64 {
        self.references.iter().map(|found| found.rows).sum()
    }
}

impl Found {
    fn none(step: &Step<'_>) -> Self {
        let (table, by, action) = (step.table.relation.to_string(), step.by.clone(), step.action());
        Self { table, by, action, rows: 0 }
    }
}

/// A refusal for safety: an erasure that waits.
pub fn deferred(erasure: &Erasure) -> Failure {
    let note = erasure.note.clone().unwrap_or_default();
    Failure {
        refused: Some(Refusal::Safety),
        ..Failure::new(format!("the erasure {} is deferred: {note}", erasure.id))
            .hint("`caretaker privacy hold list` says why; it goes on when the hold is released")
    }
}
