//! What is cared for: PostgreSQL servers and SQLite files. Connecting, asking, dumping, loading; nothing here knows
//! of backups or stores.

pub mod postgres;
pub mod schema;
mod servers;
pub mod sqlite;

pub use servers::Servers;
