//! The journal mode of a SQLite file. Only that it is WAL stands in the file; the kinds of rollback journal, and whether
//! there is one at all, are each connection's own and cannot be seen from another. What can be seen is a file that is
//! not in WAL mode any more. <https://www.sqlite.org/pragma.html#pragma_journal_mode>

use jiff::SignedDuration;

use super::{Check, LookAt, sqlite};
use crate::config::CheckName;
use crate::health::{Seen, SqliteView, Verdict};

pub(super) const CHECK: Check = Check {
    name: CheckName::JournalMode,
    about: "whether a SQLite file has left WAL mode",
    deep: false,
    warning: Some(1.0),
    critical: None,
    source: "without WAL readers and writers, backups among them, keep each other waiting",
    look: LookAt { postgres: None, sqlite: Some(|view| Box::pin(look(view))), own: None },
};

/// For how long it is remembered that a file was in WAL mode.
const MEMORY: SignedDuration = SignedDuration::from_hours(30 * 24);

const METRIC: &str = "journal_mode_wal";

async fn look(view: &mut SqliteView<'_>) -> Seen {
    let found = sqlite::look(view).await?;
    let is_wal = found.journal_mode == "wal";
    let kept = view.own.kept(METRIC, view.own.now - MEMORY).await?;
    let was_wal = kept.iter().rfind(|sample| sample.value > 0.0);
    let (figure, summary) = match was_wal {
        _ if is_wal => (0.0, "the journal mode is wal".to_owned()),
        Some(last) => (1.0, format!("the journal mode is {}, and was wal on {}", found.journal_mode, last.at)),
        None => (0.0, format!("the journal mode is {}", found.journal_mode)),
    };
    if is_wal {
        view.own.keep(METRIC, "", 1.0);
    }
    Ok(Verdict::new(view.own.limits.judge(figure), summary)
        .figure(figure)
        .advice("if nobody meant it, `PRAGMA journal_mode = WAL` once: the file remembers it"))
}
