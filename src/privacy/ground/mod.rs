//! The database as a policy works on it: looked at, asked, and changed one short transaction at a time.

mod postgres;
mod sqlite;

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

pub use postgres::PostgresGround;
pub use sqlite::SqliteGround;

use super::dialect::Dialect;
use super::fragment::{Scalar, Statement};
use crate::database::schema::{Relation, Schema};
use crate::fault::Fault;

/// What a database is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To ask. Nothing can be changed, and others may be at work.
    Look,
    /// To change rows, alone.
    Work,
}

/// A row of an answer.
pub type Row = Vec<Scalar>;

/// A database in which a policy is planned or applied. One connection; others are kept away from the same by a lock.
#[async_trait]
pub trait Ground: Send {
    /// How it is spoken to.
    fn dialect(&self) -> &'static dyn Dialect;

    /// What its tables look like.
    async fn inspect(&mut self) -> Result<Schema, GroundError>;

    /// Whether a condition is one expression that is true or false for each row of a table, and nothing else.
    async fn check_condition(&mut self, table: &Relation, condition: &str) -> Result<(), GroundError>;

    /// Whether a value can be had from an expression over a table, without computing it.
    async fn check_statement(&mut self, statement: &Statement) -> Result<(), GroundError>;

    /// Asks something, changing nothing.
    async fn ask(&mut self, statement: &Statement) -> Result<Vec<Row>, GroundError>;

    /// The same, as long as the answer has no more than so many bytes; `None`: it has.
    async fn ask_within(&mut self, statement: &Statement, most: usize) -> Result<Option<Vec<Row>>, GroundError>;

    /// How long each question may take from now on; at first ten minutes.
    async fn questions_within(&mut self, longest: Duration) -> Result<(), GroundError>;

    /// What the server's clock says.
    async fn clock(&mut self) -> Result<Timestamp, GroundError>;

    /// Changes rows in one transaction that takes no longer than `within`, and gives their number. Before it is committed
    /// `gate` is asked whether it may; if not, nothing has changed and `None` comes back.
    async fn change(
        &mut self,
        statement: &Statement,
        within: Duration,
        gate: &dyn Gate,
    ) -> Result<Option<u64>, GroundError>;

    /// Runs a statement that is a transaction by itself, and waits for a lock no longer than `wait`.
    async fn alone(&mut self, sql: &str, wait: Duration) -> Result<(), GroundError> {
        let _ = (sql, wait);
        Err(GroundError::unknown("statements of this kind"))
    }

    /// Drops a table in one transaction, in which `look` tells how many rows it has, how many of them are not old, and how
    /// many are held: if any is, or there are more than `most`, it stays. At last `gate` is asked.
    async fn drop_table(
        &mut self,
        table: &Relation,
        look: &Statement,
        (most, wait): (u64, Duration),
        gate: &dyn Gate,
    ) -> Result<Dropped, GroundError> {
        let _ = (table, look, most, wait, gate);
        Err(GroundError::unknown("dropping tables"))
    }
    /// Carries statements out in one transaction: `first`, and if then the question `unless` finds no row, `then`. If it
    /// does, nothing has changed and `false` comes back.
    async fn script(&mut self, first: &str, unless: Option<&str>, then: &str) -> Result<bool, GroundError>;

    /// How long to rest after a transaction that took so long, so that others get their turn.
    fn rest(&self, _took: Duration) -> Duration {
        Duration::ZERO
    }

    /// What speaks for going slower with a table just now.
    async fn pressure(&mut self, table: &Relation) -> Result<Pressure, GroundError>;

    /// Clears up a table of which much was removed.
    async fn tidy(&mut self, table: &Relation) -> Result<(), GroundError>;
}

/// What became of a table that was to be dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dropped {
    /// It is gone, with so many rows.
    Gone(u64),
    /// It has rows that must stay, or too many.
    Stays,
    /// The gate was shut.
    NotNow,
}

/// Says whether a transaction may be committed.
#[async_trait]
pub trait Gate: Send + Sync {
    /// Whether what the transaction was made from still holds, and it may change so many rows.
    async fn is_open(&self, rows: u64) -> bool;
}

/// What speaks for going slower.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Pressure {
    /// How far the standby that is furthest behind is; `None`: there is none, or it cannot be seen.
    pub replica_lag: Option<Duration>,
    /// How old the oldest snapshot is that keeps dead rows from being cleared away; `None`: there is none, or it cannot be
    /// seen.
    pub oldest_snapshot: Option<Duration>,
    /// Dead rows of the table, as far as the server has counted.
    pub dead_rows: u64,
}

/// Why the database did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct GroundError {
    /// What kind of trouble.
    pub kind: Trouble,
    /// In the server's words.
    pub message: String,
    /// What the person can do.
    pub hint: Option<String>,
}

/// Kinds of trouble, by what follows from them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// It took too long: less at once.
    Slow,
    /// Somebody else holds a lock, or was in the way: later.
    Locked,
    /// The connection is gone: with a new one.
    Lost,
    /// Another row, a constraint or a trigger is against it.
    Against,
    /// It cannot be said so: a type, a name, a condition.
    Unfit,
    /// Another Caretaker is at work there.
    Busy,
    /// Anything else: a missing privilege, a full disk.
    Other,
}

impl GroundError {
    fn unknown(what: &str) -> Self {
        Self { kind: Trouble::Unfit, message: format!("this kind of database has no {what}"), hint: None }
    }

    /// Whether another attempt may do.
    pub fn is_for_now(&self) -> bool {
        matches!(self.kind, Trouble::Slow | Trouble::Locked | Trouble::Lost)
    }
}

impl GroundError {
    /// What may stand in the log of it: the server's words may tell who somebody is.
    pub fn for_log(&self) -> &'static str {
        match self.kind {
            Trouble::Slow => "the server took too long",
            Trouble::Locked => "somebody else held a lock",
            Trouble::Lost => "the connection was lost",
            Trouble::Against => "a row, a constraint or a trigger was against it",
            Trouble::Unfit => "the server does not understand it",
            Trouble::Busy => "another Caretaker was at work there",
            Trouble::Other => "the server did not do it",
        }
    }
}

impl Fault for GroundError {
    fn hint(&self) -> Option<String> {
        self.hint.clone()
    }

    fn retryable(&self) -> bool {
        matches!(self.kind, Trouble::Slow | Trouble::Locked | Trouble::Lost | Trouble::Busy)
    }
}
