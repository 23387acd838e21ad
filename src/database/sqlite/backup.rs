//! Copying a live database into a staging file.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags};
use tokio_util::sync::CancellationToken;

use super::error::{SqliteError, SqliteErrorKind};
use super::source::{self, Source};
use super::steps::{self, Outcome, Steps};

/// How often a copy under a rollback journal may begin anew before it locks writers out.
const MOST_RESTARTS: u32 = 5;

/// What was copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyReport {
    /// `wal`, `delete`, …: the source's.
    pub journal_mode: String,
    /// Pages copied.
    pub pages: u64,
    /// Bytes of a page.
    pub page_size: u32,
    /// How often others' writes made the copy begin anew (rollback journal only).
    pub restarts: u32,
    /// Whether the last pass held writers up from its beginning to its end (rollback journal only).
    pub locked_pass: bool,
    /// Everything committed before this instant is in the copy, and nothing after the copy's end.
    pub snapshot_at: Timestamp,
    /// How long it took.
    pub took: Duration,
    /// The longest uninterruptible step: under a rollback journal, the longest a writer had to wait for us, unless
    /// there was a locked pass.
    pub longest_step: Duration,
    /// What the operator should know.
    pub notes: Vec<String>,
}

/// Copies the database at `source` into the new file `staging` (mode 0600), page for page.
///
/// A WAL database is copied under one read transaction: writers go on, and none of their writes makes the copy begin
/// anew; only the WAL cannot be reset meanwhile. With a rollback journal each write by another process makes SQLite begin
/// anew; after five restarts one pass holds a read lock to its end, and writers wait for it.
///
/// The copy has the source's pages, size and journal mode: bytes 18 and 19 of a WAL database's header say WAL, and the
/// copy holds what was in the WAL too, so it needs no `-wal` beside it; stock `sqlite3` opens it and makes its own. The
/// schema cookie, the change counter and the version of the writing library in its header (bytes 24 to 27, 40 to 43, 92
/// to 99) are the copy's own. It is not synced: sync it, or read it into a store and delete it.
///
/// Runs on a blocking thread. Dropping the future or cancelling the token ends it after the current step; the staging
/// file of a failed copy is removed. `progress` gets pages copied and pages in all.
pub async fn backup(
    source: &Path,
    staging: &Path,
    progress: impl FnMut(u64, u64) + Send + 'static,
    cancel: &CancellationToken,
) -> Result<CopyReport, SqliteError> {
    let (source, staging) = (source.to_owned(), staging.to_owned());
    let cancel = cancel.child_token();
    let _ends_with_us = cancel.clone().drop_guard();
    let path = source.clone();
    tokio::task::spawn_blocking(move || {
        let mut progress = progress;
        let copied = copy(&source, &staging, &mut progress, &cancel);
        if copied.as_ref().is_err_and(|error| !matches!(error.kind, SqliteErrorKind::TargetExists(_))) {
            let _ = std::fs::remove_file(&staging);
        }
        copied
    })
    .await
    .unwrap_or_else(|panic| Err(SqliteError::new(&path, "copy", SqliteErrorKind::Other(panic.to_string()))))
}

fn copy(
    path: &Path,
    staging: &Path,
    progress: &mut dyn FnMut(u64, u64),
    cancel: &CancellationToken,
) -> Result<CopyReport, SqliteError> {
    let began = Instant::now();
    let source = source::open(path)?;
    let mut to = open_staging(staging)?;
    let mut snapshot_at = Timestamp::now();
    let mut first = Steps::default();
    let mut locked_pass = false;

    let held = source.journal_mode == "wal";
    let steps = if held {
        held_pass(&source, &mut to, progress, &mut snapshot_at, cancel)?
    } else {
        let at = std::cell::Cell::new(snapshot_at);
        let outcome = steps::copy(
            &source,
            &mut to,
            Some(MOST_RESTARTS),
            progress,
            // What a pass reads is the same from its first step to its last: had there been a write in between, it
            // would have begun anew.
            |instant| at.set(instant),
            cancel,
        )?;
        snapshot_at = at.get();
        match outcome {
            Outcome::Done(steps) => steps,
            Outcome::TooManyRestarts(steps) => {
                first = steps;
                locked_pass = true;
                // Without a journal the pages of the abandoned pass cannot be undone: into a new file.
                drop(to);
                std::fs::remove_file(staging).map_err(|error| SqliteError::io(staging, "remove", error))?;
                to = open_staging(staging)?;
                held_pass(&source, &mut to, progress, &mut snapshot_at, cancel)?
            }
        }
    };
    to.close().map_err(|(_, error)| SqliteError::sqlite(staging, "close", &error))?;
    Ok(CopyReport {
        journal_mode: source.journal_mode,
        pages: steps.pages,
        page_size: source.page_size,
        restarts: first.restarts + steps.restarts,
        locked_pass,
        snapshot_at,
        took: began.elapsed(),
        longest_step: first.longest_step.max(steps.longest_step),
        notes: source.notes,
    })
}

/// One pass under a read transaction.
fn held_pass(
    source: &Source,
    to: &mut Connection,
    progress: &mut dyn FnMut(u64, u64),
    snapshot_at: &mut Timestamp,
    cancel: &CancellationToken,
) -> Result<Steps, SqliteError> {
    let failed = |error: rusqlite::Error| SqliteError::sqlite(&source.path, "copy", &error);
    *snapshot_at = Timestamp::now();
    // BEGIN alone takes no snapshot; the first read does.
    source.connection.execute_batch("BEGIN").map_err(failed)?;
    source.connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())).map_err(failed)?;
    let outcome = steps::copy(source, to, None, progress, |_| {}, cancel);
    let ended = source.connection.execute_batch("ROLLBACK");
    match outcome? {
        Outcome::Done(steps) => ended.map(|()| steps).map_err(failed),
        Outcome::TooManyRestarts(_) => unreachable!("restarts are not bounded in a held pass"),
    }
}

/// Made by us first, so that its mode is right from the beginning and a file that is there is never taken.
fn open_staging(staging: &Path) -> Result<Connection, SqliteError> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(staging)
        .map_err(|error| SqliteError::io(staging, "create", error))?;
    let failed = |error: rusqlite::Error| SqliteError::sqlite(staging, "open", &error);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(staging, flags).map_err(failed)?;
    // Nobody else sees it, and after a failure it is thrown away: no journal, no sync, no locks to take for each step.
    connection
        .execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA locking_mode = EXCLUSIVE")
        .map_err(failed)?;
    Ok(connection)
}
