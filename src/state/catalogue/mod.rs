//! The catalogue: what is known of the backups in the stores. `query` asks it, `write` changes it.

mod query;
mod write;

use jiff::Timestamp;
use serde::Serialize;

use super::StateError;
use super::runs::text_enum;

/// What a backup has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BackupState {
    /// Being written, or cut off by a crash.
    Writing,
    /// Every store that was asked for has it.
    Complete,
    /// Some stores have it.
    Partial,
    /// No store has it whole.
    Failed,
}
text_enum!(
    BackupState,
    "backup state",
    Writing = "writing",
    Complete = "complete",
    Partial = "partial",
    Failed = "failed"
);

/// What a store holds of a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CopyState {
    /// Being written, or cut off by a crash.
    Writing,
    /// All of it: its manifest is there.
    Complete,
    /// Nothing: given up, and cleaned.
    Missing,
    /// Given up; remains may be there.
    Leftover,
    /// Something, but not the bytes of the manifest. Kept until a good copy replaces it.
    Bad,
    /// Its removal has begun.
    Deleting,
}
text_enum!(
    CopyState,
    "copy state",
    Writing = "writing",
    Complete = "complete",
    Missing = "missing",
    Leftover = "leftover",
    Bad = "bad",
    Deleting = "deleting",
);

/// What a verification found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Verification {
    Good,
    Bad,
}
text_enum!(Verification, "verification", Good = "good", Bad = "bad");

/// A backup about to be written.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "see the table `backups`")]
pub struct NewBackup {
    pub id: String,
    pub database: String,
    pub job: Option<String>,
    pub manual: bool,
    pub run_id: String,
    pub lease: String,
    pub stores: Vec<String>,
    pub started_at: Timestamp,
}

/// A store's part of a backup.
#[derive(Debug, Clone, Serialize)]
pub struct Copy {
    /// The store's name.
    pub store: String,
    /// What it holds.
    pub state: CopyState,
    /// Why it does not hold all.
    pub error: Option<String>,
}

/// A backup as the catalogue knows it.
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs, reason = "see the table `backups`")]
pub struct Backup {
    pub id: String,
    pub database: String,
    pub job: Option<String>,
    pub manual: bool,
    pub run_id: String,
    #[serde(skip)]
    pub lease: String,
    pub state: BackupState,
    pub started_at: Timestamp,
    pub finished_at: Option<Timestamp>,
    /// The manifest's text; `None` until it was written.
    #[serde(skip)]
    pub manifest: Option<String>,
    pub pinned_at: Option<Timestamp>,
    pub verified_at: Option<Timestamp>,
    pub verified: Option<Verification>,
    pub verified_by: Option<String>,
    pub copies: Vec<Copy>,
}

/// Which backups are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BackupFilter<'a> {
    /// All.
    All,
    /// Those of this database.
    Database(&'a str),
    /// Those written under this lease: by a job, given by its full name, or by hand.
    Lease(&'a str),
}

impl Backup {
    /// The stores that hold all of it.
    pub fn complete_in(&self) -> impl Iterator<Item = &str> {
        self.copies.iter().filter(|copy| copy.state == CopyState::Complete).map(|copy| copy.store.as_str())
    }
}
