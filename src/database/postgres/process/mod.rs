//! The client tools as child processes.
//!
//! A tool gets its password from a private passfile, its connection as a string without secrets, a clean environment and
//! a process group of its own. Its exit status alone decides; what it says on standard error is kept, bounded, to explain.

mod archive_pipe;
mod check;
mod child;
mod dump;
mod error;
mod globals;
mod restore;
mod restore_log;
mod stderr;

pub use archive_pipe::ArchivePipe;
pub use check::{ArchiveCheck, check_archive};
pub use dump::{DumpEnd, DumpOptions, DumpProcess};
pub use error::{ProcessError, ProcessErrorKind};
pub use globals::{Globals, globals};
pub use restore::{RestoreEnd, RestoreOptions, RestoreProcess};
