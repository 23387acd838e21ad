//! Database URLs as applications write them, to what Caretaker needs to know. Pure.

mod parts;
mod postgres;
mod sqlite;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use super::{Redacted, SslMode};
use parts::Parts;

/// A database URL, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ParsedUrl {
    /// `postgres://…`, `postgresql://…`, with or without a driver's name
    Postgres(PostgresUrl),
    /// `sqlite:…`
    Sqlite(SqliteUrl),
}

/// What a PostgreSQL URL says. What it leaves out is `None`, for the caller to fill.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PostgresUrl {
    /// Host names, addresses or (beginning with `/`) socket folders with their ports. Never empty: without a host it is
    /// the folder of the local socket, as for libpq.
    pub hosts: Vec<(String, u16)>,
    /// The user.
    pub user: Option<String>,
    /// The password.
    pub password: Option<Redacted>,
    /// The database.
    pub dbname: Option<String>,
    /// `sslmode`, or what the driver's own parameter (`ssl=`) means.
    pub sslmode: Option<SslMode>,
    /// `sslrootcert`
    pub sslrootcert: Option<PathBuf>,
    /// `sslcert`
    pub sslcert: Option<PathBuf>,
    /// `sslkey`
    pub sslkey: Option<PathBuf>,
    /// `connect_timeout`, in seconds
    pub connect_timeout: Option<u64>,
    /// `options`
    pub options: Option<String>,
    /// Parameters that Caretaker does not know and therefore ignores.
    pub unknown: Vec<String>,
}

/// What a SQLite URL says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqliteUrl {
    /// The file; relative if the URL says so.
    pub path: PathBuf,
    /// Parameters that Caretaker does not know and therefore ignores.
    pub unknown: Vec<String>,
}

/// Why a text is not a database URL. Never holds the URL, which may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// There is no `scheme:`.
    #[error("this is not a URL: it has no scheme such as `postgres://` or `sqlite://`")]
    NoScheme,
    /// A scheme of some other database.
    #[error("`{0}` is not a kind of database Caretaker looks after: use `postgres://` or `sqlite://`")]
    Scheme(String),
    /// `%` without two hex digits, or bytes that are not UTF-8.
    #[error("the {0} of the URL is not percent-encoded UTF-8: write `%` itself as `%25`")]
    Encoding(&'static str),
    /// A port that is not one.
    #[error("a port must be a number from 1 to 65535")]
    Port,
    /// Fewer or more ports than hosts in `?host=…&port=…`.
    #[error("the URL has {hosts} hosts and {ports} ports: give one port for all, or one for each")]
    Ports {
        /// How many hosts.
        hosts: usize,
        /// How many ports.
        ports: usize,
    },
    /// `[` without `]`, or an address that is not one.
    #[error("an IPv6 address stands in square brackets: `[::1]`")]
    Ipv6,
    /// A host name with characters that cannot be in one.
    #[error(
        "a host name cannot hold {0}: write special characters of user and password percent-encoded (`@` as `%40`, `/` as `%2F`, `:` as `%3A`)"
    )]
    Host(String),
    /// A value a parameter cannot have.
    #[error("`{parameter}` must be {expected}")]
    Parameter {
        /// The parameter.
        parameter: &'static str,
        /// What it must be.
        expected: &'static str,
    },
    /// A SQLite URL without a file, or one for a database in memory.
    #[error("a SQLite URL must name a file; a database in memory cannot be looked after")]
    NoFile,
}

/// Takes a database URL apart. Understands libpq's URLs, those of SQLAlchemy and asyncpg with their driver suffixes
/// (`postgresql+asyncpg://`, `sqlite+aiosqlite:///`), several hosts, sockets, and percent-encoding.
///
/// How many slashes: in `sqlite:///srv/notes.db` the path is absolute. SQLAlchemy reads three slashes as *relative* and
/// four as absolute; that rule holds for URLs with a driver suffix, which only SQLAlchemy has. Four slashes are absolute
/// everywhere.
pub fn parse_database_url(text: &str) -> Result<ParsedUrl, UrlError> {
    let text = text.trim();
    let (scheme, rest) = text.split_once(':').ok_or(UrlError::NoScheme)?;
    let is_scheme = |c: char| c.is_ascii_alphanumeric() || "+.-_".contains(c);
    if scheme.is_empty() || !scheme.chars().all(is_scheme) {
        return Err(UrlError::NoScheme);
    }
    let (kind, driver) = match scheme.split_once('+') {
        Some((kind, driver)) => (kind, Some(driver)),
        None => (scheme, None),
    };
    match kind.to_ascii_lowercase().as_str() {
        "postgres" | "postgresql" => {
            let rest = rest.strip_prefix("//").ok_or(UrlError::NoScheme)?;
            postgres::parse(&Parts::split(rest)?).map(ParsedUrl::Postgres)
        }
        "sqlite" | "sqlite3" => sqlite::parse(rest, driver.is_some()).map(ParsedUrl::Sqlite),
        _ => Err(UrlError::Scheme(scheme.to_owned())),
    }
}
