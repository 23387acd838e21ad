//! What PostgreSQL and SQLite say differently.

mod document;
mod postgres;
mod sqlite;

use jiff::Timestamp;
use jiff::tz::TimeZone;

pub use postgres::PostgresDialect;
pub use sqlite::{SqliteDialect, functions};

use super::fragment::{Fragment, Scalar};
use super::key::HmacKey;
use crate::config::{CalendarUnit, Constant, FakeKind};
use crate::database::schema::{Column, Relation, Table};

/// Why something cannot be said in SQL: a type that does not fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unfit(pub String);

/// How one kind of database writes what a policy means. Everything here only makes text; nothing is asked.
pub trait Dialect: Send + Sync {
    /// A quoted name.
    fn name(&self, name: &str) -> String;

    /// A table's quoted name.
    fn table(&self, relation: &Relation) -> String;

    /// An expression as it is asked for.
    fn read(&self, expression: Fragment) -> Fragment;

    /// A placeholder for a value of this type.
    fn placeholder(&self) -> fn(usize, &str) -> String;

    /// A value as people are shown it in a statement.
    fn literal(&self) -> fn(&Scalar, &str) -> String;

    /// What at the end of a subquery makes the server answer it row by row, rather than join all of the table with the few
    /// rows of a window.
    fn row_by_row(&self) -> &'static str;

    /// Whether a table can be walked through page by page.
    fn has_pages(&self) -> bool;

    /// `column < cutoff`, for a column that tells a row's age. Rows whose age is NULL are never older.
    fn older(&self, column: &Column, cutoff: Timestamp, zone: &TimeZone) -> Result<Fragment, Unfit>;

    /// An instant as a value that is compared with a column's.
    fn cutoff(&self, column: &Column, at: Timestamp, zone: &TimeZone) -> Result<Fragment, Unfit>;

    /// `column >= from`, where an index on it finds such rows; `None`: all rows would be read.
    fn since(&self, column: &Column, from: Timestamp, zone: &TimeZone) -> Option<Fragment>;

    /// A column's instant in milliseconds since 1970; NULL where it tells none.
    fn milliseconds(&self, column: &str) -> String;

    /// Whether a row's age cannot be told.
    fn ageless(&self, column: &Column) -> Fragment;

    /// A constant as a value of the column.
    fn constant(&self, constant: &Constant, column: &Column) -> Result<Fragment, Unfit>;

    /// `one IS DISTINCT FROM other`.
    fn differs(&self, one: Fragment, other: Fragment) -> Fragment;

    /// Whether a column names this person.
    fn is(&self, column: &Column, id: &str) -> Fragment;

    /// What the ledger calls the person that a column names: an HMAC of its canonical form.
    fn subject_hmac(&self, column: &Column, key: &HmacKey) -> Fragment;

    /// The columns that each row of a table has for itself.
    fn identity(&self, table: &Table) -> Result<String, Unfit>;

    /// A row as a JSON document, on one line.
    fn line(&self, table: &Table) -> Fragment;

    /// What tells that a row is the same that was read: text that is another when any of its values has changed.
    fn version(&self, table: &Table) -> Fragment;

    /// Whether a row's version is one of these.
    fn is_among(&self, table: &Table, versions: &[String]) -> Fragment;

    /// A value that no other row has, fit for the column.
    fn random(&self, column: &Column) -> Result<Fragment, Unfit>;

    /// The beginning of the value's day, month or year.
    fn truncated(&self, column: &Column, unit: CalendarUnit, zone: &TimeZone) -> Result<Fragment, Unfit>;

    /// The value with all but its first and last characters as `*`.
    fn masked(&self, column: &Column, first: u32, last: u32) -> Result<Fragment, Unfit>;

    /// The nearest multiple of a step.
    fn rounded(&self, column: &Column, step: u64) -> Result<Fragment, Unfit>;

    /// A keyed hash of the value, in a form that is recognised: the new value, and whether the old one is none yet.
    fn pseudonym(&self, column: &Column, key: &HmacKey) -> Result<(Fragment, Fragment), Unfit>;

    /// Something made up, the same for the same `of`.
    fn fake(&self, column: &Column, kind: FakeKind, of: &Column, key: &HmacKey) -> Result<Fragment, Unfit>;
}

/// What is said of a change that does not fit a column.
fn no_way(what: &str, column: &Column, help: &str) -> Unfit {
    Unfit(format!("{what} does not fit `{}`, of type {}: {help}", column.name, column.type_name))
}
