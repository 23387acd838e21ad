//! Where a restore goes: a URL, taken apart and completed.

use std::fmt;
use std::path::PathBuf;

use crate::config::{
    Config, DatabaseKind, ParsedUrl, PostgresTarget, PostgresUrl, SecretSource, SslMode, UrlError, parse_database_url,
};
use crate::database::postgres::Postgres;
use crate::fault::Fault;

/// Where a restore goes.
#[derive(Debug, Clone)]
pub enum Target {
    /// A PostgreSQL database.
    Postgres(Postgres),
    /// A SQLite file.
    Sqlite(PathBuf),
}

impl fmt::Display for Target {
    /// As people know it; without user and password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => path.display().fmt(f),
            Self::Postgres(server) => {
                let target = server.target();
                let hosts: Vec<String> = target.hosts.iter().map(|(host, port)| format!("{host}:{port}")).collect();
                write!(f, "database {} on {}", target.dbname, hosts.join(","))
            }
        }
    }
}

/// Why a text is not a target.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// It is not a database URL.
    #[error("--into: {0}")]
    Url(#[from] UrlError),
    /// It must name its database.
    #[error("--into: the URL names no database")]
    NoDatabase,
}

impl Fault for TargetError {
    fn hint(&self) -> Option<String> {
        Some("for example postgres://user@host/new_database, or sqlite:///path/new.db".to_owned())
    }
}

/// How many connections a restore needs at once: pg_restore's and one of our own.
const CONNECTIONS: u32 = 3;

/// Takes a URL apart. What it leaves out (user, password, TLS) is that of the configured database whose host and port
/// it shares.
pub fn parse_target(url: &str, config: &Config) -> Result<Target, TargetError> {
    match parse_database_url(url)? {
        ParsedUrl::Sqlite(found) => Ok(Target::Sqlite(std::path::absolute(&found.path).unwrap_or(found.path))),
        ParsedUrl::Postgres(found) => {
            let target = complete(found, config).ok_or(TargetError::NoDatabase)?;
            let name = target.dbname.clone();
            Ok(Target::Postgres(Postgres::new(&target, &name, CONNECTIONS)))
        }
    }
}

fn complete(url: PostgresUrl, config: &Config) -> Option<PostgresTarget> {
    let twin = config.databases.values().find_map(|database| match &database.kind {
        DatabaseKind::Postgres(target)
            if target.hosts == url.hosts && url.user.as_ref().is_none_or(|user| *user == target.user) =>
        {
            Some(target)
        }
        _ => None,
    });
    let user = url.user.or_else(|| twin.map(|twin| twin.user.clone())).or_else(|| std::env::var("USER").ok())?;
    let inherited = |own: Option<PathBuf>, theirs: fn(&PostgresTarget) -> &Option<PathBuf>| {
        own.or_else(|| twin.and_then(|twin| theirs(twin).clone()))
    };
    Some(PostgresTarget {
        dbname: url.dbname?,
        password: match url.password {
            Some(inline) => Some(SecretSource::Inline(inline)),
            None => twin.and_then(|twin| twin.password.clone()),
        },
        hosts: url.hosts,
        user,
        sslmode: url.sslmode.or(twin.map(|twin| twin.sslmode)).unwrap_or(SslMode::Prefer),
        sslrootcert: inherited(url.sslrootcert, |twin| &twin.sslrootcert),
        sslcert: inherited(url.sslcert, |twin| &twin.sslcert),
        sslkey: inherited(url.sslkey, |twin| &twin.sslkey),
        connect_timeout: url.connect_timeout.unwrap_or(10),
        options: url.options,
    })
}
