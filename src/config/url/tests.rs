//! URLs as people write them.
#![allow(clippy::unwrap_used)]

use std::fmt::Write as _;

use super::*;

/// What a URL means, on one line.
fn read(text: &str) -> String {
    match parse_database_url(text) {
        Ok(ParsedUrl::Sqlite(url)) => format!("file {} {:?}", url.path.display(), url.unknown),
        Ok(ParsedUrl::Postgres(url)) => {
            let hosts: Vec<String> = url.hosts.iter().map(|(host, port)| format!("{host}#{port}")).collect();
            let mut line = hosts.join(" ");
            for (name, value) in [
                ("user", url.user),
                ("password", url.password.map(|password| password.0)),
                ("dbname", url.dbname),
                ("sslmode", url.sslmode.map(|mode| mode.as_str().to_owned())),
                ("root", url.sslrootcert.map(|path| path.display().to_string())),
                ("cert", url.sslcert.map(|path| path.display().to_string())),
                ("key", url.sslkey.map(|path| path.display().to_string())),
                ("timeout", url.connect_timeout.map(|seconds| seconds.to_string())),
                ("options", url.options),
                ("unknown", Some(url.unknown.join(",")).filter(|names| !names.is_empty())),
            ] {
                if let Some(value) = value {
                    write!(line, " {name}={value}").unwrap();
                }
            }
            line
        }
        Err(error) => format!("error: {error}"),
    }
}

#[test]
fn postgres_urls_mean_what_libpq_and_the_drivers_mean() {
    for (url, expected) in [
        ("postgres://u:p@h:1/d", "h#1 user=u password=p dbname=d"),
        ("postgresql://h", "h#5432"),
        ("postgresql+asyncpg://u:p@h/d?ssl=verify-full", "h#5432 user=u password=p dbname=d sslmode=verify-full"),
        ("postgres+psycopg2://u@h/d?ssl=true", "h#5432 user=u dbname=d sslmode=require"),
        ("POSTGRES://u@h/d", "h#5432 user=u dbname=d"),
        ("postgres://u@h1:5432,h2:5433/d", "h1#5432 h2#5433 user=u dbname=d"),
        ("postgres://u@h1,h2/d?port=6000", "h1#6000 h2#6000 user=u dbname=d"),
        ("postgres://u@/d?host=h1,h2&port=1,2", "h1#1 h2#2 user=u dbname=d"),
        ("postgres://u@[::1]:1,[fe80::1]/d", "::1#1 fe80::1#5432 user=u dbname=d"),
        ("postgres:///d", "/run/postgresql#5432 dbname=d"),
        ("postgres://", "/run/postgresql#5432"),
        ("postgres://u@/d?host=/run/postgresql", "/run/postgresql#5432 user=u dbname=d"),
        ("postgres://u@%2Frun%2Fpg:1/d", "/run/pg#1 user=u dbname=d"),
        ("postgres://u%40x:p%3A%2F%25@h/d%20e", "h#5432 user=u@x password=p:/% dbname=d e"),
        ("postgres://u:p@w@h/d", "h#5432 user=u password=p@w dbname=d"),
        ("postgres://u:p#w?x@h/d", "h#5432 user=u password=p#w?x dbname=d"),
        ("postgres://u:p+w@h/d", "h#5432 user=u password=p+w dbname=d"),
        ("postgres://u@h?application_name=a@b", "h#5432 user=u"),
        ("postgres://h/?user=u&password=p&dbname=d", "h#5432 user=u password=p dbname=d"),
        (
            "postgres://h/d?sslmode=require&sslrootcert=/r&sslcert=/c&sslkey=/k&connect_timeout=3&options=-c%20x%3D1",
            "h#5432 dbname=d sslmode=require root=/r cert=/c key=/k timeout=3 options=-c x=1",
        ),
        ("postgres://h/d?sslrootcert=system", "h#5432 dbname=d sslmode=verify-full root=system"),
        ("postgres://h/d?hostaddr=10.0.0.1&application_name=x&schema=y&foo=z", "h#5432 dbname=d unknown=schema,foo"),
        ("postgres:///d?hostaddr=10.0.0.1", "10.0.0.1#5432 dbname=d"),
        (" postgres://h/d\n", "h#5432 dbname=d"),
    ] {
        assert_eq!(read(url), expected, "{url}");
    }
}

#[test]
fn sqlite_urls_name_a_file() {
    for (url, expected) in [
        ("sqlite:///srv/notes.db", "file /srv/notes.db []"),
        ("sqlite:////srv/notes.db", "file /srv/notes.db []"),
        ("sqlite://notes.db", "file notes.db []"),
        ("sqlite:notes.db", "file notes.db []"),
        ("sqlite:/srv/notes.db", "file /srv/notes.db []"),
        ("sqlite:///srv/my%20notes.db?mode=ro&x=1", "file /srv/my notes.db [\"x\"]"),
        ("sqlite+aiosqlite:///notes.db", "file notes.db []"),
        ("sqlite+aiosqlite:////srv/notes.db", "file /srv/notes.db []"),
    ] {
        assert_eq!(read(url), expected, "{url}");
    }
    for url in
        ["sqlite:", "sqlite://", "sqlite::memory:", "sqlite:///:memory:", "sqlite:x?mode=memory", "sqlite:///srv/"]
    {
        assert_eq!(parse_database_url(url), Err(UrlError::NoFile), "{url}");
    }
}

#[test]
fn what_is_wrong_is_said_without_the_password() {
    for (url, expected) in [
        ("", "error: this is not a URL"),
        ("hunter2", "error: this is not a URL"),
        ("/srv/hunter2.db", "error: this is not a URL"),
        ("postgres:hunter2", "error: this is not a URL"),
        ("mysql://u:hunter2@h/d", "error: `mysql` is not a kind of database"),
        ("postgres://u:hunter2@h:0/d", "error: a port must be"),
        ("postgres://u:hunter2@h:99999/d", "error: a port must be"),
        ("postgres://u:hunter2/x@h/d", "error: a port must be"),
        ("postgres://u:hunter2%@h/d", "error: the password of the URL is not percent-encoded"),
        ("postgres://u:hunter2%ff@h/d", "error: the password of the URL is not percent-encoded"),
        ("postgres://u:hunter2@::1/d", "error: an IPv6 address stands in square brackets"),
        ("postgres://u:hunter2@[::1/d", "error: an IPv6 address stands in square brackets"),
        ("postgres://u:hunter2@[h]/d", "error: an IPv6 address stands in square brackets"),
        ("postgres://u:hunter2@h!x/d", "error: a host name cannot hold '!'"),
        ("postgres://u:hunter2@h/d?port=1,2", "error: the URL has 1 hosts and 2 ports"),
        ("postgres://u:hunter2@h/d?sslmode=yes", "error: `sslmode` must be `disable`"),
        ("postgres://u:hunter2@h/d?connect_timeout=soon", "error: `connect_timeout` must be a number of seconds"),
    ] {
        let said = read(url);
        assert!(said.starts_with(expected), "{url}: {said}");
        assert!(!said.contains("hunter2"), "{said}");
        assert!(!format!("{:?}", parse_database_url(url)).contains("hunter2"), "{url}");
    }
}
