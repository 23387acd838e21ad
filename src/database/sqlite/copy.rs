//! Reading a copy: its tables and their rows. Blocking: for `spawn_blocking`.

use std::path::{Path, PathBuf};

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};
use tokio_util::sync::CancellationToken;

use super::error::SqliteError;

/// How many of SQLite's virtual-machine instructions pass between two looks at the cancel flag: a few milliseconds.
const INSTRUCTIONS: i32 = 100_000;

/// A file that nobody else writes: a staged copy, a restored database before it is handed over. Opened read-only and as
/// immutable, so no lock is taken and no `-wal` or `-shm` appears beside it.
#[derive(Debug)]
pub struct SqliteCopy {
    pub(super) connection: Connection,
    pub(super) path: PathBuf,
}

/// A column's value in a row.
#[derive(Debug, Clone, Copy, PartialEq)]
#[allow(missing_docs, reason = "SQLite's own storage classes")]
pub enum Value<'a> {
    Null,
    Integer(i64),
    Real(f64),
    /// As stored: not always UTF-8.
    Text(&'a [u8]),
    Blob(&'a [u8]),
}

/// One row.
pub struct RowView<'a> {
    row: &'a rusqlite::Row<'a>,
    columns: usize,
}

impl<'a> RowView<'a> {
    /// Its values, in the order of the columns; generated columns are not among them.
    pub fn values(&self) -> impl Iterator<Item = Value<'a>> + use<'a> {
        let row = self.row;
        (0..self.columns).map(move |column| match row.get_ref_unwrap(column) {
            ValueRef::Null => Value::Null,
            ValueRef::Integer(value) => Value::Integer(value),
            ValueRef::Real(value) => Value::Real(value),
            ValueRef::Text(value) => Value::Text(value),
            ValueRef::Blob(value) => Value::Blob(value),
        })
    }
}

impl SqliteCopy {
    /// Opens a copy. Cancelling the token ends whatever is being read.
    pub fn open(path: &Path, cancel: &CancellationToken) -> Result<Self, SqliteError> {
        // Missing and empty files get their own words.
        std::fs::metadata(path).map_err(|error| SqliteError::io(path, "open", error))?;
        let failed = |error: rusqlite::Error| SqliteError::sqlite(path, "open", &error);
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
        Self::of(Connection::open_with_flags(immutable_uri(path), flags).map_err(failed)?, path, cancel)
    }

    /// Reads through a connection that is open.
    pub(super) fn of(connection: Connection, path: &Path, cancel: &CancellationToken) -> Result<Self, SqliteError> {
        let failed = |error: rusqlite::Error| SqliteError::sqlite(path, "open", &error);
        let cancel = cancel.clone();
        connection.progress_handler(INSTRUCTIONS, Some(move || cancel.is_cancelled())).map_err(failed)?;
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())).map_err(failed)?;
        Ok(Self { connection, path: path.to_owned() })
    }

    /// The names of all tables that hold rows of their own: not views, not virtual tables, not SQLite's own. The shadow
    /// tables of a virtual table (FTS5 and others) are among them: its contents stand there.
    pub fn tables(&self) -> Result<Vec<String>, SqliteError> {
        const TABLES: &str = r"SELECT name FROM sqlite_schema
            WHERE type = 'table' AND rootpage > 0 AND name NOT LIKE 'sqlite\_%' ESCAPE '\' ORDER BY name";
        let read =
            || self.connection.prepare(TABLES)?.query_map([], |row| row.get(0))?.collect::<Result<Vec<String>, _>>();
        read().map_err(|error: rusqlite::Error| self.failed("list the tables of", &error))
    }

    /// How many rows a table has, counted in the table itself rather than in an index.
    pub fn count_rows(&self, table: &str) -> Result<u64, SqliteError> {
        let statement = format!("SELECT count(*) FROM main.{} NOT INDEXED", quote(table));
        let count = self.connection.query_row(&statement, [], |row| row.get::<_, i64>(0));
        count.map(i64::unsigned_abs).map_err(|error| self.failed("count the rows of", &error))
    }

    /// Hands every row of a table to `f`; returns how many there were.
    pub fn for_each_row(&self, table: &str, mut f: impl FnMut(&RowView<'_>)) -> Result<u64, SqliteError> {
        let mut read = || {
            let columns = self.stored_columns(table)?;
            let list: Vec<String> = columns.iter().map(|column| quote(column)).collect();
            let statement = format!("SELECT {} FROM main.{} NOT INDEXED", list.join(", "), quote(table));
            let mut statement = self.connection.prepare(&statement)?;
            let mut rows = statement.query([])?;
            let mut count = 0;
            while let Some(row) = rows.next()? {
                f(&RowView { row, columns: columns.len() });
                count += 1;
            }
            Ok(count)
        };
        read().map_err(|error: rusqlite::Error| self.failed("read the rows of", &error))
    }

    /// Without generated columns, which may call functions that only the application has.
    fn stored_columns(&self, table: &str) -> Result<Vec<String>, rusqlite::Error> {
        let mut statement = self.connection.prepare("SELECT name FROM pragma_table_xinfo(?1) WHERE hidden = 0")?;
        statement.query_map([table], |row| row.get(0))?.collect()
    }

    pub(super) fn failed(&self, operation: &'static str, error: &rusqlite::Error) -> SqliteError {
        SqliteError::sqlite(&self.path, operation, error)
    }
}

fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// `file:` with every byte escaped that means something in a URI: <https://www.sqlite.org/uri.html>
fn immutable_uri(path: &Path) -> String {
    use std::os::unix::ffi::OsStrExt;
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    const SET: &percent_encoding::AsciiSet =
        &percent_encoding::NON_ALPHANUMERIC.remove(b'/').remove(b'.').remove(b'-').remove(b'_');
    format!("file://{}?immutable=1", percent_encoding::percent_encode(path.as_os_str().as_bytes(), SET))
}
