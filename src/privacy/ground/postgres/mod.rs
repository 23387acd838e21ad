//! A PostgreSQL database as a policy works on it.

mod drop;
mod error;

use std::time::Duration;

use async_trait::async_trait;
use futures::TryStreamExt as _;
use jiff::Timestamp;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::{Arguments as _, AssertSqlSafe, Executor as _, Postgres as Driver, Row as _, SqlSafeStr as _};

use error::{classify, of_database, of_lock};

use super::{Dropped, Gate, Ground, GroundError, Pressure, Purpose, Row, Trouble};
use crate::config::Batch;
use crate::database::postgres::{Connection, ControlConnection, Postgres};
use crate::database::schema::{Relation, Schema};
use crate::privacy::dialect::{Dialect, PostgresDialect};
use crate::privacy::fragment::{Scalar, Statement};

/// What every session is told: instants without doubt, values in a form that reads back as the same, no plans compiled for
/// one-off questions, and rows that row security would hide are an error rather than left where they are.
const MANNERS: &str = "SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'; SET jit = off; SET row_security = off;
    SET idle_in_transaction_session_timeout = '60s'; SET standard_conforming_strings = on;
    SET bytea_output = 'hex'; SET IntervalStyle = 'postgres'; SET extra_float_digits = 1";

/// How long one question of a plan may take.
const QUESTION: &str = "10min";

/// The lag of the standby furthest behind and the age of the oldest snapshot, in seconds; without pg_monitor those of other
/// roles are NULL. Sessions in other databases keep no rows of this one's tables; autovacuum's keep none at all.
const PRESSURE: &str = "SELECT
    (SELECT max(extract(epoch FROM replay_lag))::float8 FROM pg_stat_replication),
    (SELECT max(extract(epoch FROM clock_timestamp() - since))::float8 FROM (
        SELECT xact_start AS since FROM pg_stat_activity
        WHERE datname = current_database() AND coalesce(backend_xmin, backend_xid) IS NOT NULL
          AND backend_type <> 'autovacuum worker' AND pid <> pg_backend_pid()
        UNION ALL SELECT prepared FROM pg_prepared_xacts WHERE database = current_database()) s),
    coalesce((SELECT sum(pg_stat_get_dead_tuples(relid)) FROM pg_partition_tree($1::text::regclass)),
        pg_stat_get_dead_tuples($1::text::regclass))::int8";

/// One connection; who works holds Caretaker's lock for it.
pub struct PostgresGround {
    connection: Connection,
    database: String,
    lock_timeout: Duration,
}

impl PostgresGround {
    /// Connects. Who works takes the lock that keeps two machines apart; who looks changes nothing and waits for nobody.
    pub async fn open(server: &Postgres, batch: &Batch, purpose: Purpose) -> Result<Self, GroundError> {
        let connection = server.connect("privacy").await.map_err(of_database)?;
        let (mut connection, read_only) = match purpose {
            Purpose::Look => (connection, "on"),
            Purpose::Work => {
                let control = ControlConnection::lock(connection, "privacy").await.map_err(of_lock)?;
                (control.into_connection(), "off")
            }
        };
        let lock_timeout = batch.lock_timeout.as_millis();
        let manners = format!(
            "{MANNERS}; SET lock_timeout = {lock_timeout}; SET statement_timeout = '{QUESTION}'; \
             SET default_transaction_read_only = {read_only}"
        );
        let done = connection.pg().execute(AssertSqlSafe(manners)).await;
        let mut ground = Self { connection, database: server.name().to_owned(), lock_timeout: batch.lock_timeout };
        done.map_err(|error| ground.of_sqlx(error))?;
        Ok(ground)
    }

    fn of_sqlx(&mut self, error: sqlx::Error) -> GroundError {
        classify(&self.database, error)
    }

    async fn wait_for_locks(&mut self, wait: Duration) -> Result<(), GroundError> {
        let sql = format!("SET lock_timeout = {}", wait.as_millis().max(1));
        let done = self.connection.pg().execute(AssertSqlSafe(sql)).await;
        done.map(drop).map_err(|error| self.of_sqlx(error))
    }

    async fn run(&mut self, sql: &'static str) -> Result<(), GroundError> {
        let done = self.connection.pg().execute(sql).await;
        done.map(drop).map_err(|error| self.of_sqlx(error))
    }

    /// Prepares without running, in a read-only transaction, so that nothing could be changed even by a mistake of ours.
    async fn describe(&mut self, sql: String) -> Result<Vec<String>, GroundError> {
        use sqlx::{Column as _, Statement as _, TypeInfo as _};
        self.run("BEGIN READ ONLY").await?;
        let prepared = self.connection.pg().prepare(AssertSqlSafe(sql).into_sql_str()).await;
        let types = prepared
            .map(|prepared| prepared.columns().iter().map(|column| column.type_info().name().to_owned()).collect())
            .map_err(|error| self.of_sqlx(error));
        self.run("ROLLBACK").await?;
        types
    }
}

#[async_trait]
impl Ground for PostgresGround {
    fn dialect(&self) -> &'static dyn Dialect {
        &PostgresDialect
    }

    async fn inspect(&mut self) -> Result<Schema, GroundError> {
        self.connection.inspect().await.map_err(of_database)
    }

    async fn check_condition(&mut self, table: &Relation, condition: &str) -> Result<(), GroundError> {
        let table = PostgresDialect.table(table);
        // In parentheses and without: what is right both ways closes no parenthesis that it has not opened, begins no other
        // clause and no other statement, and is one expression.
        for sql in [format!("SELECT (\n{condition}\n) FROM {table}"), format!("SELECT\n{condition}\nFROM {table}")] {
            let types = self.describe(sql).await?;
            if types != ["BOOL"] {
                let message = match types.as_slice() {
                    [one] => format!("it is of type {}, not true or false", one.to_lowercase()),
                    _ => "it is not one expression".to_owned(),
                };
                return Err(GroundError { kind: Trouble::Unfit, message, hint: None });
            }
        }
        // Aggregates and the like are expressions, but not of one row.
        self.describe(format!("SELECT FROM {table} WHERE (\n{condition}\n)")).await.map(drop)
    }

    async fn check_statement(&mut self, statement: &Statement) -> Result<(), GroundError> {
        self.describe(statement.sql.clone()).await.map(drop)
    }

    async fn ask(&mut self, statement: &Statement) -> Result<Vec<Row>, GroundError> {
        let query = bound(statement);
        let rows = query.fetch_all(self.connection.pg()).await.map_err(|error| self.of_sqlx(error))?;
        rows.iter().map(|row| read(row).map_err(|error| classify(&self.database, error))).collect()
    }

    async fn ask_within(&mut self, statement: &Statement, most: usize) -> Result<Option<Vec<Row>>, GroundError> {
        let (mut rows, mut bytes) = (Vec::new(), 0);
        let mut answer = bound(statement).fetch(self.connection.pg());
        // What is not read any more is passed over by the next question.
        while let Some(row) = answer.try_next().await.map_err(|error| classify(&self.database, error))? {
            let row = read(&row).map_err(|error| classify(&self.database, error))?;
            bytes += row.iter().map(|value| if let Scalar::Text(text) = value { text.len() } else { 0 }).sum::<usize>();
            if bytes > most {
                return Ok(None);
            }
            rows.push(row);
        }
        Ok(Some(rows))
    }

    async fn questions_within(&mut self, longest: Duration) -> Result<(), GroundError> {
        let sql = format!("SET statement_timeout = {}", longest.as_millis().max(1));
        let done = self.connection.pg().execute(AssertSqlSafe(sql)).await;
        done.map(drop).map_err(|error| self.of_sqlx(error))
    }

    async fn clock(&mut self) -> Result<Timestamp, GroundError> {
        let statement =
            Statement { sql: "SELECT (extract(epoch FROM now()) * 1000)::int8::text".to_owned(), values: Vec::new() };
        let rows = self.ask(&statement).await?;
        let ms = rows.first().and_then(|row| match row.first() {
            Some(Scalar::Text(text)) => text.parse().ok(),
            _ => None,
        });
        ms.and_then(|ms| Timestamp::from_millisecond(ms).ok()).ok_or_else(|| GroundError {
            kind: Trouble::Other,
            message: "the server's clock cannot be read".to_owned(),
            hint: None,
        })
    }

    async fn change(
        &mut self,
        statement: &Statement,
        within: Duration,
        gate: &dyn Gate,
    ) -> Result<Option<u64>, GroundError> {
        // What waits for one row's lock holds those of others meanwhile.
        let wait = self.lock_timeout.min(within * 2 / 3).as_millis();
        let begin = format!(
            "BEGIN; SET LOCAL statement_timeout = {}; SET LOCAL lock_timeout = {}",
            within.as_millis().max(1),
            wait.max(1)
        );
        let begun = self.connection.pg().execute(AssertSqlSafe(begin)).await;
        begun.map_err(|error| self.of_sqlx(error))?;
        let done = bound(statement).execute(self.connection.pg()).await;
        let done = match done {
            Ok(done) => done.rows_affected(),
            Err(error) => {
                let error = self.of_sqlx(error);
                if error.kind != Trouble::Lost {
                    self.run("ROLLBACK").await?;
                }
                return Err(error);
            }
        };
        if !gate.is_open(done).await {
            self.run("ROLLBACK").await?;
            return Ok(None);
        }
        // Deferred constraints and triggers have their say here.
        self.run("COMMIT").await?;
        Ok(Some(done))
    }

    async fn alone(&mut self, sql: &str, wait: Duration) -> Result<(), GroundError> {
        self.wait_for_locks(wait).await?;
        let done = self.connection.pg().execute(AssertSqlSafe(sql.to_owned())).await;
        let done = done.map(drop).map_err(|error| self.of_sqlx(error));
        if !done.as_ref().is_err_and(|error| error.kind == Trouble::Lost) {
            self.wait_for_locks(self.lock_timeout).await?;
        }
        done
    }

    async fn drop_table(
        &mut self,
        table: &Relation,
        look: &Statement,
        (most, wait): (u64, Duration),
        gate: &dyn Gate,
    ) -> Result<Dropped, GroundError> {
        self.drop_if(table, look, most, wait, gate).await
    }

    async fn script(&mut self, first: &str, unless: Option<&str>, then: &str) -> Result<bool, GroundError> {
        self.run("BEGIN").await?;
        let done = async {
            self.connection.pg().execute(AssertSqlSafe(first.to_owned())).await?;
            if let Some(unless) = unless
                && self.connection.pg().fetch_optional(AssertSqlSafe(unless.to_owned())).await?.is_some()
            {
                return Ok(false);
            }
            self.connection.pg().execute(AssertSqlSafe(then.to_owned())).await?;
            Ok(true)
        };
        let done: Result<bool, sqlx::Error> = done.await;
        match done {
            Ok(true) => self.run("COMMIT").await.map(|()| true),
            Ok(false) => self.run("ROLLBACK").await.map(|()| false),
            Err(error) => {
                let error = self.of_sqlx(error);
                if error.kind != Trouble::Lost {
                    self.run("ROLLBACK").await?;
                }
                Err(error)
            }
        }
    }

    async fn pressure(&mut self, table: &Relation) -> Result<Pressure, GroundError> {
        let asked = sqlx::query_as::<_, (Option<f64>, Option<f64>, Option<i64>)>(PRESSURE)
            .bind(PostgresDialect.table(table))
            .persistent(false)
            .fetch_one(self.connection.pg())
            .await;
        let (lag, snapshot, dead) = asked.map_err(|error| self.of_sqlx(error))?;
        let span = |seconds: Option<f64>| seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        Ok(Pressure {
            replica_lag: span(lag),
            oldest_snapshot: span(snapshot),
            dead_rows: dead.map_or(0, i64::unsigned_abs),
        })
    }

    async fn tidy(&mut self, table: &Relation) -> Result<(), GroundError> {
        self.run("SET statement_timeout = '1h'").await?;
        let sql = format!("VACUUM (ANALYZE) {}", PostgresDialect.table(table));
        let done = self.connection.pg().execute(AssertSqlSafe(sql)).await;
        let done = done.map(drop).map_err(|error| self.of_sqlx(error));
        self.run("SET statement_timeout = '10min'").await?;
        done
    }
}

/// A statement with its values; the text is made only of our own words, quoted names and checked conditions.
fn bound(statement: &Statement) -> Query<'static, Driver, PgArguments> {
    let mut arguments = PgArguments::default();
    for value in &statement.values {
        let text = match value {
            Scalar::Null => None,
            Scalar::Integer(number) => Some(number.to_string()),
            Scalar::Real(number) => Some(number.to_string()),
            Scalar::Text(text) => Some(text.clone()),
            Scalar::Bytes(bytes) => Some(format!("\\x{}", hex::encode(bytes))),
        };
        // Text is always encoded.
        let _ = arguments.add(text);
    }
    sqlx::query_with(AssertSqlSafe(statement.sql.clone()), arguments).persistent(false)
}

/// Every question asks for text.
fn read(row: &PgRow) -> Result<Row, sqlx::Error> {
    (0..row.len()).map(|at| Ok(row.try_get::<Option<String>, _>(at)?.map_or(Scalar::Null, Scalar::Text))).collect()
}
