//! A live database, open to be asked and changed: one connection, its work done on blocking threads.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use rusqlite::{Connection, ToSql, params_from_iter};

use super::super::schema::Schema;
use super::error::{SqliteError, SqliteErrorKind};
use super::{document, inspect, source};

/// How many of SQLite's virtual-machine instructions pass between two looks at the deadline: about a millisecond.
const INSTRUCTIONS: i32 = 10_000;

/// How many free pages are given back at once, and the rest after that, in which a waiting writer looks again.
const STEP: u32 = 500;
const REST: Duration = Duration::from_millis(30);

/// A value, in SQLite's own storage classes.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "SQLite's own storage classes")]
pub enum Cell {
    Null,
    Integer(i64),
    Real(f64),
    Text(String),
    Blob(Vec<u8>),
}

impl Cell {
    /// About how much room it takes.
    fn bytes(&self) -> usize {
        match self {
            Self::Null | Self::Integer(_) | Self::Real(_) => 8,
            Self::Text(text) => text.len(),
            Self::Blob(bytes) => bytes.len(),
        }
    }
}

/// An open database.
pub struct Session {
    connection: Arc<Mutex<Connection>>,
    path: PathBuf,
    /// How long one statement may take.
    limit: Duration,
}

impl Session {
    /// Opens a database that exists. Waits for others' locks no longer than `wait`. Foreign keys are kept, and what is
    /// deleted is overwritten.
    pub async fn open(path: &Path, wait: Duration) -> Result<Self, SqliteError> {
        let owned = path.to_owned();
        let opened = tokio::task::spawn_blocking(move || {
            let source = source::open_within(&owned, wait)?;
            let failed = |error: rusqlite::Error| SqliteError::sqlite(&owned, "open", &error);
            source.connection.pragma_update(None, "foreign_keys", true).map_err(failed)?;
            source.connection.pragma_update(None, "secure_delete", true).map_err(failed)?;
            source.connection.pragma_update(None, "temp_store", "memory").map_err(failed)?;
            document::teach(&source.connection).map_err(failed)?;
            Ok(source.connection)
        });
        let connection = opened.await.unwrap_or_else(|panic| Err(panicked(path, &panic)))?;
        let limit = Duration::from_secs(600);
        Ok(Self { connection: Arc::new(Mutex::new(connection)), path: path.to_owned(), limit })
    }

    /// How long one statement may take before it is ended; then it is [`SqliteErrorKind::Cancelled`].
    pub fn limit(&mut self, longest: Duration) {
        self.limit = longest;
    }

    /// Makes a function known that depends on nothing but its arguments; `arguments` −1: any number.
    pub fn function(
        &mut self,
        name: &'static str,
        arguments: i32,
        work: impl Fn(&[Cell]) -> Cell + Send + Sync + std::panic::UnwindSafe + 'static,
    ) -> Result<(), SqliteError> {
        let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
        let call = move |context: &Context<'_>| {
            let given: Vec<Cell> = (0..context.len()).map(|at| cell(context.get_raw(at))).collect();
            Ok(Value::from(work(&given)))
        };
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let made = connection.create_scalar_function(name, arguments, flags, call);
        made.map_err(|error| SqliteError::sqlite(&self.path, "open", &error))
    }

    /// What its tables look like.
    pub async fn inspect(&mut self) -> Result<Schema, SqliteError> {
        self.work("look at", inspect::schema).await
    }

    /// Whether a statement is one, as SQLite understands it. Gives its number of columns; nothing is run.
    pub async fn prepare(&mut self, sql: &str) -> Result<usize, SqliteError> {
        let sql = sql.to_owned();
        self.work("prepare", move |connection| connection.prepare(&sql).map(|statement| statement.column_count())).await
    }

    /// [`Self::prepare`], taking what stands in double quotes for a name and nothing else. SQLite takes a name that is none
    /// for a text, which would be true for every row or for none.
    pub async fn prepare_strictly(&mut self, sql: &str) -> Result<usize, SqliteError> {
        let sql = sql.to_owned();
        self.work("prepare", move |connection| {
            connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
            let columns = connection.prepare(&sql).map(|statement| statement.column_count());
            // Triggers and views of the application may count on it.
            connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, true)?;
            columns
        })
        .await
    }

    /// Asks something.
    pub async fn ask(&mut self, sql: &str, values: Vec<Cell>) -> Result<Vec<Vec<Cell>>, SqliteError> {
        let sql = sql.to_owned();
        self.work("ask", move |connection| {
            let mut statement = connection.prepare(&sql)?;
            let columns = statement.column_count();
            let mut rows = statement.query(params_from_iter(values))?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                found.push((0..columns).map(|at| row.get_ref(at).map(cell)).collect::<Result<_, _>>()?);
            }
            Ok(found)
        })
        .await
    }

    /// The same, as long as the answer has no more than so many bytes; `None`: it has.
    pub async fn ask_within(
        &mut self,
        sql: &str,
        values: Vec<Cell>,
        most: usize,
    ) -> Result<Option<Vec<Vec<Cell>>>, SqliteError> {
        let sql = sql.to_owned();
        self.work("ask", move |connection| {
            let mut statement = connection.prepare(&sql)?;
            let columns = statement.column_count();
            let mut rows = statement.query(params_from_iter(values))?;
            let (mut found, mut bytes) = (Vec::new(), 0);
            while let Some(row) = rows.next()? {
                let row: Vec<Cell> = (0..columns).map(|at| row.get_ref(at).map(cell)).collect::<Result<_, _>>()?;
                bytes += row.iter().map(Cell::bytes).sum::<usize>();
                if bytes > most {
                    return Ok(None);
                }
                found.push(row);
            }
            Ok(Some(found))
        })
        .await
    }

    /// Begins a transaction as the one writer, and changes rows in it; gives their number. It is open until
    /// [`Self::commit`] or [`Self::rollback`], unless it fails.
    pub async fn change(&mut self, sql: &str, values: Vec<Cell>) -> Result<u64, SqliteError> {
        let sql = sql.to_owned();
        self.work("change", move |connection| {
            connection.execute_batch("BEGIN IMMEDIATE")?;
            let done = connection.prepare(&sql).and_then(|mut it| it.execute(params_from_iter(values)));
            if done.is_err() && !connection.is_autocommit() {
                connection.execute_batch("ROLLBACK")?;
            }
            done.map(|rows| rows as u64)
        })
        .await
    }

    /// Carries statements out in one transaction as the one writer: `first`, and if then the question `unless` finds no
    /// row, `then`. If it does, nothing has changed and `false` comes back.
    pub async fn script(&mut self, first: &str, unless: Option<&str>, then: &str) -> Result<bool, SqliteError> {
        let (first, unless, then) = (first.to_owned(), unless.map(str::to_owned), then.to_owned());
        self.work("change", move |connection| {
            connection.execute_batch("BEGIN IMMEDIATE")?;
            let work = || {
                connection.execute_batch(&first)?;
                if let Some(unless) = &unless
                    && connection.prepare(unless)?.exists([])?
                {
                    return Ok(false);
                }
                connection.execute_batch(&then)?;
                Ok(true)
            };
            let done = work();
            match done {
                Ok(true) => connection.execute_batch("COMMIT")?,
                _ if !connection.is_autocommit() => connection.execute_batch("ROLLBACK")?,
                _ => {}
            }
            done
        })
        .await
    }

    /// Makes the changes last.
    pub async fn commit(&mut self) -> Result<(), SqliteError> {
        self.work("commit", |connection| {
            let done = connection.execute_batch("COMMIT");
            if done.is_err() && !connection.is_autocommit() {
                connection.execute_batch("ROLLBACK")?;
            }
            done
        })
        .await
    }

    /// Takes the changes back.
    pub async fn rollback(&mut self) -> Result<(), SqliteError> {
        self.work("take back", |connection| connection.execute_batch("ROLLBACK")).await
    }

    /// Gives free pages back to the file system as far as the database is made for it, and empties the write-ahead log, in
    /// which what was deleted still stands. In small steps, between which others may write.
    pub async fn tidy(&mut self) -> Result<(), SqliteError> {
        self.work("clear up", |connection| {
            let free = || connection.query_row("PRAGMA freelist_count", [], |row| row.get::<_, i64>(0));
            let mut left = free()?;
            while left > 0 {
                // Each row of the answer is one page: it must be stepped through.
                let mut statement = connection.prepare(&format!("PRAGMA incremental_vacuum({STEP})"))?;
                let mut pages = statement.query([])?;
                while pages.next()?.is_some() {}
                let now = free()?;
                if now >= left {
                    // The file is not made for it.
                    break;
                }
                left = now;
                std::thread::sleep(REST);
            }
            // What can be moved without keeping writers out goes first.
            connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
            connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        })
        .await
    }

    async fn work<T: Send + 'static>(
        &mut self,
        operation: &'static str,
        work: impl FnOnce(&Connection) -> Result<T, rusqlite::Error> + Send + 'static,
    ) -> Result<T, SqliteError> {
        let (connection, path, limit) = (Arc::clone(&self.connection), self.path.clone(), self.limit);
        let done = tokio::task::spawn_blocking(move || {
            let connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
            let failed = |error: rusqlite::Error| SqliteError::sqlite(&path, operation, &error);
            let deadline = Instant::now() + limit;
            connection.progress_handler(INSTRUCTIONS, Some(move || Instant::now() >= deadline)).map_err(failed)?;
            work(&connection).map_err(failed)
        });
        done.await.unwrap_or_else(|panic| Err(panicked(&self.path, &panic)))
    }
}

fn panicked(path: &Path, panic: &tokio::task::JoinError) -> SqliteError {
    SqliteError::new(path, "work on", SqliteErrorKind::Other(panic.to_string()))
}

fn cell(value: ValueRef<'_>) -> Cell {
    match value {
        ValueRef::Null => Cell::Null,
        ValueRef::Integer(number) => Cell::Integer(number),
        ValueRef::Real(number) => Cell::Real(number),
        ValueRef::Text(text) => Cell::Text(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Blob(bytes) => Cell::Blob(bytes.to_owned()),
    }
}

impl From<Cell> for Value {
    fn from(cell: Cell) -> Self {
        match cell {
            Cell::Null => Self::Null,
            Cell::Integer(number) => Self::Integer(number),
            Cell::Real(number) => Self::Real(number),
            Cell::Text(text) => Self::Text(text),
            Cell::Blob(bytes) => Self::Blob(bytes),
        }
    }
}

impl ToSql for Cell {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Owned(Value::from(self.clone())))
    }
}
