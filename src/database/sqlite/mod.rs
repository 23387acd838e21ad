//! SQLite: copying a live database page for page, checking and reading the copy, putting one back.
//!
//! The copying goes through SQLite itself and nothing else. This process must never open and close a database file by
//! other means: POSIX drops all of a process's locks on a file when any descriptor of it is closed, and with them the
//! protection of a copy that is under way. Only `stat` is allowed.

mod backup;
mod check;
mod copy;
mod document;
mod error;
mod inspect;
mod look;
mod probe;
mod restore;
mod session;
mod source;
mod steps;

pub use backup::{CopyReport, backup};
pub use check::{CheckReport, Finding, Kind, check};
pub use copy::{RowView, SqliteCopy, Value};
pub use error::{SqliteError, SqliteErrorKind};
pub use look::{Figures, check_copy, check_live, figures, table_rows, wal_bytes};
pub use probe::{Probe, probe};
pub use restore::restore_into_new;
pub use session::{Cell, Session};

/// The version of the SQLite built in: `3.51.1`.
pub fn version() -> &'static str {
    rusqlite::version()
}
