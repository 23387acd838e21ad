//! The PostgreSQL server that all tests share.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use super::outcome::{Outcome, run};
use super::{required, unique};

/// A server: the shared one, or one of a test's own ([`super::OwnPostgres`]).
#[derive(Debug, Clone)]
pub struct Postgres {
    /// Where its programs are: `/usr/lib/postgresql/15/bin`.
    pub bindir: PathBuf,
    /// The folder of its Unix socket, where everybody is trusted.
    pub socket: PathBuf,
    /// Its port, on 127.0.0.1 and in the socket's name.
    pub port: u16,
    /// The superuser `postgres`'s password, which TCP asks for.
    pub password: String,
}

/// The certificates of the shared server, which takes TLS as `localhost` and `127.0.0.1`.
#[derive(Debug, Clone)]
pub struct Tls {
    /// The CA that signed the server's certificate.
    pub ca: PathBuf,
    /// A CA that did not.
    pub stranger_ca: PathBuf,
}

impl Postgres {
    /// The server that `tests/with-servers` started.
    pub fn shared() -> Self {
        Self {
            bindir: required("CARETAKER_TEST_PG_BIN").into(),
            socket: required("CARETAKER_TEST_PG_SOCKET").into(),
            port: required("CARETAKER_TEST_PG_PORT").parse().unwrap(),
            password: required("CARETAKER_TEST_PG_PASSWORD"),
        }
    }

    /// The shared server's certificates.
    pub fn tls() -> Tls {
        Tls {
            ca: required("CARETAKER_TEST_PG_CA").into(),
            stranger_ca: required("CARETAKER_TEST_PG_STRANGER_CA").into(),
        }
    }

    /// A fresh, empty database, dropped with the value.
    pub fn database(&self) -> Database {
        self.database_like("")
    }

    /// A fresh database with options of CREATE DATABASE: `TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'`.
    pub fn database_like(&self, options: &str) -> Database {
        let name = unique("test");
        self.sql("postgres", &format!("CREATE DATABASE \"{name}\" {options}"));
        Database { postgres: self.clone(), name }
    }

    /// The name of a database that is not there yet, dropped with the value.
    pub fn to_come(&self) -> Database {
        Database { postgres: self.clone(), name: unique("test") }
    }

    /// The URL of a database of this server, over TCP, with the superuser's password in it.
    pub fn url(&self, database: &str) -> String {
        self.url_as("postgres", Some(&self.password), database)
    }

    /// The URL over TCP for a user.
    pub fn url_as(&self, user: &str, password: Option<&str>, database: &str) -> String {
        let password = password.map(|password| format!(":{password}")).unwrap_or_default();
        format!("postgres://{user}{password}@127.0.0.1:{}/{}", self.port, encode(database))
    }

    /// The URL through the Unix socket, where no password is asked for.
    pub fn socket_url(&self, database: &str) -> String {
        let host = encode(self.socket.to_str().unwrap());
        format!("postgres://postgres@/{}?host={host}&port={}", encode(database), self.port)
    }

    /// Runs statements as the superuser with psql; gives unaligned rows without headers.
    #[track_caller]
    pub fn sql(&self, database: &str, sql: &str) -> String {
        self.try_sql(database, sql).succeeds().stdout
    }

    /// [`Self::sql`] that may fail.
    #[track_caller]
    pub fn try_sql(&self, database: &str, sql: &str) -> Outcome {
        psql(self, database, sql)
    }

    /// One of the server's programs (`pg_dump`, `pg_restore`, …) with a clean environment.
    pub fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.bindir.join(name));
        command.env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C.UTF-8");
        command
    }
}

/// Runs a script with psql through the socket.
#[track_caller]
pub fn psql(postgres: &Postgres, database: &str, script: &str) -> Outcome {
    let mut command = postgres.program("psql");
    command.args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-d", &postgres.socket_url(database)]);
    run(&mut command, script.as_bytes(), Duration::from_secs(120))
}

/// A database of a test's own.
#[derive(Debug)]
pub struct Database {
    postgres: Postgres,
    /// Its name.
    pub name: String,
}

impl Database {
    /// Its URL over TCP, with the superuser's password in it.
    pub fn url(&self) -> String {
        self.postgres.url(&self.name)
    }

    /// Its URL through the Unix socket.
    pub fn socket_url(&self) -> String {
        self.postgres.socket_url(&self.name)
    }

    /// Its server.
    pub fn server(&self) -> &Postgres {
        &self.postgres
    }

    /// Runs statements as the superuser with psql; gives unaligned rows without headers.
    #[track_caller]
    pub fn sql(&self, sql: &str) -> String {
        self.postgres.sql(&self.name, sql)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // Left to the server's end if it is gone already.
        if !std::thread::panicking() {
            let _ =
                self.postgres.try_sql("postgres", &format!("DROP DATABASE IF EXISTS \"{}\" WITH (FORCE)", self.name));
        }
    }
}

/// Percent-encodes a part of a URL.
fn encode(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}
