//! An open connection and what it holds on to.

use std::sync::Arc;
use std::time::Duration;

use sqlx::Connection as _;
use sqlx::postgres::PgConnection;

use super::error::{DatabaseError, DatabaseErrorKind};
use super::server::Permit;
use crate::config::SslMode;

/// How long the server may take to answer one of our small questions.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// Which of a database's hosts answered, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Host name, address or socket folder.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The mode that worked; `Prefer`: TLS if the server has it.
    pub sslmode: SslMode,
}

/// A connection with its permit.
#[derive(Debug)]
pub struct Connection {
    pub(super) inner: PgConnection,
    #[allow(dead_code, reason = "held for its drop")]
    pub(super) permit: Permit,
    pub(super) endpoint: Endpoint,
    pub(super) database: Arc<str>,
}

impl Connection {
    /// The driver's connection.
    pub fn pg(&mut self) -> &mut PgConnection {
        &mut self.inner
    }

    /// Which host answered.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Says goodbye to the server; dropping merely closes the socket.
    pub async fn close(self) {
        let _ = tokio::time::timeout(Duration::from_secs(5), self.inner.close()).await;
    }
}

/// Waits for an answer no longer than `deadline`, and gives errors their names.
pub(super) async fn answer<T>(
    database: &str,
    operation: &str,
    deadline: Duration,
    future: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, DatabaseError> {
    match tokio::time::timeout(deadline, future).await {
        Ok(result) => result.map_err(|error| DatabaseError::from_sqlx(database, operation, error)),
        Err(_) => Err(DatabaseError::new(database, operation, DatabaseErrorKind::Timeout(deadline.as_secs()))),
    }
}
