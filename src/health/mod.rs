//! Health: what is looked at, what is found, and what it is compared with.
//!
//! A check is one file below [`checks`]. A [`round()`] runs those that are due on one read-only connection and records what
//! they found in the state store; nothing here tells anybody.

pub mod checks;
mod exclude;
mod job;
mod limits;
mod round;
mod scene;
mod verdict;
mod view;

pub use exclude::Exclusions;
pub use job::Job;
pub use limits::Limits;
pub use round::{Depth, Look, Round, Rounds, due, round};
pub use verdict::{Seen, Unseen, Verdict};
pub use view::{Delta, OwnView, PostgresView, SqliteView};
