//! `retention = { … }`

use jiff::Span;

/// Which backups stay. A backup stays if any rule keeps it; `max_age` overrules all but the last good ones.
#[derive(Debug, Clone)]
pub struct Retention {
    /// The newest N.
    pub keep_last: u32,
    /// The newest of each of the last N hours that have one.
    pub keep_hourly: u32,
    /// The newest of each of the last N days that have one, in the job's zone.
    pub keep_daily: u32,
    /// The newest of each of the last N ISO weeks that have one.
    pub keep_weekly: u32,
    /// The newest of each of the last N months that have one.
    pub keep_monthly: u32,
    /// The newest of each of the last N years that have one.
    pub keep_yearly: u32,
    /// All younger than this.
    pub keep_within: Option<Span>,
    /// Never fewer good ones than this; default 1.
    pub min_good: u32,
    /// What is older must go, whatever the keep rules say; the last `min_good` good ones and pins stay all the same.
    pub max_age: Option<Span>,
}
