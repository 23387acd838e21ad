//! What can go wrong with a SQLite database.

use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

use crate::fault::Fault;

/// An operation on a SQLite database that failed.
#[derive(Debug, thiserror::Error)]
#[error("{operation} {}: {kind}", path.display())]
pub struct SqliteError {
    /// The file.
    pub path: PathBuf,
    /// What was being done: `open`, `copy`, `check`, …
    pub operation: &'static str,
    /// What happened.
    pub kind: SqliteErrorKind,
    /// The system's own error.
    #[source]
    pub source: Option<std::io::Error>,
}

/// What happened to a SQLite database.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SqliteErrorKind {
    /// There is no such file.
    #[error("it does not exist")]
    Missing,
    /// A directory, a device, …
    #[error("it is {0}, not a file")]
    NotAFile(&'static str),
    /// No byte in it. SQLite would take it for a database without tables.
    #[error("the file is empty (0 bytes), which is no database")]
    Empty,
    /// SQLite does not know it.
    #[error("it is not a SQLite database, or it is encrypted")]
    NotADatabase,
    /// SQLite says that the file's structure is broken.
    #[error("the database is corrupt: {0}")]
    Corrupt(String),
    /// Others held it locked for too long.
    #[error("it stayed locked by others: {0}")]
    Busy(String),
    /// The file, or the folder around it.
    #[error("permission denied: {0}")]
    Denied(String),
    /// No room for the copy.
    #[error("no space left")]
    Full,
    /// Reading or writing failed.
    #[error("input/output error: {0}")]
    Io(String),
    /// There is something where the restored database should go.
    #[error("it exists already: {0}")]
    TargetExists(String),
    /// A constraint or a trigger is against it.
    #[error("{0}")]
    Constraint(String),
    /// It was cancelled.
    #[error("cancelled")]
    Cancelled,
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

impl SqliteError {
    pub(super) fn new(path: &Path, operation: &'static str, kind: SqliteErrorKind) -> Self {
        Self { path: path.to_owned(), operation, kind, source: None }
    }

    /// An error of the file system.
    pub(super) fn io(path: &Path, operation: &'static str, error: std::io::Error) -> Self {
        let kind = match error.kind() {
            std::io::ErrorKind::NotFound => SqliteErrorKind::Missing,
            std::io::ErrorKind::PermissionDenied => SqliteErrorKind::Denied("the file or its folder".to_owned()),
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => SqliteErrorKind::Full,
            std::io::ErrorKind::AlreadyExists => SqliteErrorKind::TargetExists("a file of that name".to_owned()),
            _ => SqliteErrorKind::Io(error.to_string()),
        };
        Self { path: path.to_owned(), operation, kind, source: Some(error) }
    }

    /// An error of SQLite's.
    pub(super) fn sqlite(path: &Path, operation: &'static str, error: &rusqlite::Error) -> Self {
        use SqliteErrorKind as Kind;
        let text = match error {
            rusqlite::Error::SqliteFailure(failure, message) => {
                let said = message.clone().unwrap_or_else(|| failure.to_string());
                format!("{said} (SQLite code {})", failure.extended_code)
            }
            other => other.to_string(),
        };
        let kind = match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => Kind::NotADatabase,
            Some(ErrorCode::DatabaseCorrupt) => Kind::Corrupt(text),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Kind::Busy(text),
            Some(ErrorCode::DiskFull) => Kind::Full,
            Some(ErrorCode::PermissionDenied | ErrorCode::ReadOnly | ErrorCode::CannotOpen) => Kind::Denied(text),
            Some(ErrorCode::SystemIoFailure) => Kind::Io(text),
            Some(ErrorCode::ConstraintViolation) => Kind::Constraint(text),
            Some(ErrorCode::OperationInterrupted) => Kind::Cancelled,
            _ => Kind::Other(text),
        };
        Self::new(path, operation, kind)
    }
}

impl Fault for SqliteError {
    fn hint(&self) -> Option<String> {
        use SqliteErrorKind as Kind;
        Some(match &self.kind {
            Kind::Missing => "correct the path in the url: `sqlite:///absolute/path`".to_owned(),
            Kind::Denied(_) => {
                "SQLite needs to read the file, and to write `-wal` and `-shm` in its folder (or a `-journal` to roll \
                 back): give Caretaker's user the file's group, and under systemd add the folder to ReadWritePaths="
                    .to_owned()
            }
            Kind::Corrupt(_) => {
                "stop the application, and try `sqlite3 FILE .recover`, or restore the last backup".to_owned()
            }
            Kind::Busy(_) => "another process holds a transaction open: look for it with `fuser FILE`".to_owned(),
            Kind::Full => "free space in the staging folder".to_owned(),
            Kind::TargetExists(_) => "name a path where there is nothing yet, or move what is there away".to_owned(),
            Kind::NotADatabase => {
                "correct the path in the url, or restore the last backup; encrypted files (SQLCipher) cannot \
                                   be read"
                    .to_owned()
            }
            Kind::NotAFile(_) => "correct the path in the url: it names the database's file".to_owned(),
            Kind::Empty => "if it is meant to be empty, let the application create its tables first".to_owned(),
            _ => return None,
        })
    }

    fn retryable(&self) -> bool {
        matches!(self.kind, SqliteErrorKind::Busy(_) | SqliteErrorKind::Full | SqliteErrorKind::Io(_))
    }
}
