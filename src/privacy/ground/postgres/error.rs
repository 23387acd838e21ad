//! What a policy makes of PostgreSQL's errors.

use crate::database::postgres::{DatabaseError, DatabaseErrorKind, LockError};
use crate::fault::Fault as _;
use crate::privacy::ground::{GroundError, Trouble};

pub(super) fn of_database(error: DatabaseError) -> GroundError {
    use DatabaseErrorKind as Kind;
    let kind = match &error.kind {
        Kind::Unreachable(_) | Kind::NotReady(_) | Kind::ConnectionLost(_) | Kind::TooManyConnections(_) => {
            Trouble::Lost
        }
        Kind::Timeout(_) => Trouble::Slow,
        Kind::Query { code, .. } => by_code(code),
        _ => Trouble::Other,
    };
    GroundError { kind, message: crate::fault::chain(&error), hint: error.hint() }
}

pub(super) fn of_lock(error: LockError) -> GroundError {
    match error {
        LockError::Database(error) => of_database(error),
        busy => GroundError { kind: Trouble::Busy, message: crate::fault::chain(&busy), hint: busy.hint() },
    }
}

pub(super) fn classify(database: &str, error: sqlx::Error) -> GroundError {
    let code = error.as_database_error().and_then(|error| error.code()).map(|code| code.into_owned());
    let message = match error.as_database_error() {
        Some(said) => said.message().to_owned(),
        None => error.to_string(),
    };
    let kind = match (&code, &error) {
        (Some(code), _) => by_code(code),
        (None, sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::Tls(_)) => Trouble::Lost,
        _ => Trouble::Other,
    };
    let hint = match code.as_deref() {
        Some("42501") if message.contains("row-level security") => Some(
            "row security would hide rows: `ALTER ROLE … BYPASSRLS`, or work as the table's owner without FORCE"
                .to_owned(),
        ),
        Some("42501") => Some(format!("`caretaker database grants {database}` prints what the role needs")),
        Some("55P03") => {
            Some("somebody else holds a lock on these rows or this table: see `caretaker health`".to_owned())
        }
        _ => None,
    };
    GroundError { kind, message, hint }
}

/// SQLSTATEs: <https://www.postgresql.org/docs/current/errcodes-appendix.html>
fn by_code(code: &str) -> Trouble {
    match code {
        // Statement timeout; lock not available, deadlock, serialization failure.
        "57014" => Trouble::Slow,
        "55P03" | "40P01" | "40001" => Trouble::Locked,
        "57P01" | "57P02" | "57P03" | "57P05" => Trouble::Lost,
        _ if code.starts_with("08") => Trouble::Lost,
        // Constraints, and what triggers raise.
        _ if code.starts_with("23") || code == "P0001" => Trouble::Against,
        // Syntax and names, types and values.
        _ if code.starts_with("42") && code != "42501" || code.starts_with("22") => Trouble::Unfit,
        _ => Trouble::Other,
    }
}
