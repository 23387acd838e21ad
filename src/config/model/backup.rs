//! `[backup.*]`

use std::time::Duration;

use jiff::tz::TimeZone;

use super::{DatabaseName, Ping, Retention, StoreName};
use crate::schedule::Schedule;

/// A backup job.
#[derive(Debug, Clone)]
pub struct BackupJob {
    /// The table's name: `nightly`.
    pub name: String,
    /// What is backed up.
    pub database: DatabaseName,
    /// When; `None`: only by hand.
    pub schedule: Option<Schedule>,
    /// The job's zone; default the daemon's.
    pub timezone: TimeZone,
    /// Where to; never empty.
    pub stores: Vec<StoreName>,
    /// How the bytes are compressed; default `zstd:3`.
    pub compression: Compression,
    /// age public keys; empty: not encrypted.
    pub encrypt_to: Vec<String>,
    /// How much of the contents is recorded for the proof; default `hash`.
    pub fingerprint: FingerprintLevel,
    /// The check of a SQLite copy before it is stored; default `quick`.
    pub check: SqliteCheck,
    /// The whole run's deadline; default 6 h.
    pub timeout: Duration,
    /// How long a run may go without moving a byte; default 10 min.
    pub stall_timeout: Duration,
    /// Attempts after the first; `None`: 2 under the daemon, 0 for `job run`.
    pub retries: Option<u32>,
    /// What becomes of missed slots; default once.
    pub catch_up: CatchUp,
    /// Which backups stay; `None`: all.
    pub retention: Option<Retention>,
    /// Where the address is that is pinged when a run starts and ends.
    pub heartbeat: Option<Ping>,
}

/// `compression`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// `none`
    None,
    /// `gzip:LEVEL`, 1 to 9
    Gzip(u32),
    /// `zstd:LEVEL`, 1 to 19
    Zstd(i32),
}

/// `fingerprint`
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FingerprintLevel {
    /// Nothing beyond the objects' hashes.
    None,
    /// Exact rows per table.
    Counts,
    /// Rows, and an order-independent 128-bit hash of each table's contents.
    Hash,
}

/// `check`: how a SQLite copy is looked at before it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SqliteCheck {
    /// Not at all.
    None,
    /// `quick_check` and `foreign_key_check`.
    Quick,
    /// `integrity_check` and `foreign_key_check`.
    Full,
}

/// `catch_up`: what becomes of slots that passed while nobody was looking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CatchUp {
    /// One run for all of them.
    Once,
    /// None.
    Skip,
}

impl FingerprintLevel {
    /// The level as it stands in configuration and manifest.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Counts => "counts",
            Self::Hash => "hash",
        }
    }
}

impl std::fmt::Display for Compression {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Gzip(level) => write!(f, "gzip:{level}"),
            Self::Zstd(level) => write!(f, "zstd:{level}"),
        }
    }
}
