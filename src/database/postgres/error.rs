//! What can go wrong between Caretaker and a server.

use crate::fault::Fault;

/// What a role needs to create databases.
pub(super) const MAY_CREATE: &str = "`ALTER ROLE … CREATEDB`";

/// An operation on a database that failed.
#[derive(Debug, thiserror::Error)]
#[error("database {database}: {operation}: {kind}")]
pub struct DatabaseError {
    /// The database's name in the configuration.
    pub database: String,
    /// What was being done: `connect`, `identify`, …
    pub operation: String,
    /// What happened.
    pub kind: DatabaseErrorKind,
    /// The system's or library's own error, where the text above does not already hold it.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// What happened to an operation on a database.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DatabaseErrorKind {
    /// No host answered. Holds each host with its reason.
    #[error("{0}")]
    Unreachable(String),
    /// 57P03: the server starts up, shuts down or recovers.
    #[error("the server is not ready: {0}")]
    NotReady(String),
    /// 28P01: wrong password, or none.
    #[error("{0}")]
    AuthenticationFailed(String),
    /// 28000: `pg_hba.conf` has no line for us, the role does not exist or may not log in.
    #[error("{0}")]
    NotAllowed(String),
    /// The password could not be read.
    #[error("cannot read the password")]
    Password,
    /// 3D000
    #[error("{0}")]
    NoSuchDatabase(String),
    /// The TLS handshake, a certificate, or a server without TLS.
    #[error("TLS: {0}")]
    Tls(String),
    /// 42501
    #[error("{0}")]
    PermissionDenied(String),
    /// 53300
    #[error("{0}")]
    TooManyConnections(String),
    /// The connection ended in mid-query: cut, or ended by an administrator (57P01, 57P02).
    #[error("the connection was lost: {0}")]
    ConnectionLost(String),
    /// No answer in time.
    #[error("no answer within {0} s")]
    Timeout(u64),
    /// Any other error of the server.
    #[error("{message} (SQLSTATE {code})")]
    Query {
        /// Its SQLSTATE.
        code: String,
        /// Its text.
        message: String,
    },
    /// Something the client library did not understand, or a name that cannot be used.
    #[error("{0}")]
    Other(String),
}

impl DatabaseError {
    /// An error without a further cause.
    pub(super) fn new(database: &str, operation: impl Into<String>, kind: DatabaseErrorKind) -> Self {
        Self { database: database.to_owned(), operation: operation.into(), kind, source: None }
    }

    /// Classifies an error of the driver.
    pub(super) fn from_sqlx(database: &str, operation: impl Into<String>, error: sqlx::Error) -> Self {
        let (kind, source) = classify(error);
        Self { database: database.to_owned(), operation: operation.into(), kind, source }
    }
}

type Cause = Option<Box<dyn std::error::Error + Send + Sync>>;

/// SQLSTATEs: <https://www.postgresql.org/docs/current/errcodes-appendix.html>
fn classify(error: sqlx::Error) -> (DatabaseErrorKind, Cause) {
    use DatabaseErrorKind as Kind;
    match error {
        sqlx::Error::Database(error) => {
            let code = error.code().unwrap_or_default().into_owned();
            let message = error.message().to_owned();
            let kind = match code.as_str() {
                "57P03" => Kind::NotReady(message),
                "28P01" => Kind::AuthenticationFailed(message),
                "28000" => Kind::NotAllowed(message),
                "3D000" => Kind::NoSuchDatabase(message),
                "42501" => Kind::PermissionDenied(message),
                "53300" => Kind::TooManyConnections(message),
                "57P01" | "57P02" | "57P05" => Kind::ConnectionLost(message),
                _ if code.starts_with("08") => Kind::ConnectionLost(message),
                _ => Kind::Query { code, message },
            };
            (kind, None)
        }
        sqlx::Error::Io(error) => (Kind::ConnectionLost(error.to_string()), None),
        sqlx::Error::Tls(error) => (Kind::Tls(error.to_string()), None),
        sqlx::Error::Configuration(error) => (Kind::Tls(error.to_string()), None),
        other => (Kind::Other(other.to_string()), None),
    }
}

impl Fault for DatabaseError {
    fn hint(&self) -> Option<String> {
        use DatabaseErrorKind as Kind;
        Some(match &self.kind {
            Kind::Unreachable(_) => {
                "check that the server runs and listens there (`listen_addresses`, port, socket folder), and the \
                 firewall between"
                    .to_owned()
            }
            Kind::AuthenticationFailed(_) | Kind::Password => {
                "check `password_file`, `credential` or the line in `.pgpass` (mode 0600) for this host, port, \
                 database and user, and that the role exists (CREATE ROLE … LOGIN PASSWORD '…')"
                    .to_owned()
            }
            Kind::NotAllowed(_) => {
                "give the role LOGIN and add a line for this user, database and client address to `pg_hba.conf`, then \
                 `SELECT pg_reload_conf()`"
                    .to_owned()
            }
            Kind::NoSuchDatabase(_) => "correct the database's name in the url, or create it".to_owned(),
            Kind::NotReady(_) => "it is starting, stopping, or a standby without `hot_standby = on`: its log says which"
                .to_owned(),
            Kind::Tls(why) if why.contains("does not support TLS") => {
                "set `ssl = on` with a certificate on the server, or `sslmode=prefer` in the url if the way there is safe"
                    .to_owned()
            }
            Kind::Tls(_) => "check `sslmode`, and that `sslrootcert` holds the CA which signed the server's \
                             certificate"
                .to_owned(),
            Kind::PermissionDenied(what) if what.contains(MAY_CREATE) => {
                "or name a role that may, `postgres://role@host/new_database`, or an empty database that is there already"
                    .to_owned()
            }
            Kind::PermissionDenied(what) if what.contains("terminat") => {
                "GRANT pg_signal_backend TO the role, as a superuser: `caretaker database grants` prints it".to_owned()
            }
            Kind::PermissionDenied(what) if what.contains("permission denied for database") => {
                "GRANT CONNECT ON DATABASE … TO the role, as its owner or a superuser".to_owned()
            }
            Kind::PermissionDenied(_) => {
                "to read everything, a backup role needs `GRANT pg_read_all_data TO role` (PostgreSQL 14 and newer)"
                    .to_owned()
            }
            Kind::TooManyConnections(_) => {
                "raise `max_connections` on the server or the role's CONNECTION LIMIT, or lower `max_connections` of \
                 this database in the configuration"
                    .to_owned()
            }
            _ => return None,
        })
    }

    fn retryable(&self) -> bool {
        use DatabaseErrorKind as Kind;
        match &self.kind {
            Kind::Unreachable(_)
            | Kind::NotReady(_)
            | Kind::TooManyConnections(_)
            | Kind::ConnectionLost(_)
            | Kind::Timeout(_) => true,
            // Serialization failure, deadlock, out of resources, lock not available, cancelled.
            Kind::Query { code, .. } => {
                matches!(code.as_str(), "40001" | "40P01" | "55P03" | "57014") || code.starts_with("53")
            }
            _ => false,
        }
    }
}
