//! What every test needs: real servers, a sandbox in which the binary runs, and the stock tools that operators have.
//!
//! ```ignore
//! let postgres = Postgres::shared();
//! let database = postgres.database();
//! database.sql("CREATE TABLE t (id int)");
//! let sandbox = Sandbox::new();
//! sandbox.configure(&format!("[databases.app]\nurl = '{}'\n", database.url()));
//! sandbox.caretaker(&["backup", "now", "app"]).succeeds();
//! ```
#![allow(dead_code, unused_imports, reason = "not every capability needs every piece")]

mod clock;
mod container;
mod daemon;
mod environment;
mod hook;
mod night;
mod outbox;
mod outcome;
mod over_tls;
mod own_postgres;
mod postgres;
mod s3;
mod sandbox;
mod scene;
mod smtp;
pub mod stock;
mod tools;
mod wait;

#[cfg(test)]
mod tests;

pub use clock::Clock;
pub use container::{Container, Machine, user_of};
pub use daemon::Daemon;
pub use environment::required;
pub use hook::{Answer, Heard, Hook, answer};
pub use night::Night;
pub use outcome::{Outcome, run};
pub use over_tls::OverTls;
pub use own_postgres::OwnPostgres;
pub use postgres::{Database, Postgres, Tls, psql};
pub use s3::{Bucket, S3};
pub use sandbox::Sandbox;
pub use scene::{files, fill_with_tables, flip, nightly, sqlite_url};
pub use smtp::{Smtp, mails};
pub use tools::Tools;
pub use wait::{eventually, patient, until};

/// A name that no other test, in this process or another, uses.
pub fn unique(prefix: &str) -> String {
    let id = uuid::Uuid::now_v7().simple().to_string();
    format!("{prefix}-{}", &id[20..])
}
