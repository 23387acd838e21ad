//! `[health.*]`

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::{DatabaseName, Ping, PostgresTarget};
use crate::schedule::Schedule;

/// A database whose health is looked at.
#[derive(Debug, Clone)]
pub struct HealthJob {
    /// The table's name: `app`.
    pub name: String,
    /// What is looked at.
    pub database: DatabaseName,
    /// When every check but the deep ones; default every five minutes.
    pub schedule: Schedule,
    /// When the deep ones; default at four in the morning.
    pub deep_schedule: Schedule,
    /// The job's zone; default the daemon's.
    pub timezone: TimeZone,
    /// When nothing that is found becomes an incident.
    pub maintenance: Vec<Maintenance>,
    /// `migrations = { … }`: what the check `migrations` compares the database with.
    pub migrations: Option<Migrations>,
    /// `pgbouncer = { … }`: the admin console that the check `pgbouncer` asks.
    pub pgbouncer: Option<PostgresTarget>,
    /// What is pinged when a round of the usual checks begins and ends.
    pub heartbeat: Option<Ping>,
    /// `[health.*.checks.*]`: what the operator wants otherwise.
    pub checks: BTreeMap<CheckName, CheckSettings>,
}

impl HealthJob {
    /// For a database that no table names: the defaults, to be looked at by hand.
    pub fn with_defaults(database: DatabaseName, timezone: &TimeZone) -> Self {
        let schedule = |text: &str| Schedule::parse(text).expect("the defaults are schedules");
        Self {
            name: database.to_string(),
            database,
            schedule: schedule(Self::SCHEDULE),
            deep_schedule: schedule(Self::DEEP_SCHEDULE),
            timezone: timezone.clone(),
            maintenance: Vec::new(),
            migrations: None,
            pgbouncer: None,
            heartbeat: None,
            checks: BTreeMap::new(),
        }
    }

    /// When every check but the deep ones, by default.
    pub const SCHEDULE: &str = "*/5 * * * *";
    /// When the deep ones, by default.
    pub const DEEP_SCHEDULE: &str = "0 4 * * *";
}

/// A time of maintenance that comes again and again.
#[derive(Debug, Clone)]
pub struct Maintenance {
    /// When it begins.
    pub schedule: Schedule,
    /// How long it lasts.
    pub duration: Duration,
}

/// What a database's schema should have come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migrations {
    /// The folder with the migrations' files.
    pub dir: Option<PathBuf>,
    /// The migration that should be the last one applied, as its tool names it.
    pub expected: Option<String>,
}

/// What the operator wants of a check; whatever is left out has a default.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CheckSettings {
    /// Not looked at.
    pub disabled: bool,
    /// From (or below) which figure it is a WARNING, in the unit's base.
    pub warning: Option<f64>,
    /// From (or below) which figure it is CRITICAL.
    pub critical: Option<f64>,
    /// The figure it must come back to before an incident counts as over; default the warning's.
    pub clear: Option<f64>,
    /// Objects that are left out: `schema.table`, `schema.*`, a role, a slot. `*` stands for anything.
    pub exclude: Vec<String>,
    /// After how many looks in a row it becomes an incident; default that of `[alerts]`.
    pub enter_after: Option<u32>,
    /// After how many good looks in a row the incident is over; default that of `[alerts]`.
    pub leave_after: Option<u32>,
}

/// What a check's thresholds are figures of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// `"5m"`, or a number of seconds.
    Seconds,
    /// `"10GiB"`, or a number of bytes.
    Bytes,
    /// A share of 1: `0.9`.
    Share,
    /// A bare number.
    Count,
}

/// Which figures are the bad ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bad {
    /// Those at or above the threshold.
    High,
    /// Those below it.
    Low,
}

macro_rules! checks {
    ($($(#[$doc:meta])* $variant:ident = $text:literal, $unit:ident, $bad:ident;)+) => {
        /// Every check there is. One file each below `health/checks/`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum CheckName { $($(#[$doc])* $variant,)+ }

        impl CheckName {
            /// All of them, in the order in which they are looked at and shown.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The name as it stands in the configuration.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }

            /// What its thresholds are figures of.
            pub fn unit(self) -> Unit {
                match self { $(Self::$variant => Unit::$unit,)+ }
            }

            /// Which figures are the bad ones.
            pub fn bad(self) -> Bad {
                match self { $(Self::$variant => Bad::$bad,)+ }
            }
        }
    };
}

checks! {
    /// Connecting, TLS, and a first query, each timed.
    Connectivity = "connectivity", Seconds, High;
    /// How long a probe query takes.
    QueryLatency = "query_latency", Seconds, High;
    /// Statements that got slower, as a factor, by pg_stat_statements.
    SlowStatements = "slow_statements", Count, High;
    /// How far standbys are behind, in time; whether they are there at all.
    Replication = "replication", Seconds, High;
    /// How far standbys are behind, in bytes of WAL.
    ReplicationBytes = "replication_bytes", Bytes, High;
    /// WAL that replication slots hold back.
    ReplicationSlots = "replication_slots", Bytes, High;
    /// How much the database grows in a day, as a share of its size.
    Growth = "growth", Share, High;
    /// Free space where state and local stores are.
    DiskFree = "disk_free", Share, Low;
    /// When such a volume will be full, at the pace of the last days.
    DiskFullIn = "disk_full_in", Seconds, Low;
    /// Connections used, of those there are for ordinary roles.
    Connections = "connections", Share, High;
    /// The longest query.
    LongQueries = "long_queries", Seconds, High;
    /// The longest idle transaction.
    IdleInTransaction = "idle_in_transaction", Seconds, High;
    /// Constraints that are NOT VALID.
    UnvalidatedConstraints = "unvalidated_constraints", Count, High;
    /// Tables without a primary key.
    MissingPrimaryKeys = "missing_primary_keys", Count, High;
    /// Foreign keys without an index on the referring side.
    UnindexedForeignKeys = "unindexed_foreign_keys", Count, High;
    /// Pages whose checksum was wrong.
    ChecksumFailures = "checksum_failures", Count, High;
    /// Triggers that are switched off.
    DisabledTriggers = "disabled_triggers", Count, High;
    /// Tables and indexes that amcheck finds damaged.
    Amcheck = "amcheck", Count, High;
    /// Indexes that are invalid, and not being built.
    InvalidIndexes = "invalid_indexes", Count, High;
    /// Indexes that nothing uses, by size.
    UnusedIndexes = "unused_indexes", Bytes, High;
    /// Indexes that repeat another, by size.
    DuplicateIndexes = "duplicate_indexes", Bytes, High;
    /// The longest wait for a lock, and who blocks whom.
    Locks = "locks", Seconds, High;
    /// Deadlocks since the last look.
    Deadlocks = "deadlocks", Count, High;
    /// Blocks found in shared buffers, of those asked for since the last look.
    CacheHit = "cache_hit", Share, Low;
    /// Age of the oldest transaction id, as a share of what there is.
    TransactionIdAge = "transaction_id_age", Share, High;
    /// Age of the oldest multixact, as a share of what there is.
    MultixactAge = "multixact_age", Share, High;
    /// How many transactions the oldest snapshot is behind, and who holds it.
    OldestSnapshot = "oldest_snapshot", Count, High;
    /// Dead rows that autovacuum has not come to, as a share of a table's rows.
    Autovacuum = "autovacuum", Share, High;
    /// What is written where; never more than OK.
    TableActivity = "table_activity", Count, High;
    /// Space that tables and indexes take in vain, estimated.
    Bloat = "bloat", Share, High;
    /// How much of its range a sequence has used.
    Sequences = "sequences", Share, High;
    /// For how long WAL archiving has been failing.
    Archiving = "archiving", Seconds, High;
    /// Checkpoints that were forced by WAL, of all since the last look.
    Checkpoints = "checkpoints", Share, High;
    /// The oldest prepared transaction.
    PreparedTransactions = "prepared_transactions", Seconds, High;
    /// Settings that wait for a restart.
    PendingRestart = "pending_restart", Count, High;
    /// Time until the server's version is no longer supported.
    Versions = "versions", Seconds, Low;
    /// Extensions in an older version than the server's files, or whose files are gone.
    Extensions = "extensions", Count, High;
    /// Time until the server's certificate ends.
    TlsCertificate = "tls_certificate", Seconds, Low;
    /// Migrations that are not applied, or have failed.
    Migrations = "migrations", Count, High;
    /// Transactions rolled back, of all since the last look.
    Rollbacks = "rollbacks", Share, High;
    /// Queries cancelled on a standby since the last look.
    RecoveryConflicts = "recovery_conflicts", Count, High;
    /// Time until a role's password ends.
    PasswordExpiry = "password_expiry", Seconds, Low;
    /// How long clients have been waiting in PgBouncer.
    PgBouncer = "pgbouncer", Seconds, High;
    /// Databases of the server that no backup job covers.
    UncoveredDatabases = "uncovered_databases", Count, High;
    /// Age of the newest good backup.
    BackupAge = "backup_age", Seconds, High;
    /// Age of the newest proof that a backup can be restored.
    ProofAge = "proof_age", Seconds, High;
    /// How long rows may have been beyond a privacy policy.
    PolicyOverdue = "policy_overdue", Seconds, High;
    /// How long a job's slot has been overdue.
    JobOverdue = "job_overdue", Seconds, High;
    /// SQLite: damage that integrity_check finds in the newest backup's copy.
    Integrity = "integrity", Count, High;
    /// SQLite: rows that refer to nothing.
    ForeignKeys = "foreign_keys", Count, High;
    /// SQLite: free pages, of all.
    Freelist = "freelist", Share, High;
    /// SQLite: size of the write-ahead log.
    WalSize = "wal_size", Bytes, High;
    /// SQLite: whether a file has left WAL mode.
    JournalMode = "journal_mode", Count, High;
    /// SQLite: how long a reader waits for the lock.
    LockWait = "lock_wait", Seconds, High;
}

impl CheckName {
    /// Whether it looks at the database itself, so that it cannot see while there is no connection.
    pub fn is_behind_connection(self) -> bool {
        !matches!(
            self,
            Self::Connectivity
                | Self::DiskFree
                | Self::DiskFullIn
                | Self::BackupAge
                | Self::ProofAge
                | Self::PolicyOverdue
                | Self::JobOverdue
                | Self::PgBouncer
        )
    }
}

impl std::fmt::Display for CheckName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
