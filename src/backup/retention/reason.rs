//! Why a backup stays or goes.

use std::fmt;

use jiff::Span;

use super::Standing;
use crate::archive::BackupId;

/// Why a backup stays or goes.
#[derive(Debug, Clone)]
pub enum Reason {
    /// Stays: somebody pinned it.
    Pinned,
    /// Stays: a legal hold.
    Held,
    /// Stays: made by hand, which the keep rules leave alone.
    Manual,
    /// Stays: dated after `now`.
    Future,
    /// Stays: the newest good one.
    NewestGood,
    /// Stays: the newest good one that the job made; a manual one is newer.
    NewestGoodOfJob,
    /// Stays: one of the last `min_good` good ones.
    MinGood {
        /// `min_good`
        of: u32,
    },
    /// Stays: one of the newest.
    Last {
        /// Which, from 1.
        number: u32,
        /// `keep_last`
        of: u32,
    },
    /// Stays: the newest of its period.
    Period {
        /// `hourly`, `daily`, `weekly`, `monthly`, `yearly`
        rule: &'static str,
        /// The period: `2026-11-20`, `2026-W47`.
        period: String,
        /// Which of the periods that have a backup, from 1, the newest first.
        number: u32,
        /// The rule's number.
        of: u32,
    },
    /// Stays: within `keep_within` of the newest good one.
    Within(Span),
    /// Stays: the policy has no keep rule.
    NoRule,
    /// Stays though not good: nothing good is newer.
    NothingGoodSince(Standing),
    /// Stays: there is no good one at all.
    NoGood,
    /// Goes: no rule keeps it.
    NotKept,
    /// Goes: not good, and a good one is newer.
    Superseded {
        /// What it is.
        standing: Standing,
        /// The newest good one.
        by: BackupId,
    },
    /// Goes: older than `max_age`.
    TooOld(Span),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pinned => f.write_str("pinned"),
            Self::Held => f.write_str("legal hold"),
            Self::Manual => f.write_str("manual"),
            Self::Future => f.write_str("dated in the future"),
            Self::NewestGood => f.write_str("newest good one"),
            Self::NewestGoodOfJob => f.write_str("newest good one of the job"),
            Self::MinGood { of } => write!(f, "one of the last {of} good ones"),
            Self::Last { number, of } => write!(f, "last ({number} of {of})"),
            Self::Period { rule, period, number, of } => write!(f, "{rule} {period} ({number} of {of})"),
            Self::Within(span) => write!(f, "within {span:#} of the newest good one"),
            Self::NoRule => f.write_str("no keep rule"),
            Self::NothingGoodSince(standing) => write!(f, "{standing}, but no good one since"),
            Self::NoGood => f.write_str("there is no good one"),
            Self::NotKept => f.write_str("no rule keeps it"),
            Self::Superseded { standing, by } => write!(f, "{standing}, superseded by {by}"),
            Self::TooOld(span) => write!(f, "older than {span:#}"),
        }
    }
}

impl PartialEq for Reason {
    /// Alike if they read alike: spans have no equality of their own.
    fn eq(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
}

impl Eq for Reason {}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Good => "good",
            Self::Partial => "partial",
            Self::Failed => "failed",
            Self::Suspect => "suspect",
        })
    }
}
