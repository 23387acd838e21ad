//! What is remembered: slots, runs, the catalogue, what checks said, incidents, the outbox. One SQLite file that the daemon and every command share.
//!
//! The rest of the house sees operations, each of them one transaction, and never SQL.

mod alerts;
mod catalogue;
mod checks;
mod error;
mod instant;
mod open;
mod outcome;
mod privacy;
mod reloads;
mod retries;
mod runs;
mod samples;
mod slots;

pub use alerts::{
    Advanced, Desk, Incident, NewNotification, Notification, NotificationState, OutboxCount, Sent, Silence, Standing,
    Step, Told,
};
pub use catalogue::{Backup, BackupFilter, BackupState, Copy, CopyState, NewBackup, Verification};
pub use checks::{CheckKey, LastCheck, Observation, Status};
pub use error::StateError;
pub use open::State;
pub use privacy::{
    Anchor, Approval, Disposed, Disposition, DispositionState, Erasure, ErasureState, Flaw, Held, Hold, LogEntry,
    LogHead, LogKind, LogRecord, LogReport, NewDisposition, Progressed, verify as verify_log,
};
pub use reloads::ReloadAnswer;
pub use runs::{Cause, NewRun, Run, RunEnd, RunFilter, RunState};
pub use samples::Sample;
pub use slots::{Abandoned, Claim, Ledger, OpenSlot, SlotCause};
