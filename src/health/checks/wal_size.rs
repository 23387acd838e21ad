//! Size of a SQLite file's write-ahead log: it grows while a reader keeps it from being written back.
//! <https://www.sqlite.org/wal.html#avoiding_excessively_large_wal_files>

use super::{Check, LookAt, sqlite};
use crate::config::CheckName;
use crate::health::{Seen, SqliteView, Unseen, Verdict};

pub(super) const CHECK: Check = Check {
    name: CheckName::WalSize,
    about: "size of a SQLite file's write-ahead log",
    deep: false,
    warning: Some(64.0 * 1024.0 * 1024.0),
    critical: Some(1024.0 * 1024.0 * 1024.0),
    source: "SQLite writes it back at 1000 pages, about 4 MiB; sixteen times that means that it cannot",
    look: LookAt { postgres: None, sqlite: Some(|view| Box::pin(look(view))), own: None },
};

#[allow(clippy::cast_precision_loss, reason = "bytes of a file are below 2^53")]
async fn look(view: &mut SqliteView<'_>) -> Seen {
    let found = sqlite::look(view).await?;
    if found.journal_mode != "wal" {
        return Err(Unseen::not_applicable(format!("the journal mode is {}", found.journal_mode)));
    }
    let bytes = found.wal_bytes as f64;
    let summary = format!("the write-ahead log has {}", crate::units::bytes(bytes));
    Ok(Verdict::new(view.own.limits.judge(bytes), summary).figure(bytes).advice(
        "look for a process that holds a read transaction open; once it is gone, `PRAGMA wal_checkpoint(TRUNCATE)`",
    ))
}
