//! PostgreSQL URLs: <https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS>, and what the
//! drivers of other languages add.

use std::net::Ipv6Addr;
use std::path::PathBuf;

use super::super::{Redacted, SslMode};
use super::parts::{Parts, decode};
use super::{PostgresUrl, UrlError};

const DEFAULT_PORT: u16 = 5432;
/// Where the packages of Debian, Red Hat and most others put the server's socket.
const SOCKET_FOLDER: &str = "/run/postgresql";
/// Parameters without meaning for us: Caretaker sets its own, or they tune an application's driver or pool.
const IGNORED: [&str; 12] = [
    "application_name",
    "fallback_application_name",
    "target_session_attrs",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_count",
    "client_encoding",
    "pool_timeout",
    "connection_limit",
    "pgbouncer",
    "prepared_statement_cache_size",
];

pub(super) fn parse(parts: &Parts<'_>) -> Result<PostgresUrl, UrlError> {
    let mut url = PostgresUrl {
        user: parts.user.clone(),
        password: parts.password.clone().map(Redacted),
        dbname: Some(parts.path.clone()).filter(|name| !name.is_empty()),
        ..PostgresUrl::default()
    };
    let mut hosts = parts.hosts.split(',').map(host).collect::<Result<Vec<_>, _>>()?;
    let mut ports = None;
    for (name, value) in &parts.parameters {
        let text = || Some(value.clone()).filter(|value| !value.is_empty());
        let path = || text().map(PathBuf::from);
        match name.as_str() {
            // `?host=` stands instead of the host before it; SQLAlchemy's form with the port inside is taken too.
            "host" if !value.is_empty() => {
                hosts = value.split(',').map(host_of_parameter).collect::<Result<_, _>>()?;
            }
            // Only an address without a name stands for the host; beside one it saves a look-up.
            "hostaddr" if !value.is_empty() && hosts.iter().all(|(name, _)| name.is_empty()) => {
                hosts = value.split(',').map(host_of_parameter).collect::<Result<_, _>>()?;
            }
            "port" if !value.is_empty() => {
                ports = Some(value.split(',').map(port).collect::<Result<Vec<_>, _>>()?);
            }
            "user" => url.user = text().or(url.user),
            "password" => url.password = text().map(Redacted).or(url.password),
            "dbname" | "database" => url.dbname = text().or(url.dbname),
            "sslmode" | "ssl" => url.sslmode = Some(sslmode(name == "ssl", value)?),
            "sslrootcert" => {
                url.sslrootcert = path();
                // libpq 16: the system's roots vouch for so many names that only the full check makes sense.
                if value == "system" {
                    url.sslmode = url.sslmode.or(Some(SslMode::VerifyFull));
                }
            }
            "sslcert" => url.sslcert = path(),
            "sslkey" => url.sslkey = path(),
            "connect_timeout" => {
                let seconds = value.parse().ok().filter(|seconds| (1..=3600).contains(seconds));
                let expected = "a number of seconds from 1 to 3600";
                url.connect_timeout =
                    Some(seconds.ok_or(UrlError::Parameter { parameter: "connect_timeout", expected })?);
            }
            "options" => url.options = text(),
            "host" | "hostaddr" | "port" => {}
            known if IGNORED.contains(&known) => {}
            _ => url.unknown.push(name.clone()),
        }
    }
    url.hosts = with_ports(hosts, ports)?;
    Ok(url)
}

type Host = (String, Option<u16>);

/// One of the hosts between `@` and `/`: `name`, `name:port`, `[address]:port`, `%2Ffolder`, or nothing.
fn host(text: &str) -> Result<Host, UrlError> {
    if let Some(rest) = text.strip_prefix('[') {
        let (address, rest) = rest.split_once(']').ok_or(UrlError::Ipv6)?;
        let address = decode(address, "host")?;
        // A zone (`fe80::1%eth0`) is no part of the address itself.
        let bare = address.split_once('%').map_or(address.as_str(), |(bare, _)| bare);
        bare.parse::<Ipv6Addr>().map_err(|_| UrlError::Ipv6)?;
        return match rest {
            "" => Ok((address, None)),
            _ => Ok((address, Some(port(rest.strip_prefix(':').ok_or(UrlError::Port)?)?))),
        };
    }
    if text.matches(':').count() > 1 {
        return Err(UrlError::Ipv6);
    }
    let (name, number) = match text.split_once(':') {
        Some((name, "")) => (name, None),
        Some((name, number)) => (name, Some(port(number)?)),
        None => (text, None),
    };
    Ok((checked(decode(name, "host")?)?, number))
}

/// One of the hosts of `?host=`, already decoded.
fn host_of_parameter(text: &str) -> Result<Host, UrlError> {
    if text.starts_with('/') || text.parse::<Ipv6Addr>().is_ok() { Ok((text.to_owned(), None)) } else { host(text) }
}

fn checked(name: String) -> Result<String, UrlError> {
    let wrong = |c: &char| !(c.is_alphanumeric() || "-._".contains(*c));
    match name.chars().find(wrong) {
        Some(c) if !name.starts_with('/') => Err(UrlError::Host(format!("{c:?}"))),
        _ => Ok(name),
    }
}

fn port(text: &str) -> Result<u16, UrlError> {
    text.parse().ok().filter(|port| *port != 0).ok_or(UrlError::Port)
}

/// Gives each host its port: its own, else that of `?port=`, else PostgreSQL's.
fn with_ports(hosts: Vec<Host>, ports: Option<Vec<u16>>) -> Result<Vec<(String, u16)>, UrlError> {
    let ports = ports.unwrap_or_else(|| vec![DEFAULT_PORT]);
    if ports.len() != 1 && ports.len() != hosts.len() {
        return Err(UrlError::Ports { hosts: hosts.len(), ports: ports.len() });
    }
    let given = ports.iter().copied().cycle();
    Ok(hosts
        .into_iter()
        .zip(given)
        .map(|((name, own), given)| {
            let name = if name.is_empty() { SOCKET_FOLDER.to_owned() } else { name };
            (name, own.unwrap_or(given))
        })
        .collect())
}

fn sslmode(is_asyncpg: bool, value: &str) -> Result<SslMode, UrlError> {
    let modes =
        [SslMode::Disable, SslMode::Allow, SslMode::Prefer, SslMode::Require, SslMode::VerifyCa, SslMode::VerifyFull];
    match value {
        // JDBC and node: `ssl=true` asks for TLS and checks nothing.
        "true" | "1" | "on" if is_asyncpg => Ok(SslMode::Require),
        "false" | "0" | "off" if is_asyncpg => Ok(SslMode::Disable),
        _ => modes.into_iter().find(|mode| mode.as_str() == value).ok_or(UrlError::Parameter {
            parameter: if is_asyncpg { "ssl" } else { "sslmode" },
            expected: "`disable`, `allow`, `prefer`, `require`, `verify-ca` or `verify-full`",
        }),
    }
}
