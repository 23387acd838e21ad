//! Looking at a live database: its figures, and its structure where there is no copy to look at.

use std::path::Path;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::check::{CheckReport, Kind, run_one};
use super::copy::SqliteCopy;
use super::error::{SqliteError, SqliteErrorKind};
use super::source;

/// What a look at a live database tells.
#[derive(Debug, Clone, PartialEq)]
pub struct Figures {
    /// `wal`, or the kind of rollback journal: `delete`, `truncate`, `persist`.
    pub journal_mode: String,
    /// Bytes of a page.
    pub page_size: u64,
    /// Pages of the file.
    pub pages: u64,
    /// Pages of it that hold nothing.
    pub free_pages: u64,
    /// Bytes of the write-ahead log beside it; 0: there is none.
    pub wal_bytes: u64,
    /// How long opening it and the first query took, waiting for locks included.
    pub took: Duration,
}

impl Figures {
    /// What is asked for them.
    pub const STATEMENTS: [&str; 5] = [
        "PRAGMA journal_mode",
        "SELECT count(*) FROM sqlite_schema",
        "PRAGMA page_size",
        "PRAGMA page_count",
        "PRAGMA freelist_count",
    ];
}

/// Opens the database, reads its figures, and closes it. Waits for others' locks no longer than `wait`.
///
/// # Errors
///
/// [`SqliteErrorKind::Busy`] when that was not long enough; what opening gives otherwise.
pub async fn figures(path: &Path, wait: Duration) -> Result<Figures, SqliteError> {
    let owned = path.to_owned();
    blocking(path, "look at", move || {
        let began = Instant::now();
        // Before opening: that alone makes a `-wal` where there was none.
        let wal_bytes = wal_bytes(&owned);
        let source = source::open_within(&owned, wait)?;
        let took = began.elapsed();
        let pragma = |sql: &str| {
            let value: Result<i64, _> = source.connection.query_row(sql, [], |row| row.get(0));
            value.map(i64::unsigned_abs).map_err(|error| SqliteError::sqlite(&owned, "look at", &error))
        };
        Ok(Figures {
            pages: pragma("PRAGMA page_count")?,
            free_pages: pragma("PRAGMA freelist_count")?,
            page_size: u64::from(source.page_size),
            journal_mode: source.journal_mode,
            wal_bytes,
            took,
        })
    })
    .await
}

/// Rows of one of the application's tables, cell by cell as text, which the statement has to make of them; `None`: there
/// is no such table.
pub async fn table_rows(
    path: &Path,
    table: &'static str,
    sql: &'static str,
    wait: Duration,
) -> Result<Option<Vec<Vec<Option<String>>>>, SqliteError> {
    let owned = path.to_owned();
    blocking(path, "look at", move || {
        let source = source::open_within(&owned, wait)?;
        let failed = |error: rusqlite::Error| SqliteError::sqlite(&owned, "look at", &error);
        let exists = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1)";
        if !source.connection.query_row(exists, [table], |row| row.get(0)).map_err(failed)? {
            return Ok(None);
        }
        let mut statement = source.connection.prepare(sql).map_err(failed)?;
        let columns = statement.column_count();
        let rows = statement.query_map([], |row| (0..columns).map(|column| row.get(column)).collect());
        rows.and_then(Iterator::collect).map(Some).map_err(failed)
    })
    .await
}

/// Checks the live file itself, in one read transaction: meanwhile its write-ahead log grows.
pub async fn check_live(path: &Path, kind: Kind, cancel: &CancellationToken) -> Result<CheckReport, SqliteError> {
    let (owned, cancel) = (path.to_owned(), cancel.child_token());
    let _ends_with_us = cancel.clone().drop_guard();
    blocking(path, "check", move || {
        let source = source::open(&owned)?;
        let live = SqliteCopy::of(source.connection, &owned, &cancel)?;
        run_one(&live, kind)
    })
    .await
}

/// Checks a copy that nobody writes.
pub async fn check_copy(path: &Path, kind: Kind, cancel: &CancellationToken) -> Result<CheckReport, SqliteError> {
    let (owned, cancel) = (path.to_owned(), cancel.child_token());
    let _ends_with_us = cancel.clone().drop_guard();
    blocking(path, "check", move || run_one(&SqliteCopy::open(&owned, &cancel)?, kind)).await
}

async fn blocking<T: Send + 'static>(
    path: &Path,
    operation: &'static str,
    work: impl FnOnce() -> Result<T, SqliteError> + Send + 'static,
) -> Result<T, SqliteError> {
    let panicked = |panic: tokio::task::JoinError| SqliteErrorKind::Other(panic.to_string());
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|panic| Err(SqliteError::new(path, operation, panicked(panic))))
}

/// How much stands in the `-wal` file beside a database.
pub fn wal_bytes(path: &Path) -> u64 {
    let wal = source::companion(&std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()), "-wal");
    std::fs::metadata(wal).map_or(0, |data| data.len())
}
