//! PostgreSQL: connections behind a gate, and the client tools as child processes.
//!
//! [`Postgres`] is the handle of one configured database. Everything that connects there, ours or a tool, holds a
//! permit of its gate, so `max_connections` is a promise to the server's operator.

mod bouncer;
mod certificate;
mod closed;
mod connection;
mod conninfo;
mod control;
mod copy;
mod error;
mod grants;
mod identity;
mod inspect;
mod large_object;
mod passfile;
mod privileges;
mod process;
mod server;
mod sessions;
mod sql;
mod target;
mod tls;
mod tools;

pub use bouncer::{BOUNCER_CONSOLE, BouncerPool, bouncer_pools};
pub use certificate::{CertificateError, Handshake, ServerCertificate, handshake};
pub use closed::Closed;
pub use connection::{Connection, Endpoint};
pub use control::{Busy, ControlConnection, LockError, Snapshot};
pub use copy::{CopySession, CopyStream};
pub use error::{DatabaseError, DatabaseErrorKind};
pub use grants::{Duty, Grant, TableWork};
pub use identity::Identity;
pub use privileges::Hindrances;
pub use process::{
    ArchiveCheck, ArchivePipe, DumpEnd, DumpOptions, DumpProcess, Globals, ProcessError, ProcessErrorKind, RestoreEnd,
    RestoreOptions, RestoreProcess, check_archive, globals,
};
pub use server::{Permit, Postgres, Reservation};
pub use sessions::IdleTransaction;
pub use sql::{Identifier, IdentifierError};
pub use target::NewDatabase;
pub use tools::{Program, Tool, ToolError, Wanted, find, find_in};
