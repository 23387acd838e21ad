//! A database of its own for each case.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use caretaker::config::{PostgresTarget, SecretSource, SslMode};
use caretaker::database::postgres::{Identifier, NewDatabase, Postgres, Program, Tool, Wanted, find};

pub fn env(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run through `make test`"))
}

/// A folder with the password, and the target made from it.
pub struct Server {
    pub folder: tempfile::TempDir,
    pub target: PostgresTarget,
}

pub fn server() -> Server {
    let folder = tempfile::tempdir().unwrap();
    let password = folder.path().join("password");
    std::fs::write(&password, env("CARETAKER_TEST_PG_PASSWORD") + "\n").unwrap();
    let target = PostgresTarget {
        hosts: vec![("127.0.0.1".to_owned(), port())],
        user: "postgres".to_owned(),
        dbname: "postgres".to_owned(),
        password: Some(SecretSource::File(password)),
        sslmode: SslMode::Prefer,
        sslrootcert: None,
        sslcert: None,
        sslkey: None,
        connect_timeout: 5,
        options: None,
    };
    Server { folder, target }
}

impl Server {
    pub fn handle(&self) -> Postgres {
        Postgres::new(&self.target, "app", 5)
    }

    /// A new database, filled by psql.
    pub async fn database(&self, name: &str, sql: &str) -> Postgres {
        let mut maintenance = self.handle().connect("test").await.unwrap();
        maintenance.create_database(&Identifier::new(name).unwrap(), &NewDatabase::default()).await.unwrap();
        psql(name, sql);
        self.handle().with_database(name)
    }

    pub fn tmp(&self) -> &Path {
        self.folder.path()
    }
}

pub fn port() -> u16 {
    env("CARETAKER_TEST_PG_PORT").parse().unwrap()
}

/// A name no other case uses.
pub fn unique(what: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{what}_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// What psql prints for this SQL.
pub fn psql(dbname: &str, sql: &str) -> String {
    let output = Command::new(PathBuf::from(env("CARETAKER_TEST_PG_BIN")).join("psql"))
        .args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-U", "postgres", "-p", &port().to_string()])
        .args(["-c", sql])
        .env("PGDATABASE", dbname)
        .env("PGPASSWORD", env("CARETAKER_TEST_PG_PASSWORD"))
        .env("PGTZ", "UTC")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

pub async fn tool(program: Program) -> Tool {
    find(program, Wanted { at_least: 10, prefer: 0 }, Some(Path::new(&env("CARETAKER_TEST_PG_BIN")))).await.unwrap()
}

/// A script that pretends to be a tool.
pub fn fake(folder: &Path, name: &str, version: &str, script: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt;
    std::fs::create_dir_all(folder).unwrap();
    let path = folder.join(name);
    let text =
        format!("#!/bin/sh\n[ \"$1\" = --version ] && {{ echo '{name} (PostgreSQL) {version}'; exit 0; }}\n{script}\n");
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}
