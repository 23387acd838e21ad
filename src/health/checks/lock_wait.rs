//! How long a reader waits until it may read a SQLite file.

use super::sqlite::{WAIT, unseen};
use super::{Check, LookAt};
use crate::config::CheckName;
use crate::database::sqlite::{Figures, SqliteErrorKind, figures};
use crate::health::{Seen, SqliteView, Verdict};

pub(super) const CHECK: Check = Check {
    name: CheckName::LockWait,
    about: "how long a reader waits for the lock of a SQLite file",
    deep: false,
    warning: Some(1.0),
    critical: Some(5.0),
    source: "drivers give up after 5 s by default (Python's sqlite3, Django)",
    look: LookAt { postgres: None, sqlite: Some(|view| Box::pin(look(view))), own: None },
};

async fn look(view: &mut SqliteView<'_>) -> Seen {
    view.asks(&Figures::STATEMENTS);
    let (waited, summary) = match figures(view.path, WAIT).await {
        Ok(found) => {
            let waited = found.took.as_secs_f64();
            (waited, format!("a reader got in within {}", crate::units::seconds(waited)))
        }
        Err(error) if matches!(error.kind, SqliteErrorKind::Busy(_)) => {
            let waited = WAIT.as_secs_f64();
            (waited, format!("a reader did not get in within {}", crate::units::seconds(waited)))
        }
        Err(error) => return Err(unseen(&error)),
    };
    Ok(Verdict::new(view.own.limits.judge(waited), summary)
        .figure(waited)
        .advice("a process holds the file locked: `fuser FILE` names it; in WAL mode readers do not wait for writers"))
}
