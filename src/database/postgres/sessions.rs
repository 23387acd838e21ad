//! Sessions of others: the idle transactions, and ending them.

use sqlx::Row;

use super::connection::{ANSWER_WITHIN, Connection, answer};
use super::error::DatabaseError;

/// A session that holds a transaction open and does nothing.
#[derive(Debug, Clone, PartialEq)]
pub struct IdleTransaction {
    /// Its backend's process id.
    pub pid: i32,
    /// When its session began, as the server writes it: with the process id it names the session, and no later one.
    pub backend_start: String,
    /// Its role.
    pub role: String,
    /// Its database.
    pub database: String,
    /// Its `application_name`.
    pub application: String,
    /// Where it connects from; `None`: a Unix socket.
    pub client: Option<String>,
    /// For how long it has been idle, in seconds.
    pub idle_seconds: f64,
    /// For how long its transaction has been open, in seconds.
    pub transaction_seconds: f64,
}

/// Without pg_read_all_stats the state of other roles' sessions is NULL, and none is found.
const IDLE: &str = "SELECT pid, backend_start::text, usename::text, datname::text, application_name, client_addr::text,
        extract(epoch FROM clock_timestamp() - state_change)::float8,
        extract(epoch FROM clock_timestamp() - xact_start)::float8
    FROM pg_stat_activity
    WHERE state IN ('idle in transaction', 'idle in transaction (aborted)') AND backend_type = 'client backend'
      AND datname = current_database() AND pid <> pg_backend_pid() AND application_name NOT LIKE 'caretaker%'
      AND clock_timestamp() - state_change >= make_interval(secs => $1)
    ORDER BY state_change";

/// Only the very session that was seen, and only if it still idles.
const TERMINATE: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE pid = $1 AND backend_start::text = $2
      AND state IN ('idle in transaction', 'idle in transaction (aborted)')
      AND clock_timestamp() - state_change >= make_interval(secs => $3)";

/// Without that role the type is NULL like the state; `usesysid` keeps the server's own processes out.
const HIDDEN: &str = "SELECT count(*) FROM pg_stat_activity
    WHERE backend_type IS NULL AND usesysid IS NOT NULL AND datname = current_database()";

impl Connection {
    /// The sessions in this database that have been idle in a transaction for so long, the longest first.
    pub async fn idle_transactions(&mut self, over_seconds: f64) -> Result<Vec<IdleTransaction>, DatabaseError> {
        let database = self.database.clone();
        let question = async {
            let rows = sqlx::query(IDLE).persistent(false).bind(over_seconds).fetch_all(self.pg()).await?;
            rows.iter()
                .map(|row| {
                    Ok(IdleTransaction {
                        pid: row.try_get(0)?,
                        backend_start: row.try_get(1)?,
                        role: row.try_get::<Option<String>, _>(2)?.unwrap_or_default(),
                        database: row.try_get::<Option<String>, _>(3)?.unwrap_or_default(),
                        application: row.try_get::<Option<String>, _>(4)?.unwrap_or_default(),
                        client: row.try_get(5)?,
                        idle_seconds: row.try_get(6)?,
                        transaction_seconds: row.try_get(7)?,
                    })
                })
                .collect()
        };
        answer(&database, "look for idle transactions in", ANSWER_WITHIN, question).await
    }

    /// How many sessions there are whose state our role may not see.
    pub async fn hidden_sessions(&mut self) -> Result<i64, DatabaseError> {
        let database = self.database.clone();
        let question = sqlx::query_scalar(HIDDEN).persistent(false).fetch_one(self.pg());
        answer(&database, "count the sessions of", ANSWER_WITHIN, question).await
    }

    /// Ends an idle transaction's session, if it is still the same and still idle. `false`: it is not.
    pub async fn end_session(&mut self, idle: &IdleTransaction, over_seconds: f64) -> Result<bool, DatabaseError> {
        let database = self.database.clone();
        let (pid, began) = (idle.pid, idle.backend_start.clone());
        let question = async {
            let ended: Option<bool> = sqlx::query_scalar(TERMINATE)
                .persistent(false)
                .bind(pid)
                .bind(began)
                .bind(over_seconds)
                .fetch_optional(self.pg())
                .await?;
            Ok(ended == Some(true))
        };
        answer(&database, &format!("end the session {pid} in"), ANSWER_WITHIN, question).await
    }
}
