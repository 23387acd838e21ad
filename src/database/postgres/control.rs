//! The connection that stands behind a dump: it holds the lock that keeps two machines apart, exports the snapshot, and
//! ends the dump's backend.

use jiff::Timestamp;
use sqlx::Row;

use super::connection::{ANSWER_WITHIN, Connection, Endpoint, answer};
use super::error::{DatabaseError, DatabaseErrorKind};
use crate::fault::Fault;

/// First half of every advisory lock Caretaker takes: ASCII `CTKR`.
const LOCK_NAMESPACE: i32 = i32::from_be_bytes(*b"CTKR");

/// A connection that holds Caretaker's advisory lock in the database. The lock goes with the session.
#[derive(Debug)]
pub struct ControlConnection {
    connection: Connection,
    in_snapshot: bool,
}

/// Who holds the lock.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}, pid {pid}, from {}, since {}", or_unknown(application_name), or_unknown(client_addr), or_unknown(since))]
pub struct Busy {
    /// Its `application_name`; `None` when we may not see it.
    pub application_name: Option<String>,
    /// Its backend's process id.
    pub pid: i32,
    /// Where it connects from; `None`: a Unix socket, or not visible.
    pub client_addr: Option<String>,
    /// When its session began.
    pub since: Option<String>,
}

fn or_unknown(text: &Option<String>) -> &str {
    text.as_deref().unwrap_or("unknown")
}

/// Why a [`ControlConnection`] was not had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Somebody else holds the lock.
    #[error("database {database} is in the hands of another Caretaker ({purpose})")]
    Busy {
        /// The database's name in the configuration.
        database: String,
        /// What the lock is for.
        purpose: String,
        /// Who holds it.
        #[source]
        holder: Busy,
    },
    /// The server could not be asked.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl Fault for LockError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Busy { .. } => Some("wait for it, or let only one machine care for this database".to_owned()),
            Self::Database(error) => error.hint(),
        }
    }

    fn retryable(&self) -> bool {
        match self {
            Self::Busy { .. } => true,
            Self::Database(error) => error.retryable(),
        }
    }
}

/// An exported snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// For `pg_dump --snapshot`.
    pub id: String,
    /// Everything committed before this instant is in it. By the server's clock.
    pub taken_at: Timestamp,
}

const TRY_LOCK: &str = "SELECT pg_try_advisory_lock($1, $2)";
// classid and objid are OIDs: unsigned views of the two halves; objsubid 2 marks the two-key form.
const HOLDER: &str = "SELECT l.pid, a.application_name, host(a.client_addr), a.backend_start::text
    FROM pg_locks l LEFT JOIN pg_stat_activity a USING (pid)
    WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2 AND l.classid = $1::int8::oid
      AND l.objid = $2::int8::oid AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())";
const TERMINATE: &str = "SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE application_name = $1 AND pid <> pg_backend_pid()";

impl ControlConnection {
    /// Takes the lock of `purpose` in the connection's database. Two purposes do not disturb each other.
    pub async fn lock(mut connection: Connection, purpose: &str) -> Result<Self, LockError> {
        let database = connection.database.to_string();
        let key = lock_key(purpose);
        let pg = connection.pg();
        let question = async {
            // The session waits, in transactions and outside, as long as the dump takes.
            for setting in ["statement_timeout", "idle_in_transaction_session_timeout"] {
                set(pg, setting, "0").await?;
            }
            set(pg, "lock_timeout", "30s").await?;
            // Since 14; an older server does not know it.
            let _ = set(pg, "idle_session_timeout", "0").await;
            sqlx::query_scalar::<_, bool>(TRY_LOCK).bind(LOCK_NAMESPACE).bind(key).fetch_one(&mut *pg).await
        };
        if answer(&database, "lock", ANSWER_WITHIN, question).await? {
            return Ok(Self { connection, in_snapshot: false });
        }
        let question = sqlx::query(HOLDER)
            .bind(i64::from(LOCK_NAMESPACE.cast_unsigned()))
            .bind(i64::from(key.cast_unsigned()))
            .fetch_optional(connection.pg());
        let holder = match answer(&database, "lock", ANSWER_WITHIN, question).await? {
            Some(row) => Busy {
                pid: row.get(0),
                application_name: row.get::<Option<String>, _>(1).filter(|name| !name.is_empty()),
                client_addr: row.get(2),
                since: row.get(3),
            },
            // It has let go in between; the next attempt will have it.
            None => Busy { pid: 0, application_name: None, client_addr: None, since: None },
        };
        Err(LockError::Busy { database, purpose: purpose.to_owned(), holder })
    }

    /// Begins a read-only transaction and exports its snapshot. It can be imported until [`Self::release_snapshot`].
    /// Works on a standby too.
    pub async fn export_snapshot(&mut self) -> Result<Snapshot, DatabaseError> {
        let database = self.connection.database.to_string();
        let pg = self.connection.pg();
        let question = async {
            sqlx::raw_sql("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY").execute(&mut *pg).await?;
            // The statement begins before its snapshot is taken: an instant the snapshot surely covers.
            sqlx::query("SELECT pg_export_snapshot(), (extract(epoch FROM statement_timestamp()) * 1000000)::int8")
                .persistent(false)
                .fetch_one(&mut *pg)
                .await
        };
        let row = answer(&database, "export the snapshot", ANSWER_WITHIN, question).await?;
        self.in_snapshot = true;
        let taken_at = Timestamp::from_microsecond(row.get(1)).map_err(|error| {
            DatabaseError::new(&database, "export the snapshot", DatabaseErrorKind::Other(error.to_string()))
        })?;
        Ok(Snapshot { id: row.get(0), taken_at })
    }

    /// Ends the transaction that keeps the snapshot importable; those who have imported it keep it.
    pub async fn release_snapshot(&mut self) -> Result<(), DatabaseError> {
        if !std::mem::take(&mut self.in_snapshot) {
            return Ok(());
        }
        let database = self.connection.database.clone();
        let question = sqlx::raw_sql("ROLLBACK").execute(self.connection.pg());
        answer(&database, "release the snapshot", ANSWER_WITHIN, question).await.map(drop)
    }

    /// Ends every other session with this `application_name` that we may end; returns how many.
    pub async fn terminate(&mut self, application_name: &str) -> Result<u64, DatabaseError> {
        let database = self.connection.database.clone();
        let pg = self.connection.pg();
        let question = async {
            // Within the snapshot's transaction the server would answer from what it saw first.
            sqlx::query("SELECT pg_stat_clear_snapshot()").execute(&mut *pg).await?;
            sqlx::query_scalar::<_, i64>(TERMINATE).bind(application_name).fetch_one(&mut *pg).await
        };
        answer(&database, "end the backend", ANSWER_WITHIN, question).await.map(i64::unsigned_abs)
    }

    /// Whether the session, and with it the lock, still lives.
    pub async fn ping(&mut self) -> Result<(), DatabaseError> {
        let database = self.connection.database.clone();
        let question = sqlx::query("SELECT 1").execute(self.connection.pg());
        answer(&database, "ping", ANSWER_WITHIN, question).await.map(drop)
    }

    /// Which host it is connected to.
    pub fn endpoint(&self) -> &Endpoint {
        self.connection.endpoint()
    }

    /// Its connection, for questions.
    pub fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }

    /// Its connection alone; the lock stays with it until it is closed.
    pub fn into_connection(self) -> Connection {
        self.connection
    }

    /// Ends the session and gives the lock back.
    pub async fn close(self) {
        self.connection.close().await;
    }
}

async fn set(pg: &mut sqlx::PgConnection, name: &str, value: &str) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT set_config($1, $2, false)").bind(name).bind(value).execute(pg).await.map(drop)
}

/// The second half of the lock's key. FNV-1a: any fixed hash will do, but it must never change between versions.
fn lock_key(purpose: &str) -> i32 {
    let hash = format!("caretaker:{purpose}")
        .bytes()
        .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    hash.cast_signed()
}
