//! `[databases.*]`

use std::path::PathBuf;

use super::{DatabaseName, SecretSource};

/// A database to care for.
#[derive(Debug, Clone)]
pub struct Database {
    /// Its name in the configuration.
    pub name: DatabaseName,
    /// What it is and where.
    pub kind: DatabaseKind,
    /// How many connections Caretaker may open there at once, pg_dump's included; default 5, at least 2.
    pub max_connections: u32,
}

/// The kinds of database.
#[derive(Debug, Clone)]
pub enum DatabaseKind {
    /// `postgres://…`
    Postgres(PostgresTarget),
    /// `sqlite://…`
    Sqlite(SqliteTarget),
}

/// Where a PostgreSQL database is and how to reach it, without the password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostgresTarget {
    /// Host names, addresses or (beginning with `/`) socket folders, each with its port, tried in order. Never empty.
    pub hosts: Vec<(String, u16)>,
    /// Default: the name of the operating system's user, as libpq does.
    pub user: String,
    /// Default: the user's name, as libpq does.
    pub dbname: String,
    /// Where the password comes from; `None`: `.pgpass`, or no password at all.
    pub password: Option<SecretSource>,
    /// `sslmode`; default `prefer`.
    pub sslmode: SslMode,
    /// `sslrootcert`: the CA file. sqlx's TLS trusts the bundled web roots otherwise.
    pub sslrootcert: Option<PathBuf>,
    /// `sslcert`: the client's certificate.
    pub sslcert: Option<PathBuf>,
    /// `sslkey`: the client certificate's key.
    pub sslkey: Option<PathBuf>,
    /// `connect_timeout` in seconds; default 10.
    pub connect_timeout: u64,
    /// `options`: command-line options for the server, as in libpq.
    pub options: Option<String>,
}

impl PostgresTarget {
    /// Whether every host is a Unix socket or a loopback address, where TLS adds nothing.
    pub fn is_local(&self) -> bool {
        self.hosts.iter().all(|(host, _)| {
            host.starts_with('/')
                || host == "localhost"
                || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
        })
    }
}

/// libpq's `sslmode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the names are libpq's own")]
pub enum SslMode {
    Disable,
    Allow,
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

impl SslMode {
    /// The mode as libpq spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Allow => "allow",
            Self::Prefer => "prefer",
            Self::Require => "require",
            Self::VerifyCa => "verify-ca",
            Self::VerifyFull => "verify-full",
        }
    }
}

/// Where a SQLite database is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqliteTarget {
    /// The database file.
    pub path: PathBuf,
}
