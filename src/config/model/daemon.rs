//! `[daemon]`

use std::path::PathBuf;

use jiff::tz::TimeZone;

/// `[daemon]`: what holds for all jobs.
#[derive(Debug, Clone)]
pub struct Daemon {
    /// Where the state store, locks and staging files live.
    pub state_dir: PathBuf,
    /// The zone of every schedule that names none; default UTC.
    pub timezone: TimeZone,
    /// Which environment this is; default production.
    pub environment: Environment,
    /// How many runs may go on at once; default 2.
    pub max_concurrent_runs: usize,
    /// Where PostgreSQL's client programs are, before the places they are usually in.
    pub pg_bindir: Option<PathBuf>,
    /// How long a stopping daemon lets its runs finish before it cancels them; default 90 s.
    pub drain_timeout: std::time::Duration,
}

/// Which environment this is. What may be done without asking depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Environment {
    /// The default.
    Production,
    /// A rehearsal of production.
    Staging,
    /// A developer's machine.
    Development,
}

impl Environment {
    /// The environment as it stands in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Production => "production",
            Self::Staging => "staging",
            Self::Development => "development",
        }
    }
}
