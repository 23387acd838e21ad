//! Why a tool failed, read from its end and its words.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use super::super::error::DatabaseError;
use crate::fault::Fault;

/// An error of somebody else's.
pub(super) type Cause = Box<dyn std::error::Error + Send + Sync>;

/// A tool that failed.
#[derive(Debug, thiserror::Error)]
#[error("{tool} of database {database}: {ended}: {kind}")]
pub struct ProcessError {
    /// `pg_dump`, …
    pub tool: &'static str,
    /// The database's name in the configuration.
    pub database: String,
    /// `exit status: 1`, `signal: 9 (SIGKILL)`, `did not start`.
    pub ended: Box<str>,
    /// What happened.
    pub kind: ProcessErrorKind,
    /// The last lines of its standard error.
    pub stderr: Box<[String]>,
    /// The system's or server's own error.
    #[source]
    pub source: Option<Cause>,
}

/// What happened to a tool. The text is the line that says it best.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProcessErrorKind {
    /// A table, schema or sequence we may not read or write.
    #[error("{0}")]
    PermissionDenied(String),
    /// Row-level security would have left rows out.
    #[error("{0}")]
    RowSecurity(String),
    /// The tool is older than the server or the archive.
    #[error("{0}")]
    VersionMismatch(String),
    /// A lock was not had in time.
    #[error("{0}")]
    LockTimeout(String),
    /// The connection was refused, cut, or ended by an administrator.
    #[error("{0}")]
    ConnectionLost(String),
    /// The server refused us.
    #[error("{0}")]
    AuthenticationFailed(String),
    /// The archive ends early or is not one.
    #[error("{0}")]
    DamagedArchive(String),
    /// A disk is full.
    #[error("{0}")]
    NoSpace(String),
    /// It was killed by a signal that we did not send.
    #[error("it was killed")]
    Killed,
    /// It could not be started, or its password not be read.
    #[error("it could not be started")]
    NotStarted,
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

impl ProcessError {
    /// An error before there was a process.
    pub(super) fn not_started(tool: &'static str, database: &str, source: impl Into<Cause>) -> Self {
        Self {
            tool,
            database: database.to_owned(),
            ended: "did not start".into(),
            kind: ProcessErrorKind::NotStarted,
            stderr: Box::default(),
            source: Some(source.into()),
        }
    }

    /// An error from how it ended.
    pub(super) fn ended(tool: &'static str, database: &str, status: ExitStatus, stderr: Vec<String>) -> Self {
        let kind = classify(status, &stderr);
        let ended = status.to_string().into();
        Self { tool, database: database.to_owned(), ended, kind, stderr: stderr.into(), source: None }
    }
}

/// The words are those of pg_dump.c, pg_backup_*.c, libpq and the server, in English. Words not understood make an
/// `Other`, which is not tried again.
fn classify(status: ExitStatus, stderr: &[String]) -> ProcessErrorKind {
    use ProcessErrorKind as Kind;
    type Make = fn(String) -> Kind;
    const SAYINGS: [(&str, Make); 22] = [
        ("server version mismatch", Kind::VersionMismatch),
        ("unsupported version (", Kind::VersionMismatch),
        ("row-level security policy", Kind::RowSecurity),
        ("row security", Kind::RowSecurity),
        ("canceling statement due to lock timeout", Kind::LockTimeout),
        ("permission denied for", Kind::PermissionDenied),
        ("must be owner of", Kind::PermissionDenied),
        ("must be superuser", Kind::PermissionDenied),
        ("password authentication failed", Kind::AuthenticationFailed),
        ("no password supplied", Kind::AuthenticationFailed),
        ("no pg_hba.conf entry", Kind::AuthenticationFailed),
        ("No space left on device", Kind::NoSpace),
        ("Disk quota exceeded", Kind::NoSpace),
        ("does not appear to be a valid archive", Kind::DamagedArchive),
        ("did not find magic string", Kind::DamagedArchive),
        ("could not read from input file", Kind::DamagedArchive),
        ("input file is too short", Kind::DamagedArchive),
        ("terminating connection due to", Kind::ConnectionLost),
        ("server closed the connection unexpectedly", Kind::ConnectionLost),
        ("could not receive data from server", Kind::ConnectionLost),
        ("SSL SYSCALL error", Kind::ConnectionLost),
        ("connection to server", Kind::ConnectionLost),
    ];
    for (words, make) in SAYINGS {
        if let Some(line) = stderr.iter().find(|line| line.contains(words)) {
            return make(bare(line));
        }
    }
    if status.signal().is_some() {
        return Kind::Killed;
    }
    let says_error = |line: &&String| ["error:", "ERROR:", "FATAL:"].iter().any(|word| line.contains(word));
    let line = stderr.iter().find(says_error).or_else(|| stderr.iter().rev().find(|line| !line.is_empty()));
    Kind::Other(line.map_or_else(|| "it said nothing".to_owned(), |line| bare(line)))
}

/// Without the tool's name in front.
fn bare(line: &str) -> String {
    let line = line.split_once(": error: ").map_or(line, |(_, rest)| rest);
    line.trim().to_owned()
}

impl Fault for ProcessError {
    fn hint(&self) -> Option<String> {
        use ProcessErrorKind as Kind;
        Some(match &self.kind {
            Kind::PermissionDenied(_) if self.tool == "pg_dump" => {
                "`GRANT pg_read_all_data TO role` lets the backup role read every table (PostgreSQL 14 and newer)"
                    .to_owned()
            }
            Kind::PermissionDenied(_) => "restore as the owner of the target database, or as a superuser".to_owned(),
            Kind::RowSecurity(_) => {
                "`ALTER ROLE role BYPASSRLS`: without it the dump would leave out rows that a policy hides".to_owned()
            }
            Kind::VersionMismatch(_) => {
                "install the client tools of the server's major version, or set `pg_bindir` to their folder".to_owned()
            }
            Kind::LockTimeout(_) => {
                "another session holds a strong lock on the table: look in pg_stat_activity for who".to_owned()
            }
            Kind::AuthenticationFailed(_) => {
                "our own connection was let in: check that `pg_hba.conf` treats both alike, and that the password was \
                 not changed this moment"
                    .to_owned()
            }
            Kind::NoSpace(_) => "free space on the server or below the temporary folder".to_owned(),
            Kind::DamagedArchive(_) => "the stored archive is not whole: verify the backup".to_owned(),
            Kind::Killed => "look in the kernel's log (`journalctl -k`) for the out-of-memory killer".to_owned(),
            Kind::NotStarted | Kind::ConnectionLost(_) | Kind::Other(_) => {
                return self.source.as_ref()?.downcast_ref::<DatabaseError>()?.hint();
            }
        })
    }

    fn retryable(&self) -> bool {
        use ProcessErrorKind as Kind;
        match &self.kind {
            Kind::LockTimeout(_) | Kind::ConnectionLost(_) | Kind::Killed | Kind::NoSpace(_) => true,
            Kind::NotStarted => {
                let cause = self.source.as_ref().and_then(|source| source.downcast_ref::<DatabaseError>());
                cause.is_some_and(Fault::retryable)
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(code: i32, stderr: &[&str]) -> ProcessErrorKind {
        classify(ExitStatus::from_raw(code), &stderr.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn words_and_signals_are_understood() {
        use ProcessErrorKind as Kind;
        let denied = "pg_dump: error: query failed: ERROR:  permission denied for table secret";
        assert_eq!(
            kind(256, &[denied, "pg_dump: detail: Query was: LOCK TABLE"]),
            Kind::PermissionDenied("query failed: ERROR:  permission denied for table secret".to_owned())
        );
        assert_eq!(kind(9, &[]), Kind::Killed);
        assert!(matches!(
            kind(256, &["FATAL:  terminating connection due to administrator command"]),
            Kind::ConnectionLost(_)
        ));
        assert!(matches!(
            kind(256, &["pg_dump: error: aborting because of server version mismatch"]),
            Kind::VersionMismatch(_)
        ));
        assert_eq!(kind(256, &[]), Kind::Other("it said nothing".to_owned()));
        assert_eq!(kind(256, &["x: error: first", "second"]), Kind::Other("first".to_owned()));
    }
}
