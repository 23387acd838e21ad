//! The handle of one configured database, and the gate every connection passes.

use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{ConnectOptions, Connection as _};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::bouncer::BOUNCER_CONSOLE;
use super::connection::{Connection, Endpoint};
use super::conninfo::conninfo;
use super::error::{DatabaseError, DatabaseErrorKind};
use super::passfile;
use super::tls::{self, TlsFiles};
use crate::config::{PostgresTarget, SslMode};

/// A PostgreSQL database: cheap to clone; clones share the gate.
#[derive(Debug, Clone)]
pub struct Postgres {
    target: Arc<PostgresTarget>,
    name: Arc<str>,
    gate: Arc<Semaphore>,
    max_connections: u32,
}

/// The right to one connection; given back when dropped.
#[derive(Debug)]
pub struct Permit(#[allow(dead_code, reason = "held for its drop")] pub(super) OwnedSemaphorePermit);

/// Rights to several connections, taken at once: two jobs that each hold one and wait for a second would wait for ever.
#[derive(Debug)]
pub struct Reservation {
    permits: OwnedSemaphorePermit,
    database: Arc<str>,
}

impl Reservation {
    /// Takes one of the permits.
    pub fn take(&mut self) -> Result<Permit, DatabaseError> {
        self.permits.split(1).map(Permit).ok_or_else(|| {
            let kind = DatabaseErrorKind::Other("more connections needed than were reserved".to_owned());
            DatabaseError::new(&self.database, "connect", kind)
        })
    }
}

impl Postgres {
    /// A handle; connects to nothing yet. `name` is the database's name in the configuration.
    pub fn new(target: &PostgresTarget, name: &str, max_connections: u32) -> Self {
        let max_connections = max_connections.max(1);
        Self {
            target: Arc::new(target.clone()),
            name: name.into(),
            gate: Arc::new(Semaphore::new(max_connections as usize)),
            max_connections,
        }
    }

    /// The database's name in the configuration.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it is.
    pub fn target(&self) -> &PostgresTarget {
        &self.target
    }

    /// The same server and gate, another database there.
    pub fn with_database(&self, dbname: &str) -> Self {
        let mut target = PostgresTarget::clone(&self.target);
        dbname.clone_into(&mut target.dbname);
        Self { target: Arc::new(target), ..self.clone() }
    }

    /// Waits until `count` connections may be opened, and reserves them. Waits as long as other runs hold theirs: drop
    /// the future to give up.
    pub async fn reserve(&self, count: u32) -> Result<Reservation, DatabaseError> {
        if count > self.max_connections {
            let text = format!("needs {count} connections at once, but `max_connections` is {}", self.max_connections);
            return Err(DatabaseError::new(&self.name, "connect", DatabaseErrorKind::Other(text)));
        }
        let permits = Arc::clone(&self.gate).acquire_many_owned(count).await.map_err(|_| {
            DatabaseError::new(&self.name, "connect", DatabaseErrorKind::Other("the gate is closed".to_owned()))
        })?;
        Ok(Reservation { permits, database: Arc::clone(&self.name) })
    }

    /// One connection, after waiting for its permit.
    pub async fn connect(&self, purpose: &str) -> Result<Connection, DatabaseError> {
        let permit = self.reserve(1).await?.take()?;
        self.connect_with(permit, purpose).await
    }

    /// One connection under a permit already held. Tries the hosts in order, each within `connect_timeout`; a host that
    /// answers and refuses us ends the search, as in libpq. `application_name` is `caretaker PURPOSE`.
    pub async fn connect_with(&self, permit: Permit, purpose: &str) -> Result<Connection, DatabaseError> {
        let mut unreachable = Vec::new();
        let mut not_ready = None;
        for (host, port) in &self.target.hosts {
            match self.connect_to(host, *port, purpose).await {
                Ok((inner, sslmode)) => {
                    let endpoint = Endpoint { host: host.clone(), port: *port, sslmode };
                    return Ok(Connection { inner, permit, endpoint, database: Arc::clone(&self.name) });
                }
                Err(error) => match error.kind {
                    DatabaseErrorKind::ConnectionLost(why) => unreachable.push(format!("{}: {why}", at(host, *port))),
                    DatabaseErrorKind::Timeout(seconds) => {
                        unreachable.push(format!("{}: no answer within {seconds} s", at(host, *port)));
                    }
                    DatabaseErrorKind::NotReady(_) => not_ready = Some(error),
                    _ => return Err(error),
                },
            }
        }
        Err(not_ready.unwrap_or_else(|| {
            DatabaseError::new(&self.name, "connect", DatabaseErrorKind::Unreachable(unreachable.join("; ")))
        }))
    }

    async fn connect_to(&self, host: &str, port: u16, purpose: &str) -> Result<(PgConnection, SslMode), DatabaseError> {
        let password = self.password(host, port).await?;
        let files = self.tls_files(host).await?;
        let attempts = tls::attempts(self.target.sslmode, files.root.is_some(), host.starts_with('/'));
        let mut first_error = None;
        for (mode, meaning) in attempts {
            let options = self.options(host, port, purpose, password.as_ref(), &files, *mode)?;
            let deadline = Duration::from_secs(self.target.connect_timeout.max(1));
            let error = match tokio::time::timeout(deadline, PgConnection::connect_with(&options)).await {
                Ok(Ok(connection)) => return Ok((connection, *meaning)),
                // rustls reports a refused certificate as an error of the socket.
                Ok(Err(sqlx::Error::Io(error))) if error.kind() == std::io::ErrorKind::InvalidData => {
                    DatabaseError::new(&self.name, "connect", DatabaseErrorKind::Tls(error.to_string()))
                }
                Ok(Err(error)) => DatabaseError::from_sqlx(&self.name, "connect", error),
                Err(_) => {
                    let kind = DatabaseErrorKind::Timeout(deadline.as_secs());
                    DatabaseError::new(&self.name, "connect", kind)
                }
            };
            let other_mode_may_help =
                matches!(error.kind, DatabaseErrorKind::Tls(_) | DatabaseErrorKind::NotAllowed(_));
            let error = first_error.unwrap_or(error);
            if !other_mode_may_help {
                return Err(error);
            }
            first_error = Some(error);
        }
        Err(first_error.expect("every mode has at least one attempt, and each leaves an error behind"))
    }

    fn options(
        &self,
        host: &str,
        port: u16,
        purpose: &str,
        password: Option<&SecretString>,
        files: &TlsFiles,
        mode: PgSslMode,
    ) -> Result<PgConnectOptions, DatabaseError> {
        let base = match &self.target.options {
            None => PgConnectOptions::new_without_pgpass(),
            // Only its URL takes `options` as they are. The user and password keep sqlx from reading `.pgpass` itself.
            Some(text) => {
                let text = percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC);
                format!("postgres://u:p@localhost?options={text}")
                    .parse()
                    .map_err(|error| DatabaseError::from_sqlx(&self.name, "connect", error))?
            }
        };
        let mut options = base
            .host(host)
            .port(port)
            .username(&self.target.user)
            .database(&self.target.dbname)
            // An empty password rather than none: sqlx would fall back to PGPASSWORD, and the tools never see that.
            .password(password.map_or("", |password| password.expose_secret()))
            .application_name(&format!("caretaker {purpose}"))
            .ssl_mode(mode)
            .statement_cache_capacity(16)
            .disable_statement_logging();
        if self.target.dbname == BOUNCER_CONSOLE {
            // PgBouncer refuses startup parameters that it does not track.
            options = options.extra_float_digits(None);
        }
        if let Some(path) = &files.root {
            options = options.ssl_root_cert(path);
        }
        if let (Some(cert), Some(key)) = (&files.cert, &files.key) {
            options = options.ssl_client_cert(cert).ssl_client_key(key);
        }
        Ok(options)
    }

    /// The TLS files for this host, readable; none where TLS is not spoken.
    async fn tls_files(&self, host: &str) -> Result<TlsFiles, DatabaseError> {
        if host.starts_with('/') || self.target.sslmode == SslMode::Disable {
            return Ok(TlsFiles::default());
        }
        let target = Arc::clone(&self.target);
        let looked = tokio::task::spawn_blocking(move || {
            let files = TlsFiles::of(&target);
            files.unreadable().map_or(Ok(files), Err)
        });
        let files = looked.await.unwrap_or_else(|panic| Err(panic.to_string()));
        files.map_err(|why| DatabaseError::new(&self.name, "connect", DatabaseErrorKind::Tls(why)))
    }

    /// The password, read anew.
    pub(super) async fn password(&self, host: &str, port: u16) -> Result<Option<SecretString>, DatabaseError> {
        let this = self.clone();
        let host = host.to_owned();
        let found = tokio::task::spawn_blocking(move || match &this.target.password {
            Some(source) => source.read().map(Some),
            None => Ok(passfile::look_up(&host, port, &this.target.dbname, &this.target.user)),
        })
        .await;
        let failed = |source: Box<dyn std::error::Error + Send + Sync>| DatabaseError {
            database: self.name.to_string(),
            operation: "connect".to_owned(),
            kind: DatabaseErrorKind::Password,
            source: Some(source),
        };
        found.map_err(|panic| failed(panic.into()))?.map_err(|error| failed(error.into()))
    }

    /// The tools' connection string for the host that answered us.
    pub(super) fn conninfo(&self, endpoint: &Endpoint) -> String {
        conninfo(&self.target, endpoint, &self.target.dbname)
    }
}

fn at(host: &str, port: u16) -> String {
    if host.starts_with('/') { format!("{host}/.s.PGSQL.{port}") } else { format!("{host}:{port}") }
}
