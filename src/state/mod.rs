//! What is remembered: slots, runs, the catalogue. One SQLite file that the daemon and every command share.
//!
//! The rest of the house sees operations, each of them one transaction, and never SQL.

mod catalogue;
mod error;
mod instant;
mod open;
mod reloads;
mod runs;
mod slots;

pub use catalogue::{Backup, BackupFilter, BackupState, Copy, CopyState, NewBackup, Verification};
pub use error::StateError;
pub use open::State;
pub use reloads::ReloadAnswer;
pub use runs::{Cause, NewRun, Run, RunEnd, RunFilter, RunState};
pub use slots::{Abandoned, Claim, Ledger, OpenSlot, SlotCause};
