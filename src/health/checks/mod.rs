//! The checks, one file each. A new one: a variant in [`CheckName`], a file here, a line in [`check`].

mod connections;
mod connectivity;

use std::pin::Pin;

use super::{OwnView, PostgresView, Seen, SqliteView};
use crate::config::CheckName;

/// What cures most blindness: the predefined role that may read every statistics view.
/// <https://www.postgresql.org/docs/current/predefined-roles.html>
pub const MONITOR: &str = "GRANT pg_monitor TO CURRENT_USER, as a superuser: `caretaker database grants` prints it";

/// A check's look at something, in the future.
pub type Looking<'v> = Pin<Box<dyn Future<Output = Seen> + Send + 'v>>;

/// A check: what it is compared with, and how it looks.
#[derive(Debug, Clone, Copy)]
pub struct Check {
    /// Its name.
    pub name: CheckName,
    /// One line: what it looks at.
    pub about: &'static str,
    /// Whether it belongs to the rarer, slow round.
    pub deep: bool,
    /// The default threshold of a WARNING, in the unit's base.
    pub warning: Option<f64>,
    /// The default threshold of CRITICAL.
    pub critical: Option<f64>,
    /// Where the defaults come from.
    pub source: &'static str,
    /// How it looks.
    pub look: LookAt,
}

/// What a check looks at. A check may have a way of its own for each kind of database.
#[derive(Debug, Clone, Copy, Default)]
pub struct LookAt {
    /// A PostgreSQL server.
    pub postgres: Option<for<'v> fn(&'v mut PostgresView<'_>) -> Looking<'v>>,
    /// A SQLite file.
    pub sqlite: Option<for<'v> fn(&'v mut SqliteView<'_>) -> Looking<'v>>,
    /// What Caretaker itself remembers; needs no connection.
    pub own: Option<for<'v> fn(&'v mut OwnView<'_>) -> Looking<'v>>,
}

/// The check of this name.
pub fn check(name: CheckName) -> Check {
    match name {
        CheckName::Connectivity => connectivity::CHECK,
        CheckName::Connections => connections::CHECK,
        _ => Check { name, ..UNWRITTEN },
    }
}

const UNWRITTEN: Check = Check {
    name: CheckName::Connectivity,
    about: "",
    deep: false,
    warning: None,
    critical: None,
    source: "",
    look: LookAt { postgres: None, sqlite: None, own: None },
};
