//! `[databases.*]`

use std::path::{Path, PathBuf};

use super::super::{
    Database, DatabaseKind, DatabaseName, ParsedUrl, PostgresTarget, PostgresUrl, SecretSource, SqliteTarget, SslMode,
    UrlError, parse_database_url,
};
use super::secret::SecretKeys;
use super::values::{number, path, resolve, text};
use super::{Problem, Section, Spot};

/// The connection timeout of a URL that names none, in seconds. libpq waits for ever.
const CONNECT_TIMEOUT: u64 = 10;
/// A URL file larger than this is not one.
const MAX_URL_BYTES: u64 = 64 * 1024;

/// A URL, and where it was found.
struct Found<'a> {
    url: ParsedUrl,
    spot: Spot<'a>,
    source: Source,
}

#[derive(PartialEq, Eq)]
enum Source {
    Inline,
    Env,
    File(PathBuf),
}

pub(super) fn read(name: &str, section: &Section<'_>) -> Option<(DatabaseName, Database)> {
    let checked = match name.parse::<DatabaseName>() {
        Ok(name) => Some(name),
        Err(error) => {
            section.reader.error(&section.name_origin(), Problem::new(error.to_string()));
            None
        }
    };
    let found = find(section);
    let password = SecretKeys::PASSWORD.optional(section);
    let max_connections = section.or("max_connections", 5, number(2..=10_000));
    section.finish();
    let kind = match found? {
        Found { url: ParsedUrl::Postgres(url), spot, source } => {
            DatabaseKind::Postgres(postgres(section, url, &spot, &source, password)?)
        }
        Found { url: ParsedUrl::Sqlite(url), spot, source } => {
            if password.is_some() {
                section.error(Problem::new("a SQLite database has no password"));
            }
            warn_unknown(&spot, &url.unknown);
            let path = match (url.path.is_absolute(), source) {
                (false, Source::Inline) => resolve(&spot, &url.path.to_string_lossy()),
                // As the application that shares the variable would.
                (false, _) => std::path::absolute(&url.path).unwrap_or(url.path),
                (true, _) => url.path,
            };
            DatabaseKind::Sqlite(SqliteTarget { path })
        }
    };
    if section.is_faulty() {
        return None;
    }
    let name = checked?;
    Some((name.clone(), Database { name, kind, max_connections: max_connections? }))
}

/// The one of `url`, `url_env` and `url_file` that is there.
fn find<'a>(section: &Section<'a>) -> Option<Found<'a>> {
    const KEYS: [&str; 3] = ["url", "url_env", "url_file"];
    let given: Vec<&'static str> = KEYS.into_iter().filter(|key| section.has(key)).collect();
    KEYS.iter().for_each(|key| section.know(key));
    match given.as_slice() {
        [] => {
            section.is_missing_as("url", "one of `url`, `url_env` and `url_file`".to_owned());
            None
        }
        [key] => {
            let spot = section.spot(key)?;
            match *key {
                "url" => section.optional("url", inline_url).map(|url| Found { url, spot, source: Source::Inline }),
                "url_env" => section.optional("url_env", env_url).map(|url| Found { url, spot, source: Source::Env }),
                _ => section.optional("url_file", file_url).map(|(url, path)| Found {
                    url,
                    spot,
                    source: Source::File(path),
                }),
            }
        }
        [first, others @ ..] => {
            for key in others {
                if let Some(spot) = section.spot(key) {
                    let problem = Problem::new(format!("`{first}` and `{key}` exclude each other")).help("keep one");
                    section.taken::<()>(&spot, Err(problem));
                }
            }
            None
        }
    }
}

fn inline_url(spot: &Spot<'_>) -> Result<ParsedUrl, Problem> {
    parse_database_url(spot.text()?).map_err(|error| url_problem(&error, ""))
}

fn env_url(spot: &Spot<'_>) -> Result<ParsedUrl, Problem> {
    let name = text(spot)?;
    // Somebody who puts the URL itself here should not read it in an error.
    if name.contains(':') || name.contains('/') {
        return Err(Problem::new("expected the name of an environment variable").help("a URL itself goes into `url`"));
    }
    match spot.reader.layers.env.get(&name) {
        Some(url) => parse_database_url(url).map_err(|error| url_problem(&error, &format!("${name}: "))),
        None => Err(Problem::new(format!("the environment variable {name} is not set"))
            .help("for the service, set it in a file that its unit names as `EnvironmentFile=`")),
    }
}

fn file_url(spot: &Spot<'_>) -> Result<(ParsedUrl, PathBuf), Problem> {
    let path = path(spot)?;
    let text = read_url_file(&path)?;
    match parse_database_url(&text) {
        Ok(url) => Ok((url, path)),
        Err(error) => Err(url_problem(&error, &format!("{}: ", path.display()))),
    }
}

fn read_url_file(path: &Path) -> Result<String, Problem> {
    let shown = path.display();
    match std::fs::metadata(path) {
        Ok(data) if data.len() > MAX_URL_BYTES => Err(Problem::new(format!("{shown} is too large to hold a URL"))),
        _ => std::fs::read_to_string(path).map_err(|error| Problem::new(format!("cannot read {shown}: {error}"))),
    }
}

fn url_problem(error: &UrlError, before: &str) -> Problem {
    Problem::new(format!("{before}{error}"))
}

fn postgres(
    section: &Section<'_>,
    url: PostgresUrl,
    spot: &Spot<'_>,
    source: &Source,
    password: Option<SecretSource>,
) -> Option<PostgresTarget> {
    warn_unknown(spot, &url.unknown);
    let password = match (url.password, password) {
        (Some(_), Some(_)) => {
            spot.error(Problem::new("there is a password in this URL, and another beside it").help("keep one"));
            return None;
        }
        (Some(inline), None) => Some(match source {
            Source::File(path) => SecretSource::UrlFile(path.clone()),
            Source::Inline | Source::Env => {
                if *source == Source::Inline {
                    spot.warning(
                        Problem::new("there is a password in this URL")
                            .help("put it into a file that only Caretaker can read, and name it as `password_file`"),
                    );
                }
                SecretSource::Inline(inline)
            }
        }),
        (None, beside) => beside,
    };
    let Some(user) = url.user.or_else(|| os_user(section)) else {
        spot.error(Problem::new("this URL names no user, and the system's user has no name").help("name one"));
        return None;
    };
    let target = PostgresTarget {
        dbname: url.dbname.unwrap_or_else(|| user.clone()),
        hosts: url.hosts,
        user,
        password,
        sslmode: url.sslmode.unwrap_or(SslMode::Prefer),
        sslrootcert: url.sslrootcert,
        sslcert: url.sslcert,
        sslkey: url.sslkey,
        connect_timeout: url.connect_timeout.unwrap_or(CONNECT_TIMEOUT),
        options: url.options,
    };
    if !target.is_local() && target.sslmode < SslMode::VerifyFull {
        let mode = target.sslmode.as_str();
        spot.warning(
            Problem::new(format!("with sslmode={mode} the server's identity is not checked"))
                .help("add `?sslmode=verify-full&sslrootcert=/path/to/ca.pem` to the URL"),
        );
    }
    Some(target)
}

fn warn_unknown(spot: &Spot<'_>, unknown: &[String]) {
    if !unknown.is_empty() {
        let names: Vec<String> = unknown.iter().map(|name| format!("`{name}`")).collect();
        spot.warning(Problem::new(format!("Caretaker does not know the URL's {}, and ignores it", names.join(", "))));
    }
}

/// The name of the user this process runs as, as libpq takes it: from the system's list, else from the environment.
fn os_user(section: &Section<'_>) -> Option<String> {
    let id = rustix::process::geteuid().as_raw().to_string();
    let list = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let entry = list.lines().map(|line| line.split(':').collect::<Vec<_>>()).find(|entry| entry.get(2) == Some(&&*id));
    let name = entry.and_then(|entry| entry.first().map(|name| (*name).to_owned()));
    name.or_else(|| section.reader.layers.env.get("USER").cloned())
}
