//! What can go wrong with the state store.

use std::path::{Path, PathBuf};

use crate::fault::Fault;

/// An operation on the state store that failed.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The state directory cannot be made or used.
    #[error("cannot use the state directory {path}")]
    Directory {
        /// The directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file cannot be opened or written.
    #[error("the state store {path} cannot be opened for writing: {detail}")]
    Unusable {
        /// The file.
        path: PathBuf,
        /// SQLite's words.
        detail: String,
    },
    /// Somebody holds the file's lock for too long.
    #[error("the state store {path} is locked by another process")]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// SQLite finds the file damaged, or it is no SQLite database.
    #[error("the state store {path} is damaged: {detail}")]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// SQLite's words.
        detail: String,
    },
    /// The file's schema is younger than this program.
    #[error("the state store {path} was written by a newer Caretaker (schema {found}, this one knows {known})")]
    Newer {
        /// The file.
        path: PathBuf,
        /// The schema's version in the file.
        found: i64,
        /// The newest version known here.
        known: i64,
    },
    /// The disk is full.
    #[error("no space left for the state store {path}")]
    Full {
        /// The file.
        path: PathBuf,
    },
    /// A row holds what this program cannot read.
    #[error("the state store holds a {what} that cannot be read: {detail}")]
    Row {
        /// What it should be.
        what: &'static str,
        /// Why not.
        detail: String,
    },
    /// Anything else SQLite says.
    #[error("the state store {path} failed")]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// SQLite's words.
        #[source]
        source: sqlx::Error,
    },
}

impl StateError {
    /// Classifies what sqlx says of the store at `path`.
    pub(super) fn from_sqlx(path: &Path, source: sqlx::Error) -> Self {
        let path = path.to_owned();
        // https://www.sqlite.org/rescode.html: primary codes are the low byte of extended ones.
        let code = source.as_database_error().and_then(|e| e.code()).and_then(|code| code.parse::<i32>().ok());
        match code.map(|code| code & 0xff) {
            Some(3 | 8 | 14) => Self::Unusable { path, detail: source.to_string() },
            Some(5 | 6) => Self::Locked { path },
            Some(11 | 26) => Self::Corrupt { path, detail: source.to_string() },
            Some(13) => Self::Full { path },
            _ => Self::Sqlite { path, source },
        }
    }
}

impl Fault for StateError {
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Directory { .. } | Self::Unusable { .. } => {
                "it must belong to the user Caretaker runs as; `daemon.state_dir` or $STATE_DIRECTORY names it".into()
            }
            Self::Locked { path } => format!(
                "see who has it open with `fuser {}`; Caretaker's own transactions last milliseconds",
                path.display()
            ),
            Self::Corrupt { path, .. } => format!(
                "stop the daemon, move {} with its -wal and -shm aside (keep them) and start again: backups in the \
                 stores are not touched by this, only the memory of them is lost",
                path.display()
            ),
            Self::Newer { .. } => "use the version that wrote it, or a newer one".into(),
            Self::Full { .. } => "free space on that file system".into(),
            Self::Row { .. } | Self::Sqlite { .. } => return None,
        })
    }

    fn retryable(&self) -> bool {
        matches!(self, Self::Locked { .. } | Self::Full { .. })
    }
}
