//! Backups: planned, taken, recorded, pruned.
//!
//! `job` is what the scheduler sees. It asks `take` for a backup; `take` has the source (`postgres`, `sqlite`) push its
//! bytes through the codec into the `fanout`, which feeds every store at its own pace; the manifest comes last.
//! `remains` settles what a killed run has left, `heal` completes partial backups, `prune` removes what the policy lets
//! go.

mod catalogue;
mod destination;
mod fanout;
mod heal;
mod job;
mod last_copy;
mod layout;
mod postgres;
mod prune;
mod remains;
pub mod retention;
mod sqlite;
mod take;

pub use catalogue::{copies_to_read, pin, unpin};
pub use job::{Job, manual_job, manual_lease};
pub use last_copy::{amend, holds};
pub use layout::{MANIFEST, folder, object_key};
pub use prune::{PruneError, PrunePlan, apply_prune, candidate, plan_prune};
pub use remains::{settle_held, settle_lease};
pub use sqlite::fingerprint as fingerprint_sqlite;
pub use take::Taken;
