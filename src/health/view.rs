//! What a check is given to look with.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sqlx::postgres::{PgConnection, PgRow};

use super::{Exclusions, Limits, Unseen};
use crate::config::{Config, Database, HealthJob};
use crate::database::postgres::{Endpoint, Identity};
use crate::state::{Sample, State};

/// What every check is given.
pub struct OwnView<'a> {
    /// The configuration.
    pub config: &'a Config,
    /// The health job that looks.
    pub job: &'a HealthJob,
    /// The database that is looked at.
    pub database: &'a Database,
    /// What is remembered.
    pub state: &'a State,
    /// Now.
    pub now: Timestamp,
    /// The check's thresholds.
    pub limits: Limits,
    /// What it leaves out.
    pub exclude: Exclusions,
    /// Figures to be kept, once the round is over.
    pub(super) fresh: Vec<Sample>,
    /// The same, in place of what was kept of their objects before.
    pub(super) latest: Vec<Sample>,
}

/// The same with a connection to the server.
pub struct PostgresView<'a> {
    /// What every check is given.
    pub own: OwnView<'a>,
    /// What the server says of itself.
    pub server: &'a Identity,
    /// Which host answered, and whether TLS is spoken.
    pub endpoint: &'a Endpoint,
    /// How long connecting took.
    pub connected_in: Duration,
    pub(super) connection: &'a mut PgConnection,
    pub(super) asked: Vec<String>,
}

/// The same with a SQLite file.
pub struct SqliteView<'a> {
    /// What every check is given.
    pub own: OwnView<'a>,
    /// The file.
    pub path: &'a Path,
    /// The statements that were sent.
    pub(super) asked: Vec<String>,
}

/// How far a counter has come between two looks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Delta {
    /// By how much.
    pub by: f64,
    /// In how much time.
    pub over: SignedDuration,
}

/// A counter that was last looked at longer ago than this says nothing of now.
const STALE: SignedDuration = SignedDuration::from_hours(26);

impl OwnView<'_> {
    /// Keeps a figure for later looks.
    pub fn keep(&mut self, metric: &str, object: &str, value: f64) {
        self.fresh.push(Sample { metric: metric.to_owned(), object: object.to_owned(), at: self.now, value });
    }

    /// Keeps a figure in place of what was kept of this object before.
    pub fn keep_latest(&mut self, metric: &str, object: &str, value: f64) {
        self.latest.push(Sample { metric: metric.to_owned(), object: object.to_owned(), at: self.now, value });
    }

    /// The newest figure of each object of a metric, where it was kept since an instant.
    pub async fn latest(&self, metric: &str, since: Timestamp) -> Result<BTreeMap<String, Sample>, Unseen> {
        // By object, then the oldest first: the last of an object is what stays.
        Ok(self.kept(metric, since).await?.into_iter().map(|sample| (sample.object.clone(), sample)).collect())
    }

    /// The figures of a metric that were kept since an instant, by object, then the oldest first.
    pub async fn kept(&self, metric: &str, since: Timestamp) -> Result<Vec<Sample>, Unseen> {
        let database = self.database.name.as_str();
        known(self.state.samples(database, metric, since).await)
    }

    /// Keeps a counter, and says how far it has come since the last look; `None` at the first look, after a reset (the
    /// counter is lower than it was), and when the last look is too long ago.
    pub async fn advance(&mut self, metric: &str, object: &str, counter: f64) -> Result<Option<Delta>, Unseen> {
        let kept = self.kept(metric, self.now - STALE).await?;
        self.keep_latest(metric, object, counter);
        let last = kept.iter().rfind(|sample| sample.object == object && sample.at < self.now);
        Ok(last
            .filter(|last| last.value <= counter)
            .map(|last| Delta { by: counter - last.value, over: self.now.duration_since(last.at) }))
    }

    /// Keeps a counter, and says how far it has come since the oldest look within a window; `None` at the first look and
    /// after a reset in the window.
    pub async fn climb(
        &mut self,
        metric: &str,
        object: &str,
        counter: f64,
        window: SignedDuration,
    ) -> Result<Option<Delta>, Unseen> {
        let mut kept = self.kept(metric, self.now - window).await?;
        kept.retain(|sample| sample.object == object && sample.at < self.now);
        self.keep(metric, object, counter);
        let is_rising = kept.is_sorted_by(|one, next| one.value <= next.value);
        let reaches_now = kept.last().is_some_and(|last| last.value <= counter);
        Ok(kept
            .first()
            .filter(|_| is_rising && reaches_now)
            .map(|first| Delta { by: counter - first.value, over: self.now.duration_since(first.at) }))
    }
}

impl SqliteView<'_> {
    /// Notes statements, to be shown with `--detailed`.
    pub(super) fn asks(&mut self, statements: &[&str]) {
        self.asked.extend(statements.iter().map(|sql| (*sql).to_owned()));
    }
}

impl PostgresView<'_> {
    /// Sets the session's limits.
    pub(super) async fn settle(&mut self, manners: &'static str) -> Result<(), Unseen> {
        let done = sqlx::raw_sql(manners).execute(&mut *self.connection).await;
        done.map(|_| ()).map_err(|error| unseen(&error))
    }

    /// Makes an extension's functions and views known by their bare names, behind those of the server itself. Gives its
    /// version; `None`: it is not installed in this database.
    pub async fn reach(&mut self, extension: &'static str) -> Result<Option<String>, Unseen> {
        self.asked.push(REACH.replace("$1", &format!("'{extension}'")));
        let query = sqlx::query_scalar(REACH).bind(extension).persistent(false);
        query.fetch_optional(&mut *self.connection).await.map_err(|error| unseen(&error))
    }

    /// Asks the server about one object; the error is the server's own, for its SQLSTATE.
    pub async fn about(&mut self, sql: &'static str, object: sqlx::postgres::types::Oid) -> Result<PgRow, sqlx::Error> {
        self.noted(sql);
        sqlx::query(sql).bind(object).fetch_one(&mut *self.connection).await
    }

    /// A statement that is sent again and again is shown once.
    fn noted(&mut self, sql: &str) {
        if !self.asked.iter().any(|asked| asked == sql) {
            self.asked.push(sql.to_owned());
        }
    }

    /// Asks the server in a single round trip and throws the answer away.
    pub async fn round_trip(&mut self, sql: &'static str) -> Result<(), Unseen> {
        self.noted(sql);
        let done = sqlx::raw_sql(sql).execute(&mut *self.connection).await;
        done.map(|_| ()).map_err(|error| unseen(&error))
    }

    /// Asks the server; the statement is shown with `--detailed`.
    pub async fn rows(&mut self, sql: &'static str) -> Result<Vec<PgRow>, Unseen> {
        self.asked.push(sql.to_owned());
        sqlx::query(sql).persistent(false).fetch_all(&mut *self.connection).await.map_err(|error| unseen(&error))
    }

    /// Whether our role has the privileges of a predefined one; a superuser has all.
    pub async fn has_role(&mut self, role: &'static str) -> Result<bool, Unseen> {
        let question = sqlx::query_scalar("SELECT pg_has_role($1::name, 'USAGE')").persistent(false).bind(role);
        question.fetch_one(&mut *self.connection).await.map_err(|error| unseen(&error))
    }

    /// The same where there is exactly one row.
    pub async fn row(&mut self, sql: &'static str) -> Result<PgRow, Unseen> {
        self.asked.push(sql.to_owned());
        sqlx::query(sql).persistent(false).fetch_one(&mut *self.connection).await.map_err(|error| unseen(&error))
    }
}

/// The extension's schema behind `pg_catalog`, so that it cannot hide anything of the server's.
const REACH: &str = "SELECT e.extversion FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace,
    LATERAL set_config('search_path', 'pg_catalog, ' || quote_ident(n.nspname), false) WHERE e.extname = $1";

/// A figure of a row; NULL, where there should be one, is "not seen", and nearly always a missing privilege.
pub fn figure<'r, T>(row: &'r PgRow, column: &str) -> Result<T, Unseen>
where
    T: sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
{
    use sqlx::Row as _;
    match row.try_get::<Option<T>, _>(column) {
        Ok(Some(value)) => Ok(value),
        Ok(None) => Err(Unseen::unknown(format!("the server gave NULL for `{column}`")).cure(super::checks::MONITOR)),
        Err(error) => Err(unseen(&error)),
    }
}

/// A figure of a row that may be NULL for a good reason.
pub fn optional<'r, T>(row: &'r PgRow, column: &str) -> Result<Option<T>, Unseen>
where
    T: sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
{
    use sqlx::Row as _;
    row.try_get::<Option<T>, _>(column).map_err(|error| unseen(&error))
}

/// What cures a question that took too long.
pub(super) const BUSY: &str = "see what keeps the server busy (checks long_queries and locks, its processor and disk); a \
                               check that is too much for it is switched off with `disabled = true` in its table";

const LOCKED: &str = "see who holds the lock (check locks), most likely a schema change; the next look tries again";

/// Every column of a row, for statements that make text of each.
pub fn texts(row: &PgRow) -> Result<Vec<Option<String>>, Unseen> {
    use sqlx::Row as _;
    (0..row.len()).map(|column| row.try_get::<Option<String>, _>(column).map_err(|error| unseen(&error))).collect()
}

/// SQLSTATEs: <https://www.postgresql.org/docs/current/errcodes-appendix.html>
pub(super) fn unseen(error: &sqlx::Error) -> Unseen {
    let code = error.as_database_error().and_then(|error| error.code()).unwrap_or_default().into_owned();
    let why = error.as_database_error().map_or_else(|| error.to_string(), |error| error.message().to_owned());
    match code.as_str() {
        "42501" => Unseen::unknown(why).cure(super::checks::MONITOR),
        "57014" => Unseen::unknown("the server did not answer within the statement timeout").cure(BUSY),
        "55P03" => Unseen::unknown("a lock was in the way for longer than the lock timeout").cure(LOCKED),
        _ => Unseen::unknown(why),
    }
}

/// An instant as the server counts it: seconds since 1970.
pub fn epoch(at: Timestamp) -> f64 {
    at.duration_since(Timestamp::UNIX_EPOCH).as_secs_f64()
}

/// What the state store knows; where it fails, nothing is known.
pub fn known<T>(asked: Result<T, crate::state::StateError>) -> Result<T, Unseen> {
    asked.map_err(|error| Unseen::unknown(crate::fault::chain(&error)))
}
