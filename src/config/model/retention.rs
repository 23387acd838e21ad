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
    /// All that began within this span before the newest good one. Counted from there rather than from now, so that
    /// time alone, while backups fail, takes nothing away.
    pub keep_within: Option<Span>,
    /// Never fewer good ones than this; default 1, and 0 counts as 1.
    pub min_good: u32,
    /// What is older than this by the clock must go, whatever the keep rules say; the last `min_good` good ones, pins
    /// and holds stay all the same. Alone, without any keep rule: all younger ones stay.
    pub max_age: Option<Span>,
}

impl Default for Retention {
    /// No keep rule, which keeps everything.
    fn default() -> Self {
        Self {
            keep_last: 0,
            keep_hourly: 0,
            keep_daily: 0,
            keep_weekly: 0,
            keep_monthly: 0,
            keep_yearly: 0,
            keep_within: None,
            min_good: 1,
            max_age: None,
        }
    }
}

impl Retention {
    /// A policy by its name: `7 days` (any number: all of the last so many days), `last 10` (any number: the newest so
    /// many), `gfs` (grandfather, father, son: 7 daily, 5 weekly, 12 monthly). `None`: no such name.
    pub fn preset(name: &str) -> Option<Self> {
        let number = |text: &str| text.parse::<u32>().ok().filter(|number| (1..=36_500).contains(number));
        match name.split_whitespace().collect::<Vec<_>>().as_slice() {
            ["gfs"] => Some(Self { keep_daily: 7, keep_weekly: 5, keep_monthly: 12, ..Self::default() }),
            ["last", count] => Some(Self { keep_last: number(count)?, ..Self::default() }),
            [count, "day" | "days"] => {
                Some(Self { keep_within: Some(Span::new().days(number(count)?)), ..Self::default() })
            }
            _ => None,
        }
    }

    /// Whether any rule says what to keep. Without one, everything is kept.
    pub fn has_keep_rule(&self) -> bool {
        let counts =
            [self.keep_last, self.keep_hourly, self.keep_daily, self.keep_weekly, self.keep_monthly, self.keep_yearly];
        counts.iter().any(|count| *count > 0) || self.keep_within.is_some()
    }
}
