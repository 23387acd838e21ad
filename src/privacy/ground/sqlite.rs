//! A SQLite database as a policy works on it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{Gate, Ground, GroundError, Pressure, Row, Trouble};
use crate::config::Batch;
use crate::database::schema::{Relation, Schema};
use crate::database::sqlite::{Cell, Session, SqliteError, SqliteErrorKind};
use crate::fault::Fault as _;
use crate::privacy::dialect::{Dialect, SqliteDialect, functions};
use crate::privacy::fragment::{Scalar, Statement};
use crate::privacy::key::HmacKey;

/// How long one question may take.
const QUESTION: Duration = Duration::from_secs(600);

/// One connection.
pub struct SqliteGround {
    session: Session,
    /// How long a question may take.
    questions: Duration,
}

impl SqliteGround {
    /// Opens the file, and teaches the connection what SQLite cannot do by itself.
    pub async fn open(path: &Path, batch: &Batch, zone: &TimeZone, key: &HmacKey) -> Result<Self, GroundError> {
        let mut session = Session::open(path, batch.lock_timeout).await.map_err(classify)?;
        teach(&mut session, zone, key).map_err(classify)?;
        Ok(Self { session, questions: QUESTION })
    }
}

fn teach(session: &mut Session, zone: &TimeZone, key: &HmacKey) -> Result<(), SqliteError> {
    let (zone, key) = (Arc::new(zone.clone()), Arc::new(key.clone()));
    let given = Arc::clone(&zone);
    session.function("caretaker_instant", 1, move |with| functions::instant(&with[0], &given))?;
    session.function("caretaker_truncate", 2, move |with| functions::truncate(&with[0], &with[1], &zone))?;
    session.function("caretaker_mask", 3, |with| functions::mask(&with[0], &with[1], &with[2]))?;
    let given = Arc::clone(&key);
    session.function("caretaker_hmac", 1, move |with| functions::pseudonym(&with[0], &given))?;
    let given = Arc::clone(&key);
    session.function("caretaker_subject_hmac", 1, move |with| functions::subject_hmac(&with[0], &given))?;
    let given = Arc::clone(&key);
    session.function("caretaker_hmac_uuid", 1, move |with| functions::pseudonym_uuid(&with[0], &given))?;
    session.function("caretaker_fake", 2, move |with| functions::fake(&with[0], &with[1], &key))
}

#[async_trait]
impl Ground for SqliteGround {
    fn dialect(&self) -> &'static dyn Dialect {
        &SqliteDialect
    }

    async fn inspect(&mut self) -> Result<Schema, GroundError> {
        self.session.inspect().await.map_err(classify)
    }

    async fn check_condition(&mut self, table: &Relation, condition: &str) -> Result<(), GroundError> {
        let table = SqliteDialect.table(table);
        // In parentheses and without, as for PostgreSQL: what is right both ways is one expression and nothing else.
        for sql in [format!("SELECT (\n{condition}\n) FROM {table}"), format!("SELECT\n{condition}\nFROM {table}")] {
            if self.session.prepare_strictly(&sql).await.map_err(unfit)? != 1 {
                let message = "it is not one expression".to_owned();
                return Err(GroundError { kind: Trouble::Unfit, message, hint: None });
            }
        }
        // SQLite takes anything for a condition: what is neither 0, 1 nor NULL for any row is none.
        let strange =
            format!("SELECT typeof(x) FROM (SELECT (\n{condition}\n) AS x FROM {table}) WHERE x NOT IN (0, 1) LIMIT 1");
        let aggregates = format!("SELECT 1 FROM {table} WHERE (\n{condition}\n)");
        self.session.prepare(&aggregates).await.map_err(unfit)?;
        match self.session.ask(&strange, Vec::new()).await.map_err(unfit)?.first() {
            None => Ok(()),
            Some(row) => {
                let found = row.first().map_or_else(String::new, |cell| format!("{cell:?}"));
                let message = format!("it is not true or false for every row, but also of type {found}");
                Err(GroundError { kind: Trouble::Unfit, message, hint: None })
            }
        }
    }

    async fn check_statement(&mut self, statement: &Statement) -> Result<(), GroundError> {
        self.session.prepare(&statement.sql).await.map(drop).map_err(unfit)
    }

    async fn ask(&mut self, statement: &Statement) -> Result<Vec<Row>, GroundError> {
        let rows = self.session.ask(&statement.sql, values(statement)).await.map_err(classify)?;
        Ok(rows.into_iter().map(|row| row.into_iter().map(Scalar::from).collect()).collect())
    }

    async fn ask_within(&mut self, statement: &Statement, most: usize) -> Result<Option<Vec<Row>>, GroundError> {
        let rows = self.session.ask_within(&statement.sql, values(statement), most).await.map_err(classify)?;
        Ok(rows.map(|rows| rows.into_iter().map(|row| row.into_iter().map(Scalar::from).collect()).collect()))
    }

    async fn questions_within(&mut self, longest: Duration) -> Result<(), GroundError> {
        self.questions = longest;
        self.session.limit(longest);
        Ok(())
    }

    /// The machine's: SQLite has no other.
    async fn clock(&mut self) -> Result<Timestamp, GroundError> {
        Ok(Timestamp::now())
    }

    async fn change(
        &mut self,
        statement: &Statement,
        within: Duration,
        gate: &dyn Gate,
    ) -> Result<Option<u64>, GroundError> {
        self.session.limit(within);
        let done = self.session.change(&statement.sql, values(statement)).await;
        self.session.limit(self.questions);
        let done = done.map_err(classify)?;
        if !gate.is_open(done as u64).await {
            self.session.rollback().await.map_err(classify)?;
            return Ok(None);
        }
        self.session.commit().await.map_err(classify)?;
        Ok(Some(done))
    }

    async fn script(&mut self, first: &str, unless: Option<&str>, then: &str) -> Result<bool, GroundError> {
        self.session.script(first, unless, then).await.map_err(classify)
    }

    /// SQLite's waiting writers look every 25 ms, later every 50 and 100: who begins again at once keeps them waiting by luck.
    /// <https://www.sqlite.org/src/file?name=src/main.c> (`sqliteDefaultBusyCallback`)
    fn rest(&self, took: Duration) -> Duration {
        (took / 2).max(Duration::from_millis(30))
    }

    async fn pressure(&mut self, _: &Relation) -> Result<Pressure, GroundError> {
        Ok(Pressure::default())
    }

    async fn tidy(&mut self, _: &Relation) -> Result<(), GroundError> {
        self.session.limit(Duration::from_secs(3600));
        self.session.tidy().await.map_err(classify)
    }
}

fn values(statement: &Statement) -> Vec<Cell> {
    statement.values.iter().cloned().map(Cell::from).collect()
}

impl From<Scalar> for Cell {
    fn from(scalar: Scalar) -> Self {
        match scalar {
            Scalar::Null => Self::Null,
            Scalar::Integer(number) => Self::Integer(number),
            Scalar::Real(number) => Self::Real(number),
            Scalar::Text(text) => Self::Text(text),
            Scalar::Bytes(bytes) => Self::Blob(bytes),
        }
    }
}

impl From<Cell> for Scalar {
    fn from(cell: Cell) -> Self {
        match cell {
            Cell::Null => Self::Null,
            Cell::Integer(number) => Self::Integer(number),
            Cell::Real(number) => Self::Real(number),
            Cell::Text(text) => Self::Text(text),
            Cell::Blob(bytes) => Self::Bytes(bytes),
        }
    }
}

fn classify(error: SqliteError) -> GroundError {
    use SqliteErrorKind as Kind;
    let kind = match &error.kind {
        Kind::Cancelled => Trouble::Slow,
        Kind::Busy(_) => Trouble::Locked,
        Kind::Constraint(_) => Trouble::Against,
        _ => Trouble::Other,
    };
    let message = match &error.kind {
        Kind::Cancelled => "it took too long".to_owned(),
        _ => crate::fault::chain(&error),
    };
    GroundError { kind, message, hint: error.hint() }
}

/// What SQLite does not understand.
fn unfit(error: SqliteError) -> GroundError {
    let message = match &error.kind {
        SqliteErrorKind::Other(text) => text.clone(),
        _ => return classify(error),
    };
    GroundError { kind: Trouble::Unfit, message, hint: None }
}
