//! The checks, one file each. A new one: a variant in [`CheckName`], a file here, a line in [`check`].

mod amcheck;
mod archiving;
mod autovacuum;
mod backup_age;
mod bloat;
mod cache_hit;
mod checkpoints;
mod checksum_failures;
mod connections;
mod connectivity;
mod deadlocks;
mod disabled_triggers;
mod disk_free;
mod disk_full_in;
mod duplicate_indexes;
mod end_of_life;
mod extensions;
mod foreign_keys;
mod freelist;
mod growth;
mod idle_in_transaction;
mod integrity;
mod invalid_indexes;
mod job_overdue;
mod journal_mode;
mod listing;
mod lock_wait;
mod locks;
mod long_queries;
mod migrations;
mod missing_primary_keys;
mod multixact_age;
mod newest_copy;
mod oldest_snapshot;
mod password_expiry;
mod pending_restart;
mod pgbouncer;
mod policy_overdue;
mod prepared_transactions;
mod proof_age;
mod query_latency;
mod recovery_conflicts;
mod replication;
mod replication_slots;
mod rollbacks;
mod scheduled;
mod sequences;
mod session;
mod slow_statements;
mod sqlite;
mod statement;
mod table_activity;
mod tls_certificate;
mod transaction_id_age;
mod uncovered_databases;
mod unindexed_foreign_keys;
mod unused_indexes;
mod unvalidated_constraints;
mod versions;
mod volumes;
mod wal_size;
mod wraparound;

use std::pin::Pin;

use super::{OwnView, PostgresView, Seen, SqliteView};
use crate::config::CheckName;

/// What cures most blindness: the predefined role that may read every statistics view. `CURRENT_USER` is replaced by the
/// role that Caretaker connects as.
/// <https://www.postgresql.org/docs/current/predefined-roles.html>
pub const MONITOR: &str = "GRANT pg_monitor TO CURRENT_USER, as a superuser: `caretaker database grants` prints it";

/// A smaller privilege that cures a blindness, in the same way.
fn grant(what: &str) -> String {
    format!("GRANT {what} TO CURRENT_USER")
}

/// A check's look at something, in the future.
pub type Looking<'v> = Pin<Box<dyn Future<Output = Seen> + Send + 'v>>;

/// A check: what it is compared with, and how it looks.
#[derive(Debug, Clone, Copy)]
pub struct Check {
    /// Its name.
    pub name: CheckName,
    /// One line: what it looks at.
    pub about: &'static str,
    /// Whether it belongs to the rarer, slow round.
    pub deep: bool,
    /// The default threshold of a WARNING, in the unit's base.
    pub warning: Option<f64>,
    /// The default threshold of CRITICAL.
    pub critical: Option<f64>,
    /// Where the defaults come from.
    pub source: &'static str,
    /// How it looks.
    pub look: LookAt,
}

/// What a check looks at. A check may have a way of its own for each kind of database.
#[derive(Debug, Clone, Copy, Default)]
pub struct LookAt {
    /// A PostgreSQL server.
    pub postgres: Option<for<'v> fn(&'v mut PostgresView<'_>) -> Looking<'v>>,
    /// A SQLite file.
    pub sqlite: Option<for<'v> fn(&'v mut SqliteView<'_>) -> Looking<'v>>,
    /// What Caretaker itself remembers; needs no connection.
    pub own: Option<for<'v> fn(&'v mut OwnView<'_>) -> Looking<'v>>,
}

/// The check of this name.
pub fn check(name: CheckName) -> Check {
    match name {
        CheckName::Connectivity => connectivity::CHECK,
        CheckName::QueryLatency => query_latency::CHECK,
        CheckName::SlowStatements => slow_statements::CHECK,
        CheckName::Replication => replication::CHECK,
        CheckName::ReplicationBytes => replication::BYTES,
        CheckName::ReplicationSlots => replication_slots::CHECK,
        CheckName::Growth => growth::CHECK,
        CheckName::Connections => connections::CHECK,
        CheckName::LongQueries => long_queries::CHECK,
        CheckName::IdleInTransaction => idle_in_transaction::CHECK,
        CheckName::UnvalidatedConstraints => unvalidated_constraints::CHECK,
        CheckName::MissingPrimaryKeys => missing_primary_keys::CHECK,
        CheckName::UnindexedForeignKeys => unindexed_foreign_keys::CHECK,
        CheckName::ChecksumFailures => checksum_failures::CHECK,
        CheckName::DisabledTriggers => disabled_triggers::CHECK,
        CheckName::Amcheck => amcheck::CHECK,
        CheckName::InvalidIndexes => invalid_indexes::CHECK,
        CheckName::UnusedIndexes => unused_indexes::CHECK,
        CheckName::DuplicateIndexes => duplicate_indexes::CHECK,
        CheckName::Locks => locks::CHECK,
        CheckName::Deadlocks => deadlocks::CHECK,
        CheckName::CacheHit => cache_hit::CHECK,
        CheckName::TransactionIdAge => transaction_id_age::CHECK,
        CheckName::MultixactAge => multixact_age::CHECK,
        CheckName::OldestSnapshot => oldest_snapshot::CHECK,
        CheckName::Autovacuum => autovacuum::CHECK,
        CheckName::TableActivity => table_activity::CHECK,
        CheckName::Bloat => bloat::CHECK,
        CheckName::Sequences => sequences::CHECK,
        CheckName::Archiving => archiving::CHECK,
        CheckName::Checkpoints => checkpoints::CHECK,
        CheckName::PreparedTransactions => prepared_transactions::CHECK,
        CheckName::PendingRestart => pending_restart::CHECK,
        CheckName::Versions => versions::CHECK,
        CheckName::Extensions => extensions::CHECK,
        CheckName::TlsCertificate => tls_certificate::CHECK,
        CheckName::Migrations => migrations::CHECK,
        CheckName::Rollbacks => rollbacks::CHECK,
        CheckName::RecoveryConflicts => recovery_conflicts::CHECK,
        CheckName::PasswordExpiry => password_expiry::CHECK,
        CheckName::PgBouncer => pgbouncer::CHECK,
        CheckName::UncoveredDatabases => uncovered_databases::CHECK,
        CheckName::BackupAge => backup_age::CHECK,
        CheckName::ProofAge => proof_age::CHECK,
        CheckName::PolicyOverdue => policy_overdue::CHECK,
        CheckName::JobOverdue => job_overdue::CHECK,
        CheckName::DiskFree => disk_free::CHECK,
        CheckName::DiskFullIn => disk_full_in::CHECK,
        CheckName::Integrity => integrity::CHECK,
        CheckName::ForeignKeys => foreign_keys::CHECK,
        CheckName::Freelist => freelist::CHECK,
        CheckName::WalSize => wal_size::CHECK,
        CheckName::JournalMode => journal_mode::CHECK,
        CheckName::LockWait => lock_wait::CHECK,
    }
}
