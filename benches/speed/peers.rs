//! What Debian's `check-postgres` and `check-pgactivity` have for what a check of ours looks at.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use super::support::Postgres;

/// A collection of plugins for Nagios.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    CheckPostgres,
    CheckPgactivity,
}

/// One look of a peer's.
#[derive(Debug, Clone, Copy)]
pub struct Service {
    /// Our check that looks at the same.
    pub check: &'static str,
    /// The peer's word for it.
    pub name: &'static str,
    /// What it cannot do without.
    options: &'static [&'static str],
}

/// The shortest way to write one.
const fn service(check: &'static str, name: &'static str, options: &'static [&'static str]) -> Service {
    Service { check, name, options }
}

/// Without those that need another host, a file of the server's, or the Internet.
const CHECK_POSTGRES: [Service; 19] = [
    service("connectivity", "connection", &[]),
    service("query_latency", "query_runtime", &["-w", "1", "-c", "2", "--queryname=pg_class"]),
    service("replication_slots", "replication_slots", &["-w", "1 GB", "-c", "10 GB"]),
    service("growth", "database_size", &["-w", "100 GB", "-c", "200 GB"]),
    service("disk_free", "disk_space", &[]),
    service("connections", "backends", &[]),
    service("long_queries", "query_time", &["-w", "2 min", "-c", "5 min"]),
    service("idle_in_transaction", "txn_idle", &["-w", "5 min", "-c", "30 min"]),
    service("disabled_triggers", "disabled_triggers", &[]),
    service("locks", "locks", &["-w", "100", "-c", "200"]),
    service("cache_hit", "hitratio", &["-w", "90%", "-c", "80%"]),
    service("transaction_id_age", "txn_wraparound", &[]),
    service("transaction_id_age", "autovac_freeze", &[]),
    service("autovacuum", "last_autovacuum", &[]),
    service("sequences", "sequence", &[]),
    service("archiving", "archive_ready", &[]),
    service("prepared_transactions", "prepared_txns", &[]),
    service("rollbacks", "commitratio", &["-w", "90%", "-c", "50%"]),
    service("bloat", "bloat", &[]),
];

const CHECK_PGACTIVITY: [Service; 22] = [
    service("connectivity", "connection", &[]),
    service("replication", "streaming_delta", &["-w", "256MB", "-c", "1GB"]),
    service("replication_slots", "replication_slots", &[]),
    service("growth", "database_size", &[]),
    service("connections", "backends", &["-w", "80%", "-c", "95%"]),
    service("connections", "backends_status", &["-w", "idle_xact=10", "-c", "idle_xact=20"]),
    service("long_queries", "longest_query", &["-w", "2m", "-c", "5m"]),
    service("idle_in_transaction", "oldest_idlexact", &["-w", "5m", "-c", "30m"]),
    service("checksum_failures", "checksum_errors", &[]),
    service("invalid_indexes", "invalid_indexes", &[]),
    service("locks", "locks", &["-w", "80%", "-c", "95%"]),
    service("cache_hit", "hit_ratio", &["-w", "90%", "-c", "80%"]),
    service("transaction_id_age", "max_freeze_age", &["-w", "90%", "-c", "95%"]),
    service("oldest_snapshot", "oldest_xmin", &["-w", "20000000", "-c", "100000000"]),
    service("autovacuum", "autovacuum", &[]),
    service("table_activity", "last_vacuum", &["-w", "7d", "-c", "14d"]),
    service("sequences", "sequences_exhausted", &["-w", "85%", "-c", "95%"]),
    service("archiving", "archiver", &["-w", "10", "-c", "20"]),
    service("prepared_transactions", "oldest_2pc", &["-w", "10m", "-c", "1h"]),
    service("rollbacks", "commit_ratio", &["-w", "rollbacks=1000", "-c", "rollbacks=2000"]),
    service("bloat", "table_bloat", &["-w", "50%", "-c", "80%"]),
    service("bloat", "btree_bloat", &["-w", "50%", "-c", "80%"]),
];

impl Peer {
    pub const BOTH: [Self; 2] = [Self::CheckPostgres, Self::CheckPgactivity];

    /// Its package.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CheckPostgres => "check_postgres",
            Self::CheckPgactivity => "check_pgactivity",
        }
    }

    /// All it has of ours.
    pub const fn services(self) -> &'static [Service] {
        match self {
            Self::CheckPostgres => &CHECK_POSTGRES,
            Self::CheckPgactivity => &CHECK_PGACTIVITY,
        }
    }

    /// The command for a look at a database as the superuser. `folder`: where it may keep what it remembers.
    pub fn command(self, service: Service, server: &Postgres, database: &str, folder: &Path) -> Command {
        let (host, port) = (server.socket.clone().into_os_string(), server.port.to_string());
        let mut command = match self {
            Self::CheckPostgres => {
                let mut command = Command::new("/usr/bin/check_postgres");
                command.arg(format!("--action={}", service.name)).args(["--dbuser=postgres", "--dbname", database]);
                command.arg("--host").arg(host).args(["--port", &port]);
                command
            }
            Self::CheckPgactivity => {
                let mut command = Command::new("/usr/lib/nagios/plugins/check_pgactivity");
                command.args(["-s", service.name, "-U", "postgres", "-d", database, "-p", &port]);
                command.arg("-h").arg(host).arg("--status-file").arg(folder.join("pgactivity.data"));
                command
            }
        };
        command.args(service.options);
        // Debian's own psql chooses among versions first, which takes longer than the question.
        let mut path = OsString::from(&server.bindir);
        path.push(":/usr/bin:/bin");
        command.env_clear().env("LC_ALL", "C.UTF-8").env("PATH", path).env("HOME", folder).current_dir(folder);
        command
    }
}
