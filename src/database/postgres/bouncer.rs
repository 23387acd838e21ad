//! PgBouncer's admin console: a database called `pgbouncer` that understands the simple query protocol alone.

use sqlx::Row as _;
use sqlx::postgres::PgRow;

use super::connection::answer;
use super::error::DatabaseError;
use super::server::Postgres;
use crate::config::PostgresTarget;

/// The console's name.
pub const BOUNCER_CONSOLE: &str = "pgbouncer";

/// How long the console may take; it answers from memory.
const WITHIN: std::time::Duration = std::time::Duration::from_secs(5);

/// One line of `SHOW POOLS`.
#[derive(Debug, Clone, PartialEq)]
pub struct BouncerPool {
    /// The database that clients ask for.
    pub database: String,
    /// As whom.
    pub user: String,
    /// Clients with a server connection, or idle.
    pub active: u64,
    /// Clients that wait for one.
    pub waiting: u64,
    /// Server connections of every kind.
    pub servers: u64,
    /// Those that are free.
    pub idle_servers: u64,
    /// How long the first in the queue has been waiting, in seconds.
    pub max_wait: f64,
}

/// Asks the console for its pools; its own is left out.
///
/// # Errors
///
/// When it cannot be reached, refuses us, or answers what is not understood.
pub async fn bouncer_pools(target: &PostgresTarget) -> Result<Vec<BouncerPool>, DatabaseError> {
    let handle = Postgres::new(target, BOUNCER_CONSOLE, 1);
    let mut connection = handle.connect("health").await?;
    let question = async {
        let rows = sqlx::raw_sql("SHOW POOLS").fetch_all(connection.pg()).await?;
        rows.iter().map(pool).collect::<Result<Vec<_>, _>>()
    };
    let pools = answer(BOUNCER_CONSOLE, "show pools", WITHIN, question).await;
    connection.close().await;
    let mut pools = pools?;
    pools.retain(|pool| pool.database != BOUNCER_CONSOLE);
    Ok(pools)
}

fn pool(row: &PgRow) -> Result<BouncerPool, sqlx::Error> {
    let text = |column: &str| -> Result<String, sqlx::Error> {
        let value = row.try_get_raw(column)?;
        value.as_str().map(str::to_owned).map_err(sqlx::Error::Decode)
    };
    let number = |column: &str| -> Result<u64, sqlx::Error> {
        text(column)?.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))
    };
    // 1.18 renamed none of these; `maxwait_us` is the part of a second.
    #[allow(clippy::cast_precision_loss, reason = "seconds")]
    let max_wait = number("maxwait")? as f64 + number("maxwait_us")? as f64 / 1e6;
    let idle_servers = number("sv_idle")?;
    Ok(BouncerPool {
        database: text("database")?,
        user: text("user")?,
        active: number("cl_active")?,
        waiting: number("cl_waiting")?,
        servers: number("sv_active")? + idle_servers + number("sv_used")? + number("sv_tested")? + number("sv_login")?,
        idle_servers,
        max_wait,
    })
}
