//! Opening a live database to copy it, leaving it as it was found.

use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::error::{SqliteError, SqliteErrorKind};

/// How long to wait for others' locks.
pub(super) const BUSY_WAIT: Duration = Duration::from_secs(30);

/// An open source.
pub(super) struct Source {
    pub path: PathBuf,
    pub connection: Connection,
    /// `wal`, `delete`, `truncate`, `persist`, `memory`, `off`.
    pub journal_mode: String,
    pub page_size: u32,
    /// What the operator should know.
    pub notes: Vec<String>,
}

/// A file's companion: `x.db` → `x.db-wal`.
pub(super) fn companion(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Opens read-write where permitted: a WAL database needs its `-shm`, and a crashed writer's journal has to be rolled
/// back before anybody can read. Nothing is created: SQLite would otherwise turn a missing file into an empty database.
pub(super) fn open(path: &Path) -> Result<Source, SqliteError> {
    open_within(path, BUSY_WAIT)
}

/// The same, waiting for others' locks no longer than `wait`.
pub(super) fn open_within(path: &Path, wait: Duration) -> Result<Source, SqliteError> {
    let metadata = std::fs::metadata(path).map_err(|error| SqliteError::io(path, "open", error))?;
    let kind = metadata.file_type();
    let wrong = if kind.is_file() {
        (metadata.len() == 0).then_some(SqliteErrorKind::Empty)
    } else if kind.is_dir() {
        Some(SqliteErrorKind::NotAFile("a directory"))
    } else if kind.is_fifo() || kind.is_socket() {
        Some(SqliteErrorKind::NotAFile("a pipe or socket"))
    } else {
        Some(SqliteErrorKind::NotAFile("a device"))
    };
    if let Some(kind) = wrong {
        return Err(SqliteError::new(path, "open", kind));
    }

    let real = std::fs::canonicalize(path).map_err(|error| SqliteError::io(path, "open", error))?;
    let had_wal = companion(&real, "-wal").exists();
    let failed = |error: rusqlite::Error| SqliteError::sqlite(path, "open", &error);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    connection.busy_timeout(wait).map_err(failed)?;
    if had_wal {
        // The last to close would write the WAL back and delete it. That is the application's business. Without a WAL
        // of its own, on the other hand, the one that our opening makes must go again.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).map_err(failed)?;
    }
    // Asking reads the header: this is where garbage shows.
    let journal_mode: String = connection.query_row("PRAGMA journal_mode", [], |row| row.get(0)).map_err(failed)?;
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())).map_err(failed)?;
    let page_size = connection.query_row("PRAGMA page_size", [], |row| row.get(0)).map_err(failed)?;

    let mut notes = Vec::new();
    let ours = rustix::process::geteuid().as_raw();
    if journal_mode == "wal" && !had_wal && ours != 0 && ours != metadata.uid() {
        notes.push(
            "nobody had the database open, so its -wal file belonged to Caretaker's user while it was copied: an \
             application that started just then could not have written; run Caretaker as the file's owner or as root"
                .to_owned(),
        );
    }
    Ok(Source { path: path.to_owned(), connection, journal_mode, page_size, notes })
}
