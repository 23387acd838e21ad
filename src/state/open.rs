//! Opening the state store.

use std::fs::File;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use sqlx::Connection as _;
use sqlx::SqlSafeStr;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};

use tokio::time::Instant;

use super::StateError;

/// How long an operation waits for another process's transaction.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// The schema, step by step; `migrations/` in order. A step that was released never changes.
const SCHEMA: &[(i64, &str, &str)] = &[
    (1, "state", include_str!("../../migrations/0001_state.sql")),
    (2, "retries", include_str!("../../migrations/0002_retries.sql")),
    (3, "bad_copies", include_str!("../../migrations/0003_bad_copies.sql")),
    (4, "health", include_str!("../../migrations/0004_health.sql")),
    (5, "acknowledged", include_str!("../../migrations/0005_acknowledged.sql")),
    (6, "privacy", include_str!("../../migrations/0006_privacy.sql")),
];

/// The state store, open.
#[derive(Debug, Clone)]
pub struct State {
    pub(super) pool: SqlitePool,
    /// One connection whose commits do not wait for the disk: they survive the process, but not the machine. For what may
    /// be done a second time.
    pub(super) swift: SqlitePool,
    pub(super) path: PathBuf,
    dir: PathBuf,
}

/// Makes the file, if it is missing, for its owner alone; SQLite gives the files beside it the same mode.
fn make_private(path: &Path) -> std::io::Result<()> {
    match std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// Waits for the right to open the store: one process at a time. SQLite's part of sqlx's migrations has no lock of its
/// own, so two processes that meet an empty file would both make its tables, and one would fail.
async fn turn(dir: &Path) -> Result<File, StateError> {
    let failed = |source| StateError::Directory { path: dir.to_owned(), source };
    let path = dir.join("state.lock");
    let file = File::options().write(true).create(true).truncate(false).mode(0o600).open(&path).map_err(failed)?;
    let deadline = Instant::now() + BUSY_TIMEOUT;
    loop {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(file),
            Err(Errno::WOULDBLOCK) if Instant::now() < deadline => tokio::time::sleep(Duration::from_millis(20)).await,
            Err(Errno::WOULDBLOCK) => return Err(StateError::Locked { path }),
            Err(error) => return Err(failed(error.into())),
        }
    }
}

/// Whether a connection that nobody uses can be used. When the disk is full SQLite ends a transaction by itself, and sqlx
/// goes on believing in it: every later one on that connection would fail, long after there is space again. Such a
/// connection is replaced. (The pool has asked it something before, so an earlier rollback is through.)
fn is_usable(connection: &SqliteConnection) -> bool {
    !connection.is_in_transaction()
}

impl State {
    /// Opens the store in `dir`, making both if they are missing, and brings its schema up to date.
    pub async fn open(dir: &Path) -> Result<Self, StateError> {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)
            .map_err(|source| StateError::Directory { path: dir.to_owned(), source })?;
        let turn = turn(dir).await?;
        let path = dir.join("state.db");
        make_private(&path).map_err(|source| StateError::Directory { path: dir.to_owned(), source })?;
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT);
        let swift = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(BUSY_TIMEOUT * 2)
            .before_acquire(|connection, _| Box::pin(async move { Ok(is_usable(connection)) }))
            .connect_lazy_with(options.clone().synchronous(SqliteSynchronous::Normal));
        let pool = SqlitePoolOptions::new()
            .max_connections(2)
            .acquire_timeout(BUSY_TIMEOUT * 2)
            .before_acquire(|connection, _| Box::pin(async move { Ok(is_usable(connection)) }))
            .connect_with(options)
            .await
            .map_err(|source| StateError::from_sqlx(&path, source))?;
        let state = Self { pool, swift, path, dir: dir.to_owned() };
        state.migrate().await?;
        drop(turn);
        Ok(state)
    }

    async fn migrate(&self) -> Result<(), StateError> {
        let migrations = SCHEMA.iter().map(|(version, description, sql)| {
            Migration::new(*version, (*description).into(), MigrationType::Simple, sql.into_sql_str(), false)
        });
        let migrator = Migrator::with_migrations(migrations.collect());
        let known = migrator.iter().map(|migration| migration.version).max().unwrap_or(0);
        migrator.run(&self.pool).await.map_err(|error| match error {
            MigrateError::VersionMissing(found) => StateError::Newer { path: self.path.clone(), found, known },
            MigrateError::Execute(source) | MigrateError::ExecuteMigration(source, _) => self.error(source),
            other => self.error(sqlx::Error::Migrate(Box::new(other))),
        })
    }

    /// Looks through the whole file for damage. Takes milliseconds for the sizes this store has.
    pub async fn check(&self) -> Result<(), StateError> {
        let found: String = sqlx::query_scalar("PRAGMA quick_check(1)")
            .fetch_one(&self.pool)
            .await
            .map_err(|source| self.error(source))?;
        if found == "ok" { Ok(()) } else { Err(StateError::Corrupt { path: self.path.clone(), detail: found }) }
    }

    /// The state directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Closes the store; what was committed is on disk already.
    pub async fn close(&self) {
        self.swift.close().await;
        self.pool.close().await;
    }

    pub(super) fn error(&self, source: sqlx::Error) -> StateError {
        StateError::from_sqlx(&self.path, source)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn every_step_of_the_schema_is_taken() {
        let files = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations")).unwrap();
        let mut files: Vec<_> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        files.sort();
        let taken: Vec<_> = SCHEMA.iter().map(|(version, name, _)| format!("{version:04}_{name}.sql")).collect();
        assert_eq!(files, taken);
    }

    #[test]
    fn many_can_open_a_new_store_at_once() {
        let dir = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                    runtime.block_on(async { State::open(dir.path()).await.unwrap().close().await });
                });
            }
        });
    }
}
