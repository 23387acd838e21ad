//! Whether a database can be opened as a backup would.

use std::path::Path;

use super::error::{SqliteError, SqliteErrorKind};
use super::source;

/// What can be told of a database without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// `wal`, `delete`, …
    pub journal_mode: String,
    /// Bytes of the file itself.
    pub bytes: u64,
}

/// Opens the database as [`super::backup()`] does, and closes it again. Runs on a blocking thread.
pub async fn probe(path: &Path) -> Result<Probe, SqliteError> {
    let (owned, shown) = (path.to_owned(), path.to_owned());
    let work = move || {
        let source = source::open(&owned)?;
        let bytes = std::fs::metadata(&owned).map_err(|error| SqliteError::io(&owned, "open", error))?.len();
        Ok(Probe { journal_mode: source.journal_mode, bytes })
    };
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|panic| Err(SqliteError::new(&shown, "open", SqliteErrorKind::Other(panic.to_string()))))
}
