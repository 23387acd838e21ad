//! PostgreSQL's client tools: which ones are there, and which one to take.
//!
//! A pg_dump older than the server refuses to work, but the newest is not the best either: what pg_dump 18 writes,
//! a server of 15 does not load without errors. So: the server's own major, else the next newer.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use crate::fault::Fault;

/// How long `--version` may take.
const VERSION_WITHIN: Duration = Duration::from_secs(10);

/// A client tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// Dumps a database.
    PgDump,
    /// Loads and reads archives.
    PgRestore,
    /// Dumps roles and tablespaces.
    PgDumpall,
}

impl Program {
    /// The program's file name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PgDump => "pg_dump",
            Self::PgRestore => "pg_restore",
            Self::PgDumpall => "pg_dumpall",
        }
    }
}

/// A tool that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tool {
    /// What it is.
    pub program: Program,
    /// Where it is.
    pub path: PathBuf,
    /// What it says of itself: `pg_dump (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`.
    pub version: String,
    /// Its major version.
    pub major: u32,
}

/// Which majors will do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// Nothing older.
    pub at_least: u32,
    /// This one if it is there, else the next newer one, else the oldest of `at_least` and newer.
    pub prefer: u32,
}

impl Wanted {
    /// To dump a server: its own major, never an older one.
    pub fn to_dump(server_major: u32) -> Self {
        Self { at_least: server_major, prefer: server_major }
    }

    /// To load into a server an archive that a tool of `writer_major` wrote: the target's own major, if it can read it.
    pub fn to_restore(target_major: u32, writer_major: u32) -> Self {
        Self { at_least: writer_major, prefer: target_major.max(writer_major) }
    }

    /// To read an archive: any tool at least as new as its writer.
    pub fn to_read(writer_major: u32) -> Self {
        Self { at_least: writer_major, prefer: writer_major }
    }
}

/// No tool will do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no {program} of version {at_least} or newer; looked at {}", looked_at(found))]
pub struct ToolError {
    /// What was looked for.
    pub program: &'static str,
    /// The oldest that would do.
    pub at_least: u32,
    /// Every place, and what was there.
    pub found: Vec<(PathBuf, String)>,
}

fn looked_at(found: &[(PathBuf, String)]) -> String {
    let places: Vec<String> = found.iter().map(|(path, what)| format!("{}: {what}", path.display())).collect();
    places.join("; ")
}

impl Fault for ToolError {
    fn hint(&self) -> Option<String> {
        Some(format!(
            "install PostgreSQL's client tools of version {} (Debian: postgresql-client-{}), or set `pg_bindir` in \
             [daemon] to their folder",
            self.at_least, self.at_least
        ))
    }
}

/// Looks in `pg_bindir` (whose tool is taken if it will do), Debian's and Red Hat's folders, and PATH.
pub async fn find(program: Program, wanted: Wanted, pg_bindir: Option<&Path>) -> Result<Tool, ToolError> {
    let owned = pg_bindir.map(Path::to_owned);
    let places = tokio::task::spawn_blocking(move || places(owned)).await.unwrap_or_default();
    find_in(program, wanted, &places, pg_bindir.is_some()).await
}

/// Looks in these folders. `first_wins`: the first folder was named by the operator and is taken if it will do.
pub async fn find_in(
    program: Program,
    wanted: Wanted,
    places: &[PathBuf],
    first_wins: bool,
) -> Result<Tool, ToolError> {
    let mut tools = Vec::new();
    let mut found = Vec::new();
    for (position, place) in places.iter().enumerate() {
        let path = place.join(program.as_str());
        match ask(program, &path).await {
            Ok(tool) if first_wins && position == 0 && tool.major >= wanted.at_least => return Ok(tool),
            // None is better. Each one asked costs time, Debian's wrapper in /usr/bin a twentieth of a second.
            Ok(tool) if tool.major == wanted.prefer => return Ok(tool),
            Ok(tool) => {
                found.push((path, format!("version {}", tool.major)));
                tools.push(tool);
            }
            Err(why) => found.push((path, why)),
        }
    }
    choose(tools, wanted).ok_or(ToolError { program: program.as_str(), at_least: wanted.at_least, found })
}

/// Of several of one major, the one looked at first.
fn choose(tools: Vec<Tool>, wanted: Wanted) -> Option<Tool> {
    tools
        .into_iter()
        .filter(|tool| tool.major >= wanted.at_least)
        .min_by_key(|tool| (tool.major < wanted.prefer, tool.major))
}

fn places(pg_bindir: Option<PathBuf>) -> Vec<PathBuf> {
    let mut places: Vec<PathBuf> = pg_bindir.into_iter().collect();
    let versions = |parent: &str, prefix: &str| -> Vec<PathBuf> {
        let mut folders: Vec<PathBuf> = std::fs::read_dir(parent)
            .into_iter()
            .flatten()
            .flatten()
            .filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
            .map(|entry| entry.path().join("bin"))
            .filter(|bin| bin.is_dir())
            .collect();
        folders.sort();
        folders
    };
    places.extend(versions("/usr/lib/postgresql", ""));
    places.extend(versions("/usr", "pgsql-"));
    // Debian's wrapper in /usr/bin comes last: it may stand for any version, and for another one next month.
    let path = std::env::var_os("PATH").unwrap_or_default();
    places.extend(std::env::split_paths(&path).filter(|place| place.is_absolute()));
    let mut seen = std::collections::HashSet::new();
    places.retain(|place| seen.insert(place.canonicalize().unwrap_or_else(|_| place.clone())));
    places
}

/// The tool at this path, or what is there instead.
async fn ask(program: Program, path: &Path) -> Result<Tool, String> {
    if !path.is_file() {
        return Err("not there".to_owned());
    }
    let mut command = tokio::process::Command::new(path);
    command.arg("--version").env_clear().env("PATH", "/usr/bin:/bin").stdin(Stdio::null()).kill_on_drop(true);
    let output = match tokio::time::timeout(VERSION_WITHIN, command.output()).await {
        Err(_) => return Err(format!("no answer to --version within {} s", VERSION_WITHIN.as_secs())),
        Ok(Err(error)) => return Err(error.to_string()),
        Ok(Ok(output)) => output,
    };
    let said = String::from_utf8_lossy(&output.stdout);
    let version = said.lines().next().unwrap_or_default().trim().to_owned();
    match parse_major(&version) {
        Some(major) if output.status.success() => Ok(Tool { program, path: path.to_owned(), version, major }),
        _ => Err(format!("not a {} ({})", program.as_str(), output.status)),
    }
}

/// `pg_dump (PostgreSQL) 15.18 (Debian …)`, `… 19devel`, `… 18beta1` → the major.
fn parse_major(version: &str) -> Option<u32> {
    let (_, number) = version.split_once(") ")?;
    let digits = number.find(|c: char| !c.is_ascii_digit()).unwrap_or(number.len());
    number[..digits].parse().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn choice(majors: &[u32], wanted: Wanted) -> Option<u32> {
        let tool = |major: &u32| Tool {
            program: Program::PgDump,
            path: PathBuf::new(),
            version: String::new(),
            major: *major,
        };
        choose(majors.iter().map(tool).collect(), wanted).map(|tool| tool.major)
    }

    #[test]
    fn the_servers_own_major_is_preferred_then_the_next_newer_never_an_older() {
        assert_eq!(choice(&[18, 15, 16], Wanted::to_dump(15)), Some(15));
        assert_eq!(choice(&[18, 14, 16], Wanted::to_dump(15)), Some(16));
        assert_eq!(choice(&[13, 14], Wanted::to_dump(15)), None);
        assert_eq!(choice(&[15, 16, 18], Wanted::to_restore(18, 15)), Some(18));
        assert_eq!(choice(&[15, 16], Wanted::to_restore(18, 15)), Some(15));
        assert_eq!(choice(&[15, 16, 18], Wanted::to_restore(15, 16)), Some(16));
        assert_eq!(choice(&[15], Wanted::to_restore(15, 16)), None);
    }

    #[test]
    fn versions_are_read_as_printed() {
        assert_eq!(parse_major("pg_dump (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"), Some(15));
        assert_eq!(parse_major("pg_dump (PostgreSQL) 19devel"), Some(19));
        assert_eq!(parse_major("pg_dump (EnterpriseDB) 9.6"), Some(9));
        assert_eq!(parse_major("hello"), None);
    }
}
