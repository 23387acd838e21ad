//! Which backups stay, and why: a pure function of the policy, the backups and `now`.
//!
//! What it never does, whatever the policy, the clock and the failures:
//!
//! - It never deletes the newest good backup, nor leaves fewer good ones than `min_good` (or than there are).
//! - It deletes nothing at all while there is no good backup.
//! - A pin or a hold always stays.
//! - A backup that is not good never counts, so it never pushes a good one out.
//! - Time alone takes nothing away: keep rules count backups and the periods that have one, and `keep_within` looks back
//!   from the newest good backup. If backups fail for a month, all that were there are still there. Only `max_age`
//!   looks at the clock, because that is what it is for; what should be gone by it and stays is reported.
//! - A backup dated in the future (a clock was wrong) stays and counts for nothing until its time has come. Were it
//!   taken for the newest, it would hold the place of real ones in every rule, and for ever.
//!
//! Planning again on what a plan leaves deletes nothing more.

mod reason;
mod rules;

#[cfg(test)]
mod tests;

use std::cmp::Reverse;

use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

use crate::archive::BackupId;
use crate::archive::manifest::Purpose;
use crate::config::Retention;

pub use reason::Reason;
use rules::Rules;

/// A backup as retention sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The backup.
    pub id: BackupId,
    /// When it began.
    pub started_at: Timestamp,
    /// Whether it counts.
    pub standing: Standing,
    /// Whether a job or a person made it.
    pub purpose: Purpose,
    /// Somebody wants it to stay.
    pub pinned: bool,
    /// A legal hold wants it to stay.
    pub held: bool,
}

/// What a backup is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Complete in every store.
    Good,
    /// Missing in a store.
    Partial,
    /// Not complete anywhere.
    Failed,
    /// Complete, but a verification or a drill found something wrong with it.
    Suspect,
}

/// What is to be done with a backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The backup.
    pub id: BackupId,
    /// Whether it stays.
    pub keep: bool,
    /// Why; never empty.
    pub reasons: Vec<Reason>,
}

/// A backup that should be gone by `max_age` and stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overdue {
    /// The backup.
    pub id: BackupId,
    /// When it began.
    pub started_at: Timestamp,
    /// What keeps it.
    pub reasons: Vec<Reason>,
}

/// One verdict per backup.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// The verdicts, the newest backup first.
    pub verdicts: Vec<Verdict>,
    /// What should be gone by `max_age` and stays, the newest first.
    pub overdue: Vec<Overdue>,
}

impl Plan {
    /// The backups to delete, the newest first.
    pub fn deletions(&self) -> impl Iterator<Item = &Verdict> {
        self.verdicts.iter().filter(|verdict| !verdict.keep)
    }
}

/// Decides about the backups of one job, and the manual ones of its database, in any order.
pub fn plan(policy: &Retention, backups: &[Candidate], zone: &TimeZone, now: Timestamp) -> Plan {
    let mut sorted: Vec<&Candidate> = backups.iter().collect();
    sorted.sort_by_key(|backup| Reverse((backup.started_at, &backup.id)));
    let rules = Rules::new(policy, &sorted, zone, now);
    let mut plan = Plan::default();
    for backup in sorted {
        let verdict = rules.judge(backup);
        if verdict.keep && rules.is_overdue(backup) {
            let Candidate { id, started_at, .. } = backup.clone();
            plan.overdue.push(Overdue { id, started_at, reasons: verdict.reasons.clone() });
        }
        plan.verdicts.push(verdict);
    }
    plan
}

/// An instant some span earlier on the zone's calendar; `None` when that is before the calendar's beginning.
fn before(instant: Timestamp, span: Span, zone: &TimeZone) -> Option<Timestamp> {
    instant.to_zoned(zone.clone()).checked_sub(span).ok().map(|earlier| earlier.timestamp())
}
